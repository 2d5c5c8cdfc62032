//! The relay of a result between two revisions; the error codes and `_meta` of each revision.

use std::sync::Arc;

use loggia_wire::meta::declared_version;
use loggia_wire::model::{ClientCapabilities, LoggingLevel, ServerResult};
use loggia_wire::{ErrorCode, Method, RawJson, RequestMeta, RpcError, Version, codec};
use serde_json::{Value, json};

use crate::samples;

fn translated(method: Method, result: &Value, from: Version, to: Version) -> Value {
    codec::translate_result(&method, &RawJson::from(result), from, to, None).unwrap().decode().unwrap()
}

#[test]
fn results_between_revisions() {
    let call = json!({ "resultType": "complete", "structuredContent": [1, 2], "content": [
        { "type": "text", "text": "hi" },
        { "type": "audio", "data": "aGk=", "mimeType": "audio/wav" },
        { "type": "resource_link", "uri": "file:///a", "name": "a", "title": "The A", "description": "first" },
    ] });
    let list =
        json!({ "resultType": "complete", "ttlMs": 5, "cacheScope": "public", "tools": [samples::tool()] });
    for version in Version::ALL {
        let newest = Version::LATEST;
        insta::assert_json_snapshot!(
            format!("call to {version}"),
            translated(Method::CallTool, &call, newest, version)
        );
        insta::assert_json_snapshot!(
            format!("list to {version}"),
            translated(Method::ListTools, &list, newest, version)
        );
    }
    let old = json!({ "content": [{ "type": "text", "text": "hi" }], "toolResult": 1 });
    insta::assert_json_snapshot!(
        "call from the oldest",
        translated(Method::CallTool, &old, Version::V2024_11_05, Version::LATEST)
    );
}

#[test]
fn error_codes_of_each_revision() {
    let missing = || RpcError::resource_not_found("file:///a");
    let header = || RpcError::header_mismatch("no");
    let url = || RpcError::new(ErrorCode::URL_ELICITATION_REQUIRED, "go");
    let internal = || RpcError::internal("x");
    type Make = fn() -> RpcError;
    let table: [(Make, [i64; 5]); 4] = [
        (missing, [-32002, -32002, -32002, -32002, -32602]),
        (header, [-32602, -32602, -32602, -32602, -32020]),
        (url, [-32602, -32602, -32602, -32042, -32602]),
        (internal, [-32603; 5]),
    ];
    for (error, codes) in table {
        assert_eq!(Version::ALL.map(|version| error().for_version(version).code.0), codes, "{}", error());
    }
}

fn modern(meta: Value) -> Result<RequestMeta, i64> {
    let params = RawJson::from(&json!({ "_meta": meta })).into();
    RequestMeta::from_modern(Some(&params), &Version::ALL).map_err(|error| error.code.0)
}

#[test]
fn modern_requests_bring_everything() {
    let with = |key: &str, value: Value| {
        let mut meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        meta[key] = value;
        meta
    };
    let refused = [
        (json!({}), -32602),
        (json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" }), -32602),
        (json!({ "io.modelcontextprotocol/clientCapabilities": {} }), -32602),
        (with("io.modelcontextprotocol/protocolVersion", json!(7)), -32602),
        (with("io.modelcontextprotocol/protocolVersion", json!("1900-01-01")), -32022),
        (with("io.modelcontextprotocol/protocolVersion", json!("2025-11-25")), -32022),
        (with("io.modelcontextprotocol/clientCapabilities", json!([])), -32602),
        (with("io.modelcontextprotocol/clientInfo", json!("me")), -32602),
        (with("io.modelcontextprotocol/logLevel", json!("loud")), -32602),
        (with("progressToken", json!({})), -32602),
        (json!(7), -32602),
    ];
    for (meta, code) in refused {
        assert_eq!(modern(meta.clone()).map(|_| ()), Err(code), "{meta}");
    }
    let read = modern(with("io.modelcontextprotocol/logLevel", json!("notice"))).unwrap();
    assert_eq!((read.version, read.log_level), (Version::LATEST, Some(LoggingLevel::Notice)));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    assert_eq!(
        modern(with("traceparent", json!(trace))).unwrap().extra.get("traceparent").unwrap().to_value(),
        trace
    );
}

#[test]
fn legacy_requests_are_completed_by_their_session() {
    let session = Arc::new(RequestMeta {
        version: Version::V2025_06_18,
        client_info: None,
        client_capabilities: ClientCapabilities::default(),
        log_level: Some(LoggingLevel::Error),
        progress_token: None,
        extra: Default::default(),
    });
    let params = RawJson::from(&json!({ "_meta": { "progressToken": "t", "a": 1 } })).into();
    let meta = RequestMeta::from_session(Some(&params), &session).unwrap();
    assert_eq!((meta.version, meta.log_level), (Version::V2025_06_18, Some(LoggingLevel::Error)));
    assert_eq!(meta.progress_token, Some("t".into()));
    assert_eq!(meta.extra.to_raw().to_value(), json!({ "a": 1 }));
    assert!(declared_version(Some(&params)).is_ok());
}

#[test]
fn a_tool_result_without_content_has_none() {
    for text in ["{}", r#"{"structuredContent":{"a":1}}"#, r#"{"isError":true}"#] {
        let raw = RawJson::parse(text).unwrap();
        let decoded = codec::decode_result(&Method::CallTool, Version::LATEST, &raw).unwrap();
        let ServerResult::CallTool(result) = decoded else { panic!("{text}") };
        assert_eq!(result.content, [], "{text}");
    }
}
