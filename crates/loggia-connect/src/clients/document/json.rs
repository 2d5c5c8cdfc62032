//! Entries in JSON with comments. Insertion keeps the style of the object: one line or many, its indentation, its trailing
//! comma. The syntax tree of `jsonc-parser` says where; its editing functions are not used, since they lay out a compact
//! object anew.

use jsonc_parser::ast::{Object, ObjectProp, Value as Syntax};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Number;

use super::text::{TextEdits, begins_line, indent_at, line_end, line_ending, quoted};
use super::{DocumentValue, EntryPlace, SyntaxProblem};

/// Indentation of a file that shows none.
const INDENT: &str = "  ";

/// Parses a text. One without a value has no members.
pub(super) fn value(text: &str) -> Result<DocumentValue, SyntaxProblem> {
    let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| {
        // A word of the file may be in the message: only its first part is shown.
        let reason = error.kind().to_string();
        let reason = reason.split(['\'', '"', '`']).next().unwrap_or_default().trim_end().to_owned();
        SyntaxProblem::at(text, error.range().start, reason)
    })?;
    Ok(parsed.value.as_ref().map_or(DocumentValue::Null, document_value))
}

/// Returns the texts with a new entry.
pub(super) fn insert(text: &str, place: &EntryPlace<'_>, entry: &DocumentValue) -> Vec<String> {
    with_root(text, |root| {
        let layout = JsonLayout::of(text, root);
        let Some(mut object) = root.and_then(Syntax::as_object) else {
            let whole = nested(place.keys, place.name, entry);
            let start = if text.is_empty() || text.ends_with('\n') { "" } else { layout.eol };
            let written = layout.lines(&DocumentValue::Map(vec![whole]), "");
            return vec![format!("{text}{start}{written}{}", layout.eol)];
        };
        let mut missing = place.keys;
        while let Some((key, rest)) = missing.split_first() {
            let Some(property) = property(object, key) else { break };
            let Some(inner) = property.value.as_object() else { return Vec::new() };
            (object, missing) = (inner, rest);
        }
        let (name, value) = nested(missing, place.name, entry);
        vec![layout.insert_property(object, &name, &value)]
    })
}

/// Returns the texts with another value of the entry.
pub(super) fn replace(text: &str, place: &EntryPlace<'_>, entry: &DocumentValue) -> Vec<String> {
    with_root(text, |root| {
        let layout = JsonLayout::of(text, root);
        let path = place.keys.iter().map(String::as_str).chain([place.name]);
        let Some((_, found)) = root.and_then(|root| property_at(root, path)) else { return Vec::new() };
        let range = found.value.range();
        let written = match text[range.start..range.end].contains('\n') || begins_line(text, found.start()) {
            true => layout.lines(entry, indent_at(text, found.start())),
            false => layout.line(entry),
        };
        vec![TextEdits::default().replace(range.start..range.end, written).apply(text)]
    })
}

/// Returns the texts without the entry, or without the member at `path`.
pub(super) fn remove(text: &str, place: &EntryPlace<'_>, path: Option<&[String]>) -> Vec<String> {
    with_root(text, |root| {
        let of_entry = || place.keys.iter().map(String::as_str).chain([place.name]).collect::<Vec<_>>();
        let path = path.map_or_else(of_entry, |path| path.iter().map(String::as_str).collect());
        let Some((object, index)) = root.and_then(|root| {
            let (object, found) = property_at(root, path.into_iter())?;
            Some((object, object.properties.iter().position(|property| std::ptr::eq(property, found))?))
        }) else {
            return Vec::new();
        };
        remove_property(text, object, index)
    })
}

/// Parses the text and calls `edit` with its value.
fn with_root(text: &str, edit: impl FnOnce(Option<&Syntax<'_>>) -> Vec<String>) -> Vec<String> {
    match parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()) {
        Ok(parsed) => edit(parsed.value.as_ref()),
        Err(_) => Vec::new(),
    }
}

/// Returns the member of an object; of several, the last, as programs read them.
fn property<'o, 't>(object: &'o Object<'t>, key: &str) -> Option<&'o ObjectProp<'t>> {
    object.properties.iter().rev().find(|property| property.name.as_str() == key)
}

