//! The official schemas and examples, from `../shared/spec` or `LOGGIA_SHARED`. Where they are absent the
//! tests that need them say so and carry on.

use std::path::PathBuf;

use loggia_wire::Version;
use serde_json::Value;

/// The folder with the specification's data, if it is here.
pub(crate) fn spec() -> Option<PathBuf> {
    let shared = std::env::var_os("LOGGIA_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let spec = shared.join("spec");
    if spec.is_dir() {
        return Some(spec);
    }
    println!("left out: the official schemas are not at {}", spec.display());
    None
}

/// One revision's official schema.
pub(crate) struct Official {
    document: Value,
    section: &'static str,
}

impl Official {
    pub(crate) fn load(version: Version) -> Option<Official> {
        let text = std::fs::read_to_string(spec()?.join(version.as_str()).join("schema.json")).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let section = if document.get("$defs").is_some() { "$defs" } else { "definitions" };
        Some(Official { document, section })
    }

    pub(crate) fn definitions(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.document[self.section].as_object().unwrap().iter()
    }

    pub(crate) fn has(&self, definition: &str) -> bool {
        self.document[self.section].get(definition).is_some()
    }

    pub(crate) fn validator(&self, definition: &str) -> jsonschema::Validator {
        assert!(self.has(definition), "no definition {definition}");
        let mut document = self.document.clone();
        document["$ref"] = format!("#/{}/{definition}", self.section).into();
        jsonschema::validator_for(&document).unwrap()
    }

    /// The members that the definition names; `None` where it is not a plain object.
    pub(crate) fn members(&self, definition: &str) -> Option<Vec<String>> {
        let properties = self.document[self.section].get(definition)?.get("properties")?.as_object()?;
        Some(properties.keys().cloned().collect())
    }
}

/// Returns the errors of `validator` for `value`.
pub(crate) fn complaints(validator: &jsonschema::Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|e| format!("{} at {}", e, e.instance_path())).collect()
}
