//! The log of the program, always on stderr: stdout belongs to results, and with `up --stdio` to the protocol.

use std::fmt;
use std::io;

use loggia_connect::redact::Redactor;
use loggia_gateway::log::{CountRepeats, EscapedFields};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as lines};

use crate::args::{Args, Command};
use crate::out::{self, DIM, GOOD, NAME};
use crate::text::one_line;

/// The target under which the SDK traces the messages of its clients.
const WIRE: &str = "loggia::wire";

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
    let filter = EnvFilter::builder().parse_lossy(format!("{asked},{WIRE}=off"));
    let format = CountRepeats::new(lines::format().with_target(args.verbose > 0));
    let lines = lines::layer()
        .event_format(format)
        .fmt_fields(EscapedFields::new(redactor.clone()))
        .with_writer(|| anstream::AutoStream::auto(io::stderr()))
        .with_filter(filter);
    let messages = Messages(redactor.clone());
    let messages = args.trace().then(|| messages.with_filter(Targets::new().with_target(WIRE, Level::TRACE)));
    // It fails only where something else logs already.
    let _ = tracing_subscriber::registry().with(lines).with(messages).try_init();
}

/// Prints protocol messages, one a line.
struct Messages(Redactor);

impl<S: Subscriber> Layer<S> for Messages {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() != Level::TRACE {
            return;
        }
        let mut seen = Seen::default();
        event.record(&mut seen);
        let arrow = if seen.sent { format!("{NAME}→{NAME:#}") } else { format!("{GOOD}←{GOOD:#}") };
        out::note(format!("{arrow} {DIM}{}{DIM:#}", one_line(&self.0.redact(&seen.body))));
    }
}

#[derive(Default)]
struct Seen {
    sent: bool,
    body: String,
}

impl Visit for Seen {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "sent" {
            self.sent = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "body" {
            value.clone_into(&mut self.body);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
