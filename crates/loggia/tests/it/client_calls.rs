//! Requests from their beginning to each of their ends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia::client::{Client, ConnectionHalves, InputHandler, InputPolicy, RequestOptions, Status, Target};
use loggia::error::Error;
use loggia::limits::Limits;
use loggia::model::{
    CreateMessageResult, ElicitResult, InputRequest, LoggingLevel, Root, ServerNotification,
};
use loggia::service::BoxFuture;
use loggia::transport::framing::{LineReader, LineWriter};
use loggia::wire::{Method, RawJson, RpcError, Version};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::Instant;

use crate::client_peer::{Peer, discovered, pass};

async fn modern_pair() -> (Client, Peer) {
    with_peer(Client::builder(), true).await
}

async fn legacy() -> (Client, Peer) {
    with_peer(Client::builder(), false).await
}

async fn with_peer(builder: loggia::client::ClientBuilder, modern: bool) -> (Client, Peer) {
    let (target, mut peer) = Peer::pair();
    let open = async { if modern { peer.open_modern().await } else { peer.open_legacy().await } };
    let (client, ()) = tokio::join!(builder.connect(target), open);
    (client.expect("it opens"), peer)
}

fn text(text: &str) -> Value {
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": text }] })
}

#[tokio::test(start_paused = true)]
async fn a_modern_request_carries_everything() {
    let (client, mut peer) = modern_pair().await;
    let call = async {
        client
            .call("t")
            .args(json!({ "a": 1 }))
            .meta("vendor/x", 5)
            .log_level(LoggingLevel::Error)
            .send()
            .await
    };
    let serve = async {
        let request = peer.expect("tools/call").await;
        peer.result(&request, text("done")).await;
        request
    };
    let (result, request) = tokio::join!(call, serve);
    assert_eq!(result.expect("it answers").content[0].as_text(), Some("done"));
    assert_eq!(
        request["params"],
        json!({
            "name": "t",
            "arguments": { "a": 1 },
            "_meta": {
                "vendor/x": 5,
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "loggia", "version": env!("CARGO_PKG_VERSION") },
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/logLevel": "error",
            },
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_legacy_request_carries_nothing_more() {
    let (client, mut peer) = legacy().await;
    let serve = async {
        let request = peer.expect("prompts/get").await;
        peer.result(&request, json!({ "messages": [] })).await;
        request
    };
    let (result, request) = tokio::join!(client.get_prompt("p", [("a", "b")]), serve);
    assert!(result.is_ok());
    assert_eq!(request["params"], json!({ "name": "p", "arguments": { "a": "b" } }));
}

#[tokio::test(start_paused = true)]
async fn a_method_the_revision_lacks_is_not_sent() {
    let (client, mut peer) = modern_pair().await;
    let refused = client.request(Method::Ping, RawJson::empty_object(), RequestOptions::default()).await;
    assert!(matches!(refused, Err(Error::Rpc(error)) if error.code.0 == -32601));
    let ping = async {
        let request = peer.expect("server/discover").await;
        peer.result(&request, crate::client_peer::discovered(&["2026-07-28"])).await;
    };
    let (pong, ()) = tokio::join!(client.ping(), ping);
    assert!(pong.is_ok());
}

/// The end of a request after a time limit, and the notification of the server.
#[tokio::test(start_paused = true)]
async fn silence_ends_a_request_and_the_server_is_told() {
    for modern in [true, false] {
        let (client, mut peer) = with_peer(Client::builder().timeout(Duration::from_secs(7)), modern).await;
        let started = Instant::now();
        let ended = client.call_tool("t", json!({})).await;
        assert!(
            matches!(&ended, Err(Error::Timeout(details)) if details.after == Duration::from_secs(7)),
            "{ended:?}"
        );
        assert_eq!(started.elapsed().as_secs(), 7);
        let request = peer.expect("tools/call").await;
        let cancelled = peer.expect("notifications/cancelled").await;
        assert_eq!(cancelled["params"]["requestId"], request["id"]);
    }
}

#[tokio::test(start_paused = true)]
async fn progress_starts_the_time_anew_up_to_the_most() {
    let (client, mut peer) = modern_pair().await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let call = client
        .call("t")
        .timeout(Duration::from_secs(10))
        .max_timeout(Duration::from_secs(25))
        .on_progress({
            let heard = heard.clone();
            move |progress| heard.lock().expect("not poisoned").push(progress.progress)
        })
        .send();
    let serve = async {
        let request = peer.expect("tools/call").await;
        let token = request["params"]["_meta"]["progressToken"].clone();
        for step in 1..=4 {
            pass(Duration::from_secs(8)).await;
            peer.notify("notifications/progress", json!({ "progressToken": token, "progress": step })).await;
        }
    };
    let started = Instant::now();
    let (ended, ()) = tokio::join!(
        async {
            let ended = call.await;
            assert_eq!(started.elapsed().as_secs(), 25);
            ended
        },
        serve
    );
    assert!(
        matches!(&ended, Err(Error::Timeout(details)) if details.after == Duration::from_secs(25)),
        "{ended:?}"
    );
    assert_eq!(*heard.lock().expect("not poisoned"), [1.0, 2.0, 3.0]);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_cancels_it_and_its_late_answer_is_nobodys() {
    let (client, mut peer) = modern_pair().await;
    let call = client.call_tool("slow", json!({}));
    assert!(tokio::time::timeout(Duration::from_secs(1), call).await.is_err());
    let slow = peer.expect("tools/call").await;
    let cancelled = peer.expect("notifications/cancelled").await;
    assert_eq!(cancelled["params"]["requestId"], slow["id"]);
    peer.result(&slow, text("late")).await;
    let serve = async {
        let request = peer.expect("tools/call").await;
        assert_ne!(request["id"], slow["id"]);
        peer.result(&request, text("prompt")).await;
    };
    let (result, ()) = tokio::join!(client.call_tool("quick", json!({})), serve);
    assert_eq!(result.expect("it answers").content[0].as_text(), Some("prompt"));
}

#[tokio::test(start_paused = true)]
async fn answers_find_their_requests_in_any_order() {
    let (client, mut peer) = modern_pair().await;
    let serve = async {
        let first = peer.expect("tools/call").await;
        let second = peer.expect("tools/call").await;
        for request in [second, first] {
            let name = request["params"]["name"].as_str().expect("a name").to_owned();
            peer.result(&request, text(&name)).await;
        }
    };
    let (a, b, ()) = tokio::join!(client.call_tool("a", json!({})), client.call_tool("b", json!({})), serve);
    assert_eq!(a.expect("it answers").content[0].as_text(), Some("a"));
    assert_eq!(b.expect("it answers").content[0].as_text(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_server_comes_as_it_is() {
    let (client, mut peer) = modern_pair().await;
    let serve = async {
        let request = peer.expect("resources/read").await;
        peer.error(&request, -32602, json!({ "uri": "x" })).await;
    };
    let (result, ()) = tokio::join!(client.read_resource("x"), serve);
    match result {
        Err(Error::Rpc(error)) => {
            assert_eq!((error.code.0, error.data), (-32602, Some(json!({ "uri": "x" }).into())))
        }
        other => panic!("{other:?}"),
    }
}

// Rounds of input ---------------------------------------------------------------------------------------

fn asking(requests: Value, state: Option<&str>) -> Value {
    let mut result = json!({ "resultType": "input_required", "inputRequests": requests });
    if let Some(state) = state {
        result["requestState"] = state.into();
    }
    result
}

fn form(message: &str) -> Value {
    json!({
        "method": "elicitation/create",
        "params": {
            "message": message,
            "requestedSchema": {
                "type": "object",
                "properties": { "ok": { "type": "boolean" }, "name": { "type": "string", "default": "Ann" } },
            },
        },
    })
}

fn answering() -> loggia::client::ClientBuilder {
    Client::builder()
        .on_elicit(|form| async move {
            Ok(ElicitResult::accept([("ok".to_owned(), json!(form.message.len()))].into()))
        })
        .on_sample(|_| async { Ok(CreateMessageResult::text("model", "Paris")) })
        .roots([Root { uri: "file:///a".to_owned(), ..Root::default() }])
}

#[tokio::test(start_paused = true)]
async fn rounds_of_input() {
    let (client, mut peer) = with_peer(answering(), true).await;
    let serve = async {
        let first = peer.expect("tools/call").await;
        assert_eq!(first["params"].get("inputResponses"), None);
        let requests = json!({
            "who": form("four"),
            "what": { "method": "sampling/createMessage", "params": { "messages": [], "maxTokens": 5 } },
            "where": { "method": "roots/list" },
        });
        peer.result(&first, asking(requests, Some("\u{e9}\"state\n"))).await;
        let second = peer.expect("tools/call").await;
        assert_ne!(second["id"], first["id"]);
        assert_eq!(second["params"]["arguments"], json!({ "n": 1 }));
        assert_eq!(second["params"]["requestState"], "\u{e9}\"state\n");
        let responses = &second["params"]["inputResponses"];
        assert_eq!(responses["who"], json!({ "action": "accept", "content": { "ok": 4, "name": "Ann" } }));
        assert_eq!(responses["what"]["content"]["text"], "Paris");
        assert_eq!(responses["where"], json!({ "roots": [{ "uri": "file:///a" }] }));
        // A round without a state must not repeat the last one's; one without questions is retried at once.
        peer.result(&second, asking(json!({ "again": form("x") }), None)).await;
        let third = peer.expect("tools/call").await;
        assert_eq!(third["params"].get("requestState"), None);
        assert_eq!(third["params"]["inputResponses"].as_object().map(|o| o.len()), Some(1));
        peer.result(&third, json!({ "resultType": "input_required", "requestState": "only" })).await;
        let fourth = peer.expect("tools/call").await;
        assert_eq!(fourth["params"].get("inputResponses"), None);
        assert_eq!(fourth["params"]["requestState"], "only");
        peer.result(&fourth, text("done")).await;
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({ "n": 1 })), serve);
    assert_eq!(result.expect("it answers").content[0].as_text(), Some("done"));
}

#[tokio::test(start_paused = true)]
async fn rounds_that_cannot_be_answered() {
    let sampling =
        json!({ "q": { "method": "sampling/createMessage", "params": { "messages": [], "maxTokens": 5 } } });
    let unknown = json!({ "q": { "method": "tools/call", "params": {} } });
    let cases = [
        ("tools/call", asking(sampling, None), "no handler"),
        ("tools/call", asking(unknown, None), "not a question"),
        ("tools/call", json!({ "resultType": "input_required" }), "does not say which"),
        ("tools/call", json!({ "resultType": "task", "content": [] }), "unknown type \"task\""),
        ("tools/list", asking(json!({ "q": form("x") }), None), "must not require input"),
    ];
    for (method, answer, part) in cases {
        let (client, mut peer) = modern_pair().await;
        let serve = async {
            let request = peer.expect(method).await;
            peer.result(&request, answer.clone()).await;
        };
        let ask = async {
            match method {
                "tools/call" => client.call_tool("t", json!({})).await.map(drop),
                _ => client.list_tools(None).await.map(drop),
            }
        };
        let (result, ()) = tokio::join!(ask, serve);
        let error = result.expect_err("it cannot go on").to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn rounds_have_an_end() {
    let (client, mut peer) = modern_pair().await;
    let serve = async {
        let mut rounds = 0;
        loop {
            let request = tokio::time::timeout(Duration::from_secs(1), peer.hear()).await;
            let Ok(request) = request else { return rounds };
            rounds += 1;
            peer.result(&request, json!({ "resultType": "input_required", "requestState": "s" })).await;
        }
    };
    let (result, rounds) = tokio::join!(client.call_tool("t", json!({})), serve);
    assert!(matches!(result, Err(Error::Unanswered(_))), "{result:?}");
    assert_eq!(rounds, loggia::limits::Limits::default().input_rounds + 1);
}

/// Answers with its own name; for raw requests.
struct Named(&'static str);

impl InputHandler for Named {
    fn answer(&self, request: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>> {
        assert_eq!(request.method(), Method::Elicit);
        Box::pin(async { Ok(RawJson::from(&json!({ "action": "accept", "content": { "by": self.0 } }))) })
    }
}

fn surfacing(name: &'static str) -> RequestOptions {
    RequestOptions { input: InputPolicy::Surface(Some(Arc::new(Named(name)))), ..RequestOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_sees_input_required_as_it_is() {
    let (client, mut peer) = modern_pair().await;
    let asked = asking(json!({ "q": form("x") }), Some("s"));
    let serve = async {
        let request = peer.expect("tools/call").await;
        peer.result(&request, asked.clone()).await;
        request
    };
    let mut options = surfacing("nobody");
    options.capabilities =
        Some(serde_json::from_value(json!({ "elicitation": { "form": {} } })).expect("capabilities"));
    let params = RawJson::from(
        &json!({ "name": "t", "_meta": { "progressToken": "theirs", "traceparent": "00-1-2-01" } }),
    );
    let (reply, request) = tokio::join!(client.request(Method::CallTool, params, options), serve);
    let reply = reply.expect("it answers");
    assert_eq!(reply.version, Version::V2026_07_28);
    assert_eq!(reply.result.decode::<Value>().expect("JSON"), asked);
    let meta = &request["params"]["_meta"];
    assert_eq!(meta.get("progressToken"), None);
    assert_eq!(meta["traceparent"], "00-1-2-01");
    assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({ "elicitation": { "form": {} } }));
}

// Live questions ----------------------------------------------------------------------------------------

fn live(id: &str, question: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": question["method"], "params": question["params"] })
}

#[tokio::test(start_paused = true)]
async fn a_legacy_server_asks_live() {
    let (client, mut peer) = with_peer(answering(), false).await;
    let serve = async {
        let request = peer.expect("tools/call").await;
        peer.say(live("q1", &form("four"))).await;
        let answer = peer.hear().await;
        assert_eq!(answer["id"], "q1");
        assert_eq!(answer["result"], json!({ "action": "accept", "content": { "ok": 4, "name": "Ann" } }));
        peer.result(&request, json!({ "content": [] })).await;
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({})), serve);
    assert!(result.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_live_question_goes_to_the_oldest_call_that_can_answer() {
    let (client, mut peer) = with_peer(answering(), false).await;
    let params = RawJson::from(&json!({ "name": "t" }));
    let plain = client.request(Method::CallTool, params.clone(), RequestOptions::default());
    let older = client.request(Method::CallTool, params.clone(), surfacing("older"));
    let younger = client.request(Method::CallTool, params, surfacing("younger"));
    let serve = async {
        let requests = [peer.hear().await, peer.hear().await, peer.hear().await];
        peer.say(live("q1", &form("x"))).await;
        assert_eq!(peer.hear().await["result"]["content"]["by"], "older");
        peer.result(&requests[1], json!({ "content": [] })).await;
        peer.say(live("q2", &form("x"))).await;
        assert_eq!(peer.hear().await["result"]["content"]["by"], "younger");
        peer.result(&requests[2], json!({ "content": [] })).await;
        peer.say(live("q3", &form("x"))).await;
        assert_eq!(peer.hear().await["result"]["content"]["ok"], 1);
        peer.result(&requests[0], json!({ "content": [] })).await;
    };
    let (a, b, c, ()) = tokio::join!(plain, older, younger, serve);
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_clock_stands_still_while_the_program_answers() {
    let builder = Client::builder()
        .timeout(Duration::from_secs(10))
        .max_timeout(Duration::from_secs(20))
        .on_elicit(|_| async {
            pass(Duration::from_secs(300)).await;
            Ok(ElicitResult::decline())
        });
    let (client, mut peer) = with_peer(builder, false).await;
    let serve = async {
        let request = peer.expect("tools/call").await;
        peer.say(live("q", &form("x"))).await;
        assert_eq!(peer.hear().await["result"]["action"], "decline");
        pass(Duration::from_secs(9)).await;
        peer.result(&request, json!({ "content": [] })).await;
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({})), serve);
    assert!(result.is_ok(), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_withdrawn_is_not_answered() {
    let builder = Client::builder().on_elicit(|_| std::future::pending());
    let (client, mut peer) = with_peer(builder, false).await;
    let serve = async {
        let request = peer.expect("tools/call").await;
        peer.say(live("q", &form("x"))).await;
        pass(Duration::from_secs(1)).await;
        peer.notify("notifications/cancelled", json!({ "requestId": "q" })).await;
        assert!(tokio::time::timeout(Duration::from_secs(1), peer.hear()).await.is_err());
        peer.result(&request, json!({ "content": [] })).await;
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({})), serve);
    assert!(result.is_ok());
}

/// The requests that a legacy server may send at any time, and their answers.
#[tokio::test(start_paused = true)]
async fn questions_that_belong_to_no_call() {
    let (client, mut peer) = legacy().await;
    let cases = [
        ("ping", json!({}), Ok(json!({}))),
        ("elicitation/create", form("x")["params"].clone(), Err(-32601)),
        ("roots/list", json!({}), Err(-32601)),
        ("sampling/createMessage", json!({ "maxTokens": "many" }), Err(-32602)),
        ("tools/list", json!({}), Err(-32601)),
        ("vendor/thing", json!({}), Err(-32601)),
    ];
    for (method, params, expected) in cases {
        peer.say(json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params })).await;
        let answer = peer.hear().await;
        assert_eq!(answer["id"], method);
        match expected {
            Ok(result) => assert_eq!(answer["result"], result),
            Err(code) => assert_eq!(answer["error"]["code"], code, "{answer}"),
        }
    }
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_modern_server_that_asks_is_not_answered() {
    let (client, mut peer) = with_peer(answering(), true).await;
    let serve = async {
        let request = peer.expect("tools/call").await;
        peer.say(live("q", &form("x"))).await;
        assert!(tokio::time::timeout(Duration::from_secs(1), peer.hear()).await.is_err());
        peer.result(&request, text("done")).await;
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({})), serve);
    assert!(result.is_ok());
}

// Notifications -----------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn log_messages_go_to_the_call_and_to_the_client() {
    let client_heard = Arc::new(Mutex::new(Vec::new()));
    let call_heard = Arc::new(Mutex::new(Vec::new()));
    let builder = Client::builder().log_level(LoggingLevel::Info).on_log({
        let heard = client_heard.clone();
        move |message| heard.lock().expect("not poisoned").push(message.data.clone())
    });
    let (client, mut peer) = with_peer(builder, true).await;
    let call = client.call("t").on_log({
        let heard = call_heard.clone();
        move |message| heard.lock().expect("not poisoned").push(message.data)
    });
    let serve = async {
        let request = peer.expect("tools/call").await;
        assert_eq!(request["params"]["_meta"]["io.modelcontextprotocol/logLevel"], "info");
        peer.notify("notifications/message", json!({ "level": "info", "data": "hello" })).await;
        peer.result(&request, text("done")).await;
    };
    let (result, ()) = tokio::join!(call.send(), serve);
    assert!(result.is_ok());
    assert_eq!(*client_heard.lock().expect("not poisoned"), [json!("hello")]);
    assert_eq!(*call_heard.lock().expect("not poisoned"), [json!("hello")]);
}

#[tokio::test(start_paused = true)]
async fn a_legacy_server_is_told_the_log_level_in_each_session() {
    let (target, mut peers) = Peer::series(2);
    let (mut again, mut peer) = (peers.pop().expect("two"), peers.pop().expect("two"));
    let told = async |peer: &mut Peer, level: &str| {
        let request = peer.expect("logging/setLevel").await;
        assert_eq!(request["params"], json!({ "level": level }));
        peer.result(&request, json!({})).await;
    };
    let serve = async {
        peer.open_legacy().await;
        told(&mut peer, "info").await;
        told(&mut peer, "error").await;
        drop(peer);
        again.initialize("2025-11-25").await;
        told(&mut again, "error").await;
    };
    let connect = async {
        let client = Client::builder().log_level(LoggingLevel::Info).connect(target).await.expect("it opens");
        client.set_log_level(LoggingLevel::Error).await.expect("it answers");
        client
    };
    tokio::join!(connect, serve);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_breaks_nothing() {
    let builder = Client::builder().on_notification(|notification| {
        assert!(!matches!(notification, ServerNotification::Log(_)), "on purpose");
    });
    let (client, mut peer) = with_peer(builder, true).await;
    let serve = async {
        let request = peer.expect("tools/call").await;
        peer.notify("notifications/message", json!({ "level": "info", "data": 1 })).await;
        peer.result(&request, text("done")).await;
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({})), serve);
    assert!(result.is_ok());
}

#[tokio::test(start_paused = true)]
async fn roots_that_change_are_told_to_legacy_servers_alone() {
    for modern in [true, false] {
        let (client, mut peer) = with_peer(answering(), modern).await;
        client.roots_changed().expect("it is connected");
        let heard = tokio::time::timeout(Duration::from_secs(1), peer.hear()).await;
        assert_eq!(heard.is_err(), modern);
        assert!(modern || heard.is_ok_and(|message| message["method"] == "notifications/roots/list_changed"));
    }
}

// Nonsense ----------------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn nonsense_is_passed_over_until_it_is_too_much() {
    let limits = Limits { malformed: 2000, ..Limits::default() };
    let (client, mut peer) = with_peer(Client::builder().limits(limits), true).await;
    let serve = async {
        let request = peer.expect("tools/call").await;
        let id = request["id"].clone();
        for nonsense in [
            "hello".to_owned(),
            "{\"jsonrpc\":\"2.0\"}".to_owned(),
            "{\"jsonrpc\":\"1.0\",\"method\":\"x\"}".to_owned(),
            json!({ "jsonrpc": "2.0", "id": 9_999, "result": {} }).to_string(),
            json!({ "jsonrpc": "2.0", "id": "x", "result": {} }).to_string(),
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progress": "half" } }).to_string(),
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": id, "progress": "half" } }).to_string(),
        ] {
            peer.0.send(nonsense).await;
        }
        peer.result(&request, text("done")).await;
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({})), serve);
    assert!(result.is_ok(), "{result:?}");

    let flood = async {
        peer.expect("tools/call").await;
        for _ in 0..1000 {
            if !peer.0.send("Nonsense: nobody\u{202e} listens").await {
                break;
            }
        }
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({})), flood);
    let error = result.expect_err("it gives up").to_string();
    for part in ["no messages of the protocol", "2000 bytes", r"Nonsense: nobody\u{202e} listens"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(matches!(client.status(), Status::Closed(_)));
}

/// In the modern era a server asks nothing: its requests are no sign that it speaks the protocol.
#[tokio::test(start_paused = true)]
async fn a_modern_server_that_sends_nothing_but_requests_is_given_up() {
    let limits = Limits { malformed: 2000, ..Limits::default() };
    let (client, mut peer) = with_peer(Client::builder().limits(limits), true).await;
    let flood = async {
        peer.expect("tools/call").await;
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
        for _ in 0..1000 {
            if !peer.0.send(ping.clone()).await {
                break;
            }
        }
        peer
    };
    let (result, _peer) = tokio::join!(client.call_tool("t", json!({})), flood);
    let error = result.expect_err("it gives up").to_string();
    for part in ["no messages of the protocol", "2000 bytes", "a request (ping)"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn lines_of_a_banner_and_debug_lines_in_each_call_do_no_harm() {
    let (target, mut peer) = Peer::pair();
    let serve = async {
        for line in 0..40 {
            peer.0.send(format!("banner {line}")).await;
        }
        peer.open_modern().await;
        for _ in 0..3 {
            let request = peer.expect("tools/call").await;
            for line in 0..40 {
                peer.0.send(format!("[debug] line {line} of {request}")).await;
                peer.0.send(json!({ "level": "debug", "id": request["id"], "line": line }).to_string()).await;
            }
            peer.result(&request, text("done")).await;
        }
    };
    let calls = async {
        let client = Client::builder().connect(target).await.expect("it opens");
        for _ in 0..3 {
            client.call_tool("t", json!({})).await.expect("it answers");
        }
    };
    tokio::join!(calls, serve);
}

/// Answers that cannot be read, to the first of one or two calls. `ID` is its id.
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_ends_its_request_at_once() {
    let long = "x".repeat(5000);
    let too_long = "larger than the limit of 4096 bytes (reply_bytes)";
    for (answer, calls, expected) in [
        (
            r#"{"jsonrpc":"2.0","id":ID,"result":{"structuredContent":{"v":NaN}}}"#.to_owned(),
            2,
            Some("Parse error"),
        ),
        (r#"{"result":{"v":NaN},"jsonrpc":"2.0","id":ID}"#.to_owned(), 2, Some("Parse error")),
        (
            r#"{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":""}}"#.to_owned(),
            2,
            Some("not both"),
        ),
        (r#"{"jsonrpc":"2.0","id":ID,"result":{"v":"#.to_owned(), 2, Some("Parse error")),
        (r#"{"jsonrpc":"2.0","result":{"v":NaN}}"#.to_owned(), 1, Some("Parse error")),
        (r#"{"jsonrpc":"2.0","result":{"v":NaN}}"#.to_owned(), 2, None),
        (r#"{"jsonrpc":"2.0","method":"x","params":{"v":NaN},"id":ID}"#.to_owned(), 1, None),
        (format!(r#"{{"jsonrpc":"2.0","id":ID,"result":{{"v":"{long}"}}}}"#), 2, Some(too_long)),
        (format!(r#"{{"result":{{"v":"{long}"}},"jsonrpc":"2.0","id":ID}}"#), 2, Some(too_long)),
        (format!(r#"{{"jsonrpc":"2.0","result":{{"v":"{long}"}}}}"#), 1, Some(too_long)),
        (long, 2, None),
    ] {
        let failed = first_of_calls(&answer, calls).await;
        match expected {
            Some(part) => {
                let error = failed.expect_err(&answer).to_string();
                assert!(error.contains(part), "{answer:.100}: {error}");
            }
            None => assert!(failed.is_ok(), "{answer:.100}: {failed:?}"),
        }
    }
}

/// Makes calls over lines of text, of which the first is answered with `answer` first.
async fn first_of_calls(answer: &str, calls: usize) -> Result<loggia::model::CallToolResult, Error> {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(ours);
    let halves: ConnectionHalves =
        (Box::new(LineReader::new(reader, 4096)), Box::new(LineWriter::new(writer)));
    let halves = Mutex::new(Some(halves));
    let target = Target::custom(move || {
        let halves = halves.lock().expect("nobody panics with it").take();
        async move { halves.ok_or_else(|| Error::Connection("gone".to_owned())) }
    });
    let serve = async {
        let (reader, mut writer) = tokio::io::split(theirs);
        let mut lines = BufReader::new(reader).lines();
        let mut read = async || -> Value {
            let line = lines.next_line().await.expect("it reads").expect("the client is there");
            serde_json::from_str(&line).expect("the client sends JSON")
        };
        let mut write =
            async |line: String| writer.write_all(format!("{line}\n").as_bytes()).await.expect("it writes");
        let result = |request: &Value, result: Value| {
            json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string()
        };
        let opening = read().await;
        write(result(&opening, discovered(&["2026-07-28"]))).await;
        let mut requests = Vec::new();
        for _ in 0..calls {
            requests.push(read().await);
        }
        write(answer.replace("ID", &requests[0]["id"].to_string())).await;
        // The same request is answered again: too late where it has failed.
        for request in &requests {
            write(result(request, text("done"))).await;
        }
        requests
    };
    let client = async {
        let client = Client::builder().connect(target).await.expect("it opens");
        let rest = futures_util::future::join_all((1..calls).map(|_| client.call_tool("t", json!({}))));
        let (first, rest) = tokio::join!(client.call_tool("t", json!({})), rest);
        assert!(rest.iter().all(Result::is_ok), "{answer:.100} concerns one call: {rest:?}");
        first
    };
    let (first, _) = tokio::join!(client, serve);
    first
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_end() {
    let (client, peer) = modern_pair().await;
    let call = client.call_tool("t", json!({}));
    let leave = async {
        tokio::task::yield_now().await;
        drop(peer);
    };
    let (result, ()) = tokio::join!(call, leave);
    assert!(matches!(&result, Err(Error::Connection(_))), "{result:?}");
    assert!(matches!(client.call_tool("t", json!({})).await, Err(Error::Connection(_))));
    assert!(matches!(client.server().await, Err(Error::Connection(_))));
    client.close().await;
}

#[tokio::test(start_paused = true)]
async fn closing_ends_what_is_under_way() {
    let (client, mut peer) = modern_pair().await;
    let closing = async {
        peer.expect("tools/call").await;
        client.clone().close().await;
        assert!(peer.0.next().await.is_none());
    };
    let (result, ()) = tokio::join!(client.call_tool("t", json!({})), closing);
    assert!(matches!(&result, Err(Error::Connection(why)) if why.contains("closed")), "{result:?}");
}

/// A server that talks and never listens costs a bounded amount, and not for ever.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_reads_is_given_up() {
    let (client, mut peer) = legacy().await;
    let started = Instant::now();
    let mut said = 0u64;
    let padding = "x".repeat(10_000);
    loop {
        let ping = json!({ "jsonrpc": "2.0", "id": format!("{said}{padding}"), "method": "ping" });
        if !peer.0.send(ping.to_string()).await {
            break;
        }
        said += 1;
        assert!(said < 2_000, "every answer is kept");
    }
    assert_eq!(started.elapsed().as_secs(), loggia::limits::Limits::default().write_timeout.as_secs());
    assert!(matches!(client.status(), Status::Closed(why) if why.contains("reads nothing")));
}
