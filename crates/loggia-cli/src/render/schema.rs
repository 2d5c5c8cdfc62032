//! The arguments of tools, in one line and in full.

use std::fmt::Write;

use loggia::client::ArgumentSchema;
use loggia::model::JsonObject;

use crate::out::{DIM, NAME};
use crate::text::{one_line, pad, paragraph};

/// Returns `path, limit?, glob?`: the arguments in one line, required ones first.
pub(crate) fn signature(schema: &JsonObject) -> String {
    let schema = ArgumentSchema::of(schema);
    let (required, optional): (Vec<_>, Vec<_>) =
        schema.arguments().partition(|argument| argument.is_required);
    let required = required.iter().map(|argument| one_line(argument.name));
    let optional = optional.iter().map(|argument| one_line(argument.name) + "?");
    required.chain(optional).collect::<Vec<_>>().join(", ")
}

/// Appends every argument with its type and description.
pub(crate) fn arguments(out: &mut String, schema: &JsonObject, width: usize) {
    let schema = ArgumentSchema::of(schema);
    let longest = schema.arguments().map(|argument| argument.name.chars().count()).max().unwrap_or(0).min(24);
    for argument in schema.arguments() {
        let optional = if argument.is_required { "" } else { ", optional" };
        let default = argument.default.map(|value| format!(", default {value}")).unwrap_or_default();
        let kind = one_line(&format!("{}{optional}{default}", argument.type_text));
        // Writing into a String cannot fail.
        let _ =
            writeln!(out, "  {NAME}{}{NAME:#}  {DIM}{kind}{DIM:#}", pad(&one_line(argument.name), longest));
        if let Some(description) = argument.description {
            paragraph(out, description, 6, width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_signature_has_the_required_arguments_first() {
        let schema = json!({ "properties": { "a": {}, "b": {}, "c": {} }, "required": ["b"] });
        assert_eq!(signature(&JsonObject::try_from(schema).expect("an object")), "b, a?, c?");
        assert_eq!(signature(&JsonObject::new()), "");
    }
}
