//! Bundles that are read, refused and unpacked, and their programs with the values of a user.

use std::io::{Cursor, Write};

use serde_json::{Map, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::manifest::{ResolvedBackend, import_bundle_manifest};

fn zipped(entries: &[(&str, &str)]) -> Cursor<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        let mode = if name.ends_with(".sh") { 0o755 } else { 0o644 };
        writer.start_file(*name, SimpleFileOptions::default().unix_permissions(mode)).expect("a file");
        writer.write_all(text.as_bytes()).expect("written");
    }
    writer.finish().expect("a bundle")
}

#[test]
fn a_bundle_is_unpacked_into_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let entries = [("manifest.json", "{}"), ("server/run.sh", "exit"), ("a/b/c.txt", "text")];
    let mut bundle = Bundle::open(zipped(&entries)).expect("a bundle");
    assert_eq!(bundle.manifest().as_deref(), Ok("{}"));
    bundle.unpack(folder.path()).expect("unpacked");
    for (name, text) in entries {
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).expect("a file"), text, "{name}");
    }
    #[cfg(unix)]
    for (name, is_program) in [("server/run.sh", true), ("manifest.json", false)] {
        let mode = std::fs::metadata(folder.path().join(name)).expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
        assert_eq!(mode & 0o177, if is_program { 0o100 } else { 0 }, "{name}");
    }
}

/// Each case: the name of an entry, whether it is a link, and a part of the error.
#[test]
fn an_entry_that_leads_elsewhere_is_refused() {
    for (name, is_link, part) in [
        ("../escaped.txt", false, "leads out of the folder"),
        ("a/../../escaped.txt", false, "leads out of the folder"),
        ("/escaped.txt", false, "leads out of the folder"),
        ("a\\..\\escaped.txt", false, "leads out of the folder"),
        ("link", true, "is a link"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).expect("created");
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        match is_link {
            true => writer.add_symlink(name, "/etc", SimpleFileOptions::default()).expect("a link"),
            false => writer.start_file(name, SimpleFileOptions::default()).expect("a file"),
        }
        let mut bundle = Bundle::open(writer.finish().expect("a bundle")).expect("a bundle");
        let error = bundle.unpack(&inner).expect_err(name).to_string();
        assert!(error.contains(part), "{name}: {error}");
        assert!(!folder.path().join("escaped.txt").exists(), "{name}");
    }
    assert!(Bundle::open(Cursor::new(b"no bundle".to_vec())).is_err());
    let error = Bundle::open(zipped(&[])).expect("a bundle").manifest().expect_err("it is empty");
    assert_eq!(error.to_string(), "it has no manifest.json");
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    assert!(write(Cursor::new(b"12345"), &path, 4, false).is_err());
    assert_eq!(write(Cursor::new(b"1234"), &folder.path().join("other"), 4, false).expect("written"), 4);
    assert!(write(Cursor::new(b"1"), &path, 4, false).is_err(), "no file is replaced");
}

/// Returns the program of a manifest with the values of its user, as text.
fn program(manifest: &Value, values: Value, platform: &str) -> Result<String, BundleError> {
    let text = manifest.to_string();
    let digest = bundle_digest(b"");
    let imported = import_bundle_manifest(&text, "https://acme.example/a.mcpb", &digest).expect("a manifest");
    let values: Map<String, Value> = values.as_object().cloned().unwrap_or_default();
    let values = imported.manifest.values(&values, None).expect("values");
    let resolved = imported.manifest.backends[0].resolve(&values).expect("resolved");
    let ResolvedBackend::Bundle(bundle) = resolved else { panic!("{resolved:?}") };
    let folders = UserFolders { home: Some("/ada".into()), ..UserFolders::default() };
    let stdio = bundle_program(&text, Path::new("/bundles/a"), &bundle, &folders, platform)?;
    let words = std::iter::once(&stdio.command).chain(&stdio.args).map(Secret::expose);
    let env = stdio.env.iter().map(|(name, value)| format!("{name}={}", value.expose()));
    Ok(env.chain(words.map(str::to_owned)).collect::<Vec<_>>().join(" "))
}

#[test]
fn the_program_has_the_values_of_its_user() {
    let manifest = json!({
        "manifest_version": "0.3", "name": "acme", "version": "1.0.0", "description": "Pages.",
        "author": { "name": "Acme" },
        "compatibility": { "platforms": ["linux", "darwin"] },
        "server": { "type": "node", "entry_point": "server/index.js", "mcp_config": {
            "command": "node",
            "args": ["${__dirname}/server/index.js", "${user_config.folders}", "--size=${user_config.size}"],
            "env": { "KEY": "${user_config.Api Key}", "TEAM": "${user_config.team}", "CACHE": "${HOME}${/}cache" },
            "platform_overrides": { "darwin": { "command": "deno", "env": { "OS": "mac" } } },
        } },
        "user_config": {
            "folders": { "type": "directory", "title": "Folders", "multiple": true, "required": true },
            "size": { "type": "number", "title": "Size", "default": 10 },
            "Api Key": { "type": "string", "title": "Key", "sensitive": true },
            "team": { "type": "string", "title": "Team" },
        },
    });
    let values = json!({ "folders": ["/a", "/b"], "api_key": "s3cret" });
    for (platform, expected) in [
        ("linux", Ok("CACHE=/ada/cache KEY=s3cret node /bundles/a/server/index.js /a /b --size=10")),
        ("darwin", Ok("CACHE=/ada/cache KEY=s3cret OS=mac deno /bundles/a/server/index.js /a /b --size=10")),
        ("win32", Err("it does not run on win32")),
    ] {
        let found = program(&manifest, values.clone(), platform).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{platform}");
    }
    for (placeholder, part) in
        [("${DESKTOP}", "${DESKTOP} has no value"), ("${unknown}", "${unknown} has no value")]
    {
        let mut other = manifest.clone();
        other["server"]["mcp_config"]["args"] = json!([placeholder]);
        let error = program(&other, values.clone(), "linux").expect_err(placeholder);
        assert!(error.to_string().contains(part), "{placeholder}: {error}");
    }
    let mut uv = manifest;
    uv["server"] = json!({ "type": "uv", "entry_point": "src/server.py" });
    let found = program(&uv, values, "linux").expect("a program");
    assert_eq!(found, "uv run --directory /bundles/a src/server.py");
}
