//! The text of a manifest, and the problems in it.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ManifestBackendKind;
use super::format::{KeyFormat, TableFormat, ValueFormat};
use crate::config_file::{bytes_of, duration_of, is_url};
use crate::filter::JsonFilter;
use crate::problem::{Problem, locate, meant, nearest};
use crate::secret::Location;

/// The problems of one text.
pub(super) struct ManifestProblems<'t> {
    text: &'t str,
    file: Arc<str>,
    pub(super) found: Vec<Problem>,
}

impl<'t> ManifestProblems<'t> {
    pub(super) fn new(text: &'t str, file: &str) -> ManifestProblems<'t> {
        ManifestProblems { text, file: file.into(), found: Vec::new() }
    }

    /// Adds a problem, and returns no value.
    pub(super) fn add<T>(&mut self, span: &Range<usize>, message: impl Into<String>) -> Option<T> {
        let problem = Problem { location: Some(self.location(span)), message: message.into() };
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
        None
    }

    pub(super) fn location(&self, span: &Range<usize>) -> Location {
        locate(self.text, &self.file, span)
    }
}

/// A table of the text, with its format.
#[derive(Clone)]
pub(super) struct TableReader<'t> {
    table: &'t DeTable<'t>,
    format: &'static TableFormat,
    pub(super) span: Range<usize>,
}

/// A value of the text, with its place.
pub(super) type Placed<T> = (T, Range<usize>);

impl<'t> TableReader<'t> {
    pub(super) fn new(
        table: &'t DeTable<'t>,
        format: &'static TableFormat,
        span: Range<usize>,
    ) -> TableReader<'t> {
        TableReader { table, format, span }
    }

    /// Returns the value of a key of the format.
    fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        debug_assert!(self.format.key(key).is_some(), "{} has no key {key}", self.format.name);
        self.table.iter().find(|(name, _)| name_of(name) == key).map(|(_, value)| value)
    }

    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        self.value(key).map_or(self.span.clone(), |value| value.span())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    pub(super) fn text(&self, key: &str) -> Option<&'t str> {
        self.value(key)?.get_ref().as_str()
    }

    pub(super) fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    pub(super) fn placed(&self, key: &str) -> Option<Placed<&'t str>> {
        let value = self.value(key)?;
        Some((value.get_ref().as_str()?, value.span()))
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        self.value(key)?.get_ref().as_bool()
    }

    pub(super) fn json(&self, key: &str) -> Option<Value> {
        Some(json_of(self.value(key)?.get_ref()))
    }

    pub(super) fn filter(&self, key: &str) -> Option<JsonFilter> {
        // A text that is no filter was reported by the check of the format.
        JsonFilter::compile(self.text(key)?).ok()
    }

    pub(super) fn items(&self, key: &str) -> impl Iterator<Item = &'t Spanned<DeValue<'t>>> {
        self.value(key)
            .and_then(|value| value.get_ref().as_array())
            .into_iter()
            .flat_map(|items| items.iter())
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        self.items(key).filter_map(|item| item.get_ref().as_str()).map(str::to_owned).collect()
    }

    pub(super) fn table(&self, key: &str) -> Option<TableReader<'t>> {
        let value = self.value(key)?;
        let format = table_format(&self.format.key(key)?.value)?;
        Some(TableReader::new(value.get_ref().as_table()?, format, value.span()))
    }

    /// Returns the tables of a list.
    pub(super) fn tables(&self, key: &str) -> Vec<TableReader<'t>> {
        let format = self.format.key(key).and_then(|key| table_format(&key.value));
        let Some(format) = format else { return Vec::new() };
        let tables = self.items(key).filter_map(|item| Some((item.get_ref().as_table()?, item.span())));
        tables.map(|(table, span)| TableReader::new(table, format, span)).collect()
    }

    /// Returns the entries of a table whose keys the author chooses, in the order of the text.
    pub(super) fn entries(&self, key: &str) -> Vec<(Placed<&'t str>, &'t Spanned<DeValue<'t>>)> {
        let table = self.value(key).and_then(|value| value.get_ref().as_table());
        let mut entries: Vec<_> = table
            .into_iter()
            .flat_map(DeTable::iter)
            .map(|(name, value)| ((name_of(name), name.span()), value))
            .collect();
        entries.sort_by_key(|((_, span), _)| span.start);
        entries
    }

    /// Returns the tables of a table whose keys the author chooses, in the order of the text.
    pub(super) fn named_tables(&self, key: &str) -> Vec<(Placed<&'t str>, TableReader<'t>)> {
        let format = self.format.key(key).and_then(|key| table_format(&key.value));
        let Some(format) = format else { return Vec::new() };
        let tables = self.entries(key).into_iter().filter_map(|(name, value)| {
            Some((name.clone(), TableReader::new(value.get_ref().as_table()?, format, name.1)))
        });
        tables.collect()
    }

    /// Checks the table, and all tables in it, against their formats.
    pub(super) fn check(&self, kind: Option<ManifestBackendKind>, problems: &mut ManifestProblems<'_>) {
        // The kind of a backend decides about the keys of the tables in it.
        let kind = kind.or_else(|| {
            let kind = self.format.key("kind").filter(|_| self.format.name == "backend")?;
            ManifestBackendKind::from_name(self.text(kind.name)?)
        });
        let names: Vec<&str> = self.format.keys.iter().map(|key| key.name).collect();
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let Some(key) = self.format.key(name_of(name)) else {
                let hint = meant(name_of(name), &names);
                problems.add::<()>(&name.span(), format!("there is no key '{}' here; {hint}", name_of(name)));
                continue;
            };
            if let Some(kind) = kind.filter(|kind| !key.kinds.is_empty() && !key.kinds.contains(kind)) {
                problems.add::<()>(&name.span(), wrong_kind(key, kind));
            }
            check_value(&key.value, value, kind, problems);
        }
        for key in self.format.keys.iter().filter(|key| key.is_required && !self.has(key.name)) {
            problems.add::<()>(&self.span, format!("the key '{}' is missing: {}", key.name, key.description));
        }
    }
}

