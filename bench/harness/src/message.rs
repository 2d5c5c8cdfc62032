//! The requests, and the checks of their answers. All programs of the bench send the same requests, so that all
//! contenders have the same work.

use std::borrow::Cow;

use serde::Deserialize;

use crate::Failure;

/// The modern revision.
pub const MODERN: &str = "2026-07-28";
/// The last revision with sessions.
pub const LEGACY: &str = "2025-11-25";
/// The text of a call: 32 bytes, which are repeated for a longer one.
const TEXT: &str = "0123456789abcdef0123456789abcdef";
const MODERN_META: &str = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}"#;

/// The revision of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// 2026-07-28: no session.
    Modern,
    /// 2025-11-25: after `initialize`, in a session.
    Legacy,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `tools/call` of `echo`.
    Echo,
    /// `tools/call` of `progress`: one progress notification before the answer.
    Progress,
    /// `tools/list`.
    List,
}

/// One request, which is sent many times.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its revision.
    pub era: Era,
    /// Its kind.
    pub kind: Kind,
    /// The argument.
    pub text: String,
    tool: String,
}

#[derive(Deserialize)]
struct Answer<'a> {
    id: u64,
    #[serde(borrow)]
    result: Content<'a>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Vec<Text<'a>>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

impl Question {
    /// Creates a request whose argument has `bytes` bytes.
    pub fn new(era: Era, kind: Kind, bytes: usize) -> Self {
        let text = TEXT.repeat(bytes.div_ceil(TEXT.len()));
        let tool = if kind == Kind::Progress { "progress" } else { "echo" };
        Self { era, kind, text: text[..bytes].to_owned(), tool: tool.to_owned() }
    }

    /// Returns the same request for another tool that answers like `echo`.
    pub fn called(self, tool: &str) -> Self {
        Self { tool: tool.to_owned(), ..self }
    }

    /// Returns the method, which `Mcp-Method` mirrors.
    pub fn method(&self) -> &'static str {
        if self.kind == Kind::List { "tools/list" } else { "tools/call" }
    }

    /// Returns the tool's name, which `Mcp-Name` mirrors.
    pub fn tool(&self) -> Option<&str> {
        (self.kind != Kind::List).then_some(self.tool.as_str())
    }

    /// Returns the message with `id`.
    pub fn body(&self, id: u64) -> String {
        let token = if self.kind == Kind::Progress { r#""progressToken":7"# } else { "" };
        let meta = match (self.era, token) {
            (Era::Modern, "") => format!(r#""_meta":{{{MODERN_META}}}"#),
            (Era::Modern, token) => format!(r#""_meta":{{{token},{MODERN_META}}}"#),
            (Era::Legacy, "") => String::new(),
            (Era::Legacy, token) => format!(r#""_meta":{{{token}}}"#),
        };
        let call = self
            .tool()
            .map(|tool| format!(r#""name":"{tool}","arguments":{{"text":"{}"}}{}"#, self.text, comma(&meta)));
        let (method, params) = (self.method(), call.unwrap_or_default());
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{meta}}}}}"#)
    }

    /// Returns whether `body` answers the message with `id`. A body of several events ends with the answer.
    pub fn check(&self, id: u64, body: &[u8]) -> Result<(), Failure> {
        if self.kind == Kind::List {
            return if contains(body, b"\"tools\":[") { Ok(()) } else { Err(wrong(body)) };
        }
        if self.kind == Kind::Progress && !contains(body, b"notifications/progress") {
            return Err(format!("no progress before the answer: {}", wrong(body)).into());
        }
        let answer: Answer<'_> = serde_json::from_slice(last_message(body)).map_err(|_| wrong(body))?;
        let same = answer.result.content.first().is_some_and(|content| content.text == self.text);
        if answer.id == id && same { Ok(()) } else { Err(wrong(body)) }
    }
}

/// Returns the `initialize` request of the last revision with sessions.
pub fn initialize() -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{LEGACY}","capabilities":{{}},"clientInfo":{{"name":"bench","version":"1"}}}}}}"#
    )
}

/// The notification that follows it.
pub const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// Returns a `subscriptions/listen` request for changes of the list of tools.
pub fn listen(id: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"subscriptions/listen","params":{{"notifications":{{"toolsListChanged":true}},"_meta":{{{MODERN_META}}}}}}}"#
    )
}

/// Returns whether `needle` occurs in `hay`.
pub fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

fn comma(next: &str) -> &'static str {
    if next.is_empty() { "" } else { "," }
}

/// Returns the data of the last event, or the whole body if it is not an event stream.
fn last_message(body: &[u8]) -> &[u8] {
    if body.first() == Some(&b'{') {
        return body;
    }
    let lines = body.split(|byte| *byte == b'\n').rev();
    lines.filter_map(|line| line.strip_prefix(b"data:")).find(|data| contains(data, b"{")).unwrap_or(body)
}

fn wrong(body: &[u8]) -> Failure {
    let shown = &body[..body.len().min(400)];
    format!("wrong answer: {}", String::from_utf8_lossy(shown)).into()
}

#[cfg(test)]
mod tests {
    use super::{Era, Kind, Question};

    #[test]
    fn questions_are_json() {
        for era in [Era::Modern, Era::Legacy] {
            for kind in [Kind::Echo, Kind::Progress, Kind::List] {
                let body = Question::new(era, kind, 40).body(3);
                let parsed: Result<serde_json::Value, _> = serde_json::from_str(&body);
                assert!(parsed.is_ok(), "{body}");
            }
        }
    }

    #[test]
    fn answers_are_checked() {
        let question = Question::new(Era::Modern, Kind::Echo, 3);
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"012"}]}}"#;
        assert!(question.check(1, answer.as_bytes()).is_ok());
        assert!(question.check(2, answer.as_bytes()).is_err());
        assert!(question.check(1, format!("event: message\ndata: {answer}\n\n").as_bytes()).is_ok());
        assert!(question.check(1, br#"{"id":1,"error":{}}"#).is_err());
    }
}
