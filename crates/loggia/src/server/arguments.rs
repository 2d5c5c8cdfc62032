//! Arguments of a tool call, checked against its schema before the tool sees them.

use loggia_wire::{JsonText, RawJson};
use serde_json::Value;

use super::args::{Args, ArgumentSpans};
use super::error::ToolError;
use super::handlers::tools::ToolEntry;
use crate::model::JsonObject;

/// The arguments as the tool is to get them. What is wrong is told to the model, with the path to it, so
/// that it can do better (SEP-1303).
pub(crate) fn read(tool: &ToolEntry, raw: &RawJson) -> Result<Args, ToolError> {
    match in_text(tool, raw) {
        Some(args) => Ok(args),
        None => checked(tool, raw).map(Args::new),
    }
}

/// Arguments that are in order are checked and taken in the text they came in.
fn in_text(tool: &ToolEntry, raw: &RawJson) -> Option<Args> {
    let needed = tool.needed_in_text.as_ref()?;
    u32::try_from(raw.as_bytes().len()).ok()?;
    let mut members = ArgumentSpans::of(raw.clone());
    let fits = tool.validator.accepts_object(raw.as_bytes(), |name, value| members.add(name, value));
    (fits && needed.iter().all(|name| members.has(name))).then(|| Args::in_text(members))
}

fn checked(tool: &ToolEntry, raw: &RawJson) -> Result<JsonObject, ToolError> {
    let mut arguments =
        JsonObject::read(raw.as_bytes()).map_err(|error| invalid(tool, &error.to_string()))?;
    if tool.generated {
        arguments = apply_defaults(arguments, &tool.definition.input_schema);
    }
    let tree: Value = arguments.decode().map_err(|error| invalid(tool, &error.to_string()))?;
    tool.validator.validate(&tree).map_err(|violations| invalid(tool, &violations.to_string()))?;
    Ok(arguments)
}

/// The members that arguments must have to be taken in their text: those with a default, which [`apply_defaults`]
/// would supply. `None` where defaults stand deeper.
pub(crate) fn needed_in_text(schema: &JsonObject) -> Option<Vec<String>> {
    let mut needed = Vec::new();
    for (name, property) in properties(schema) {
        if property.contains_key("default") {
            needed.push(name);
        }
        if has_defaults(&property) {
            return None;
        }
    }
    Some(needed)
}

/// Returns whether [`apply_defaults`] would find a default within a value of this schema.
fn has_defaults(schema: &JsonObject) -> bool {
    let within = |schema: &JsonObject| schema.contains_key("default") || has_defaults(schema);
    properties(schema).iter().any(|(_, property)| within(property))
        || schema.get("items").and_then(JsonText::to_object).is_some_and(|items| within(&items))
}

/// The schemas of an object's members that are objects themselves.
fn properties(schema: &JsonObject) -> Vec<(String, JsonObject)> {
    let properties = schema.get("properties").and_then(JsonText::to_object).unwrap_or_default();
    properties.iter().filter_map(|(name, schema)| Some((name.into_owned(), schema.to_object()?))).collect()
}

fn invalid(tool: &ToolEntry, reason: &str) -> ToolError {
    ToolError::say(format!("Invalid arguments for {}: {reason}", tool.definition.name))
}

/// Completes an object whose schema was made from a type. Models write `null` for what they leave out, and leave out
/// what has a default; such schemas mean the same by both.
pub(crate) fn apply_defaults(mut object: JsonObject, schema: &JsonObject) -> JsonObject {
    let required = schema.get("required").map(JsonText::decode::<Vec<String>>);
    let required = required.and_then(Result::ok).unwrap_or_default();
    for (name, property) in properties(schema) {
        let given = object.get(&name).map(JsonText::to_raw);
        let is_left_out = given.as_ref().is_some_and(|value| {
            value.as_text().is_null() && !required.contains(&name) && !allows_null(&property)
        });
        if is_left_out {
            object.remove(&name);
        }
        match (given.filter(|_| !is_left_out), property.get("default")) {
            (Some(value), _) => {
                let completed = apply_inner_defaults(value.as_text(), &property);
                if completed != value {
                    object.insert(&name, completed);
                }
            }
            (None, Some(default)) => object.insert(&name, default),
            (None, None) => {}
        }
    }
    object
}

fn apply_inner_defaults(value: JsonText<'_>, schema: &JsonObject) -> RawJson {
    if let Some(object) = value.to_object() {
        return apply_defaults(object, schema).to_raw();
    }
    match (value.items(), schema.get("items").and_then(JsonText::to_object)) {
        (Some(items), Some(schema)) => {
            RawJson::of(&items.map(|item| apply_inner_defaults(item, &schema)).collect::<Vec<_>>())
        }
        _ => value.to_raw(),
    }
}

/// Returns whether `schema` allows `null`. Only the forms that are made from types matter.
fn allows_null(schema: &JsonObject) -> bool {
    match (schema.get("type"), schema.get("anyOf").and_then(JsonText::items)) {
        (Some(kind), _) => kind.is_str("null"),
        (None, Some(mut any)) => any.any(|one| one.to_object().is_some_and(|one| allows_null(&one))),
        (None, None) => !schema.contains_key("$ref") && !schema.contains_key("enum"),
    }
}
