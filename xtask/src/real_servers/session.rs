//! A client that parses nothing of what it receives but the envelope: the texts of results are kept as they came. SDKs
//! parse and write anew, which would hide what this stage looks for.

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

/// A connection to a server, spoken in one revision.
pub(super) struct RawSession<T> {
    transport: T,
    revision: Revision,
    next_id: u64,
}

/// The error of a server that lacks the capability for a list.
const METHOD_NOT_FOUND: &str = "-32601";
const MOST_PAGES: usize = 100;

impl<T: Transport> RawSession<T> {
    /// Opens a session; fails when the server answers in another revision.
    pub(super) fn open(transport: T, revision: Revision) -> Result<Self, String> {
        let mut session = Self { transport, revision, next_id: 1 };
        let answer = if revision.is_modern() {
            session.request("server/discover", json!({}))?
        } else {
            let client = json!({ "name": "xtask", "version": "1" });
            let version = revision.as_str();
            let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
            session.request("initialize", params)?
        };
        let Reply::Result(result) = &answer else {
            return Err(format!("{revision:?} is refused: {answer:?}"));
        };
        let spoken = if revision.is_modern() {
            raw_member(result, "supportedVersions").is_some_and(|all| all.contains(revision.as_str()))
        } else {
            raw_member(result, "protocolVersion").is_some_and(|one| one.contains(revision.as_str()))
        };
        if !spoken {
            return Err(format!("{revision:?} is not spoken: {result}"));
        }
        if !revision.is_modern() {
            let message = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            session.transport.notify(&message)?;
        }
        Ok(session)
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

    /// Returns the text of each entry of a list, from all of its pages; nothing from a server without that list.
    pub(super) fn list(&mut self, method: &str, member: &str) -> Result<Vec<String>, String> {
        let mut entries = Vec::new();
        let mut params = json!({});
        for _ in 0..MOST_PAGES {
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
