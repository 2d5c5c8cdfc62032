//! The sign-in at `loggia up --auth` with a browser, which goes through the pages, and with other clients. If there
//! is no browser, the clients sign in with requests instead.

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

/// Installs Chromium if that is possible.
pub(crate) fn install() -> Result<(), String> {
    debian::install("chromium", chromium().is_some())
}

fn chromium() -> Option<PathBuf> {
    Some(PathBuf::from("/usr/bin/chromium")).filter(|program| program.exists())
}

fn sign_in() -> Result<Finished, String> {
    let work = paths::fresh("browser")?;
    // The other name of this machine makes browsers separate its cookies.
    let vendor = up(&work, "vendor", "localhost", "")?;
    let own = format!(
        "[connectors.vendor]\nkind = \"remote\"\nurl = {}\ncredentials = \"person\"\n",
        vendor["url"]
    );
    let (python, script) = peers::python_command("clients/oauth23.py");
    let config = json!({
        "server": up(&work, "hub", "127.0.0.1", &own)?,
        "vendor": vendor,
        "browser": chromium(),
        "python": [python, script[0]],
        "work": work,
        "call": { "tool": "fixture_echo", "arguments": { "text": "signed in" }, "expect": "signed in" },
    });
    let run = peers::node_script("browser/main.mjs", "browser").arg(config.to_string());
    run.env("PYTHONPATH", peers::python_packages()).limit(LIMIT).finish()
}

/// Creates the command of a `loggia up` that serves the fixture and more to signed-in users, and keeps all data in a
/// folder of its own.
fn up(work: &Path, name: &str, host: &str, more: &str) -> Result<Value, String> {
    let (work, port) = (work.join(name), free_port()?);
    let base = format!("http://{host}:{port}");
    let fixture = json!(paths::release("everything-server"));
    let text =
        format!("[connectors.fixture]\nkind = \"stdio\"\ncommand = {fixture}\nargs = [\"--stdio\"]\n{more}");
    let file = work.join("loggia.toml");
    let written = std::fs::create_dir_all(&work).and_then(|()| std::fs::write(&file, text));
    written.map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    let (listen, credentials) = (format!("127.0.0.1:{port}"), work.join("credentials"));
    let command = json!([
        paths::release("loggia"),
        "up",
        "--auth",
        "--listen",
        listen,
        "--public-url",
        base,
        "--credentials",
        credentials,
        "--config",
        file
    ]);
    Ok(json!({ "command": command, "url": format!("{base}/mcp") }))
}

/// Returns the outcome, with a check for each line that the driver printed.
fn outcome(finished: &Finished) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.record_lines(&finished.stdout);
    if let Err(message) = finished.check() {
        outcome.fail(message);
    }
    if chromium().is_none() {
        outcome.note("the walk with a browser is left out: there is no Chromium");
    }
    outcome
}
