//! Sessions over HTTP that the server no longer has: the client opens a new one and repeats what is safe to repeat.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use loggia::client::{Client, ClientBuilder, Status};
use loggia::error::Error;
use serde_json::{Value, json};

use crate::client_http::legacy;
use crate::client_http_peer::{Heard, HttpPeer, Reply, event};
use crate::client_peer::initialized;

/// The refusal of a request of a session that is gone.
#[derive(Clone, Copy)]
struct Refusal {
    server: &'static str,
    status: u16,
    body: Body,
}

#[derive(Clone, Copy)]
enum Body {
    Text(&'static str),
    /// An error; the id is that of the request, or what a server writes that did not read it.
    Error {
        code: i64,
        message: &'static str,
        id: Id,
    },
    /// The same in an event of a stream.
    Event {
        code: i64,
        message: &'static str,
    },
}

#[derive(Clone, Copy)]
enum Id {
    Own,
    Null,
    Text,
}

const fn refusal(server: &'static str, status: u16, body: Body) -> Refusal {
    Refusal { server, status, body }
}

const fn error(code: i64, message: &'static str, id: Id) -> Body {
    Body::Error { code, message, id }
}

/// The answers of real servers to a session id that they do not know.
const REFUSALS: &[Refusal] = &[
    refusal("the specification", 404, Body::Text("")),
    refusal("TypeScript SDK", 404, error(-32001, "Session not found", Id::Null)),
    refusal(
        "TypeScript SDK, its example servers",
        400,
        error(-32000, "Bad Request: No valid session ID provided", Id::Null),
    ),
    refusal(
        "TypeScript SDK, not opened",
        400,
        error(-32000, "Bad Request: Server not initialized", Id::Null),
    ),
    refusal("Python SDK", 404, error(-32600, "Session not found", Id::Text)),
    refusal("Python SDK, older", 400, Body::Text("Bad Request: No valid session ID provided")),
    refusal("Rust SDK", 401, Body::Text("Unauthorized: Session not found")),
    refusal("Rust SDK, newer", 422, Body::Text("Unprocessable Entity: expected initialize request")),
    refusal("gone", 410, Body::Text("")),
    refusal("an error with the id of the request", 400, error(-32600, "Invalid session id", Id::Own)),
    refusal("a server that answers 503", 503, error(-32000, "Session expired or unknown", Id::Null)),
    refusal("an error in a 200", 200, error(-32001, "Session not found", Id::Own)),
    refusal("an error in a 200 without an id", 200, error(-32000, "No valid session ID provided", Id::Null)),
    refusal(
        "an error in an event stream",
        200,
        Body::Event { code: -32001, message: "Session has been terminated" },
    ),
];

impl Refusal {
    /// Returns whether it answers the request, so that the tool may have run.
    fn may_follow_a_run(&self) -> bool {
        self.status == 200
            && match self.body {
                Body::Error { id: Id::Own, .. } | Body::Event { .. } => true,
                Body::Error { .. } | Body::Text(_) => false,
            }
    }

