//! The bound of a connector's results: a longer result is cut, and the whole of it is stored and linked.
//!
//! A model reads the begin of a long result and asks for the parts that it needs; without a bound one result could fill its
//! context. Invariant: a result within the bound is not changed. A result that was cut has no structured content, so the
//! definitions of such tools have no output schema ("Servers MUST provide structured results that conform to this schema").

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loggia::model::{
    CallToolResult, ContentBlock, ReadResourceResult, Resource, ResourceBody, ResourceContents, TextContent,
};
use loggia::service::Principal;
use loggia::wire::text::truncated;
use loggia::wire::{RawJson, RpcError};
use loggia_store::{KeptResult, ResultStore};

/// The begin of the URI of a stored result.
const URI: &str = "loggia://results/";
/// Characters of JSON and text after which a cut is sensible, and the bytes in which one is looked for.
const CUT_AFTER: [char; 6] = ['\n', ',', '}', ']', ' ', '.'];
const CUT_WITHIN: usize = 1024;

/// The largest results that clients get as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultLimit {
    /// The bytes of text, of all blocks of a result together.
    pub text: usize,
    /// The bytes of one image, sound or file.
    pub binary: usize,
}

/// The results that were too long for their clients.
pub(crate) struct LinkedResults {
    store: Arc<dyn ResultStore>,
}

/// One part of a result that is stored: the text that takes its place, and its link.
struct CutPart {
    text: String,
    link: Option<Resource>,
}

impl LinkedResults {
    pub(crate) fn new(store: Arc<dyn ResultStore>) -> LinkedResults {
        LinkedResults { store }
    }

    /// Returns the result for the client: parts beyond the limit are stored for the caller and linked. `tool` is the name of
    /// the tool, for people.
    pub(crate) async fn cut(
        &self,
        mut result: CallToolResult,
        limit: ResultLimit,
        caller: &str,
        tool: &str,
    ) -> CallToolResult {
        let mut links = Vec::new();
        let text_bytes: usize = result.content.iter().filter_map(ContentBlock::as_text).map(str::len).sum();
        let structured = result.structured_content.take_if(|content| content.as_bytes().len() > limit.text);
        if text_bytes > limit.text {
            let text = joined_texts(&mut result.content);
            let part = self.cut_text(text, limit.text, caller, tool).await;
            result.content.insert(0, text_block(part.text));
            links.extend(part.link);
            result.structured_content = None;
        } else if let Some(content) = structured {
            let text = String::from_utf8_lossy(content.as_bytes()).into_owned();
            let part = self.cut_text(text, limit.text.saturating_sub(text_bytes), caller, tool).await;
            result.content.push(text_block(part.text));
            links.extend(part.link);
        }
        for block in &mut result.content {
            let Some((media_type, bytes)) = binary_of(block, limit.binary) else { continue };
            let part = self.cut_binary(media_type, bytes, limit.binary, caller, tool).await;
            *block = text_block(part.text);
            links.extend(part.link);
        }
        result.content.extend(links.into_iter().map(ContentBlock::ResourceLink));
        result
    }

    async fn cut_text(&self, text: String, most: usize, caller: &str, tool: &str) -> CutPart {
        let head = head(&text, most);
        let media_type = if is_json(&text) { "application/json" } else { "text/plain" };
        let shown = format!("[Cut: {} of {} bytes are shown.", head.len(), text.len());
        let kept =
            KeptResult { media_type: media_type.to_owned(), is_text: true, bytes: text.as_bytes().into() };
        let link = self.link(kept, caller, tool).await;
        let next = match &link {
            Some(Resource { uri, .. }) => format!(
                "Read the resource {uri} for all of it, or {uri}?offset={}&length={} for the next part.]",
                head.len(),
                most.max(1)
            ),
            None => "Ask for fewer items or fields.]".to_owned(),
        };
        CutPart { text: format!("{head}\n\n{shown} {next}"), link }
    }

