//! Connectors of kind `manifest`: a manifest of the directory, or of a file, with the values of its user.

use std::ops::Range;

use super::error::Problems;
use super::raw::RawConnector;
use super::sandbox;
use super::{ConfigValue, ManifestUse};
use crate::secret::Template;

/// Checks the keys of a connector of kind `manifest`. The manifest itself is read when the connector is opened.
pub(super) fn manifest_use(
    raw: RawConnector,
    name: Range<usize>,
    problems: &mut Problems<'_>,
) -> Option<ManifestUse<Template>> {
    let Some(manifest) = raw.manifest else {
        return problems.add(
            name,
            "a connector of kind \"manifest\" needs a manifest, for example manifest = \"acme\" or the path of a .toml file",
        );
    };
    let mut values = std::collections::BTreeMap::new();
    for (key, value) in raw.config.map(toml::Spanned::into_inner).unwrap_or_default() {
        let span = value.span();
        let value = match value.into_inner() {
            toml::Value::String(text) => {
                problems.template(toml::Spanned::new(span, text)).map(ConfigValue::Text)
            }
            other => match serde_json::to_value(&other) {
                Ok(json) if !json.is_object() => Some(ConfigValue::Json(json)),
                _ => problems.add(span, "write a text, a number, true, false, or a list of texts"),
            },
        };
        if let Some(value) = value {
            values.insert(key.into_inner(), value);
        }
    }
    Some(ManifestUse {
        manifest: manifest.into_inner(),
        backend: raw.backend.map(toml::Spanned::into_inner),
        credential: raw.credential.and_then(|text| problems.template(text)),
        values,
        sandbox: sandbox::of_manifest(raw.sandbox, problems),
    })
}
