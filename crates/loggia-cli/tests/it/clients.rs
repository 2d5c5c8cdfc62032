//! `loggia install`, `loggia uninstall` and `loggia bridge`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Run, command, run_in, settings};
use crate::up::up;

const CURSOR: &str = "{\n  // mine\n  \"mcpServers\": {\n    \"linear\": { \"url\": \"https://mcp.linear.app/mcp\" }\n  }\n}\n";

/// Runs the program as a user whose folder is `home` in `folder`.
fn run_at_home(folder: &Path, args: &[&str]) -> Run {
    let mut command = command(folder, args);
    command.env("HOME", folder.join("home"));
    for name in
        ["XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "COPILOT_HOME", "CLINE_MCP_SETTINGS_PATH"]
    {
        command.env_remove(name);
    }
    command.output().expect("the program runs").into()
}

/// Makes a home with the files of two applications.
fn home() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let (cursor, codex) =
        (folder.path().join("home/.cursor/mcp.json"), folder.path().join("home/.codex/config.toml"));
    for (file, text) in [(&cursor, CURSOR), (&codex, "model = \"a\" # mine\n")] {
        fs::create_dir_all(file.parent().expect("a folder")).expect("created");
        fs::write(file, text).expect("written");
    }
    (folder, cursor, codex)
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("a file")
}

fn shows(name: &str, runs: &[Run]) {
    let text = runs.iter().map(Run::to_string).collect::<Vec<_>>().join("\n");
    let mut settings = settings();
    settings.add_filter(r"@@ .* @@", "@@ … @@");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn applications_are_listed_changed_and_restored() {
    let (folder, cursor, codex) = home();
    let run = |args: &[&str]| run_at_home(folder.path(), args);
    let list = run(&["install"]);
    let dry = run(&["install", "--all", "--dry-run"]);
    assert_eq!(read(&cursor), CURSOR);
    let install = run(&["install", "Cursor", "codex", "--name", "hub", "--toolset", "dev"]);
    assert!(read(&cursor).contains("http://127.0.0.1:4000/mcp/dev") && read(&cursor).contains("// mine"));
    assert!(read(&codex).contains("[mcp_servers.hub]\nurl = \"http://127.0.0.1:4000/mcp/dev\"\n"));
    let again = run(&["install", "cursor", "--name", "hub", "--toolset", "dev"]);
    let gone = run(&["uninstall", "--all", "--name", "hub"]);
    assert_eq!((read(&cursor), read(&codex)), (CURSOR.to_owned(), "model = \"a\" # mine\n".to_owned()));
    shows("clients", &[list, dry, install, again, gone]);
}

#[test]
fn a_line_that_cannot_be_done_changes_nothing_and_says_why() {
    let (folder, cursor, _) = home();
    let run = |args: &[&str]| run_at_home(folder.path(), args);
    fs::write(&cursor, "{ \"mcpServers\": {\n").expect("written");
    let runs = [
        run(&["install", "emacs"]),
        run(&["install", "cursor"]),
        run(&["install", "codex", "--url", "localhost:4000"]),
        run(&["install", "codex", "--name", "a b"]),
        run(&["install", "windsurf", "--project"]),
        run(&["install", "open-webui"]),
        run(&["uninstall", "codex"]),
        run(&["install", "cursor", "emacs"]),
    ];
    assert!(runs.iter().enumerate().all(|(n, run)| run.code == Some(if n == 5 { 0 } else { 2 })));
    assert_eq!(read(&cursor), "{ \"mcpServers\": {\n");
    shows("clients_refused", &runs);
}

#[test]
fn the_file_of_a_project_is_the_one_of_this_folder() {
    let (folder, ..) = home();
    let run = run_at_home(folder.path(), &["install", "claude-code", "--project", "--stdio"]);
    assert_eq!(run.code, Some(0), "{run}");
    let text = read(&folder.path().join(".mcp.json"));
    assert!(
        text.contains("\"type\": \"stdio\"") && text.contains("\"bridge\", \"http://127.0.0.1:4000/mcp\""),
        "{text}"
    );
    let run = run_at_home(folder.path(), &["uninstall", "claude-code", "--project=."]);
    assert!(run.code == Some(0) && !folder.path().join(".mcp.json").exists(), "{run}");
}

#[test]
fn a_bridge_gives_the_tools_of_the_gateway_to_a_client_of_any_era() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("note.txt"), "bridged\n").expect("written");
    let up = up(folder.path(), &[]);
    let program = env!("CARGO_BIN_EXE_loggia");
    for era in ["legacy", "modern"] {
        let target = ["--", program, "bridge", &up.url];
        let tools = run_in(folder.path(), &[&["tools", "--era", era], &target[..]].concat());
        assert!(tools.code == Some(0) && tools.stdout.contains("files_read"), "{era}: {tools}");
        let line = ["call", "--era", era, "files_read", "path=note.txt"];
        let call = run_in(folder.path(), &[&line, &target[..]].concat());
        assert!(call.code == Some(0) && call.stdout.contains("bridged"), "{era}: {call}");
    }
    up.stop();
}
