//! `loggia lint`.

use serde_json::Value;

use crate::program::{run, run_in};
use crate::server;

const LISTS: &str = r#"{"tools": [{"name": "get_page", "inputSchema": {}, "description": "Gets a page."}]}"#;

#[test]
fn findings_decide_the_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tools.json"), LISTS).expect("a file");
    std::fs::write(folder.path().join("bad.json"), "{").expect("a file");
    for (args, code) in [
        (&["tools.json"][..], 1),
        (&["tools.json", "--rule", "icon-url"], 0),
        (&["tools.json", "--rule", "openai-closed-objects"], 0),
        (&["tools.json", "--rule", "tool-open-world-hint", "--fail-on", "warning"], 1),
        (&["tools.json", "--rule", "tool-open-world-hint", "--severity", "error", "--fail-on", "note"], 0),
        (&["tools.json", "--rule", "none"], 2),
        (&["bad.json"], 2),
        (&["absent.json"], 2),
        (&["files", "--fix"], 2),
        (&["--rules"], 0),
        (&["--explain", "tool-title"], 0),
        (&["--explain", "none"], 2),
    ] {
        let line: Vec<&str> = ["lint"].into_iter().chain(args.iter().copied()).collect();
        let run = run_in(folder.path(), &line);
        assert_eq!(run.code, Some(code), "{args:?}: {run}");
    }
}

#[test]
fn fixes_are_written_into_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tools.json");
    std::fs::write(&file, LISTS).expect("a file");
    run_in(folder.path(), &["lint", "--fix", "tools.json"]);
    let fixed: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("a file")).expect("JSON");
    assert_eq!(fixed["tools"][0]["title"], "Get page");
    assert_eq!(fixed["tools"][0]["annotations"]["readOnlyHint"], true);
    assert_eq!(fixed["tools"][0]["inputSchema"]["type"], "object");
    let again = run_in(folder.path(), &["lint", "tools.json"]);
    assert_eq!(again.code, Some(0), "{again}");
}

#[test]
fn a_server_and_a_manifest_are_checked() {
    let server = server::start();
    let run = run(&["lint", "--format", "json", &server.url]);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert!(report["findings"].as_array().is_some_and(|all| !all.is_empty()), "{run}");

    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../connectors/slack.toml");
    let run = crate::program::run(&["lint", "--format", "sarif", manifest]);
    let log: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(log["version"], "2.1.0", "{run}");
}
