//! `loggia auth`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{FormatArgs, duration};

const AFTER_HELP: &str = "\
Credentials are stored by the URL of their server, in files that only you can read. `loggia up`, and
every command that calls this URL or a connector with this URL, uses and renews them.

Exit codes: see `loggia --help`. For `status`:
  0    the server accepts the credential, or needs none
  3    a server cannot be reached, or you have to sign in

Examples:
  loggia auth login https://mcp.example.com/mcp
  loggia auth login wiki --no-browser           on a machine without a browser
  loggia auth login wiki --client-id ID         with a client that you registered at the vendor
  loggia auth login wiki --client-id ID --client-secret --program
                                                without a user (client credentials)
  loggia auth login wiki --client-id ID --sso https://login.example.com --sso-client-id ID
                                                at your organisation's identity provider (ID-JAG)
  loggia auth status                            all servers that you have signed in to
  loggia auth keys create --label nightly       an API key for the `loggia up` on this machine";

/// Arguments of `loggia auth`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    pub(crate) command: AuthCommand,
}

/// The subcommands of `loggia auth`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Sign in to a server in the browser
    Login(LoginArgs),
    /// Ask servers whether they accept your credentials
    Status {
        /// URL or connector [default: all servers that you have signed in to]
        target: Option<String>,

        #[command(flatten)]
        format: FormatArgs,
    },
    /// Renew a credential now
    Refresh(AuthTarget),
    /// Delete a credential, and revoke it at the server
    Logout(AuthTarget),
    /// Manage API keys of the `loggia up` on this machine, for scripts that cannot sign in
    Keys(KeysArgs),
    /// Manage users of the `loggia up` on this machine, and their credentials for its connectors
    People(PeopleArgs),
}

const AFTER_PEOPLE_HELP: &str = "\
Users sign in to `loggia up --auth`, and to connectors with credentials = \"person\". Use the same
--credentials and --config as for `loggia up`, or the same DATABASE_URL.

If a user leaves, use `remove`. It does the same as both of these:
  sign-out   ends the user's sign-ins and API keys, in a running gateway within ten seconds
  forget     deletes the user's credentials for connectors

Also remove the user's right to sign in, at your identity provider or in [server.auth]:
otherwise the user can sign in again. Credentials are never shown.

Examples:
  loggia auth people list
  loggia auth people remove ada
  loggia auth people forget ada tracker         only the credential for the connector `tracker`";

/// Arguments of `loggia auth people`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_PEOPLE_HELP)]
pub(crate) struct PeopleArgs {
    #[command(subcommand)]
    pub(crate) command: PeopleCommand,
}

/// The subcommands of `loggia auth people`.
#[derive(Debug, Subcommand)]
pub(crate) enum PeopleCommand {
    /// List the users who have signed in to the gateway and to its connectors
    List(FormatArgs),
    /// Delete the sign-ins, API keys and credentials of a user
    Remove {
        /// Name of the user in `list`
        owner: String,

        #[command(flatten)]
        format: FormatArgs,
    },
    /// Sign a user out of the gateway everywhere, and revoke the user's API keys
    SignOut {
        /// Name of the user in `list`
        owner: String,

        #[command(flatten)]
        format: FormatArgs,
    },
    /// Delete a user's credentials for connectors, and revoke them at the servers
    Forget {
        /// Name of the user in `list`
        owner: String,

        /// Connector [default: all]
        connector: Option<String>,

        #[command(flatten)]
        format: FormatArgs,
    },
}

const AFTER_KEYS_HELP: &str = "\
A running `loggia up --auth` accepts a new key within one second, and refuses a revoked one within
ten seconds. Use the same --credentials and --config as for `loggia up`, or the same DATABASE_URL.

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

/// The subcommands of `loggia auth keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Create a key, and print it once
    Create(NewKeyArgs),
    /// List the keys, without their secrets
    List(FormatArgs),
    /// Revoke a key
    Revoke {
        /// Id of the key in `list`
        id: String,

        #[command(flatten)]
        format: FormatArgs,
    },
}

/// A new key.
#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// Purpose of the key, shown in `list`
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,

    /// Scope of the key (may be repeated) [default: the scopes that every request needs]
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// Time until the key expires: 90d, 12h, 30m or 45s [default: never]
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub(crate) expires: Option<Duration>,

    /// User for whom the key acts, by the name after sign-in [default: you]
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) owner: Option<String>,

    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Parses the life of a key. A time that is too long could overflow a clock.
fn life(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let life =
        duration::parse(text).ok().filter(|life| *life <= LONGEST && !text.ends_with(char::is_numeric));
    life.ok_or_else(|| "write a number and a unit, for example 90d, 12h or 30m".to_owned())
}

/// One server.
#[derive(Debug, Args)]
pub(crate) struct AuthTarget {
    /// URL or connector
    pub(crate) target: String,

    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Arguments of `loggia auth login`.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    pub(crate) at: AuthTarget,

    /// Start no browser: print the URL to open, and read the address at which your browser ends from stdin
    #[arg(long)]
    pub(crate) no_browser: bool,

    /// Sign in again, for this further scope (may be repeated)
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// Sign in again, with this client, which you registered at the vendor; it is stored for later sign-ins
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// The client has a secret: read it from LOGGIA_CLIENT_SECRET, or ask for it
    #[arg(long, requires = "client_id")]
    pub(crate) client_secret: bool,

    /// Accept this issuer if the server lists it with a slash too many or too few at the end [default: `issuer` of
    /// the connector]
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// Sign in at this identity provider of your organisation, which decides about access (ID-JAG); --client-id is the
    /// client at the server
    #[arg(long, value_name = "ISSUER", requires_all = ["client_id", "sso_client_id"], conflicts_with = "program")]
    pub(crate) sso: Option<String>,

    /// Client at the identity provider
    #[arg(long, value_name = "ID", requires = "sso")]
    pub(crate) sso_client_id: Option<String>,

    /// The client at the identity provider has a secret: read it from LOGGIA_SSO_CLIENT_SECRET, or ask for it
    #[arg(long, requires = "sso")]
    pub(crate) sso_client_secret: bool,

    /// Sign in without a user: the client acts for itself (client credentials)
    #[arg(long, requires = "client_secret")]
    pub(crate) program: bool,

    /// Port of the redirect URI http://127.0.0.1:PORT/callback, if the client was registered with one
    /// [default: a free port]
    #[arg(long, value_name = "PORT")]
    pub(crate) callback_port: Option<u16>,
}
