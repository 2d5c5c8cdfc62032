//! `loggia doctor` and `loggia preflight`.

use std::time::Duration;

use clap::Args;

use super::duration;

const PREFLIGHT_HELP: &str = "\
Exit codes:
  0    all connectors are ready
  10   try again later
  11   a person must act: the line names the command and the URL
  12   a connector fails, and the remedy is not known

Tokens are renewed if they can be. No browser is opened.";

/// Arguments of `loggia doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Name of a connector, or URL of a server [default: this machine and all connectors]
    #[arg(value_name = "NAME|URL")]
    pub(crate) target: Option<String>,

    /// Print one JSON value for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `loggia preflight`.
#[derive(Debug, Args)]
#[command(after_help = PREFLIGHT_HELP)]
pub(crate) struct PreflightArgs {
    /// Names of connectors [default: all connectors]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Longest time of the examination
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "60s")]
    pub(crate) timeout: Duration,

    /// Print one JSON value for programs
    #[arg(long)]
    pub(crate) json: bool,
}
