//! `loggia up`.

use std::path::PathBuf;

use clap::Args;
use loggia_auth::restricted_http::IpNetwork;

const AFTER_HELP: &str = "\
Serves the connectors of the configuration file and those of `loggia add`. Without any, the built-in
connector `files` serves this folder, read-only.

Environment:
  DATABASE_URL          postgres://…: shared database of several replicas, for sign-ins and keys
                        [default: the file vault.db beside your credentials]
  LOGGIA_MASTER_KEY     key that encrypts this data
                        [default: in the file vault.key beside your credentials]
  LOGGIA_STATE          folder of the lists of the last run [default: loggia in your state folder]

Examples:
  loggia up
  loggia up --root ~/notes --write              this folder alone
  loggia up --config team.toml
  loggia up --auth                              users sign in by a link that is printed here
  loggia up --listen 0.0.0.0:4000 --public-url https://mcp.example.com
  loggia up --allow-origin https://chat.example.com
  loggia up --stdio                             as a child process of an AI application";

/// Arguments of `loggia up`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct UpArgs {
    /// Address to listen on: HOST:PORT, :PORT or PORT; port 0 selects a free port
    /// [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDR", conflicts_with = "stdio")]
    pub(crate) listen: Option<String>,

    /// Serve on stdin and stdout instead of HTTP
    #[arg(long)]
    pub(crate) stdio: bool,

    /// Folder that the built-in connector `files` serves; refused with a configuration file [default: this folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,

    /// Allow the built-in connector `files` to write, edit and move; refused with a configuration file
    #[arg(long)]
    pub(crate) write: bool,

    /// With --write: also allow changes to files that other programs execute or trust, such as .git, shell profiles
    /// and editor tasks
    #[arg(long, requires = "write")]
    pub(crate) write_sensitive: bool,

    /// Also accept this name in the Host header (may be repeated)
    #[arg(long, value_name = "HOST", conflicts_with = "stdio")]
    pub(crate) allow_host: Vec<String>,

    /// Also accept requests of web pages of this origin, a scheme and a host (may be repeated)
    #[arg(long, value_name = "ORIGIN", conflicts_with = "stdio")]
    pub(crate) allow_origin: Vec<String>,

    /// Require a sign-in or an API key [default: only if other machines can reach the gateway]
    #[arg(long, conflicts_with_all = ["stdio", "no_auth"])]
    pub(crate) auth: bool,

    /// Require no sign-in: every program that can reach the gateway may use it
    #[arg(long, conflicts_with = "stdio")]
    pub(crate) no_auth: bool,

    /// Network or address of reverse proxies whose X-Forwarded-For is trusted, such as 127.0.0.1 or 10.1.0.0/16. Each
    /// client behind them then has its own rate limit (may be repeated) [default: none]
    #[arg(long, value_name = "NETWORK", conflicts_with = "stdio")]
    pub(crate) trusted_proxy: Vec<IpNetwork>,

    /// URL that clients use for the gateway, without a path [default: http:// and the address, on this machine]
    #[arg(long, value_name = "URL", conflicts_with = "stdio")]
    pub(crate) public_url: Option<String>,
}
