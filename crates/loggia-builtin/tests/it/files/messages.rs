//! The messages for a model, which cannot look at the folder.

use std::fmt::Display;
use std::fmt::Write as _;

use loggia_builtin::files::{
    DeleteRequest, FilesError, FindRequest, GrepRequest, ListRequest, ReadRange, ReadRequest, WriteRequest,
};

use super::{folder, read_only, writable};

fn failed<T>(result: Result<T, impl Display>) -> String {
    result.err().expect("it must fail").to_string()
}

#[test]
fn messages() {
    let folder = folder(&[
        ("src/main.rs", "fn main() {}\n"),
        ("src/lib/deep.rs", ""),
        ("docs/unique-name.md", "# x\n"),
        ("bin", "a\0b"),
    ]);
    let files = writable(folder.path());
    let frozen = read_only(folder.path());
    let read = |path: &str, range| {
        failed(files.read(&ReadRequest { path: path.into(), range, ..Default::default() }))
    };
    let whole = |path: &str| read(path, ReadRange::Whole);
    let lines = |path: &str, first| read(path, ReadRange::Lines { first, count: None });
    let grep =
        |pattern: &str| failed(files.grep(&GrepRequest { pattern: pattern.into(), ..Default::default() }));
    let cursor = ListRequest { path: "src".into(), cursor: Some("docs/x".into()), ..Default::default() };
    let write = |path: &str| WriteRequest { path: path.into(), ..Default::default() };
    let table: &[(&str, String)] = &[
        ("a name nearly right", whole("src/mian.rs")),
        ("a directory nearly right", whole("scr/main.rs")),
        ("the right name in the wrong place", whole("unique-name.md")),
        ("in other case", whole("SRC/main.rs")),
        ("nothing alike", whole("src/zebra")),
        ("out of the folder", whole("../main.rs")),
        ("absolute", whole("/etc/passwd")),
        ("a NUL", whole("a\0b")),
        ("too long", whole(&"x/".repeat(4000)).replace(&"x/".repeat(40), "x/…")),
        ("a directory read", whole("src")),
        ("the root read", whole("")),
        ("a path through a file", whole("src/main.rs/x")),
        ("a line too far", lines("src/main.rs", 7)),
        ("line 0", lines("src/main.rs", 0)),
        ("lines of bytes", lines("bin", 1)),
        ("an offset too far", read("src/main.rs", ReadRange::Bytes { offset: 99, length: None })),
        (
            "a file listed",
            failed(files.list(&ListRequest { path: "src/main.rs".into(), ..Default::default() })),
        ),
        ("depth 0", failed(files.list(&ListRequest { depth: 0, ..Default::default() }))),
        ("a foreign cursor", failed(files.list(&cursor))),
        ("a bad glob", failed(files.find(&FindRequest { glob: "a[".into(), ..Default::default() }))),
        ("a bad regex", grep("a(")),
        ("a newline in a regex", grep("a\nb")),
        ("an empty regex", grep("")),
        ("a file in the way", failed(files.write(&write("src/main.rs")))),
        ("a directory in the way", failed(files.write(&write("src")))),
        ("not empty", failed(files.delete(&DeleteRequest { path: "src".into(), recursive: false }))),
        ("the root deleted", failed(files.delete(&DeleteRequest { path: ".".into(), recursive: true }))),
        ("a file that others execute", failed(files.write(&write(".git/hooks/pre-commit")))),
        ("read-only", failed(frozen.write(&write("x")))),
    ];
    let mut said = String::new();
    for (what, message) in table {
        assert!(!message.contains(folder.path().to_str().unwrap()), "{what}: {message}");
        writeln!(said, "{what}: {message}").unwrap();
    }
    insta::assert_snapshot!(said);
}

/// Errors that depend on the machine, made by hand.
#[test]
fn messages_of_the_machine() {
    let path = || "a".to_owned();
    let table = [
        FilesError::Denied { path: path() },
        FilesError::Io { path: path(), reason: "No space left on device (os error 28)".into() },
        FilesError::TimedOut { path: path() },
        FilesError::Busy { path: path() },
        FilesError::RootGone,
        FilesError::Changed { path: path(), now: Some("0123".into()) },
        FilesError::Changed { path: path(), now: None },
        FilesError::TooLarge { path: path(), size: 11, limit: 10, advice: "split it" },
    ];
    insta::assert_snapshot!(table.map(|e| e.to_string()).join("\n"));
}
