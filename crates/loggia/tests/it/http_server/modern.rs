//! The modern form while it runs: JSON or a stream, subscriptions, disconnects, HTTP/2.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use loggia::limits::Limits;
use loggia::service::Principal;
use loggia::transport::http::http;
use loggia::wire::Version;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tower_service::Service as _;

use super::fixture::{Event, Fixture, Server};
use super::peer::{LATEST, Session, call_modern, call_tool, modern, request, said};

#[tokio::test]
async fn discover_names_every_revision() {
    let server = Server::start().await;
    let answer = call_modern(server.address, "server/discover", json!({})).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json().await;
    let versions = json!(["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]);
    assert_eq!(answer["result"]["supportedVersions"], versions);
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(answer["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "fixture");
    server.stop().await;
}

#[tokio::test]
async fn a_call_without_anything_to_tell_is_json() {
    let server = Server::start().await;
    let cases = [("nothing asked for", json!({})), ("a level above", meta_of("emergency"))];
    for (name, meta) in cases {
        let params = json!({ "name": "report", "arguments": {}, "_meta": meta });
        let answer = call_modern(server.address, "tools/call", params).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(said(&answer.json().await), "done", "{name}");
    }
    server.stop().await;
}

fn meta_of(level: &str) -> Value {
    json!({ "io.modelcontextprotocol/logLevel": level })
}

#[tokio::test]
async fn a_call_that_tells_is_a_stream() {
    let server = Server::start().await;
    let cases: &[(Value, &[&str])] = &[
        (json!({ "progressToken": "p" }), &["p:1.0", "p:2.0"]),
        (meta_of("warning"), &["warning"]),
        (
            json!({ "progressToken": 7, "io.modelcontextprotocol/logLevel": "debug" }),
            &["info", "7:1.0", "warning", "7:2.0"],
        ),
    ];
    for (meta, expected) in cases {
        let params = json!({ "name": "report", "arguments": {}, "_meta": meta });
        let answer = call_modern(server.address, "tools/call", params).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        let mut messages = answer.messages().await;
        let response = messages.pop().expect("the response comes last");
        assert_eq!(said(&response), "done");
        let told: Vec<String> = messages
            .iter()
            .map(|message| match message["method"].as_str() {
                Some("notifications/progress") => {
                    let token = message["params"]["progressToken"].to_string();
                    format!(
                        "{}:{:?}",
                        token.trim_matches('"'),
                        message["params"]["progress"].as_f64().expect("a number")
                    )
                }
                Some("notifications/message") => {
                    message["params"]["level"].as_str().expect("a level").to_owned()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, *expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_response() {
    let mut server = Server::start().await;
    let params = json!({ "name": "begin", "arguments": {}, "_meta": meta_of("debug") });
    let mut answer = call_modern(server.address, "tools/call", params).await;
    assert_eq!(answer.message().await.expect("a message")["method"], "notifications/message");
    assert_eq!(server.event().await, Event::Started("begin".into()));
    server.fixture.gate.notify_one();
    assert_eq!(said(&answer.message().await.expect("the response")), "waited");
    assert_eq!(answer.message().await, None);
    assert_eq!(answer.last_event_id(), None, "streams of this revision cannot be taken up again");
    server.stop().await;
}

#[tokio::test]
async fn a_disconnect_cancels() {
    let mut server = Server::start().await;
    // Before the response has begun, and after.
    for tool in ["wait", "begin"] {
        let address = server.address;
        let params = json!({ "name": tool, "arguments": {}, "_meta": meta_of("debug") });
        let client = tokio::spawn(async move {
            let mut answer = call_modern(address, "tools/call", params).await;
            while answer.message().await.is_some() {}
        });
        assert_eq!(server.event().await, Event::Started(tool.into()));
        client.abort();
        assert_eq!(server.event().await, Event::Dropped(tool.into()));
    }
    assert_eq!(said(&call_tool(server.address, "echo", json!({})).await.json().await), "nothing");
    server.stop().await;
}

#[tokio::test]
async fn a_panic_is_our_fault_and_the_next_call_works() {
    let server = Server::start().await;
    let answer = call_tool(server.address, "panic", json!({})).await.json().await;
    assert_eq!(answer["error"]["code"], -32603);
    assert!(!answer.to_string().contains("a tool of the fixture"), "{answer}");
    assert_eq!(call_tool(server.address, "echo", json!({})).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn questions_travel_in_the_result() {
    let server = Server::start().await;
    let answer = call_tool(server.address, "require", json!({})).await.json().await;
    assert_eq!(answer["result"]["resultType"], "input_required");
    assert_eq!(answer["result"]["inputRequests"]["q"]["method"], "elicitation/create");
    let params = json!({ "name": "require", "arguments": {}, "inputResponses": { "q": { "action": "decline" } }, "requestState": "s" });
    let answer = call_modern(server.address, "tools/call", params).await.json().await;
    assert_eq!(said(&answer), r#"{"action":"decline"}"#);
    server.stop().await;
}

#[tokio::test]
async fn the_principal_reaches_the_service() {
    let server = Server::start().await;
    for (user, expected) in [("", "nobody"), ("ada", "ada")] {
        let params = json!({ "name": "whoami", "arguments": {} });
        let headers = [("x-user", user)];
        let answer = super::peer::call_modern_with(server.address, "tools/call", params, &headers).await;
        assert_eq!(said(&answer.json().await), expected);
    }
    server.stop().await;
}

fn listen(filter: Value) -> Value {
    json!({ "notifications": filter })
}

#[tokio::test]
async fn a_subscription() {
    let server = Server::start().await;
    let filter = json!({ "toolsListChanged": true, "resourceSubscriptions": ["x://a"] });
    let mut answer = call_modern(server.address, "subscriptions/listen", listen(filter.clone())).await;
    let id =
        |message: &Value| message.pointer("/params/_meta/io.modelcontextprotocol~1subscriptionId").cloned();
    let acknowledged = answer.message().await.expect("an acknowledgement");
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["notifications"], filter);
    assert_eq!(id(&acknowledged), Some(json!(1)));
    server.fixture.changes.prompts();
    server.fixture.changes.resource("x://b");
    server.fixture.changes.tools();
    let changed = answer.message().await.expect("a change");
    assert_eq!(
        (&changed["method"], id(&changed)),
        (&json!("notifications/tools/list_changed"), Some(json!(1)))
    );
    server.fixture.changes.resource("x://a");
    let updated = answer.message().await.expect("a change");
    assert_eq!(updated["method"], "notifications/resources/updated");
    assert_eq!((&updated["params"]["uri"], id(&updated)), (&json!("x://a"), Some(json!(1))));
    // A shutdown ends it gracefully: with the response to the request, and nothing after it.
    server.shutdown.begin();
    let closed = answer.message().await.expect("the response");
    assert_eq!(closed["id"], 1);
    assert_eq!(closed["result"]["resultType"], "complete");
    assert_eq!(closed["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
    assert_eq!(answer.message().await, None);
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_lets_calls_finish() {
    let mut server = Server::start().await;
    let address = server.address;
    let client = tokio::spawn(async move { call_tool(address, "wait", json!({})).await.json().await });
    assert_eq!(server.event().await, Event::Started("wait".into()));
    server.shutdown.begin();
    server.fixture.gate.notify_one();
    assert_eq!(said(&client.await.expect("an answer")), "waited");
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let limits = Limits { drain: Duration::from_millis(20), ..Limits::default() };
    let mut server = Server::with(limits, |http| http).await;
    let session = Session::open(server.address, "2025-11-25").await;
    // One call inside its response, and one whose client went away.
    let address = server.address;
    let held = tokio::spawn(async move { drop(call_tool(address, "wait", json!({})).await) });
    assert_eq!(server.event().await, Event::Started("wait".into()));
    drop(session.call(1, "begin", json!({})).await);
    assert_eq!(server.event().await, Event::Started("begin".into()));
    server.shutdown.begin();
    let mut dropped = [server.event().await, server.event().await];
    dropped.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(dropped, [Event::Dropped("begin".into()), Event::Dropped("wait".into())]);
    assert!(held.await.is_err(), "its connection was closed");
    server.stop().await;
}

#[tokio::test]
async fn an_endpoint_in_somebody_elses_stack() {
    let (fixture, _events) = Fixture::new(&Version::ALL);
    let mut endpoint = http("127.0.0.1:0").path("/").endpoint(fixture);
    let body = modern("tools/call", json!({ "name": "whoami", "arguments": {} })).to_string();
    let headers = [("mcp-protocol-version", LATEST), ("mcp-method", "tools/call"), ("mcp-name", "whoami")];
    let mut request = request(([127, 0, 0, 1], 80).into(), "POST", "/", &headers, body);
    request.extensions_mut().insert(Arc::new(Principal { subject: "ada".into(), ..Principal::default() }));
    let answer = endpoint.call(request).await.expect("infallible");
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(said(&serde_json::from_slice(&body).expect("JSON")), "ada");
    endpoint.shut_down().await;
}

#[tokio::test]
async fn http2_with_prior_knowledge() {
    let server = Server::start().await;
    let stream = TcpStream::connect(server.address).await.expect("the server listens");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let calls = (0..20).map(|n| {
        let body = modern("tools/call", json!({ "name": "echo", "arguments": { "text": n.to_string() } }));
        let headers = [
            ("mcp-protocol-version", LATEST),
            ("mcp-method", "tools/call"),
            ("mcp-name", "echo"),
            ("host", ""),
        ];
        let mut request = request(server.address, "POST", "/mcp", &headers, body.to_string());
        *request.uri_mut() = format!("http://{}/mcp", server.address).parse().expect("a URI");
        let answer = sender.send_request(request);
        async move { (n, answer.await.expect("a response")) }
    });
    for (n, answer) in futures_util::future::join_all(calls).await {
        assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(said(&serde_json::from_slice(&body).expect("JSON")), n.to_string());
    }
    let mut evil: http::Request<Full<Bytes>> = request(server.address, "POST", "/mcp", &[("host", "")], "{}");
    *evil.uri_mut() = "http://evil.example.com/mcp".parse().expect("a URI");
    assert_eq!(sender.send_request(evil).await.expect("a response").status(), 403);
    drop(sender);
    connection.await.expect("no panic").expect("a clean end");
    server.stop().await;
}
