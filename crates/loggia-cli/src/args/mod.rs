//! The command line: every text of `--help` is in this module and nowhere else.

mod auth;
mod client;
mod clients;
mod connectors;
mod doctor;
mod duration;
mod import;
mod lint;
mod status;
mod up;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use loggia_auth::restricted_http::IpNetwork;

pub(crate) use auth::{
    AuthArgs, AuthCommand, KeysArgs, KeysCommand, LoginArgs, NewKeyArgs, PeopleArgs, PeopleCommand,
};
pub(crate) use client::{
    CallArgs, CompleteArgs, ConnectArgs, EraArg, GlobalClientArgs, InspectArgs, ListArgs, PromptArgs,
    ReadArgs,
};
pub(crate) use clients::{BridgeArgs, ClientFileArgs, InstallArgs};
pub(crate) use connectors::{
    AccountsArgs, AccountsCommand, AddArgs, ConnectorArgs, ConnectorCommand, ConnectorsArgs,
    ConnectorsCommand, CredentialArgs,
};
pub(crate) use doctor::{DoctorArgs, PreflightArgs};
pub(crate) use import::ImportArgs;
pub(crate) use lint::{LintArgs, LintFormat};
pub(crate) use status::StatusArgs;
pub(crate) use up::UpArgs;

/// The configuration file that is read if none is named.
pub(crate) const DEFAULT_CONFIG: &str = "loggia.toml";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const ABOUT: &str = "Connect AI applications to other systems over the Model Context Protocol (MCP)";

const AFTER_HELP: &str = "\
Targets:
  https://…            the server at this URL
  NAME                 a connector that was added or configured, or the built-in `files`
  -- COMMAND ARGS…     a command, started as a child process that serves on stdin and stdout

Exit codes:
  0    success
  1    the tool ran and reported an error; `connectors update --check` found a change;
       `doctor` found a fault
  2    the command line or the configuration is wrong
  3    the server cannot be reached, or needs authorization
  4    the server answered with an error, or violated the protocol
  5    no answer within the time limit
  10   `preflight`: try again later; 11: a person must act; 12: unknown
  130  cancelled by Ctrl-C or another signal

Examples:
  loggia up                                     serve this folder at http://127.0.0.1:4000/mcp
  loggia add linear                             give it Linear, and a running gateway too
  loggia install claude-code cursor             make it known to AI applications
  loggia up --config team.toml --listen :8080   serve the connectors of a file
  loggia tools http://127.0.0.1:4000/mcp        list the tools of a server
  loggia call files search pattern=TODO         run a tool
  loggia auth login https://example.com/mcp     sign in to a server
  loggia inspect --trace -- npx -y some-server  examine a server, and print all messages";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "loggia", version, about = ABOUT, after_help = AFTER_HELP, styles = STYLES, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true, propagate_version = false)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Configuration file [default: the file in LOGGIA_CONFIG, or loggia.toml in this folder if it exists]
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Read no configuration file: ignore LOGGIA_CONFIG and loggia.toml in this folder
    #[arg(long, global = true, conflicts_with = "config")]
    pub(crate) no_config: bool,

    /// Folder of your credentials [default: the folder in LOGGIA_CREDENTIALS, or loggia/credentials in your data folder]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) credentials: Option<PathBuf>,

    /// Private network in which an authorization server may be, for example 10.1.0.0/16 (may be repeated)
    /// [default: the networks in LOGGIA_ALLOW_NETWORK]
    #[arg(long, value_name = "NETWORK", global = true)]
    pub(crate) allow_network: Vec<IpNetwork>,

    /// Log more on stderr; -vv also logs protocol details. LOGGIA_LOG sets filters, for example loggia_hub=debug
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    /// Use of colours
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ColorArg::Auto, global = true)]
    pub(crate) color: ColorArg,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve all connectors at one endpoint
    Up(UpArgs),
    /// Add a connector: a name of the directory, a URL, a file or a package
    Add(AddArgs),
    /// List, search and change connectors
    Connectors(ConnectorsArgs),
    /// List, add and change accounts of connectors
    Accounts(AccountsArgs),
    /// Check a connector manifest, or print its JSON Schema
    Connector(ConnectorArgs),
    /// Show the gateways on this machine: connectors, states, reasons, error output
    Status(StatusArgs),
    /// Find the layer at which a connector fails, from its configuration to its credential
    Doctor(DoctorArgs),
    /// Check that connectors are ready for a run without a person, for example by cron
    Preflight(PreflightArgs),
    #[command(flatten)]
    Client(ClientCommand),
    /// Sign in to servers, and manage credentials, API keys and users
    Auth(AuthArgs),
    /// Add the gateway to AI applications: Claude, Cursor, VS Code, Codex and others
    Install(InstallArgs),
    /// Remove the gateway from AI applications; what you changed since stays
    Uninstall(ClientFileArgs),
    /// Connect an AI application that starts a command with the gateway
    Bridge(BridgeArgs),
    /// Add the servers of an MCP client's configuration to your configuration file
    Import(ImportArgs),
    /// Print a completion script for a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

