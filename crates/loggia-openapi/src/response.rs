//! The result of a call, from the HTTP response. Errors are messages that a model can act on.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response};
use loggia_wire::model::{
    AudioContent, CallToolResult, ContentBlock, EmbeddedResource, ImageContent, ResourceContents, TextContent,
};
use loggia_wire::{JsonObject, RawJson};

use crate::document::{items, member, members, string};
use crate::media_type::{MediaKind, essence, kind_of};
use crate::operation::Operation;

/// Bounds of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseLimits {
    /// Most bytes of text. A longer one is cut, and the result says so.
    pub text: usize,
    /// Most bytes of an image, a sound or a file. A larger one is left out, and the result says so.
    pub binary: usize,
}

impl Default for ResponseLimits {
    fn default() -> ResponseLimits {
        ResponseLimits { text: 100_000, binary: 5 << 20 }
    }
}

impl Operation {
    /// Returns the result of a call whose arguments were `arguments`.
    pub fn result(
        &self,
        arguments: &JsonObject,
        response: &Response<Bytes>,
        limits: ResponseLimits,
    ) -> CallToolResult {
        let (status, headers, body) = (response.status(), response.headers(), response.body());
        if !status.is_success() {
            return error_result(error_text(&self.name, response));
        }
        let media_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let json = match kind_of(&media_type) {
            MediaKind::Json => RawJson::parse(body.clone()).ok(),
            // Many servers name no type, or a wrong one.
            MediaKind::Text | MediaKind::Binary if looks_like_json(body) => RawJson::parse(body.clone()).ok(),
            _ => None,
        };
        let mut result = CallToolResult::default();
        match &json {
            Some(json) => {
                result.content.push(text_block(cut(body, limits.text)));
                if json.is_object() && body.len() <= limits.text {
                    result.structured_content = Some(json.clone());
                }
            }
            None if body.is_empty() => {
                result.content.push(text_block(format!("Done ({status}). The response is empty.")))
            }
            None => result.content.push(self.content(&media_type, body, limits)),
        }
        if let Some(cursor) =
            self.paging.as_ref().and_then(|paging| paging.next(arguments, headers, json.as_ref()))
        {
            result
                .content
                .push(text_block(format!("There are more results: call again with cursor {cursor:?}.")));
        }
        result
    }

    fn content(&self, media_type: &str, body: &Bytes, limits: ResponseLimits) -> ContentBlock {
        let kind = kind_of(media_type);
        // JSON that cannot be read is shown as it is.
        if matches!(kind, MediaKind::Text | MediaKind::Json) {
            return text_block(cut(body, limits.text));
        }
        if body.len() > limits.binary {
            let size = body.len();
            return text_block(format!(
                "The response is a file of {size} bytes ({media_type}), more than the {} that a result may have.",
                limits.binary
            ));
        }
        let mime_type = match essence(media_type) {
            name if name.is_empty() || name.contains('*') => "application/octet-stream".to_owned(),
            name => name,
        };
        let data = STANDARD.encode(body);
        match kind {
            MediaKind::Image => {
                ContentBlock::Image(ImageContent { data, mime_type, ..ImageContent::default() })
            }
            MediaKind::Audio => {
                ContentBlock::Audio(AudioContent { data, mime_type, ..AudioContent::default() })
            }
            _ => {
                let uri = format!("api://{}/{}", self.name, self.path.trim_start_matches('/'));
                let contents = ResourceContents::blob(uri, data).mime_type(mime_type);
                ContentBlock::Resource(EmbeddedResource { resource: contents, ..EmbeddedResource::default() })
            }
        }
    }
}

/// Returns the result of a call that failed.
pub(crate) fn error_result(text: String) -> CallToolResult {
    CallToolResult { content: vec![text_block(text)], is_error: Some(true), ..CallToolResult::default() }
}

/// Describes a response that is no success, with the next step.
pub(crate) fn error_text(name: &str, response: &Response<Bytes>) -> String {
    let (status, headers, body) = (response.status(), response.headers(), response.body());
    let reason = status.canonical_reason().unwrap_or("no reason");
    let mut text = format!("{name} failed: {} {reason}.", status.as_u16());
    let said = RawJson::parse(body.clone()).ok().and_then(|body| message_of(&body)).or_else(|| {
        let plain = String::from_utf8_lossy(body).trim().to_owned();
        (!plain.is_empty() && !plain.starts_with('<')).then_some(plain)
    });
    if let Some(said) = said {
        let said = loggia_wire::text::truncated(said.trim(), 2000);
        let end = if said.ends_with(['.', '!', '?']) { "" } else { "." };
        text = format!("{text} The API says: {said}{end}");
    }
    let advice = match status.as_u16() {
        400 | 422 => Some("Correct the arguments and call again.".to_owned()),
        401 => Some(
            "The credential is missing, wrong or expired: the user has to connect the account again."
                .to_owned(),
        ),
        403 => Some(
            "The credential does not allow this: the user has to grant more scopes or rights.".to_owned(),
        ),
        404 => Some("Check the ids in the arguments; the account may also not see the object.".to_owned()),
        409 => Some("Read the current state first, then call again.".to_owned()),
        429 | 503 => Some(match retry_after(headers) {
            Some(wait) => format!("Wait {} s, then call again.", wait.as_secs()),
            None => "Wait a moment, then call again.".to_owned(),
        }),
        500..=599 => Some("The API has a fault of its own: call again later.".to_owned()),
        _ => None,
    };
    match advice {
        Some(advice) => format!("{text} {advice}"),
        None => text,
    }
}

/// Returns the time to wait that a response names in seconds (RFC 9110, section 10.2.3). A date is left to the caller's
/// clock.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the message of an error, in the forms that APIs use (RFC 9457 among them).
fn message_of(body: &RawJson) -> Option<String> {
    const MEMBERS: [&str; 8] =
        ["message", "detail", "error_description", "error", "title", "err", "reason", "msg"];
    if let Some(text) = body.as_text().as_str() {
        return Some(text.into_owned());
    }
    let listed = listed_messages(body);
    let own = MEMBERS.iter().find_map(|name| {
        let value = member(body, name)?;
        if value.is_object() {
            message_of(&value)
        } else {
            string(body, name).filter(|text| !text.is_empty())
        }
    });
    match (own, listed.is_empty()) {
        (Some(own), true) => Some(own),
        (Some(own), false) => Some(format!("{own}: {}", listed.join("; "))),
        (None, false) => Some(listed.join("; ")),
        (None, true) => None,
    }
}

/// Returns the first messages of the errors that a response lists: in an array, or in an object by the name of the field.
fn listed_messages(body: &RawJson) -> Vec<String> {
    const LISTS: [&str; 2] = ["errorMessages", "errors"];
    let lists = LISTS.iter().filter_map(|name| member(body, name));
    let all = lists.flat_map(|list| {
        let fields = members(&list).into_iter().filter_map(|(field, error)| {
            let message = message_of(&error)?;
            Some(format!("{field}: {message}"))
        });
        let fields: Vec<String> = fields.collect();
        items(&list).iter().filter_map(message_of).chain(fields).collect::<Vec<_>>()
    });
    all.take(5).collect()
}

fn looks_like_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

pub(crate) fn cut(body: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(body);
    if text.len() <= most {
        return text.into_owned();
    }
    let start = loggia_wire::text::truncated(&text, most);
    format!(
        "{start}\n\n[Cut: {} of {} bytes are shown. Ask for fewer items or fields.]",
        start.len(),
        text.len()
    )
}

pub(crate) fn text_block(text: String) -> ContentBlock {
    ContentBlock::Text(TextContent::new(text))
}
