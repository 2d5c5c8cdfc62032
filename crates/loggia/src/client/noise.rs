//! Output of a server that is not a message: a banner, debug lines, text that is not JSON. A limited amount is
//! skipped. If a server sends more, the connection is closed, and the error shows the output.

use std::time::{Duration, Instant};

use bytes::Bytes;
use loggia_wire::jsonrpc::{EnvelopeError, Id, PartialEnvelope};
use loggia_wire::text::escape_line;

use crate::error::Error;
use crate::framing::BadFrame;

/// Data that was received instead of a message.
#[derive(Debug)]
pub(crate) struct UnreadableMessage {
    error: Error,
    envelope: Box<PartialEnvelope>,
    length: usize,
    excerpt: String,
}

impl UnreadableMessage {
    /// Creates it from a text that cannot be decoded.
    pub(crate) fn of_text(text: &Bytes, error: &EnvelopeError) -> UnreadableMessage {
        UnreadableMessage {
            error: Error::Protocol(format!("the answer cannot be read: {error}")),
            envelope: Box::new(PartialEnvelope::read(text, text)),
            length: text.len(),
            excerpt: excerpt(text),
        }
    }

    /// Creates it from a frame that was skipped.
    pub(crate) fn of_frame(bad: BadFrame) -> UnreadableMessage {
        let BadFrame::TooLong { most, envelope } = bad;
        let excerpt = format!("a message of more than {most} bytes");
        // A message that is only too long, for example a notification, does not mean that the server sends no
        // messages.
        let is_message = envelope.has_method || envelope.is_json_rpc || envelope.id.is_some();
        UnreadableMessage {
            error: Error::TooLarge(most),
            envelope: Box::new(envelope),
            length: if is_message { excerpt.len() } else { most },
            excerpt,
        }
    }

    /// Creates it from a message that the protocol does not allow here.
    pub(crate) fn of_message(what: String) -> UnreadableMessage {
        UnreadableMessage {
            error: Error::Protocol(what.clone()),
            envelope: Box::new(PartialEnvelope { has_method: true, ..PartialEnvelope::default() }),
            length: what.len(),
            excerpt: what,
        }
    }

    /// Returns the request that it answers. If it has no id, this is `only`: the request whose stream carried it, or
    /// the only pending request.
    pub(crate) fn answers(&self, only: Option<i64>) -> Option<i64> {
        let PartialEnvelope { id, has_method, has_outcome, is_json_rpc } = &*self.envelope;
        // A debug line may be an object with an id, but is never this long.
        let too_large = matches!(self.error, Error::TooLarge(_));
        match id {
            _ if *has_method => None,
            Some(Id::Number(id)) if *is_json_rpc || too_large => Some(*id),
            None if (*is_json_rpc && *has_outcome) || too_large => only,
            _ => None,
        }
    }

    /// Returns the error for the request that it answers.
    pub(crate) fn into_error(self) -> Error {
        self.error
    }
}

/// Returns the beginning of a text, on one line.
fn excerpt(text: &[u8]) -> String {
    const MAX: usize = 200;
    let head = String::from_utf8_lossy(&text[..text.len().min(MAX)]);
    let more = if text.len() > MAX { "…" } else { "" };
    escape_line(&head) + more
}

/// The number of unreadable bytes that a server may still send. The bound is for one minute: the count decreases with
/// time, and each message resets it.
#[derive(Debug)]
pub(crate) struct NoiseBudget {
    most: usize,
    counted: usize,
    at: Option<Instant>,
}

impl NoiseBudget {
    /// The time in which a full count decreases to zero.
    const WINDOW: Duration = Duration::from_secs(60);

    /// Creates a budget of `most` bytes.
    pub(crate) fn new(most: usize) -> NoiseBudget {
        NoiseBudget { most, counted: 0, at: None }
    }

    /// Resets the count, because the server sent a message.
    pub(crate) fn reset(&mut self) {
        self.counted = 0;
        self.at = None;
    }

