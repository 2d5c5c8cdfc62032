//! JSON-RPC batches (2024-11-05 and 2025-03-26): the responses to a batch's requests are gathered and sent
//! as one array, once the last of them is there.

use bytes::Bytes;
use std::collections::BTreeMap;

/// Names an open batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchKey(u64);

/// The batches with requests that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Batches {
    next: u64,
    open: BTreeMap<BatchKey, Batch>,
}

#[derive(Debug)]
struct Batch {
    /// The number of responses that may still come, plus one while the batch is being read.
    members: usize,
    out: Vec<u8>,
}

impl Batches {
    /// Opens a batch that is being read. Call [`Batches::leave`] when it has been read.
    pub(super) fn open(&mut self) -> BatchKey {
        self.next += 1;
        let key = BatchKey(self.next);
        self.open.insert(key, Batch { members: 1, out: Vec::new() });
        key
    }

    /// Adds a member, whose response may come later.
    pub(super) fn join(&mut self, key: Option<BatchKey>) {
        if let Some(batch) = key.and_then(|key| self.open.get_mut(&key)) {
            batch.members += 1;
        }
    }

    /// Adds a response to the array.
    pub(super) fn gather(&mut self, key: BatchKey, response: &[u8]) {
        if let Some(batch) = self.open.get_mut(&key) {
            batch.out.push(if batch.out.is_empty() { b'[' } else { b',' });
            batch.out.extend_from_slice(response);
        }
    }

    /// Ends a member, with or without a response. Returns the array to send if it was the last member and any member was
    /// answered.
    pub(super) fn leave(&mut self, key: BatchKey) -> Option<Bytes> {
        let batch = self.open.get_mut(&key)?;
        batch.members -= 1;
        if batch.members > 0 {
            return None;
        }
        let mut out = self.open.remove(&key)?.out;
        if out.is_empty() {
            return None;
        }
        out.push(b']');
        Some(out.into())
    }
}
