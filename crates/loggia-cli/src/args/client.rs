//! The commands that talk to one server.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use loggia::wire::Version;

use super::{FormatArgs, duration};

/// Options of the connection to the server.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConnectArgs {
    /// Revision of the protocol: auto, modern, legacy, or a date such as 2025-11-25
    #[arg(long, value_name = "ERA", default_value = "auto", value_parser = parse_era, help_heading = "Connection")]
    pub(crate) era: EraArg,

    /// HTTP header of every request (may be repeated)
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = parse_header, help_heading = "Connection")]
    pub(crate) header: Vec<(String, String)>,

    /// Environment variable of the command after -- (may be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_env, help_heading = "Connection")]
    pub(crate) env: Vec<(String, String)>,

    /// Longest time without an answer or progress: 500ms, 30s, 5m or 1h
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse, help_heading = "Connection")]
    pub(crate) timeout: Duration,

    /// Print every protocol message on stderr
    #[arg(long, help_heading = "Connection")]
    pub(crate) trace: bool,
}

/// Options of all commands that call a server.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalClientArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,

    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Ask nothing on the terminal: decline the server's questions
    #[arg(long)]
    pub(crate) no_input: bool,

    /// Command that starts the server as a child process, instead of TARGET
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) server: Vec<String>,
}

/// Arguments of `loggia tools|resources|prompts`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// URL or connector, then the name of one entry to describe in full
    #[arg(value_name = "TARGET [NAME]", num_args = 0..=2)]
    pub(crate) words: Vec<String>,

    #[command(flatten)]
    pub(crate) client: GlobalClientArgs,
}

const CALL_AFTER_HELP: &str = "\
Arguments:
  key=value        a value as in the tool's schema: number, true/false, list (a,b,c) or text
  key:=JSON        JSON, whatever the schema says
  key=@PATH        the text of a file; key:=@PATH the JSON of a file
  a.b=value        a member of the object `a`

Examples:
  loggia call files read path=README.md
  loggia call https://example.com/mcp create_issue title='It broke' labels=bug,p1
  loggia call files search --json '{\"pattern\": \"TODO\"}'
  loggia call echo message=hi -- npx -y @modelcontextprotocol/server-everything";

/// Arguments of `loggia call`.
#[derive(Debug, Args)]
#[command(after_help = CALL_AFTER_HELP)]
#[command(
    override_usage = "loggia call [OPTIONS] <TARGET> <TOOL> [KEY=VALUE]...\n       loggia call [OPTIONS] <TOOL> [KEY=VALUE]... -- <COMMAND>..."
)]
pub(crate) struct CallArgs {
    /// URL or connector, the tool's name, then its arguments
    #[arg(value_name = "TARGET TOOL KEY=VALUE", required = true)]
    pub(crate) words: Vec<String>,

    /// All arguments as one JSON object: text, @PATH, or - for stdin
    #[arg(long, value_name = "JSON")]
    pub(crate) json: Option<String>,

    /// Folder to which images, audio and files of the result are written [default: none]
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,

    /// Lowest level of log messages to show: debug, info, notice, warning, error, critical, alert or emergency
    /// [default: a modern server sends none, a legacy server decides]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,

    #[command(flatten)]
    pub(crate) client: GlobalClientArgs,
}

const READ_AFTER_HELP: &str = "\
Examples:
  loggia read files file:///README.md
  loggia read https://example.com/mcp https://example.com/logo.png --save .";

/// Arguments of `loggia read`.
#[derive(Debug, Args)]
#[command(after_help = READ_AFTER_HELP)]
#[command(
    override_usage = "loggia read [OPTIONS] <TARGET> <URI>\n       loggia read [OPTIONS] <URI> -- <COMMAND>..."
)]
pub(crate) struct ReadArgs {
    /// URL or connector, then the resource's URI
    #[arg(value_name = "TARGET URI", num_args = 1..=2, required = true)]
    pub(crate) words: Vec<String>,

    /// Folder to which the contents are written, instead of printing them
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) client: GlobalClientArgs,
}

const PROMPT_AFTER_HELP: &str = "\
Example:
  loggia prompt https://example.com/mcp review path=src/main.rs";

/// Arguments of `loggia prompt`.
#[derive(Debug, Args)]
#[command(after_help = PROMPT_AFTER_HELP)]
#[command(
    override_usage = "loggia prompt [OPTIONS] <TARGET> <NAME> [KEY=VALUE]...\n       loggia prompt [OPTIONS] <NAME> [KEY=VALUE]... -- <COMMAND>..."
)]
pub(crate) struct PromptArgs {
    /// URL or connector, the prompt's name, then its arguments
    #[arg(value_name = "TARGET NAME KEY=VALUE", required = true)]
    pub(crate) words: Vec<String>,

    #[command(flatten)]
    pub(crate) client: GlobalClientArgs,
}

const COMPLETE_AFTER_HELP: &str = "\
Examples:
  loggia complete https://example.com/mcp review path=src/       the prompt `review`
  loggia complete https://example.com/mcp 'repo:///{owner}/{name}' name=lo owner=ada
                                                                 a resource template";

/// Arguments of `loggia complete`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETE_AFTER_HELP)]
#[command(
    override_usage = "loggia complete [OPTIONS] <TARGET> <PROMPT|TEMPLATE> <ARGUMENT=TYPED> [KEY=VALUE]..."
)]
pub(crate) struct CompleteArgs {
    /// URL or connector, the name of a prompt or a resource template, the argument with the text to complete, then
    /// the values of other arguments
    #[arg(value_name = "TARGET REF ARGUMENT=TYPED", required = true)]
    pub(crate) words: Vec<String>,

    #[command(flatten)]
    pub(crate) client: GlobalClientArgs,
}

const INSPECT_AFTER_HELP: &str = "\
Examples:
  loggia inspect http://127.0.0.1:4000/mcp
  loggia inspect --era legacy --trace -- npx -y some-server";

/// Arguments of `loggia inspect`.
#[derive(Debug, Args)]
#[command(after_help = INSPECT_AFTER_HELP)]
#[command(
    override_usage = "loggia inspect [OPTIONS] <TARGET>\n       loggia inspect [OPTIONS] -- <COMMAND>..."
)]
pub(crate) struct InspectArgs {
    /// URL or connector
    #[arg(value_name = "TARGET", num_args = 0..=1)]
    pub(crate) words: Vec<String>,

    #[command(flatten)]
    pub(crate) client: GlobalClientArgs,
}

/// The revisions that a command may negotiate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EraArg {
    /// The newest revision that both sides support.
    Auto,
    /// The newest legacy revision that both sides support.
    Legacy,
    /// This revision only.
    Fixed(Version),
}

fn parse_era(text: &str) -> Result<EraArg, String> {
    match text {
        "auto" => Ok(EraArg::Auto),
        "legacy" | "handshake" => Ok(EraArg::Legacy),
        "modern" | "stateless" => Ok(EraArg::Fixed(Version::LATEST)),
        date => date.parse().map(EraArg::Fixed).map_err(|_| {
            let known = Version::ALL.map(Version::as_str).join(", ");
            format!("use auto, modern, legacy, or one of {known}")
        }),
    }
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn parse_env(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eras_have_names_and_dates() {
        assert_eq!(parse_era("auto"), Ok(EraArg::Auto));
        assert_eq!(parse_era("modern"), Ok(EraArg::Fixed(Version::V2026_07_28)));
        assert_eq!(parse_era("2025-06-18"), Ok(EraArg::Fixed(Version::V2025_06_18)));
        assert!(parse_era("2025").is_err_and(|e| e.contains("2024-11-05")));
    }
}
