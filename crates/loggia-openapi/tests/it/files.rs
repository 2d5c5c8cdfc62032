//! Descriptions that stand beside the repository, and schemas for strict clients.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Reads a vendor's description; `None`, with a line that says so, if it is absent.
pub(crate) fn vendor(file: &str) -> Option<Vec<u8>> {
    read(&Path::new("../shared/vendors").join(file))
}

/// Reads a file of an npm package that `interop/` pins, from the folder in `LOGGIA_NPM`, where it must be, or from the
/// folder where `cargo xtask test` installs packages.
pub(crate) fn npm(file: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("LOGGIA_NPM") else {
        return read(&Path::new("target/xtask/npm/node_modules").join(file));
    };
    let path = PathBuf::from(folder).join(file);
    let text = std::fs::read(&path);
    Some(text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Reads a file of the repository.
pub(crate) fn repository(file: &str) -> Option<Vec<u8>> {
    read(Path::new(file))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let text = std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).ok();
    if text.is_none() {
        eprintln!("skipped: {} is absent", path.display());
    }
    text
}

/// Asserts that a strict client accepts a tool's schema: an object without references, of JSON Schema 2020-12, and short.
pub(crate) fn assert_strict(tool: &loggia_wire::model::Tool) {
    let text = tool.input_schema.as_str();
    let name = &tool.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    assert!((1..=52).contains(&name.len()) && name.chars().all(is_plain), "{name}");
    assert!(text.len() <= 24 * 1024 && !text.contains("\"$ref\""), "{name} has {} bytes", text.len());
    let schema: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(schema["type"], "object", "{name}");
    assert!(schema["properties"].is_object(), "{name}");
    let names = schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys());
    for property in names {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        assert!((1..=64).contains(&property.len()) && property.chars().all(is_plain), "{name}: {property}");
    }
    if let Err(error) = jsonschema::draft202012::meta::validate(&schema) {
        panic!("{name}: {error}: {schema}");
    }
}

/// Returns a digest of names in any order, which changes if one of them does (FNV-1a, 64 bits).
pub(crate) fn digest<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut sorted: Vec<&str> = names.collect();
    sorted.sort_unstable();
    for byte in sorted.iter().flat_map(|name| name.bytes().chain([b'\n'])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}
