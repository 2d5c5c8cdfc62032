//! `server.json`, the format of the MCP registry, in both its spellings: that of 2025-05 (`registry_name`, `version_detail`) and
//! the later ones (`registryType`, `identifier`).
//!
//! Invariant: nothing is lost without a note.

use loggia::wire::text::redact_url;
use serde_json::{Map, Value, json};

use super::draft::{
    DraftBackend, DraftField, DraftIcon, ImportedManifest, ManifestDraft, ManifestImportError,
    connector_name, literal, version,
};
use super::text::TextPart;
use super::{
    ConfigField, ConfigFieldType, ConnectorManifest, ManifestText, ManifestTransport, PackageSource,
    RequestPlace,
};
use crate::config_file::Transport;

const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";

/// Makes a manifest of a `server.json`.
pub fn import_server_json(text: &str) -> Result<ImportedManifest, ManifestImportError> {
    let server: Value = serde_json::from_str(text)
        .map_err(|error| ManifestImportError(format!("this is no JSON: {error}")))?;
    // The registry wraps a server, with facts of its own beside it.
    let server = server.get("server").unwrap_or(&server);
    let name =
        string(server, &["name"]).ok_or_else(|| ManifestImportError("the server has no name".to_owned()))?;
    let title = string(server, &["title"]).unwrap_or_else(|| name.rsplit('/').next().unwrap_or(name));
    let repository = server["repository"]["url"].as_str();
    let website = string(server, &["websiteUrl", "website_url"]).or(repository);
    let mut draft = ManifestDraft {
        name: connector_name(name),
        title: title.to_owned(),
        version: version(
            string(server, &["version"]).or_else(|| server["version_detail"]["version"].as_str()),
        ),
        description: string(server, &["description"]).unwrap_or(title).to_owned(),
        website: website.filter(|url| crate::config_file::is_url(url)).map(str::to_owned),
        icons: list(server, &["icons"]).iter().filter_map(icon).collect(),
        ..ManifestDraft::default()
    };
    for server in list(server, &["remotes"]) {
        remote(server, &mut draft);
    }
    for package in list(server, &["packages"]) {
        self::package(package, &mut draft);
    }
    if draft.backends.is_empty() {
        let notes = draft.notes.join("; ");
        return Err(ManifestImportError(match notes.is_empty() {
            true => "the server has neither a remote nor a package".to_owned(),
            false => notes,
        }));
    }
    draft.finish()
}

fn string<'v>(value: &'v Value, names: &[&str]) -> Option<&'v str> {
    names.iter().find_map(|name| value.get(name)?.as_str()).filter(|text| !text.trim().is_empty())
}

fn list<'v>(value: &'v Value, names: &[&str]) -> &'v [Value] {
    names.iter().find_map(|name| value.get(name)?.as_array()).map_or(&[], Vec::as_slice)
}

fn is_true(value: &Value, names: &[&str]) -> bool {
    names.iter().any(|name| value[name] == json!(true))
}

fn icon(icon: &Value) -> Option<DraftIcon> {
    let sizes = list(icon, &["sizes"]).iter().filter_map(Value::as_str).map(str::to_owned);
    Some(DraftIcon {
        src: icon["src"].as_str().filter(|url| crate::config_file::is_url(url))?.to_owned(),
        mime_type: string(icon, &["mimeType", "mime_type"]).map(str::to_owned),
        sizes: sizes.collect(),
    })
}

fn remote(server: &Value, draft: &mut ManifestDraft) {
    let kind = string(server, &["type", "transport_type"]).unwrap_or("streamable-http");
    let Some(url) = string(server, &["url"]) else {
        draft.notes.push("a remote without a URL is left out".to_owned());
        return;
    };
    let url = filled(url, server, draft);
    let mut backend = DraftBackend {
        kind: "remote",
        transport: Some(if kind == "sse" { "sse" } else { "http" }),
        ..DraftBackend::default()
    };
    if !crate::config_file::is_url(&url) && !url.contains("${config.") {
        draft.notes.push(format!("the remote {} is left out: it is no whole URL", redact_url(&url)));
        return;
    }
    backend.url = Some(url);
    for header in list(server, &["headers"]) {
        if let Some(name) = string(header, &["name"]) {
            backend.headers.insert(name.to_owned(), input(name, header, draft));
        }
    }
    draft.add_backend(backend);
}

