//! `manifest.json` of MCPB bundles: a program with its files, and the values that its user gives.
//!
//! Invariant: a bundle is imported with its digest, so that another file at its URL is refused.

use serde_json::{Map, Value, json};

use super::draft::{
    DraftBackend, DraftField, ImportedManifest, ManifestDraft, ManifestImportError, connector_name, version,
};
use super::text::TextPart;
use super::{
    ConfigField, ConfigFieldType, ConnectorManifest, ManifestBackend, ManifestText, ManifestTransport,
    PackageSource,
};

/// The version of the format that is written.
const VERSION: &str = "0.2";
/// The value of the user that holds the credential of an exported backend.
const CREDENTIAL: &str = "credential";

/// Makes a manifest of the `manifest.json` of a bundle that is at `url` and has the digest `sha256:…`. The program, its
/// arguments and its environment stay those of the bundle.
pub fn import_bundle_manifest(
    text: &str,
    url: &str,
    digest: &str,
) -> Result<ImportedManifest, ManifestImportError> {
    let bundle: Value = serde_json::from_str(text)
        .map_err(|error| ManifestImportError(format!("this is no JSON: {error}")))?;
    let text = |name: &str| bundle[name].as_str().filter(|text| !text.trim().is_empty());
    let name = text("name").ok_or_else(|| ManifestImportError("the bundle has no name".to_owned()))?;
    let title = text("display_name").unwrap_or(name);
    let website = text("homepage").or_else(|| bundle["repository"]["url"].as_str());
    let mut draft = ManifestDraft {
        name: connector_name(name),
        title: title.to_owned(),
        version: version(text("version")),
        description: text("description").unwrap_or(title).to_owned(),
        website: website.filter(|url| crate::config_file::is_url(url)).map(str::to_owned),
        ..ManifestDraft::default()
    };
    for (name, field) in bundle["user_config"].as_object().into_iter().flatten() {
        let own = draft.add_field(name, self::field(name, field));
        if own != *name {
            draft.notes.push(format!("the value {name:?} is called {own:?}"));
        }
    }
    draft.add_backend(DraftBackend {
        kind: "stdio",
        package: Some(format!("mcpb:{url}")),
        digest: Some(digest.to_owned()),
        ..DraftBackend::default()
    });
    draft.finish()
}

fn field(name: &str, field: &Value) -> DraftField {
    let is_secret = field["sensitive"] == json!(true);
    let field_type = match field["type"].as_str() {
        Some("number") => "number",
        Some("boolean") => "boolean",
        Some("file") => "file",
        Some("directory") => "folder",
        _ if is_secret => "secret",
        _ => "string",
    };
    let is_path = matches!(field_type, "file" | "folder");
    let default = field.get("default").filter(|default| {
        let is_list = default.is_array();
        // `${HOME}` in a default is of the bundle's format alone.
        field_type != "secret"
            && !default.is_null()
            && (!is_list || is_path)
            && !default.to_string().contains("${")
    });
    let number = |key: &str| field[key].as_f64().filter(|_| field_type == "number");
    DraftField {
        field_type,
        title: field["title"].as_str().unwrap_or(name).to_owned(),
        description: field["description"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
        required: field["required"] == json!(true),
        default: default.cloned(),
        min: number("min"),
        max: number("max"),
        multiple: is_path && field["multiple"] == json!(true),
        ..DraftField::default()
    }
}

/// Writes the `manifest.json` of a bundle that starts the program of a backend; `author` is its author's name. `None` if the
/// backend is no program, or is a bundle already.
pub fn export_bundle_manifest(
    manifest: &ConnectorManifest,
    backend: &ManifestBackend,
    author: &str,
) -> Option<Value> {
    let ManifestTransport::Stdio(program) = &backend.transport else { return None };
    let (kind, command, before) = match &program.source {
        PackageSource::Npm { name, version, .. } => {
            ("node", "npx".to_owned(), vec!["-y".to_owned(), format!("{name}@{version}")])
        }
        PackageSource::PyPi { name, version, .. } => {
            let own = name.split('[').next().unwrap_or_default().to_owned();
            ("python", "uvx".to_owned(), vec!["--from".to_owned(), format!("{name}=={version}"), own])
        }
        PackageSource::Command(command) => ("binary", placeholders(command), Vec::new()),
        PackageSource::Oci { .. } | PackageSource::Bundle { .. } => return None,
    };
    let args: Vec<String> = before.into_iter().chain(program.args.iter().map(placeholders)).collect();
    let env: Map<String, Value> =
        program.env.iter().map(|(name, value)| (name.clone(), json!(placeholders(value)))).collect();
    let texts = || program.args.iter().chain(program.env.values()).chain(&program.cwd);
    let is_used =
        |field: &&ConfigField| texts().any(|text| text.config_names().any(|name| name == field.name));
    let mut config: Map<String, Value> = manifest
        .config
        .iter()
        .filter(is_used)
        .map(|field| (field.name.clone(), exported_field(field)))
        .collect();
    if texts().any(ManifestText::has_credential) {
        let prompt = backend.auth.credential.as_ref();
        let title = prompt.map_or("Credential", |prompt| prompt.title.as_str());
        let description = prompt.and_then(|prompt| prompt.description.as_deref()).unwrap_or(title);
        config.insert(
            CREDENTIAL.to_owned(),
            json!({ "type": "string", "title": title, "description": description, "sensitive": true, "required": true }),
        );
    }
    let mut bundle = json!({
        "manifest_version": VERSION,
        "name": manifest.name,
        "display_name": manifest.title,
        "version": manifest.version,
        "description": manifest.description,
        "author": { "name": author },
        "server": { "type": kind, "entry_point": command, "mcp_config": { "command": command, "args": args, "env": env } },
    });
    if let Some(website) = &manifest.website {
        bundle["homepage"] = json!(website);
    }
    if !config.is_empty() {
        bundle["user_config"] = Value::Object(config);
    }
    Some(bundle)
}

fn exported_field(field: &ConfigField) -> Value {
    let kind = match field.field_type {
        ConfigFieldType::Number => "number",
        ConfigFieldType::Boolean => "boolean",
        ConfigFieldType::File => "file",
        ConfigFieldType::Folder => "directory",
        ConfigFieldType::Text | ConfigFieldType::Secret | ConfigFieldType::Choice => "string",
    };
    let mut out = json!({
        "type": kind, "title": field.title,
        "description": field.description.as_deref().unwrap_or(&field.title),
    });
    let flags = [
        ("required", field.is_required),
        ("sensitive", field.field_type == ConfigFieldType::Secret),
        ("multiple", field.is_multiple),
    ];
    for (name, _) in flags.into_iter().filter(|(_, is_set)| *is_set) {
        out[name] = json!(true);
    }
    for (name, value) in [("min", field.min), ("max", field.max)] {
        if let Some(value) = value {
            out[name] = json!(value);
        }
    }
    if let Some(default) = &field.default {
        out["default"] = default.clone();
    }
    out
}

/// Writes a text with the placeholders of bundles.
fn placeholders(text: &ManifestText) -> String {
    let parts = text.parts().iter().map(|part| match part {
        TextPart::Literal(text) => text.clone(),
        TextPart::Config(name) => format!("${{user_config.{name}}}"),
        TextPart::Credential => format!("${{user_config.{CREDENTIAL}}}"),
    });
    parts.collect()
}
