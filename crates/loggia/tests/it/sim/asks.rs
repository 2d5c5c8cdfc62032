//! Questions to a legacy client while its request runs.

use std::time::Duration;

use loggia::edge::connection::AskKey;
use loggia::limits::Limits;
use loggia::transport::framing::BadFrame;
use loggia::wire::Version;
use loggia::wire::jsonrpc::{Id, PartialEnvelope};
use serde_json::{Value, json};

use super::machine::{Machine, call, cancel, form, initialize, modern};

fn answer(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn asking() -> Machine {
    let mut machine = Machine::session(Version::V2025_11_25);
    machine.say(call(1));
    machine.ask(1, machine.last_call());
    machine
}

fn outcome(machine: &Machine, ask: u64) -> Option<Result<Value, i64>> {
    machine.answers.get(&AskKey(ask)).map(|outcome| match outcome {
        Ok(result) => Ok(result.decode().expect("a result is JSON")),
        Err(error) => Err(error.code.0),
    })
}

#[test]
fn an_answer_that_is_too_long_fails_its_question() {
    let mut machine = asking();
    let question = machine.hear();
    let id = serde_json::from_value(question["id"].clone()).expect("an id");
    say_too_long(&mut machine, id, true);
    assert_eq!(outcome(&machine, 1), Some(Err(-32600)));
    machine.hears_nothing();
}

/// The client numbers its requests too: an error with this id would end another request of the client.
#[test]
fn a_response_that_is_too_long_and_answers_nothing_is_not_answered() {
    let mut machine = asking();
    machine.hear();
    say_too_long(&mut machine, Id::Number(99), true);
    say_too_long(&mut machine, Id::String("unknown".into()), true);
    assert_eq!(outcome(&machine, 1), None);
    machine.hears_nothing();
}

/// The method of a request may come last, after the long parameters.
#[test]
fn a_request_that_is_too_long_is_no_answer_though_its_id_is_that_of_a_question() {
    let mut machine = asking();
    let question = machine.hear();
    say_too_long(&mut machine, serde_json::from_value(question["id"].clone()).expect("an id"), false);
    assert_eq!(outcome(&machine, 1), None);
    let refused = machine.hear();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&question["id"], &json!(-32600)));
}

/// Sends a frame over the bound, of which the id was read, and whether it has a result or an error.
fn say_too_long(machine: &mut Machine, id: Id, has_outcome: bool) {
    let envelope = PartialEnvelope { id: Some(id), has_outcome, has_method: false, is_json_rpc: true };
    machine.connection.handle_frame(Err(BadFrame::TooLong { most: 9, envelope }), &machine.server);
    machine.perform();
}

#[test]
fn a_question_is_a_request_and_its_answer_finds_back() {
    let mut machine = asking();
    machine.ask(2, machine.last_call());
    let (first, second) = (machine.hear(), machine.hear());
    assert_eq!(first["method"], "elicitation/create");
    assert_ne!(first["id"], second["id"]);
    machine.say(answer(&second["id"], json!({ "action": "decline" })));
    machine.say(json!({ "jsonrpc": "2.0", "id": first["id"], "error": { "code": -1, "message": "no" } }));
    assert_eq!(outcome(&machine, 2), Some(Ok(json!({ "action": "decline" }))));
    assert_eq!(outcome(&machine, 1), Some(Err(-1)));
    machine.say(answer(&first["id"], json!({})));
    machine.say(answer(&json!("unknown"), json!({})));
    machine.hears_nothing();
}

#[test]
fn who_cannot_be_asked_is_not_asked() {
    let table: [(Version, Value, bool); 5] = [
        (Version::V2025_03_26, json!({ "elicitation": {} }), false),
        (Version::V2025_06_18, json!({}), false),
        (Version::V2025_06_18, json!({ "elicitation": {} }), true),
        (Version::V2025_11_25, json!({ "elicitation": { "url": {} } }), false),
        (Version::V2025_11_25, json!({ "elicitation": { "form": {} } }), true),
    ];
    for (version, capabilities, asked) in table {
        let mut machine = Machine::new();
        let mut hello = initialize(0, version.as_str());
        hello["params"]["capabilities"] = capabilities.clone();
        machine.say(hello);
        machine.hear();
        machine.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        machine.say(call(1));
        machine.ask(1, machine.last_call());
        assert_eq!(machine.sent.len(), usize::from(asked), "{version} {capabilities}");
        assert_eq!(outcome(&machine, 1).is_none(), asked, "{version} {capabilities}");
    }
}

