//! A table of single requests and what each is answered: status, error code, headers.

use serde_json::{Value, json};

use super::fixture::Server;
use super::peer::{LATEST, Session, modern, post, request, send};
use loggia::limits::Limits;
use loggia::wire::Version;

type Headers = &'static [(&'static str, &'static str)];

struct Case {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    code: Option<i64>,
}

fn case(name: &'static str, headers: &[(&'static str, &str)], body: &Value, status: u16, code: i64) -> Case {
    bytes(name, headers, body.to_string().into_bytes(), status, Some(code).filter(|code| *code != 0))
}

fn bytes(
    name: &'static str,
    headers: &[(&'static str, &str)],
    body: impl Into<Vec<u8>>,
    status: u16,
    code: Option<i64>,
) -> Case {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Case { name, headers, body: body.into(), status, code }
}

async fn check(server: &Server, cases: Vec<Case>) {
    for case in cases {
        let headers: Vec<(&str, &str)> = case.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        let answer = post(server.address, &headers, case.body.clone()).await;
        let status = answer.status.as_u16();
        let text = answer.text().await;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let code = body["error"]["code"].as_i64();
        assert_eq!((status, code), (case.status, case.code), "{}: {text}", case.name);
        let is_request = serde_json::from_slice::<Value>(&case.body)
            .is_ok_and(|sent| sent["id"] == 1 && sent["method"].is_string());
        if is_request && code.is_some() {
            assert_eq!(body["id"], 1, "{}: an error carries its request's id", case.name);
        }
    }
}

const VERSION: (&str, &str) = ("mcp-protocol-version", LATEST);

fn echo() -> Value {
    modern("tools/call", json!({ "name": "echo", "arguments": { "text": "hi" } }))
}

fn without(mut message: Value, key: &str) -> Value {
    message["params"]["_meta"].as_object_mut().expect("object").remove(key);
    message
}

fn declaring(version: &str) -> Value {
    modern("tools/list", json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": version } }))
}

#[tokio::test]
async fn modern_headers_against_the_body() {
    let server = Server::start().await;
    let list = || modern("tools/list", json!({}));
    let listing = [VERSION, ("mcp-method", "tools/list")];
    let calling = [VERSION, ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    let no_meta = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} });
    let no_params = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    check(
        &server,
        vec![
            case("a list", &listing, &list(), 200, 0),
            case(
                "header names in capitals",
                &[("MCP-PROTOCOL-VERSION", LATEST), ("MCP-METHOD", "tools/list")],
                &list(),
                200,
                0,
            ),
            case("white space around a value", &[VERSION, ("mcp-method", "  tools/list\t")], &list(), 200, 0),
            case("no version header", &[("mcp-method", "tools/list")], &list(), 400, -32020),
            case(
                "another version header",
                &[("mcp-protocol-version", "2025-11-25"), ("mcp-method", "tools/list")],
                &list(),
                400,
                -32020,
            ),
            case("another version in the body", &listing, &declaring("v999"), 400, -32020),
            case(
                "an unknown version",
                &[("mcp-protocol-version", "v999"), ("mcp-method", "tools/list")],
                &declaring("v999"),
                400,
                -32022,
            ),
            case(
                "an old version, declared the new way",
                &[("mcp-protocol-version", "2025-11-25"), ("mcp-method", "tools/list")],
                &declaring("2025-11-25"),
                400,
                -32022,
            ),
            case("no method header", &[VERSION], &list(), 400, -32020),
            case("another method header", &[VERSION, ("mcp-method", "prompts/list")], &list(), 400, -32020),
            case("method header in capitals", &[VERSION, ("mcp-method", "TOOLS/LIST")], &list(), 400, -32020),
            case("a call", &calling, &echo(), 200, 0),
            case(
                "white space around a name",
                &[VERSION, ("mcp-method", "tools/call"), ("mcp-name", "  echo  ")],
                &echo(),
                200,
                0,
            ),
            case(
                "a name in base64",
                &[VERSION, ("mcp-method", "tools/call"), ("mcp-name", "=?base64?ZWNobw==?=")],
                &echo(),
                200,
                0,
            ),
            case(
                "a name in bad base64",
                &[VERSION, ("mcp-method", "tools/call"), ("mcp-name", "=?base64?ZWNobw?=")],
                &echo(),
                400,
                -32020,
            ),
            case("no name header", &[VERSION, ("mcp-method", "tools/call")], &echo(), 400, -32020),
            case(
                "another name header",
                &[VERSION, ("mcp-method", "tools/call"), ("mcp-name", "other")],
                &echo(),
                400,
                -32020,
            ),
            case(
                "a name header without UTF-8",
                &[VERSION, ("mcp-method", "tools/call"), ("mcp-name", "\u{e9}cho")],
                &echo(),
                400,
                -32020,
            ),
            case(
                "a uri header",
                &[VERSION, ("mcp-method", "resources/read"), ("mcp-name", "x://y")],
                &modern("resources/read", json!({ "uri": "x://z" })),
                400,
                -32020,
            ),
            case(
                "a missing resource is invalid params now",
                &[VERSION, ("mcp-method", "resources/read"), ("mcp-name", "x://y")],
                &modern("resources/read", json!({ "uri": "x://y" })),
                200,
                -32602,
            ),
            case("no _meta", &listing, &no_meta, 400, -32602),
            case("no params", &listing, &no_params, 400, -32602),
            case(
                "no version in _meta",
                &listing,
                &without(list(), "io.modelcontextprotocol/protocolVersion"),
                400,
                -32602,
            ),
            case(
                "no capabilities in _meta",
                &listing,
                &without(list(), "io.modelcontextprotocol/clientCapabilities"),
                400,
                -32602,
            ),
            case(
                "no client info is fine",
                &listing,
                &without(list(), "io.modelcontextprotocol/clientInfo"),
                200,
                0,
            ),
            case(
                "_meta is no object",
                &listing,
                &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": 1 } }),
                400,
                -32602,
            ),
            case(
                "a version that is no string",
                &listing,
                &modern("tools/list", json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": 1 } })),
                400,
                -32602,
            ),
            case(
                "a session id is ignored",
                &[listing[0], listing[1], ("mcp-session-id", "whatever")],
                &list(),
                200,
                0,
            ),
            case(
                "Last-Event-ID is ignored",
                &[listing[0], listing[1], ("last-event-id", "1-1")],
                &list(),
                200,
                0,
            ),
        ],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn modern_methods_and_errors() {
    let server = Server::start().await;
    let calls = |tool: &'static str| {
        (
            modern("tools/call", json!({ "name": tool, "arguments": {} })),
            [VERSION, ("mcp-method", "tools/call"), ("mcp-name", tool)],
        )
    };
    let mut cases = Vec::new();
    for gone in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "unknown/method",
        "sampling/createMessage",
        "notifications/progress",
    ] {
        cases.push(case(gone, &[VERSION, ("mcp-method", gone)], &modern(gone, json!({})), 404, -32601));
    }
    for (tool, status, code) in [
        ("no-such-tool", 200, -32602),
        ("panic", 200, -32603),
        ("missing-capability", 400, -32021),
        ("echo", 200, 0),
        ("require", 200, 0),
    ] {
        let (body, headers) = calls(tool);
        cases.push(case(tool, &headers, &body, status, code));
    }
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/whatever", "params": {} });
    let response = json!({ "jsonrpc": "2.0", "id": 1, "result": {} });
    cases.push(bytes("a notification", &[VERSION], notification.to_string(), 202, None));
    cases.push(bytes("a response", &[VERSION], response.to_string(), 400, Some(-32600)));
    cases.push(bytes("a batch", &[VERSION], format!("[{}]", echo()), 400, Some(-32600)));
    check(&server, cases).await;
    server.stop().await;
}

#[tokio::test]
async fn mirrored_parameters() {
    let server = Server::start().await;
    let with = |arguments: Value| modern("tools/call", json!({ "name": "mirrored", "arguments": arguments }));
    let call = |extra: &[(&'static str, &'static str)]| {
        let mut headers = vec![VERSION, ("mcp-method", "tools/call"), ("mcp-name", "mirrored")];
        headers.extend_from_slice(extra);
        headers
    };
    let hello = with(json!({ "region": "Hello" }));
    check(
        &server,
        vec![
            case("as it is", &call(&[("mcp-param-region", "Hello")]), &hello, 200, 0),
            case("in base64", &call(&[("mcp-param-region", "=?base64?SGVsbG8=?=")]), &hello, 200, 0),
            case("missing", &call(&[]), &hello, 400, -32020),
            case("another", &call(&[("mcp-param-region", "Bye")]), &hello, 400, -32020),
            case(
                "without padding",
                &call(&[("mcp-param-region", "=?base64?SGVsbG8?=")]),
                &hello,
                400,
                -32020,
            ),
            case("not base64", &call(&[("mcp-param-region", "=?base64?SGVs!!!bG8=?=")]), &hello, 400, -32020),
            case(
                "without prefix it is literal",
                &call(&[("mcp-param-region", "SGVsbG8=")]),
                &with(json!({ "region": "SGVsbG8=" })),
                200,
                0,
            ),
            case("null wants none", &call(&[]), &with(json!({ "region": null })), 200, 0),
            case("absent wants none", &call(&[]), &with(json!({})), 200, 0),
            case("absent has none", &call(&[("mcp-param-region", "Hello")]), &with(json!({})), 400, -32020),
            case(
                "numbers are compared as numbers",
                &call(&[("mcp-param-count", "42.0")]),
                &with(json!({ "count": 42 })),
                200,
                0,
            ),
            case(
                "another number",
                &call(&[("mcp-param-count", "43")]),
                &with(json!({ "count": 42 })),
                400,
                -32020,
            ),
            case("one we do not know", &call(&[("mcp-param-other", "x")]), &with(json!({})), 200, 0),
        ],
    )
    .await;
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"mirrored","name":"echo","_meta":{}}}"#;
    let twice = bytes("a name that is there twice", &call(&[]), body.to_vec(), 400, Some(-32602));
    check(&server, vec![twice]).await;
    server.stop().await;
}

