//! Clients that accept `application/json` and no event streams.

use std::time::Duration;

use loggia::limits::Limits;
use loggia::wire::Version;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::fixture::{Event, Server};
use super::peer::{Session, call_modern_with, post, said};

const JSON: (&str, &str) = ("accept", "application/json");

/// A call that would be a stream is answered by its response alone, in both eras.
#[tokio::test]
async fn the_answer_is_json() {
    let server = Server::start().await;
    let report = json!({ "name": "report", "arguments": {}, "_meta": { "progressToken": "p" } });
    for (tool, params) in
        [("report", report), ("echo", json!({ "name": "echo", "arguments": { "text": "done" } }))]
    {
        let answer = call_modern_with(server.address, "tools/call", params.clone(), &[JSON]).await;
        assert_eq!(answer.status, 200, "{tool}");
        assert_eq!(said(&answer.json().await), "done", "{tool}");
        for version in Version::ALL.iter().map(|version| version.as_str()).filter(|name| *name < "2026") {
            let session = Session::open(server.address, version).await;
            let mut headers = session.headers();
            headers.push(JSON);
            let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
            let answer = post(server.address, &headers, call.to_string()).await;
            assert_eq!(answer.status, 200, "{version} {tool}");
            let answer = answer.json().await;
            assert_eq!((said(&answer), &answer["id"]), ("done", &json!(7)), "{version} {tool}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_batch_is_answered_by_an_array() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-03-26").await;
    let mut headers = session.headers();
    headers.push(JSON);
    let call = |id: i64| {
        let params = json!({ "name": "report", "arguments": {}, "_meta": { "progressToken": id } });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
    };
    for ids in [vec![1], vec![1, 2]] {
        let batch: Vec<Value> = ids.iter().map(|id| call(*id)).collect();
        let answer = post(server.address, &headers, json!(batch).to_string()).await.json().await;
        let mut answered: Vec<i64> = answer
            .as_array()
            .expect("an array")
            .iter()
            .map(|one| one["id"].as_i64().expect("an id"))
            .collect();
        answered.sort_unstable();
        assert_eq!(answered, ids);
    }
    server.stop().await;
}

/// A request that needs a stream is refused, and the error says what to send.
#[tokio::test]
async fn what_needs_a_stream_says_so() {
    // The call that is left waiting for an answer does not delay the end.
    let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
    let mut server = Server::with(limits, |http| http).await;
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    let listen = call_modern_with(server.address, "subscriptions/listen", filter, &[JSON]).await;
    assert_eq!(listen.status, 406);
    assert!(listen.text().await.contains("text/event-stream"));

    let session = Session::open(server.address, "2025-11-25").await;
    let mut headers = session.headers();
    headers.push(JSON);
    let asked = post(server.address, &headers, call(3, "ask")).await.json().await;
    assert_eq!(asked["id"], 3, "{asked}");
    assert!(
        asked["error"]["message"].as_str().is_some_and(|text| text.contains("text/event-stream")),
        "{asked}"
    );

    let waiting = begin(&server, &headers, call(4, "begin"));
    assert_eq!(server.event().await, Event::Started("begin".into()));
    server.fixture.gate.notify_one();
    assert_eq!(said(&waiting.await.expect("an answer")), "waited");
    server.stop().await;
}

/// A client that reads only JSON cannot get the answer later, so its connection stays open.
#[tokio::test]
async fn a_call_that_may_be_polled_for_is_answered_all_the_same() {
    let mut server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let mut headers = session.headers();
    headers.push(JSON);
    let waiting = begin(&server, &headers, call(3, "release"));
    assert_eq!(server.event().await, Event::Started("release".into()));
    server.fixture.gate.notify_one();
    let answer = waiting.await.expect("an answer");
    assert_eq!((said(&answer), &answer["id"]), ("released", &json!(3)));
    server.stop().await;
}

/// Each request has a response, even if its client no longer waits for it.
#[tokio::test]
async fn a_cancelled_call_is_answered_by_an_error() {
    let mut server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let mut headers = session.headers();
    headers.push(JSON);
    let waiting = begin(&server, &headers, call(3, "wait"));
    assert_eq!(server.event().await, Event::Started("wait".into()));
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 3 } });
    assert_eq!(post(server.address, &headers, cancel.to_string()).await.status, 202);
    let answer = waiting.await.expect("an answer");
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(3), &json!(-32603)), "{answer}");
    server.stop().await;
}

fn call(id: i64, tool: &str) -> String {
    let params = json!({ "name": tool, "arguments": {} });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string()
}

/// Sends a POST whose answer comes later.
fn begin(server: &Server, headers: &[(&str, &str)], body: String) -> JoinHandle<Value> {
    let address = server.address;
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    tokio::spawn(async move {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        post(address, &headers, body).await.json().await
    })
}