fn wrong_kind(key: &KeyFormat, kind: ManifestBackendKind) -> String {
    let kinds: Vec<&str> = key.kinds.iter().map(|kind| kind.as_str()).collect();
    format!(
        "'{}' is for backends of kind \"{}\", and this one is \"{}\"; take it out, or change the kind",
        key.name,
        kinds.join("\" or \""),
        kind.as_str()
    )
}

fn table_format(value: &'static ValueFormat) -> Option<&'static TableFormat> {
    match value {
        ValueFormat::Table(format) => Some(format),
        ValueFormat::List(item) | ValueFormat::Map(item) => table_format(item),
        ValueFormat::Either(one, other) => table_format(one).or_else(|| table_format(other)),
        _ => None,
    }
}

pub(super) fn name_of<'a, 't>(name: &'a Spanned<std::borrow::Cow<'t, str>>) -> &'a str {
    name.get_ref().borrow()
}

fn check_value(
    format: &'static ValueFormat,
    value: &Spanned<DeValue<'_>>,
    kind: Option<ManifestBackendKind>,
    problems: &mut ManifestProblems<'_>,
) {
    let span = value.span();
    let inner = value.get_ref();
    match format {
        ValueFormat::Any => {}
        ValueFormat::List(item) => match inner.as_array() {
            Some(items) => items.iter().for_each(|value| check_value(item, value, kind, problems)),
            None => wrong_type(inner, "a list in square brackets", &span, problems),
        },
        ValueFormat::Map(item) => match inner.as_table() {
            Some(table) => table.iter().for_each(|(_, value)| check_value(item, value, kind, problems)),
            None => wrong_type(inner, "a table in braces or under a [heading]", &span, problems),
        },
        ValueFormat::Table(format) => match inner.as_table() {
            Some(table) => TableReader::new(table, format, span).check(kind, problems),
            None => wrong_type(inner, "a table in braces or under a [heading]", &span, problems),
        },
        ValueFormat::Either(one, other) => {
            let is_table = inner.as_table().is_some();
            check_value(if is_table { other } else { one }, value, kind, problems);
        }
        ValueFormat::Boolean if inner.as_bool().is_none() => {
            wrong_type(inner, "true or false", &span, problems)
        }
        ValueFormat::Integer => match json_of(inner).as_i64() {
            Some(number) if number > 0 => {}
            _ => wrong_type(inner, "a whole number above zero", &span, problems),
        },
        ValueFormat::Number if !json_of(inner).is_number() => wrong_type(inner, "a number", &span, problems),
        ValueFormat::Boolean | ValueFormat::Number => {}
        ValueFormat::Size if inner.is_integer() => {}
        _ => match inner.as_str() {
            Some(text) => {
                if let Err(message) = check_text(format, text) {
                    problems.add::<()>(&span, message);
                }
            }
            None => wrong_type(inner, "a string", &span, problems),
        },
    }
}

fn check_text(format: &ValueFormat, text: &str) -> Result<(), String> {
    match format {
        ValueFormat::Pattern(pattern, words) => {
            let is_match = regex_lite::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
            if is_match { Ok(()) } else { Err((*words).to_owned()) }
        }
        ValueFormat::Url if !is_url(text) => {
            Err("write a whole URL, for example \"https://example.com\"".to_owned())
        }
        ValueFormat::Choice(choices) if !choices.contains(&text) => {
            Err(format!("this value is not known; {}", nearest(text, choices)))
        }
        ValueFormat::Filter => JsonFilter::compile(text).map(drop).map_err(|error| error.to_string()),
        ValueFormat::Duration => duration_of(text).map(drop).map_err(str::to_owned),
        ValueFormat::Size => bytes_of(text).map(drop).map_err(str::to_owned),
        ValueFormat::Rate => super::RequestRate::read(text).map(drop).ok_or_else(|| {
            "write a number of requests in a time, for example \"3/s\", \"100/min\" or \"1000/h\"".to_owned()
        }),
        ValueFormat::Text if text.trim().is_empty() => {
            Err("this text is empty; write it, or leave it out".to_owned())
        }
        _ => Ok(()),
    }
}

fn wrong_type(value: &DeValue<'_>, needed: &str, span: &Range<usize>, problems: &mut ManifestProblems<'_>) {
    let found = match value.type_str() {
        "string" => "a string",
        "integer" | "float" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "table" => "a table",
        _ => "of another type",
    };
    problems.add::<()>(span, format!("this is {found}, and {needed} is needed"));
}

/// Returns a value of TOML as JSON. A date is its text.
pub(super) fn json_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => {
            let number = number.as_str().parse().ok().and_then(Number::from_f64);
            number.map_or(Value::Null, Value::Number)
        }
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| json_of(item.get_ref())).collect()),
        DeValue::Table(table) => {
            let members =
                table.iter().map(|(name, value)| (name_of(name).to_owned(), json_of(value.get_ref())));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}
