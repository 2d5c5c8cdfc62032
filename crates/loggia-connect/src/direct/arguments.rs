//! The arguments of a call, from what the caller gives to what the request takes.
//!
//! Invariant: a fixed argument cannot be set by the caller, and a name that the tool does not have is an error.

use serde_json::{Map, Value};

use super::definition::CURSOR;
use crate::manifest::ManifestTool;

/// Checks the arguments of a caller, and adds defaults and fixed ones. The error is for the model.
pub(super) fn complete(
    tool: &ManifestTool,
    given: Map<String, Value>,
    defaults: &Map<String, Value>,
    fixed: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let is_known = |name: &str| {
        tool.open_inputs().any(|input| input.name == name) || (tool.paging.is_some() && name == CURSOR)
    };
    if let Some(unknown) = given.keys().find(|name| !is_known(name)) {
        let mut names: Vec<&str> = tool.open_inputs().map(|input| input.name.as_str()).collect();
        names.extend(tool.paging.as_ref().map(|_| CURSOR));
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(format!("{} takes no argument {unknown:?}; it takes {known}", tool.name));
    }
    // A model writes null for an argument that it leaves out.
    let mut arguments: Map<String, Value> = given.into_iter().filter(|(_, value)| !value.is_null()).collect();
    for input in tool.open_inputs() {
        let default = defaults.get(&input.name).or_else(|| input.schema.get("default"));
        if let Some(default) = default.filter(|_| !arguments.contains_key(&input.name)) {
            arguments.insert(input.name.clone(), default.clone());
        }
        if input.is_required && !arguments.contains_key(&input.name) {
            return Err(format!("{} needs the argument {}", tool.name, input.name));
        }
    }
    arguments.extend(fixed.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(arguments)
}

/// Sets a member of an object; dots in the name lead into objects in it.
pub(super) fn set_nested(object: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            object.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = object.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Some(inner) = inner.as_object_mut() {
                set_nested(inner, rest, value);
            }
        }
    }
}
