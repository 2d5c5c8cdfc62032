//! The client against HTTP servers of both eras.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use loggia::client::{Authorize, Challenge, Client, EraMemory};
use loggia::error::{Error, Result};
use loggia::limits::Limits;
use loggia::model::ElicitResult;
use loggia::service::BoxFuture;
use loggia::wire::Version::*;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::client_http_peer::{Heard, HttpPeer, Reply, event};
use crate::client_peer::{discovered, initialized};

/// The answer of a server to a request.
type Answers = fn(&Heard) -> Reply;

/// A server of the modern era: answers the probe itself, the rest with `rest`.
async fn modern<F, Fut>(rest: F) -> HttpPeer
where
    F: Fn(Heard) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Reply> + Send + 'static,
{
    HttpPeer::start(move |heard| {
        let rest = rest.clone();
        Box::pin(async move {
            match heard.method().as_str() {
                "server/discover" => heard.result(discovered(&["2026-07-28"])),
                _ => rest(heard).await,
            }
        })
    })
    .await
}

/// A server of the legacy era with sessions: answers the opening itself, the rest with `rest`.
pub async fn legacy<F, Fut>(rest: F) -> HttpPeer
where
    F: Fn(Heard) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Reply> + Send + 'static,
{
    let sessions = Arc::new(AtomicUsize::new(0));
    HttpPeer::start(move |heard| {
        let (rest, sessions) = (rest.clone(), sessions.clone());
        Box::pin(async move {
            match heard.method().as_str() {
                "server/discover" => heard.error(400, -32000, Value::Null),
                "initialize" => {
                    let session = format!("s{}", sessions.fetch_add(1, SeqCst) + 1);
                    heard.result(initialized("2025-11-25")).with("mcp-session-id", &session)
                }
                "notifications/initialized" => Reply::text(202, ""),
                _ => rest(heard).await,
            }
        })
    })
    .await
}

fn tool(name: &str, header: Value) -> Value {
    json!({
        "name": name,
        "inputSchema": { "type": "object", "properties": {
            "region": { "type": "string", "x-mcp-header": header }, "n": { "type": "integer" },
        } },
    })
}

fn list(tools: &[Value]) -> Value {
    json!({ "resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private" })
}

fn text(text: &str) -> Value {
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
}

#[tokio::test]
async fn a_modern_request_repeats_itself_in_headers() {
    let peer = modern(|heard| async move {
        match heard.method().as_str() {
            "tools/list" => {
                heard.result(list(&[tool("städte", json!("Region")), tool("bad", json!("not a token"))]))
            }
            _ => heard.result(text("done")),
        }
    })
    .await;
    let client = Client::builder()
        .header(HeaderName::from_static("x-tenant"), HeaderValue::from_static("a"))
        .connect(&peer.url)
        .await
        .expect("it opens");
    let tools = client.list_all_tools().await.expect("it lists");
    assert_eq!(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["städte"]);
    client.call_tool("städte", json!({ "region": " us", "n": 1 })).await.expect("it answers");
    let call = peer.first("tools/call");
    let expected = [
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "=?base64?c3TDpGR0ZQ==?="),
        ("mcp-param-region", "=?base64?IHVz?="),
        ("x-tenant", "a"),
    ];
    for (name, value) in expected {
        assert_eq!(call.header(name), Some(value), "{name}");
    }
    assert_eq!(call.header("mcp-session-id"), None);
    let list = peer.first("tools/list");
    assert_eq!((list.header("mcp-method"), list.header("mcp-name")), (Some("tools/list"), None));
    client.close().await;
    assert_eq!(peer.methods(), ["server/discover", "tools/list", "tools/call"]);
}

