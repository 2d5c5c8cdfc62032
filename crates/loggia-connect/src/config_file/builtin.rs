//! The built-in connectors and their options, as one table. Configuration files and manifests give the same options, so both
//! are checked here. Invariant: an option that the table does not have is refused, and no error quotes a value.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::limits::duration_of;
use crate::secret::Secret;

use BuiltinOptionFormat::{Flag, Number, Text, Texts, Time};

/// A connector of this process.
#[derive(Debug, Clone)]
pub struct Builtin<T> {
    /// The connector.
    pub kind: BuiltinKind,
    /// Its options, by name.
    pub options: BTreeMap<&'static str, BuiltinValue<T>>,
}

/// A built-in connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BuiltinKind {
    /// [`crate::builtin::files`].
    Files,
    /// [`crate::builtin::fetch`].
    Fetch,
    /// [`crate::builtin::git`].
    Git,
    /// [`crate::builtin::memory`].
    Memory,
    /// [`crate::builtin::postgres`].
    Postgres,
    /// [`crate::builtin::sqlite`].
    Sqlite,
    /// [`crate::builtin::time`].
    Time,
}

/// A value of an option of a built-in connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuiltinValue<T> {
    /// A text.
    Text(T),
    /// Several texts.
    Texts(Vec<T>),
    /// True or false.
    Flag(bool),
    /// A whole number above zero.
    Number(u64),
    /// A length of time above zero.
    Time(Duration),
}

/// The format of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BuiltinOptionFormat {
    Text,
    /// A text, or a list of texts.
    Texts,
    Flag,
    Number,
    Time,
}

/// An option of a built-in connector.
#[derive(Debug)]
struct BuiltinOption {
    name: &'static str,
    format: BuiltinOptionFormat,
    is_required: bool,
    /// The flag without which the option has no effect.
    needs: Option<&'static str>,
}

/// The reason why options are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltinOptionError<'k> {
    /// There is no such option; those that there are.
    Unknown(&'k str),
    /// The value has another type; the type that is needed, and the value.
    Format(&'static str, &'static str, &'k Value),
    /// A required option is missing.
    Missing(&'static str),
    /// An option has no effect without another.
    NoEffect(&'static str, &'static str),
}

const KINDS: &[(&str, BuiltinKind, &[BuiltinOption])] = &[
    (
        "files",
        BuiltinKind::Files,
        &[option("path", Text), option("write", Flag), option("write_sensitive", Flag).needs("write")],
    ),
    (
        "git",
        BuiltinKind::Git,
        &[option("root", Texts).required(), option("author", Text), option("timeout", Time)],
    ),
    (
        "fetch",
        BuiltinKind::Fetch,
        &[option("allow", Texts), option("ignore_robots", Flag), option("timeout", Time)],
    ),
    ("memory", BuiltinKind::Memory, &[option("path", Text)]),
    (
        "postgres",
        BuiltinKind::Postgres,
        &[
            option("url", Text).required(),
            option("write", Flag),
            option("rows", Number),
            option("timeout", Time),
        ],
    ),
    ("time", BuiltinKind::Time, &[option("zone", Text)]),
    (
        "sqlite",
        BuiltinKind::Sqlite,
        &[
            option("path", Text).required(),
            option("write", Flag),
            option("rows", Number),
            option("timeout", Time),
        ],
    ),
];

/// The names of all built-in connectors.
pub(crate) const BUILTIN_NAMES: &[&str] = &names();

const fn names() -> [&'static str; KINDS.len()] {
    let mut names = [""; KINDS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = KINDS[index].0;
        index += 1;
    }
    names
}

const fn option(name: &'static str, format: BuiltinOptionFormat) -> BuiltinOption {
    BuiltinOption { name, format, is_required: false, needs: None }
}

impl BuiltinOption {
    const fn required(self) -> BuiltinOption {
        BuiltinOption { is_required: true, ..self }
    }

    const fn needs(self, flag: &'static str) -> BuiltinOption {
        BuiltinOption { needs: Some(flag), ..self }
    }
}

impl BuiltinKind {
    /// Returns the built-in connector of this name.
    pub fn from_name(name: &str) -> Option<BuiltinKind> {
        KINDS.iter().find(|(known, ..)| *known == name).map(|(_, kind, _)| *kind)
    }

    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind, _)| *kind == self).map_or("", |(name, ..)| name)
    }

    fn table(self) -> &'static [BuiltinOption] {
        KINDS.iter().find(|(_, kind, _)| *kind == self).map_or(&[], |(.., options)| options)
    }

    /// Returns the names of its options.
    pub(crate) fn option_names(self) -> Vec<&'static str> {
        self.table().iter().map(|option| option.name).collect()
    }

    /// Checks options, and returns them with their types.
    pub(crate) fn check(
        self,
        options: &Map<String, Value>,
    ) -> Result<BTreeMap<&'static str, BuiltinValue<String>>, BuiltinOptionError<'_>> {
        let mut checked = BTreeMap::new();
        for (name, value) in options {
            let known = self.table().iter().find(|option| option.name == name);
            let option = known.ok_or(BuiltinOptionError::Unknown(name))?;
            let needed = option.format.needed();
            let read = option.format.read(value);
            checked.insert(option.name, read.ok_or(BuiltinOptionError::Format(option.name, needed, value))?);
        }
        for option in self.table() {
            let is_given = match checked.get(option.name) {
                None if option.is_required => return Err(BuiltinOptionError::Missing(option.name)),
                None | Some(BuiltinValue::Flag(false)) => false,
                Some(_) => true,
            };
            let is_on = |flag| checked.get(flag) == Some(&BuiltinValue::Flag(true));
            if let Some(flag) = option.needs.filter(|flag| is_given && !is_on(*flag)) {
                return Err(BuiltinOptionError::NoEffect(option.name, flag));
            }
        }
        Ok(checked)
    }
}

