//! Schemas of arguments, from each dialect.

use loggia_openapi::Api;
use serde_json::{Value, json};

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
