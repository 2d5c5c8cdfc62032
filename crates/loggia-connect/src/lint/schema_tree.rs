//! The subschemas of a schema, with their places.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::document::DocumentEntry;
use super::edit::child;

/// The maximum nesting that is looked at.
const MAX_DEPTH: usize = 64;
/// Keywords whose value is an object of schemas.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords whose value is an array of schemas.
const LISTED: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is a schema.
const SINGLE: [&str; 10] = [
    "items",
    "additionalProperties",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// One subschema that is an object.
pub(super) struct SubSchema<'d> {
    pub(super) keywords: &'d Map<String, Value>,
    pub(super) pointer: String,
    /// The number of objects and arrays around it.
    pub(super) level: usize,
}

/// Returns the subschemas of a member of a tool, the root first.
pub(super) fn subschemas<'d>(tool: &DocumentEntry<'d>, member: &str) -> Vec<SubSchema<'d>> {
    let mut found = Vec::new();
    if let Some(schema) = tool.value.get(member) {
        collect(schema, tool.at(member), (0, 0), &mut found);
    }
    found
}

fn collect<'d>(
    schema: &'d Value,
    pointer: String,
    (depth, level): (usize, usize),
    found: &mut Vec<SubSchema<'d>>,
) {
    let Some(keywords) = schema.as_object().filter(|_| depth <= MAX_DEPTH) else { return };
    for (keyword, value) in keywords {
        let at = child(&pointer, keyword);
        let level = level + usize::from(["properties", "items", "prefixItems"].contains(&keyword.as_str()));
        let inner = (depth + 1, level);
        let name = keyword.as_str();
        match value {
            Value::Object(members) if NAMED.contains(&name) => {
                members.iter().for_each(|(name, schema)| collect(schema, child(&at, name), inner, found));
            }
            Value::Array(items) if LISTED.contains(&name) || name == "items" => {
                let items = items.iter().enumerate();
                items.for_each(|(n, schema)| collect(schema, format!("{at}/{n}"), inner, found));
            }
            Value::Object(_) if SINGLE.contains(&name) => collect(value, at, inner, found),
            _ => {}
        }
    }
    found.push(SubSchema { keywords, pointer, level });
}

/// Returns the place in `schema` that a reference within the document names; `None` for any other.
pub(super) fn target<'s>(schema: &'s Value, reference: &str) -> Option<&'s Value> {
    schema.pointer(reference.strip_prefix('#')?)
}

/// Returns a reference that leads to itself again.
pub(super) fn recursion(tool: &DocumentEntry<'_>, member: &str) -> Option<String> {
    let schema = tool.value.get(member)?;
    let references = references_in(schema);
    references.iter().find(|reference| reaches(schema, reference)).cloned()
}

/// Returns whether the target of `reference` leads back to `reference`.
fn reaches(schema: &Value, reference: &str) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![reference.to_owned()];
    while let Some(next) = open.pop() {
        for inner in target(schema, &next).map(references_in).unwrap_or_default() {
            if inner == reference {
                return true;
            }
            if seen.insert(inner.clone()) {
                open.push(inner);
            }
        }
    }
    false
}

fn references_in(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(schema, String::new(), (0, 0), &mut found);
    let reference = |site: &SubSchema<'_>| Some(site.keywords.get("$ref")?.as_str()?.to_owned());
    found.iter().filter_map(reference).collect()
}