#[tokio::test]
async fn bad_bodies() {
    let server = Server::start().await;
    let deep = format!("{}1{}", "{\"a\":".repeat(4000), "}".repeat(4000));
    let deep_params = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{deep}}}");
    let parse = Some(-32700);
    let invalid = Some(-32600);
    check(
        &server,
        vec![
            bytes("nothing", &[VERSION], "", 400, parse),
            bytes("no JSON", &[VERSION], "hello", 400, parse),
            bytes("truncated", &[VERSION], r#"{"jsonrpc":"2.0","id":1,"meth"#, 400, parse),
            bytes(
                "no UTF-8",
                &[VERSION],
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".to_vec(),
                400,
                parse,
            ),
            bytes("more than one text", &[VERSION], "{} {}", 400, parse),
            bytes("deep", &[VERSION], deep, 400, invalid),
            bytes("deep params", &[VERSION, ("mcp-method", "tools/list")], deep_params, 400, invalid),
            bytes("a number", &[VERSION], "1", 400, invalid),
            bytes("null", &[VERSION], "null", 400, invalid),
            bytes("no version of JSON-RPC", &[VERSION], r#"{"id":1,"method":"ping"}"#, 400, invalid),
            bytes(
                "another version of JSON-RPC",
                &[VERSION],
                r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
                400,
                invalid,
            ),
            bytes(
                "a null id",
                &[VERSION],
                r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#,
                400,
                invalid,
            ),
            bytes(
                "a fractional id",
                &[VERSION],
                r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}"#,
                400,
                invalid,
            ),
            bytes(
                "an object as id",
                &[VERSION],
                r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#,
                400,
                invalid,
            ),
            bytes(
                "a method that is no string",
                &[VERSION],
                r#"{"jsonrpc":"2.0","id":1,"method":1}"#,
                400,
                invalid,
            ),
            bytes(
                "two methods",
                &[VERSION],
                r#"{"jsonrpc":"2.0","id":2,"method":"a","method":"b"}"#,
                400,
                invalid,
            ),
            bytes(
                "params in a list",
                &[VERSION],
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}"#,
                400,
                invalid,
            ),
            bytes("an empty batch", &[VERSION], "[]", 400, invalid),
        ],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn before_the_body_is_read() {
    let server = Server::start().await;
    let good = modern("tools/list", json!({})).to_string();
    let base = [VERSION, ("mcp-method", "tools/list")];
    let cases: &[(&str, &str, &str, Headers, u16)] = &[
        ("good", "POST", "/mcp", &[], 200),
        ("a slash more", "POST", "/mcp/", &[], 200),
        ("another path", "POST", "/", &[], 404),
        ("legacy is off", "GET", "/sse", &[("accept", "text/event-stream")], 404),
        ("GET", "GET", "/mcp", &[("accept", "text/event-stream")], 405),
        (
            "GET in this revision",
            "GET",
            "/mcp",
            &[("accept", "text/event-stream"), ("mcp-session-id", "x")],
            405,
        ),
        ("DELETE", "DELETE", "/mcp", &[], 405),
        ("PUT", "PUT", "/mcp", &[], 405),
        ("OPTIONS", "OPTIONS", "/mcp", &[], 405),
        ("no content type", "POST", "/mcp", &[("content-type", "")], 415),
        ("another content type", "POST", "/mcp", &[("content-type", "text/plain")], 415),
        ("a charset", "POST", "/mcp", &[("content-type", "application/json; charset=utf-8")], 200),
        ("no accept header allows all", "POST", "/mcp", &[("accept", "")], 200),
        ("accepting anything", "POST", "/mcp", &[("accept", "*/*")], 200),
        ("accepting JSON alone", "POST", "/mcp", &[("accept", "application/json")], 200),
        ("accepting streams alone", "POST", "/mcp", &[("accept", "text/event-stream")], 406),
        ("a name that is ours", "POST", "/mcp", &[("host", "localhost:1")], 200),
        ("a foreign host", "POST", "/mcp", &[("host", "evil.example.com")], 403),
        ("our origin", "POST", "/mcp", &[("origin", "http://localhost:6274")], 200),
        ("a foreign origin", "POST", "/mcp", &[("origin", "http://evil.example.com")], 403),
        ("no origin", "POST", "/mcp", &[("origin", "null")], 403),
        ("a foreign origin that only looks", "GET", "/mcp", &[("origin", "http://evil.example.com")], 403),
    ];
    for (name, method, path, headers, status) in cases {
        let headers = [&base[..], headers].concat();
        let answer =
            send(server.address, request(server.address, method, path, &headers, good.clone())).await;
        assert_eq!(answer.status.as_u16(), *status, "{name}");
        if answer.status == 405 {
            assert_eq!(answer.header("allow"), Some("POST"), "{name}");
        }
        let text = answer.text().await;
        if ![404, 200].contains(status) {
            let body: Value = serde_json::from_str(&text).expect("a JSON-RPC error");
            assert!(body.get("id").is_none() && body["error"]["code"].is_i64(), "{name}: {body}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn legacy_requests() {
    let server = Server::start().await;
    let session = Session::open(server.address, "2025-11-25").await;
    let id = session.id.clone();
    let other = if id.ends_with('A') { 'B' } else { 'A' };
    let tampered = format!("{}{other}", &id[..id.len() - 1]);
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let unknown = json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover" });
    let read = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": { "uri": "x://y" } });
    let again = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let odd =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": 7 } });
    let mut large = again.clone();
    large["params"]["capabilities"] = json!({ "experimental": { "x": { "y": "z".repeat(5000) } } });
    let response = json!({ "jsonrpc": "2.0", "id": 77, "result": {} });
    let notification =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 99 } });
    let sid = ("mcp-session-id", &*id);
    check(
        &server,
        vec![
            case("a ping", &[sid], &ping, 200, 0),
            case("its version", &[sid, ("mcp-protocol-version", "2025-11-25")], &ping, 200, 0),
            case("another of ours", &[sid, ("mcp-protocol-version", "2025-06-18")], &ping, 200, 0),
            case("headers of the new era", &[sid, ("mcp-method", "x"), ("mcp-name", "y")], &ping, 200, 0),
            case("an unknown version", &[sid, ("mcp-protocol-version", "1999-01-01")], &ping, 400, -32600),
            case("no session", &[], &ping, 400, -32600),
            case("no session, its version", &[("mcp-protocol-version", "2025-11-25")], &ping, 400, -32600),
            case(
                "no session, an unknown version",
                &[("mcp-protocol-version", "2099-01-01")],
                &ping,
                400,
                -32022,
            ),
            bytes(
                "a session that is none",
                &[("mcp-session-id", "nonsense")],
                ping.to_string(),
                404,
                Some(-32600),
            ),
            bytes(
                "a session that was changed",
                &[("mcp-session-id", &tampered)],
                ping.to_string(),
                404,
                Some(-32600),
            ),
            bytes(
                "a session of somebody else",
                &[sid, ("x-user", "eve")],
                ping.to_string(),
                404,
                Some(-32600),
            ),
            case("a method of the other era", &[sid], &unknown, 200, -32601),
            case("a missing resource has its own code", &[sid], &read, 200, -32002),
            case("a response to nothing", &[sid], &response, 202, 0),
            case("a notification", &[sid], &notification, 202, 0),
            bytes("a response without a session", &[], response.to_string(), 400, Some(-32600)),
            bytes("a notification without a session", &[], notification.to_string(), 400, Some(-32600)),
            case("initialize with another session", &[sid], &again, 200, 0),
            case("initialize with the newest header", &[VERSION], &again, 200, 0),
            case("a bad initialize", &[], &odd, 400, -32602),
            case("too many capabilities", &[], &large, 400, -32602),
            bytes("a batch", &[sid], format!("[{ping}]"), 400, Some(-32600)),
            bytes("a batch without a session", &[], format!("[{again}]"), 400, Some(-32600)),
            bytes("no message", &[sid], "{}", 400, Some(-32600)),
        ],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn servers_of_one_era() {
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let list = modern("tools/list", json!({}));
    let listing = [VERSION, ("mcp-method", "tools/list")];
    let modern_only = Server::of(&[Version::V2026_07_28], Limits::default(), |http| http).await;
    check(
        &modern_only,
        vec![
            case("a modern request", &listing, &list, 200, 0),
            case("initialize names what is served", &[], &initialize, 400, -32022),
            case(
                "no era at all",
                &[],
                &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }),
                400,
                -32020,
            ),
        ],
    )
    .await;
    modern_only.stop().await;
    let old_only = Server::of(&[Version::V2025_06_18], Limits::default(), |http| http).await;
    check(
        &old_only,
        vec![
            // These answers do not look like those of a modern server to a client that probes.
            case("a modern request", &listing, &list, 400, -32600),
            case("initialize", &[], &initialize, 200, 0),
        ],
    )
    .await;
    old_only.stop().await;
}
