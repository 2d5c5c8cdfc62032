//! The protocol messages of the SDK's clients, for a program that shows them. Invariant: a secret that the redactor knows
//! is not in them.

use std::fmt;

use loggia_connect::redact::Redactor;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// A layer that gives each protocol message to a function: whether it was sent, and its text.
pub struct ProtocolMessages<F> {
    redactor: Redactor,
    show: F,
}

impl ProtocolMessages<()> {
    /// The target under which the SDK traces the messages, at the level `TRACE`.
    pub const TARGET: &str = "loggia::wire";
}

impl<F: Fn(bool, &str)> ProtocolMessages<F> {
    /// Shows messages without the secrets that `redactor` knows.
    pub fn new(redactor: Redactor, show: F) -> ProtocolMessages<F> {
        ProtocolMessages { redactor, show }
    }
}

impl<S: Subscriber, F: Fn(bool, &str) + 'static> Layer<S> for ProtocolMessages<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != ProtocolMessages::TARGET || *metadata.level() != Level::TRACE {
            return;
        }
        let mut message = MessageFields::default();
        event.record(&mut message);
        (self.show)(message.is_sent, &self.redactor.redact(&message.body));
    }
}

#[derive(Default)]
struct MessageFields {
    is_sent: bool,
    body: String,
}

impl Visit for MessageFields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "sent" {
            self.is_sent = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "body" {
            value.clone_into(&mut self.body);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
