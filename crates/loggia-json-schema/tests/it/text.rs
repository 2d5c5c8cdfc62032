//! Objects checked in their text (`Validator::accepts_object`) against the same objects checked as trees.

use loggia_json_schema::Validator;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

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

fn arguments() -> impl Strategy<Value = String> {
    let value = || mostly(vec!["\"red\"", "\"abc\"", "5", "true", "[1,2]", r#"{"inner":1}"#, "2.5"]);
    let member = (select(vec!["text", "count", "flag", "list", "inside", "colour", "at", "other"]), value());
    vec(member, 0..5).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

/// Schemas of the kinds that the fast check knows, and of some that it leaves alone.
fn schemas() -> Vec<Value> {
    let properties = json!({
        "text": { "type": "string" }, "count": { "type": "integer", "minimum": 1, "maximum": 4 },
        "flag": { "type": "boolean" }, "list": { "type": "array", "items": { "type": "integer" }, "maxItems": 3 },
        "inside": { "$ref": "#/$defs/inside" }, "colour": { "type": "string", "enum": ["red", "green"] },
        "at": { "type": "number" }
    });
    let defs = json!({ "inside": {
        "type": "object", "properties": { "inner": { "type": "integer" } }, "required": ["inner"], "additionalProperties": false
    } });
    let base = json!({ "type": "object", "properties": properties, "$defs": defs });
    let with = |more: Value| {
        let mut schema = base.clone();
        let members = schema.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        schema
    };
    vec![
        base.clone(),
        with(json!({ "additionalProperties": false })),
        with(json!({ "required": ["text"], "minProperties": 2 })),
        with(json!({ "additionalProperties": { "type": "string", "maxLength": 3 } })),
        with(json!({ "patternProperties": { "^o": { "type": "null" } } })),
        with(json!({ "dependentRequired": { "text": ["count"] } })),
        with(json!({ "anyOf": [{ "required": ["text"] }, { "required": ["at"] }] })),
        with(json!({ "unevaluatedProperties": false })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arguments_that_are_accepted_are_valid(text in arguments(), schema in select(schemas())) {
        let Ok(raw) = serde_json::from_str::<&RawValue>(&text) else { return Ok(()) };
        let validator = Validator::compile_value(&schema).unwrap();
        let mut members = Map::new();
        let accepted = validator.accepts_object(text.as_bytes(), |name, value| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            members.extend(serde_json::from_slice(value).ok().map(|value: Value| (name, value)));
        });
        let Ok(value) = serde_json::from_str::<Value>(raw.get()) else {
            prop_assert!(!accepted, "{}", raw);
            return Ok(());
        };
        prop_assert!(!accepted || (validator.is_valid(&value) && value == Value::Object(members)), "{}", raw);
    }
}

/// A fast path that is never taken would pass every comparison.
#[test]
fn usual_arguments_are_accepted_in_their_text() {
    for schema in &schemas()[..2] {
        let validator = Validator::compile_value(schema).unwrap();
        assert!(validator.accepts_object(br#"{"text":"x","count":2}"#, |_, _| {}), "{schema}");
    }
}
