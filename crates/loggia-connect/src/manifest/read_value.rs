//! The readers of values that several tables have.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value};

use super::ManifestText;
use super::source::{ManifestProblems, TableReader};

/// Reads a regular expression.
pub(super) fn pattern(
    table: &TableReader<'_>,
    key: &str,
    problems: &mut ManifestProblems<'_>,
) -> Option<String> {
    let (text, span) = table.placed(key)?;
    match regex_lite::Regex::new(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => problems.add(&span, format!("this is no regular expression: {error}")),
    }
}

/// Reads a text with placeholders.
pub(super) fn template(
    table: &TableReader<'_>,
    key: &str,
    problems: &mut ManifestProblems<'_>,
) -> Option<ManifestText> {
    let (text, span) = table.placed(key)?;
    ManifestText::parse(text).map_or_else(|message| problems.add(&span, message), Some)
}

/// Reads a table of texts with placeholders.
pub(super) fn templates(
    table: &TableReader<'_>,
    key: &str,
    problems: &mut ManifestProblems<'_>,
) -> BTreeMap<String, ManifestText> {
    let mut templates = BTreeMap::new();
    for ((name, _), value) in table.entries(key) {
        let Some(text) = value.get_ref().as_str() else { continue };
        match ManifestText::parse(text) {
            Ok(text) => {
                templates.insert(name.to_owned(), text);
            }
            Err(message) => {
                problems.add::<()>(&value.span(), message);
            }
        }
    }
    templates
}

/// Reads a table as a JSON object.
pub(super) fn object(table: &TableReader<'_>, key: &str) -> Map<String, Value> {
    match table.json(key) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Reads `GET /v1/pages`.
pub(super) fn request_of(text: &str) -> Option<(Method, String)> {
    let (method, path) = text.split_once(' ')?;
    Some((method.parse().ok()?, path.to_owned()))
}
