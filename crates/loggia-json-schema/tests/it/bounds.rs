//! Schemas and values that try to exhaust the validator.

use std::fmt::Write as _;

use loggia_json_schema::{MAX_SUBSCHEMAS, SchemaErrorKind, Validator};
use serde_json::{Value, json};

use super::compile;

/// `levels` schemas, each of which refers to the next twice: twice as much work with each.
fn doubling(levels: usize, keyword: &str) -> Value {
    let mut defs = serde_json::Map::new();
    for level in 0..levels {
        let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
        defs.insert(format!("d{level}"), json!({ keyword: [next.clone(), next] }));
    }
    defs.insert(format!("d{levels}"), json!({ "type": "integer" }));
    json!({ "$ref": "#/$defs/d0", "$defs": defs })
}

#[test]
fn work_is_bounded() {
    let gives_up = [
        (doubling(60, "allOf"), json!(1)),
        (doubling(60, "anyOf"), json!("x")),
        (
            json!({ "not": doubling(60, "allOf")["$defs"]["d0"], "$defs": doubling(60, "allOf")["$defs"] }),
            json!(1),
        ),
        (json!({ "$ref": "#" }), json!(1)),
        (json!({ "not": { "$ref": "#" } }), json!(1)),
        (json!({ "anyOf": [{ "$ref": "#" }, true] }), json!(1)),
        (json!({ "pattern": "([a-z]{30}){30}$" }), json!("a".repeat(1_000_000))),
    ];
    for (schema, value) in gives_up {
        let validator = compile(&schema);
        assert!(!validator.is_valid(&value), "{schema}");
        let said = validator.validate(&value).expect_err("it is given up").to_string();
        assert!(said.contains("takes too long") || said.contains("nests too deeply"), "{schema}: {said}");
    }
}

#[test]
fn large_values_are_within_the_bounds() {
    let numbers: Vec<u32> = (0..200_000).collect();
    assert!(compile(&json!({"items": {"type": "integer", "minimum": 0}})).is_valid(&json!(numbers)));
    assert!(compile(&json!({"uniqueItems": true})).is_valid(&json!(numbers)));
    let mut deep = json!(null);
    for _ in 0..100 {
        deep = json!({ "a": deep });
    }
    assert!(compile(&json!({"properties": {"a": {"$ref": "#"}}})).is_valid(&deep));
    assert!(
        compile(&json!({"pattern": "^[a-z]+$", "maxLength": 1_000_000}))
            .is_valid(&json!("a".repeat(1_000_000)))
    );
}

#[test]
fn schemas_are_bounded_in_number_and_depth() {
    let many: Vec<Value> = (0..MAX_SUBSCHEMAS + 1).map(|_| json!({})).collect();
    let error = Validator::compile_value(&json!({ "anyOf": many })).expect_err("there are too many");
    assert_eq!(error.kind, SchemaErrorKind::TooLarge);
    let mut deep = json!({});
    for _ in 0..140 {
        deep = json!({ "not": deep });
    }
    let error = Validator::compile_value(&deep).expect_err("it is too deep");
    assert_eq!(error.kind, SchemaErrorKind::TooDeep);
}

#[test]
fn pointers_into_unknown_places_are_bounded_too() {
    let mut text = String::from(r##"{"$ref": "#/x/0""##);
    text.push_str(r#", "x": ["#);
    for index in 0..50 {
        let _ = write!(text, r##"{{"$ref": "#/x/{}"}},"##, index + 1);
    }
    text.push_str(r#"{"type": "string"}]}"#);
    let schema: Value = serde_json::from_str(&text).expect("the test writes JSON");
    let validator = compile(&schema);
    assert!(validator.is_valid(&json!("")) && !validator.is_valid(&json!(1)));
}
