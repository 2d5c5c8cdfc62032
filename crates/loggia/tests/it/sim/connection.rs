//! One connection: eras, ids, batches, cancellation, what a request may say, bounds, and the end.

use std::time::Duration;

use loggia::limits::Limits;
use loggia::model::{LogParams, LoggingLevel, ServerNotification};
use loggia::transport::framing::BadFrame;
use loggia::wire::Version;
use loggia::wire::jsonrpc::{Id, PartialEnvelope};
use serde_json::{Value, json};

use super::machine::{Machine, call, cancel, everything, initialize, modern, request};

#[test]
fn the_session_has_the_requested_revision_or_our_newest() {
    let table = [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        ("", "2025-11-25"),
    ];
    for (requested, negotiated) in table {
        let mut machine = Machine::new();
        machine.say(initialize(1, requested));
        assert_eq!(machine.hear()["result"]["protocolVersion"], negotiated, "{requested}");
    }
}

#[test]
fn the_answer_to_initialize_has_what_its_revision_has() {
    let of = |version: &str| {
        let mut machine = Machine::new();
        machine.server.identity = machine.server.identity.clone().title("Simulation");
        machine.say(initialize(1, version));
        machine.hear()["result"].clone()
    };
    let oldest = of("2024-11-05");
    assert_eq!(oldest["serverInfo"], json!({ "name": "sim", "version": "1.0.0" }));
    assert_eq!(oldest["capabilities"]["completions"], Value::Null);
    assert_eq!(oldest["instructions"], "Be kind.");
    let newest = of("2025-11-25");
    assert_eq!(newest["serverInfo"]["title"], "Simulation");
    assert_eq!(newest["capabilities"]["completions"], json!({}));
    assert_eq!(newest["resultType"], Value::Null);
}

#[test]
fn a_server_of_one_era_says_so() {
    let mut server = everything();
    server.versions = vec![Version::V2026_07_28];
    let mut machine = Machine::with(Limits::default(), server);
    machine.say(initialize(1, "2025-11-25"));
    let error = machine.hear()["error"].clone();
    assert_eq!(error["data"]["supported"], json!(["2026-07-28"]));

    let mut legacy = everything();
    legacy.versions = vec![Version::V2025_06_18, Version::V2025_11_25];
    let mut machine = Machine::with(Limits::default(), legacy);
    machine.say(modern(request(1, "server/discover", json!({}))));
    let code = machine.hear()["error"]["code"].clone();
    // -32022 would tell a probing client that this is a modern server.
    assert_eq!(code, -32602);
    machine.say(initialize(2, "2024-11-05"));
    assert_eq!(machine.hear()["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn a_request_without_an_era_is_told_what_to_do() {
    let mut machine = Machine::new();
    machine.say(call(1));
    let error = machine.hear();
    assert_eq!(error["id"], 1);
    assert_eq!(error["error"]["code"], -32602);
    assert_eq!(error["error"]["data"]["supported"], json!(Version::ALL));
    let message = error["error"]["message"].as_str().expect("a message");
    assert!(message.contains("initialize") && message.contains("protocolVersion"), "{message}");

    machine.say(request(2, "ping", json!({})));
    assert_eq!(machine.hear(), json!({ "jsonrpc": "2.0", "id": 2, "result": {} }));
}

#[test]
fn both_eras_are_served_at_once() {
    let mut machine = Machine::session(Version::V2025_06_18);
    machine.say(call(1));
    machine.say(modern(call(2)));
    let [old, new] = [0, 1].map(|n| *machine.calls.keys().nth(n).expect("two calls run"));
    assert_eq!(machine.calls[&old].meta.version, Version::V2025_06_18);
    assert_eq!(machine.calls[&new].meta.version, Version::V2026_07_28);
    assert_eq!(machine.calls[&new].meta.client_info, None);
    machine.finish(new);
    machine.finish(old);
    assert_eq!(machine.hear()["result"]["resultType"], "complete");
    assert_eq!(machine.hear()["result"]["resultType"], Value::Null);
}

#[test]
fn methods_exist_in_their_era_alone() {
    let table = [
        ("ping", true, false),
        ("logging/setLevel", true, false),
        ("resources/subscribe", true, false),
        ("resources/unsubscribe", true, false),
        ("initialize", true, false),
        ("server/discover", false, true),
        ("subscriptions/listen", false, true),
        ("elicitation/create", false, false),
        ("notifications/progress", false, false),
        ("x/unknown", true, true),
    ];
    for (method, in_session, in_modern) in table {
        let mut machine = Machine::session(Version::V2025_11_25);
        let exists =
            |machine: &mut Machine| machine.sent.pop_front().is_none_or(|m| m["error"]["code"] != -32601);
        machine.say(request(1, method, json!({ "uri": "a:b", "level": "info" })));
        assert_eq!(exists(&mut machine), in_session, "{method} in a session");
        machine.say(modern(request(2, method, json!({ "notifications": {} }))));
        assert_eq!(exists(&mut machine), in_modern, "{method} without one");
    }
}

#[test]
fn a_modern_request_is_complete_or_refused() {
    let table = [
        (json!({}), -32602),
        (json!({ "io.modelcontextprotocol/clientCapabilities": 1 }), -32602),
        (json!({ "io.modelcontextprotocol/protocolVersion": 1 }), -32602),
        (json!({ "io.modelcontextprotocol/protocolVersion": "1900-01-01" }), -32022),
        (json!({ "io.modelcontextprotocol/logLevel": "loud" }), -32602),
        (json!({ "progressToken": [] }), -32602),
    ];
    for (wrong, code) in table {
        let mut message = modern(call(1));
        for (key, value) in wrong.as_object().expect("a table of objects") {
            message["params"]["_meta"][key] = value.clone();
        }
        if wrong == json!({}) {
            message["params"]["_meta"]
                .as_object_mut()
                .expect("there is one")
                .remove("io.modelcontextprotocol/clientCapabilities");
        }
        let mut machine = Machine::new();
        machine.say(message);
        let answer = machine.hear();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(code)), "{wrong}: {answer}");
    }
}

