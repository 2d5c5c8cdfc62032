//! The driver of a connection: tasks, back-pressure, timeouts, the end. Time is the runtime's paused clock:
//! it moves only when everything waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use loggia::edge::duplex;
use loggia::error::Error;
use loggia::limits::Limits;
use loggia::transport::framing::{LineReader, LineWriter};
use loggia::transport::memory::{self, MemoryTransport};
use loggia::transport::{Serve, Shutdown};
use loggia::wire::Version;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use super::machine::{cancel, initialize, modern, request};
use super::service::Script;

/// A client of the script.
struct Client {
    end: MemoryTransport,
    script: Arc<Script>,
    shutdown: Shutdown,
    served: JoinHandle<loggia::Result<()>>,
}

impl Client {
    fn with(limits: Limits) -> Client {
        let (end, server) = memory::pair();
        let (script, shutdown) = (Arc::new(Script::default()), Shutdown::new());
        let served = tokio::spawn(server.serve(script.clone(), limits, shutdown.clone()));
        Client { end, script, shutdown, served }
    }

    fn new() -> Client {
        Client::with(Limits::default())
    }

    async fn session(version: Version) -> Client {
        Client::session_with(version, Limits::default()).await
    }

    async fn session_with(version: Version, limits: Limits) -> Client {
        let mut client = Client::with(limits);
        client.say(initialize(0, version.as_str())).await;
        assert_eq!(client.hear().await["id"], 0);
        client.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        client
    }

    async fn say(&mut self, message: Value) {
        assert!(self.end.send(message.to_string()).await, "the server is there");
    }

    async fn hear(&mut self) -> Value {
        let message = self.end.next().await.expect("the server says something");
        serde_json::from_slice(&message).expect("the server sends JSON")
    }

    async fn result(&mut self, message: Value) -> Value {
        self.say(message).await;
        self.hear().await["result"].clone()
    }

    /// Everything that is still said, and how serving ended.
    async fn rest(mut self) -> (Vec<Value>, loggia::Result<()>) {
        let mut rest = Vec::new();
        while let Some(message) = self.end.next().await {
            rest.push(serde_json::from_slice(&message).expect("the server sends JSON"));
        }
        (rest, self.served.await.expect("the server does not panic"))
    }
}

fn call(id: i64, name: &str) -> Value {
    request(id, "tools/call", json!({ "name": name, "arguments": { "a": 1 } }))
}

fn with_form(mut message: Value) -> Value {
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    message
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("not a text: {result}"))
}

/// Lets every other task run until `done`.
async fn until(done: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if done() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never happened");
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_and_calls_that_do_not() {
    let mut client = Client::session(Version::V2025_11_25).await;
    client.say(call(1, "yield")).await;
    client.say(call(2, "echo")).await;
    client.say(modern(call(3, "panic"))).await;
    client.say(call(4, "echo")).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(client.hear().await);
    }
    answers.sort_by_key(|answer| answer["id"].as_i64());
    assert_eq!(text(&answers[0]["result"]), "later");
    assert_eq!(text(&answers[1]["result"]), "{\"a\":1}");
    assert_eq!(answers[2]["error"]["code"], -32603);
    assert_eq!(text(&answers[3]["result"]), "{\"a\":1}", "the call after a panic works");
}

#[tokio::test(start_paused = true)]
async fn what_a_call_says_comes_before_its_answer() {
    let mut client = Client::session(Version::V2025_06_18).await;
    let mut message = call(1, "noise");
    message["params"]["_meta"] = json!({ "progressToken": 77 });
    client.say(message).await;
    let mut heard = Vec::new();
    loop {
        let message = client.hear().await;
        if message.get("result").is_some() {
            break;
        }
        assert!(message["params"]["progressToken"].is_null() || message["params"]["progressToken"] == 77);
        heard.push(message["method"].as_str().expect("a notification").to_owned());
    }
    assert_eq!(heard, ["notifications/progress", "notifications/message"].repeat(3));
    let (rest, _) = {
        client.shutdown.begin();
        client.rest().await
    };
    assert_eq!(rest, [] as [Value; 0], "nothing comes after the answer");
}

