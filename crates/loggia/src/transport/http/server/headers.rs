//! Request headers that both eras read: those of the protocol, which must not come twice, and `Content-Type` and
//! `Accept`, which tell the form of a message and of its answer.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use loggia_wire::{Version, header};

/// `MCP-Protocol-Version`.
pub(super) const VERSION: HeaderName = HeaderName::from_static(header::MCP_PROTOCOL_VERSION);
/// `Mcp-Method`.
const METHOD: HeaderName = HeaderName::from_static(header::MCP_METHOD);
/// `Mcp-Name`.
const NAME: HeaderName = HeaderName::from_static(header::MCP_NAME);
/// `Mcp-Session-Id`.
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static(header::MCP_SESSION_ID);
/// `Last-Event-ID`.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static(header::LAST_EVENT_ID);

/// The value of a header that may come once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut found = values(headers, name);
    let Some(first) = found.next() else { return Ok(None) };
    let text = std::str::from_utf8(first).map_err(|_| format!("The header {name} is not text"))?;
    if found.next().is_some() {
        return Err(format!("The header {name} came more than once"));
    }
    Ok(Some(text.trim_matches([' ', '\t'])))
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers.get_all(name).iter().map(|value| value.as_bytes())
}

/// The headers of a message that mirror its body, so that a proxy can route on them.
pub(super) struct MirrorHeaders<'h> {
    /// `MCP-Protocol-Version`. `Err` says why it cannot be used.
    pub(super) version: Result<Option<&'h str>, String>,
    /// `Mcp-Method`.
    pub(super) method: Result<Option<&'h str>, String>,
    all: &'h HeaderMap,
}

impl<'h> MirrorHeaders<'h> {
    /// Reads the headers of a message.
    pub(super) fn read(headers: &'h HeaderMap) -> MirrorHeaders<'h> {
        MirrorHeaders { version: single(headers, &VERSION), method: single(headers, &METHOD), all: headers }
    }

    /// Returns whether the version is one without sessions.
    pub(super) fn names_modern(&self) -> bool {
        let version = self.version.as_ref().ok().copied().flatten();
        version.and_then(|version| version.parse::<Version>().ok()).is_some_and(Version::is_modern)
    }

    /// Returns the values of `Mcp-Name`, which are encoded.
    pub(super) fn names(&self) -> impl Iterator<Item = &'h [u8]> {
        values(self.all, &NAME)
    }

    /// Returns the values of the header `name`, which mirrors an argument and is encoded.
    pub(super) fn argument(&self, name: &str) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        self.all.get_all(name).iter().map(|value| value.as_bytes())
    }
}

/// The media type of messages.
pub(super) const JSON: &str = "application/json";
/// The media type of streams.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Returns whether the body is declared to be JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    if headers.get(CONTENT_TYPE).is_some_and(|value| value == JSON) {
        return true;
    }
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON)
}

/// The kinds of answer that a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AcceptedTypes {
    /// JSON and event streams, as the specification asks of clients.
    Both,
    /// JSON alone.
    Json,
}

/// Returns the kinds of answer that the client reads; `None` where JSON is not among them.
pub(super) fn accepted(headers: &HeaderMap) -> Option<AcceptedTypes> {
    // As nearly every client writes it.
    const BOTH: [&str; 2] = ["application/json, text/event-stream", "application/json,text/event-stream"];
    let mut values = headers.get_all(ACCEPT).iter();
    let usual = values.next().is_some_and(|value| BOTH.iter().any(|both| value == both));
    if usual && values.next().is_none() {
        return Some(AcceptedTypes::Both);
    }
    let json = if accepts(headers, EVENT_STREAM) { AcceptedTypes::Both } else { AcceptedTypes::Json };
    accepts(headers, JSON).then_some(json)
}

/// Returns whether the client reads `media_type`. Without an `Accept` header it reads everything (RFC 9110, 12.5.1).
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut ranges = listed(headers, &ACCEPT).peekable();
    ranges.peek().is_none() || ranges.any(|range| covers(range, media_type))
}

fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','))
}

fn covers(range: &str, media_type: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let refused = parts.any(|parameter| {
        parameter.strip_prefix("q=").is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
    });
    let matches = match name.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => media_type.split('/').next().is_some_and(|own| own.eq_ignore_ascii_case(kind)),
        _ => name.eq_ignore_ascii_case(media_type),
    };
    matches && !refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers() {
        let cases: &[(&[&str], bool, bool)] = &[
            (&[], true, true),
            (&["*/*"], true, true),
            (&["application/json,text/event-stream"], true, true),
            (&["application/json, text/event-stream", "text/html"], true, true),
            (&["application/json, text/event-stream"], true, true),
            (&["application/json", "text/event-stream"], true, true),
            (&["Application/JSON;q=0.9,Text/*"], true, true),
            (&["application/json"], true, false),
            (&["text/event-stream"], false, true),
            (&["application/json, text/event-stream;q=0"], true, false),
            (&["application/jsonx, text/event-stream-x"], false, false),
            (&["text/html"], false, false),
            (&[""], false, false),
        ];
        for (values, json, stream) in cases {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| {
                headers.append(ACCEPT, value.parse().expect("header"));
            });
            let expected = if *stream { AcceptedTypes::Both } else { AcceptedTypes::Json };
            assert_eq!(accepted(&headers), json.then_some(expected), "{values:?}");
            assert_eq!(
                (accepts(&headers, JSON), accepts(&headers, EVENT_STREAM)),
                (*json, *stream),
                "{values:?}"
            );
        }
    }

    #[test]
    fn content_types() {
        let cases = [
            ("application/json", true),
            ("Application/Json; charset=utf-8", true),
            ("application/json-rpc", false),
            ("text/plain", false),
            ("text/plain; application/json", false),
            ("", false),
        ];
        for (value, expected) in cases {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value.parse().expect("header"))]);
            assert_eq!(is_json(&headers), expected, "{value:?}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
