//! The `_meta` of earlier requests, kept for the next ones: a client sends the same `_meta` with all of
//! them, and reading it costs more than comparing it. Bounded, and never waited for.

use std::sync::{Arc, Mutex};

use loggia_wire::RequestMeta;
use loggia_wire::meta::MetaCacheEntry;

/// A few caches, chosen by a hash of the text.
#[derive(Default)]
pub(super) struct MetaCache([Mutex<MetaCacheEntry>; MetaCache::PLACES]);

impl MetaCache {
    const PLACES: usize = 32;

    /// Returns the metadata of a `_meta` text, if it is known.
    pub(super) fn recall(&self, text: &[u8]) -> Option<Arc<RequestMeta>> {
        self.place(text).try_lock().ok()?.recall(text)
    }

    /// Keeps what the `_meta` of this text says.
    pub(super) fn keep(&self, text: &[u8], meta: &Arc<RequestMeta>) {
        if let Ok(mut entries) = self.place(text).try_lock() {
            entries.keep(text, meta);
        }
    }

    /// A client that wants to share a place with others only slows itself and them down a little.
    fn place(&self, text: &[u8]) -> &Mutex<MetaCacheEntry> {
        let (words, rest) = text.as_chunks::<8>();
        let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let sum = words.iter().fold(text.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(*word)));
        let sum = rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)));
        &self.0[(sum >> 32) as usize % MetaCache::PLACES]
    }
}
