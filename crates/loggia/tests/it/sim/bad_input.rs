//! The answers of a server on a byte stream to bytes that are not a message, or not one that it can serve: one table
//! before `initialize`, one in a session. The connection always survives.

use std::sync::Arc;

use loggia::edge::duplex;
use loggia::limits::Limits;
use loggia::transport::Shutdown;
use loggia::transport::framing::{LineReader, LineWriter};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::machine::initialize;
use super::service::Script;

const MAX: usize = 2000;

/// Everything that a server which is sent `input` and then the end of input writes.
async fn exchange(input: &[u8]) -> Vec<Value> {
    let (client, server) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(server);
    let limits = Limits { message_bytes: MAX, ..Limits::default() };
    let served = tokio::spawn(duplex::serve(
        Arc::new(Script::default()),
        LineReader::new(reader, MAX),
        LineWriter::new(writer),
        limits,
        Shutdown::new(),
    ));
    let (mut from_server, mut to_server) = tokio::io::split(client);
    to_server.write_all(input).await.expect("the pipe is large");
    to_server.shutdown().await.expect("the pipe can be closed");
    let mut output = String::new();
    from_server.read_to_string(&mut output).await.expect("the server writes UTF-8");
    served.await.expect("the server does not panic").expect("the server ends well");
    output.lines().map(|line| serde_json::from_str(line).expect("one JSON text on each line")).collect()
}

fn nested(depth: usize) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{}{}}}}}"#,
        "[".repeat(depth),
        "]".repeat(depth)
    )
}