/// The answers of servers that are not modern to the probe, and the negotiated version.
#[tokio::test]
async fn eras() {
    let cases: Vec<(&str, Answers)> = vec![
        ("nothing there", |_| Reply::text(404, "<html>no</html>")),
        ("not allowed", |_| Reply::text(405, "")),
        ("no session", |heard| heard.error(400, -32000, Value::Null)),
        ("no id", |_| {
            Reply::json(
                400,
                json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": "" } }),
            )
        }),
        ("unknown method", |heard| heard.error(200, -32601, Value::Null)),
        ("anything", |heard| heard.result(json!({}))),
        ("not JSON", |_| Reply::text(200, "hello")),
        ("broken", |_| Reply::text(500, "")),
    ];
    for (name, probe) in cases {
        let peer = HttpPeer::start(move |heard| {
            Box::pin(async move {
                match heard.method().as_str() {
                    "server/discover" => probe(&heard),
                    "initialize" => heard.result(initialized("2025-06-18")).with("mcp-session-id", "abc"),
                    "notifications/initialized" => Reply::text(202, ""),
                    "GET" => Reply::text(405, ""),
                    "DELETE" => Reply::text(204, ""),
                    _ => heard.result(json!({ "tools": [] })),
                }
            })
        })
        .await;
        let memory = EraMemory::new();
        let builder = Client::builder().era_memory(memory.clone());
        let client =
            builder.clone().connect(&peer.url).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(client.version(), Some(V2025_06_18), "{name}");
        client.list_tools(None).await.expect("it lists");
        client.close().await;
        let initialize = peer.first("initialize");
        assert_eq!(
            (initialize.header("mcp-session-id"), initialize.header("mcp-protocol-version")),
            (None, None)
        );
        for method in ["notifications/initialized", "tools/list", "DELETE"] {
            let heard = peer.first(method);
            assert_eq!(heard.header("mcp-session-id"), Some("abc"), "{name}: {method}");
            assert_eq!(heard.header("mcp-protocol-version"), Some("2025-06-18"), "{name}: {method}");
        }
        // The next client does not ask again.
        assert_eq!(memory.get(&peer.url), Some(V2025_06_18), "{name}");
        let probes =
            |peer: &HttpPeer| peer.methods().iter().filter(|method| *method == "server/discover").count();
        builder.connect(&peer.url).await.expect("it opens");
        assert_eq!(probes(&peer), 1, "{name}");
    }
}

#[tokio::test]
async fn a_modern_refusal_is_no_reason_to_fall_back() {
    let peer = HttpPeer::start(|heard| {
        Box::pin(
            async move { heard.error(400, -32022, json!({ "supported": ["2099-01-01"], "requested": "x" })) },
        )
    })
    .await;
    let error = Client::connect(&peer.url).await.expect_err("no common version");
    assert!(matches!(error, Error::NoCommonVersion { offered, .. } if offered == ["2099-01-01"]));
    assert_eq!(peer.methods(), ["server/discover"]);
}

#[tokio::test]
async fn nothing_listens() {
    let error = Client::connect("http://127.0.0.1:9/mcp").await.expect_err("nothing listens");
    assert!(matches!(error, Error::Connection(_)), "{error}");
}

#[tokio::test]
async fn an_answer_may_be_a_stream() {
    let peer = modern(|heard| async move {
        let token = heard.body["params"]["_meta"]["progressToken"].clone();
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
            "params": { "progressToken": token, "progress": 1 } });
        let answer = json!({ "jsonrpc": "2.0", "id": heard.body["id"], "result": text("done") });
        Reply::pieces([
            ":\n\n".to_owned(),
            event(None, &progress),
            "event: other\ndata: x\n\n".to_owned(),
            event(None, &answer),
        ])
        .await
    })
    .await;
    let client = Client::connect(&peer.url).await.expect("it opens");
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = heard.clone();
    let result = client.call("t").on_progress(move |_| _ = counter.fetch_add(1, SeqCst)).send().await;
    assert_eq!(result.expect("it answers").content[0].as_text(), Some("done"));
    assert_eq!(heard.load(SeqCst), 1);
}

/// The answers of a server of both eras to everything but calls.
fn opening(heard: &Heard) -> Option<Reply> {
    match heard.method().as_str() {
        "server/discover" => Some(heard.result(discovered(&["2026-07-28"]))),
        "initialize" => Some(heard.result(initialized("2025-11-25"))),
        "tools/call" => None,
        // A request that is no POST has no method.
        "" => Some(Reply::text(405, "")),
        _ => Some(Reply::text(202, "")),
    }
}

