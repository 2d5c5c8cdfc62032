//! `loggia lint`.

use clap::{Args, ValueEnum};
use loggia_connect::lint::LintSeverity;

use super::GlobalClientArgs;

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// Text for people
    Text,
    /// One JSON object
    Json,
    /// A SARIF 2.1.0 log, for code scanning
    Sarif,
}

const LINT_AFTER_HELP: &str = "\
The exit code is 1 if there is a finding at or above --fail-on.

Examples:
  loggia lint https://example.com/mcp
  loggia lint --severity warning -- npx -y some-server
  loggia lint --fix tools.json
  loggia lint --explain tool-title";

/// Arguments of `loggia lint`.
#[derive(Debug, Args)]
#[command(after_help = LINT_AFTER_HELP)]
#[command(override_usage = "loggia lint [OPTIONS] <TARGET>\n       loggia lint [OPTIONS] -- <COMMAND>...")]
pub(crate) struct LintArgs {
    /// URL, connector, saved tools/list (*.json) or manifest (*.toml)
    #[arg(value_name = "TARGET", num_args = 0..=1)]
    pub(crate) words: Vec<String>,

    /// List all rules
    #[arg(long)]
    pub(crate) rules: bool,

    /// Explain a rule: its reason, source and fix
    #[arg(long, value_name = "RULE")]
    pub(crate) explain: Option<String>,

    /// Check only this rule (may be repeated)
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Vec<String>,

    /// Do not check this rule (may be repeated)
    #[arg(long, value_name = "RULE")]
    pub(crate) ignore: Vec<String>,

    /// Leave out rules below this severity: note, warning or error
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) severity: Option<LintSeverity>,

    /// Severity from which a finding makes the exit code 1: note, warning or error
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub(crate) fail_on: LintSeverity,

    /// Write the fixes that need no decision into the saved lists
    #[arg(long)]
    pub(crate) fix: bool,

    /// Format of the report
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LintFormat::Text)]
    pub(crate) format: LintFormat,

    #[command(flatten)]
    pub(crate) client: GlobalClientArgs,
}
