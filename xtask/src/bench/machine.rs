//! The machine of the bench: the cores of load and server, and a description.

use std::ffi::OsStr;
use std::thread::available_parallelism;

use serde_json::{Value, json};

use crate::command::Run;
use crate::{paths, peers};

/// The cores of the load and of the server, for `taskset`; `None` if there is only one.
pub(super) struct Cores {
    load: Option<String>,
    pub(super) server: Option<String>,
}

impl Cores {
    /// Chooses the last core for the server, and the one before it for the load.
    pub(super) fn of_this_machine() -> Self {
        let count = available_parallelism().map_or(1, usize::from);
        if count < 2 || !cfg!(target_os = "linux") {
            return Self { load: None, server: None };
        }
        Self { load: Some((count - 2).to_string()), server: Some((count - 1).to_string()) }
    }

    /// Returns a run of `program` on the load's core.
    pub(super) fn load_run(&self, program: impl AsRef<OsStr>, log: &str) -> Run {
        pinned(&self.load, program, log)
    }

    /// Returns a run of `program` on the server's core.
    pub(super) fn server_run(&self, program: impl AsRef<OsStr>, log: &str) -> Run {
        pinned(&self.server, program, log)
    }
}

fn pinned(core: &Option<String>, program: impl AsRef<OsStr>, log: &str) -> Run {
    match core {
        Some(core) => Run::new("taskset", log).args(["-c", core]).arg(program),
        None => Run::new(program, log),
    }
}

/// Returns a description of the machine, the versions and the commit, as far as they are known.
pub(super) fn facts() -> Value {
    let cpu = field("/proc/cpuinfo", "model name");
    let memory = field("/proc/meminfo", "MemTotal");
    let cores = available_parallelism().map_or(1, usize::from);
    json!({
        "cpu": cpu,
        "cores": cores,
        "memory": memory,
        "kernel": said("uname", &["-sr"]),
        "date": said("date", &["-u", "+%Y-%m-%d"]),
        "commit": said("git", &["describe", "--always", "--dirty", "--exclude", "*"]),
        "load average": std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim(),
        "rustc": said("rustc", &["--version"]),
        "node": said(peers::node(), &["--version"]),
        "python": said("python3", &["--version"]),
        "peers": packages(),
    })
}

fn said(program: impl AsRef<OsStr>, args: &[&str]) -> String {
    let ran = Run::new(program, "bench-facts").args(args).finish();
    ran.map(|ran| ran.stdout.trim().to_owned()).unwrap_or_default()
}

fn field(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// Returns the peers' versions, from their lock files.
fn packages() -> Value {
    let read = |path: &str| std::fs::read_to_string(paths::root().join(path)).unwrap_or_default();
    let (lock, npm, python) =
        (read("bench/peers/Cargo.lock"), read("interop/package.json"), read("interop/requirements.txt"));
    let locked = |name: &str| {
        let rest = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    };
    let npm: Value = serde_json::from_str(&npm).unwrap_or_default();
    let python = python.lines().find_map(|line| line.strip_prefix("mcp==")).unwrap_or_default();
    let mcporter: Value =
        serde_json::from_str(&read("bench/peers/mcporter/package.json")).unwrap_or_default();
    let fastmcp = read("bench/peers/fastmcp/requirements.txt");
    let fastmcp = fastmcp.lines().find_map(|line| line.strip_prefix("fastmcp==")).unwrap_or_default();
    json!({
        "axum": locked("axum"),
        "rmcp": locked("rmcp"),
        "tower-mcp": locked("tower-mcp"),
        "TypeScript SDK": npm["dependencies"]["@modelcontextprotocol/server"],
        "Python SDK": python,
        "mcporter": mcporter["dependencies"]["mcporter"],
        "fastmcp": fastmcp,
    })
}