#[tokio::test(start_paused = true)]
async fn changes_reach_those_who_asked() {
    let mut client = Client::session(Version::V2025_11_25).await;
    assert_eq!(client.result(request(1, "resources/subscribe", json!({ "uri": "a:1" }))).await, json!({}));
    client
        .say(modern(request(
            "l",
            "subscriptions/listen",
            json!({ "notifications": { "toolsListChanged": true } }),
        )))
        .await;
    assert_eq!(client.hear().await["method"], "notifications/subscriptions/acknowledged");
    client.say(call(2, "change")).await;
    let mut heard = Vec::new();
    for _ in 0..4 {
        let message = client.hear().await;
        let subscription = &message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
        heard.push((
            message["method"].as_str().unwrap_or("answer").to_owned(),
            subscription.as_str().is_some(),
        ));
    }
    heard.sort();
    let expected = [
        ("answer", false),
        ("notifications/resources/updated", false),
        ("notifications/tools/list_changed", false),
        ("notifications/tools/list_changed", true),
    ];
    assert_eq!(heard, expected.map(|(method, modern)| (method.to_owned(), modern)));
    client.shutdown.begin();
    let (rest, served) = client.rest().await;
    assert_eq!((&rest[0]["id"], &rest[1]["method"]), (&json!("l"), &json!("notifications/cancelled")));
    served.expect("a shutdown is no error");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_panics_over_a_subscription_goes_on() {
    let mut client = Client::session(Version::V2025_11_25).await;
    let filter = json!({ "notifications": { "resourceSubscriptions": ["a:panic"] } });
    let refused = [
        request(1, "resources/subscribe", json!({ "uri": "a:panic" })),
        modern(request(2, "subscriptions/listen", filter)),
    ];
    for message in refused {
        client.say(message.clone()).await;
        assert_eq!(client.hear().await["error"]["code"], -32603, "{message}");
    }
    assert_eq!(client.result(request(3, "resources/subscribe", json!({ "uri": "a:1" }))).await, json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_is_dropped() {
    let mut client = Client::session(Version::V2025_11_25).await;
    client.say(call(1, "hang")).await;
    client.say(call(2, "echo")).await;
    client.hear().await;
    client.say(cancel(1)).await;
    let dropped = client.script.dropped.clone();
    until(|| dropped.load(Ordering::SeqCst) == 1).await;
    client.say(call(1, "echo")).await;
    assert_eq!(client.hear().await["id"], 1, "its id is free again");
}

#[tokio::test(start_paused = true)]
async fn a_live_question_is_an_await() {
    let mut client = Client::session(Version::V2025_06_18).await;
    client.say(call(1, "ask")).await;
    let question = client.hear().await;
    assert_eq!(question["method"], "elicitation/create");
    client.say(call(2, "echo")).await;
    assert_eq!(client.hear().await["id"], 2, "others are served meanwhile");
    client.say(json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "action": "cancel" } })).await;
    assert_eq!(text(&client.hear().await["result"]), "{\"action\":\"cancel\"}");
    assert_eq!(text(&client.result(modern(call(3, "ask"))).await), "nobody to ask");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_answers_is_withdrawn() {
    let mut client = Client::session(Version::V2025_06_18).await;
    client.say(call(1, "ask")).await;
    let question = client.hear().await;
    // Nothing else happens, so the clock advances to the limit.
    let withdrawn = client.hear().await;
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    assert_eq!(client.hear().await["error"]["code"], -32603);

    client.say(call(2, "ask")).await;
    let question = client.hear().await;
    client.say(cancel(2)).await;
    assert_eq!(client.hear().await["params"]["requestId"], question["id"], "a cancelled call asks no more");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_answers_with_questions_serves_both_eras() {
    let mut client = Client::session(Version::V2025_11_25).await;
    client.say(call(1, "input")).await;
    let question = client.hear().await;
    assert_eq!(question["params"]["message"], "Which city?");
    client.say(json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "action": "accept" } })).await;
    assert_eq!(text(&client.hear().await["result"]), "{\"action\":\"accept\"} +");

    let result = client.result(with_form(modern(call(2, "input")))).await;
    assert_eq!((&result["resultType"], &result["requestState"]), (&json!("input_required"), &json!("+")));
    assert_eq!(result["inputRequests"]["city"]["method"], "elicitation/create");
    client.say(modern(call(3, "input"))).await;
    let refused = client.hear().await;
    assert_eq!(refused["error"]["code"], -32021);
    assert_eq!(refused["error"]["data"]["requiredCapabilities"], json!({ "elicitation": { "form": {} } }));
}

