//! The bounds: bytes, time, how much at once, and peers that do not read.

use std::time::Duration;

use loggia::limits::Limits;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::{Event, Server};
use super::peer::{LATEST, Session, call_modern, call_tool, modern, raw, said};

/// A request as bytes.
fn bytes(server: &Server, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: */*\r\n\
         MCP-Protocol-Version: {LATEST}\r\n{headers}\r\n{body}",
        server.address
    )
    .into_bytes()
}

fn call(server: &Server, tool: &str, arguments: Value) -> Vec<u8> {
    let body = modern("tools/call", json!({ "name": tool, "arguments": arguments })).to_string();
    let headers = format!("Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\n", body.len());
    bytes(server, &headers, &body)
}

#[tokio::test]
async fn a_body_that_is_too_long() {
    let server = Server::with(Limits { message_bytes: 1000, ..Limits::default() }, |http| http).await;
    let announced = bytes(&server, "Content-Length: 1001\r\n", "");
    let chunked = bytes(
        &server,
        "Transfer-Encoding: chunked\r\n",
        &format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001)),
    );
    for request in [announced, chunked] {
        let answer = raw(server.address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let body: Value =
            serde_json::from_str(answer.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
        assert_eq!(body["error"]["code"], -32600);
    }
    let fits = modern("tools/call", json!({ "name": "echo", "arguments": {} })).to_string();
    assert!(fits.len() < 1000);
    assert_eq!(call_tool(server.address, "echo", json!({})).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn headers_that_are_too_long() {
    let server = Server::with(Limits { header_bytes: 8 << 10, ..Limits::default() }, |http| http).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(9 << 10));
    let many: String = (0..200).map(|n| format!("X-{n}: x\r\n")).collect();
    for headers in [long, many] {
        let answer = raw(server.address, &bytes(&server, &headers, "")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_do_not_arrive() {
    let server =
        Server::with(Limits { read_timeout: Duration::from_millis(50), ..Limits::default() }, |http| http)
            .await;
    let slow = raw(server.address, &bytes(&server, "Content-Length: 100\r\n", "{")).await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    // A connection on which nothing was ever asked is closed as well.
    assert_eq!(raw(server.address, b"").await, "");
    assert_eq!(raw(server.address, b"PRI * HT").await, "");
    server.stop().await;
}

/// The head of a request has the time to read that is documented, on a new connection and between two requests.
#[tokio::test]
async fn heads_that_do_not_arrive() {
    let hour = Duration::from_secs(3600);
    let limits = Limits { read_timeout: Duration::from_millis(50), idle: hour, ..Limits::default() };
    let server = Server::with(limits, |http| http).await;
    let whole = call(&server, "echo", json!({}));
    for (before, head) in [(&b""[..], &b"P"[..]), (b"", b"POST /mcp HTTP/1.1\r\nX-A: "), (&whole, b"POST /m")]
    {
        let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
        let mut answer = Vec::new();
        stream.write_all(before).await.expect("written");
        while !before.is_empty() && !answer.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut answer).await.expect("answered"), 0);
        }
        stream.write_all(head).await.expect("written");
        let closing = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(60), closing).await.expect("it is closed").expect("read");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_http() {
    let server = Server::start().await;
    let answer = raw(server.address, b"{\"jsonrpc\":\"2.0\"}\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn too_many_requests_at_once() {
    let mut server = Server::with(Limits { requests: 1, ..Limits::default() }, |http| http).await;
    let address = server.address;
    let first = tokio::spawn(async move { call_tool(address, "wait", json!({})).await.json().await });
    assert_eq!(server.event().await, Event::Started("wait".into()));
    let busy = call_tool(address, "echo", json!({})).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, Some("1")));
    assert_eq!(busy.json().await["error"]["code"], -32603);
    server.fixture.gate.notify_one();
    assert_eq!(said(&first.await.expect("an answer")), "waited");
    assert_eq!(call_tool(address, "echo", json!({})).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn too_many_streams_at_once() {
    let server = Server::with(Limits { streams: 1, ..Limits::default() }, |http| http).await;
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    let mut first = call_modern(server.address, "subscriptions/listen", filter.clone()).await;
    assert!(first.message().await.is_some());
    assert_eq!(call_modern(server.address, "subscriptions/listen", filter).await.status, 503);
    let session = Session::open(server.address, "2025-11-25").await;
    assert_eq!(session.get(None).await.status, 503);
    assert_eq!(
        call_tool(server.address, "echo", json!({})).await.status,
        200,
        "streams and requests are counted apart"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive() {
    let server =
        Server::with(Limits { keep_alive: Duration::from_millis(10), ..Limits::default() }, |http| http)
            .await;
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    // A call that takes long becomes a stream, so that whatever is in between does not give up on it.
    stream.write_all(&call(&server, "wait", json!({}))).await.expect("written");
    let mut answer = String::new();
    while answer.matches(":\n\n").count() < 3 {
        let mut buffer = [0; 1024];
        let n = stream.read(&mut buffer).await.expect("read");
        assert!(n > 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    assert!(answer.contains("text/event-stream"), "{answer}");
    drop(stream);
    server.stop().await;
}

/// A peer that asks and never reads is disconnected, and what it held is free again.
#[tokio::test]
async fn a_peer_that_does_not_read() {
    let limits = Limits {
        requests: 1,
        connections: 1,
        write_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = Server::with(limits, |http| http).await;
    let mut deaf = TcpStream::connect(server.address).await.expect("the server listens");
    // More than any socket buffers.
    deaf.write_all(&call(&server, "big", json!({ "bytes": 16 << 20 }))).await.expect("written");
    // The only connection there may be is taken until the deaf one is closed.
    let answer = call_tool(server.address, "echo", json!({})).await;
    assert_eq!(answer.status, 200);
    drop(deaf);
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let limits = Limits {
        idle: Duration::from_millis(50),
        read_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Server::with(limits, |http| http).await;
    let answer = raw(server.address, &call(&server, "echo", json!({}))).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_kept_for_a_session_is_bounded() {
    let limits = Limits { resume_events: 2, ..Limits::default() };
    let mut server = Server::with(limits, |http| http).await;
    let session = Session::open(server.address, "2025-11-25").await;
    let mut answer = session.call(1, "begin", json!({})).await;
    answer.event().await.expect("the priming event");
    let primed = answer.last_event_id().expect("an id").to_owned();
    assert_eq!(server.event().await, Event::Started("begin".into()));
    server.fixture.gate.notify_one();
    assert_eq!(answer.messages().await.len(), 2);
    // Other streams of the session push it out.
    let told = session.call(2, "report", json!({ "_meta": { "progressToken": 1 } })).await.messages().await;
    assert_eq!(told.len(), 5);
    assert_eq!(session.get(Some(&primed)).await.status, 400, "what was sent long ago is gone");
    server.stop().await;
}

#[tokio::test]
async fn a_socket_that_was_opened_elsewhere() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    let server = Server::with(Limits::default(), |http| http.listener(socket)).await;
    assert_eq!(server.address, address);
    assert_eq!(call_tool(address, "echo", json!({})).await.status, 200);
    server.stop().await;
}
