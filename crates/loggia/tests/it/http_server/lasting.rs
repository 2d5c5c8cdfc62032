//! Streams that last, byte by byte: what goes before one on its connection, and how one begins and ends.

use loggia::limits::Limits;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fixture::Server;
use super::peer::{LATEST, call_tool, modern};

const LISTEN: &str = "subscriptions/listen";

fn post(http: &str, method: &str, params: Value) -> String {
    let name = params["name"].as_str().map(|name| format!("Mcp-Name: {name}\r\n")).unwrap_or_default();
    let body = modern(method, params).to_string();
    format!(
        "POST /mcp HTTP/{http}\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: */*\r\n\
         MCP-Protocol-Version: {LATEST}\r\nMcp-Method: {method}\r\n{name}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn listen(http: &str) -> String {
    post(http, LISTEN, json!({ "notifications": { "toolsListChanged": true } }))
}

/// Reads until `end` has come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    loop {
        let seen = text.len();
        let n = stream.read_buf(&mut text).await.expect("the server writes");
        let news = String::from_utf8_lossy(&text[seen.saturating_sub(end.len())..]);
        if news.contains(end) {
            return String::from_utf8_lossy(&text).into_owned();
        }
        assert!(n > 0, "the connection ended before {end:?} came: {news}");
    }
}

/// More than a socket takes at once.
const MUCH: usize = 8_000_000;

#[tokio::test]
async fn whatever_went_before_is_answered_first() {
    let big =
        |bytes: usize| post("1.1", "tools/call", json!({ "name": "big", "arguments": { "bytes": bytes } }));
    let server = Server::start().await;
    let cases = [
        ("nothing", String::new(), 0),
        ("a call", big(10), 1),
        ("two calls", big(10).repeat(2), 2),
        ("a large answer", big(MUCH), MUCH / 10),
    ];
    for (what, before, expected) in cases {
        let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
        stream.write_all(format!("{before}{}", listen("1.1")).as_bytes()).await.expect("written");
        let text = until(&mut stream, "subscriptions/acknowledged").await;
        let last = text.rfind("HTTP/1.1 200 OK\r\n").expect("a response");
        assert_eq!(text[..last].matches("xxxxxxxxxx").count(), expected, "{what}");
        assert!(text[last..].contains("text/event-stream"), "{what}");
        server.fixture.changes.tools();
        until(&mut stream, "notifications/tools/list_changed").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn it_ends_with_its_connection() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(listen("1.1").as_bytes()).await.expect("written");
    let mut text = until(&mut stream, "subscriptions/acknowledged").await;
    server.shutdown.begin();
    stream.read_to_string(&mut text).await.expect("the end");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines: Vec<&str> = head.lines().collect();
    lines.retain(|line| !line.starts_with("date: "));
    assert_eq!(
        lines,
        [
            "HTTP/1.1 200 OK",
            "content-type: text/event-stream",
            "cache-control: no-store",
            "x-accel-buffering: no",
            "transfer-encoding: chunked",
            "connection: close",
        ]
    );
    assert!(head.contains("\r\ndate: "), "{head}");
    assert!(body.contains("\"resultType\":\"complete\"") && body.ends_with("\r\n0\r\n\r\n"), "{body}");
    server.stop().await;
}

#[tokio::test]
async fn a_version_without_chunks_gets_it_too() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
    stream.write_all(listen("1.0").as_bytes()).await.expect("written");
    let mut text = until(&mut stream, "subscriptions/acknowledged").await;
    server.shutdown.begin();
    stream.read_to_string(&mut text).await.expect("the end");
    assert!(!text.contains("chunked") && text.ends_with("}\n\n"), "{text}");
    server.stop().await;
}

/// Data that a client sends while it listens is ignored, and the end of its connection is noticed.
#[tokio::test]
async fn a_client_that_goes_away_makes_room() {
    let server = Server::with(Limits { streams: 1, ..Limits::default() }, |http| http).await;
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.address).await.expect("the server listens");
        // The stream before this one may be noticed to be gone a moment later.
        loop {
            stream.write_all(listen("1.1").as_bytes()).await.expect("written");
            if until(&mut stream, "}").await.starts_with("HTTP/1.1 200") {
                break;
            }
            tokio::task::yield_now().await;
        }
        stream.write_all(&[b'x'; 10_000]).await.expect("written");
    }
    assert_eq!(call_tool(server.address, "echo", json!({})).await.status, 200);
    server.stop().await;
}