fn package(package: &Value, draft: &mut ManifestDraft) {
    let registry = string(package, &["registryType", "registry_type", "registry_name"]).unwrap_or("unknown");
    let name = string(package, &["identifier", "name"]).unwrap_or_default();
    let version = string(package, &["version"]).filter(|version| *version != "latest");
    let left_out = |reason: &str| format!("the {registry} package {name:?} is left out: {reason}");
    let transport = package["transport"]["type"].as_str().unwrap_or("stdio");
    if transport != "stdio" {
        return draft
            .notes
            .push(left_out("it speaks HTTP, and a program is spoken to over its standard input"));
    }
    let source = match (registry, version) {
        ("npm", Some(version)) => format!("npm:{name}@{version}"),
        ("pypi", Some(version)) => format!("pypi:{name}=={version}"),
        ("oci" | "docker", Some(version)) => format!("oci:{name}:{version}"),
        ("oci" | "docker", None) if name.rsplit('/').next().is_some_and(|last| last.contains(':')) => {
            format!("oci:{name}")
        }
        ("mcpb", _) if name.starts_with("https://") => format!("mcpb:{name}"),
        ("npm" | "pypi" | "oci" | "docker", None) => {
            return draft.notes.push(left_out("it has no fixed version"));
        }
        _ => return draft.notes.push(left_out("packages of this kind cannot be started")),
    };
    let digest = string(package, &["fileSha256", "file_sha256"])
        .map(|digest| format!("sha256:{}", digest.to_lowercase()));
    if registry == "mcpb" && digest.is_none() {
        return draft.notes.push(left_out("it has no digest"));
    }
    if !list(package, &["runtimeArguments", "runtime_arguments"]).is_empty() {
        draft.notes.push(format!("the arguments of the program that starts {name:?} are left out"));
    }
    let mut backend =
        DraftBackend { kind: "stdio", package: Some(source), digest, ..DraftBackend::default() };
    for argument in list(package, &["packageArguments", "package_arguments"]) {
        arguments(argument, &mut backend, draft);
    }
    for variable in list(package, &["environmentVariables", "environment_variables"]) {
        if let Some(name) = string(variable, &["name"]) {
            backend.env.insert(name.to_owned(), input(name, variable, draft));
        }
    }
    draft.add_backend(backend);
}

fn arguments(argument: &Value, backend: &mut DraftBackend, draft: &mut ManifestDraft) {
    let flag = string(argument, &["name"]).filter(|_| argument["type"] == json!("named"));
    let hint = string(argument, &["valueHint", "value_hint"]);
    let is_given = string(argument, &["value", "default"]).is_some();
    match flag {
        // Without a value the flag alone would be passed.
        Some(flag) if !is_given && !is_true(argument, &["isRequired", "is_required"]) => {
            draft.notes.push(format!("the optional argument {flag} is left out"));
        }
        Some(flag) => {
            let value = input(flag, argument, draft);
            backend.args.extend([literal(flag), value]);
        }
        None => backend.args.push(input(hint.unwrap_or("argument"), argument, draft)),
    }
}

/// Returns the text of an input. One without a fixed value is a value of the user.
fn input(name: &str, input: &Value, draft: &mut ManifestDraft) -> String {
    match string(input, &["value"]) {
        Some(value) => filled(value, input, draft),
        None => {
            let name = draft.add_field(name, field(name, input));
            format!("${{config.{name}}}")
        }
    }
}

/// Replaces the variables `{name}` of a text by values of the user.
fn filled(text: &str, owner: &Value, draft: &mut ManifestDraft) -> String {
    let mut out = literal(text);
    for (name, variable) in owner["variables"].as_object().into_iter().flatten() {
        let placeholder = format!("{{{name}}}");
        if text.contains(&placeholder) {
            let field = draft.add_field(name, field(name, variable));
            out = out.replace(&placeholder, &format!("${{config.{field}}}"));
        }
    }
    out
}

