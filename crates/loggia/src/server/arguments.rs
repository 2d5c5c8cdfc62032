//! Arguments of a tool call, checked against its schema before the tool sees them.

use loggia_wire::RawJson;
use serde_json::Value;

use super::args::{Args, Members};
use super::error::ToolError;
use super::offers::tools::ToolEntry;
use crate::model::JsonObject;

/// The arguments as the tool is to get them. What is wrong is told to the model, with the path to it, so
/// that it can do better (SEP-1303).
pub(crate) fn read(tool: &ToolEntry, raw: &RawJson) -> Result<Args, ToolError> {
    match in_text(tool, raw) {
        Some(args) => Ok(args),
        None => as_tree(tool, raw).map(Args::new),
    }
}

/// Arguments that are in order need no tree: they are checked and taken in the text they came in.
fn in_text(tool: &ToolEntry, raw: &RawJson) -> Option<Args> {
    let needed = tool.needed_in_text.as_ref()?;
    u32::try_from(raw.as_bytes().len()).ok()?;
    let mut members = Members::of(raw.clone());
    let fits = tool.validator.accepts_object(raw.as_bytes(), |name, value| members.add(name, value));
    (fits && needed.iter().all(|name| members.has(name))).then(|| Args::in_text(members))
}

fn as_tree(tool: &ToolEntry, raw: &RawJson) -> Result<JsonObject, ToolError> {
    let mut value: Value = raw.read().map_err(|error| invalid(tool, &error.to_string()))?;
    if tool.generated {
        settle(&mut value, &tool.definition.input_schema);
    }
    tool.validator.validate(&value).map_err(|violations| invalid(tool, &violations.to_string()))?;
    match value {
        Value::Object(arguments) => Ok(arguments),
        // A schema of type `object` allows nothing else.
        _ => Err(invalid(tool, "they are not an object")),
    }
}

/// The members that arguments must have to be taken in their text: those with a default, which [`settle`]
/// would supply. `None` where defaults stand deeper, and only a tree will do.
pub(crate) fn needed_in_text(schema: &JsonObject) -> Option<Vec<String>> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return Some(Vec::new()) };
    let mut needed = Vec::new();
    for (name, property) in properties {
        let Value::Object(property) = property else { continue };
        if property.contains_key("default") {
            needed.push(name.clone());
        }
        if has_defaults(property) {
            return None;
        }
    }
    Some(needed)
}

/// Whether [`settle`] would find a default within a value of this schema.
fn has_defaults(schema: &JsonObject) -> bool {
    let within = |schema: &Value| {
        schema.as_object().is_some_and(|schema| schema.contains_key("default") || has_defaults(schema))
    };
    schema.get("properties").and_then(Value::as_object).is_some_and(|all| all.values().any(within))
        || schema.get("items").is_some_and(within)
}

fn invalid(tool: &ToolEntry, reason: &str) -> ToolError {
    ToolError::say(format!("Invalid arguments for {}: {reason}", tool.definition.name))
}

/// Models write `null` for what they leave out, and leave out what has a default. Schemas made from types
/// mean the same by both.
pub(crate) fn settle(value: &mut Value, schema: &JsonObject) {
    match value {
        Value::Object(members) => settle_object(members, schema),
        Value::Array(items) => {
            let Some(Value::Object(schema)) = schema.get("items") else { return };
            items.iter_mut().for_each(|item| settle(item, schema));
        }
        _ => {}
    }
}

fn settle_object(members: &mut JsonObject, schema: &JsonObject) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    let required = schema.get("required").and_then(Value::as_array);
    for (name, property) in properties {
        let Value::Object(property) = property else { continue };
        let is_required = required.is_some_and(|required| required.iter().any(|other| other == name));
        if !is_required && members.get(name).is_some_and(Value::is_null) && !allows_null(property) {
            members.remove(name);
        }
        match (members.get_mut(name), property.get("default")) {
            (Some(member), _) => settle(member, property),
            (None, Some(default)) => drop(members.insert(name.clone(), default.clone())),
            (None, None) => {}
        }
    }
}

/// Whether `schema` allows `null`. Only the forms that are made from types matter.
fn allows_null(schema: &JsonObject) -> bool {
    match (schema.get("type"), schema.get("anyOf")) {
        (Some(kind), _) => kind == "null",
        (None, Some(Value::Array(any))) => any.iter().any(|one| one.as_object().is_some_and(allows_null)),
        (None, _) => !schema.contains_key("$ref") && !schema.contains_key("enum"),
    }
}
