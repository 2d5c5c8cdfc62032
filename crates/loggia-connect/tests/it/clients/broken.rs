//! Files that are broken or of another kind: each is refused with its place, and stays as it is.

use std::fmt::Write as _;
use std::fs;

use super::machine::{Machine, client};

/// Files that cannot be edited. Every value that may be a secret contains `s3cret`.
const FILES: &[(&str, &str, &[u8])] = &[
    ("cut off", "cursor", b"{\n  \"mcpServers\": {\n    \"a\": {\"url\": \"s3cret\"\n"),
    ("a missing comma", "cursor", b"{\n  \"a\": \"s3cret\"\n  \"b\": 2\n}\n"),
    ("a word", "zed", b"// settings\n{\n  \"a\": s3cret\n}\n"),
    ("a conflict of git", "claude-code", b"{\n<<<<<<< HEAD\n  \"a\": \"s3cret\"\n=======\n>>>>>>> b\n}\n"),
    ("no text", "cursor", b"\xff\xfe{\0}\0"),
    ("servers that are a list", "vscode", b"{\"servers\": [\"s3cret\"]}"),
    ("servers that are null", "cursor", b"{\"mcpServers\": null}"),
    ("a list", "cursor", b"[{\"a\": \"s3cret\"}]"),
    ("two documents", "cursor", b"{}\n{}\n"),
    ("no TOML", "codex", b"model = \"a\"\nkey = s3cret\n"),
    ("a key twice", "codex", b"model = \"s3cret\"\nmodel = \"b\"\n"),
    ("servers in one line", "codex", b"mcp_servers = { a = { url = \"s3cret\" } }\n"),
    ("servers that are a list, in TOML", "codex", b"[[mcp_servers]]\nurl = \"s3cret\"\n"),
    ("no YAML", "goose", b"extensions:\n  a: [s3cret\nb: 1\n"),
    ("a tab", "goose", b"extensions:\n\ta: s3cret\n"),
    ("two documents of YAML", "goose", b"a: s3cret\n---\nb: 1\n"),
    ("a list in YAML", "goose", b"- s3cret\n"),
    ("a text in YAML", "goose", b"extensions: s3cret\n"),
    ("servers that are no list", "continue", b"mcpServers:\n  a: s3cret\n"),
];

#[test]
fn a_file_that_cannot_be_edited_stays_and_its_place_is_named() {
    let mut shown = String::new();
    for (what, name, bytes) in FILES {
        let (machine, client) = (Machine::new(), client(name));
        let file = machine.write(&client, bytes);
        let error = machine.install(&client).expect_err(what);
        assert_eq!(fs::read(&file).unwrap(), *bytes, "{what}");
        assert!(!machine.path("records").exists(), "{what}");
        let text = format!("{error}\n  {}", error.next_step().unwrap_or_default().replace('\n', "\n  "));
        let text = text.replace(file.to_str().unwrap(), "FILE");
        assert!(!text.contains("s3cret"), "{what}: {text}");
        writeln!(shown, "# {what}, {name}\n{text}\n").unwrap();
    }
    insta::assert_snapshot!(shown);
}
