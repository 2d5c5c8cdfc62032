//! `loggia auth`.

use std::time::Duration;

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
  loggia auth login wiki --client-id ID --client-secret --program
                                                as a program that acts for itself
  loggia auth login wiki --client-id ID --sso https://login.example.com --sso-client-id ID
                                                by way of your organisation's identity provider
  loggia auth status                            all servers that you have signed in to
  loggia auth keys create --label nightly       an API key for this machine's `loggia up`";

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
    /// API keys of this machine's `loggia up`, for scripts that cannot sign in
    Keys(KeysArgs),
    /// Who has signed in to this machine's `loggia up`, and to its connectors for themselves
    People(PeopleArgs),
}

const AFTER_PEOPLE_HELP: &str = "\
People sign in to `loggia up --auth`, and for themselves to connectors with credentials = \"person\".
What they were given is kept where `loggia up` keeps it: with the same --credentials and --config, or
in the database of DATABASE_URL. It is never shown.

For a person who leaves: `remove` ends everything. `sign-out` alone ends what they have of this hub,
within ten seconds in one that runs; `forget` alone ends what Loggia has of theirs at other servers.
A person who may still sign in can come back: your identity provider, and [server.auth], decide that.";

/// Arguments of `loggia auth people`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_PEOPLE_HELP)]
pub(crate) struct PeopleArgs {
    #[command(subcommand)]
    pub(crate) command: PeopleCommand,
}

/// What to do with people's credentials.
#[derive(Debug, Subcommand)]
pub(crate) enum PeopleCommand {
    /// List who has signed in, to this hub and to what is behind it
    List {
        /// For whom the output is
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
        output: OutputArg,
    },
    /// End everything of a person who leaves: sign-ins, API keys, and what other servers gave them
    Remove {
        /// The person, as `list` shows them
        owner: String,

        /// For whom the output is
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
        output: OutputArg,
    },
    /// Sign somebody out of this hub everywhere, and take back their API keys
    SignOut {
        /// Whom, as `list` shows them
        owner: String,

        /// For whom the output is
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
        output: OutputArg,
    },
    /// Forget what somebody was given, here and at the server that gave it
    Forget {
        /// Whose, as `list` shows it
        owner: String,

        /// For which connector [default: for all]
        connector: Option<String>,

        /// For whom the output is
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
        output: OutputArg,
    },
}

const AFTER_KEYS_HELP: &str = "\
A running `loggia up --auth` takes a new key within a second, and refuses one that was revoked
within ten. Keys are kept where `loggia up` keeps them: with the same --credentials and --config, or
in the database of DATABASE_URL.

Examples:
  loggia auth keys create --label nightly --expires 90d
  loggia call URL TOOL --header \"Authorization: Bearer $KEY\"
  loggia auth keys revoke ID";

/// Arguments of `loggia auth keys`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_KEYS_HELP)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key, and print it this once
    Create(NewKeyArgs),
    /// List the keys, without what is secret
    List {
        /// For whom the output is
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
        output: OutputArg,
    },
    /// Take a key back
    Revoke {
        /// Its id, as `list` shows it
        id: String,

        /// For whom the output is
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
        output: OutputArg,
    },
}

/// A new key.
#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,

    /// What it allows (may be repeated) [default: what every request needs]
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// How long it counts: 90d, 12h, 30m [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) expires: Option<Duration>,

    /// In whose name it acts: somebody as sign-in names them [default: you]
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) owner: Option<String>,

    /// For whom the output is
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
    pub(crate) output: OutputArg,
}

fn length(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit, for example 90d, 12h or 30m".to_owned();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    // Longer than anybody lives is as good as for ever, and no clock can tell it.
    let most = 100 * 365 * 24 * 60 * 60;
    number.checked_mul(seconds).filter(|all| *all <= most).map(Duration::from_secs).ok_or_else(wrong)
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

    /// Accept this issuer where the server lists it with another slash at its end [default: issuer of the connector]
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// Sign in at your organisation's identity provider, which decides (ID-JAG); --client-id is who you are at the server
    #[arg(long, value_name = "ISSUER", requires_all = ["client_id", "sso_client_id"], conflicts_with = "program")]
    pub(crate) sso: Option<String>,

    /// The client that you are at the identity provider
    #[arg(long, value_name = "ID", requires = "sso")]
    pub(crate) sso_client_id: Option<String>,

    /// That client has a secret: taken from LOGGIA_SSO_CLIENT_SECRET, or else asked for
    #[arg(long, requires = "sso")]
    pub(crate) sso_client_secret: bool,

    /// Nobody signs in: the client acts for itself (client credentials)
    #[arg(long, requires = "client_secret")]
    pub(crate) program: bool,

    /// Hear the answer at http://127.0.0.1:PORT/callback, where a registration wants one port
    #[arg(long, value_name = "PORT")]
    pub(crate) callback_port: Option<u16>,
}