impl BuiltinOptionFormat {
    fn needed(self) -> &'static str {
        match self {
            Text => "a text is needed",
            Texts => "a text or a list of texts is needed",
            Flag => "true or false is needed",
            Number => "a whole number above zero is needed",
            Time => "a length of time above zero is needed, for example \"30s\"",
        }
    }

    fn read(self, value: &Value) -> Option<BuiltinValue<String>> {
        match (self, value) {
            (Text, Value::String(text)) => Some(BuiltinValue::Text(text.clone())),
            (Texts, Value::String(text)) => Some(BuiltinValue::Texts(vec![text.clone()])),
            (Texts, Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                texts.collect::<Option<Vec<_>>>().map(BuiltinValue::Texts)
            }
            (Flag, Value::Bool(flag)) => Some(BuiltinValue::Flag(*flag)),
            (Number, Value::Number(number)) => {
                number.as_u64().filter(|number| *number > 0).map(BuiltinValue::Number)
            }
            (Time, Value::String(text)) => duration_of(text).ok().map(BuiltinValue::Time),
            _ => None,
        }
    }
}

impl<T> BuiltinValue<T> {
    /// Converts the texts.
    pub(crate) fn try_map<U, E>(
        &self,
        convert: &mut impl FnMut(&T) -> Result<U, E>,
    ) -> Result<BuiltinValue<U>, E> {
        Ok(match self {
            BuiltinValue::Text(text) => BuiltinValue::Text(convert(text)?),
            BuiltinValue::Texts(texts) => {
                BuiltinValue::Texts(texts.iter().map(convert).collect::<Result<_, E>>()?)
            }
            BuiltinValue::Flag(flag) => BuiltinValue::Flag(*flag),
            BuiltinValue::Number(number) => BuiltinValue::Number(*number),
            BuiltinValue::Time(time) => BuiltinValue::Time(*time),
        })
    }

    /// Returns the texts.
    pub fn texts(&self) -> &[T] {
        match self {
            BuiltinValue::Text(text) => std::slice::from_ref(text),
            BuiltinValue::Texts(texts) => texts,
            _ => &[],
        }
    }

    /// Returns the value as text, without the texts of the user.
    pub(crate) fn plain(&self) -> String {
        match self {
            BuiltinValue::Text(_) => "text".to_owned(),
            BuiltinValue::Texts(texts) => format!("{} texts", texts.len()),
            BuiltinValue::Flag(flag) => flag.to_string(),
            BuiltinValue::Number(number) => number.to_string(),
            BuiltinValue::Time(time) => format!("{}ms", time.as_millis()),
        }
    }
}

