//! The log of the program, always on stderr: stdout belongs to results, and with `up --stdio` to the protocol.

use std::io;

use loggia_connect::redact::Redactor;
use loggia_gateway::log::{CountRepeats, EscapedFields, ProtocolMessages};
use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as lines};

use crate::args::{Args, Command};
use crate::out::{self, DIM, GOOD, NAME};
use crate::text::one_line;

/// Starts to log as the command line says, without what `redactor` takes out.
pub(crate) fn start(args: &Args, redactor: &Redactor) {
    let default = match (&args.command, args.verbose) {
        (_, 2..) => "debug,loggia=trace,loggia_hub=trace",
        (_, 1) => "info,loggia=debug,loggia_hub=debug,loggia_connect=debug",
        // A server that runs unattended says what goes wrong; a command says it in its own words.
        // What becomes of its connectors it shows anyway.
        (Command::Up(_), 0) => "warn,loggia_hub::states=off",
        (_, 0) => "error",
    };
    let asked = std::env::var("LOGGIA_LOG").unwrap_or_else(|_| default.to_owned());
    // Filters that know beforehand what they let through: disabled events cost nothing.
    let filter = EnvFilter::builder().parse_lossy(format!("{asked},{}=off", ProtocolMessages::TARGET));
    let format = CountRepeats::new(lines::format().with_target(args.verbose > 0));
    let lines = lines::layer()
        .event_format(format)
        .fmt_fields(EscapedFields::new(redactor.clone()))
        .with_writer(|| anstream::AutoStream::auto(io::stderr()))
        .with_filter(filter);
    let targets = Targets::new().with_target(ProtocolMessages::TARGET, Level::TRACE);
    let messages = ProtocolMessages::new(redactor.clone(), print_message);
    let messages = args.trace().then(|| messages.with_filter(targets));
    // It fails only where something else logs already.
    let _ = tracing_subscriber::registry().with(lines).with(messages).try_init();
}

/// Prints a protocol message on one line.
fn print_message(is_sent: bool, message: &str) {
    let arrow = if is_sent { format!("{NAME}→{NAME:#}") } else { format!("{GOOD}←{GOOD:#}") };
    out::note(format!("{arrow} {DIM}{}{DIM:#}", one_line(message)));
}