fn property_at<'o, 't, 'p>(
    root: &'o Syntax<'t>,
    path: impl Iterator<Item = &'p str>,
) -> Option<(&'o Object<'t>, &'o ObjectProp<'t>)> {
    let (mut value, mut found) = (root, None);
    for key in path {
        let object = value.as_object()?;
        let property = property(object, key)?;
        (value, found) = (&property.value, Some((object, property)));
    }
    found
}

/// Returns the member that holds the entry below the keys that are missing.
fn nested(missing: &[String], name: &str, entry: &DocumentValue) -> (String, DocumentValue) {
    let member = (name.to_owned(), entry.clone());
    missing.iter().rev().fold(member, |inner, key| (key.clone(), DocumentValue::Map(vec![inner])))
}

/// The look of a JSON file.
struct JsonLayout<'t> {
    text: &'t str,
    eol: &'static str,
    unit: &'t str,
    /// The text between a name and its value on one line.
    colon: &'static str,
}

impl<'t> JsonLayout<'t> {
    fn of(text: &'t str, root: Option<&Syntax<'_>>) -> JsonLayout<'t> {
        let first = root.and_then(Syntax::as_object).and_then(|root| root.properties.first());
        let unit = first.map(|first| first.start()).filter(|at| begins_line(text, *at));
        let unit = unit.map_or("", |at| indent_at(text, at));
        let is_tight = first.is_some_and(|first| first.value.start() == first.name.range().end + 1);
        JsonLayout {
            text,
            eol: line_ending(text),
            unit: if unit.is_empty() { INDENT } else { unit },
            colon: if is_tight { ":" } else { ": " },
        }
    }

    /// Writes a value on one line.
    fn line(&self, value: &DocumentValue) -> String {
        let comma = if self.colon == ":" { "," } else { ", " };
        match value {
            DocumentValue::Map(members) => {
                let member = |(key, value): &(String, DocumentValue)| {
                    format!("{}{}{}", quoted(key), self.colon, self.line(value))
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(comma))
            }
            DocumentValue::List(items) => {
                format!("[{}]", items.iter().map(|item| self.line(item)).collect::<Vec<_>>().join(comma))
            }
            value => value.to_json().to_string(),
        }
    }

    /// Writes a value with each member on a line of its own.
    fn lines(&self, value: &DocumentValue, indent: &str) -> String {
        match value {
            DocumentValue::Map(members) if !members.is_empty() => {
                let (inner, eol) = (format!("{indent}{}", self.unit), self.eol);
                let member = |(key, value): &(String, DocumentValue)| {
                    format!("{inner}{}: {}", quoted(key), self.lines(value, &inner))
                };
                let members = members.iter().map(member).collect::<Vec<_>>().join(&format!(",{eol}"));
                format!("{{{eol}{members}{eol}{indent}}}")
            }
            DocumentValue::List(items) => {
                format!(
                    "[{}]",
                    items.iter().map(|item| self.lines(item, indent)).collect::<Vec<_>>().join(", ")
                )
            }
            value => value.to_json().to_string(),
        }
    }

    /// Returns the text with a member after those of the object.
    fn insert_property(&self, object: &Object<'_>, name: &str, value: &DocumentValue) -> String {
        let JsonLayout { text, eol, .. } = *self;
        let edits = TextEdits::default();
        let Some(last) = object.properties.last() else {
            return self.insert_first(object, name, value);
        };
        let is_own_line = begins_line(text, last.start());
        let written = if is_own_line {
            let indent = indent_at(text, last.start());
            format!("{eol}{indent}{}: {}", quoted(name), self.lines(value, indent))
        } else {
            let space = if self.colon == ":" { "" } else { " " };
            format!("{space}{}{}{}", quoted(name), self.colon, self.line(value))
        };
        let place = |at: usize| if is_own_line { after_line_comment(text, at) } else { at };
        match comma_after(text, last.end()) {
            Some(comma) => edits.insert(place(comma + 1), written + ","),
            None => edits.insert(last.end(), ",").insert(place(last.end()), written),
        }
        .apply(text)
    }

    /// Returns the text with the first member of an object.
    fn insert_first(&self, object: &Object<'_>, name: &str, value: &DocumentValue) -> String {
        let JsonLayout { text, eol, unit, .. } = *self;
        let inner = &text[object.start() + 1..object.end() - 1];
        let at = object.start() + 1 + inner.trim_end().len();
        let tail = &text[at..object.end() - 1];
        let has_lines = inner.contains('\n')
            || text.trim().contains('\n')
            || text.trim().len() == object.end() - object.start();
        let written = if has_lines {
            let outer = indent_at(text, object.start());
            let indent = format!("{outer}{unit}");
            let end = if tail.contains('\n') { String::new() } else { format!("{eol}{outer}") };
            format!("{eol}{indent}{}: {}{end}", quoted(name), self.lines(value, &indent))
        } else {
            format!("{}{}{}", quoted(name), self.colon, self.line(value))
        };
        TextEdits::default().insert(at, written).apply(text)
    }
}

