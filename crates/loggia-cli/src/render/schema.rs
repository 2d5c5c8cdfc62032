//! JSON Schemas of tools, as far as a person wants to see them: which arguments there are, of what type.

use std::fmt::Write;

use loggia::model::JsonObject;
use loggia::wire::JsonText;
use serde_json::Value;

use crate::out::{DIM, NAME};
use crate::text::{one_line, pad, paragraph};

/// `path, limit?, glob?`: the arguments in one line, required ones first.
pub(crate) fn signature(schema: &JsonObject) -> String {
    let describe = |(name, _): (String, Value)| {
        let required = is_required(schema, &name);
        (!required, format!("{}{}", one_line(&name), if required { "" } else { "?" }))
    };
    let mut arguments: Vec<(bool, String)> = properties(schema).into_iter().map(describe).collect();
    arguments.sort_by_key(|(optional, _)| *optional);
    arguments.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(", ")
}

/// Every argument with its type and description.
pub(crate) fn arguments(out: &mut String, schema: &JsonObject, width: usize) {
    let root = Value::Object(schema.to_map());
    let properties = properties(schema);
    let longest = properties.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(24);
    for (name, property) in &properties {
        let optional = if is_required(schema, name) { "" } else { ", optional" };
        let default = property.get("default").map(|value| format!(", default {value}")).unwrap_or_default();
        let kind = one_line(&format!("{}{optional}{default}", type_of(&root, property)));
        // Writing into a String cannot fail.
        let _ = writeln!(out, "  {NAME}{}{NAME:#}  {DIM}{kind}{DIM:#}", pad(&one_line(name), longest));
        if let Some(description) = property.get("description").and_then(Value::as_str) {
            paragraph(out, description, 6, width);
        }
    }
}

/// The arguments in the order of the schema.
fn properties(schema: &JsonObject) -> Vec<(String, Value)> {
    let properties = schema.get("properties").and_then(JsonText::to_object).unwrap_or_default();
    properties.iter().map(|(name, schema)| (name.into_owned(), schema.to_value())).collect()
}

fn is_required(schema: &JsonObject, name: &str) -> bool {
    let required = schema.get("required").and_then(JsonText::items);
    required.is_some_and(|mut required| required.any(|entry| entry.is_str(name)))
}

/// A type as people write it: `string`, `integer[]`, `"a" | "b"`.
fn type_of(root: &Value, schema: &Value) -> String {
    type_within(root, schema, 4)
}

fn type_within(root: &Value, schema: &Value, depth: usize) -> String {
    let schema = resolve(root, schema);
    if depth == 0 {
        return "…".to_owned();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return joined(values.iter().map(Value::to_string));
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    for branches in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(branches).and_then(Value::as_array) {
            return joined(branches.iter().map(|branch| type_within(root, branch, depth - 1)));
        }
    }
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => match schema.get("items") {
            Some(items) => format!("{}[]", bracketed(type_within(root, items, depth - 1))),
            None => "array".to_owned(),
        },
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => joined(names.iter().filter_map(Value::as_str).map(str::to_owned)),
        _ => "any".to_owned(),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" | ")
}

fn bracketed(name: String) -> String {
    if name.contains(' ') { format!("({name})") } else { name }
}

fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let pointer =
        schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix("#/"));
    let found = pointer.and_then(|pointer| {
        let mut parts = pointer.split('/');
        let first = root.get(parts.next()?)?;
        parts.try_fold(first, |at, part| at.get(part))
    });
    found.unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_are_written_as_people_write_them() {
        let root = json!({ "$defs": { "Level": { "type": "integer" } } });
        for (schema, expected) in [
            (json!({ "type": "string" }), "string"),
            (json!({ "type": ["integer", "null"] }), "integer | null"),
            (json!({ "type": "array", "items": { "type": "string" } }), "string[]"),
            (json!({ "type": "array", "items": { "enum": ["a", "b"] } }), "(\"a\" | \"b\")[]"),
            (json!({ "anyOf": [{ "$ref": "#/$defs/Level" }, { "type": "null" }] }), "integer | null"),
            (json!({ "$ref": "#/$defs/Missing" }), "any"),
            (json!({ "const": 5 }), "5"),
            (json!(true), "any"),
        ] {
            assert_eq!(type_of(&root, &schema), expected);
        }
    }

    #[test]
    fn a_signature_has_the_required_arguments_first() {
        let schema = json!({ "properties": { "a": {}, "b": {}, "c": {} }, "required": ["b"] });
        assert_eq!(signature(&JsonObject::try_from(schema).expect("an object")), "b, a?, c?");
        assert_eq!(signature(&JsonObject::new()), "");
    }
}
