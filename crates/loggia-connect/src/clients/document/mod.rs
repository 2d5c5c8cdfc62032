//! A configuration file as text: one entry is added, replaced or removed, and every other byte stays.
//!
//! The syntax trees of the formats only say where to cut. Invariant: the text after an edit is parsed again, and its
//! value is the old value with the entry changed; otherwise the edit is refused.

mod json;
mod text;
mod toml;
mod value;
mod yaml;
mod yaml_tree;

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use value::DocumentValue;

/// The byte order mark, which some editors on Windows write.
const BOM: char = '\u{feff}';

/// The format of a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigFormat {
    /// JSON, which may have comments and trailing commas.
    Json,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

/// The place of an entry in a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryPlace<'a> {
    /// The keys from the root to the servers.
    pub keys: &'a [String],
    /// The member that holds the name, where the servers are a list.
    pub list: Option<&'a str>,
    /// The name of the entry.
    pub name: &'a str,
}

/// A place in a file that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxProblem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The reason. It quotes no value of the file.
    pub reason: String,
}

/// The reason that an entry cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// A value on the path of the entry is of another type.
    NotMap(String),
    /// No edit changes the entry alone.
    Layout,
}

/// A configuration file that was parsed.
#[derive(Clone)]
pub struct ConfigDocument {
    format: ConfigFormat,
    has_bom: bool,
    text: String,
    value: DocumentValue,
}

impl ConfigDocument {
    /// Parses the text of a file. An empty file has no members.
    ///
    /// # Errors
    ///
    /// [`SyntaxProblem`] where the text is not of the format.
    pub fn parse(format: ConfigFormat, text: &str) -> Result<ConfigDocument, SyntaxProblem> {
        let (has_bom, text) = match text.strip_prefix(BOM) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let value = format.value(text)?;
        Ok(ConfigDocument { format, has_bom, text: text.to_owned(), value })
    }

    /// Returns the value of the file.
    pub fn value(&self) -> &DocumentValue {
        &self.value
    }

    /// Returns the text of the file, byte for byte.
    pub fn to_text(&self) -> String {
        if self.has_bom { format!("{BOM}{}", self.text) } else { self.text.clone() }
    }

    /// Returns the value of an entry. In a list it has the name too.
    pub fn entry(&self, place: &EntryPlace<'_>) -> Option<&DocumentValue> {
        entry_of(&self.value, place)
    }

