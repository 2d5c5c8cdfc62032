//! The keywords under which a JSON Schema holds subschemas, and the walk over them.
//!
//! The validator and the rules for mirrored headers both walk schemas. One list makes them agree on which parts of a
//! document are schemas and which are data.

use serde_json::{Map, Value};

/// The deepest nesting of a schema that is walked.
pub const MAX_SCHEMA_DEPTH: usize = 128;

/// The step from a schema to one of its subschemas.
#[derive(Debug, Clone, Copy)]
pub enum SchemaStep<'a> {
    /// The value of a keyword.
    Keyword(&'a str),
    /// An entry of a keyword's list.
    Index(&'a str, usize),
    /// An entry of a keyword's map.
    Name(&'a str, &'a str),
}

impl SchemaStep<'_> {
    /// Appends the step to a JSON Pointer.
    pub fn append_to(self, pointer: &mut String) {
        match self {
            SchemaStep::Keyword(keyword) => append(pointer, keyword),
            SchemaStep::Index(keyword, index) => {
                append(pointer, keyword);
                append(pointer, &index.to_string());
            }
            SchemaStep::Name(keyword, name) => {
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
pub fn each_subschema<'a, E>(
    schema: &'a Map<String, Value>,
    mut visit: impl FnMut(SchemaStep<'a>, &'a Map<String, Value>) -> Result<(), E>,
) -> Result<(), E> {
    for (keyword, value) in schema {
        let keyword = keyword.as_str();
        match value {
            Value::Object(named) if NAMED.contains(&keyword) => {
                for (name, value) in named {
                    value
                        .as_object()
                        .map_or(Ok(()), |schema| visit(SchemaStep::Name(keyword, name), schema))?;
                }
            }
            Value::Object(schema) if ONE.contains(&keyword) => visit(SchemaStep::Keyword(keyword), schema)?,
            Value::Array(list) if MANY.contains(&keyword) => {
                for (index, value) in list.iter().enumerate() {
                    value
                        .as_object()
                        .map_or(Ok(()), |schema| visit(SchemaStep::Index(keyword, index), schema))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
