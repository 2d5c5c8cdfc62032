//! Programs of connectors in their sandbox: the keys of the configuration, and what a program sees with them.

use std::path::Path;

use crate::program::{Run, run_in};

/// Writes to its home what it can read and where it is, in one step.
const SCRIPT: &str = "for file in listed/file other/file; do cat $ROOT/$file 2>/dev/null || echo refused; done > ~/seen; \
                      pwd >> ~/seen; echo $GIVEN >> ~/seen";

/// Runs a connector with this configuration, whose program ends at once.
fn run(folder: &Path, keys: &str) -> Run {
    for name in ["listed", "other"] {
        std::fs::create_dir_all(folder.join(name)).expect("a folder");
        std::fs::write(folder.join(name).join("file"), format!("{name}\n")).expect("a file");
    }
    let config = format!(
        "[connectors.one]\nkind = \"stdio\"\ncommand = \"sh\"\nargs = [\"-c\", \"{SCRIPT}\"]\n\
         env = {{ ROOT = \"{}\", GIVEN = \"given\" }}\n{keys}\n",
        folder.display()
    );
    std::fs::write(folder.join("loggia.toml"), config).expect("written");
    run_in(folder, &["tools", "one"])
}

/// Returns the only home of a confined program.
fn home(folder: &Path) -> std::path::PathBuf {
    let homes = std::fs::read_dir(folder.join("state/homes")).expect("homes");
    let homes: Vec<_> = homes.map(|home| home.expect("a home").path()).collect();
    assert_eq!(homes.len(), 1, "{homes:?}");
    homes[0].clone()
}

#[test]
fn a_connector_reads_only_what_its_sandbox_lists() {
    for (keys, expected) in [
        ("sandbox = { read = [\"listed\"] }", "listed\nrefused\n"),
        ("sandbox = { read = [\"${ROOT_OF_TEST}/listed\"] }", ""),
        ("sandbox = \"on\"", "refused\nrefused\n"),
        ("sandbox = { write = [\"listed\", \"other\"] }", "listed\nother\n"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a folder");
        let ended = run(&root, keys);
        assert_ne!(ended.code, Some(0), "it is no server: {ended}");
        if expected.is_empty() {
            assert!(ended.stderr.contains("ROOT_OF_TEST"), "{ended}");
            continue;
        }
        let home = home(&root);
        let seen = std::fs::read_to_string(home.join("seen")).unwrap_or_else(|_| panic!("{keys}: {ended}"));
        assert_eq!(seen, format!("{expected}{}\ngiven\n", home.display()), "{keys}");
    }
}

#[test]
fn a_program_without_a_list_runs_as_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(folder.path(), "sandbox = \"off\"");
    assert_ne!(ended.code, Some(0), "it is no server: {ended}");
    assert!(!folder.path().join("state/homes").exists(), "{ended}");
}

#[test]
fn a_container_has_no_sandbox_of_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = "[connectors.one]\nkind = \"stdio\"\ncommand = \"./docker\"\nsandbox = \"require\"\n";
    std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
    let ended = run_in(folder.path(), &["tools", "one"]);
    assert!(ended.stderr.contains("its sandbox is required, and the container is not Loggia's"), "{ended}");
}

#[test]
fn a_missing_program_is_named_with_the_way_to_get_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for sandbox in ["", "sandbox = \"on\"\n"] {
        let config = format!(
            "[connectors.one]\nkind = \"stdio\"\ncommand = \"uvx\"\nargs = [\"x\"]\nenv = {{ PATH = \"/nowhere\" }}\n{sandbox}"
        );
        std::fs::write(folder.path().join("loggia.toml"), config).expect("written");
        let ended = run_in(folder.path(), &["tools", "one"]);
        assert!(
            ended.stderr.contains("could not be started") && ended.stderr.contains("install uv"),
            "{ended}"
        );
    }
}