/// Bytes, and the id (absent: `Null` in the table's `Option`) and code of the answer; `None`: no answer.
type Row = (&'static str, Vec<u8>, Option<(Option<Value>, i64)>);

/// The messages with the same answer before and in a session.
fn rows() -> Vec<Row> {
    let text = |text: &str| text.as_bytes().to_vec();
    let absent = |code| Some((None, code));
    let paired = |id: Value, code| Some((Some(id), code));
    vec![
        ("not JSON", text("hello"), absent(-32700)),
        ("truncated", text(r#"{"jsonrpc":"2.0","id":1,"method":"pi"#), absent(-32700)),
        (
            "two messages on a line",
            text(r#"{"jsonrpc":"2.0","method":"a"}{"jsonrpc":"2.0","method":"b"}"#),
            absent(-32700),
        ),
        ("a trailing comma", text(r#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#), absent(-32700)),
        ("a lone surrogate", text(r#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#), absent(-32600)),
        (
            "invalid UTF-8",
            [&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"[..]].concat(),
            absent(-32700),
        ),
        ("a NUL byte", text("{\"jsonrpc\":\"2.0\",\"id\":1,\0\"method\":\"ping\"}"), absent(-32700)),
        (
            "too long",
            format!(r#"{{"jsonrpc":"2.0","method":"{}"}}"#, "x".repeat(MAX)).into_bytes(),
            absent(-32600),
        ),
        ("too deep", nested(200).into_bytes(), absent(-32600)),
        ("a number", text("1"), absent(-32600)),
        ("a string", text("\"ping\""), absent(-32600)),
        ("null", text("null"), absent(-32600)),
        ("a blank line", text("  \t "), None),
        ("an empty object", text("{}"), absent(-32600)),
        ("no version", text(r#"{"id":1,"method":"ping"}"#), paired(json!(1), -32600)),
        (
            "the wrong version",
            text(r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#),
            paired(json!("a"), -32600),
        ),
        ("a version that is a number", text(r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#), absent(-32600)),
        ("a method that is a number", text(r#"{"jsonrpc":"2.0","id":1,"method":1}"#), absent(-32600)),
        ("neither method nor outcome", text(r#"{"jsonrpc":"2.0","id":1}"#), paired(json!(1), -32600)),
        ("an id of null", text(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#), absent(-32600)),
        ("an id with a fraction", text(r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#), absent(-32600)),
        (
            "an id that is too large",
            text(r#"{"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"}"#),
            absent(-32600),
        ),
        ("an id that is an object", text(r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#), absent(-32600)),
        ("an id twice", text(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#), absent(-32600)),
        (
            "params that are an array",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#),
            paired(json!(1), -32600),
        ),
        (
            "params that are a string",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"a"}"#),
            paired(json!(1), -32600),
        ),
        (
            "a _meta that is a list",
            text(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":[]}}"#),
            paired(json!(1), -32602),
        ),
        (
            "a result and an error",
            text(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#),
            paired(json!(1), -32600),
        ),
        ("an error without a code", text(r#"{"jsonrpc":"2.0","id":1,"error":{}}"#), paired(json!(1), -32600)),
        ("a result without an id", text(r#"{"jsonrpc":"2.0","result":{}}"#), absent(-32600)),
        ("a result for nobody", text(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#), None),
        (
            "an error for nobody",
            text(r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#),
            None,
        ),
        (
            "a notification of nothing known",
            text(r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"a":1}}"#),
            None,
        ),
        (
            "a request sent as a notification",
            text(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"panic"}}"#),
            None,
        ),
        (
            "a cancellation of nothing",
            text(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}"#),
            None,
        ),
        (
            "a cancellation without params",
            text(r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#),
            None,
        ),
        ("a batch", text(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#), absent(-32600)),
    ]
}

fn check(
    name: &str,
    answers: &[Value],
    expected: &Option<(Option<Value>, i64)>,
    id_of_nothing: Option<Value>,
) {
    match expected {
        None => assert_eq!(answers, &[] as &[Value], "{name}"),
        Some((id, code)) => {
            let [answer] = answers else { panic!("{name}: one answer is expected, not {answers:?}") };
            let id = id.clone().or(id_of_nothing);
            assert_eq!(answer.get("id"), id.as_ref(), "{name}: {answer}");
            assert_eq!(answer["error"]["code"], *code, "{name}: {answer}");
        }
    }
}

#[tokio::test]
async fn before_initialize() {
    let ping = r#"{"jsonrpc":"2.0","id":"still alive","method":"ping"}"#;
    for (name, bytes, expected) in rows() {
        let mut answers = exchange(&[&bytes[..], b"\r\n", ping.as_bytes()].concat()).await;
        let last = answers.pop().expect("the ping is answered");
        assert_eq!(last, json!({ "jsonrpc": "2.0", "id": "still alive", "result": {} }), "{name}");
        check(name, &answers, &expected, None);
    }
}

#[tokio::test]
async fn within_a_session() {
    // The schema of 2025-06-18 knows no error without an id, so what has none gets JSON-RPC's null.
    for (version, nothing) in [("2025-06-18", Some(Value::Null)), ("2025-11-25", None)] {
        for (name, bytes, expected) in rows() {
            let hello = initialize(0, version).to_string();
            let answers = exchange(&[hello.as_bytes(), b"\n", &bytes].concat()).await;
            assert_eq!(answers[0]["id"], 0, "{name}");
            check(name, &answers[1..], &expected, nothing.clone());
        }
    }
}

#[tokio::test]
async fn arguments_that_are_no_object_are_invalid_params_in_every_revision() {
    let modern = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for (method, arguments, code) in [
        ("tools/call", "[1]", Some(-32602)),
        ("tools/call", "\"a\"", Some(-32602)),
        ("tools/call", "7", Some(-32602)),
        ("tools/call", "false", Some(-32602)),
        ("prompts/get", "[]", Some(-32602)),
        ("tools/call", "{}", None),
        // Clients write it for "none".
        ("tools/call", "null", None),
    ] {
        for escaped in [false, true] {
            let name = if escaped { r"argument\u0073" } else { "arguments" };
            let request = |meta: &str| {
                format!(
                    r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"name":"lines","{name}":{arguments}{meta}}}}}"#
                )
            };
            let in_session = [initialize(0, "2025-11-25").to_string(), request("")].join("\n");
            for input in [in_session, request(&format!(r#","_meta":{modern}"#))] {
                let answers = exchange(input.as_bytes()).await;
                let answer = answers.iter().find(|answer| answer["id"] == 1).expect("an answer");
                assert_eq!(answer["error"]["code"].as_i64(), code, "{input}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_written_stays_on_one_line() {
    let call = |name: &str| {
        let params = json!({ "name": name, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        } });
        format!("{}\n", json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }))
    };
    let answers = exchange(call("lines").as_bytes()).await;
    assert_eq!(answers[0]["result"]["content"][0]["text"], "a\nb");

    let answers = exchange(call("panic").as_bytes()).await;
    assert_eq!(answers[0]["error"]["code"], -32603);
}