    async fn cut_binary(
        &self,
        media_type: String,
        bytes: Vec<u8>,
        most: usize,
        caller: &str,
        tool: &str,
    ) -> CutPart {
        let size = bytes.len();
        let kept = KeptResult { media_type: media_type.clone(), is_text: false, bytes: bytes.into() };
        let link = self.link(kept, caller, tool).await;
        let next = match &link {
            Some(Resource { uri, .. }) => format!(" Read the resource {uri} to get it."),
            None => String::new(),
        };
        let text = format!(
            "The result has a file of {size} bytes ({media_type}), more than the {most} that it may have.{next}"
        );
        CutPart { text, link }
    }

    async fn link(&self, kept: KeptResult, caller: &str, tool: &str) -> Option<Resource> {
        let (media_type, size) = (kept.media_type.clone(), kept.bytes.len() as u64);
        let id = match self.store.keep(caller, kept).await {
            Ok(id) => id?,
            Err(error) => {
                tracing::warn!(%error, tool, "a long result is cut, and the rest of it could not be stored");
                return None;
            }
        };
        let link = Resource::new(format!("{URI}{id}"), format!("result of {tool}"));
        Some(Resource { mime_type: Some(media_type), size: Some(size), ..link })
    }

    /// Reads a stored result of a caller.
    pub(crate) async fn read(
        &self,
        uri: &str,
        caller: Option<&Principal>,
    ) -> Result<ReadResourceResult, RpcError> {
        let rest = uri.strip_prefix(URI).unwrap_or_default();
        let (id, query) = rest.split_once('?').unwrap_or((rest, ""));
        let read = match self.store.load(&caller_key(caller), id).await {
            Ok(Some(kept)) => ByteRange::of_query(query).map(|range| contents(uri, &kept, range)),
            Ok(None) => Err(RpcError::resource_not_found(uri)),
            Err(error) => {
                tracing::warn!(%error, "a stored result could not be read");
                Err(RpcError::resource_not_found(uri))
            }
        };
        read.map(|contents| ReadResourceResult { contents: vec![contents], ..ReadResourceResult::default() })
    }
}

/// Returns whether a URI is that of a stored result.
pub(crate) fn is_result(uri: &str) -> bool {
    uri.starts_with(URI)
}

/// Returns the key under which the results of a caller are stored.
pub(crate) fn caller_key(principal: Option<&Principal>) -> String {
    principal.map_or_else(String::new, |caller| {
        format!("{}\n{}", caller.issuer.as_deref().unwrap_or_default(), caller.subject)
    })
}

/// A range of bytes of a stored result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ByteRange {
    offset: usize,
    length: usize,
}

impl ByteRange {
    /// Reads `offset=N&length=N`, each of which may be absent.
    fn of_query(query: &str) -> Result<ByteRange, RpcError> {
        let mut range = ByteRange { offset: 0, length: usize::MAX };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number = value.parse::<usize>().ok();
            match (name, number) {
                ("offset", Some(number)) => range.offset = number,
                ("length", Some(number)) => range.length = number,
                _ => {
                    let wrong = "a stored result takes ?offset=BYTES&length=BYTES";
                    return Err(RpcError::invalid_params(wrong));
                }
            }
        }
        Ok(range)
    }
}

/// Returns a part of a stored result. A part of a text begins and ends at whole characters.
fn contents(uri: &str, kept: &KeptResult, range: ByteRange) -> ResourceContents {
    let total = kept.bytes.len();
    let (start, end) = (range.offset.min(total), range.offset.saturating_add(range.length).min(total));
    let contents = match std::str::from_utf8(&kept.bytes) {
        Ok(text) if kept.is_text => {
            let rest = &text[truncated(text, start).len()..];
            // A part is at least one character, so that a caller who reads part by part comes to the end.
            let least = rest.chars().next().map_or(0, char::len_utf8);
            let most = end.saturating_sub(text.len() - rest.len());
            ResourceContents::text(uri, &rest[..truncated(rest, most).len().max(least.min(range.length))])
        }
        _ => ResourceContents::blob(uri, STANDARD.encode(&kept.bytes[start..end])),
    };
    contents.mime_type(kept.media_type.clone())
}