#[tokio::test(start_paused = true)]
async fn rounds_are_bounded_and_a_refusal_ends_them() {
    let limits = Limits { input_rounds: 3, ..Limits::default() };
    let mut client = Client::session_with(Version::V2025_11_25, limits).await;
    client.say(call(1, "for ever")).await;
    for _ in 0..3 {
        let question = client.hear().await;
        client.say(json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "action": "accept" } })).await;
    }
    assert_eq!(client.hear().await["error"]["code"], -32603);
    client.say(call(2, "for ever")).await;
    let question = client.hear().await;
    let error = json!({ "code": -1, "message": "Not today" });
    client.say(json!({ "jsonrpc": "2.0", "id": question["id"], "error": error })).await;
    let answer = client.hear().await;
    assert_eq!(answer["error"]["code"], -1);
    assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains("Not today")));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_waits_for_what_runs() {
    let (script, shutdown) = (Arc::new(Script::default()), Shutdown::new());
    let (client, server) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(server);
    let limits = Limits { drain: Duration::from_secs(5), ..Limits::default() };
    let most = limits.message_bytes;
    let served = tokio::spawn(duplex::serve(
        script.clone(),
        LineReader::new(reader, most),
        LineWriter::new(writer),
        limits,
        shutdown,
    ));
    let (mut output, mut input) = tokio::io::split(client);
    let lines = [modern(call(1, "yield")), modern(call(2, "hang"))].map(|message| format!("{message}\n"));
    input.write_all(lines.concat().as_bytes()).await.expect("the pipe is large");
    input.shutdown().await.expect("the pipe can be closed");
    let started = tokio::time::Instant::now();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut output, &mut text).await.expect("UTF-8");
    assert_eq!(started.elapsed().as_secs(), 5, "what hangs is given up after the drain");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&json!(1), &json!(2)));
    assert!(answers[0].get("result").is_some() && answers[1].get("error").is_some());
    served.await.expect("no panic").expect("the end of input is no error");
    until(|| script.dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_takes_its_calls_with_it() {
    let mut client = Client::session(Version::V2025_11_25).await;
    client.say(call(1, "hang")).await;
    let (started, dropped) = (client.script.started.clone(), client.script.dropped.clone());
    until(|| started.load(Ordering::SeqCst) == 1).await;
    let Client { end, served, .. } = client;
    drop(end);
    served.await.expect("no panic").expect("a client may go");
    until(|| dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_costs_a_bounded_amount_and_is_given_up() {
    for tool in ["big", "hang", "yield"] {
        let script = Arc::new(Script::default());
        let (mut client, server) = tokio::io::duplex(4096);
        let (reader, writer) = tokio::io::split(server);
        let limits = Limits { write_buffer: 1 << 20, requests_per_connection: 8, ..Limits::default() };
        let most = limits.message_bytes;
        let served = duplex::serve(
            script.clone(),
            LineReader::new(reader, most),
            LineWriter::new(writer),
            limits,
            Shutdown::new(),
        );
        let flood = async {
            for id in 0.. {
                let line = format!("{}\n", modern(call(id, tool)));
                if client.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
                if script.started.load(Ordering::SeqCst) > 100_000 {
                    panic!("{tool}: the flood is never stopped");
                }
            }
        };
        let an_hour = Duration::from_secs(3600);
        let ended = tokio::select! {
            ended = tokio::time::timeout(an_hour, served) => ended,
            () = flood => panic!("{tool}: the flood ended by itself"),
        };
        match ended {
            // Calls that hang write nothing, so nothing is stalled: the flood is merely held back.
            Err(_) => assert_eq!(tool, "hang"),
            Ok(ended) => assert!(matches!(ended, Err(Error::Connection(_))), "{tool}: {ended:?}"),
        }
        let started = script.started.load(Ordering::SeqCst);
        let most = match tool {
            "big" => 12 + 8, // a write buffer of a megabyte, a hundred kilobytes at a time, and what may run
            "hang" => 8,     // no more than may run
            _ => 20_000,     // answers of some sixty bytes
        };
        assert!(started <= most, "{tool}: {started} calls were started");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_answers_what_runs() {
    let mut client = Client::session(Version::V2025_11_25).await;
    client.say(call(1, "yield")).await;
    let started = client.script.started.clone();
    until(|| started.load(Ordering::SeqCst) == 1).await;
    client.shutdown.begin();
    let (rest, served) = client.rest().await;
    assert_eq!(rest.iter().map(|answer| &answer["id"]).collect::<Vec<_>>(), [1]);
    served.expect("a shutdown is no error");
    let client = Client::new();
    client.shutdown.begin();
    client.rest().await.1.expect("a shutdown is no error");
}
