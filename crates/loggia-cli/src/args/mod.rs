//! The command line as its users see it: every word of `--help` is here and nowhere else.

mod auth;
mod client;
mod import;
mod status;
mod up;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use loggia_auth::guard::Network;

pub(crate) use auth::{
    AuthArgs, AuthCommand, KeysArgs, KeysCommand, LoginArgs, NewKeyArgs, PeopleArgs, PeopleCommand,
};
pub(crate) use client::{
    CallArgs, CompleteArgs, ConnectArgs, EraArg, GlobalClientArgs, InspectArgs, ListArgs, PromptArgs,
    ReadArgs,
};
pub(crate) use import::ImportArgs;
pub(crate) use status::StatusArgs;
pub(crate) use up::UpArgs;

/// The configuration file that is read if none is named.
pub(crate) const DEFAULT_CONFIG: &str = "loggia.toml";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const ABOUT: &str =
    "Connect AI applications to the systems people work with, over the Model Context Protocol";

const AFTER_HELP: &str = "\
Targets:
  https://…            a server at a URL
  NAME                 a connector of the configuration file, or the built-in `files`
  -- COMMAND ARGS…     a server that is started as a child process and speaks on stdin and stdout

Exit codes:
  0    it worked
  1    the tool ran and reported an error
  2    the command line or the configuration is wrong
  3    the server cannot be reached, or asks for authorization
  4    the server answered with an error, or broke the protocol
  5    no answer within the time limit
  130  cancelled (Ctrl-C, or another signal that ends it)

Examples:
  loggia up                                     serve this folder at http://127.0.0.1:4000/mcp
  loggia up --config team.toml --listen :8080   serve the connectors of a file
  loggia tools http://127.0.0.1:4000/mcp        which tools are there?
  loggia call files search pattern=TODO         run one
  loggia auth login https://example.com/mcp     sign in where a server wants it
  loggia inspect --trace -- npx -y some-server  how does a server behave?";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "loggia", version, about = ABOUT, after_help = AFTER_HELP, styles = STYLES, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true, propagate_version = false)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Configuration file [default: LOGGIA_CONFIG, or loggia.toml in this folder, where there is one]
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Read no configuration file, even if LOGGIA_CONFIG or loggia.toml in this folder is there
    #[arg(long, global = true, conflicts_with = "config")]
    pub(crate) no_config: bool,

    /// Folder of your credentials [default: LOGGIA_CREDENTIALS, or loggia/credentials in your data folder]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) credentials: Option<PathBuf>,

    /// On the way to a sign-in, also go to addresses of this network, which is not public: 10.1.0.0/16 (may be
    /// repeated) [default: LOGGIA_ALLOW_NETWORK]
    #[arg(long, value_name = "NETWORK", global = true)]
    pub(crate) allow_network: Vec<Network>,

    /// Say more on stderr; twice for protocol detail. LOGGIA_LOG sets filters by name
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    /// Colours on the terminal; NO_COLOR is honoured
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ColorArg::Auto, global = true)]
    pub(crate) color: ColorArg,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve all connectors at one endpoint
    Up(UpArgs),
    /// Show how the gateways that run here are: connectors, reasons, error output
    Status(StatusArgs),
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
    /// Ask for completions of an argument
    Complete(CompleteArgs),
    /// Show what a server is: era, identity, capabilities, timing, problems
    Inspect(InspectArgs),
    /// Sign in to servers, and look after what they gave you
    Auth(AuthArgs),
    /// Add the servers of an MCP client's configuration to yours
    Import(ImportArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorArg {
    /// On a terminal
    Auto,
    /// Also into pipes
    Always,
    /// Never
    Never,
}

/// For whom the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputArg {
    /// For people
    Human,
    /// For programs: the server's own JSON, one value
    Json,
}

impl Args {
    /// Reads the command line, then the environment for options that the line leaves out. `config` is the file to use
    /// afterwards; without one there is none. The line is parsed first and alone: without arguments the usage is shown,
    /// whatever is in the environment.
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

    /// Whether protocol messages are to be printed.
    pub(crate) fn trace(&self) -> bool {
        let client = match &self.command {
            Command::Up(_)
            | Command::Status(_)
            | Command::Auth(_)
            | Command::Import(_)
            | Command::Completions { .. } => {
                return false;
            }
            Command::Tools(args) | Command::Resources(args) | Command::Prompts(args) => &args.client,
            Command::Call(args) => &args.client,
            Command::Read(args) => &args.client,
            Command::Prompt(args) => &args.client,
            Command::Complete(args) => &args.client,
            Command::Inspect(args) => &args.client,
        };
        client.connect.trace
    }
}

/// Returns whether the name is in use: also by a folder, a dangling link or a file that cannot be examined. Only an
/// absent file is passed over; reading any other one says what is wrong with it.
fn is_there(file: &Path) -> bool {
    !matches!(file.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// Parses networks separated by commas or spaces. An invalid one ends the program, as it would on the line.
fn networks(text: &OsStr) -> Vec<Network> {
    let parts = text.to_str().ok_or_else(|| "it is not UTF-8 text".to_owned());
    let read = parts.and_then(|text| {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        parts.map(|part| part.parse::<Network>().map_err(|error| error.to_string())).collect()
    });
    read.unwrap_or_else(|error| {
        let what = format!("LOGGIA_ALLOW_NETWORK: {error}");
        Args::command().error(ErrorKind::ValueValidation, what).exit()
    })
}