/// Returns the texts without a member, with its comma.
fn remove_property(text: &str, object: &Object<'_>, index: usize) -> Vec<String> {
    let property = &object.properties[index];
    let (start, end) = (property.start(), property.end());
    let space = text[..start].trim_end().len();
    let next = object.properties.get(index + 1);
    let previous = index.checked_sub(1).map(|index| &object.properties[index]);
    let edits = TextEdits::default();
    let mut candidates = match (comma_after(text, end), previous) {
        (Some(comma), None) if !begins_line(text, start) => {
            let after = next.map(|next| next.start()).filter(|next| text[comma + 1..*next].trim().is_empty());
            vec![edits.delete(start..after.unwrap_or(comma + 1))]
        }
        (Some(comma), _) => vec![edits.delete(space..comma + 1)],
        (None, Some(previous)) => match comma_after(text, previous.end()) {
            Some(comma) => vec![edits.delete(comma..comma + 1).delete(space.max(comma + 1)..end)],
            None => Vec::new(),
        },
        (None, None) => vec![edits.delete(space..end)],
    };
    // Where the white space ends a comment, it stays.
    candidates
        .push(TextEdits::default().delete(start..comma_after(text, end).map_or(end, |comma| comma + 1)));
    candidates.into_iter().map(|edits| edits.apply(text)).collect()
}

/// Returns the place of the comma after a member.
fn comma_after(text: &str, mut at: usize) -> Option<usize> {
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        at = match &text[at..] {
            rest if rest.starts_with("//") => line_end(text, at),
            rest if rest.starts_with("/*") => at + rest.find("*/")? + 2,
            rest => return rest.starts_with(',').then_some(at),
        };
    }
}

/// Returns the end of the comments that follow on the same line, or `at` where there are none.
fn after_line_comment(text: &str, at: usize) -> usize {
    let line = &text[at..line_end(text, at)];
    let comment = line.trim_start();
    let is_block = comment.starts_with("/*") && comment.trim_end().ends_with("*/");
    if comment.starts_with("//") || is_block { at + line.trim_end().len() } else { at }
}

fn document_value(value: &Syntax<'_>) -> DocumentValue {
    match value {
        Syntax::NullKeyword(_) => DocumentValue::Null,
        Syntax::BooleanLit(literal) => DocumentValue::Bool(literal.value),
        Syntax::StringLit(literal) => DocumentValue::Text(literal.value.to_string()),
        Syntax::NumberLit(literal) => match literal.value.parse::<Number>() {
            Ok(number) => DocumentValue::Number(number),
            // JSON5 numbers, such as 0xFF: the text keeps them apart.
            Err(_) => DocumentValue::Text(literal.value.to_owned()),
        },
        Syntax::Array(array) => DocumentValue::List(array.elements.iter().map(document_value).collect()),
        Syntax::Object(object) => {
            let member = |property: &ObjectProp<'_>| {
                (property.name.as_str().to_owned(), document_value(&property.value))
            };
            DocumentValue::Map(object.properties.iter().map(member).collect())
        }
    }
}
