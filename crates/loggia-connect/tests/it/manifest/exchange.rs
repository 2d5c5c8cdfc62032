//! Manifests from and as `server.json` and the `manifest.json` of MCPB bundles.

use std::collections::BTreeMap;
use std::path::PathBuf;

use loggia_connect::manifest::{
    ConnectorManifest, export_bundle_manifest, export_server_json, import_bundle_manifest, import_server_json,
};
use serde_json::{Value, json};

use super::WHOLE;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn a_server_json_becomes_a_manifest() {
    let digest = DIGEST.trim_start_matches("sha256:");
    let argument = |more: Value| {
        let mut argument = json!({ "type": "positional", "valueHint": "path" });
        argument.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        argument
    };
    let cases = [
        json!({
            "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
            "name": "io.example.acme/Acme Server", "title": "Acme", "description": "Pages.", "version": "1.2.3", "websiteUrl": "https://acme.example",
            "icons": [{ "src": "https://acme.example/i.png", "mimeType": "image/png", "sizes": ["48x48"] }],
            "remotes": [
                { "type": "streamable-http", "url": "https://{tenant}.acme.example/mcp", "variables": { "tenant": { "description": "The tenant", "isRequired": true, "choices": ["eu", "us"], "default": "eu" } },
                  "headers": [
                    { "name": "Authorization", "value": "Bearer {token}", "variables": { "token": { "isSecret": true, "isRequired": true } } },
                    { "name": "X-Mode", "value": "${mode}" }, { "name": "X-Region", "description": "Region" },
                  ] },
                { "type": "sse", "url": "https://acme.example/sse" },
            ],
            "packages": [
                { "registryType": "npm", "identifier": "@acme/server", "version": "1.2.3", "transport": { "type": "stdio" },
                  "packageArguments": [
                    argument(json!({ "value": "serve" })), argument(json!({ "format": "filepath", "isRequired": true })),
                    { "type": "named", "name": "--limit", "format": "number", "default": "10" }, { "type": "named", "name": "--cache" },
                  ],
                  "environmentVariables": [{ "name": "ACME_API_KEY", "isSecret": true, "isRequired": true, "default": "s3cret" }, { "name": "DEBUG", "format": "boolean", "default": "false" }] },
                { "registryType": "pypi", "identifier": "acme", "version": "0.1.0", "transport": { "type": "streamable-http", "url": "http://127.0.0.1:1" } },
                { "registryType": "oci", "identifier": "ghcr.io/acme/server:1.2.3", "runtimeArguments": [{ "type": "named", "name": "-v" }] },
                { "registryType": "mcpb", "identifier": "https://acme.example/acme.mcpb", "fileSha256": digest },
                { "registryType": "nuget", "identifier": "Acme", "version": "1.0.0" },
            ],
        }),
        json!({
            "name": "io.github.acme/acme", "description": "", "version_detail": { "version": "0.0.1-seed" }, "repository": { "url": "https://github.com/acme/acme" },
            "packages": [
                { "registry_name": "pypi", "name": "acme", "version": "0.23.1", "package_arguments": [{ "type": "named", "name": "--dir", "value": "/tmp", "is_required": true }], "environment_variables": [{ "name": "ACME_TOKEN", "description": "T" }] },
                { "registry_name": "docker", "name": "acme/acme", "version": "1.0" },
            ],
        }),
        json!({ "server": { "name": "a/b", "description": "B", "version": "1.0.0", "remotes": [{ "type": "streamable-http", "url": "https://b.example" }] }, "_meta": {} }),
        json!({ "name": "a/b", "description": "B", "version": "1.0.0", "packages": [{ "registry_name": "npm", "name": "b", "version": "" }] }),
        json!({ "name": "a/b", "description": "B", "version": "1.0.0" }),
        json!({ "description": "B" }),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|case| match import_server_json(&case.to_string()) {
            Ok(imported) => {
                assert!(!imported.text.contains("s3cret"));
                format!(
                    "{}\n{}",
                    imported.text,
                    imported.notes.iter().map(|note| format!("# {note}\n")).collect::<String>()
                )
            }
            Err(error) => format!("error: {error}\n"),
        })
        .collect();
    insta::assert_snapshot!(said.join("\n----\n"));
}

/// Real entries of the registry stand beside the repository. Without them the test says so and carries on.
#[test]
fn entries_of_the_registry_become_manifests_or_say_why() {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/registry/seed_2025_05_16.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: ../shared/registry/seed_2025_05_16.json is absent");
        return;
    };
    let servers: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for server in &servers {
        let outcome = match import_server_json(&server.to_string()) {
            Ok(imported) => {
                assert!(!imported.manifest.backends.is_empty(), "{server}");
                "imported".to_owned()
            }
            Err(error) => {
                let said = error.to_string();
                assert!(!said.contains("no good manifest"), "{server}: {said}");
                said.rsplit(": ").next().unwrap_or_default().to_owned()
            }
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    insta::assert_debug_snapshot!(outcomes);
}

#[test]
fn a_manifest_becomes_a_server_json_and_is_read_again() {
    let manifest = ConnectorManifest::parse(WHOLE, "whole.toml").unwrap();
    let (server, notes) = export_server_json(&manifest, "io.example");
    insta::assert_json_snapshot!((&server, &notes));
    let again = import_server_json(&server.to_string()).unwrap();
    assert_eq!((again.manifest.name.as_str(), again.manifest.backends.len()), ("whole", 2), "{}", again.text);
    assert_eq!(again.notes, [""; 0]);
    assert_eq!(again.manifest.title, manifest.title);
}

#[test]
fn a_bundle_becomes_a_manifest() {
    let bundle = json!({
        "manifest_version": "0.2", "name": "Acme Files", "display_name": "Acme", "version": "1.2.0", "description": "Files.", "author": { "name": "Acme" },
        "homepage": "https://acme.example",
        "server": { "type": "node", "entry_point": "server/index.js", "mcp_config": { "command": "node", "args": ["${__dirname}/server/index.js", "${user_config.folders}"] } },
        "user_config": {
            "folders": { "type": "directory", "title": "Folders", "description": "F", "multiple": true, "required": true, "default": ["${HOME}/Desktop"] },
            "api_key": { "type": "string", "title": "Key", "description": "K", "sensitive": true, "default": "s3cret" },
            "size": { "type": "number", "title": "Size", "description": "S", "default": 10, "min": 1, "max": 100 },
            "camelCase": { "type": "boolean", "title": "C", "description": "C", "default": true },
        },
    });
    let imported =
        import_bundle_manifest(&bundle.to_string(), "https://acme.example/a.mcpb", DIGEST).unwrap();
    assert!(!imported.text.contains("s3cret"));
    insta::assert_snapshot!(format!("{}\n{}", imported.text, imported.notes.join("\n")));
    assert!(import_bundle_manifest("{}", "https://acme.example/a.mcpb", DIGEST).is_err());
    assert!(import_bundle_manifest(&bundle.to_string(), "https://acme.example/a.mcpb", "sha256:12").is_err());
}

#[test]
fn a_program_becomes_a_bundle() {
    let manifest = ConnectorManifest::parse(WHOLE, "whole.toml").unwrap();
    let bundles: Vec<Option<Value>> =
        manifest.backends.iter().map(|backend| export_bundle_manifest(&manifest, backend, "Whole")).collect();
    assert_eq!(bundles.iter().flatten().count(), 2, "the package and the command");
    insta::assert_json_snapshot!(bundles.iter().flatten().collect::<Vec<_>>());
}
