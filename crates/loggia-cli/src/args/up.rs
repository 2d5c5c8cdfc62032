//! `loggia up`.

use std::path::PathBuf;

use clap::Args;
use loggia_auth::guard::Network;

const AFTER_HELP: &str = "\
Without a configuration file, one connector is served: `files`, this folder, read-only.

Environment:
  DATABASE_URL          postgres://…: who is signed in is kept there, for several replicas
  LOGGIA_MASTER_KEY     seals that, in place of the key file beside your credentials
  LOGGIA_STATE          the lists of the last run are kept there [default: loggia in your state folder]

Examples:
  loggia up
  loggia up --root ~/notes --write
  loggia up --config team.toml
  loggia up --auth                              people sign in by a link that is printed here
  loggia up --listen 0.0.0.0:4000 --public-url https://mcp.example.com
  loggia up --stdio                             as a child process of an AI application";

/// Arguments of `loggia up`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct UpArgs {
    /// Address to listen on: HOST:PORT, :PORT or PORT; port 0 takes a free one
    /// [default: 127.0.0.1:4000]
    #[arg(long, value_name = "ADDR", conflicts_with = "stdio")]
    pub(crate) listen: Option<String>,

    /// Serve on stdin and stdout instead of HTTP
    #[arg(long)]
    pub(crate) stdio: bool,

    /// Folder that the built-in `files` connector serves; refused if there is a configuration file [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,

    /// Let the built-in `files` connector write, edit and move; refused if there is a configuration file
    #[arg(long)]
    pub(crate) write: bool,

    /// With --write: also files that other programs execute or trust, such as .git, shell profiles and editor tasks
    #[arg(long, requires = "write")]
    pub(crate) write_sensitive: bool,

    /// Also answer requests addressed to this host name (may be repeated)
    #[arg(long, value_name = "HOST", conflicts_with = "stdio")]
    pub(crate) allow_host: Vec<String>,

    /// Also answer web pages of this origin (may be repeated)
    #[arg(long, value_name = "ORIGIN", conflicts_with = "stdio")]
    pub(crate) allow_origin: Vec<String>,

    /// Let nobody in who has not signed in, or shows no API key [default: only where other machines can reach
    /// it]
    #[arg(long, conflicts_with_all = ["stdio", "no_auth"])]
    pub(crate) auth: bool,

    /// Let everybody in who can reach it
    #[arg(long, conflicts_with = "stdio")]
    pub(crate) no_auth: bool,

    /// Trust X-Forwarded-For of proxies in this network, such as 127.0.0.1 or 10.1.0.0/16, so that each client behind
    /// them has a rate limit of its own (may be repeated) [default: none]
    #[arg(long, value_name = "NETWORK", conflicts_with = "stdio")]
    pub(crate) trusted_proxy: Vec<Network>,

    /// URL under which clients reach it, without a path [default: http:// and the address, on this machine]
    #[arg(long, value_name = "URL", conflicts_with = "stdio")]
    pub(crate) public_url: Option<String>,
}
