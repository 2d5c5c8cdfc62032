//! Legacy sessions: their life, their streams, what outlives a connection.

use std::time::Duration;

use loggia::limits::Limits;
use loggia::transport::http::SessionKey;
use serde_json::{Value, json};

use super::fixture::{Event, Server, TestClock};
use super::peer::{Answer, Session, said};

const OLD: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

#[tokio::test]
async fn a_session_lives_until_it_is_deleted() {
    let server = Server::start().await;
    for version in OLD {
        let session = Session::open(server.address, version).await;
        let answer = session.call(1, "version", json!({})).await;
        assert_eq!(answer.status, 200);
        assert_eq!(said(&answer.json().await), version);
        let deleted = session.delete().await;
        assert_eq!((deleted.status.as_u16(), deleted.text().await), (204, String::new()));
        for answer in
            [session.call(2, "echo", json!({})).await, session.get(None).await, session.delete().await]
        {
            assert_eq!(answer.status, 404);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_session_expires_when_nothing_is_heard_of_it() {
    let clock = TestClock::new();
    let time = clock.clone();
    let limits = Limits { session_idle: Duration::from_secs(600), ..Limits::default() };
    let server = Server::with(limits, |http| http.clock(move || time.now())).await;
    let (used, unused) = (
        Session::open(server.address, "2025-11-25").await,
        Session::open(server.address, "2025-11-25").await,
    );
    for _ in 0..3 {
        clock.advance(Duration::from_secs(599));
        assert_eq!(used.call(1, "echo", json!({})).await.status, 200);
    }
    assert_eq!(unused.call(1, "echo", json!({})).await.status, 404);
    clock.advance(Duration::from_secs(601));
    assert_eq!(used.call(1, "echo", json!({})).await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn a_session_with_an_open_stream_does_not_expire() {
    let clock = TestClock::new();
    let time = clock.clone();
    let server = Server::with(Limits::default(), |http| http.clock(move || time.now())).await;
    let session = Session::open(server.address, "2025-11-25").await;
    let mut stream = session.get(None).await;
    assert!(stream.event().await.expect("the priming event").data.is_empty());
    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(session.call(1, "echo", json!({})).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn replicas_with_one_key_share_sessions() {
    let key = || SessionKey::from_bytes(&[9; 32]);
    let first = Server::with(Limits::default(), |http| http.session_key(key())).await;
    let second = Server::with(Limits::default(), |http| http.session_key(key())).await;
    let stranger = Server::start().await;
    let mut session = Session::open(first.address, "2025-06-18").await;
    for (server, status) in [(&second, 200), (&stranger, 404), (&first, 200)] {
        session.address = server.address;
        let answer = session.call(1, "version", json!({})).await;
        assert_eq!(answer.status, status);
        if status == 200 {
            assert_eq!(said(&answer.json().await), "2025-06-18");
        }
    }
}

#[tokio::test]
async fn a_session_belongs_to_its_principal() {
    let server = Server::start().await;
    let mut session = Session::open_as(server.address, "2025-11-25", Some("ada")).await;
    assert_eq!(said(&session.call(1, "whoami", json!({})).await.json().await), "ada");
    for other in [Some("bob".to_owned()), None] {
        session.user = other;
        assert_eq!(session.call(1, "whoami", json!({})).await.status, 404);
        assert_eq!(session.delete().await.status, 404);
    }
    server.stop().await;
}

#[tokio::test]
async fn notifications_before_the_response() {
    let server = Server::start().await;
    for version in OLD {
        let session = Session::open(server.address, version).await;
        let mut answer = session.call(5, "report", json!({ "_meta": { "progressToken": "p" } })).await;
        let first = answer.event().await.expect("an event");
        let primes = version == "2025-11-25";
        assert_eq!(first.data.is_empty() && first.id.is_some(), primes, "{version}: {first:?}");
        assert_eq!(answer.retry().is_some(), primes, "{version}");
        let rest = answer.messages().await;
        // The sessions of the fixture get log messages from `info` on.
        let methods: Vec<&str> = rest.iter().filter_map(|message| message["method"].as_str()).collect();
        let skip = usize::from(!primes);
        let all = [
            "notifications/message",
            "notifications/progress",
            "notifications/message",
            "notifications/progress",
        ];
        assert_eq!(methods, all[skip..], "{version}");
        let response = rest.last().expect("the response");
        assert_eq!((said(response), &response["id"]), ("done", &json!(5)), "{version}");
        assert!(response["result"].get("resultType").is_none());
    }
    server.stop().await;
}

#[tokio::test]
async fn the_log_level_of_a_session() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let level =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": { "level": "error" } });
    assert_eq!(session.post(&level).await.json().await["result"], json!({}));
    assert_eq!(said(&session.call(2, "report", json!({})).await.json().await), "done");
    server.stop().await;
}

#[tokio::test]
async fn the_log_level_counts_for_what_runs_already() {
    let mut server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let level = |level: &str| json!({ "jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": { "level": level } });
    session.post(&level("emergency")).await;
    let call = session.call(2, "begin-later", json!({}));
    let setting = async {
        assert_eq!(server.event().await, Event::Started("begin-later".into()));
        session.post(&level("debug")).await;
        server.fixture.gate.notify_one();
    };
    let (answer, ()) = tokio::join!(call, setting);
    let methods: Vec<Value> =
        answer.messages().await.iter().map(|message| message["method"].clone()).collect();
    assert_eq!(methods, [json!("notifications/message"), Value::Null]);
    server.stop().await;
}

async fn question(answer: &mut Answer) -> Value {
    let message = answer.message().await.expect("a question");
    assert_eq!(message["method"], "elicitation/create");
    message["id"].clone()
}

#[tokio::test]
async fn questions_are_asked_live() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    for (tool, expected) in [("ask", r#"{"action":"cancel"}"#), ("require", r#"{"action":"cancel"}"#)] {
        let mut answer = session.call(3, tool, json!({})).await;
        let id = question(&mut answer).await;
        let stranger = Session::open(server.address, "2025-11-25").await;
        let reply = |id: &Value| json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "cancel" } });
        assert_eq!(stranger.post(&reply(&id)).await.status, 202, "it answers nothing there");
        let accepted = session.post(&reply(&id)).await;
        assert_eq!((accepted.status.as_u16(), accepted.text().await), (202, String::new()));
        let response = answer.message().await.expect("the response");
        assert_eq!(said(&response), expected);
        assert_eq!(answer.message().await, None);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_question_that_is_refused_or_late() {
    let limits = Limits { ask_timeout: Duration::from_millis(20), ..Limits::default() };
    let server = Server::with(limits, |http| http).await;
    let session = Session::open(server.address, "2025-11-25").await;
    let mut answer = session.call(3, "ask", json!({})).await;
    let id = question(&mut answer).await;
    let withdrawn = answer.message().await.expect("a notification");
    assert_eq!(
        (&withdrawn["method"], &withdrawn["params"]["requestId"]),
        (&json!("notifications/cancelled"), &id)
    );
    assert_eq!(answer.message().await.expect("the response")["error"]["code"], -32603);
    server.stop().await;
}

#[tokio::test]
async fn cancelled_by_a_notification() {
    let mut server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let cancel = |id: Value| json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    for tool in ["wait", "begin"] {
        let call = session.call(8, tool, json!({}));
        let cancelling = async {
            assert_eq!(server.event().await, Event::Started(tool.into()));
            assert_eq!(session.post(&cancel(json!("8"))).await.status, 202);
            assert_eq!(session.post(&cancel(json!(8))).await.status, 202);
        };
        let (answer, ()) = tokio::join!(call, cancelling);
        assert_eq!(server.event().await, Event::Dropped(tool.into()));
        assert_eq!(answer.status, 200);
        let left = answer.messages().await;
        assert!(left.iter().all(|message| message.get("id").is_none()), "no response: {left:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_id_that_is_in_use() {
    let mut server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let call = session.call(8, "wait", json!({}));
    let again = async {
        assert_eq!(server.event().await, Event::Started("wait".into()));
        let refused = session.call(8, "echo", json!({})).await.json().await;
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(8), &json!(-32600)));
        server.fixture.gate.notify_one();
    };
    let (answer, ()) = tokio::join!(call, again);
    assert_eq!(said(&answer.json().await), "waited");
    assert_eq!(session.call(8, "echo", json!({})).await.status, 200, "it is free again");
    server.stop().await;
}

#[tokio::test]
async fn a_disconnect_does_not_cancel_and_the_stream_is_taken_up_again() {
    let mut server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let mut answer = session.call(4, "begin", json!({})).await;
    assert!(answer.event().await.expect("the priming event").data.is_empty());
    let primed = answer.last_event_id().expect("an id").to_owned();
    assert_eq!(server.event().await, Event::Started("begin".into()));
    assert_eq!(answer.message().await.expect("the log message")["method"], "notifications/message");
    let told = answer.last_event_id().expect("an id").to_owned();
    drop(answer);
    server.fixture.gate.notify_one();
    for (from, expected) in [(&told, vec!["response"]), (&primed, vec!["notifications/message", "response"])]
    {
        let mut again = session.get(Some(from)).await;
        assert_eq!(again.status, 200);
        let mut seen = Vec::new();
        while let Some(message) = again.message().await {
            seen.push(message["method"].as_str().unwrap_or("response").to_owned());
            if message["id"] == 4 {
                assert_eq!(said(&message), "waited");
            }
        }
        assert_eq!(seen, expected);
    }
    assert_eq!(server.event().await, Event::Finished("begin".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_disconnect_before_the_response_begins_does_not_cancel() {
    let mut server = Server::start().await;
    let address = server.address;
    let client = tokio::spawn(async move {
        let session = Session::open(address, "2025-06-18").await;
        session.call(4, "wait", json!({})).await.status
    });
    assert_eq!(server.event().await, Event::Started("wait".into()));
    client.abort();
    assert!(client.await.expect_err("aborted").is_cancelled());
    server.fixture.gate.notify_one();
    assert_eq!(server.event().await, Event::Finished("wait".into()));
    server.stop().await;
}

#[tokio::test]
async fn a_call_lets_its_client_go_and_the_client_comes_back() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let mut answer = session.call(6, "release", json!({})).await;
    let priming = answer.event().await.expect("the priming event");
    assert!(priming.data.is_empty() && priming.id.is_some());
    assert_eq!(answer.event().await, None, "the connection ends before the response");
    assert!(answer.retry().is_some());
    let mut again = session.get(answer.last_event_id()).await;
    assert!(again.event().await.expect("the priming event").data.is_empty());
    server.fixture.gate.notify_one();
    assert_eq!(said(&again.message().await.expect("the response")), "released");
    assert_eq!(again.message().await, None);
    server.stop().await;
}

#[tokio::test]
async fn an_older_client_is_not_let_go() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-06-18").await;
    let mut answer = session.call(6, "release", json!({})).await;
    server.fixture.gate.notify_one();
    assert_eq!(said(&answer.message().await.expect("the response")), "released");
    server.stop().await;
}

#[tokio::test]
async fn streams_that_are_not_there() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    for id in ["7-1", "nonsense", "-", "1-99999999999999999999999"] {
        assert_eq!(session.get(Some(id)).await.status, 400, "{id}");
    }
    server.stop().await;
}

#[tokio::test]
async fn changes_on_the_stream_of_a_session() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let subscribe = |id: i64, method: &str, uri: &str| json!({ "jsonrpc": "2.0", "id": id, "method": format!("resources/{method}"), "params": { "uri": uri } });
    let mut stream = session.get(None).await;
    assert_eq!(stream.status, 200);
    assert!(stream.event().await.expect("the priming event").data.is_empty());
    server.fixture.changes.tools();
    assert_eq!(stream.message().await.expect("a change")["method"], "notifications/tools/list_changed");
    assert_eq!(session.post(&subscribe(1, "subscribe", "x://a")).await.json().await["result"], json!({}));
    server.fixture.changes.resource("x://b");
    server.fixture.changes.resource("x://a");
    let updated = stream.message().await.expect("a change");
    assert_eq!(
        (&updated["method"], &updated["params"]["uri"]),
        (&json!("notifications/resources/updated"), &json!("x://a"))
    );
    // Changes while the client is disconnected are sent later, once.
    let last = stream.last_event_id().expect("an id").to_owned();
    drop(stream);
    server.fixture.changes.resource("x://a");
    server.fixture.changes.resource("x://a");
    let mut stream = session.get(Some(&last)).await;
    assert_eq!(stream.message().await.expect("a change")["params"]["uri"], "x://a");
    assert_eq!(session.post(&subscribe(2, "unsubscribe", "x://a")).await.json().await["result"], json!({}));
    server.fixture.changes.resource("x://a");
    server.fixture.changes.tools();
    assert_eq!(stream.message().await.expect("a change")["method"], "notifications/tools/list_changed");
    // A second stream takes over.
    let mut second = session.get(None).await;
    assert_eq!(stream.message().await, None);
    server.fixture.changes.tools();
    assert_eq!(second.message().await.expect("a change")["method"], "notifications/tools/list_changed");
    // The end of the session ends it.
    session.delete().await;
    assert_eq!(second.message().await, None);
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_ends_the_stream_of_a_session() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let mut stream = session.get(None).await;
    server.shutdown.begin();
    assert_eq!(stream.message().await, None);
    server.stop().await;
}

#[tokio::test]
async fn batches() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-03-26").await;
    let ping = |id: i64| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
    let call = |id: i64, tool: &str| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": {}, "_meta": { "progressToken": 1 } } });
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/roots/list_changed" });
    let answer = session.post(&json!([notification, notification])).await;
    assert_eq!((answer.status.as_u16(), answer.text().await), (202, String::new()));
    let answer = session.post(&json!([ping(1), notification, call(2, "echo"), { "jsonrpc": "2.0", "id": 3 }, call(4, "nothing")])).await;
    let mut ids: Vec<(i64, bool)> = answer
        .json()
        .await
        .as_array()
        .expect("a batch")
        .iter()
        .map(|response| (response["id"].as_i64().expect("an id"), response.get("result").is_some()))
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [(1, true), (2, true), (3, false), (4, false)]);
    let answer = session.post(&json!([call(5, "report"), ping(6)])).await;
    let mut ids: Vec<i64> =
        answer.messages().await.iter().filter_map(|message| message["id"].as_i64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [5, 6]);
    let one = session.post(&json!([ping(7)])).await.json().await;
    assert_eq!(one[0]["id"], 7, "a batch is answered by a batch: {one}");
    server.stop().await;
}
