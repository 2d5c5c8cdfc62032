//! The fast path against the plain decoder: over generated messages, well formed and nearly so, both must say
//! the same, and what the fast check of arguments accepts, the tree accepts.

use bytes::Bytes;
use loggia_wire::jsonrpc;
use loggia_wire::meta::{CLIENT_CAPABILITIES, CLIENT_INFO, LOG_LEVEL, PROGRESS_TOKEN, PROTOCOL_VERSION};
use loggia_wire::model::*;
use loggia_wire::{Params, RawJson, RequestMeta, Version, codec, reference};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A JSON text that may stand anywhere, in forms that peers and enemies write.
fn anything() -> impl Strategy<Value = &'static str> {
    select(vec![
        "null",
        "true",
        "0",
        "-0",
        "-0.0",
        "1",
        "-7",
        "1.0",
        "1e2",
        "12345678901234567890",
        "\"\"",
        "\"a\"",
        "\"2.0\"",
        "\"a\\u002fb\"",
        "\"\\ud800\"",
        "\"é\"",
        "{}",
        "[]",
        "[1, {\"a\":[null]}]",
        "{\"a\":1,\"a\":2}",
        " { \"b\" : [ ] } ",
        "01",
        "\"\n\"",
        "{\"a\"}",
        "",
    ])
}

/// Texts that are mostly of the kind asked for.
fn mostly(usual: Vec<&'static str>) -> impl Strategy<Value = String> {
    prop_oneof![4 => select(usual), 1 => anything()].prop_map(str::to_owned)
}

