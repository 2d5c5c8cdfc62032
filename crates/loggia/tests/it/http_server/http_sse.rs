//! The HTTP+SSE transport of 2024-11-05.

use std::time::Duration;

use loggia::limits::Limits;
use serde_json::{Value, json};

use super::fixture::Server;
use super::peer::{Answer, request, said, send};

async fn connect(server: &Server, user: &str) -> (Answer, String) {
    let headers = [("accept", "text/event-stream"), ("x-user", user)];
    let mut stream = send(server.address, request(server.address, "GET", "/sse", &headers, "")).await;
    assert_eq!(stream.status, 200);
    let endpoint = stream.event().await.expect("the endpoint");
    assert_eq!(endpoint.name.as_deref(), Some("endpoint"));
    (stream, String::from_utf8(endpoint.data).expect("text"))
}

async fn post(server: &Server, path: &str, user: &str, message: &Value) -> Answer {
    let headers = [("x-user", user)];
    send(server.address, request(server.address, "POST", path, &headers, message.to_string())).await
}

async fn answer(stream: &mut Answer) -> Value {
    let event = stream.event().await.expect("a message");
    assert_eq!(event.name.as_deref(), Some("message"));
    serde_json::from_slice(&event.data).expect("JSON")
}

#[tokio::test]
async fn a_connection() {
    let server = Server::with(Limits::default(), |http| http.legacy_sse(true)).await;
    let (mut stream, messages) = connect(&server, "ada").await;
    assert!(messages.starts_with("/messages?session="), "{messages}");
    let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": { "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let accepted = post(&server, &messages, "ada", &initialize).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(answer(&mut stream).await["result"]["protocolVersion"], "2024-11-05");
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(post(&server, &messages, "ada", &initialized).await.status, 202);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "whoami", "arguments": {} } });
    assert_eq!(post(&server, &messages, "ada", &call).await.status, 202);
    assert_eq!(said(&answer(&mut stream).await), "ada");
    server.fixture.changes.tools();
    assert_eq!(answer(&mut stream).await["method"], "notifications/tools/list_changed");

    let cases: &[(&str, &str, &str, &str, u16)] = &[
        ("somebody else", &messages, "eve", "{}", 404),
        ("nobody", &messages, "", "{}", 404),
        ("no session", "/messages", "ada", "{}", 404),
        ("an unknown session", "/messages?session=x", "ada", "{}", 404),
        ("no message", &messages, "ada", "{}", 400),
        ("no JSON", &messages, "ada", "{", 400),
    ];
    for (name, path, user, body, status) in cases {
        let headers = [("x-user", *user)];
        let answer =
            send(server.address, request(server.address, "POST", path, &headers, body.to_string())).await;
        assert_eq!(answer.status.as_u16(), *status, "{name}");
    }
    for (method, path, allow) in [("POST", "/sse", "GET"), ("GET", "/messages", "POST")] {
        let answer = send(server.address, request(server.address, method, path, &[], "")).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some(allow)));
    }
    let evil = [("origin", "http://evil.example.com"), ("accept", "text/event-stream")];
    assert_eq!(send(server.address, request(server.address, "GET", "/sse", &evil, "")).await.status, 403);
    server.shutdown.begin();
    assert!(stream.event().await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn a_connection_ends_with_its_stream() {
    // Running requests have the time of a shutdown when the client closes its stream.
    let limits = Limits { drain: Duration::from_millis(20), ..Limits::default() };
    let mut server = Server::with(limits, |http| http.legacy_sse(true)).await;
    let (stream, messages) = connect(&server, "").await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "wait", "arguments": {}, "_meta": super::peer::meta() } });
    assert_eq!(post(&server, &messages, "", &call).await.status, 202);
    assert_eq!(server.event().await, super::fixture::Event::Started("wait".into()));
    drop(stream);
    assert_eq!(server.event().await, super::fixture::Event::Dropped("wait".into()));
    assert_eq!(post(&server, &messages, "", &call).await.status, 404);
    server.stop().await;
}