/// Answers that are none.
#[tokio::test]
async fn answers_that_are_none() {
    let cases: Vec<(&str, Answers, &str)> = vec![
        ("status", |_| Reply::text(503, "come back later"), "503 Service Unavailable come back later"),
        ("nothing", |_| Reply::text(202, ""), "no body"),
        ("wrong type", |_| Reply::text(200, "hi").with("content-type", "text/plain"), "text/plain"),
        (
            "not JSON",
            |_| Reply::text(200, "hi").with("content-type", "application/json"),
            "does not hold the answer",
        ),
        (
            "not JSON, with an id",
            |heard| {
                let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"v":NaN}}}}"#, heard.body["id"]);
                Reply::text(200, body).with("content-type", "application/json")
            },
            "Parse error",
        ),
        (
            "not JSON, in an event",
            |heard| {
                let event = format!(
                    "data: {{\"level\":\"debug\"}}\n\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":NaN}}\n\n",
                    heard.body["id"]
                );
                Reply::text(200, event).with("content-type", "text/event-stream")
            },
            "Parse error",
        ),
        (
            "too long, in an event",
            |_| {
                let event = format!("data: {}\n\n", "x".repeat(5000));
                Reply::text(200, event).with("content-type", "text/event-stream")
            },
            "larger than the limit of 4096 bytes (reply_bytes)",
        ),
        (
            "another's answer",
            |_| Reply::json(200, json!({ "jsonrpc": "2.0", "id": 999, "result": {} })),
            "does not hold",
        ),
        (
            "too long",
            |heard| heard.result(text(&"x".repeat(5000))),
            "larger than the limit of 4096 bytes (reply_bytes)",
        ),
        (
            "elsewhere",
            |_| Reply::text(302, "").with("location", "https://example.com/"),
            "connect to it by that URL",
        ),
        ("in circles", |_| Reply::text(307, "").with("location", "/mcp"), "redirects more than"),
    ];
    for (name, answer, part) in cases {
        for version in [V2026_07_28, V2025_11_25] {
            let peer = HttpPeer::start(move |heard| {
                Box::pin(async move { opening(&heard).unwrap_or_else(|| answer(&heard)) })
            })
            .await;
            let limits = Limits { reply_bytes: 4096, ..Limits::default() };
            let client =
                Client::builder().limits(limits).version(version).connect(&peer.url).await.expect("it opens");
            let error = client.call_tool("t", json!({})).await.expect_err("it is no answer").to_string();
            assert!(error.contains(part), "{version} {name}: {error}");
        }
    }
}

/// `Limits::malformed` holds "without a message in between", as on every other connection.
#[tokio::test]
async fn noise_on_a_stream_is_counted_from_the_last_message_on() {
    for (has_message, is_given_up) in [(true, false), (false, true)] {
        let peer = modern(move |heard| async move {
            let noise = format!("data: {}\n\n", "x".repeat(1500));
            let log = json!({
                "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": "on" }
            });
            let between = if has_message { event(None, &log) } else { String::new() };
            let answer = json!({ "jsonrpc": "2.0", "id": heard.body["id"], "result": text("done") });
            Reply::pieces([noise.clone(), between, noise, event(None, &answer)]).await
        })
        .await;
        let limits = Limits { malformed: 2000, ..Limits::default() };
        let client = Client::builder().limits(limits).connect(&peer.url).await.expect("it opens");
        let called = client.call_tool("t", json!({})).await;
        match is_given_up {
            true => {
                let error = called.expect_err("too much noise").to_string();
                assert!(error.contains("2000 bytes"), "{error}");
            }
            false => assert!(called.is_ok(), "{called:?}"),
        }
    }
}

