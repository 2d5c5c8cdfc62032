//! Schemas of arguments, from each dialect.

use loggia_openapi::Api;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use serde_json::{Map, Value, json};

use crate::files::assert_strict;

fn property(version: &str, schema: &Value, schemas: &Value) -> Value {
    let description = json!({
        "openapi": version, "info": {}, "paths": { "/": { "get": { "operationId": "call", "parameters": [
            { "name": "p", "in": "query", "schema": schema },
        ] } } },
        "components": { "schemas": schemas },
    });
    let api = Api::read(description.to_string().as_bytes()).expect("a description");
    let schema: Value = serde_json::from_str(api.operations()[0].tool().input_schema.as_str()).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of 2020-12");
    schema["properties"]["p"].clone()
}

#[test]
fn dialects_become_one() {
    let table = [
        ("3.0.3", json!({ "type": "string", "nullable": true }), json!({ "type": ["string", "null"] })),
        (
            "3.0.3",
            json!({ "type": "string", "enum": ["a"], "nullable": true }),
            json!({ "type": ["string", "null"], "enum": ["a", null] }),
        ),
        (
            "3.0.3",
            json!({ "nullable": true, "oneOf": [{ "type": "string" }] }),
            json!({ "anyOf": [{ "oneOf": [{ "type": "string" }] }, { "type": "null" }] }),
        ),
        (
            "3.0.3",
            json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false }),
            json!({ "type": "integer", "exclusiveMinimum": 1, "maximum": 9 }),
        ),
        (
            "3.1.0",
            json!({ "type": ["integer", "null"], "exclusiveMinimum": 1 }),
            json!({ "type": ["integer", "null"], "exclusiveMinimum": 1 }),
        ),
        (
            "3.1.0",
            json!({ "type": "object", "properties": { "a": true, "b": { "x-secret": 1, "example": 2, "deprecated": true } } }),
            json!({ "type": "object", "properties": { "a": true, "b": {} } }),
        ),
        (
            "3.0.0",
            json!({ "type": "object", "required": ["id", "name"], "properties": { "id": { "type": "string", "readOnly": true }, "name": {} } }),
            json!({ "type": "object", "required": ["name"], "properties": { "name": {} } }),
        ),
        (
            "3.1.0",
            json!({ "$ref": "#/components/schemas/Name", "description": "Here" }),
            json!({ "type": "string", "description": "Here" }),
        ),
        ("3.1.0", json!({ "$ref": "#/components/schemas/None" }), json!({})),
        ("3.1.0", json!({ "$ref": "other.yaml#/x" }), json!({})),
        (
            "3.1.0",
            json!({ "$ref": "#/components/schemas/Tree" }),
            json!({ "type": "object", "properties": { "children": { "type": "array", "items": { "type": "object", "description": "A nested Tree" } } } }),
        ),
        ("3.1.0", json!({ "$ref": "#/components/schemas/Loop" }), json!({ "description": "A nested Loop" })),
    ];
    let schemas = json!({
        "Name": { "type": "string", "description": "There" },
        "Tree": { "type": "object", "properties": { "children": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } } } },
        "Loop": { "$ref": "#/components/schemas/Loop" },
    });
    for (version, schema, expected) in table {
        assert_eq!(property(version, &schema, &schemas), expected, "{version} {schema}");
    }
}

#[test]
fn a_wide_schema_is_cut_at_its_deeper_levels() {
    let wide = |inner: &Value| json!({ "type": "object", "properties": (0..12).map(|n| (format!("member_{n}"), inner.clone())).collect::<serde_json::Map<_, _>>() });
    let schema = (0..4).fold(json!({ "type": "string" }), |inner, _| wide(&inner));
    let written = property("3.1.0", &schema, &json!({}));
    assert!(written.to_string().len() < 24 * 1024);
    assert_eq!(written["properties"]["member_0"]["type"], "object");
}

/// Schemas of all forms: with references inside and outside of the document, loops, and names of any characters.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!({ "type": "string", "nullable": true, "example": 1 })),
        Just(json!({ "type": "string", "enum": ["a", "b"], "deprecated": true })),
        Just(json!({ "type": "integer", "minimum": 1, "maximum": 9 })),
        Just(json!({ "$ref": "#/components/schemas/Tree" })),
        Just(json!({ "$ref": "#/components/schemas/Loop" })),
        Just(json!({ "$ref": "#/components/schemas/None" })),
        Just(json!({ "$ref": "other.yaml#/x" })),
        "\\PC{0,20}".prop_map(|text| json!({ "type": "string", "description": text, "default": text })),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let schemas = proptest::collection::vec(inner.clone(), 1..4);
        let members = proptest::collection::vec(("\\PC{0,12}", inner.clone()), 0..6);
        prop_oneof![
            inner.clone().prop_map(|items| json!({ "type": "array", "items": items })),
            inner.prop_map(|value| json!({ "type": "object", "additionalProperties": value })),
            (schemas, prop_oneof![Just("allOf"), Just("anyOf"), Just("oneOf")])
                .prop_map(|(schemas, word)| json!({ word: schemas, "nullable": true })),
            members.prop_map(|members| {
                let required: Option<String> = members.first().map(|(name, _)| name.clone());
                let properties: Map<String, Value> = members.into_iter().collect();
                json!({ "type": "object", "properties": properties, "required": required.into_iter().collect::<Vec<_>>() })
            }),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn a_tool_of_any_description_suits_strict_clients(
        name in "\\PC{0,80}",
        parameters in proptest::collection::vec(("\\PC{1,80}", any_schema()), 0..5),
        body in any_schema(),
        is_3_0 in any::<bool>(),
    ) {
        let parameters: Vec<Value> = parameters
            .into_iter()
            .map(|(name, schema)| json!({ "name": name, "in": "query", "schema": schema }))
            .collect();
        let description = json!({
            "openapi": if is_3_0 { "3.0.3" } else { "3.1.0" }, "info": {},
            "paths": { "/": { "post": {
                "operationId": name, "parameters": parameters,
                "requestBody": { "content": { "application/json": { "schema": body } } },
            } } },
            "components": { "schemas": {
                "Tree": { "type": "object", "properties": { "a b": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } } } },
                "Loop": { "$ref": "#/components/schemas/Loop" },
            } },
        });
        let api = Api::read(description.to_string().as_bytes()).expect("a description");
        proptest::prop_assert_eq!(api.operations().len(), 1, "{:?}", api.problems());
        assert_strict(&api.operations()[0].tool());
    }
}
