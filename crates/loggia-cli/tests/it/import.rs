//! `loggia import`.

use crate::program::{run_in, shows};

const CLIENT: &str = r#"{"mcpServers": {"My Notes": {"command": "LOGGIA", "args": ["up", "--stdio"], "env": {"API_KEY": "s3cret"}}, "web": {"url": "https://w.example/mcp"}}}"#;

#[test]
fn a_clients_file_is_refused_as_configuration_and_imported_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let read = || std::fs::read_to_string(folder.path().join("loggia.toml")).expect("a file");
    write("client.json", &CLIENT.replace("LOGGIA", env!("CARGO_BIN_EXE_loggia")));
    shows!("import_json_as_config", run_in(folder.path(), &["up", "--config", "client.json"]));

    write("loggia.toml", "# mine\n");
    shows!("import", run_in(folder.path(), &["import", "client.json"]));
    let imported = read();
    assert!(imported.starts_with("# mine\n") && !imported.contains("s3cret"), "{imported}");
    // The connector is found by its name and by the name that it had.
    for name in ["my-notes", "My Notes"] {
        let run = run_in(folder.path(), &["tools", name]);
        assert!(run.code == Some(2) && run.stderr.contains("API_KEY is not set"), "{run}");
    }
    shows!("import_again", run_in(folder.path(), &["import", "client.json"]));
    assert_eq!(read(), imported);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing is left behind");

    // A part of the servers is there: the error names the way to the others.
    write("part.toml", "[connectors.Web]\nkind = \"remote\"\nurl = \"https://w.example/mcp\"\n");
    shows!("import_part", run_in(folder.path(), &["import", "client.json", "--file", "part.toml"]));
    std::fs::remove_file(folder.path().join("part.toml")).expect("removed");

    let one = run_in(folder.path(), &["import", "client.json", "web", "--file", "team.toml"]);
    assert_eq!(one.code, Some(0), "{one}");
    let team = std::fs::read_to_string(folder.path().join("team.toml")).expect("a file");
    assert_eq!(team, "[connectors.web]\nkind = \"remote\"\nurl = \"https://w.example/mcp\"\n");
}

#[test]
fn without_a_configuration_file_an_import_names_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("client.json"), CLIENT).expect("written");
    std::fs::write(path("loggia.toml"), "# mine\n").expect("written");
    shows!("import_no_config", run_in(folder.path(), &["import", "--no-config", "client.json"]));
    assert_eq!(std::fs::read_to_string(path("loggia.toml")).expect("a file"), "# mine\n");
    let run = run_in(folder.path(), &["import", "--no-config", "client.json", "--file", "other.toml"]);
    assert!(run.code == Some(0) && path("other.toml").exists(), "{run}");
}

#[test]
fn servers_that_can_be_imported_are_named_with_those_that_cannot() {
    let folder = tempfile::tempdir().expect("a folder");
    let servers = r#"{"mcpServers": {"z z": {"command": "x"}, "live": {"url": "WSS://s3cret.example/mcp"}, "a": {"command": "x"}, "none": {}}}"#;
    std::fs::write(folder.path().join("client.json"), servers).expect("written");
    shows!("import_unusable", run_in(folder.path(), &["import", "client.json"]));
    let run = run_in(folder.path(), &["import", "client.json", "z z", "a"]);
    assert_eq!(run.code, Some(0), "{run}");
    let imported = std::fs::read_to_string(folder.path().join("loggia.toml")).expect("a file");
    let sections = ["[connectors.z-z]", "[connectors.a]"].map(|section| imported.find(section));
    assert!(sections[0] < sections[1] && sections[0].is_some(), "in the order of the file: {imported}");
}

#[test]
fn what_cannot_be_imported_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bad.json"), "{\"mcpServers\": 1}").expect("written");
    for (line, expected) in [
        (&["import", "missing.json"] as &[&str], "cannot read missing.json"),
        (&["import", "bad.json"], "bad.json: there are no servers in it"),
        (&["import", "."], "cannot read ."),
        (&["import", "-"], "-: "),
    ] {
        let run = run_in(folder.path(), line);
        assert!(run.code == Some(2) && run.stderr.contains(expected), "{line:?}: {run}");
        assert!(!folder.path().join("loggia.toml").exists(), "{line:?}");
    }
}