/// Takes the texts of a result, joined.
fn joined_texts(content: &mut Vec<ContentBlock>) -> String {
    let texts: Vec<String> = content.iter().filter_map(|block| block.as_text().map(str::to_owned)).collect();
    content.retain(|block| block.as_text().is_none());
    texts.join("\n\n")
}

/// Returns the begin of a text: at most `most` bytes, up to the end of a line, a member or a word if one is near.
fn head(text: &str, most: usize) -> &str {
    let start = truncated(text, most);
    if start.len() == text.len() {
        return start;
    }
    let least = start.len().saturating_sub(CUT_WITHIN.min(most / 4));
    let near = |c: char| start.rfind(c).map(|at| at + c.len_utf8()).filter(|end| *end > least);
    CUT_AFTER.into_iter().find_map(near).map_or(start, |end| &start[..end])
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && RawJson::parse(text.as_bytes().to_vec()).is_ok()
}

/// Returns the media type and the bytes of a block that has more of them than `most`.
fn binary_of(block: &ContentBlock, most: usize) -> Option<(String, Vec<u8>)> {
    let (media_type, data) = match block {
        ContentBlock::Image(image) => (image.mime_type.clone(), &image.data),
        ContentBlock::Audio(audio) => (audio.mime_type.clone(), &audio.data),
        ContentBlock::Resource(embedded) => {
            let media_type = embedded.resource.mime_type.clone();
            let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            match &embedded.resource.body {
                ResourceBody::Blob(data) => (media_type, data),
                ResourceBody::Text(text) => {
                    return (text.len() > most).then(|| (media_type, text.clone().into_bytes()));
                }
            }
        }
        _ => return None,
    };
    // Four characters are three bytes.
    if data.len() / 4 * 3 <= most {
        return None;
    }
    STANDARD.decode(data).ok().filter(|bytes| bytes.len() > most).map(|bytes| (media_type, bytes))
}

fn text_block(text: String) -> ContentBlock {
    ContentBlock::Text(TextContent::new(text))
}

#[cfg(test)]
mod tests {
    use loggia::model::ImageContent;
    use loggia_store::{MemoryResults, ResultStoreLimits};

    use super::*;

    fn results() -> LinkedResults {
        LinkedResults::new(Arc::new(MemoryResults::new(ResultStoreLimits {
            bytes: 10_000,
            caller_bytes: 5_000,
            ..ResultStoreLimits::default()
        })))
    }

    fn principal(name: &str) -> Principal {
        Principal { subject: name.to_owned(), issuer: None, scopes: Vec::new() }
    }

    const LIMIT: ResultLimit = ResultLimit { text: 40, binary: 8 };

    fn texts(result: &CallToolResult) -> Vec<&str> {
        result.content.iter().filter_map(ContentBlock::as_text).collect()
    }

    fn link(result: &CallToolResult) -> Option<&Resource> {
        result.content.iter().find_map(|block| match block {
            ContentBlock::ResourceLink(link) => Some(link),
            _ => None,
        })
    }