    async fn reply(self, heard: &Heard) -> Reply {
        match self.body {
            Body::Text(text) => Reply::text(self.status, text),
            Body::Error { code, message, id } => {
                let id = match id {
                    Id::Own => heard.body["id"].clone(),
                    Id::Null => Value::Null,
                    Id::Text => json!("server-error"),
                };
                let error = json!({ "code": code, "message": message });
                Reply::json(self.status, json!({ "jsonrpc": "2.0", "id": id, "error": error }))
            }
            Body::Event { code, message } => {
                let error = json!({ "code": code, "message": message });
                let answer = json!({ "jsonrpc": "2.0", "id": heard.body["id"], "error": error });
                Reply::pieces([event(None, &answer)]).await
            }
        }
    }
}

/// A server that answers the requests of the first `lost` sessions with `refusal`.
async fn restarted(refusal: Refusal, lost: usize) -> HttpPeer {
    legacy(move |heard| async move {
        let session =
            heard.header("mcp-session-id").and_then(|id| id[1..].parse().ok()).unwrap_or(usize::MAX);
        match heard.method().as_str() {
            "GET" => Reply::text(405, ""),
            "DELETE" => Reply::text(204, ""),
            _ if session <= lost => refusal.reply(&heard).await,
            "tools/list" => heard.result(json!({ "tools": [] })),
            _ => heard.result(json!({ "content": [] })),
        }
    })
    .await
}

fn count(peer: &HttpPeer, method: &str) -> usize {
    peer.methods().iter().filter(|heard| *heard == method).count()
}

#[tokio::test]
async fn a_refused_session_is_opened_again_and_the_call_made_once_more() {
    for refusal in REFUSALS {
        let peer = restarted(*refusal, 1).await;
        let client = Client::connect(&peer.url).await.expect("it opens");
        let called = client.call_tool("t", json!({})).await;
        if refusal.may_follow_a_run() {
            let error = called.expect_err(refusal.server).to_string();
            assert!(error.contains("it was not sent again"), "{error}");
            client.call_tool("t", json!({})).await.expect("there is a new session");
        } else {
            assert!(called.is_ok(), "{}: {called:?}", refusal.server);
        }
        let methods: Vec<String> = peer.methods().into_iter().filter(|method| method != "GET").collect();
        let opening = ["initialize", "notifications/initialized", "tools/call"];
        let expected = [&["server/discover"][..], &opening, &opening].concat();
        assert_eq!(methods, expected, "{}", refusal.server);
    }
}

#[tokio::test]
async fn a_server_that_refuses_every_session_is_not_asked_for_ever() {
    for refusal in REFUSALS.iter().filter(|refusal| !refusal.may_follow_a_run()) {
        let peer = restarted(*refusal, usize::MAX - 1).await;
        let client = Client::connect(&peer.url).await.expect("it opens");
        let error = client.call_tool("t", json!({})).await.expect_err(refusal.server);
        assert!(
            matches!(error, Error::Connection(_) | Error::Unauthorized(_)),
            "{}: {error}",
            refusal.server
        );
        assert_eq!((count(&peer, "initialize"), count(&peer, "tools/call")), (2, 2), "{}", refusal.server);
    }
}

#[tokio::test]
async fn calls_that_are_refused_together_share_one_new_session() {
    let peer = restarted(REFUSALS[2], 1).await;
    let client = Client::connect(&peer.url).await.expect("it opens");
    let calls = (0..8).map(|_| client.call_tool("t", json!({})));
    let outcomes = futures_util::future::join_all(calls).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(count(&peer, "initialize"), 2);
}

#[tokio::test]
async fn refusals_that_are_not_about_the_session_start_no_new_one() {
    let own = |code, message| error(code, message, Id::Own);
    let cases = [
        refusal("params", 400, own(-32602, "Invalid params")),
        refusal("rights", 403, Body::Text("no")),
        refusal("rate", 429, Body::Text("slower")),
        refusal("a crash", 500, Body::Text("no")),
        refusal("an error", 200, own(-32603, "The browser session is closed")),
    ];
    for case in cases {
        let peer = restarted(case, 1).await;
        let client = Client::connect(&peer.url).await.expect("it opens");
        client.call_tool("t", json!({})).await.expect_err("it is refused");
        assert_eq!((count(&peer, "initialize"), count(&peer, "tools/call")), (1, 1), "{}", case.server);
    }
}

/// A server whose first session breaks: `broken` answers the first request of that session, and every later one is
/// refused with `status`.
async fn breaking(status: u16, broken: fn() -> Option<Vec<String>>) -> HttpPeer {
    let first = Arc::new(AtomicUsize::new(0));
    legacy(move |heard| {
        let first = first.clone();
        async move {
            match (heard.method().as_str(), heard.header("mcp-session-id"), heard.header("last-event-id")) {
                ("GET", _, None) => Reply::text(405, ""),
                ("GET", ..) => Reply::text(status, ""),
                ("DELETE", ..) => Reply::text(204, ""),
                (_, Some("s1"), _) if first.fetch_add(1, SeqCst) == 0 => match broken() {
                    Some(pieces) => Reply::pieces(pieces).await,
                    None => Reply::text(503, ""),
                },
                (_, Some("s1"), _) => Reply::text(status, ""),
                ("tools/list", ..) => heard.result(json!({ "tools": [] })),
                _ => heard.result(json!({ "content": [] })),
            }
        }
    })
    .await
}

/// The stream of an answer, that breaks off at a known place.
fn broken_stream() -> Option<Vec<String>> {
    Some(vec!["id: e1\nretry: 100\ndata: \n\n".to_owned()])
}

#[tokio::test]
async fn a_call_that_may_have_run_is_not_made_again_but_the_session_is() {
    for (what, broken) in [("a broken stream", broken_stream as fn() -> _), ("503 of a proxy", || None)] {
        for status in [400, 404, 410] {
            let peer = breaking(status, broken).await;
            let client = Client::connect(&peer.url).await.expect("it opens");
            let error = client.call_tool("t", json!({})).await.expect_err("it may have run").to_string();
            assert!(error.contains("may have run"), "{what}, {status}: {error}");
            client.call_tool("t", json!({})).await.expect("in a new session");
            assert_eq!((count(&peer, "initialize"), count(&peer, "tools/call")), (2, 2), "{what}, {status}");

            let peer = breaking(status, broken).await;
            let client = Client::connect(&peer.url).await.expect("it opens");
            client.list_tools(None).await.expect("a list can be read twice");
            assert_eq!((count(&peer, "initialize"), count(&peer, "tools/list")), (2, 2), "{what}, {status}");
        }
    }
}

/// The program must learn that it has to sign in, with or without a session.
#[tokio::test]
async fn a_stream_that_is_taken_up_without_authorization_fails_its_call_with_the_challenge() {
    const CHALLENGE: &str = r#"Bearer scope="more""#;
    for (status, has_session) in [(401, true), (403, true), (401, false), (403, false)] {
        let peer = HttpPeer::start(move |heard| {
            Box::pin(async move {
                match (heard.method().as_str(), heard.header("last-event-id")) {
                    ("server/discover", _) => Reply::text(400, ""),
                    ("initialize", _) => match (heard.result(initialized("2025-11-25")), has_session) {
                        (reply, true) => reply.with("mcp-session-id", "s1"),
                        (reply, false) => reply,
                    },
                    ("notifications/initialized", _) => Reply::text(202, ""),
                    ("GET", Some(_)) => Reply::text(status, "").with("www-authenticate", CHALLENGE),
                    ("GET" | "DELETE", _) => Reply::text(405, ""),
                    _ => Reply::pieces(broken_stream().expect("pieces")).await,
                }
            })
        })
        .await;
        let client = Client::connect(&peer.url).await.expect("it opens");
        let error = client.call_tool("t", json!({})).await.expect_err("it is not authorized");
        assert!(
            matches!(&error, Error::Unauthorized(challenge) if challenge == CHALLENGE),
            "{status}, session: {has_session}: {error}"
        );
        assert_eq!(count(&peer, "tools/call"), 1, "{status}, session: {has_session}");
    }
}

#[tokio::test]
async fn a_refused_stream_of_notifications_opens_a_new_session() {
    for status in [400, 401, 404, 410] {
        let streams = Arc::new(AtomicUsize::new(0));
        let peer = legacy(move |heard| {
            let streams = streams.clone();
            async move {
                match heard.method().as_str() {
                    // It is open at first, and breaks.
                    "GET" if streams.fetch_add(1, SeqCst) == 0 => {
                        Reply::pieces(["id: e1\nretry: 100\ndata: \n\n".to_owned()]).await
                    }
                    "GET" if heard.header("mcp-session-id") == Some("s1") => Reply::text(status, ""),
                    "GET" => Reply::text(405, ""),
                    _ => Reply::text(204, ""),
                }
            }
        })
        .await;
        let client = Client::connect(&peer.url).await.expect("it opens");
        let opened_again = async {
            while count(&peer, "initialize") < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), opened_again).await.expect("a new session");
        drop(client);
    }
}

