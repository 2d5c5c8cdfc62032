//! A client that hides nothing: it sends exactly the headers and bytes it is given, and shows what came back.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use loggia::transport::sse::{SseEvent, SseParser};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const LATEST: &str = "2026-07-28";

/// A response, its body not read yet.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    parser: SseParser,
    events: VecDeque<SseEvent>,
    /// Ends the connection when dropped.
    _connection: Connection,
}

struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends one request on a connection of its own.
pub async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    let connection = Connection(tokio::spawn(async move { drop(connection.await) }));
    let response: Response<Incoming> = sender.send_request(request).await.expect("a response");
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
        parser: SseParser::new(8 << 20),
        events: VecDeque::new(),
        _connection: connection,
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub async fn text(self) -> String {
        let bytes = self.body.collect().await.expect("a whole body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    pub async fn json(self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The next event; `None` at the end of the stream.
    pub async fn event(&mut self) -> Option<SseEvent> {
        assert_eq!(self.header("content-type"), Some("text/event-stream"));
        loop {
            while let Some(event) = self.parser.next_event().expect("short events") {
                self.events.push_back(event);
            }
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.body.frame().await {
                Some(frame) => {
                    self.parser.feed(&frame.expect("a whole body").into_data().expect("data"));
                }
                None => return None,
            }
        }
    }

    /// The next event that carries a message.
    pub async fn message(&mut self) -> Option<Value> {
        loop {
            let event = self.event().await?;
            if !event.data.is_empty() {
                return Some(serde_json::from_slice(&event.data).expect("JSON"));
            }
        }
    }

    /// The messages that are left.
    pub async fn messages(mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(message) = self.message().await {
            messages.push(message);
        }
        messages
    }

    pub fn last_event_id(&self) -> Option<&str> {
        self.parser.last_event_id()
    }

    pub fn retry(&self) -> Option<std::time::Duration> {
        self.parser.retry()
    }
}

/// A request with headers; an empty value takes a header away.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut all = vec![("host", address.to_string())];
    if method == "POST" {
        all.push(("content-type", "application/json".to_owned()));
        all.push(("accept", "application/json, text/event-stream".to_owned()));
    }
    for (name, value) in headers {
        all.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        all.push((name, (*value).to_owned()));
    }
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in all.iter().filter(|(_, value)| !value.is_empty()) {
        builder =
            builder.header(*name, http::HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
    }
    builder.body(Full::new(body.into())).expect("a request")
}

pub async fn post(address: SocketAddr, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    send(address, request(address, "POST", "/mcp", headers, body)).await
}

/// The `_meta` of a modern request.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": LATEST,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
    })
}

/// A modern request. `params` may bring its own `_meta` members.
pub fn modern(method: &str, mut params: Value) -> Value {
    let mut all = meta();
    if let Some(Value::Object(own)) = params.get("_meta") {
        for (key, value) in own {
            all[key] = value.clone();
        }
    }
    params["_meta"] = all;
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// Sends a modern request with the headers that mirror it.
pub async fn call_modern(address: SocketAddr, method: &str, params: Value) -> Answer {
    call_modern_with(address, method, params, &[]).await
}

pub async fn call_modern_with(
    address: SocketAddr,
    method: &str,
    params: Value,
    headers: &[(&str, &str)],
) -> Answer {
    let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or_default().to_owned();
    let mut all = vec![("mcp-protocol-version", LATEST), ("mcp-method", method), ("mcp-name", &*name)];
    all.extend_from_slice(headers);
    post(address, &all, modern(method, params).to_string()).await
}

pub async fn call_tool(address: SocketAddr, name: &str, arguments: Value) -> Answer {
    call_modern(address, "tools/call", json!({ "name": name, "arguments": arguments })).await
}

/// Returns the text of a tool's result.
pub fn said(response: &Value) -> &str {
    response["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {response}"))
}

/// A legacy session.
pub struct Session {
    pub address: SocketAddr,
    pub id: String,
    pub user: Option<String>,
    pub version: String,
}

impl Session {
    pub async fn open(address: SocketAddr, version: &str) -> Session {
        Session::open_as(address, version, None).await
    }

    pub async fn open_as(address: SocketAddr, version: &str, user: Option<&str>) -> Session {
        let params = json!({
            "protocolVersion": version,
            "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "test", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = post(address, &[("x-user", user.unwrap_or_default())], body.to_string()).await;
        assert_eq!(answer.status, 200);
        let id = answer.header("mcp-session-id").expect("a session").to_owned();
        let answer = answer.json().await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        let session = Session { address, id, user: user.map(Into::into), version: version.to_owned() };
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(session.post(&initialized).await.status, 202);
        session
    }

    pub fn headers(&self) -> Vec<(&str, &str)> {
        let mut headers = vec![("mcp-session-id", &*self.id)];
        if *self.version >= *"2025-06-18" {
            headers.push(("mcp-protocol-version", &self.version));
        }
        headers.extend(self.user.as_deref().map(|user| ("x-user", user)));
        headers
    }

    pub async fn post(&self, message: &Value) -> Answer {
        post(self.address, &self.headers(), message.to_string()).await
    }

    pub async fn call(&self, id: i64, tool: &str, params: Value) -> Answer {
        let mut params = params;
        params["name"] = json!(tool);
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })).await
    }

    pub async fn get(&self, last_event_id: Option<&str>) -> Answer {
        let mut headers = self.headers();
        headers.push(("accept", "text/event-stream"));
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        send(self.address, request(self.address, "GET", "/mcp", &headers, "")).await
    }

    pub async fn delete(&self) -> Answer {
        send(self.address, request(self.address, "DELETE", "/mcp", &self.headers(), "")).await
    }
}

/// Sends bytes as they are and reads until the server closes.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(bytes).await.expect("the server reads");
    let mut answer = Vec::new();
    // A server that closes with bytes unread resets the connection; what it said before counts.
    while let Ok(n) = stream.read_buf(&mut answer).await {
        if n == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}