    /// Returns the servers at `keys` with their names, in the order of the file.
    pub fn servers(&self, keys: &[String], list: Option<&str>) -> Vec<(&str, &DocumentValue)> {
        match (self.value.at(keys.iter().map(String::as_str)), list) {
            (Some(DocumentValue::Map(members)), None) => {
                members.iter().map(|(name, value)| (name.as_str(), value)).collect()
            }
            (Some(DocumentValue::List(items)), Some(key)) => {
                items.iter().filter_map(|item| Some((item.get(key)?.as_text()?, item))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Adds an entry after the others, or replaces the one of this name.
    ///
    /// # Errors
    ///
    /// [`EditError`] where the layout of the file does not admit it.
    pub fn with_entry(
        &self,
        place: &EntryPlace<'_>,
        entry: &DocumentValue,
    ) -> Result<ConfigDocument, EditError> {
        self.check_path(place)?;
        let expected = with_entry(&self.value, place, entry);
        let candidates = match (self.entry(place), self.format) {
            (None, ConfigFormat::Json) => json::insert(&self.text, place, entry),
            (None, ConfigFormat::Toml) => toml::insert(&self.text, place, entry),
            (None, ConfigFormat::Yaml) => yaml::insert(&self.text, place, entry),
            (Some(_), ConfigFormat::Json) => json::replace(&self.text, place, entry),
            (Some(_), ConfigFormat::Toml) => toml::replace(&self.text, place, entry),
            (Some(_), ConfigFormat::Yaml) => yaml::replace(&self.text, place, entry),
        };
        self.proved(candidates, &expected)
    }

    /// Removes an entry. `created` is the number of keys on its path that go too when nothing is left below them.
    ///
    /// # Errors
    ///
    /// [`EditError`] where the layout of the file does not admit it.
    pub fn without_entry(&self, place: &EntryPlace<'_>, created: usize) -> Result<ConfigDocument, EditError> {
        let mut expected = without_entry(&self.value, place);
        let mut depth = place.keys.len();
        while place.keys.len() - depth < created
            && expected
                .at(place.keys[..depth].iter().map(String::as_str))
                .is_some_and(DocumentValue::is_empty)
        {
            expected = without_path(&expected, &place.keys[..depth]);
            depth -= 1;
        }
        let candidates = match (self.format, place.keys.get(..=depth)) {
            (ConfigFormat::Json, None) => json::remove(&self.text, place, None),
            (ConfigFormat::Json, Some(path)) => json::remove(&self.text, place, Some(path)),
            (ConfigFormat::Toml, _) => toml::remove(&self.text, place),
            (ConfigFormat::Yaml, None) => yaml::remove(&self.text, place, None),
            (ConfigFormat::Yaml, Some(path)) => yaml::remove(&self.text, place, Some(path)),
        };
        self.proved(candidates, &expected)
    }

    /// Removes a piece of text that occurs once, if the value is then the one without the entry.
    pub(super) fn without_piece(
        &self,
        piece: &str,
        place: &EntryPlace<'_>,
        created: usize,
    ) -> Option<ConfigDocument> {
        let mut found = self.text.match_indices(piece);
        let (Some((at, _)), None) = (found.next(), found.next()) else { return None };
        let text = format!("{}{}", &self.text[..at], &self.text[at + piece.len()..]);
        let mut expected = without_entry(&self.value, place);
        for depth in (place.keys.len() - created.min(place.keys.len()) + 1..=place.keys.len()).rev() {
            let path = &place.keys[..depth];
            if expected.at(path.iter().map(String::as_str)).is_some_and(DocumentValue::is_empty) {
                expected = without_path(&expected, path);
            }
        }
        self.proved(vec![text], &expected).ok()
    }

    /// Returns the first text whose value is the expected one.
    fn proved(&self, candidates: Vec<String>, expected: &DocumentValue) -> Result<ConfigDocument, EditError> {
        let expected = comparable(expected);
        for text in candidates {
            match self.format.value(&text) {
                Ok(value) if comparable(&value) == expected => {
                    return Ok(ConfigDocument { text, value, ..self.clone() });
                }
                _ => {}
            }
        }
        Err(EditError::Layout)
    }

    /// Fails if a value on the path of the entry has another type than the application expects.
    fn check_path(&self, place: &EntryPlace<'_>) -> Result<(), EditError> {
        let is_null_allowed = self.format == ConfigFormat::Yaml;
        let (mut value, mut path) = (&self.value, String::new());
        for (n, key) in place.keys.iter().enumerate() {
            let Some(next) = value.get(key) else { return Ok(()) };
            path.push_str(if n == 0 { "" } else { "." });
            path.push_str(key);
            let is_list = n + 1 == place.keys.len() && place.list.is_some();
            let fits = match next {
                DocumentValue::Map(_) => !is_list,
                DocumentValue::List(_) => is_list,
                DocumentValue::Null => is_null_allowed,
                _ => false,
            };
            if !fits {
                return Err(EditError::NotMap(path));
            }
            value = next;
        }
        Ok(())
    }
}

impl ConfigFormat {
    /// Returns the format that the name of a file tells; JSON where it tells none.
    pub fn of_file(file: &Path) -> ConfigFormat {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => ConfigFormat::Toml,
            Some("yaml" | "yml") => ConfigFormat::Yaml,
            _ => ConfigFormat::Json,
        }
    }

    /// Returns the name for people.
    pub fn title(self) -> &'static str {
        match self {
            ConfigFormat::Json => "JSON",
            ConfigFormat::Toml => "TOML",
            ConfigFormat::Yaml => "YAML",
        }
    }

    /// Parses a text without a byte order mark.
    fn value(self, text: &str) -> Result<DocumentValue, SyntaxProblem> {
        match self {
            ConfigFormat::Json => json::value(text),
            ConfigFormat::Toml => toml::value(text),
            ConfigFormat::Yaml => yaml::value(text),
        }
    }
}

impl EntryPlace<'_> {
    /// Returns the entry as an item of a list: with its name before the other members.
    pub(super) fn item(&self, list: &str, entry: &DocumentValue) -> DocumentValue {
        let name = (list.to_owned(), DocumentValue::Text(self.name.to_owned()));
        let others = entry.members().unwrap_or_default().iter().filter(|(key, _)| key != list).cloned();
        DocumentValue::Map([name].into_iter().chain(others).collect())
    }

    /// Returns whether an item of a list is this entry.
    fn is_item(&self, list: &str, item: &DocumentValue) -> bool {
        item.get(list).and_then(DocumentValue::as_text) == Some(self.name)
    }
}

impl SyntaxProblem {
    /// Makes a problem at a byte of a text.
    fn at(text: &str, byte: usize, reason: impl Into<String>) -> SyntaxProblem {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = &text[..byte];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        SyntaxProblem { line, column: before[start..].chars().count() + 1, reason: reason.into() }
    }
}

fn entry_of<'v>(value: &'v DocumentValue, place: &EntryPlace<'_>) -> Option<&'v DocumentValue> {
    let servers = value.at(place.keys.iter().map(String::as_str))?;
    match (servers, place.list) {
        (DocumentValue::List(items), Some(list)) => items.iter().find(|item| place.is_item(list, item)),
        (servers, None) => servers.get(place.name),
        _ => None,
    }
}

/// Returns the value with the entry set. Members of its path that are missing are added.
fn with_entry(value: &DocumentValue, place: &EntryPlace<'_>, entry: &DocumentValue) -> DocumentValue {
    let Some((key, rest)) = place.keys.split_first() else {
        let Some(list) = place.list else { return with_member(value, place.name, entry.clone()) };
        let mut items = match value {
            DocumentValue::List(items) => items.clone(),
            _ => Vec::new(),
        };
        let item = place.item(list, entry);
        match items.iter_mut().find(|item| place.is_item(list, item)) {
            Some(old) => *old = item,
            None => items.push(item),
        }
        return DocumentValue::List(items);
    };
    let inner = value.get(key).cloned().unwrap_or(DocumentValue::Null);
    with_member(value, key, with_entry(&inner, &EntryPlace { keys: rest, ..*place }, entry))
}

fn with_member(value: &DocumentValue, key: &str, member: DocumentValue) -> DocumentValue {
    let mut members = value.members().unwrap_or_default().to_vec();
    match members.iter_mut().rev().find(|(name, _)| name == key) {
        Some((_, old)) => *old = member,
        None => members.push((key.to_owned(), member)),
    }
    DocumentValue::Map(members)
}

fn without_entry(value: &DocumentValue, place: &EntryPlace<'_>) -> DocumentValue {
    match (place.keys.split_first(), value, place.list) {
        (None, DocumentValue::List(items), Some(list)) => {
            DocumentValue::List(items.iter().filter(|item| !place.is_item(list, item)).cloned().collect())
        }
        (None, DocumentValue::Map(members), None) => {
            DocumentValue::Map(members.iter().filter(|(key, _)| key != place.name).cloned().collect())
        }
        (Some((key, rest)), DocumentValue::Map(_), _) => match value.get(key) {
            Some(inner) => {
                with_member(value, key, without_entry(inner, &EntryPlace { keys: rest, ..*place }))
            }
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

fn without_path(value: &DocumentValue, path: &[String]) -> DocumentValue {
    match path.split_last() {
        Some((name, keys)) => without_entry(value, &EntryPlace { keys, list: None, name }),
        None => value.clone(),
    }
}

/// Returns a value to compare: without the order of members, and without members that are null or empty.
fn comparable(value: &DocumentValue) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    match value {
        DocumentValue::Map(members) => {
            let members = members.iter().map(|(key, value)| (key.clone(), comparable(value)));
            Value::Object(members.filter(|(_, value)| !is_empty(value)).collect())
        }
        DocumentValue::List(items) => Value::Array(items.iter().map(comparable).collect()),
        DocumentValue::Null => Value::Object(Map::new()),
        value => value.to_json(),
    }
}

impl fmt::Debug for ConfigDocument {
    /// The text may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigDocument").field("format", &self.format).finish_non_exhaustive()
    }
}

impl fmt::Display for SyntaxProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditError::NotMap(path) => write!(f, "{path} has another type than the application expects"),
            EditError::Layout => {
                f.write_str("its layout does not admit an edit that leaves everything else as it is")
            }
        }
    }
}

impl std::error::Error for SyntaxProblem {}
impl std::error::Error for EditError {}
