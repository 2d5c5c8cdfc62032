//! The fields of a log line. Their values come from servers, clients and files: each is put on one line without anything
//! that a terminal obeys, without secrets, and bounded, so that no value can look like a line of ours or hide one.

use std::fmt::{self, Write};

use loggia::wire::text::escape_line;
use loggia_connect::redact::Redactor;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// The most characters of one value.
const LONGEST: usize = 4000;

/// The fields of an event or a span: the message, then `name=value`.
pub struct EscapedFields(Redactor);

impl EscapedFields {
    /// Writes fields without the secrets that `redactor` knows.
    pub fn new(redactor: Redactor) -> EscapedFields {
        EscapedFields(redactor)
    }
}

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
        let value = escape_line(&shortened(value, self.redactor));
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

/// Returns whether a value can stand without quotes and not be taken for another field.
fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '='))
}

/// Returns the start of a value, redacted. A value may be many megabytes long: the rest of it is not looked at.
fn shortened(value: &str, redactor: &Redactor) -> String {
    let (start, read) = redactor.redact_start(value, LONGEST);
    match value.len() - read {
        0 => start.into_owned(),
        more => format!("{start}… ({more} bytes more)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loggia_connect::secret::{Location, Template};

    #[test]
    fn a_long_value_is_shortened_and_has_no_part_of_a_secret() {
        let location = Location { file: "x.toml".into(), line: 1, column: 1 };
        let redactor = Redactor::default();
        let secret = "s3cret-t0ken".repeat(20);
        let variable = |_: &str| Some(secret.clone());
        redactor.learn([&Template::parse("${KEY}", location).expect("a template")], &variable);
        for before in [0, 1, LONGEST - 100, LONGEST - 1, LONGEST] {
            let value = format!("{}{secret}{}", "x".repeat(before), format!("{secret}y").repeat(10_000));
            let shown = shortened(&value, &redactor);
            assert!(!shown.contains("s3cret") && shown.contains(" bytes more)"), "{before}: {shown}");
            assert!(shown.chars().count() < LONGEST + 50, "{before}");
        }
        assert_eq!(shortened("short", &redactor), "short");
    }
}