fn meta_text() -> impl Strategy<Value = String> {
    let member = prop_oneof![
        mostly(vec!["\"2026-07-28\"", "\"2025-11-25\"", "\"2026-01-01\""])
            .prop_map(|v| format!("\"{PROTOCOL_VERSION}\":{v}")),
        mostly(vec!["{}", r#"{"roots":{},"sampling":{"tools":{}},"x":1}"#])
            .prop_map(|v| format!("\"{CLIENT_CAPABILITIES}\":{v}")),
        mostly(vec![r#"{"name":"n","version":"1"}"#, r#"{"name":"n","version":"1","y":[2]}"#])
            .prop_map(|v| format!("\"{CLIENT_INFO}\":{v}")),
        mostly(vec!["\"debug\"", "\"loud\""]).prop_map(|v| format!("\"{LOG_LEVEL}\":{v}")),
        mostly(vec!["\"t\"", "3"]).prop_map(|v| format!("\"{PROGRESS_TOKEN}\":{v}")),
        mostly(vec!["\"00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01\""])
            .prop_map(|v| format!("\"traceparent\":{v}")),
        anything().prop_map(|v| format!("\"example.com/a\":{v}")),
        anything().prop_map(|v| format!("\"progress\\u0054oken\":{v}")),
    ];
    let whole = Just(format!("\"{PROTOCOL_VERSION}\":\"2026-07-28\",\"{CLIENT_CAPABILITIES}\":{{}}"));
    (prop_oneof![3 => whole, 1 => Just(String::new())], vec(member, 0..4)).prop_map(|(whole, mut members)| {
        members.extend((!whole.is_empty()).then_some(whole));
        format!("{{{}}}", members.join(","))
    })
}

fn params_text() -> impl Strategy<Value = String> {
    let member = prop_oneof![
        3 => meta_text().prop_map(|v| format!("\"_meta\":{v}")),
        2 => mostly(vec!["\"echo\""]).prop_map(|v| format!("\"name\":{v}")),
        2 => mostly(vec![r#"{"text":"x"}"#]).prop_map(|v| format!("\"arguments\" : {v}")),
        1 => anything().prop_map(|v| format!("\"uri\":{v}")),
        1 => anything().prop_map(|v| format!("\"requestState\":{v}")),
        1 => anything().prop_map(|v| format!("\"n\\u0061me\":{v}")),
    ];
    vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(", ")))
}

fn message_text() -> impl Strategy<Value = String> {
    let member = prop_oneof![
        4 => mostly(vec!["\"2.0\""]).prop_map(|v| format!("\"jsonrpc\":{v}")),
        4 => mostly(vec!["1", "\"id\""]).prop_map(|v| format!("\"id\":{v}")),
        3 => mostly(vec!["\"tools/call\"", "\"ping\"", "\"notifications/cancelled\"", "\"a/b\""])
            .prop_map(|v| format!("\"method\": {v}")),
        3 => params_text().prop_map(|v| format!("\"params\":{v}")),
        1 => anything().prop_map(|v| format!("\"params\":{v}")),
        1 => anything().prop_map(|v| format!("\"result\":{v}")),
        1 => mostly(vec![r#"{"code":-1,"message":"m"}"#]).prop_map(|v| format!("\"error\":{v}")),
        1 => anything().prop_map(|v| format!("\"other\":{v}")),
    ];
    let tail = prop_oneof![9 => Just(""), 1 => select(vec![" ", "x", "{}", ","])];
    (vec(member, 1..6), tail).prop_map(|(members, tail)| format!("{{{}}}{tail}", members.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn messages_are_read_alike(text in message_text()) {
        let text = Bytes::from(text);
        prop_assert_eq!(jsonrpc::decode(&text), reference::message(&text));
    }

    #[test]
    fn meta_is_read_alike(text in params_text()) {
        let Ok(raw) = RawJson::parse(text) else { return Ok(()) };
        let params = Params::from(raw);
        let fast = RequestMeta::from_modern(Some(&params), &Version::ALL);
        let plain = reference::request_meta(Some(&params), &Version::ALL);
        prop_assert_eq!(format!("{fast:?}"), format!("{plain:?}"));
    }
}

/// A fast path that is never taken would pass every comparison.
#[test]
fn usual_messages_take_the_fast_path() {
    let raw = RawJson::parse(&br#"{"_meta":{"a":1},"name":"echo","arguments":{"text":"x","count":2}}"#[..])
        .unwrap();
    let params = Params::from(raw);
    let routing = params.routing().unwrap();
    assert_eq!(routing.name, Some(&b"\"echo\""[..]));
    assert_eq!(routing.meta, Some(&b"{\"a\":1}"[..]));
    assert_eq!(routing.arguments, Some(&b"{\"text\":\"x\",\"count\":2}"[..]));
}

#[test]
fn results_are_written_alike() {
    let identity = Implementation::new("server", "1").title("The server");
    let meta = Some(JsonObject::from([("a", 1)]));
    let results: Vec<ServerResult> = vec![
        CallToolResult::text("x\n\"y\"").into(),
        CallToolResult { is_error: Some(false), content: vec!["a".into(), "b".into()], ..Default::default() }
            .into(),
        CallToolResult::default().into(),
        CallToolResult::structured(json!({ "sum": 3 })).into(),
        CallToolResult::structured(json!([1])).into(),
        CallToolResult { meta: meta.clone(), ..CallToolResult::error("no") }.into(),
        EmptyResult::default().into(),
        EmptyResult { extra: JsonObject::from([("resultType", "mine")]), meta }.into(),
        InputRequired { request_state: Some("s".to_owned()), ..InputRequired::default() }.into(),
        ListToolsResult { tools: vec![Tool::new("t", JsonObject::new())], ..Default::default() }.into(),
        DiscoverResult::default().into(),
        RawJson::parse(&br#"{"own":true}"#[..]).unwrap().into(),
        RawJson::parse(&b"7"[..]).unwrap().into(),
    ];
    for result in results {
        for version in Version::ALL {
            let fast: Value =
                codec::encode_result(result.clone(), version, Some(&identity)).decode().unwrap();
            let plain: Value = reference::result(result.clone(), version, Some(&identity)).decode().unwrap();
            assert_eq!(fast, plain, "{result:?} in {version}");
        }
    }
}
