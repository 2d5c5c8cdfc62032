//! The texts of violations. Users and models read them, so they name the expected and the found value, and repeat
//! only a short part of a value.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

use super::node::{CountRange, TypeSet};

/// The maximum number of alternatives that are listed.
const MAX_LISTED: usize = 10;

/// Returns at most 60 characters of `text`.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(60) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// Returns `value` as a phrase: `the number 5`, `an object`.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {:?}", shortened(text)),
        Value::Array(items) if items.is_empty() => "an empty array".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(members) if members.is_empty() => "an empty object".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Returns `value` as JSON, shortened.
pub(super) fn literal(value: &Value) -> String {
    shortened(&serde_json::to_string(value).unwrap_or_default()).into_owned()
}

pub(super) fn wrong_type(types: TypeSet, value: &Value) -> String {
    format!("expected {}, got {}", alternatives(types.phrases()), found(value))
}

pub(super) fn not_listed(values: &[Value], value: &Value) -> String {
    match values {
        [] => "no value is allowed here".to_owned(),
        [only] => format!("expected {}, got {}", literal(only), found(value)),
        values => format!("expected one of {}, got {}", listed(values.iter().map(literal)), found(value)),
    }
}

pub(super) fn not_allowed<'a>(name: &str, known: impl ExactSizeIterator<Item = &'a str>) -> String {
    let mut message = format!("the property {:?} is not allowed", shortened(name));
    if known.len() > 0 {
        let known = known.map(|name| format!("{:?}", shortened(name)));
        // Writing to a String cannot fail.
        let _ = write!(message, " (allowed: {})", listed(known));
    }
    message
}

/// Returns the text for `count` things if `range` is the allowed number.
pub(super) fn wrong_count(range: CountRange, count: usize, one: &str, many: &str) -> String {
    let noun = |count: usize| if count == 1 { one } else { many };
    if count < range.min {
        format!("expected at least {} {}, got {count}", range.min, noun(range.min))
    } else {
        format!("expected at most {} {}, got {count}", range.max, noun(range.max))
    }
}

fn alternatives(phrases: impl Iterator<Item = &'static str>) -> String {
    let phrases: Vec<&str> = phrases.collect();
    match phrases.split_last() {
        None => "no value at all".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
    }
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let mut items = items.fuse();
    let mut text = items.by_ref().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if items.next().is_some() {
        text.push_str(", …");
    }
    text
}
