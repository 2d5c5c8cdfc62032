//! `loggia add`, `loggia connectors`, `loggia accounts` and `loggia connector`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

const ADD_HELP: &str = "\
Sources:
  NAME                    a connector of the directory (loggia connectors search)
  https://…               an MCP server, or an OpenAPI description
  ./openapi.yaml          an OpenAPI description; ./connector.toml: a connector manifest
  ./server.mcpb           an MCPB bundle, also at a URL; graphql:URL: a GraphQL API
  io.github.OWNER/NAME    a server of the MCP registry; registry:NAME
  npm:PACKAGE@VERSION     an MCP server of npm; pypi:PACKAGE==VERSION, oci:IMAGE

The connector is tried before it is stored, and a `loggia up` that runs serves it at once.

Examples:
  loggia add linear
  loggia add notion --backend api --credential env:NOTION_TOKEN
  loggia add ./openapi.yaml --name shop --yes
  loggia add npm:@acme/mcp@1.2.3 --set ACME_KEY=env:ACME_KEY";

/// Arguments of `loggia add`.
#[derive(Debug, Args)]
#[command(after_help = ADD_HELP)]
pub(crate) struct AddArgs {
    /// Name, URL, file or package
    pub(crate) source: String,

    /// First value that the connector needs, for example the file of sqlite
    pub(crate) value: Option<String>,

    /// Folder that the connector serves
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<String>,

    /// Another name for the connector
    #[arg(long)]
    pub(crate) name: Option<String>,

    /// Another backend of its manifest than the first that can be used
    #[arg(long)]
    pub(crate) backend: Option<String>,

    /// Value that the connector needs; env:NAME reads it from an environment variable (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,

    #[command(flatten)]
    pub(crate) credential: CredentialArgs,

    /// Write it into the configuration file, instead of the list of added connectors
    #[arg(long)]
    pub(crate) file: bool,

    /// Rule for tools that the server changes later: hold (not served until you approve them), warn, or off
    #[arg(long, value_name = "RULE", default_value = "hold", value_parser = ["hold", "warn", "off"])]
    pub(crate) pin: String,

    /// Ask nothing: what is missing is an error
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Print one JSON value for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of a credential.
#[derive(Debug, Args)]
pub(crate) struct CredentialArgs {
    /// API key or user:password; - reads it from stdin, env:NAME names the environment variable that has it
    #[arg(long, value_name = "VALUE")]
    pub(crate) credential: Option<String>,

    /// Client that you registered at the vendor, for a sign-in
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,

    /// Secret of that client; env:NAME names the environment variable that has it
    #[arg(long, value_name = "VALUE", requires = "client_id")]
    pub(crate) client_secret: Option<String>,

    /// Ask for the scopes to read only
    #[arg(long)]
    pub(crate) read_only: bool,

    /// Name of the account [default: the name that the system tells, or `default`]
    #[arg(long)]
    pub(crate) account: Option<String>,

    /// Do not try the connector first
    #[arg(long)]
    pub(crate) no_check: bool,
}

/// Arguments of `loggia connectors`.
#[derive(Debug, Args)]
pub(crate) struct ConnectorsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ConnectorsCommand>,

    /// Print one JSON value for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The subcommands of `loggia connectors`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorsCommand {
    /// List your connectors (default)
    List,
    /// Search the directory of connectors that can be added
    Search {
        /// Words; without any, all connectors are listed
        words: Vec<String>,
    },
    /// Show what a connector would be able to do, and what it needs
    Show {
        /// Name, URL, file or package
        source: String,
    },
    /// Serve an added connector again
    Enable { name: String },
    /// Serve an added connector no longer, and keep its settings
    Disable { name: String },
    /// Look for newer versions and changed tools of added connectors, and approve them
    Update {
        /// Connector [default: all that were added]
        name: Option<String>,
        /// Approve the changes without a question
        #[arg(short, long, conflicts_with = "check")]
        yes: bool,
        /// Change nothing; the exit code is 1 if there is a change
        #[arg(long)]
        check: bool,
    },
    /// Remove an added connector, with the credentials of its accounts
    Remove { name: String },
}

/// Arguments of `loggia accounts`.
#[derive(Debug, Args)]
pub(crate) struct AccountsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<AccountsCommand>,

    /// Print one JSON value for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The subcommands of `loggia accounts`.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountsCommand {
    /// List the accounts of your connectors (default)
    List { connector: Option<String> },
    /// Add an account to a connector, or replace its credential
    #[command(visible_alias = "reconnect")]
    Add {
        connector: String,
        #[command(flatten)]
        credential: CredentialArgs,
    },
    /// Rename an account
    Rename { connector: String, account: String, new: String },
    /// Use an account where a call names none
    Default { connector: String, account: String },
    /// Remove an account with its credential
    Remove { connector: String, account: String },
}

/// Arguments of `loggia connector`.
#[derive(Debug, Args)]
pub(crate) struct ConnectorArgs {
    #[command(subcommand)]
    pub(crate) command: ConnectorCommand,
}

/// The subcommands of `loggia connector`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConnectorCommand {
    /// Print the JSON Schema of connector manifests, for editors
    Schema,
    /// Check a connector manifest
    Check { file: PathBuf },
    /// Run the tests of a connector manifest: with its recorded exchanges, or with your account
    Test(TestConnectorArgs),
    /// Print a connector manifest that is written from the description of an API
    New(NewConnectorArgs),
}

/// Arguments of `loggia connector new`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("described").required(true).args(["from_openapi", "from_graphql"]))]
pub(crate) struct NewConnectorArgs {
    /// OpenAPI or Swagger description of a REST API: a file, or a URL
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) from_openapi: Option<String>,

    /// Schema of a GraphQL API, as SDL or as the result of an introspection query: a file, or a URL
    #[arg(long, value_name = "FILE|URL", requires = "url", conflicts_with = "from_openapi")]
    pub(crate) from_graphql: Option<String>,

    /// URL of the API [default: the one of the description]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// Name of a GraphQL API for people
    #[arg(long, value_name = "TEXT", default_value = "API")]
    pub(crate) title: String,

    /// Levels of objects that GraphQL documents select
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) depth: usize,

    /// Tool to write (may be repeated) [default: at most 15 that read and write the main objects]
    #[arg(long = "tool", value_name = "NAME")]
    pub(crate) tools: Vec<String>,
}

/// Arguments of `loggia connector test`.
#[derive(Debug, Args)]
pub(crate) struct TestConnectorArgs {
    /// Name of a connector, or manifest file
    #[arg(value_name = "NAME|FILE")]
    pub(crate) source: String,

    /// Only this backend
    #[arg(long, conflicts_with = "live")]
    pub(crate) backend: Option<String>,

    /// Call the vendor with your connector of this name; only tools that read are called
    #[arg(long)]
    pub(crate) live: bool,

    /// Print one JSON value for programs
    #[arg(long)]
    pub(crate) json: bool,
}
