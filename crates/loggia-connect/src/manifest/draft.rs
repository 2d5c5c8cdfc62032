//! A manifest that is made from another format: its text is shown to the user, who can edit it.
//!
//! Invariant: the text of a draft is read before it is given out, so that it is a good manifest.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::ConnectorManifest;

/// A manifest that was made from another format.
#[derive(Debug, Clone)]
pub struct ImportedManifest {
    /// The manifest.
    pub manifest: ConnectorManifest,
    /// Its text.
    pub text: String,
    /// The facts of the other format that the manifest does not keep, for the user.
    pub notes: Vec<String>,
}

/// The reason why no manifest can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestImportError(pub(super) String);

impl fmt::Display for ManifestImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ManifestImportError {}

/// A manifest that is being made. The fields are in the order of the text.
#[derive(Serialize, Default)]
pub(super) struct ManifestDraft {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) version: String,
    pub(super) description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) website: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) icons: Vec<DraftIcon>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) config: BTreeMap<String, DraftField>,
    pub(super) backends: Vec<DraftBackend>,
    #[serde(skip)]
    pub(super) notes: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct DraftIcon {
    pub(super) src: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mime_type: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sizes: Vec<String>,
}

#[derive(Serialize, Default, Clone, PartialEq)]
pub(super) struct DraftField {
    #[serde(rename = "type")]
    pub(super) field_type: &'static str,
    pub(super) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) choices: Vec<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) multiple: bool,
}

#[derive(Serialize, Default)]
pub(super) struct DraftBackend {
    pub(super) name: String,
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) args: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) env: BTreeMap<String, String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl ManifestDraft {
    /// Adds a value of the user. Returns its name, which is another one if a different value has it already.
    pub(super) fn add_field(&mut self, name: &str, field: DraftField) -> String {
        let base = field_name(name);
        let mut name = base.clone();
        let mut number = 2;
        while self.config.get(&name).is_some_and(|known| *known != field) {
            name = format!("{base}_{number}");
            number += 1;
        }
        self.config.insert(name.clone(), field);
        name
    }

    /// Adds a backend under a name that no other has.
    pub(super) fn add_backend(&mut self, mut backend: DraftBackend) {
        let same = self.backends.iter().filter(|known| known.kind == backend.kind).count();
        backend.name = match same {
            0 => backend.kind.to_owned(),
            _ => format!("{}-{}", backend.kind, same + 1),
        };
        self.backends.push(backend);
    }

    /// Writes and reads the text.
    pub(super) fn finish(self) -> Result<ImportedManifest, ManifestImportError> {
        let written = toml::to_string(&self).map_err(|error| ManifestImportError(error.to_string()))?;
        let text = format!("#:schema ./connector.schema.json\n{written}");
        let manifest = ConnectorManifest::parse(&text, &format!("{}.toml", self.name))
            .map_err(|error| ManifestImportError(format!("the server makes no good manifest: {error}")))?;
        Ok(ImportedManifest { manifest, text, notes: self.notes })
    }
}

/// Returns a name of a connector: `io.github.acme/My Server` becomes `my-server`.
pub(super) fn connector_name(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let name = words(last, '-');
    let name: String = name.chars().take(64).collect();
    match name.trim_matches('-') {
        "" => "server".to_owned(),
        name => name.to_owned(),
    }
}

/// Returns a name of a field: `Api Key` becomes `api_key`.
pub(super) fn field_name(name: &str) -> String {
    match words(name, '_').as_str() {
        "" => "value".to_owned(),
        name => name.to_owned(),
    }
}

/// Writes the letters and digits of a text in small letters, with `between` for all others.
fn words(text: &str, between: char) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c.is_ascii_alphanumeric() {
            true => out.push(c.to_ascii_lowercase()),
            false if !out.is_empty() && !out.ends_with(between) => out.push(between),
            false => {}
        }
    }
    out.trim_end_matches(between).to_owned()
}

/// Returns a version of a manifest.
pub(super) fn version(text: Option<&str>) -> String {
    let pattern = "^[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$";
    let text = text.filter(|text| super::config_field::matches(pattern, text));
    text.unwrap_or("0.0.0").to_owned()
}

/// Writes a text of another format so that nothing in it is a placeholder.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
