//! Builds or installs what the contenders need. A peer that cannot be installed is left out, and the table says why.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::command::Run;
use crate::{paths, peers};

/// The need of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Need {
    /// The programs of this repository.
    Workspace,
    /// The floors with dependencies of their own.
    Floors,
    /// The peers in Rust.
    Rust,
    /// The peers from npm.
    Npm,
    /// The peers from Python's index.
    Python,
    /// mcporter, from npm.
    Mcporter,
    /// FastMCP, from Python's index.
    FastMcp,
}

/// The outcome of each need.
pub(super) struct Installed {
    built: bool,
    done: HashMap<Need, Result<(), String>>,
}

impl Installed {
    /// Creates it without outcomes. With `built`, the programs of the last build are used.
    pub(super) fn new(built: bool) -> Self {
        Self { built, done: HashMap::new() }
    }

    /// Provides `need` once.
    pub(super) fn provide(&mut self, need: Need) -> Result<(), String> {
        let built = self.built;
        self.done.entry(need).or_insert_with(|| provide(need, built)).clone()
    }
}

fn provide(need: Need, built: bool) -> Result<(), String> {
    match need {
        Need::Workspace | Need::Floors | Need::Rust if built => Ok(()),
        Need::Workspace => workspace(),
        Need::Floors => rust(&["--package", "bench-axum"]),
        Need::Rust => {
            rust(&["--package", "bench-rmcp", "--package", "bench-tower-mcp"])?;
            rust(&["--package", "bench-rmcp", "--features", "client", "--bin", "bench-rmcp-client"])
        }
        Need::Npm => {
            peers::npm()?;
            copy_scripts()
        }
        Need::Python => peers::python(),
        Need::Mcporter => peers::mcporter(),
        Need::FastMcp => peers::fastmcp(),
    }
}

fn workspace() -> Result<(), String> {
    // The server is built alone, so that its SDK has only the features that the server needs.
    release(&["bench-server"])?;
    release(&["bench-client", "bench-harness", "loggia-cli"])
}

fn release(packages: &[&str]) -> Result<(), String> {
    let packages = packages.iter().flat_map(|name| ["--package", name]);
    Run::cargo("bench-build").args(["build", "--release", "--quiet"]).args(packages).finish()?.check()
}

fn rust(args: &[&str]) -> Result<(), String> {
    let run = Run::cargo("bench-peers").current_dir(&peers_dir());
    let run = run.args(["build", "--release", "--quiet", "--locked", "--target-dir"]).arg(rust_target());
    run.args(args).finish()?.check()
}

/// Returns the path of a program of the peers' own workspace.
pub(super) fn rust_peer(name: &str) -> PathBuf {
    rust_target().join("release").join(name)
}

/// Returns the folder of the peers' sources.
pub(super) fn peers_dir() -> PathBuf {
    paths::root().join("bench").join("peers")
}

fn rust_target() -> PathBuf {
    paths::work().join("bench-peers")
}

/// Copies the scripts into the folder of the packages, where their imports are found.
fn copy_scripts() -> Result<(), String> {
    let to = peers::npm_dir().join("bench");
    let copy = || -> std::io::Result<()> {
        std::fs::create_dir_all(&to)?;
        for name in ["server.mjs", "client.mjs"] {
            std::fs::copy(peers_dir().join("node").join(name), to.join(name))?;
        }
        Ok(())
    };
    copy().map_err(|e| format!("cannot copy the scripts to {}: {e}", to.display()))
}