    #[tokio::test]
    async fn a_result_within_the_limit_is_not_changed() {
        let structured = CallToolResult {
            structured_content: Some(RawJson::parse(&br#"{"a":1}"#[..]).expect("JSON")),
            ..CallToolResult::text("x".repeat(40))
        };
        let image = ImageContent { data: STANDARD.encode([7; 8]), ..ImageContent::default() };
        let image = CallToolResult { content: vec![ContentBlock::Image(image)], ..CallToolResult::default() };
        for result in [structured, image, CallToolResult::error("no"), CallToolResult::default()] {
            assert_eq!(results().cut(result.clone(), LIMIT, "", "t").await, result);
        }
    }

    /// Each case: the texts of a result, and the begin that is shown.
    #[tokio::test]
    async fn a_long_text_is_cut_at_a_boundary_and_read_by_its_caller() {
        for (given, shown) in [
            (vec!["x".repeat(41)], "x".repeat(40)),
            (vec![format!("{}\n{}", "x".repeat(35), "y".repeat(20))], format!("{}\n", "x".repeat(35))),
            (
                vec![format!("[{}1]", "\"abc\",".repeat(10))],
                "[\"abc\",\"abc\",\"abc\",\"abc\",\"abc\",\"abc\",".to_owned(),
            ),
            (vec!["ä".repeat(30)], "ä".repeat(20)),
            (vec!["a".repeat(25), "b".repeat(25)], format!("{}\n\n{}", "a".repeat(25), "b".repeat(13))),
        ] {
            let results = results();
            let whole = given.join("\n\n");
            let content = given.into_iter().map(text_block).collect();
            let result = CallToolResult { content, ..CallToolResult::default() };
            let cut = results.cut(result, LIMIT, &caller_key(Some(&principal("ada"))), "t").await;
            let text = texts(&cut)[0];
            assert!(
                text.starts_with(&format!("{shown}\n\n[Cut: {} of {}", shown.len(), whole.len())),
                "{text}"
            );
            let link = link(&cut).expect("a link");
            assert!(text.contains(&link.uri) && link.size == Some(whole.len() as u64), "{text} {link:?}");
            let (ada, eve) = (principal("ada"), principal("eve"));
            let read = |uri: String, caller: &Principal| {
                let (results, caller) = (&results, caller.clone());
                async move { results.read(&uri, Some(&caller)).await }
            };
            let body = |read: Result<ReadResourceResult, RpcError>| match read {
                Ok(read) => read.contents[0].body.clone(),
                Err(error) => panic!("{error:?}"),
            };
            assert_eq!(body(read(link.uri.clone(), &ada).await), ResourceBody::Text(whole.clone()));
            assert!(read(link.uri.clone(), &eve).await.is_err());
            // The parts are the whole, although they may divide characters.
            let mut parts = String::new();
            while parts.len() < whole.len() {
                let part = read(format!("{}?offset={}&length=7", link.uri, parts.len()), &ada).await;
                let ResourceBody::Text(part) = body(part) else { panic!("text") };
                assert!(!part.is_empty());
                parts += &part;
            }
            assert_eq!(parts, whole);
            assert!(read(format!("{}?offset=x", link.uri), &ada).await.is_err());
        }
    }

    #[tokio::test]
    async fn structured_content_and_files_are_linked() {
        let json = format!("{{\"a\":\"{}\"}}", "x".repeat(60));
        let result = CallToolResult {
            structured_content: Some(RawJson::parse(json.clone().into_bytes()).expect("JSON")),
            ..CallToolResult::text("short")
        };
        let results = results();
        let cut = results.cut(result, LIMIT, "", "t").await;
        assert_eq!((cut.structured_content.as_ref(), texts(&cut)[0]), (None, "short"));
        let found = link(&cut).expect("a link");
        assert_eq!(found.mime_type.as_deref(), Some("application/json"));
        let bytes = vec![7u8; 20];
        let image = ImageContent {
            data: STANDARD.encode(&bytes),
            mime_type: "image/png".to_owned(),
            ..ImageContent::default()
        };
        let result =
            CallToolResult { content: vec![ContentBlock::Image(image)], ..CallToolResult::default() };
        let cut = results.cut(result, LIMIT, "", "t").await;
        assert!(texts(&cut)[0].contains("a file of 20 bytes (image/png)"), "{cut:?}");
        let found = link(&cut).expect("a link");
        let part = results.read(&format!("{}?offset=5&length=3", found.uri), None).await;
        let part = part.expect("it is there");
        assert_eq!(part.contents[0].body, ResourceBody::Blob(STANDARD.encode([7; 3])));
        assert_eq!(part.contents[0].mime_type.as_deref(), Some("image/png"));
    }

    #[tokio::test]
    async fn a_result_without_room_is_only_cut() {
        let cut = results().cut(CallToolResult::text("x".repeat(6_000)), LIMIT, "", "t").await;
        assert!(texts(&cut)[0].ends_with("Ask for fewer items or fields.]"), "{cut:?}");
        assert_eq!(link(&cut), None);
    }

    #[tokio::test]
    async fn a_result_that_is_not_there_is_an_error() {
        for (uri, expected) in [("loggia://other/1", false), ("loggia://results/absent", true)] {
            assert_eq!(is_result(uri), expected, "{uri}");
            assert!(results().read(uri, None).await.is_err(), "{uri}");
        }
    }
}
