//! Header values and the headers that mirror arguments.

use loggia_wire::JsonObject;
use loggia_wire::header::{
    HeaderRule, HeaderValueError, ParamHeaders, check_mirror, decode_value, encode_value,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn object(value: Value) -> JsonObject {
    JsonObject::try_from(value).expect("the test gives an object")
}

#[test]
fn values_are_encoded_where_they_have_to_be() {
    let table = [
        ("us-west1", "us-west1"),
        ("us west 1", "us west 1"),
        ("", ""),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        (" us-west1", "=?base64?IHVzLXdlc3Qx?="),
        ("us-west1 ", "=?base64?dXMtd2VzdDEg?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("line1\r\nline2", "=?base64?bGluZTENCmxpbmUy?="),
        ("\tindented", "=?base64?CWluZGVudGVk?="),
        ("in\tside", "=?base64?aW4Jc2lkZQ==?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8="),
    ];
    for (value, encoded) in table {
        assert_eq!(encode_value(value), encoded, "{value:?}");
        assert_eq!(decode_value(encoded).as_deref(), Ok(value), "{encoded:?}");
    }
}

#[test]
fn values_are_decoded_or_refused() {
    use HeaderValueError::{InvalidBase64, InvalidCharacter, InvalidUtf8};
    let table: [(&[u8], Result<&str, HeaderValueError>); 14] = [
        (b"=?base64?SGVsbG8=?=", Ok("Hello")),
        (b"=?base64??=", Ok("")),
        (b"=?base64?SGVsbG8?=", Err(InvalidBase64)),
        (b"=?base64?SGVs!!!bG8=?=", Err(InvalidBase64)),
        (b"=?base64?SGVs\tbG8=?=", Err(InvalidBase64)),
        (b"=?base64?/w==?=", Err(InvalidUtf8)),
        (b"SGVsbG8=", Ok("SGVsbG8=")),
        (b"=?base64?SGVsbG8=", Ok("=?base64?SGVsbG8=")),
        (b"=?BASE64?SGVsbG8=?=", Ok("=?BASE64?SGVsbG8=?=")),
        (b" \t foo\t ", Ok("foo")),
        (b"a\tb", Ok("a\tb")),
        (b"a\nb", Err(InvalidCharacter)),
        (b"foo\n", Err(InvalidCharacter)),
        ("é".as_bytes(), Err(InvalidCharacter)),
    ];
    for (value, decoded) in table {
        assert_eq!(decode_value(value).as_deref(), decoded.as_ref().copied(), "{}", value.escape_ascii());
    }
}

#[test]
fn a_mirrored_header_agrees_with_the_body_or_is_refused() {
    type Row = (&'static [&'static [u8]], Option<&'static str>, Option<&'static str>);
    let table: [Row; 9] = [
        (&[], None, None),
        (&[b"foo"], Some("foo"), None),
        (&[b"  foo  "], Some("foo"), None),
        (&[b"=?base64?IGE=?="], Some(" a"), None),
        (
            &[b"foo"],
            Some("bar"),
            Some(r#"Header mismatch: mcp-name header value "foo" does not match body value "bar""#),
        ),
        (
            &[b"Foo"],
            Some("foo"),
            Some(r#"Header mismatch: mcp-name header value "Foo" does not match body value "foo""#),
        ),
        (
            &[],
            Some("foo"),
            Some(r#"Header mismatch: the mcp-name header is missing, but the body has the value "foo""#),
        ),
        (
            &[b"foo"],
            None,
            Some(r#"Header mismatch: the mcp-name header has the value "foo", but the body has none"#),
        ),
        (&[b"foo", b"foo"], Some("foo"), Some("Header mismatch: the mcp-name header appears more than once")),
    ];
    for (values, expected, error) in table {
        let result = check_mirror("mcp-name", values.iter().copied(), expected);
        assert_eq!(result.err().as_deref(), error, "{values:?} against {expected:?}");
    }
}

#[test]
fn annotations_that_break_a_rule_are_named() {
    use HeaderRule::{Duplicate, NotAString, NotAToken, NotPrimitive, NotReachable};
    let token = |name: &str| NotAToken(name.to_owned());
    let table = [
        (json!({"properties": {"a": {"type": "string", "x-mcp-header": ""}}}), "#/properties/a", token("")),
        (
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "My Region"}}}),
            "#/properties/a",
            token("My Region"),
        ),
        (
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "A:B"}}}),
            "#/properties/a",
            token("A:B"),
        ),
        (
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "Région"}}}),
            "#/properties/a",
            token("Région"),
        ),
        (
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "R\t1"}}}),
            "#/properties/a",
            token("R\t1"),
        ),
        (json!({"properties": {"a": {"type": "string", "x-mcp-header": 5}}}), "#/properties/a", NotAString),
        (
            json!({"properties": {"a": {"type": "string", "x-mcp-header": null}}}),
            "#/properties/a",
            NotAString,
        ),
        (
            json!({"properties": {"a": {"type": "object", "x-mcp-header": "A"}}}),
            "#/properties/a",
            NotPrimitive,
        ),
        (
            json!({"properties": {"a": {"type": "array", "x-mcp-header": "A"}}}),
            "#/properties/a",
            NotPrimitive,
        ),
        (json!({"properties": {"a": {"type": "null", "x-mcp-header": "A"}}}), "#/properties/a", NotPrimitive),
        (
            json!({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}),
            "#/properties/a",
            NotPrimitive,
        ),
        (
            json!({"properties": {"a": {"type": ["string", "null"], "x-mcp-header": "A"}}}),
            "#/properties/a",
            NotPrimitive,
        ),
        (json!({"properties": {"a": {"x-mcp-header": "A"}}}), "#/properties/a", NotPrimitive),
        (
            json!({"properties": {
                "a": {"type": "string", "x-mcp-header": "MyField"},
                "b": {"type": "string", "x-mcp-header": "myfield"}
            }}),
            "#/properties/b",
            Duplicate("myfield".to_owned(), "#/properties/a".to_owned()),
        ),
        (json!({"type": "string", "x-mcp-header": "A"}), "#", NotReachable),
        (json!({"items": {"type": "string", "x-mcp-header": "A"}}), "#/items", NotReachable),
        (
            json!({"properties": {"a": {"items": {"properties": {"b": {"type": "string", "x-mcp-header": "A"}}}}}}),
            "#/properties/a/items/properties/b",
            NotReachable,
        ),
        (
            json!({"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]}),
            "#/anyOf/0/properties/a",
            NotReachable,
        ),
        (
            json!({"then": {"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}}),
            "#/then/properties/a",
            NotReachable,
        ),
        (json!({"$defs": {"a/b": {"type": "string", "x-mcp-header": "A"}}}), "#/$defs/a~1b", NotReachable),
        (
            json!({"patternProperties": {"^a": {"type": "string", "x-mcp-header": "A"}}}),
            "#/patternProperties/^a",
            NotReachable,
        ),
    ];
    for (schema, path, rule) in table {
        let error = ParamHeaders::from_schema(&object(schema.clone())).expect_err(&schema.to_string());
        assert_eq!((error.path.as_str(), &error.rule), (path, &rule), "{schema}");
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn what_only_looks_like_an_annotation_is_none() {
    let table = [
        json!({"properties": {"x-mcp-header": {"type": "string"}}}),
        json!({"properties": {"a": {"default": {"x-mcp-header": "A"}}}}),
        json!({"properties": {"a": {"const": {"x-mcp-header": "A"}}}}),
        json!({"examples": [{"x-mcp-header": "A"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
        json!({}),
    ];
    for schema in table {
        assert_eq!(
            ParamHeaders::from_schema(&object(schema.clone())).map(|found| found.is_empty()),
            Ok(true),
            "{schema}"
        );
    }
}

#[test]
fn a_schema_without_end_is_refused() {
    let mut schema = json!({ "x-mcp-header": "a" });
    for _ in 0..200 {
        schema = json!({ "properties": { "a": schema } });
    }
    let error = ParamHeaders::from_schema(&object(schema)).expect_err("it is too deep");
    assert_eq!(error.rule, HeaderRule::Unreadable);
}

fn example() -> ParamHeaders {
    let schema = json!({"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "priority": {"type": "integer", "x-mcp-header": "Priority"},
        "verbose": {"type": "boolean", "x-mcp-header": "Verbose"},
        "query": {"type": "string"},
        "at": {"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}}}
    }});
    ParamHeaders::from_schema(&object(schema)).expect("the schema keeps the rules")
}

#[test]
fn arguments_become_headers() {
    let table = [
        (json!({"region": "us-west1", "query": "SELECT"}), vec![("mcp-param-region", "us-west1")]),
        (
            json!({"priority": 42, "verbose": false}),
            vec![("mcp-param-priority", "42"), ("mcp-param-verbose", "false")],
        ),
        (json!({"priority": -7.0}), vec![("mcp-param-priority", "-7")]),
        (
            json!({"region": "", "verbose": true}),
            vec![("mcp-param-region", ""), ("mcp-param-verbose", "true")],
        ),
        (json!({"region": null, "verbose": null}), vec![]),
        (json!({"region": ["a"], "priority": {}}), vec![]),
        (json!({"at": {"zone": " b"}}), vec![("mcp-param-zone", "=?base64?IGI=?=")]),
        (json!({"at": "zone"}), vec![]),
        (json!({}), vec![]),
    ];
    for (arguments, headers) in table {
        let mut found = example().values(arguments.as_object());
        found.sort();
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, headers, "{arguments}");
    }
    assert!(example().values(None).is_empty());
}

#[test]
fn headers_are_checked_against_arguments() {
    type Headers = &'static [(&'static str, &'static [u8])];
    let table: [(Value, Headers, Option<&str>); 21] = [
        (json!({"region": "a"}), &[("region", b"a")], None),
        (json!({"region": "Hello"}), &[("region", b"=?base64?SGVsbG8=?=")], None),
        (json!({"region": "Hello"}), &[("region", b"=?base64?SGVsbG8?=")], Some("not padded base64")),
        (json!({"region": "é"}), &[("region", b"\xc3\xa9")], Some("malformed")),
        (json!({}), &[("region", b"\xc3\xa9")], Some("malformed")),
        (json!({"region": "a"}), &[("region", b"A")], Some("does not match body value")),
        (json!({"region": "a"}), &[], Some("header is missing, but the body has the argument region")),
        (json!({"at": {"zone": "a"}}), &[], Some("the argument at.zone")),
        (json!({"region": null}), &[], None),
        (json!({}), &[], None),
        (json!({}), &[("region", b"a")], Some("but the body has none")),
        (json!({"region": null}), &[("region", b"a")], Some("but the body has none")),
        (json!({"region": "a"}), &[("region", b"a"), ("region", b"a")], Some("more than once")),
        (json!({"priority": 42}), &[("priority", b"42.0")], None),
        (json!({"priority": 42.0}), &[("priority", b"42")], None),
        (json!({"priority": 42}), &[("priority", b"43")], Some("does not match")),
        (json!({"priority": 42}), &[("priority", b"inf")], Some("does not match")),
        (
            json!({"priority": 9_007_199_254_740_993_i64}),
            &[("priority", b"9007199254740993")],
            Some("must lie between -9007199254740991 and 9007199254740991"),
        ),
        (json!({"priority": 9_007_199_254_740_991_i64}), &[("priority", b"9007199254740991")], None),
        (json!({"verbose": true}), &[("verbose", b"True")], Some("does not match")),
        (json!({"region": [1]}), &[], None),
    ];
    for (arguments, headers, error) in table {
        let lookup = |name: &str| {
            let name = name.strip_prefix("mcp-param-").expect("the name is a parameter's").to_owned();
            headers.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
        };
        let result = example().check(lookup, arguments.as_object());
        match (&result, error) {
            (Ok(()), None) => {}
            (Err(message), Some(part)) => {
                assert!(
                    message.starts_with("Header mismatch: ") && message.contains(part),
                    "{arguments}: {message}"
                );
            }
            _ => panic!("{arguments} with {headers:?}: {result:?}"),
        }
    }
}

proptest! {
    #[test]
    fn every_text_survives_a_header(text in any::<String>()) {
        let encoded = encode_value(&text);
        prop_assert!(encoded.bytes().all(|b| (0x20..=0x7e).contains(&b)));
        let decoded = decode_value(encoded.as_ref());
        prop_assert_eq!(decoded.as_deref(), Ok(text.as_str()));
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        let _ = decode_value(&bytes);
    }

    #[test]
    fn what_a_client_writes_a_server_accepts(
        region in proptest::option::of(any::<String>()),
        priority in proptest::option::of(-(1_i64 << 53) + 1..1_i64 << 53),
        verbose in any::<Option<bool>>(),
    ) {
        let arguments = object(json!({ "region": region, "priority": priority, "verbose": verbose }));
        let headers = example().values(Some(&arguments.to_map()));
        let lookup = |name: &str| {
            headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_bytes())
        };
        prop_assert_eq!(example().check(lookup, Some(&arguments.to_map())), Ok(()));
    }
}