#[test]
fn a_second_initialize_is_refused() {
    let mut machine = Machine::session(Version::V2025_03_26);
    machine.say(initialize(5, "2025-11-25"));
    assert_eq!(machine.hear()["error"]["code"], -32600);
    assert_eq!(machine.connection.session_version(), Some(Version::V2025_03_26));
}

#[test]
fn an_id_names_one_request_at_a_time() {
    let mut machine = Machine::session(Version::V2025_11_25);
    machine.say(call(1));
    machine.say(call(1));
    machine.say(modern(call(1)));
    machine.say(call("1"));
    let refused: Vec<Value> = machine.hear_all();
    assert_eq!(refused.iter().map(|r| &r["error"]["code"]).collect::<Vec<_>>(), [-32600, -32600]);
    assert_eq!(machine.calls.len(), 2, "a number and a string are different ids");
    let first = *machine.calls.keys().next().expect("a call runs");
    machine.finish(first);
    assert_eq!(machine.hear()["id"], 1);
    machine.say(call(1));
    assert_eq!(machine.calls.len(), 2, "an answered id may be used again");
}

#[test]
fn a_batch_is_answered_as_one() {
    let mut machine = Machine::session(Version::V2025_03_26);
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {} });
    let ping = request(4, "ping", json!({}));
    machine.say(
        json!([call(1), progress, call(2), call(3), ping, { "jsonrpc": "1.0", "id": 5, "method": "x" }]),
    );
    machine.hears_nothing();
    let keys: Vec<_> = machine.calls.keys().copied().collect();
    machine.finish(keys[2]);
    machine.say(cancel(1));
    machine.hears_nothing();
    machine.finish(keys[1]);
    let answer = machine.hear();
    let ids: Vec<&Value> = answer.as_array().expect("an array").iter().map(|member| &member["id"]).collect();
    assert_eq!(ids, [4, 5, 3, 2]);
    machine.hears_nothing();
}

#[test]
fn batches_without_an_answer_and_revisions_without_batches() {
    let mut machine = Machine::session(Version::V2024_11_05);
    machine.say(json!([{ "jsonrpc": "2.0", "method": "notifications/roots/list_changed" }]));
    machine.say(json!([call(1)]));
    machine.say(cancel(1));
    machine.hears_nothing();
    machine.say(json!([]));
    assert_eq!(
        machine.hear(),
        json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": "The batch is empty" } })
    );

    for mut machine in [Machine::new(), Machine::session(Version::V2025_06_18)] {
        machine.say(json!([request(1, "ping", json!({}))]));
        assert_eq!(machine.hear()["error"]["code"], -32600);
    }
}

