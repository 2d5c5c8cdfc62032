//! The values that fill a manifest: the user's configuration and the credential.
//!
//! Invariant: a secret is in no error, no `Debug` text and no JSON value that is not sent.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::draft::field_name;
use super::text::TextPart;
use super::{ConfigFieldType, ConnectorManifest, ManifestText};
use crate::secret::Secret;

/// The values that fill a manifest.
#[derive(Debug, Clone, Default)]
pub struct ConnectorValues {
    /// The values as texts; several for a list of files or folders.
    texts: BTreeMap<String, Vec<Secret>>,
    /// The values that are no secrets, with their types.
    json: Map<String, Value>,
    credential: Option<Secret>,
    /// The values that are files and folders.
    paths: Vec<Secret>,
}

/// A value of the user that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The name of the value; `credential` for the credential.
    pub field: String,
    /// The problem, and how to write it.
    pub message: String,
}

/// A value that a text of the manifest needs and that the user did not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingValue {
    /// The name of the value; `credential` for the credential.
    pub field: String,
}

impl ConnectorManifest {
    /// Checks the values of the user, and adds defaults. The caller checks whether files and folders exist. All problems
    /// are told at once.
    pub fn values(
        &self,
        config: &Map<String, Value>,
        credential: Option<Secret>,
    ) -> Result<ConnectorValues, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut values = ConnectorValues { credential, ..ConnectorValues::default() };
        let known: Vec<&str> = self.config.iter().map(|field| field.name.as_str()).collect();
        for name in config.keys().filter(|name| !known.contains(&name.as_str())) {
            let hint = match known.is_empty() {
                true => format!("the connector {} takes no values", self.name),
                false => crate::problem::nearest(name, &known),
            };
            problems.push(ConfigProblem {
                field: name.clone(),
                message: format!("there is no such value; {hint}"),
            });
        }
        for field in &self.config {
            let given = config.get(&field.name).filter(|value| !value.is_null());
            let Some(value) = given.or(field.default.as_ref()) else {
                if field.is_required {
                    let message = format!("a value is needed: {}", field.title);
                    problems.push(ConfigProblem { field: field.name.clone(), message });
                }
                continue;
            };
            match field.check(value) {
                Ok(()) => values.insert(&field.name, value, field.field_type),
                Err(message) => problems.push(ConfigProblem { field: field.name.clone(), message }),
            }
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }
}

impl ConnectorValues {
    fn insert(&mut self, name: &str, value: &Value, field_type: ConfigFieldType) {
        let text = |value: &Value| match value {
            Value::String(text) => Secret::new(text),
            other => Secret::new(other.to_string()),
        };
        let texts = match value {
            Value::Array(items) => items.iter().map(text).collect(),
            value => vec![text(value)],
        };
        if matches!(field_type, ConfigFieldType::File | ConfigFieldType::Folder) {
            self.paths.extend(texts.iter().cloned());
        }
        self.texts.insert(name.to_owned(), texts);
        if field_type != ConfigFieldType::Secret {
            self.json.insert(name.to_owned(), value.clone());
        }
    }

    /// Returns the credential.
    pub fn credential(&self) -> Option<&Secret> {
        self.credential.as_ref()
    }

    /// Returns the same values with another credential.
    pub fn with_credential(&self, credential: Secret) -> ConnectorValues {
        ConnectorValues { credential: Some(credential), ..self.clone() }
    }

    /// Returns the values of the field that a bundle calls `name`; none if the user gave none.
    pub(crate) fn of_bundle(&self, name: &str) -> &[Secret] {
        self.texts.get(&field_name(name)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the values that are files and folders.
    pub fn paths(&self) -> &[Secret] {
        &self.paths
    }

    /// Fills a text. Several files or folders are written with commas between them.
    pub fn text(&self, text: &ManifestText) -> Result<Secret, MissingValue> {
        let mut filled = zeroize::Zeroizing::new(String::new());
        for part in text.parts() {
            match part {
                TextPart::Literal(literal) => filled.push_str(literal),
                TextPart::Credential => filled.push_str(self.needed_credential()?.expose()),
                TextPart::Config(name) => {
                    for (n, value) in self.needed(name)?.iter().enumerate() {
                        filled.push_str(if n > 0 { "," } else { "" });
                        filled.push_str(value.expose());
                    }
                }
            }
        }
        Ok(Secret::new(filled.as_str()))
    }

    /// Returns whether a text consists of one placeholder for which the user gave no value.
    pub(crate) fn is_absent(&self, text: &ManifestText) -> bool {
        matches!(text.parts(), [TextPart::Config(name)] if !self.texts.contains_key(name))
    }

    /// Fills arguments of a program. An argument that is one placeholder becomes one argument for each value, and none
    /// where an optional value is missing.
    pub fn args(&self, args: &[ManifestText]) -> Result<Vec<Secret>, MissingValue> {
        let mut filled = Vec::new();
        for arg in args {
            match arg.parts() {
                [TextPart::Config(name)] => {
                    filled.extend(self.texts.get(name).into_iter().flatten().cloned())
                }
                _ => filled.push(self.text(arg)?),
            }
        }
        Ok(filled)
    }

    /// Fills the texts in a JSON value. A text that is one placeholder takes the type of the value.
    pub fn json(&self, value: &Value) -> Result<Value, MissingValue> {
        Ok(match value {
            Value::String(text) => {
                // A text with a wrong placeholder was reported when the manifest was read.
                let Ok(parsed) = ManifestText::parse(text) else { return Ok(value.clone()) };
                if let [TextPart::Config(name)] = parsed.parts()
                    && let Some(value) = self.json.get(name)
                {
                    return Ok(value.clone());
                }
                Value::String(self.text(&parsed)?.expose().to_owned())
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.json(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => Value::Object(self.object(members)?),
            other => other.clone(),
        })
    }

    /// Fills the texts in a JSON object.
    pub fn object(&self, members: &Map<String, Value>) -> Result<Map<String, Value>, MissingValue> {
        members.iter().map(|(name, value)| Ok((name.clone(), self.json(value)?))).collect()
    }

    fn needed(&self, name: &str) -> Result<&[Secret], MissingValue> {
        let missing = || MissingValue { field: name.to_owned() };
        self.texts.get(name).map(Vec::as_slice).ok_or_else(missing)
    }

    pub(crate) fn needed_credential(&self) -> Result<&Secret, MissingValue> {
        self.credential.as_ref().ok_or_else(|| MissingValue { field: "credential".to_owned() })
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for ConfigProblem {}

impl fmt::Display for MissingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value '{}' is missing", self.field)
    }
}

impl std::error::Error for MissingValue {}
