//! The values that the user of a connector gives.

use serde_json::Value;

/// A value that the user gives.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigField {
    /// The name, used as `${config.NAME}`.
    pub name: String,
    /// The type.
    pub field_type: ConfigFieldType,
    /// The label.
    pub title: String,
    /// The help.
    pub description: Option<String>,
    /// True if a value must be given.
    pub is_required: bool,
    /// The value where the user gives none.
    pub default: Option<Value>,
    /// The regular expression that a string or a secret matches.
    pub pattern: Option<String>,
    /// The least number.
    pub min: Option<f64>,
    /// The greatest number.
    pub max: Option<f64>,
    /// The values of a choice.
    pub choices: Vec<ConfigChoice>,
    /// True if several files or folders may be given.
    pub is_multiple: bool,
}

/// A type of a value that the user gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFieldType {
    /// A text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// The path of a file.
    File,
    /// The path of a folder.
    Folder,
    /// A text that is not shown.
    Secret,
    /// One of several texts.
    Choice,
}

const FIELD_TYPES: [(&str, ConfigFieldType); 7] = [
    ("string", ConfigFieldType::Text),
    ("number", ConfigFieldType::Number),
    ("boolean", ConfigFieldType::Boolean),
    ("file", ConfigFieldType::File),
    ("folder", ConfigFieldType::Folder),
    ("secret", ConfigFieldType::Secret),
    ("choice", ConfigFieldType::Choice),
];

impl ConfigFieldType {
    pub(super) fn from_name(name: &str) -> Option<ConfigFieldType> {
        FIELD_TYPES.iter().find(|(known, _)| *known == name).map(|(_, field_type)| *field_type)
    }

    /// Returns the name in a manifest.
    pub fn as_str(self) -> &'static str {
        FIELD_TYPES.iter().find(|(_, field_type)| *field_type == self).map_or("string", |(name, _)| name)
    }

    /// Returns whether the value is the path of a file or a folder.
    pub fn is_path(self) -> bool {
        matches!(self, ConfigFieldType::File | ConfigFieldType::Folder)
    }
}

/// A value of a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChoice {
    /// The value.
    pub value: String,
    /// The label.
    pub title: String,
}

impl ConfigField {
    /// Checks a value of the user, or a default. The error says how to write it, and quotes no value.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match (self.field_type, value) {
            (_, Value::Array(items)) if self.is_multiple => {
                let single = ConfigField { is_multiple: false, ..self.clone() };
                items.iter().try_for_each(|item| single.check(item))
            }
            (ConfigFieldType::Number, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or_default();
                match (self.min.filter(|min| number < *min), self.max.filter(|max| number > *max)) {
                    (Some(min), _) => Err(format!("the least value is {min}")),
                    (_, Some(max)) => Err(format!("the greatest value is {max}")),
                    _ => Ok(()),
                }
            }
            (ConfigFieldType::Number, _) => Err("a number is needed".to_owned()),
            (ConfigFieldType::Boolean, Value::Bool(_)) => Ok(()),
            (ConfigFieldType::Boolean, _) => Err("true or false is needed".to_owned()),
            (ConfigFieldType::Choice, Value::String(text)) => {
                if self.choices.iter().any(|choice| choice.value == *text) {
                    return Ok(());
                }
                let known: Vec<&str> = self.choices.iter().map(|choice| choice.value.as_str()).collect();
                Err(format!("it is one of {}", known.join(", ")))
            }
            (_, Value::String(text)) => {
                if text.is_empty() && self.is_required {
                    return Err("a value is needed".to_owned());
                }
                match self.pattern.as_deref() {
                    Some(pattern) if !matches(pattern, text) => Err(format!("it must match {pattern}")),
                    _ => Ok(()),
                }
            }
            _ => Err("a text is needed".to_owned()),
        }
    }
}

/// Returns whether a text matches a pattern, which was checked when the manifest was read.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    regex_lite::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}
