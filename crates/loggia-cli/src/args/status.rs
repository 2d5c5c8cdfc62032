//! `loggia status`.

use clap::Args;

use super::OutputArg;

const AFTER_HELP: &str = "\
A gateway tells only the user who started it, on the same machine.

Examples:
  loggia status                                 all gateways of yours
  loggia status http://127.0.0.1:4000/mcp       one of them; its port will do, too
  loggia status -o json                         for programs: with all that is known";

/// Arguments of `loggia status`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StatusArgs {
    /// URL or port of a gateway on this machine [default: all gateways of this user]
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,

    /// For whom the output is
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = OutputArg::Human)]
    pub(crate) output: OutputArg,
}
