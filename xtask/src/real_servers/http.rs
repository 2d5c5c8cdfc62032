//! Streamable HTTP written by hand: one connection for each message, bodies as text.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::revision::Revision;
use super::session::Transport;

const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A client's side of an MCP endpoint.
pub(super) struct HttpTransport {
    address: SocketAddr,
    revision: Revision,
    session_id: Option<String>,
}

/// A response, its body decoded.
#[derive(Debug, PartialEq, Eq)]
struct HttpResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl HttpTransport {
    pub(super) fn new(address: SocketAddr, revision: Revision) -> Self {
        Self { address, revision, session_id: None }
    }

    fn post(&mut self, message: &Value) -> Result<HttpResponse, String> {
        let body = message.to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: {}\r\n{}\r\n",
            self.address,
            body.len(),
            self.headers(message)
        );
        let response = exchange(self.address, &format!("{head}{body}")).map_err(|e| format!("HTTP: {e}"))?;
        let response = HttpResponse::parse(&response)?;
        if let Some(id) = response.header("mcp-session-id") {
            self.session_id = Some(id.to_owned());
        }
        Ok(response)
    }

    fn headers(&self, message: &Value) -> String {
        let method = message["method"].as_str().unwrap_or_default();
        let mut headers = Vec::new();
        if method != "initialize" && self.revision >= Revision::V2025_06_18 {
            headers.push(("mcp-protocol-version", self.revision.as_str()));
        }
        if self.revision.is_modern() {
            headers.push(("mcp-method", method));
            let params = &message["params"];
            let name = if method == "resources/read" { &params["uri"] } else { &params["name"] };
            headers.extend(name.as_str().map(|name| ("mcp-name", name)));
        }
        headers.extend(self.session_id.as_deref().map(|id| ("mcp-session-id", id)));
        headers.into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }
}

impl Transport for HttpTransport {
    fn request(&mut self, message: &Value, id: u64) -> Result<String, String> {
        let response = self.post(message)?;
        let texts = if response.header("content-type").is_some_and(|kind| kind.contains("event-stream")) {
            event_data(&response.body)
        } else {
            vec![response.body.clone()]
        };
        let answers = |text: &String| {
            serde_json::from_str::<Value>(text).is_ok_and(|it| it["id"] == id && it.get("method").is_none())
        };
        texts.into_iter().find(answers).ok_or_else(|| format!("no answer in {response:?}"))
    }

    fn notify(&mut self, message: &Value) -> Result<(), String> {
        let response = self.post(message)?;
        if response.status == 202 { Ok(()) } else { Err(format!("a notification is refused: {response:?}")) }
    }
}

impl HttpResponse {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let malformed = || format!("not an HTTP response: {}", String::from_utf8_lossy(bytes));
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").ok_or_else(malformed)?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| malformed())?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let header = |line: &str| {
            line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let mut response = Self {
            status: status.ok_or_else(malformed)?,
            headers: lines.filter_map(header).collect(),
            body: String::new(),
        };
        let body = &bytes[end + 4..];
        let is_chunked = response.header("transfer-encoding").is_some_and(|value| value.contains("chunked"));
        let body = if is_chunked { dechunked(body).ok_or_else(malformed)? } else { body.to_vec() };
        response.body = String::from_utf8(body).map_err(|_| malformed())?;
        Ok(response)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

fn exchange(address: SocketAddr, request: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    Ok(response)
}

/// Decodes the chunked transfer coding (RFC 9112, section 7.1).
fn dechunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|part| part == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let chunk = bytes.get(end + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk.get(..size)?);
        bytes = chunk.get(size + 2..)?;
    }
}

/// Returns the data of each event of a stream of server-sent events.
fn event_data(body: &str) -> Vec<String> {
    let mut events = vec![String::new()];
    for line in body.lines() {
        match line.strip_prefix("data:") {
            Some(data) => {
                let event = events.last_mut().expect("there is always one");
                if !event.is_empty() {
                    event.push('\n');
                }
                event.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
            None if line.is_empty() => events.push(String::new()),
            None => {}
        }
    }
    events.retain(|event| !event.is_empty());
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_of_every_framing_are_read() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
                200,
                "{}",
            ),
            ("HTTP/1.1 202 Accepted\r\n\r\n", 202, ""),
        ];
        for (text, status, body) in cases {
            let response = HttpResponse::parse(text.as_bytes()).expect(text);
            assert_eq!((response.status, response.body.as_str()), (status, body), "{text}");
        }
        let malformed = ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 x\r\n\r\n", "x\r\n\r\n"];
        for text in
            malformed.into_iter().chain(["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{}"])
        {
            assert!(HttpResponse::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_data_of_events_is_put_together() {
        let body = ": comment\nid: 1\ndata: {\"a\":\ndata: 1}\n\nevent: message\ndata:{}\n\n";
        assert_eq!(event_data(body), ["{\"a\":\n1}", "{}"]);
    }
}