#[test]
fn nobody_is_asked_before_initialized_or_in_the_modern_era() {
    let mut machine = Machine::new();
    machine.say(initialize(0, "2025-11-25"));
    machine.hear();
    machine.say(call(1));
    machine.ask(1, machine.last_call());
    assert_eq!(outcome(&machine, 1), Some(Err(-32600)));
    machine.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    machine.say(modern(call(2)));
    machine.ask(2, machine.last_call());
    assert!(matches!(outcome(&machine, 2), Some(Err(_))));
    machine.hears_nothing();
}

#[test]
fn a_question_is_withdrawn_with_its_request_or_by_itself() {
    let mut machine = asking();
    let question = machine.hear();
    let withdrawn = |machine: &mut Machine| {
        let notice = machine.hear();
        assert_eq!(notice["method"], "notifications/cancelled");
        notice["params"]["requestId"].clone()
    };
    machine.say(cancel(1));
    assert_eq!(withdrawn(&mut machine), question["id"]);
    machine.say(answer(&question["id"], json!({})));
    assert_eq!(outcome(&machine, 1), None, "nobody waits for a late answer");

    machine.say(call(2));
    machine.ask(2, machine.last_call());
    let question = machine.hear();
    machine.connection.handle_unask(AskKey(2));
    machine.perform();
    assert_eq!(withdrawn(&mut machine), question["id"]);

    machine.ask(3, machine.last_call());
    let question = machine.hear();
    machine.finish(machine.last_call());
    assert_eq!(withdrawn(&mut machine), question["id"]);
    assert_eq!(machine.hear()["id"], 2);
    machine.ask(4, loggia_key_of_finished(&machine));
    assert!(matches!(outcome(&machine, 4), Some(Err(_))), "a request that is over asks nothing");
}

/// A key that was used and is free.
fn loggia_key_of_finished(machine: &Machine) -> loggia::edge::connection::CallKey {
    machine.aborted[0]
}

#[test]
fn a_question_has_its_time() {
    let limits = Limits { ask_timeout: Duration::from_secs(60), ..Limits::default() };
    let mut machine = Machine::session_with(Version::V2025_11_25, limits);
    machine.say(call(1));
    machine.ask(1, machine.last_call());
    let question = machine.hear();
    machine.pass(Duration::from_secs(30));
    machine.ask(2, machine.last_call());
    machine.hear();
    machine.pass(Duration::from_secs(31));
    assert_eq!(machine.hear()["params"]["requestId"], question["id"]);
    assert!(matches!(outcome(&machine, 1), Some(Err(_))));
    assert_eq!(outcome(&machine, 2), None);
    assert_eq!(machine.connection.poll_timeout(), Some(machine.now + Duration::from_secs(29)));
}

#[test]
fn questions_are_bounded_and_their_answers_are_always_read() {
    let limits = Limits { asks: 2, requests_per_connection: 1, ..Limits::default() };
    let mut machine = Machine::session_with(Version::V2025_11_25, limits);
    machine.say(call(1));
    let running = machine.last_call();
    machine.say(call(2));
    assert!(!machine.connection.wants_input());
    (1..=3).for_each(|ask| machine.ask(ask, running));
    assert!(machine.connection.wants_input(), "the answer may be what everything waits for");
    assert!(matches!(outcome(&machine, 3), Some(Err(_))));
    machine.say(call(3));
    let refused = machine.hear_all().pop().expect("an answer");
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(3), &json!(-32603)));
}

#[test]
fn a_client_that_is_gone_answers_nothing() {
    let mut machine = asking();
    machine.hear();
    machine.connection.handle_end(machine.now, &machine.server);
    machine.perform();
    assert!(matches!(outcome(&machine, 1), Some(Err(_))));
    machine.connection.handle_ask(AskKey(2), machine.last_call(), form(), machine.now);
    machine.perform();
    assert!(matches!(outcome(&machine, 2), Some(Err(_))));
    machine.hears_nothing();
}
