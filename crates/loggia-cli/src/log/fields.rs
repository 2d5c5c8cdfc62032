//! The fields of a log line. Their values come from servers, clients and files: each is put on one line without anything
//! that a terminal obeys, without secrets, and bounded, so that no value can look like a line of ours or hide one.

use std::fmt::{self, Write};

use loggia_connect::redact::Redactor;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

use crate::render::text::escape_line;

/// Most characters of one value.
const LONGEST: usize = 4000;

/// Writes the fields of an event or a span: the message, then `name=value`.
pub(super) struct EscapedFields(pub(super) Redactor);

impl<'w> FormatFields<'w> for EscapedFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = FieldLine { redactor: &self.0, text: String::new() };
        fields.record(&mut line);
        writer.write_str(&line.text)
    }
}

struct FieldLine<'r> {
    redactor: &'r Redactor,
    text: String,
}

impl FieldLine<'_> {
    fn add(&mut self, field: &Field, value: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        let value = escape_line(&shortened(&self.redactor.redact(value)));
        // Writing into a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.text, "{value}"),
            name if is_word(&value) => write!(self.text, "{name}={value}"),
            name => write!(self.text, "{name}=\"{}\"", value.replace('"', "\\\"")),
        };
    }
}

impl Visit for FieldLine<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

/// Whether a value can stand without quotes and not be taken for another field.
fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '='))
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(LONGEST) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes more)", &value[..end], value.len() - end),
    }
}