#[tokio::test]
async fn a_client_whose_new_session_is_refused_says_why() {
    let opened = Arc::new(AtomicUsize::new(0));
    let peer = HttpPeer::start(move |heard| {
        let opened = opened.clone();
        Box::pin(async move {
            match heard.method().as_str() {
                "initialize" if opened.fetch_add(1, SeqCst) == 0 => {
                    heard.result(initialized("2025-11-25")).with("mcp-session-id", "s1")
                }
                "notifications/initialized" => Reply::text(202, ""),
                "GET" => Reply::text(405, ""),
                "server/discover" => Reply::text(400, ""),
                "initialize" => Reply::text(503, "closed for maintenance"),
                _ => Reply::text(400, "Bad Request: No valid session ID provided"),
            }
        })
    })
    .await;
    let client =
        ClientBuilder::reconnect(Client::builder(), false).connect(&peer.url).await.expect("it opens");
    let error = client.call_tool("t", json!({})).await.expect_err("it is refused").to_string();
    assert!(error.contains("closed for maintenance"), "{error}");
    let reason = client.closed().await;
    assert!(reason.contains("closed for maintenance"), "{reason}");
    assert!(matches!(client.status(), Status::Closed(_)));
}

/// With HTTP+SSE the session is in the URL to POST to, and its stream may outlive it behind a proxy.
#[tokio::test]
async fn a_refused_post_of_http_sse_opens_the_stream_again() {
    for status in [400, 404, 410] {
        let streams = Arc::new(std::sync::Mutex::new(Vec::new()));
        let peer = HttpPeer::start(move |heard| {
            let streams = streams.clone();
            Box::pin(async move {
                if heard.http == "GET" {
                    let (sender, reply) = Reply::stream();
                    let number = {
                        let mut streams = streams.lock().expect("not poisoned");
                        streams.push(sender.clone());
                        streams.len()
                    };
                    let endpoint = format!("event: endpoint\ndata: /messages?session={number}\n\n");
                    sender.send(endpoint).await.expect("there is room");
                    return reply;
                }
                let Some(number) = heard.path.strip_prefix("/messages?session=") else {
                    return Reply::text(405, "");
                };
                let sender = {
                    let streams = streams.lock().expect("not poisoned");
                    streams[number.parse::<usize>().expect("a number") - 1].clone()
                };
                let result = match heard.method().as_str() {
                    "initialize" => initialized("2024-11-05"),
                    "notifications/initialized" => return Reply::text(202, ""),
                    _ if number == "1" => return Reply::text(status, "Could not find session"),
                    _ => json!({ "content": [] }),
                };
                let answer = json!({ "jsonrpc": "2.0", "id": heard.body["id"], "result": result });
                sender.send(event(None, &answer)).await.expect("the client listens");
                Reply::text(202, "")
            })
        })
        .await;
        let client = Client::connect(&peer.url).await.expect("it opens");
        let error = client.call_tool("t", json!({})).await.expect_err("it is refused").to_string();
        assert!(error.contains("Could not find session"), "{status}: {error}");
        client.call_tool("t", json!({})).await.expect("on a new stream");
    }
}