fn field(name: &str, input: &Value) -> DraftField {
    const SECRETS: [&str; 5] = ["key", "token", "secret", "password", "authorization"];
    let lower = name.to_lowercase();
    let is_secret = match input.get("isSecret").or_else(|| input.get("is_secret")) {
        Some(is_secret) => *is_secret == json!(true),
        None => SECRETS.iter().any(|word| lower.contains(word)),
    };
    let choices: Vec<String> =
        list(input, &["choices"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let field_type = match string(input, &["format"]) {
        _ if is_secret => "secret",
        _ if !choices.is_empty() => "choice",
        Some("number") => "number",
        Some("boolean") => "boolean",
        Some("filepath" | "file_path") => "file",
        _ => "string",
    };
    let default = string(input, &["default"]).and_then(|default| match field_type {
        "secret" => None,
        "number" => serde_json::from_str::<Value>(default).ok().filter(Value::is_number),
        "boolean" => default.parse::<bool>().ok().map(Value::from),
        "choice" => choices.iter().any(|choice| choice == default).then(|| json!(default)),
        _ => Some(json!(default)),
    });
    DraftField {
        field_type,
        title: name.to_owned(),
        description: string(input, &["description"]).map(str::to_owned),
        required: is_true(input, &["isRequired", "is_required"]),
        default,
        choices: if is_secret { Vec::new() } else { choices },
        ..DraftField::default()
    }
}

/// Writes a manifest as `server.json`. `namespace` is the part of the name before the slash, such as `io.github.acme`. The
/// second value has what the format cannot say.
pub fn export_server_json(manifest: &ConnectorManifest, namespace: &str) -> (Value, Vec<String>) {
    let mut notes = Vec::new();
    let (mut remotes, mut packages) = (Vec::new(), Vec::new());
    for backend in &manifest.backends {
        match &backend.transport {
            ManifestTransport::Remote(server) => {
                let kind = if server.transport == Transport::Sse { "sse" } else { "streamable-http" };
                let mut headers: Vec<Value> = server
                    .headers
                    .iter()
                    .map(|(name, value)| exported_input(manifest, name, value))
                    .collect();
                if backend.auth.class.is_entered() && backend.auth.place == RequestPlace::Header {
                    headers.push(json!({
                        "name": backend.auth.place_name(), "isRequired": true, "isSecret": true,
                        "value": backend.auth.value.as_ref().map_or("Bearer {credential}".to_owned(), braces),
                        "variables": { "credential": { "isRequired": true, "isSecret": true } },
                    }));
                }
                let mut remote = json!({ "type": kind, "url": braces(&server.url) });
                add(&mut remote, "headers", headers);
                add_variables(&mut remote, manifest, &server.url);
                remotes.push(remote);
            }
            ManifestTransport::Stdio(program) => match exported_package(&program.source) {
                Some(mut package) => {
                    let arguments = program.args.iter().map(|text| {
                        let mut argument = json!({ "type": "positional", "value": braces(text) });
                        add_variables(&mut argument, manifest, text);
                        argument
                    });
                    add(&mut package, "packageArguments", arguments.collect());
                    let env = program.env.iter().map(|(name, value)| exported_input(manifest, name, value));
                    add(&mut package, "environmentVariables", env.collect());
                    packages.push(package);
                }
                None => {
                    notes.push(format!("the backend {} starts a program that is in no package", backend.name))
                }
            },
            _ => notes.push(format!("the backend {} is no MCP server", backend.name)),
        }
    }
    let mut server = json!({
        "$schema": SCHEMA,
        "name": format!("{namespace}/{}", manifest.name),
        "title": manifest.title,
        "description": manifest.description,
        "version": manifest.version,
    });
    if let Some(website) = &manifest.website {
        server["websiteUrl"] = json!(website);
    }
    let icons = manifest.icons.iter().map(|icon| {
        let mut out = json!({ "src": icon.src });
        for (name, value) in [("mimeType", &icon.mime_type), ("theme", &icon.theme)] {
            if let Some(value) = value {
                out[name] = json!(value);
            }
        }
        add(&mut out, "sizes", icon.sizes.iter().map(|size| json!(size)).collect());
        out
    });
    add(&mut server, "icons", icons.collect());
    add(&mut server, "remotes", remotes);
    add(&mut server, "packages", packages);
    (server, notes)
}

fn add(object: &mut Value, name: &str, items: Vec<Value>) {
    if !items.is_empty() {
        object[name] = Value::Array(items);
    }
}

fn exported_package(source: &PackageSource) -> Option<Value> {
    let (kind, identifier, version, digest) = match source {
        PackageSource::Npm { name, version, digest } => {
            ("npm", name.clone(), Some(version), digest.as_deref())
        }
        PackageSource::PyPi { name, version, digest } => {
            ("pypi", name.clone(), Some(version), digest.as_deref())
        }
        PackageSource::Oci { image, .. } => ("oci", image.clone(), None, None),
        PackageSource::Bundle { url, digest } => ("mcpb", url.clone(), None, Some(digest.as_str())),
        PackageSource::Command(_) => return None,
    };
    let mut package =
        json!({ "registryType": kind, "identifier": identifier, "transport": { "type": "stdio" } });
    if let Some(version) = version {
        package["version"] = json!(version);
    }
    if let Some(digest) = digest {
        package["fileSha256"] = json!(digest.trim_start_matches("sha256:"));
    }
    Some(package)
}

/// Writes a text with `{name}` for its placeholders.
fn braces(text: &ManifestText) -> String {
    let parts = text.parts().iter().map(|part| match part {
        TextPart::Literal(text) => text.clone(),
        TextPart::Config(name) => format!("{{{name}}}"),
        TextPart::Credential => "{credential}".to_owned(),
    });
    parts.collect()
}

fn exported_input(manifest: &ConnectorManifest, name: &str, text: &ManifestText) -> Value {
    let field = match text.parts() {
        [TextPart::Config(field)] => manifest.config.iter().find(|known| known.name == *field),
        _ => None,
    };
    let mut out = match field {
        Some(field) => exported_field(field),
        None if matches!(text.parts(), [TextPart::Credential]) => {
            json!({ "isRequired": true, "isSecret": true })
        }
        None => json!({ "value": braces(text) }),
    };
    out["name"] = json!(name);
    if field.is_none() {
        add_variables(&mut out, manifest, text);
    }
    out
}

fn add_variables(out: &mut Value, manifest: &ConnectorManifest, text: &ManifestText) {
    let mut variables = Map::new();
    for name in text.config_names() {
        if let Some(field) = manifest.config.iter().find(|field| field.name == name) {
            variables.insert(name.to_owned(), exported_field(field));
        }
    }
    if text.has_credential() && out.get("value").is_some() {
        variables.insert("credential".to_owned(), json!({ "isRequired": true, "isSecret": true }));
    }
    if !variables.is_empty() {
        out["variables"] = Value::Object(variables);
    }
}

fn exported_field(field: &ConfigField) -> Value {
    let mut out = json!({ "description": field.description.as_deref().unwrap_or(&field.title) });
    let format = match field.field_type {
        ConfigFieldType::Number => Some("number"),
        ConfigFieldType::Boolean => Some("boolean"),
        ConfigFieldType::File | ConfigFieldType::Folder => Some("filepath"),
        _ => None,
    };
    if let Some(format) = format {
        out["format"] = json!(format);
    }
    if field.is_required {
        out["isRequired"] = json!(true);
    }
    if field.field_type == ConfigFieldType::Secret {
        out["isSecret"] = json!(true);
    }
    if let Some(default) = &field.default {
        out["default"] = json!(default.as_str().map_or_else(|| default.to_string(), str::to_owned));
    }
    add(&mut out, "choices", field.choices.iter().map(|choice| json!(choice.value)).collect());
    out
}
