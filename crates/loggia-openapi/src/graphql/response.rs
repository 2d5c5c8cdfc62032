//! The response of a GraphQL call: data, errors, or both (GraphQL specification, section 7.1).
//!
//! Invariant: the text of errors is bounded, whatever the response holds.

use bytes::Bytes;
use http::{Response, StatusCode};
use loggia_wire::RawJson;

use crate::document::{items, member, members, string};
use crate::parameter::plain;
use crate::response::retry_after;

/// Most errors that a message lists.
const MAX_ERRORS: usize = 5;
/// Longest message of one error, in bytes.
const MAX_MESSAGE: usize = 600;
/// Codes of errors that tell the caller to wait.
const RATE_LIMITED: [&str; 6] =
    ["RATELIMITED", "RATE_LIMITED", "RATE_LIMIT", "RATE_LIMIT_EXCEEDED", "THROTTLED", "TOO_MANY_REQUESTS"];

/// A response that follows the GraphQL specification.
#[derive(Debug, Clone)]
pub struct GraphqlResponse {
    data: Option<RawJson>,
    errors: Vec<ResponseError>,
    status: StatusCode,
    wait: Option<u64>,
}

/// One error of a response.
#[derive(Debug, Clone)]
struct ResponseError {
    text: String,
    code: Option<String>,
}

/// Returns whether an API refused a call because there were too many: by the status 429, or by the code of an error, which
/// some APIs send with 200 or 400. Such a call did not run.
pub fn is_rate_limited(response: &Response<Bytes>) -> bool {
    response.status() == StatusCode::TOO_MANY_REQUESTS
        || GraphqlResponse::read(response).is_some_and(|read| read.is_rate_limited())
}

impl GraphqlResponse {
    /// Reads a response, whatever its status; `None` if its body is no GraphQL response.
    pub fn read(response: &Response<Bytes>) -> Option<GraphqlResponse> {
        let body = RawJson::parse(response.body().clone()).ok().filter(RawJson::is_object)?;
        let data = member(&body, "data").filter(RawJson::is_object);
        let errors = member(&body, "errors").map(|errors| items(&errors)).unwrap_or_default();
        let errors: Vec<ResponseError> = errors.iter().filter_map(ResponseError::read).collect();
        let is_graphql =
            !errors.is_empty() || (member(&body, "data").is_some() && response.status().is_success());
        is_graphql.then(|| GraphqlResponse {
            data,
            errors,
            status: response.status(),
            wait: retry_after(response.headers()).map(|wait| wait.as_secs()),
        })
    }

    /// Returns the member `data`.
    pub fn data(&self) -> Option<&RawJson> {
        self.data.as_ref()
    }

    /// Returns the data; if it has one field, the value of that field.
    pub fn value(&self) -> Option<RawJson> {
        let data = self.data.as_ref()?;
        match members(data).as_slice() {
            [(_, only)] => Some(only.clone()),
            _ => Some(data.clone()),
        }
    }

    /// Returns whether there are errors.
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Returns whether there is no data at all: none of the fields has a value because of the errors.
    pub fn is_failure(&self) -> bool {
        let Some(data) = &self.data else { return true };
        let has_value = || members(data).iter().any(|(_, value)| !value.as_text().is_null());
        self.has_errors() && !has_value()
    }

    fn is_rate_limited(&self) -> bool {
        let is_code = |code: &str| RATE_LIMITED.iter().any(|known| code.eq_ignore_ascii_case(known));
        self.status == StatusCode::TOO_MANY_REQUESTS
            || self.errors.iter().filter_map(|error| error.code.as_deref()).any(is_code)
    }

    /// Returns the messages of the errors and the next step.
    pub fn errors_text(&self) -> String {
        let shown: Vec<&str> = self.errors.iter().take(MAX_ERRORS).map(|error| error.text.as_str()).collect();
        let mut text = format!("The API says: {}", shown.join("; "));
        if self.errors.len() > MAX_ERRORS {
            text = format!("{text}; and {} more errors", self.errors.len() - MAX_ERRORS);
        }
        if !text.ends_with(['.', '!', '?']) {
            text.push('.');
        }
        match self.advice() {
            Some(advice) => format!("{text} {advice}"),
            None => text,
        }
    }

    fn advice(&self) -> Option<String> {
        if self.is_rate_limited() {
            return Some(match self.wait {
                Some(wait) => format!("Wait {wait} s, then call again."),
                None => "Too many requests: wait a minute, then call again.".to_owned(),
            });
        }
        let code = self.errors.iter().find_map(|error| error.code.as_deref()).unwrap_or_default();
        let code = code.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
        let status = self.status.as_u16();
        let text = if has(&["UNAUTHENTICATED", "AUTHENTICATION", "UNAUTHORIZED"]) || status == 401 {
            "The credential is missing, wrong or expired: the user has to connect the account again."
        } else if has(&["FORBIDDEN", "PERMISSION", "INSUFFICIENT_SCOPES", "ACCESS_DENIED"]) || status == 403 {
            "The credential does not allow this: the user has to grant more scopes or rights."
        } else if has(&["NOT_FOUND"]) {
            "Check the ids in the arguments; the account may also not see the object."
        } else if has(&["VALIDATION", "INPUT", "PARSE_FAILED", "INVALID", "ARGUMENT"]) {
            "Correct the arguments and call again."
        } else if has(&["INTERNAL"]) || self.status.is_server_error() {
            "The API has a fault of its own: call again later."
        } else {
            return None;
        };
        Some(text.to_owned())
    }
}

impl ResponseError {
    fn read(error: &RawJson) -> Option<ResponseError> {
        if !error.is_object() {
            let text = error.as_text().as_str()?.into_owned();
            return Some(ResponseError { text: shortened(&text), code: None });
        }
        let extensions = member(error, "extensions");
        let extension = |name: &str| extensions.as_ref().and_then(|extensions| string(extensions, name));
        let mut text =
            shortened(&string(error, "message").unwrap_or_else(|| "an error without a message".to_owned()));
        // Some APIs keep the details out of the message.
        let details = extension("userPresentableMessage").filter(|details| !text.contains(details.as_str()));
        if let Some(details) = details {
            text = format!("{}: {}", text.trim_end_matches('.'), shortened(&details));
        }
        let path = member(error, "path").map(|path| items(&path)).unwrap_or_default();
        let path: Vec<String> = path.iter().take(16).filter_map(|key| plain(key.as_text())).collect();
        if !path.is_empty() {
            text = format!("{} (at {})", text.trim_end_matches('.'), shortened(&path.join(".")));
        }
        Some(ResponseError { text, code: extension("code").or_else(|| string(error, "type")) })
    }
}

fn shortened(text: &str) -> String {
    loggia_wire::text::truncated(text.trim(), MAX_MESSAGE).to_owned()
}
