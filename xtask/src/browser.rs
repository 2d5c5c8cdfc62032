//! Sign-in at `loggia up --auth` as people meet it: a browser walks through the pages, and other people's clients
//! sign in with it. Where there is no browser the clients still do, with requests in its place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::command::{Finished, free_port};
use crate::outcome::Outcome;
use crate::{debian, paths, peers};

const LIMIT: Duration = Duration::from_secs(180);

pub(crate) fn run() -> Outcome {
    match sign_in() {
        Ok(finished) => outcome(&finished),
        Err(message) => Outcome::failure(message),
    }
}

/// Installs Chromium where that can be done.
pub(crate) fn install() -> Result<(), String> {
    debian::install("chromium", chromium().is_some())
}

fn chromium() -> Option<PathBuf> {
    Some(PathBuf::from("/usr/bin/chromium")).filter(|program| program.exists())
}

fn sign_in() -> Result<Finished, String> {
    let work = paths::fresh("browser")?;
    let port = free_port()?;
    let (python, script) = peers::python_command("clients/oauth23.py");
    let config = json!({
        "server": { "command": server(&work, port)?, "url": format!("http://127.0.0.1:{port}/mcp") },
        "browser": chromium(),
        "python": [python, script[0]],
        "work": work,
        "call": { "tool": "fixture_echo", "arguments": { "text": "signed in" }, "expect": "signed in" },
    });
    let run = peers::node_script("browser/main.mjs", "browser").arg(config.to_string());
    run.env("PYTHONPATH", peers::python_packages()).limit(LIMIT).finish()
}

/// The command that serves one connector to people who signed in, with everything it keeps in `work`.
fn server(work: &Path, port: u16) -> Result<Vec<String>, String> {
    let command = paths::release("everything-server");
    let file = work.join("loggia.toml");
    let text = format!(
        "[connectors.fixture]\nkind = \"stdio\"\ncommand = {}\nargs = [\"--stdio\"]\n",
        json!(command)
    );
    std::fs::write(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    let text = |path: PathBuf| path.display().to_string();
    Ok(vec![
        text(paths::release("loggia")),
        "up".to_owned(),
        "--auth".to_owned(),
        "--listen".to_owned(),
        format!("127.0.0.1:{port}"),
        "--credentials".to_owned(),
        text(work.join("credentials")),
        "--config".to_owned(),
        text(file),
    ])
}

/// A check for each line that the driver printed.
fn outcome(finished: &Finished) -> Outcome {
    let mut outcome = Outcome::default();
    let lines = finished.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for line in lines {
        let said = || line["detail"].as_str().unwrap_or_default().to_owned();
        let result = if line["ok"] == true { Ok(()) } else { Err(said()) };
        outcome.record(line["op"].as_str().unwrap_or_default(), result);
    }
    if let Err(message) = finished.check() {
        outcome.fail(message);
    }
    if chromium().is_none() {
        outcome.note("the walk with a browser is left out: there is no Chromium");
    }
    outcome
}
