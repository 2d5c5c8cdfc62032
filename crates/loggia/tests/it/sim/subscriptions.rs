//! Streams of changes: of a legacy session, and of `subscriptions/listen`.

use loggia::changes::Change;
use loggia::edge::connection::CallKey;
use loggia::limits::Limits;
use loggia::model::SubscriptionFilter;
use loggia::wire::{RpcError, Version};
use serde_json::{Value, json};

use super::machine::{Machine, call, cancel, modern, request};

const ID: &str = "io.modelcontextprotocol/subscriptionId";

fn listen(id: impl Into<Value>, notifications: Value) -> Value {
    modern(request(id, "subscriptions/listen", json!({ "notifications": notifications })))
}

fn change(machine: &mut Machine, key: CallKey, change: Change) {
    machine.connection.handle_change(key, change);
    machine.perform();
}

#[test]
fn a_session_hears_of_every_list_the_server_announces() {
    let mut machine = Machine::new();
    machine.initialize(Version::V2024_11_05);
    let (key, filter) = machine.opening.pop_front().expect("a stream is opened with the session");
    let all = SubscriptionFilter {
        tools_list_changed: Some(true),
        prompts_list_changed: Some(true),
        resources_list_changed: Some(true),
        ..SubscriptionFilter::default()
    };
    assert_eq!(filter, all);
    machine.connection.handle_listening(key, Ok(filter), &machine.server);
    change(&mut machine, key, Change::Tools);
    change(&mut machine, key, Change::Resource("a:b".to_owned()));
    assert_eq!(machine.hear(), json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }));
    let updated =
        json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": "a:b" } });
    assert_eq!(machine.hear(), updated);
}

#[test]
fn a_subscription_is_answered_when_it_hears() {
    let mut machine = Machine::session(Version::V2025_11_25);
    machine.say(request(1, "resources/subscribe", json!({ "uri": "a:1" })));
    machine.say(request(2, "resources/subscribe", json!({ "uri": "a:2" })));
    machine.hears_nothing();
    let uris = |filter: &SubscriptionFilter| filter.resource_subscriptions.clone().unwrap_or_default();
    assert_eq!(uris(&machine.opening[0].1), ["a:1"]);
    assert_eq!(uris(&machine.opening[1].1), ["a:1", "a:2"]);
    machine.open_streams();
    assert_eq!(machine.hear(), json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    assert_eq!(machine.hear()["id"], 2);

    machine.say(request(3, "resources/subscribe", json!({ "uri": "a:1" })));
    assert_eq!(machine.hear()["result"], json!({}), "nothing changed, nothing to wait for");
    machine.say(request(4, "resources/unsubscribe", json!({ "uri": "a:1" })));
    assert_eq!(uris(&machine.opening[0].1), ["a:2"]);
    machine.open_streams();
    assert_eq!(machine.hear()["id"], 4);
}

#[test]
fn a_subscription_that_the_service_refuses_is_forgotten() {
    let mut machine = Machine::session(Version::V2025_06_18);
    machine.say(request(1, "resources/subscribe", json!({ "uri": "a:1" })));
    let (key, _) = machine.opening.pop_front().expect("a stream is opened");
    machine.connection.handle_listening(key, Ok(SubscriptionFilter::default()), &machine.server);
    machine.perform();
    assert_eq!(machine.hear()["error"]["code"], -32002);
    machine.say(request(2, "resources/subscribe", json!({ "uri": "a:2" })));
    let (key, filter) = machine.opening.pop_front().expect("a stream is opened");
    assert_eq!(filter.resource_subscriptions, Some(vec!["a:2".to_owned()]));
    let error = RpcError::internal("r");
    machine.connection.handle_listening(key, Err(error), &machine.server);
    machine.perform();
    assert_eq!(machine.hear()["error"]["code"], -32603);
}

#[test]
fn subscriptions_are_bounded() {
    let limits = Limits { subscriptions: 1, uri_bytes: 5, requests_per_connection: 1, ..Limits::default() };
    let mut machine = Machine::session_with(Version::V2025_11_25, limits);
    machine.say(request(1, "resources/subscribe", json!({ "uri": "a:1" })));
    machine.open_streams();
    assert_eq!(machine.hear()["result"], json!({}));
    let refused = [
        request(2, "resources/subscribe", json!({ "uri": "a:2" })),
        request(3, "resources/subscribe", json!({ "uri": "a:long" })),
        request(4, "resources/subscribe", json!({})),
        listen(5, json!({ "resourceSubscriptions": ["a:1", "a:2"] })),
        listen(6, json!({ "resourceSubscriptions": ["a:long"] })),
        listen(7, json!({ "toolsListChanged": "yes" })),
        modern(request(8, "subscriptions/listen", json!({}))),
    ];
    for message in refused {
        machine.say(message.clone());
        assert_eq!(machine.hear()["error"]["code"], -32602, "{message}");
    }
    machine.say(listen(9, json!({})));
    machine.say(listen(10, json!({})));
    assert_eq!(machine.hear()["id"], 10, "one subscription is open already");
}

#[test]
fn all_uris_together_are_bounded() {
    let limits = Limits { subscription_bytes: 8, ..Limits::default() };
    let mut machine = Machine::session_with(Version::V2025_11_25, limits);
    for (id, uri, fits) in [(1, "a:12", true), (2, "a:34", true), (3, "a:5", false), (4, "a:12", true)] {
        machine.say(request(id, "resources/subscribe", json!({ "uri": uri })));
        machine.open_streams();
        assert_eq!(machine.hear().get("result").is_some(), fits, "{uri}");
    }
    for (uris, fits) in [(["a:12", "a:34"], true), (["a:12", "a:345"], false)] {
        machine.say(listen(uris[1], json!({ "resourceSubscriptions": uris })));
        machine.open_streams();
        let heard = machine.hear();
        assert_eq!(heard["error"]["code"] != -32602, fits, "{heard}");
    }
}

#[test]
fn changes_of_subscriptions_that_wait_are_bounded() {
    let limits = Limits { requests_per_connection: 2, ..Limits::default() };
    let mut machine = Machine::session_with(Version::V2025_11_25, limits);
    for (id, method) in [(1, "resources/subscribe"), (2, "resources/unsubscribe"), (3, "resources/subscribe")]
    {
        machine.say(request(id, method, json!({ "uri": "a:1" })));
    }
    let refused = machine.hear();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(3), &json!(-32603)));
    machine.open_streams();
    assert_eq!([machine.hear()["id"].clone(), machine.hear()["id"].clone()], [json!(1), json!(2)]);
    machine.say(request(4, "resources/subscribe", json!({ "uri": "a:1" })));
    machine.open_streams();
    assert_eq!(machine.hear()["result"], json!({}));
}

