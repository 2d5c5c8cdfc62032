//! A line above the bound: it is skipped to its end, except for the parts that identify its request.

use loggia_wire::jsonrpc::PartialEnvelope;

use super::BadFrame;

/// The number of bytes that are kept of the beginning. Most libraries write the id there.
const HEAD: usize = 4 << 10;
/// The number of bytes that are kept of the end. Other libraries write the id last.
const TAIL: usize = PartialEnvelope::TAIL;

/// A line that is longer than the bound times this number is reported before it ends.
const ENDLESS: usize = 16;

/// The beginning and end of a line above its bound. The line is reported once: at its end, or at [`ENDLESS`].
pub(super) struct LongLine {
    most: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
    length: usize,
    reported: bool,
}

impl LongLine {
    /// Creates an empty line.
    pub(super) fn new(most: usize) -> LongLine {
        LongLine { most, head: Vec::new(), tail: Vec::new(), length: 0, reported: false }
    }

    /// Adds the next part. Returns the frame if the line is reported now.
    pub(super) fn push(&mut self, part: &[u8]) -> Option<BadFrame> {
        if self.reported {
            return None;
        }
        self.keep(part);
        let envelope = PartialEnvelope::read(&self.head, &[]);
        let endless = self.length / ENDLESS > self.most;
        if envelope.id.is_some() || endless { self.report(envelope) } else { None }
    }

    /// Adds the last part. Returns the frame, unless it was returned before.
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
