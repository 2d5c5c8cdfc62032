//! A configuration file that exists is read or refused, whatever the command and however the file is damaged.

use std::path::Path;

use crate::program::{command, run_in};

const FILES: &str = "[connectors.notes]\nkind = \"builtin\"\nname = \"files\"\n";

/// Writes `content` to `loggia.toml` in a new folder.
fn folder_with(content: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("loggia.toml"), content).expect("written");
    folder
}

#[test]
fn options_that_would_pass_over_a_configuration_file_are_refused() {
    let protected = format!("[server.auth]\nenabled = true\n{FILES}");
    let folder = folder_with(protected.as_bytes());
    std::fs::rename(folder.path().join("loggia.toml"), folder.path().join("team.toml")).expect("moved");
    let elsewhere = folder_with(protected.as_bytes());
    for options in [
        &["--write"] as &[&str],
        &["--root", "."],
        &["--root", "/"],
        &["--root", ".", "--write"],
        &["--stdio", "--write"],
        &["--stdio", "--root", "."],
        &["--no-auth", "--write"],
    ] {
        let line: Vec<&str> = ["up"].iter().chain(options).copied().collect();
        let named: Vec<&str> = line.iter().copied().chain(["--config", "team.toml"]).collect();
        let variable =
            command(folder.path(), &line).env("LOGGIA_CONFIG", "team.toml").output().expect("it runs");
        for (file, run) in [
            ("loggia.toml", run_in(elsewhere.path(), &line)),
            ("team.toml", run_in(folder.path(), &named)),
            ("team.toml", variable.into()),
        ] {
            assert!(run.code == Some(2) && run.stdout.is_empty(), "{line:?}: {run}");
            let option = if options.contains(&"--root") { "--root" } else { "--write" };
            let message = format!("error: {option} would pass over the configuration file {file}");
            assert!(run.stderr.contains(&message) && run.stderr.contains("--no-config"), "{line:?}: {run}");
        }
    }
}

/// Each case: a content of the file, and a part of the error.
#[test]
fn a_configuration_file_that_cannot_be_used_is_never_passed_over() {
    let cases: &[(&str, &[u8], &str)] = &[
        ("an empty file", b"", "loggia.toml has no connector that is enabled"),
        (
            "a file that is not UTF-8",
            b"[server]\npath = \"/\xff\"\n",
            "line 2 is not UTF-8 text; save the file as UTF-8",
        ),
        ("UTF-16, as some shells write it", b"\xff\xfe[\0s\0]\0", "line 1 is not UTF-8 text"),
        ("a damaged file", b"[server", "loggia.toml:1:8"),
        ("zeros, as a lost power supply leaves them", b"\0\0\0\0", "loggia.toml:1:5"),
    ];
    for (what, content, expected) in cases {
        refused(what, folder_with(content).path(), expected);
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_file_that_is_no_file_is_never_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("loggia.toml")).expect("created");
    refused("a folder", folder.path(), "loggia.toml cannot be read");
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("nowhere", folder.path().join("loggia.toml")).expect("linked");
    refused("a link that leads nowhere", folder.path(), "loggia.toml cannot be read");
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("loggia.toml", folder.path().join("loggia.toml")).expect("linked");
    refused("a link to itself", folder.path(), "loggia.toml cannot be read");
}

/// Every command that needs the configuration says `expected`, and none serves or lists the folder.
fn refused(what: &str, folder: &Path, expected: &str) {
    for line in [
        &["up", "--listen", ":0"] as &[&str],
        &["up", "--stdio"],
        &["tools", "files"],
        &["call", "files", "files_list"],
        &["inspect", "files"],
        &["auth", "login", "files"],
    ] {
        let run = run_in(folder, line);
        assert!(run.code == Some(2) && run.stdout.is_empty(), "{what}, {line:?}: {run}");
        assert!(run.stderr.contains(expected), "{what}, {line:?}: {run}");
    }
    let without = run_in(folder, &["tools", "files", "--no-config"]);
    assert!(without.code == Some(0) && without.stdout.contains("read"), "{what}: {without}");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let folder = folder_with(format!("\u{feff}{FILES}").replace('\n', "\r\n").as_bytes());
    let run = run_in(folder.path(), &["tools", "notes"]);
    assert!(run.code == Some(0) && run.stdout.contains("read"), "{run}");
}

#[test]
fn without_a_file_the_variable_that_names_none_is_empty() {
    let folder = folder_with(FILES.as_bytes());
    let run = command(folder.path(), &["tools", "notes"]).env("LOGGIA_CONFIG", "").output().expect("it runs");
    assert!(run.status.success(), "an empty variable names no file, so loggia.toml is read");
    let line = ["tools", "files", "--no-config"];
    let run = command(folder.path(), &line).env("LOGGIA_CONFIG", "loggia.toml").output().expect("it runs");
    assert!(run.status.success(), "--no-config counts more than the variable");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let value = std::ffi::OsStr::from_bytes(b"\xff");
    for (variable, line) in [
        ("DATABASE_URL", &["auth", "keys", "list"] as &[&str]),
        ("DATABASE_URL", &["up", "--auth", "--listen", ":0"]),
        ("LOGGIA_ALLOW_NETWORK", &["tools", "files"]),
    ] {
        let run: crate::program::Run =
            command(folder.path(), line).env(variable, value).output().expect("it runs").into();
        assert_eq!(run.code, Some(2), "{variable}: {run}");
        assert!(run.stderr.contains(variable) && run.stderr.contains("UTF-8"), "{variable}: {run}");
    }
}
