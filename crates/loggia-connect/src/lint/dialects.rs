//! Checks of the schema dialects of model vendors: the strict mode of OpenAI, and the function declarations of Gemini.

use serde_json::{Map, Value, json};

use super::document::ServerDocument;
use super::edit::JsonEdit;
use super::finding::FindingList;
use super::schema_tree::{SubSchema, subschemas};

/// Keywords that the strict mode of OpenAI does not have.
const NOT_OPENAI: [&str; 8] =
    ["allOf", "not", "dependentRequired", "dependentSchemas", "if", "then", "else", "patternProperties"];
/// The limits of the strict mode of OpenAI.
const OPENAI_LEVELS: usize = 10;
const OPENAI_PROPERTIES: usize = 5_000;
const OPENAI_ENUM_VALUES: usize = 1_000;
/// Keywords that neither of Gemini's two forms of a function's parameters has.
const NOT_GEMINI: [&str; 13] = [
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "const",
    "contains",
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "exclusiveMinimum",
    "exclusiveMaximum",
];

/// Calls `check` for each subschema of the arguments of each tool.
fn each(document: &ServerDocument, mut check: impl FnMut(&str, SubSchema<'_>)) {
    for tool in document.tools() {
        subschemas(&tool, "inputSchema").into_iter().for_each(|site| check(&tool.subject, site));
    }
}

fn is_object(keywords: &Map<String, Value>) -> bool {
    keywords.get("type").is_some_and(|name| name == "object") || keywords.contains_key("properties")
}

fn present<'k>(keywords: &Map<String, Value>, names: &[&'k str]) -> Vec<&'k str> {
    names.iter().copied().filter(|name| keywords.contains_key(*name)).collect()
}

pub(super) fn openai_closed(document: &ServerDocument, found: &mut FindingList) {
    each(document, |subject, site| {
        let is_closed = site.keywords.get("additionalProperties") == Some(&json!(false));
        if is_object(site.keywords) && !is_closed {
            let edits = vec![JsonEdit::Set(format!("{}/additionalProperties", site.pointer), json!(false))];
            // An object that is a map of arbitrary names cannot be closed.
            let is_map = site.keywords.get("additionalProperties").is_some_and(|value| *value != json!(true));
            let edits = if is_map || !site.keywords.contains_key("properties") { Vec::new() } else { edits };
            found.add_at(subject, site.pointer, "an object has no `additionalProperties: false`", edits);
        }
    });
}

pub(super) fn openai_required(document: &ServerDocument, found: &mut FindingList) {
    each(document, |subject, site| {
        let Some(properties) = site.keywords.get("properties").and_then(Value::as_object) else { return };
        let required = site.keywords.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
        let optional: Vec<&str> =
            properties.keys().map(String::as_str).filter(|name| !is_required(name)).collect();
        if !optional.is_empty() {
            let message = format!("these members are not required: {}", optional.join(", "));
            found.add_at(subject, site.pointer, message, Vec::new());
        }
    });
}

pub(super) fn openai_keywords(document: &ServerDocument, found: &mut FindingList) {
    each(document, |subject, site| {
        let names = present(site.keywords, &NOT_OPENAI);
        if !names.is_empty() {
            found.add_at(subject, site.pointer, format!("it uses {}", names.join(", ")), Vec::new());
        }
    });
}

pub(super) fn openai_limits(document: &ServerDocument, found: &mut FindingList) {
    for tool in document.tools() {
        let sites = subschemas(&tool, "inputSchema");
        let sum = |keyword: &str| -> usize {
            let sizes = sites.iter().filter_map(|site| site.keywords.get(keyword));
            sizes
                .map(|value| value.as_object().map_or(0, Map::len) + value.as_array().map_or(0, Vec::len))
                .sum()
        };
        let levels = sites.iter().map(|site| site.level).max().unwrap_or_default();
        let figures = [
            (levels, OPENAI_LEVELS, "levels"),
            (sum("properties"), OPENAI_PROPERTIES, "properties"),
            (sum("enum"), OPENAI_ENUM_VALUES, "enum values"),
        ];
        for (count, most, unit) in figures.into_iter().filter(|(count, most, _)| count > most) {
            found.add(&tool, "inputSchema", format!("the schema has {count} {unit}, more than {most}"));
        }
    }
}

pub(super) fn gemini_keywords(document: &ServerDocument, found: &mut FindingList) {
    each(document, |subject, site| {
        let names = present(site.keywords, &NOT_GEMINI);
        if names.is_empty() {
            return;
        }
        let mut edits = Vec::new();
        if let (["const"], Some(value)) = (names.as_slice(), site.keywords.get("const")) {
            edits.push(JsonEdit::Set(format!("{}/enum", site.pointer), json!([value])));
            edits.push(JsonEdit::Remove(format!("{}/const", site.pointer)));
        }
        found.add_at(subject, site.pointer, format!("it uses {}", names.join(", ")), edits);
    });
}

pub(super) fn gemini_enum(document: &ServerDocument, found: &mut FindingList) {
    each(document, |subject, site| {
        let values =
            site.keywords.get("enum").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if values.iter().any(|value| value.as_str().is_none_or(str::is_empty)) {
            found.add_at(
                subject,
                site.pointer,
                "an enum has values that are not texts, or are empty",
                Vec::new(),
            );
        }
    });
}

pub(super) fn gemini_types(document: &ServerDocument, found: &mut FindingList) {
    each(document, |subject, site| {
        let Some(types) = site.keywords.get("type").and_then(Value::as_array) else { return };
        let mut edits = Vec::new();
        if !site.keywords.contains_key("anyOf") && site.keywords.len() <= 2 {
            let union: Vec<Value> = types.iter().map(|name| json!({ "type": name })).collect();
            edits.push(JsonEdit::Set(format!("{}/anyOf", site.pointer), json!(union)));
            edits.push(JsonEdit::Remove(format!("{}/type", site.pointer)));
        }
        found.add_at(subject, site.pointer, "its type is a list of types", edits);
    });
}