impl<T> Builtin<T> {
    /// Converts the texts of the options.
    pub(crate) fn try_map<U, E>(&self, mut convert: impl FnMut(&T) -> Result<U, E>) -> Result<Builtin<U>, E> {
        let options = self.options.iter().map(|(name, value)| Ok((*name, value.try_map(&mut convert)?)));
        Ok(Builtin { kind: self.kind, options: options.collect::<Result<_, E>>()? })
    }

    /// Returns the value of a flag; false if it is not given.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.options.get(name), Some(BuiltinValue::Flag(true)))
    }

    /// Returns a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.options.get(name) {
            Some(BuiltinValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns a length of time.
    pub fn time(&self, name: &str) -> Option<Duration> {
        match self.options.get(name) {
            Some(BuiltinValue::Time(time)) => Some(*time),
            _ => None,
        }
    }
}

impl Builtin<Secret> {
    /// Returns a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).first().copied()
    }

    /// Returns the texts of a list; none if it is not given.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let texts = self.options.get(name).map(BuiltinValue::texts).unwrap_or_default();
        texts.iter().map(Secret::expose).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_read_or_refused() {
        let table: &[(BuiltinKind, Value, Result<&str, BuiltinOptionError<'_>>)] = &[
            (BuiltinKind::Files, json!({}), Ok("{}")),
            (
                BuiltinKind::Files,
                json!({ "path": "a", "write": true, "write_sensitive": true }),
                Ok(r#"{"path": Text("a"), "write": Flag(true), "write_sensitive": Flag(true)}"#),
            ),
            (BuiltinKind::Files, json!({ "paht": "a" }), Err(BuiltinOptionError::Unknown("paht"))),
            (
                BuiltinKind::Files,
                json!({ "path": 1 }),
                Err(BuiltinOptionError::Format("path", "a text is needed", &json!(1))),
            ),
            (
                BuiltinKind::Files,
                json!({ "write_sensitive": true }),
                Err(BuiltinOptionError::NoEffect("write_sensitive", "write")),
            ),
            (
                BuiltinKind::Files,
                json!({ "write_sensitive": false }),
                Ok(r#"{"write_sensitive": Flag(false)}"#),
            ),
            (BuiltinKind::Sqlite, json!({ "write": true }), Err(BuiltinOptionError::Missing("path"))),
            (
                BuiltinKind::Sqlite,
                json!({ "path": "a", "rows": 5, "timeout": "2s" }),
                Ok(r#"{"path": Text("a"), "rows": Number(5), "timeout": Time(2s)}"#),
            ),
        ];
        for (kind, options, expected) in table {
            let options = options.as_object().unwrap();
            let checked = kind.check(options).map(|checked| format!("{checked:?}"));
            assert_eq!(checked.as_deref(), expected.as_ref().copied(), "{options:?}");
        }
    }

    #[test]
    fn each_format_has_its_values() {
        for (format, value, is_read) in [
            (Texts, json!("a"), true),
            (Texts, json!(["a", "b"]), true),
            (Texts, json!(["a", 1]), false),
            (Number, json!(1), true),
            (Number, json!(0), false),
            (Number, json!(-1), false),
            (Number, json!("1"), false),
            (Time, json!("30s"), true),
            (Time, json!("0s"), false),
            (Time, json!(30), false),
            (Flag, json!("true"), false),
        ] {
            assert_eq!(format.read(&value).is_some(), is_read, "{format:?} {value}");
        }
    }

    #[test]
    fn a_name_leads_to_its_kind_and_back() {
        for name in BUILTIN_NAMES {
            let kind = BuiltinKind::from_name(name).expect(name);
            assert_eq!(kind.as_str(), *name);
            let options = kind.option_names();
            let needed = kind.table().iter().filter_map(|option| option.needs);
            assert!(needed.into_iter().all(|flag| options.contains(&flag)), "{name}");
        }
        assert_eq!(BuiltinKind::from_name("file"), None);
    }
}