#[test]
fn a_listen_request_is_acknowledged_first_and_names_itself() {
    for id in [json!(7), json!("seven")] {
        let mut machine = Machine::new();
        machine.say(listen(id.clone(), json!({ "toolsListChanged": true, "promptsListChanged": true })));
        let (key, filter) = machine.opening.pop_front().expect("a stream is opened");
        change(&mut machine, key, Change::Tools);
        machine.hears_nothing();
        let accepted = SubscriptionFilter { prompts_list_changed: None, ..filter };
        machine.connection.handle_listening(key, Ok(accepted), &machine.server);
        change(&mut machine, key, Change::Tools);
        let acknowledged = machine.hear();
        assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(acknowledged["params"]["notifications"], json!({ "toolsListChanged": true }));
        assert_eq!(acknowledged["params"]["_meta"][ID], id);
        let changed = machine.hear();
        assert_eq!(changed["method"], "notifications/tools/list_changed");
        assert_eq!(changed["params"]["_meta"][ID], id);
    }
}

#[test]
fn a_client_ends_its_subscription_silently() {
    let mut machine = Machine::new();
    machine.say(listen(1, json!({})));
    machine.open_streams();
    machine.hear();
    let keys = [1].map(|_| machine.unlistened.len());
    machine.say(cancel(1));
    assert_eq!((keys, machine.unlistened.len()), ([0], 1));
    let key = machine.unlistened[0];
    change(&mut machine, key, Change::Tools);
    machine.connection.handle_listen_end(key, &machine.server);
    machine.perform();
    machine.hears_nothing();
}

#[test]
fn a_server_ends_a_subscription_with_a_result_and_a_cancellation() {
    let mut machine = Machine::new();
    machine.say(listen("s", json!({ "toolsListChanged": true })));
    machine.say(modern(call(2)));
    let key = machine.opening[0].0;
    machine.open_streams();
    machine.hear();
    machine.connection.close(machine.now, &machine.server);
    machine.perform();
    let result = machine.hear();
    assert_eq!((&result["id"], &result["result"]["resultType"]), (&json!("s"), &json!("complete")));
    assert_eq!(result["result"]["_meta"][ID], "s");
    let cancelled = machine.hear();
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], "s");
    change(&mut machine, key, Change::Tools);
    machine.hears_nothing();
    assert!(!machine.closed, "a call still runs");
    machine.finish(machine.last_call());
    assert!(machine.closed);
}

#[test]
fn a_subscription_that_cannot_be_opened_is_an_error() {
    let mut machine = Machine::new();
    machine.say(listen(1, json!({})));
    let (key, _) = machine.opening.pop_front().expect("a stream is opened");
    machine.connection.handle_listening(key, Err(RpcError::internal("r")), &machine.server);
    machine.perform();
    assert_eq!(machine.hear()["error"]["code"], -32603);
    machine.say(listen(1, json!({})));
    assert_eq!(machine.opening.len(), 1, "the id is free again");
}

#[test]
fn a_subscription_gets_another_stream_when_the_first_ends() {
    let mut machine = Machine::session(Version::V2025_11_25);
    machine.say(request(1, "resources/subscribe", json!({ "uri": "a:1" })));
    let (ended, _) = machine.opening.pop_front().expect("a stream is opened");
    machine.connection.handle_listen_end(ended, &machine.server);
    machine.perform();
    machine.open_streams();
    assert_eq!(machine.hear()["result"], json!({}));
    machine.say(request(2, "resources/unsubscribe", json!({ "uri": "a:1" })));
    let (key, _) = machine.opening[0];
    assert_ne!(key, ended);
    machine.open_streams();
    machine.hear();
    machine.connection.handle_listen_end(key, &machine.server);
    machine.say(request(3, "resources/subscribe", json!({ "uri": "a:1" })));
    machine.hears_nothing();
    assert_eq!(machine.opening.len(), 1);
}
