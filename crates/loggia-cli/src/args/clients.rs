//! `loggia install`, `loggia uninstall` and `loggia bridge`.

use std::path::PathBuf;

use clap::Args;

const INSTALL_HELP: &str = "\
The entry names the gateway by its URL. Applications that only start commands get `loggia bridge`.
Comments, order and other servers stay; a copy of the file is kept, and `loggia uninstall` undoes it.

Examples:
  loggia install                            lists the applications on this machine, and asks
  loggia install claude-code cursor
  loggia install vscode --project           the file of this folder's project
  loggia install codex --url https://mcp.example.com/mcp --toolset dev
  loggia install --all --dry-run            shows the changes";

const BRIDGE_HELP: &str = "\
AI applications start this command and speak MCP with it on stdin and stdout. The gateway must run:
see `loggia up`. To serve the connectors in the process itself, use `loggia up --stdio`.";

/// Arguments of `loggia install`.
#[derive(Debug, Args)]
#[command(after_help = INSTALL_HELP)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    pub(crate) file: ClientFileArgs,

    /// URL of the gateway [default: http://127.0.0.1:4000/mcp]
    #[arg(long)]
    pub(crate) url: Option<String>,

    /// Toolset of the gateway, as a part of its URL
    #[arg(long, value_name = "NAME")]
    pub(crate) toolset: Option<String>,

    /// Let the application start `loggia bridge`, even if it could use the URL
    #[arg(long)]
    pub(crate) stdio: bool,

    /// Replace another server of the same name
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Arguments of `loggia uninstall`: the files of applications.
#[derive(Debug, Args)]
pub(crate) struct ClientFileArgs {
    /// Names of applications, such as claude-code, cursor or vscode
    #[arg(value_name = "CLIENT")]
    pub(crate) clients: Vec<String>,

    /// All applications that are found on this machine
    #[arg(long, conflicts_with_all = ["clients", "project"])]
    pub(crate) all: bool,

    /// Name of the entry
    #[arg(long, default_value = "loggia")]
    pub(crate) name: String,

    /// File of a project instead of the user's [default folder: this one]
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = ".")]
    pub(crate) project: Option<PathBuf>,

    /// Show the changes, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `loggia bridge`.
#[derive(Debug, Args)]
#[command(after_help = BRIDGE_HELP)]
pub(crate) struct BridgeArgs {
    /// URL of the gateway
    #[arg(default_value = "http://127.0.0.1:4000/mcp")]
    pub(crate) url: String,
}
