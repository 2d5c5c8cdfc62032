//! A line that is longer than it may be: skipped to its end, but for the parts that tell which request waits for it.

use loggia_wire::jsonrpc::PartialEnvelope;

use super::BadFrame;

/// The number of bytes of the beginning that are kept. Most libraries write the id there.
const HEAD: usize = 4 << 10;
/// The number of bytes of the end that are kept. The other libraries write the id last.
const TAIL: usize = PartialEnvelope::TAIL;

/// A line longer than this many times its bound is reported before it ends.
const ENDLESS: usize = 16;

/// The kept beginning and end of a line over its bound. It is reported once: when it ends, or at [`ENDLESS`].
pub(super) struct LongLine {
    most: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
    length: usize,
    reported: bool,
}

impl LongLine {
    /// Creates a line of which nothing has been seen.
    pub(super) fn new(most: usize) -> LongLine {
        LongLine { most, head: Vec::new(), tail: Vec::new(), length: 0, reported: false }
    }

    /// Takes what follows. Gives the frame where the line need not be waited for any longer.
    pub(super) fn push(&mut self, part: &[u8]) -> Option<BadFrame> {
        if self.reported {
            return None;
        }
        self.keep(part);
        let envelope = PartialEnvelope::read(&self.head, &[]);
        let endless = self.length / ENDLESS > self.most;
        if envelope.id.is_some() || endless { self.report(envelope) } else { None }
    }

    /// Takes the rest. Gives the frame, unless it was given before.
    pub(super) fn end(&mut self, rest: &[u8]) -> Option<BadFrame> {
        if self.reported {
            return None;
        }
        self.keep(rest);
        self.report(PartialEnvelope::read(&self.head, &self.tail))
    }

    fn keep(&mut self, part: &[u8]) {
        self.length = self.length.saturating_add(part.len());
        self.head.extend_from_slice(&part[..part.len().min(HEAD - self.head.len())]);
        self.tail.extend_from_slice(&part[part.len().saturating_sub(TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    fn report(&mut self, envelope: PartialEnvelope) -> Option<BadFrame> {
        self.reported = true;
        Some(BadFrame::TooLong { most: self.most, envelope })
    }
}