    /// Counts one. The error says why the connection is closed.
    pub(crate) fn count(&mut self, now: Instant, noise: &UnreadableMessage) -> Result<(), String> {
        let last = &noise.excerpt;
        if self.counted == 0 {
            tracing::warn!(text = last, error = %noise.error, "the server sent something that is not a message");
        } else {
            tracing::debug!(text = last, "the server sent something more that is not a message");
        }
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(now);
        let faded = passed.as_secs_f64() / NoiseBudget::WINDOW.as_secs_f64() * self.most as f64;
        self.counted = self.counted.saturating_sub(faded as usize).saturating_add(noise.length + 1);
        if self.counted <= self.most {
            return Ok(());
        }
        let most = self.most;
        Err(format!(
            "the server sends no messages of the protocol, but more than {most} bytes of something else (malformed); the \
             last: {last}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> UnreadableMessage {
        let text = Bytes::from(text.to_owned());
        let error = loggia_wire::jsonrpc::decode(&text).expect_err("not a message");
        UnreadableMessage::of_text(&text, &error)
    }

    #[test]
    fn messages_that_are_only_too_long_do_not_use_up_the_budget() {
        let frame = |head: &str| {
            UnreadableMessage::of_frame(BadFrame::TooLong {
                most: 1 << 20,
                envelope: PartialEnvelope::read(head.as_bytes(), b""),
            })
        };
        let start = Instant::now();
        for (head, is_given_up) in [
            (r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"#, false),
            (r#"{"jsonrpc":"2.0","id":7,"result":{"#, false),
            ("....", true),
        ] {
            let mut budget = NoiseBudget::new(1 << 20);
            let counted = (0..8).try_for_each(|_| budget.count(start, &frame(head)));
            assert_eq!(counted.is_err(), is_given_up, "{head}");
        }
    }

    #[test]
    fn what_is_meant_as_an_answer_ends_its_request_and_nothing_else_does() {
        for (sent, alone, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":{"v":NaN}}"#, Some(3), Some(7)),
            (r#"{"result":NaN,"id":7}"#, None, None),
            (r#"{"jsonrpc":"2.0"}"#, Some(3), None),
            (r#"{"jsonrpc":"2.0","result":{"v":"#, Some(3), Some(3)),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#, None, Some(7)),
            (r#"{"jsonrpc":"2.0","result":{"v":NaN}}"#, Some(3), Some(3)),
            (r#"{"jsonrpc":"2.0","result":{"v":NaN}}"#, None, None),
            (r#"{"jsonrpc":"2.0","method":"m","params":{"v":NaN},"id":7}"#, Some(3), None),
            (r#"{"jsonrpc":"2.0","id":"seven","result":{"v":NaN}}"#, Some(3), None),
            (r#"{"level":"info","msg":"started"}"#, Some(3), None),
            ("Server listening", Some(3), None),
            (r#"DEBUG sent {"jsonrpc":"2.0","result":{},"id":7}"#, Some(3), None),
        ] {
            assert_eq!(text(sent).answers(alone), expected, "{sent}");
        }
    }

    #[test]
    fn the_bound_counts_bytes_and_time() {
        let start = Instant::now();
        let line = "0123456789 debug";
        for (seconds_between, lines, given_up) in [
            // A banner, and lines in each call.
            (0, 58, false),
            (0, 59, true),
            // As much as fades.
            (2, 10_000, false),
            (60, 10_000, false),
        ] {
            let mut budget = NoiseBudget::new(1000);
            let mut now = start;
            let counted = (0..lines).try_for_each(|_| {
                now += Duration::from_secs(seconds_between);
                budget.count(now, &text(line))
            });
            assert_eq!(counted.is_err(), given_up, "{lines} lines, one each {seconds_between} s");
            if let Err(why) = counted {
                assert!(why.contains(line) && why.contains("1000 bytes"), "{why}");
            }
        }
        let mut budget = NoiseBudget::new(1000);
        for _ in 0..1000 {
            assert_eq!(budget.count(start, &text(line)), Ok(()), "a message in between starts it anew");
            budget.reset();
        }
    }

    #[test]
    fn an_excerpt_is_one_line() {
        assert_eq!(text("a\r\nb\u{1b}[2J\u{202e}c").excerpt, "a\\r\\nb\\u{1b}[2J\\u{202e}c");
        assert!(text(&"x".repeat(10_000)).excerpt.len() < 300);
    }
}
