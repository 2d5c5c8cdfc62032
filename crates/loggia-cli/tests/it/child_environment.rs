//! The environment of the programs that `loggia` starts: an allow-list, and the variables that the configuration or the
//! command line names.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::program::command;
use crate::up::up_with;

/// Variables of `loggia`, each with a value that no child may see.
const SECRETS: [(&str, &str); 8] = [
    ("LOGGIA_MASTER_KEY", "s3cret-1"),
    ("LOGGIA_CLIENT_SECRET", "s3cret-2"),
    ("DATABASE_URL", "sqlite:s3cret-3.db"),
    ("AWS_SECRET_ACCESS_KEY", "s3cret-4"),
    ("SSH_AUTH_SOCK", "/nowhere/s3cret-5"),
    ("NODE_OPTIONS", "--title=s3cret-6"),
    ("OTHERS_TOKEN", "s3cret-7"),
    // A value in the form of a shell function is not passed on, whatever its name.
    ("LC_ALL", "() { echo s3cret-8; }"),
];
/// The variables that every child sees, and those that a shell sets for itself.
const ALLOWED: [&str; 14] = [
    "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER", "PWD",
    "SHLVL", "_",
];
/// The mark by which the next gateway finds the children of a killed one.
const MARK: &str = "LOGGIA_GUARDED_BY";
/// Writes the environment to a file in one step, and ends.
const SCRIPT: &str = "env > unfinished; mv unfinished environment";

fn check(folder: &Path, what: &str) {
    let seen = std::fs::read_to_string(folder.join("environment")).expect("the child has run");
    assert!(!seen.contains("s3cret"), "{what}: {seen}");
    let names: BTreeSet<&str> = seen.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let more: Vec<_> = names.iter().filter(|name| !ALLOWED.contains(name) && **name != MARK).collect();
    assert_eq!(more, [&"GIVEN"], "{what}: {seen}");
    assert!(names.contains("PATH") && seen.contains("GIVEN=on purpose"), "{what}: {seen}");
}

#[test]
fn a_child_sees_an_allow_list_and_the_variables_it_is_given() {
    let secret = |command: &mut Command| {
        command.envs(SECRETS).env("SOURCE", "on purpose");
    };
    for line in [
        &["tools", "--env", "GIVEN=on purpose", "--", "sh", "-c", SCRIPT] as &[&str],
        &["call", "x", "--env", "GIVEN=on purpose", "--", "sh", "-c", SCRIPT],
        &["inspect", "--env", "GIVEN=on purpose", "--", "sh", "-c", SCRIPT],
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = command(folder.path(), line);
        secret(&mut command);
        command.output().expect("it runs");
        check(folder.path(), &format!("{line:?}"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!(
        "[connectors.child]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"-c\", \"{SCRIPT}\"]\n\
         env = {{ GIVEN = \"${{SOURCE}}\" }}\n"
    );
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let mut up = up_with(folder.path(), ":0", &[], secret);
    up.until("✗ child");
    check(folder.path(), "up");
    up.stop();
}
