//! `loggia status`.

use clap::Args;

use super::FormatArgs;

const AFTER_HELP: &str = "\
Only the user who started a gateway can see its status, on the same machine.

JSON (-o json) is one object, {\"gateways\": [{\"gateway\": …, \"connectors\": [ … ]}]}. Later versions may add members.
  gateway      url (or \"stdio\"), listen, config, pid, version, sinceSeconds
  connectors   name, prefix, kind, state, sinceSeconds (in that state), reason, retryInSeconds,
               starting {queued, lastLine}, problems [text], protocolVersion, server {name, version, …},
               personal, remembered, tools, deferredTools (not listed), prompts, resources,
               resourceTemplates (numbers of entries),
               calls, errors (since the start of the gateway), errorOutput [line]
  state        connecting, up, degraded (up, and a list cannot be read or is not complete: problems),
               down (tried again in retryInSeconds), failed (not retried: reason says what to correct)
A member that does not apply is null.

Examples:
  loggia status                                 all gateways that you run
  loggia status http://127.0.0.1:4000/mcp       one gateway
  loggia status 4000                            the gateways on this port
  loggia status -o json                         all details, for programs";

/// Arguments of `loggia status`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct StatusArgs {
    /// URL or port of a gateway on this machine [default: all gateways that you run]
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,

    #[command(flatten)]
    pub(crate) format: FormatArgs,
}