/// The subcommands that talk to one server.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// List a server's tools, or describe one
    #[command(
        override_usage = "loggia tools [OPTIONS] <TARGET> [NAME]\n       loggia tools [OPTIONS] [NAME] -- <COMMAND>..."
    )]
    Tools(ListArgs),
    /// List a server's resources and resource templates
    #[command(
        override_usage = "loggia resources [OPTIONS] <TARGET> [URI]\n       loggia resources [OPTIONS] [URI] -- <COMMAND>..."
    )]
    Resources(ListArgs),
    /// List a server's prompts, or describe one
    #[command(
        override_usage = "loggia prompts [OPTIONS] <TARGET> [NAME]\n       loggia prompts [OPTIONS] [NAME] -- <COMMAND>..."
    )]
    Prompts(ListArgs),
    /// Run a tool
    Call(CallArgs),
    /// Read a resource
    Read(ReadArgs),
    /// Render a prompt
    Prompt(PromptArgs),
    /// Complete an argument of a prompt or a resource template
    Complete(CompleteArgs),
    /// Examine a server: era, identity, capabilities, timing, problems
    Inspect(InspectArgs),
    /// Check a server by the rules of directories, clients and model vendors
    Lint(Box<LintArgs>),
}

impl ClientCommand {
    /// Returns the words that name the server and what is asked of it, and the options of all these commands.
    pub(crate) fn line(&self) -> (&[String], &GlobalClientArgs) {
        match self {
            ClientCommand::Tools(args) | ClientCommand::Resources(args) | ClientCommand::Prompts(args) => {
                (&args.words, &args.client)
            }
            ClientCommand::Call(args) => (&args.words, &args.client),
            ClientCommand::Read(args) => (&args.words, &args.client),
            ClientCommand::Prompt(args) => (&args.words, &args.client),
            ClientCommand::Complete(args) => (&args.words, &args.client),
            ClientCommand::Inspect(args) => (&args.words, &args.client),
            ClientCommand::Lint(args) => (&args.words, &args.client),
        }
    }
}

/// Use of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorArg {
    /// Colours on a terminal, unless NO_COLOR is set
    Auto,
    /// Colours everywhere
    Always,
    /// No colours
    Never,
}

/// The format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputArg {
    /// Text for people
    Human,
    /// One JSON value for programs; results are as the server sent them
    Json,
}

/// The option that chooses the format of the output.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct FormatArgs {
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
    output: OutputArg,
}

impl FormatArgs {
    /// Returns whether people read the output, and not a program.
    pub(crate) fn is_human(self) -> bool {
        self.output == OutputArg::Human
    }
}

impl Args {
    /// Reads the command line, then the environment for options that the command line leaves out. Afterwards `config` is
    /// the file to use, or `None`. The command line is parsed first: without arguments the usage is shown, whatever the
    /// environment contains.
    pub(crate) fn read() -> Args {
        let mut args = Args::parse();
        let path = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let default = || is_there(Path::new(DEFAULT_CONFIG)).then(|| PathBuf::from(DEFAULT_CONFIG));
        args.config = match args.no_config {
            true => None,
            false => args.config.or_else(|| path("LOGGIA_CONFIG")).or_else(default),
        };
        args.credentials = args.credentials.or_else(|| path("LOGGIA_CREDENTIALS"));
        if args.allow_network.is_empty() {
            args.allow_network = networks(&std::env::var_os("LOGGIA_ALLOW_NETWORK").unwrap_or_default());
        }
        args
    }

    /// Returns whether protocol messages are printed.
    pub(crate) fn trace(&self) -> bool {
        matches!(&self.command, Command::Client(command) if command.line().1.connect.trace)
    }
}

/// Returns whether the name exists, also as a folder, a dangling link or a file that cannot be examined. Only an
/// absent file is ignored: reading any other one fails with a message.
fn is_there(file: &Path) -> bool {
    !matches!(file.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// Parses networks separated by commas or spaces. An invalid one ends the program with a usage error.
fn networks(text: &OsStr) -> Vec<IpNetwork> {
    let parts = text.to_str().ok_or_else(|| "it is not UTF-8 text".to_owned());
    let read = parts.and_then(|text| {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        parts.map(|part| part.parse::<IpNetwork>().map_err(|error| error.to_string())).collect()
    });
    read.unwrap_or_else(|error| {
        let what = format!("LOGGIA_ALLOW_NETWORK: {error}");
        Args::command().error(ErrorKind::ValueValidation, what).exit()
    })
}
