//! Results of calls that are too long for a client: they are kept for a while, and their caller reads them in parts.
//!
//! Invariant: a result is given only to the caller that it was stored for, and the bytes of all results are bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use loggia_auth::clock::Clock;
use loggia_auth::jose::random;

use crate::database::BoxFuture;
use crate::error::StoreError;

/// Random bytes of an id.
const ID_BYTES: usize = 16;

/// A result that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptResult {
    /// Its media type.
    pub media_type: String,
    /// True if the bytes are UTF-8 text.
    pub is_text: bool,
    /// The whole result.
    pub bytes: std::sync::Arc<[u8]>,
}

/// A store of results.
pub trait ResultStore: Send + Sync + 'static {
    /// Keeps a result for a caller. Returns its id, which cannot be guessed; `None` if there is no room for a result of this length.
    fn keep<'a>(
        &'a self,
        owner: &'a str,
        result: KeptResult,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>>;

    /// Returns a result of a caller; `None` if it has expired, was dropped for newer ones, or is another caller's.
    fn load<'a>(
        &'a self,
        owner: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<KeptResult>, StoreError>>;
}

/// The bounds of a store of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultStoreLimits {
    /// The bytes of all results. Older ones are dropped for newer ones.
    pub bytes: usize,
    /// The bytes of the results of one caller.
    pub caller_bytes: usize,
    /// The time for which a result is kept.
    pub time_to_live: Duration,
}

impl Default for ResultStoreLimits {
    fn default() -> ResultStoreLimits {
        ResultStoreLimits {
            bytes: 128 << 20,
            caller_bytes: 32 << 20,
            time_to_live: Duration::from_secs(30 * 60),
        }
    }
}

/// Results in the memory of this process.
pub struct MemoryResults {
    limits: ResultStoreLimits,
    clock: Clock,
    /// The oldest first.
    entries: Mutex<VecDeque<ResultEntry>>,
}

struct ResultEntry {
    id: String,
    owner: String,
    until: SystemTime,
    result: KeptResult,
}

impl MemoryResults {
    /// Keeps results within these bounds.
    pub fn new(limits: ResultStoreLimits) -> MemoryResults {
        MemoryResults::with_clock(limits, std::sync::Arc::new(SystemTime::now))
    }

    /// Keeps results by another clock.
    pub fn with_clock(limits: ResultStoreLimits, clock: Clock) -> MemoryResults {
        MemoryResults { limits, clock, entries: Mutex::default() }
    }

    fn insert(&self, owner: &str, result: KeptResult) -> Option<String> {
        let ResultStoreLimits { bytes, caller_bytes, time_to_live } = self.limits;
        let length = result.bytes.len();
        if length > caller_bytes.min(bytes) {
            return None;
        }
        let now = (self.clock)();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.until > now);
        drop_oldest(&mut entries, caller_bytes - length, |entry| entry.owner == owner);
        drop_oldest(&mut entries, bytes - length, |_| true);
        let entry =
            ResultEntry { id: random(ID_BYTES), owner: owner.to_owned(), until: now + time_to_live, result };
        let id = entry.id.clone();
        entries.push_back(entry);
        Some(id)
    }

    fn find(&self, owner: &str, id: &str) -> Option<KeptResult> {
        let now = (self.clock)();
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            entries.iter().find(|entry| entry.id == id && entry.owner == owner && entry.until > now)?;
        Some(found.result.clone())
    }
}

/// Drops the oldest of the entries that `counts` selects until they have at most `most` bytes.
fn drop_oldest(entries: &mut VecDeque<ResultEntry>, most: usize, counts: impl Fn(&ResultEntry) -> bool) {
    let counted = entries.iter().filter(|entry| counts(entry));
    let mut bytes: usize = counted.map(|entry| entry.result.bytes.len()).sum();
    entries.retain(|entry| {
        let stays = bytes <= most || !counts(entry);
        if !stays {
            bytes -= entry.result.bytes.len();
        }
        stays
    });
}

impl ResultStore for MemoryResults {
    fn keep<'a>(
        &'a self,
        owner: &'a str,
        result: KeptResult,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.insert(owner, result))))
    }

    fn load<'a>(
        &'a self,
        owner: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<KeptResult>, StoreError>> {
        Box::pin(std::future::ready(Ok(self.find(owner, id))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::UNIX_EPOCH;

    use super::*;

    const LIMITS: ResultStoreLimits =
        ResultStoreLimits { bytes: 100, caller_bytes: 50, time_to_live: Duration::from_secs(60) };

    fn store() -> (MemoryResults, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(1_700_000_000));
        let now = seconds.clone();
        let clock: Clock = Arc::new(move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::SeqCst)));
        (MemoryResults::with_clock(LIMITS, clock), seconds)
    }

    fn result(length: usize) -> KeptResult {
        KeptResult { media_type: "text/plain".to_owned(), is_text: true, bytes: vec![b'x'; length].into() }
    }

    /// Each case: the results that are kept, as owner and length, and the ones of them that are still there.
    #[test]
    fn older_results_go_for_newer_ones() {
        type Kept<'a> = (&'a [(&'a str, usize)], &'a [usize]);
        let cases: [Kept<'_>; 6] = [
            (&[("a", 50), ("b", 50)], &[0, 1]),
            (&[("a", 30), ("a", 20), ("a", 10)], &[1, 2]),
            (&[("a", 50), ("b", 50), ("c", 1)], &[1, 2]),
            (&[("a", 51), ("b", 1)], &[1]),
            (&[("a", 20), ("b", 30), ("a", 40)], &[1, 2]),
            (&[("a", 0), ("a", 50)], &[0, 1]),
        ];
        for (kept, expected) in cases {
            let (store, _) = store();
            let ids: Vec<_> =
                kept.iter().map(|(owner, length)| store.insert(owner, result(*length))).collect();
            let is_there = |at: &usize| {
                let (owner, length) = kept[*at];
                let found = ids[*at].as_ref().and_then(|id| store.find(owner, id));
                found.is_some_and(|found| found == result(length))
            };
            let there: Vec<usize> = (0..kept.len()).filter(is_there).collect();
            assert_eq!(there, expected, "{kept:?}");
        }
    }

    #[test]
    fn a_result_is_its_callers_until_it_expires() {
        let (store, seconds) = store();
        let id = store.insert("ada", result(5)).expect("there is room");
        assert_eq!(store.find("ada", &id), Some(result(5)));
        assert_eq!(store.find("eve", &id), None);
        assert_eq!(store.find("ada", "other"), None);
        seconds.fetch_add(59, Ordering::SeqCst);
        assert!(store.find("ada", &id).is_some());
        seconds.fetch_add(1, Ordering::SeqCst);
        assert_eq!(store.find("ada", &id), None);
        // The room of expired results is free.
        assert!(store.insert("ada", result(50)).is_some());
        assert_eq!(store.entries.lock().expect("not poisoned").len(), 1);
    }
}