#[test]
fn a_cancellation_and_an_answer_may_cross() {
    for wrap in [|message| message, modern as fn(Value) -> Value] {
        let mut machine = Machine::session(Version::V2025_11_25);
        machine.say(wrap(call(1)));
        let key = machine.last_call();
        machine.say(cancel(1));
        assert_eq!(machine.aborted, [key]);
        machine.finish(key);
        machine.progress(key, 1.0);
        machine.hears_nothing();

        machine.say(wrap(call(1)));
        let key = machine.last_call();
        machine.finish(key);
        machine.say(cancel(1));
        machine.say(cancel("never"));
        machine.say(
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": [] } }),
        );
        assert_eq!(machine.hear()["result"]["content"][0]["text"], "done");
        machine.hears_nothing();
        assert_eq!(machine.aborted.len(), 1);
    }
}

#[test]
fn progress_goes_to_its_token_and_grows() {
    let mut machine = Machine::session(Version::V2024_11_05);
    machine.say(call(1));
    let silent = machine.last_call();
    machine.progress(silent, 1.0);
    machine.hears_nothing();

    let mut message = call(2);
    message["params"]["_meta"] = json!({ "progressToken": "t" });
    machine.say(message);
    let key = machine.last_call();
    for progress in [1.0, 3.0, 2.0, 3.0, 4.5] {
        machine.progress(key, progress);
    }
    machine.finish(key);
    machine.progress(key, 9.0);
    let heard = machine.hear_all();
    let shown: Vec<&Value> = heard[..3].iter().map(|m| &m["params"]["progress"]).collect();
    assert_eq!(shown, [1.0, 3.0, 4.5]);
    assert_eq!(heard[0]["params"]["progressToken"], "t");
    assert_eq!((heard.len(), &heard[3]["id"]), (4, &json!(2)));
}

