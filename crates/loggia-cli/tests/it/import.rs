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

    let one = run_in(folder.path(), &["import", "client.json", "web", "--file", "team.toml"]);
    assert_eq!(one.code, Some(0), "{one}");
    let team = std::fs::read_to_string(folder.path().join("team.toml")).expect("a file");
    assert_eq!(team, "[connectors.web]\nkind = \"remote\"\nurl = \"https://w.example/mcp\"\n");
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