#[tokio::test]
async fn an_error_answers_whatever_its_status() {
    for status in [200, 400, 404, 500] {
        let peer = modern(move |heard| async move { heard.error(status, -32602, json!("why")) }).await;
        let client = Client::connect(&peer.url).await.expect("it opens");
        match client.call_tool("t", json!({})).await {
            Err(Error::Rpc(error)) => assert_eq!((error.code.0, error.data), (-32602, Some("why".into()))),
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_that_stays_at_home_is_followed() {
    let peer = HttpPeer::start(|heard| {
        Box::pin(async move {
            match (heard.path.as_str(), heard.method().as_str()) {
                ("/mcp", _) => Reply::text(307, "").with("location", "/mcp/"),
                (_, "server/discover") => heard.result(discovered(&["2026-07-28"])),
                _ => heard.result(text("done")),
            }
        })
    })
    .await;
    let client = Client::connect(&peer.url).await.expect("it opens");
    assert!(client.call_tool("t", json!({})).await.is_ok());
}

#[tokio::test]
async fn dropping_a_modern_call_closes_its_stream() {
    let (tell, mut streams) = mpsc::channel(1);
    let peer = modern(move |_| {
        let tell = tell.clone();
        async move {
            let (sender, reply) = Reply::stream();
            tell.send(sender).await.expect("the test waits");
            reply
        }
    })
    .await;
    let client = Client::connect(&peer.url).await.expect("it opens");
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call_tool("slow", json!({})).await }
    });
    let stream = streams.recv().await.expect("the call arrives");
    call.abort();
    stream.closed().await;
    assert_eq!(
        peer.methods(),
        ["server/discover", "tools/call"],
        "no message says what the stream's end says"
    );
}

#[tokio::test]
async fn a_header_mismatch_lists_the_tools_again_and_retries_once() {
    let peer = modern(|heard| async move {
        match heard.method().as_str() {
            "tools/list" => heard.result(list(&[tool("t", json!("Region"))])),
            _ if heard.header("mcp-param-region") == Some("eu") => heard.result(text("done")),
            _ => heard.error(400, -32020, Value::Null),
        }
    })
    .await;
    let client = Client::connect(&peer.url).await.expect("it opens");
    client.call_tool("t", json!({ "region": "eu" })).await.expect("the retry has the header");
    assert_eq!(peer.methods(), ["server/discover", "tools/call", "tools/list", "tools/call"]);
    let error = client.call_tool("t", json!({ "region": "us" })).await.expect_err("the header is not it");
    assert!(matches!(error, Error::Rpc(error) if error.code.0 == -32020));
    assert_eq!(peer.methods().len(), 7);
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_where_it_broke() {
    let closed_at = Arc::new(Mutex::new(None));
    let resumed_after = Arc::new(Mutex::new(None));
    let (id_sender, id_receiver) = oneshot::channel();
    let ids = Arc::new(Mutex::new((Some(id_sender), Some(id_receiver))));
    let peer = legacy({
        let (closed_at, resumed_after) = (closed_at.clone(), resumed_after.clone());
        move |heard| {
            let (closed_at, resumed_after, ids) = (closed_at.clone(), resumed_after.clone(), ids.clone());
            async move {
                match (heard.method().as_str(), heard.header("last-event-id")) {
                    ("GET", None) => Reply::text(405, ""),
                    ("GET", Some("é1")) => {
                        let since: Option<Instant> = *closed_at.lock().expect("not poisoned");
                        *resumed_after.lock().expect("not poisoned") = since.map(|at| at.elapsed());
                        let receiver = ids.lock().expect("not poisoned").1.take().expect("taken up once");
                        let id: Value = receiver.await.expect("called before");
                        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [] } });
                        Reply::pieces([event(Some("e2"), &answer)]).await
                    }
                    _ => {
                        let sender = ids.lock().expect("not poisoned").0.take().expect("called once");
                        sender.send(heard.body["id"].clone()).expect("somebody waits");
                        *closed_at.lock().expect("not poisoned") = Some(Instant::now());
                        Reply::pieces(["id: é1\nretry: 120\ndata: \n\n".to_owned()]).await
                    }
                }
            }
        }
    })
    .await;
    let client = Client::connect(&peer.url).await.expect("it opens");
    client.call_tool("t", json!({})).await.expect("taken up");
    let waited: Duration = resumed_after.lock().expect("not poisoned").expect("it was taken up");
    assert!(waited >= Duration::from_millis(110), "the server asked for 120 ms: {waited:?}");
}

#[tokio::test]
async fn a_stream_that_says_nothing_of_its_place_is_lost() {
    for modern_server in [true, false] {
        let broken = |heard: Heard| async move {
            match heard.method().as_str() {
                "GET" => Reply::text(405, ""),
                _ => Reply::pieces([":\n\n".to_owned()]).await,
            }
        };
        let peer = if modern_server { modern(broken).await } else { legacy(broken).await };
        let client = Client::connect(&peer.url).await.expect("it opens");
        let error = client.call_tool("t", json!({})).await.expect_err("no answer came").to_string();
        assert!(error.contains("before the answer"), "{error}");
    }
}