#[test]
fn log_messages_are_sent_at_the_level_asked_for() {
    let log = |machine: &mut Machine, level| {
        let key = machine.last_call();
        machine.notify(key, ServerNotification::Log(LogParams::new(level, "x")));
        !machine.hear_all().is_empty()
    };
    let mut machine = Machine::session(Version::V2025_11_25);
    machine.say(call(1));
    assert!(!log(&mut machine, LoggingLevel::Debug));
    assert!(log(&mut machine, LoggingLevel::Info), "until the client says otherwise");
    machine.say(request(2, "logging/setLevel", json!({ "level": "error" })));
    assert_eq!(machine.hear()["result"], json!({}));
    assert!(!log(&mut machine, LoggingLevel::Warning), "the level counts for what runs already");
    assert!(log(&mut machine, LoggingLevel::Emergency));
    machine.say(request(3, "logging/setLevel", json!({ "level": "loud" })));
    assert_eq!(machine.hear()["error"]["code"], -32602);

    machine.say(modern(call(4)));
    assert!(!log(&mut machine, LoggingLevel::Emergency), "a session's level is not a modern request's");
    let mut message = modern(call(5));
    message["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("notice");
    machine.say(message);
    assert!(!log(&mut machine, LoggingLevel::Info));
    assert!(log(&mut machine, LoggingLevel::Notice));
}

#[test]
fn more_requests_than_may_run_wait_for_their_turn() {
    let limits = Limits { requests_per_connection: 2, ..Limits::default() };
    let mut machine = Machine::session_with(Version::V2025_11_25, limits);
    for id in 1..=4 {
        assert!(machine.connection.wants_input());
        machine.say(call(id));
    }
    assert!(!machine.connection.wants_input(), "the peer is slowed down");
    machine.say(call(5));
    assert_eq!(machine.hear()["error"]["code"], -32603, "and what it sends anyway is refused");
    assert_eq!(machine.calls.len(), 2);
    machine.say(cancel(3));
    let first = *machine.calls.keys().next().expect("a call runs");
    machine.finish(first);
    assert_eq!(machine.hear()["id"], 1);
    let running: Vec<_> = machine.calls.keys().copied().collect();
    running.into_iter().for_each(|key| machine.finish(key));
    let answered: Vec<Value> = machine.hear_all().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(answered, [2, 4], "in their order, without the cancelled one");
}

#[test]
fn large_requests_wait_for_each_other() {
    let limits = Limits { in_flight_bytes: 150, ..Limits::default() };
    let mut machine = Machine::session_with(Version::V2025_11_25, limits);
    (1..=3).for_each(|id| machine.say(request(id, "tools/call", json!({ "name": "x".repeat(60) }))));
    assert_eq!(machine.calls.len(), 1);
    machine.finish(machine.last_call());
    assert_eq!(machine.calls.len(), 1);
    let mut machine =
        Machine::session_with(Version::V2025_11_25, Limits { in_flight_bytes: 1, ..Limits::default() });
    machine.say(call(1));
    assert_eq!(machine.calls.len(), 1, "one request always runs");
}

#[test]
fn a_shutdown_lets_running_requests_finish() {
    let mut machine = Machine::session(Version::V2025_11_25);
    machine.say(call(1));
    machine.connection.close(machine.now, &machine.server);
    machine.perform();
    machine.say(call(2));
    assert_eq!(machine.hear()["error"]["message"], "The server is shutting down");
    assert!(!machine.closed);
    machine.finish(machine.last_call());
    assert_eq!(machine.hear()["id"], 1);
    assert!(machine.closed);
    assert_eq!(machine.connection.poll_timeout(), None);
}

#[test]
fn a_shutdown_does_not_wait_for_ever() {
    let limits = Limits { drain: Duration::from_secs(3), requests_per_connection: 1, ..Limits::default() };
    let mut machine = Machine::session_with(Version::V2025_11_25, limits);
    machine.say(call(1));
    machine.say(modern(call(2)));
    machine.connection.handle_end(machine.now, &machine.server);
    machine.pass(Duration::from_secs(2));
    assert!(!machine.closed);
    machine.pass(Duration::from_secs(2));
    assert!(machine.closed);
    let ids: Vec<Value> = machine.hear_all().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [1, 2], "each is told that it was not finished");
    assert_eq!(machine.aborted.len(), 2);
    machine.say(call(3));
    machine.hears_nothing();
}

#[test]
fn an_idle_connection_closes_at_once() {
    let mut machine = Machine::new();
    machine.connection.handle_end(machine.now, &machine.server);
    machine.perform();
    assert!(machine.closed);
}

fn too_long(envelope: PartialEnvelope) -> BadFrame {
    BadFrame::TooLong { most: 9, envelope }
}

#[test]
fn a_frame_that_is_too_long_is_answered_with_its_id() {
    for version in [None, Some(Version::V2024_11_05), Some(Version::V2025_11_25)] {
        let mut machine = version.map_or_else(Machine::new, Machine::session);
        let envelope = PartialEnvelope {
            id: Some(Id::from("seven")),
            has_method: true,
            is_json_rpc: true,
            ..PartialEnvelope::default()
        };
        machine.connection.handle_frame(Err(too_long(envelope)), &machine.server);
        machine.perform();
        let answer = machine.hear();
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!("seven"), &json!(-32600)),
            "{version:?}"
        );
    }
}

#[test]
fn what_is_no_frame_is_answered_in_the_form_of_the_revision() {
    let table = [
        (None, json!({ "jsonrpc": "2.0" })),
        (Some(Version::V2024_11_05), json!({ "jsonrpc": "2.0", "id": null })),
        (Some(Version::V2025_06_18), json!({ "jsonrpc": "2.0", "id": null })),
        (Some(Version::V2025_11_25), json!({ "jsonrpc": "2.0" })),
    ];
    for (version, mut expected) in table {
        let mut machine = version.map_or_else(Machine::new, Machine::session);
        machine.connection.handle_frame(Err(too_long(PartialEnvelope::default())), &machine.server);
        machine.perform();
        let message = "The message is longer than 9 bytes, the most accepted here";
        expected["error"] = json!({ "code": -32600, "message": message });
        assert_eq!(machine.hear(), expected, "{version:?}");
    }
}
