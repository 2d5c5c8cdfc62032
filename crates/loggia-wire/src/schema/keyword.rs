//! Where a schema keeps its subschemas. One list for all who walk schemas, so that the compiler and the
//! header rules agree on what is a schema and what is mere data.

use serde_json::{Map, Value};

/// How a subschema hangs on its parent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    /// The value of a keyword.
    Keyword(&'a str),
    /// An entry of a keyword's list.
    Index(&'a str, usize),
    /// An entry of a keyword's map.
    Name(&'a str, &'a str),
}

impl Step<'_> {
    /// Appends the step to a JSON Pointer.
    pub(crate) fn append_to(self, pointer: &mut String) {
        match self {
            Step::Keyword(keyword) => append(pointer, keyword),
            Step::Index(keyword, index) => {
                append(pointer, keyword);
                append(pointer, &index.to_string());
            }
            Step::Name(keyword, name) => {
                append(pointer, keyword);
                append(pointer, name);
            }
        }
    }
}

fn append(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Keywords whose value is a schema.
const ONE: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas (`items` in draft-07 is either).
const MANY: &[&str] = &["allOf", "anyOf", "items", "oneOf", "prefixItems"];
/// Keywords whose value maps names to schemas (in `dependencies`, also to lists of names).
const NAMED: &[&str] =
    &["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

/// Calls `visit` with each object that is a subschema of `schema`, until it fails.
pub(crate) fn each_subschema<'a, E>(
    schema: &'a Map<String, Value>,
    mut visit: impl FnMut(Step<'a>, &'a Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    for (keyword, value) in schema {
        let keyword = keyword.as_str();
        match value {
            Value::Object(named) if NAMED.contains(&keyword) => {
                for (name, value) in named {
                    value.as_object().map_or(Ok(()), |schema| visit(Step::Name(keyword, name), schema))?;
                }
            }
            Value::Object(schema) if ONE.contains(&keyword) => visit(Step::Keyword(keyword), schema)?,
            Value::Array(list) if MANY.contains(&keyword) => {
                for (index, value) in list.iter().enumerate() {
                    value.as_object().map_or(Ok(()), |schema| visit(Step::Index(keyword, index), schema))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