#[tokio::test]
async fn a_live_question_on_a_calls_stream_is_answered_by_a_post() {
    let (tell, told) = mpsc::channel(1);
    let told = Arc::new(tokio::sync::Mutex::new(told));
    let peer = legacy(move |heard| {
        let (tell, told) = (tell.clone(), told.clone());
        async move {
            match heard.method().as_str() {
                "GET" => Reply::text(405, ""),
                "tools/call" => {
                    let (sender, reply) = Reply::stream();
                    let question = json!({ "jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {
                        "message": "?", "requestedSchema": { "type": "object", "properties": {} } } });
                    sender.send(event(None, &question)).await.expect("there is room");
                    tokio::spawn(async move {
                        let answer: Value = told.lock().await.recv().await.expect("an answer");
                        let result = json!({ "content": [{ "type": "text", "text": answer["result"]["action"] }] });
                        let answer = json!({ "jsonrpc": "2.0", "id": heard.body["id"], "result": result });
                        let _ = sender.send(event(None, &answer)).await;
                    });
                    reply
                }
                _ => {
                    tell.send(heard.body).await.expect("somebody waits");
                    Reply::text(202, "")
                }
            }
        }
    })
    .await;
    let builder = Client::builder().on_elicit(|_| async { Ok(ElicitResult::decline()) });
    let client = builder.connect(&peer.url).await.expect("it opens");
    let result = client.call_tool("t", json!({})).await.expect("it answers");
    assert_eq!(result.content[0].as_text(), Some("decline"));
}

/// The transport of 2024-11-05: one stream, and a place to POST.
#[tokio::test]
async fn http_sse() {
    let stream = Arc::new(Mutex::new(None::<mpsc::Sender<String>>));
    let peer = HttpPeer::start(move |heard| {
        let stream = stream.clone();
        Box::pin(async move {
            if heard.http == "GET" {
                let (sender, reply) = Reply::stream();
                sender.send("event: endpoint\ndata: /messages?s=1\n\n".to_owned()).await.expect("room");
                *stream.lock().expect("not poisoned") = Some(sender);
                return reply;
            }
            if heard.path != "/messages?s=1" {
                return Reply::text(405, "no");
            }
            let result = match heard.method().as_str() {
                "initialize" => initialized("2024-11-05"),
                "tools/call" => json!({ "content": [] }),
                _ => return Reply::text(202, "Accepted"),
            };
            let sender = stream.lock().expect("not poisoned").clone().expect("the stream is open");
            let answer = json!({ "jsonrpc": "2.0", "id": heard.body["id"], "result": result });
            sender.send(event(None, &answer)).await.expect("the client listens");
            Reply::text(202, "Accepted")
        })
    })
    .await;
    let client = Client::connect(&peer.url).await.expect("it opens");
    assert_eq!(client.version(), Some(V2024_11_05));
    client.call_tool("t", json!({})).await.expect("it answers");
    let refused =
        Client::builder().legacy_sse(false).connect(&peer.url).await.expect_err("it is switched off");
    assert!(refused.to_string().contains("405"), "{refused}");
}

#[tokio::test]
async fn an_endpoint_elsewhere_is_not_written_to() {
    let peer = HttpPeer::start(|heard| {
        Box::pin(async move {
            match heard.http.as_str() {
                "GET" => Reply::pieces(["event: endpoint\ndata: http://evil.example/\n\n".to_owned()]).await,
                _ => Reply::text(404, ""),
            }
        })
    })
    .await;
    let error = Client::connect(&peer.url).await.expect_err("it is elsewhere").to_string();
    assert!(error.contains("not on the server that names it"), "{error}");
}

/// Gives tokens in their order, one for each challenge.
struct Tokens {
    given: AtomicUsize,
    most: usize,
    heard: Arc<Mutex<Vec<u16>>>,
}

