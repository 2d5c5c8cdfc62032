//! The JSON-RPC envelope: what is refused, with which code, paired with which id; and that nothing panics.

use bytes::Bytes;
use loggia_wire::jsonrpc::{self, Frame, MAX_BATCH};
use loggia_wire::{ErrorCode, Id, Message, Method, RawJson, RpcError};
use proptest::prelude::*;

fn refused(text: impl Into<Bytes>) -> (i64, Option<Id>) {
    let error = jsonrpc::decode(&text.into()).expect_err("refused");
    (error.error.code.0, error.id)
}

#[test]
fn what_is_no_message_is_refused() {
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{}{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let (parse, invalid) = (ErrorCode::PARSE_ERROR.0, ErrorCode::INVALID_REQUEST.0);
    let one = Some(Id::Number(1));
    let table: &[(&[u8], i64, Option<Id>)] = &[
        (b"", parse, None),
        (b"   ", parse, None),
        (b"{", parse, None),
        (b"nonsense", parse, None),
        (b"\xff\xfe", parse, None),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", parse, None),
        (b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", parse, None),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#, parse, None),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping""#, parse, None),
        (deep.as_bytes(), invalid, None),
        (b"1", invalid, None),
        (b"null", invalid, None),
        (b"\"text\"", invalid, None),
        (b"[]", invalid, None),
        (b"{}", invalid, None),
        (br#"{"id":1,"method":"ping"}"#, invalid, one.clone()),
        (br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, invalid, one.clone()),
        (br#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":1,"method":7}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, invalid, one.clone()),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#, invalid, one.clone()),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":7}"#, invalid, one.clone()),
        (br#"{"jsonrpc":"2.0","id":1}"#, invalid, one.clone()),
        (br#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#, invalid, one.clone()),
        (br#"{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}"#, invalid, one),
        (br#"{"jsonrpc":"2.0","result":{}}"#, invalid, None),
        (br#"{"jsonrpc":"2.0","id":null,"result":{}}"#, invalid, None),
    ];
    for (text, code, id) in table {
        assert_eq!(refused(text.to_vec()), (*code, id.clone()), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn what_is_a_message_is_read() {
    let params = || Some(RawJson::parse(&br#"{"a":[1, 2]}"#[..]).unwrap());
    let table: Vec<(&str, Message)> = vec![
        (
            r#" {"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"a":[1, 2]},"stranger":1} "#,
            Message::Request {
                id: Id::from("x"),
                method: Method::CallTool,
                params: params().map(Into::into),
            },
        ),
        (
            r#"{"id":-7,"method":"a\u002fb","jsonrpc":"2.0"}"#,
            Message::Request { id: Id::Number(-7), method: Method::Other("a/b".into()), params: None },
        ),
        (
            r#"{"jsonrpc":"2.0","method":"ping","params":null}"#,
            Message::Notification { method: Method::Ping, params: None },
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
            Message::Response { id: Some(Id::Number(1)), outcome: Ok(RawJson::null()) },
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m","data":{"x":1}}}"#,
            Message::Response {
                id: None,
                outcome: Err(RpcError::new(ErrorCode(-1), "m").with_data(serde_json::json!({ "x": 1 }))),
            },
        ),
    ];
    for (text, message) in table {
        assert_eq!(jsonrpc::decode(&Bytes::from(text)), Ok(message), "{text}");
    }
}

#[test]
fn batches_are_judged_one_by_one() {
    let batch = |text: &str| jsonrpc::decode_frame(&Bytes::from(text.to_owned()));
    assert_eq!(batch("[]").unwrap_err().error.code, ErrorCode::INVALID_REQUEST);
    assert_eq!(batch("[1").unwrap_err().error.code, ErrorCode::PARSE_ERROR);
    let many = format!("[{}]", vec!["1"; MAX_BATCH + 1].join(","));
    assert_eq!(batch(&many).unwrap_err().error.code, ErrorCode::INVALID_REQUEST);
    let Frame::Batch(members) =
        batch(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}, 7, [], {"jsonrpc":"2.0","method":"x"}]"#)
            .unwrap()
    else {
        panic!("not a batch")
    };
    assert_eq!(members.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter_map("finite", |n| serde_json::Number::from_f64(n).map(Into::into)),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop_oneof![
            "[a-z]{1,4}",
            prop::sample::select(vec![
                "jsonrpc",
                "id",
                "method",
                "params",
                "result",
                "error",
                "_meta",
                "type",
                "content",
                "tools",
                "name",
                "inputRequests",
                "requestedSchema",
                "properties",
                "mode",
                "action",
                "contents",
                "text",
                "uri"
            ])
            .prop_map(String::from),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn brackets_in_texts_are_not_depth() {
    let text = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":"\"{}","b":[{}]}}}}"#,
        "[".repeat(500),
        vec!["{}"; 500].join(",")
    );
    assert!(jsonrpc::decode(&Bytes::from(text)).is_ok());
}

proptest! {
    #[test]
    fn bytes_never_panic(bytes: Vec<u8>) {
        let _ = jsonrpc::decode(&Bytes::from(bytes.clone()));
        let _ = jsonrpc::decode_frame(&Bytes::from(bytes));
    }

    /// Whatever a peer sends as any payload, reading it fails or succeeds and never panics; what was read
    /// can be written for every revision.
    #[test]
    fn payloads_never_panic(value in any_json()) {
        use loggia_wire::{RequestMeta, Version, codec, meta, model::*};
        let raw = RawJson::from(&value);
        let _ = jsonrpc::decode_frame(&raw.clone().into_bytes());
        let params = raw.clone().into();
        let _ = RequestMeta::from_modern(Some(&params), &Version::ALL);
        let _ = meta::declared_version(Some(&params));
        for method in Method::KNOWN {
            let _ = ServerNotification::decode(method, Some(&raw));
            let _ = ClientNotification::decode(method, Some(&raw));
            let _ = InputRequest::decode(method, Some(&raw));
            for (from, to) in Version::ALL.into_iter().zip(Version::ALL.into_iter().rev()) {
                let _ = codec::translate_result(method, &raw, from, to, None);
            }
        }
    }

    #[test]
    fn requests_survive_a_round_trip(number: i64, name in ".{0,20}", method in ".{0,20}", params in any_json()) {
        let params = params.is_object().then(|| RawJson::from(&params));
        let method = Method::from(method.as_str());
        for id in [Id::Number(number), Id::from(name.as_str())] {
            let mut out = Vec::new();
            jsonrpc::write_request(&mut out, &id, &method, params.as_ref().map(RawJson::as_bytes));
            prop_assert!(!out.contains(&b'\n'));
            let read = jsonrpc::decode(&Bytes::from(out));
            prop_assert_eq!(read, Ok(Message::Request { id, method: method.clone(), params: params.clone().map(Into::into) }));
        }
    }

    #[test]
    fn answers_survive_a_round_trip(number: i64, code: i64, text in ".{0,20}", result in any_json()) {
        let (id, result) = (Id::Number(number), RawJson::from(&result));
        let mut out = Vec::new();
        jsonrpc::write_result(&mut out, &id, result.as_bytes());
        prop_assert_eq!(jsonrpc::decode(&Bytes::from(out)), Ok(Message::Response { id: Some(id.clone()), outcome: Ok(result) }));
        let error = RpcError::new(ErrorCode(code), text);
        for id in [Some(&id), None] {
            let mut out = Vec::new();
            jsonrpc::write_error(&mut out, id, &error);
            prop_assert_eq!(jsonrpc::decode(&Bytes::from(out)), Ok(Message::Response { id: id.cloned(), outcome: Err(error.clone()) }));
        }
    }
}
