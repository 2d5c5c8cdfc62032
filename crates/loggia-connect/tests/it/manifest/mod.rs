//! Connector manifests: what they mean, what is said where they mean nothing, and their JSON Schema.

mod directory;
mod exchange;
mod problems;
mod resolve;
mod tool_settings;
mod vendors;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use loggia_connect::manifest::{ConnectorManifest, schema};
use serde_json::{Value, json};

pub(crate) const WHOLE: &str = include_str!("whole.toml");

fn connectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../connectors")
}

/// The manifests of the repository, each with its file's name.
pub(crate) fn files() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(connectors()).unwrap().map(|entry| entry.unwrap().path());
    let manifests = entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut files: Vec<(String, String)> = manifests
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn json(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn a_manifest_with_every_key() {
    let manifest = ConnectorManifest::parse(WHOLE, "whole.toml").unwrap();
    insta::assert_debug_snapshot!(manifest);
}

#[test]
fn every_manifest_of_the_repository_is_good() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (name, text) in files().iter().chain([&("whole".to_owned(), WHOLE.to_owned())]) {
        match ConnectorManifest::parse(text, &format!("{name}.toml")) {
            Ok(manifest) => assert_eq!(manifest.name, *name, "the name is the file's name"),
            Err(error) => panic!("{error}"),
        }
        let errors: Vec<String> = validator
            .iter_errors(&json(text))
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0], "{name}.toml");
        assert!(text.starts_with("#:schema "), "{name}.toml begins with its schema");
    }
}

/// Reads the example of the book, and each key that its tables name.
#[test]
fn the_book_describes_the_format() {
    let book = include_str!("../../../../../docs/src/write-a-connector.md");
    let example = book.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    ConnectorManifest::parse(example, "acme.toml").unwrap_or_else(|error| panic!("{error}"));
    let schema = schema();
    let tables = schema["definitions"].as_object().unwrap().values().chain([&schema]);
    let keys = tables.flat_map(|table| table["properties"].as_object().unwrap().keys());
    let missing: Vec<&String> = keys
        .filter(|key| {
            !book.contains(&format!("`{key}`"))
                && !book.contains(&format!(".{key}"))
                && !book.contains(&format!("[{key}"))
        })
        .collect();
    assert_eq!(missing, [""; 0], "the book does not name these keys");
}

/// The file is for editors. `LOGGIA_BLESS=1` writes it.
#[test]
fn the_committed_schema_is_current() {
    let path = connectors().join("connector.schema.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("LOGGIA_BLESS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "{} is old: run this test with LOGGIA_BLESS=1", path.display());
}

#[test]
fn the_whole_manifest_has_every_key_of_the_schema() {
    let schema = schema();
    let mut seen = BTreeSet::new();
    note_keys(&schema, &schema, "manifest", &json(WHOLE), &mut seen);
    let tables = schema["definitions"].as_object().unwrap().iter();
    let keys = |name: &str, table: &Value| -> Vec<(String, String)> {
        table["properties"].as_object().unwrap().keys().map(|key| (name.to_owned(), key.clone())).collect()
    };
    let all = tables.flat_map(|(name, table)| keys(name, table)).chain(keys("manifest", &schema));
    let missing: Vec<_> = all.filter(|key| !seen.contains(key)).collect();
    assert_eq!(missing, []);
}

/// Notes the keys of a value, each with the table of the schema that it belongs to.
fn note_keys(root: &Value, schema: &Value, name: &str, value: &Value, seen: &mut BTreeSet<(String, String)>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = reference.trim_start_matches("#/definitions/");
        return note_keys(root, &root["definitions"][target], target, value, seen);
    }
    for inner in ["allOf", "anyOf"].into_iter().flat_map(|key| schema[key].as_array().into_iter().flatten()) {
        note_keys(root, inner, name, value, seen);
    }
    for item in value.as_array().into_iter().flatten() {
        note_keys(root, &schema["items"], name, item, seen);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(key) {
            Some(property) => {
                seen.insert((name.to_owned(), key.clone()));
                note_keys(root, property, name, value, seen);
            }
            None => note_keys(root, &schema["additionalProperties"], name, value, seen),
        }
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (pointer, value) in [
        ("/nmae", json!("x")),
        ("/name", json!("Not A Name")),
        ("/version", json!("one")),
        ("/categories", json!(["documents", "docs"])),
        ("/config/site/type", json!("text")),
        ("/backends/0/kind", json!("http")),
        ("/backends/0/auth/class", json!("oauth")),
        ("/backends/0/auth/scopes", json!(["a"])),
        ("/backends/4/tools/0/request", json!("FETCH /v1")),
        ("/backends/4/tools/0/input/query/in", json!("form")),
        ("/backends/4/limits/rate", json!("fast")),
        ("/backends/1/package", json!("npm:server")),
    ] {
        let mut document = json(WHOLE);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[key] = value;
        assert!(!validator.is_valid(&document), "{pointer}: the schema");
        let text = toml::to_string(&document).unwrap();
        assert!(ConnectorManifest::parse(&text, "whole.toml").is_err(), "{pointer}: the reader");
    }
}
