//! JSON-RPC batches (2024-11-05 and 2025-03-26): the responses to a batch's requests are gathered and sent
//! as one array, once the last of them is there.

use bytes::Bytes;
use std::collections::BTreeMap;

/// Names an open batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchKey(u64);

/// The batches whose responses are not all there.
#[derive(Debug, Default)]
pub(super) struct Batches {
    next: u64,
    open: BTreeMap<BatchKey, Batch>,
}

#[derive(Debug)]
struct Batch {
    /// Number of responses that may still come, plus one while the batch is being read.
    members: usize,
    out: Vec<u8>,
}

impl Batches {
    /// A batch that is being read. Leave it when it is read.
    pub(super) fn open(&mut self) -> BatchKey {
        self.next += 1;
        let key = BatchKey(self.next);
        self.open.insert(key, Batch { members: 1, out: Vec::new() });
        key
    }

    /// One more response may come.
    pub(super) fn join(&mut self, key: Option<BatchKey>) {
        if let Some(batch) = key.and_then(|key| self.open.get_mut(&key)) {
            batch.members += 1;
        }
    }

    /// One response is here.
    pub(super) fn gather(&mut self, key: BatchKey, response: &[u8]) {
        if let Some(batch) = self.open.get_mut(&key) {
            batch.out.push(if batch.out.is_empty() { b'[' } else { b',' });
            batch.out.extend_from_slice(response);
        }
    }

    /// One member is done, with or without a response: the array to send, if it was the last and any member
    /// was answered.
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
