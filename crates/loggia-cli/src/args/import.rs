//! `loggia import`.

use std::path::PathBuf;

use clap::Args;

const AFTER_HELP: &str = "\
A value that looks like a secret is not copied: the command writes ${VARIABLE} in its place and says
which variable to set. Read the file before you share it.

Examples:
  loggia import codex                              the servers of Codex
  loggia import ~/.cursor/mcp.json
  loggia import .vscode/mcp.json github search     only these servers
  loggia import - --file team.toml < servers.json";

/// Arguments of `loggia import`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ImportArgs {
    /// Name of an AI application, such as claude-code or codex, or its configuration file; - reads stdin
    #[arg(value_name = "CLIENT|FILE")]
    pub(crate) source: PathBuf,

    /// Names of the servers to import [default: all]
    #[arg(value_name = "SERVER")]
    pub(crate) names: Vec<String>,

    /// Configuration file to which the connectors are added [default: --config, LOGGIA_CONFIG or loggia.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
}
