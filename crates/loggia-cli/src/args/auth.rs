//! `loggia auth`.

use clap::{Args, Subcommand};

use super::OutputArg;

const AFTER_HELP: &str = "\
Credentials are kept under the URL of their server, in files that only you can read. Every command
that is given that URL, or a connector at that URL, uses them and renews them; so does `loggia up`.

Exit codes are those of `loggia --help`; of `status`:
  0    the server takes the credential, or wants none
  3    a server cannot be reached, or somebody has to sign in

Examples:
  loggia auth login https://mcp.example.com/mcp
  loggia auth login wiki --no-browser           on a machine without a browser
  loggia auth login wiki --client-id ID         as a client that you registered with the vendor
  loggia auth status                            all servers that you have signed in to";

/// Arguments of `loggia auth`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    pub(crate) command: AuthCommand,
}

/// What to do with a credential.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Sign in to a server in the browser
    Login(LoginArgs),
    /// Ask a server whether it takes your credential
    Status {
        /// URL or connector [default: all servers that you have signed in to]
        target: Option<String>,

        /// For whom the output is
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
        output: OutputArg,
    },
    /// Renew a credential now
    Refresh(AuthTarget),
    /// Forget a credential, here and at the server that gave it
    Logout(AuthTarget),
}

/// One server.
#[derive(Debug, Args)]
pub(crate) struct AuthTarget {
    /// URL or connector
    pub(crate) target: String,

    /// For whom the output is
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
    pub(crate) output: OutputArg,
}

/// Arguments of `loggia auth login`.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    pub(crate) at: AuthTarget,

    /// Start no browser: print the page's URL, and take the address at which your browser ends
    #[arg(long)]
    pub(crate) no_browser: bool,

    /// Ask for this scope too, by signing in anew (may be repeated)
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// Sign in anew as this client, which you registered with the vendor. It is kept for later
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// That client has a secret: taken from LOGGIA_CLIENT_SECRET, or else asked for
    #[arg(long, requires = "client_id")]
    pub(crate) client_secret: bool,

    /// Hear the answer at http://127.0.0.1:PORT/callback, where a registration wants one port
    #[arg(long, value_name = "PORT")]
    pub(crate) callback_port: Option<u16>,
}
