//! A client that parses only the envelope of messages: the texts of results are kept unchanged. SDKs parse and write
//! them again, which would hide the differences that this stage looks for.

use serde_json::{Value, json};

use super::json_tree::{raw_elements, raw_member};
use super::revision::Revision;

/// Sends messages and receives the responses to them, as text.
pub(super) trait Transport {
    /// Sends the request `message` with the id `id` and returns the text of its response.
    fn request(&mut self, message: &Value, id: u64) -> Result<String, String>;

    /// Sends a notification.
    fn notify(&mut self, message: &Value) -> Result<(), String>;
}

/// A response without its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Result(String),
    Error(String),
}

/// A connection to a server in one revision.
pub(super) struct RawSession<T> {
    transport: T,
    revision: Revision,
    next_id: u64,
}

/// The reason why a session is not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OpenError {
    /// The server answers that it does not support the revision.
    NotSpoken(String),
    /// The server does not start, does not answer, or fails.
    Failed(String),
}

/// The error of a server that does not have the capability for a list, or the method.
const METHOD_NOT_FOUND: &str = "-32601";
/// The error of a server that failed.
const INTERNAL_ERROR: &str = "-32603";
const MAX_PAGES: usize = 100;

impl<T: Transport> RawSession<T> {
    /// Opens a session. A server that answers with another revision, or with an error that is not its own failure,
    /// does not support this one.
    pub(super) fn open(transport: T, revision: Revision) -> Result<Self, OpenError> {
        let mut session = Self { transport, revision, next_id: 1 };
        let (answer, member) = if revision.is_modern() {
            (session.request("server/discover", json!({})), "supportedVersions")
        } else {
            let client = json!({ "name": "xtask", "version": "1" });
            let version = revision.as_str();
            let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
            (session.request("initialize", params), "protocolVersion")
        };
        match answer.map_err(OpenError::Failed)? {
            Reply::Error(error) if raw_member(&error, "code") == Some(INTERNAL_ERROR) => {
                Err(OpenError::Failed(format!("{revision:?}: the server fails: {error}")))
            }
            Reply::Error(error) => Err(OpenError::NotSpoken(format!("{revision:?} is refused: {error}"))),
            Reply::Result(result) => {
                let versions = raw_member(&result, member)
                    .ok_or_else(|| OpenError::Failed(format!("{revision:?}: no {member}: {result}")))?;
                if !versions.contains(&format!("\"{}\"", revision.as_str())) {
                    return Err(OpenError::NotSpoken(format!("{revision:?} is not spoken: {result}")));
                }
                session.confirm().map_err(OpenError::Failed)?;
                Ok(session)
            }
        }
    }

    /// Sends `notifications/initialized`, if the revision has it.
    fn confirm(&mut self) -> Result<(), String> {
        if self.revision.is_modern() {
            return Ok(());
        }
        self.transport.notify(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
    }

    /// Sends a request and returns the text of its result or error.
    pub(super) fn request(&mut self, method: &str, mut params: Value) -> Result<Reply, String> {
        if self.revision.is_modern() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.revision.as_str(),
                "io.modelcontextprotocol/clientInfo": { "name": "xtask", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let id = self.next_id;
        self.next_id += 1;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let text = self.transport.request(&message, id).map_err(|e| format!("{method}: {e}"))?;
        let member = |name: &str| raw_member(&text, name).map(str::to_owned);
        member("result")
            .map(Reply::Result)
            .or_else(|| member("error").map(Reply::Error))
            .ok_or_else(|| format!("{method}: neither a result nor an error: {text}"))
    }

    /// Returns the text of each entry of a list, from all of its pages; none if the server does not have the list.
    pub(super) fn list(&mut self, method: &str, member: &str) -> Result<Vec<String>, String> {
        let mut entries = Vec::new();
        let mut params = json!({});
        for _ in 0..MAX_PAGES {
            let result = match self.request(method, params)? {
                Reply::Result(result) => result,
                Reply::Error(error) if raw_member(&error, "code") == Some(METHOD_NOT_FOUND) => break,
                Reply::Error(error) => return Err(format!("{method}: {error}")),
            };
            let page =
                raw_member(&result, member).ok_or_else(|| format!("{method}: no {member}: {result}"))?;
            entries.extend(raw_elements(page)?.into_iter().map(str::to_owned));
            let cursor = raw_member(&result, "nextCursor").and_then(|text| serde_json::from_str(text).ok());
            match cursor {
                Some(Value::String(cursor)) => params = json!({ "cursor": cursor }),
                _ => return Ok(entries),
            }
        }
        Ok(entries)
    }
}

impl From<OpenError> for String {
    fn from(error: OpenError) -> String {
        match error {
            OpenError::NotSpoken(reason) | OpenError::Failed(reason) => reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Revision::{V2025_06_18, V2025_11_25, V2026_07_28};

    /// Answers every request with one text, or fails.
    struct FixedAnswer(Result<&'static str, &'static str>);

    impl Transport for FixedAnswer {
        fn request(&mut self, _: &Value, _: u64) -> Result<String, String> {
            self.0.map(str::to_owned).map_err(str::to_owned)
        }

        fn notify(&mut self, _: &Value) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    fn a_server_that_fails_is_told_from_one_that_does_not_speak_the_revision() {
        let legacy = Ok(r#"{"result":{"protocolVersion":"2025-06-18"}}"#);
        let modern = Ok(r#"{"result":{"supportedVersions":["2025-11-25","2026-07-28"]}}"#);
        for (answer, revision, expected) in [
            (legacy, V2025_06_18, "spoken"),
            (legacy, V2025_11_25, "not spoken"),
            (modern, V2026_07_28, "spoken"),
            (Ok(r#"{"result":{"supportedVersions":["2027-01-01"]}}"#), V2026_07_28, "not spoken"),
            (Ok(r#"{"error":{"code":-32601,"message":"no such method"}}"#), V2026_07_28, "not spoken"),
            (Ok(r#"{"error":{"code":-32602,"message":"invalid"}}"#), V2026_07_28, "not spoken"),
            (Ok(r#"{"error":{"code":-32022,"message":"version"}}"#), V2025_06_18, "not spoken"),
            (Ok(r#"{"error":{"code":-32603,"message":"a stack trace"}}"#), V2026_07_28, "failed"),
            (Ok(r#"{"result":{}}"#), V2025_06_18, "failed"),
            (Ok(r#"{"id":1}"#), V2025_06_18, "failed"),
            (Err("no answer within 60 s"), V2026_07_28, "failed"),
            (Err("cannot write to the server: broken pipe"), V2025_06_18, "failed"),
        ] {
            let opened = match RawSession::open(FixedAnswer(answer), revision) {
                Ok(_) => "spoken",
                Err(OpenError::NotSpoken(_)) => "not spoken",
                Err(OpenError::Failed(_)) => "failed",
            };
            assert_eq!(opened, expected, "{answer:?} to {revision:?}");
        }
    }
}