impl Authorize for Tokens {
    fn headers(&self, _: &http::Method, _: &url::Url) -> BoxFuture<'_, Result<HeaderMap>> {
        let token = format!("Bearer {}", self.given.load(SeqCst));
        let value = HeaderValue::from_str(&token).expect("visible ASCII");
        Box::pin(async { Ok(HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])) })
    }

    fn handle_challenge(&self, challenge: Challenge) -> BoxFuture<'_, Result<bool>> {
        assert_eq!(challenge.headers["www-authenticate"], "Bearer realm=\"x\"");
        let refused = format!("Bearer {}", self.given.load(SeqCst));
        assert_eq!(challenge.sent["authorization"], *refused, "it says which token was refused");
        assert!(!format!("{challenge:?}").contains(&refused), "and does not show it");
        Box::pin(async { Ok(self.given.fetch_add(1, SeqCst) < self.most) })
    }

    fn observe_response(&self, sent: &HeaderMap, status: http::StatusCode, _: &HeaderMap) {
        assert!(sent.contains_key("authorization"));
        self.heard.lock().expect("not poisoned").push(status.as_u16());
    }
}

#[tokio::test]
async fn authorization() {
    let guarded = || {
        HttpPeer::start(|heard| {
            Box::pin(async move {
                match heard.header("authorization") {
                    Some("Bearer 2") => heard.result(discovered(&["2026-07-28"])),
                    Some("Bearer 1") => Reply::text(403, "").with("www-authenticate", "Bearer realm=\"x\""),
                    _ => Reply::text(401, "").with("www-authenticate", "Bearer realm=\"x\""),
                }
            })
        })
    };
    let peer = guarded().await;
    let refused = Client::connect(&peer.url).await.expect_err("no token");
    assert!(matches!(refused, Error::Unauthorized(challenge) if challenge == "Bearer realm=\"x\""));
    assert_eq!(peer.methods(), ["server/discover"], "a refusal says nothing about eras");

    let heard = Arc::<Mutex<Vec<u16>>>::default();
    let tokens = |most| {
        let tokens = Tokens { given: AtomicUsize::new(0), most, heard: heard.clone() };
        Client::builder().authorize(tokens)
    };
    assert!(tokens(2).connect(&guarded().await.url).await.is_ok());
    assert_eq!(*heard.lock().expect("not poisoned"), [401, 403, 200]);
    let refused = tokens(1).connect(&guarded().await.url).await.expect_err("not enough tokens");
    assert!(matches!(refused, Error::Unauthorized(_)));
}

#[tokio::test]
async fn credentials_do_not_belong_into_urls() {
    for url in ["http://user:secret@127.0.0.1:9/", "ftp://127.0.0.1/", "npx server"] {
        let error = Client::connect(url).await.expect_err("it is refused");
        assert!(matches!(error, Error::Configuration(_)), "{error}");
        assert!(!error.to_string().contains("secret"));
    }
}

/// Long answers of one server are received two at a time; what is short does not wait for them.
#[tokio::test]
async fn long_answers_wait_for_each_other_and_short_ones_do_not() {
    // More than the sockets between the two hold.
    const LONG: usize = 16 << 20;
    let (written, mut finished) = mpsc::unbounded_channel();
    let peer = modern(move |heard| {
        let written = written.clone();
        async move {
            let name = heard.body["params"]["name"].as_str().unwrap_or_default().to_owned();
            if name == "short" {
                return heard.result(json!({ "resultType": "complete", "content": [] }));
            }
            let (sender, reply) = Reply::stream();
            tokio::spawn(async move {
                let piece = "x".repeat(64 << 10);
                let mut pieces =
                    std::iter::once("data: ").chain(std::iter::repeat_n(&*piece, LONG / piece.len()));
                let mut open = true;
                while open && let Some(piece) = pieces.next() {
                    open = sender.send(piece.to_owned()).await.is_ok();
                }
                let _ = written.send(name);
                // The answer never ends.
                sender.closed().await;
            });
            reply
        }
    })
    .await;
    let client = Client::connect(&peer.url).await.expect("it opens");
    let call = |name: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.call_tool(name, json!({})).await })
    };
    let first = [call("first"), call("first")];
    for _ in &first {
        assert_eq!(finished.recv().await.as_deref(), Some("first"));
    }
    let third = call("third");
    // Long enough for the third to arrive, if it did not wait.
    for _ in 0..100 {
        call("short").await.expect("no panic").expect("it does not wait");
    }
    assert!(finished.try_recv().is_err(), "two long answers are being received");
    first.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(finished.recv().await.as_deref(), Some("third"));
    third.abort();
}
