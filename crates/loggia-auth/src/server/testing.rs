//! A clock and a store for the unit tests of the server's parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::records::RecordStore;
use crate::clock::Clock;
use crate::store::MemoryStore;

/// A clock that starts now and advances on demand.
#[derive(Clone)]
pub(super) struct TestClock {
    start: SystemTime,
    seconds: Arc<AtomicU64>,
}

impl TestClock {
    pub(super) fn new() -> TestClock {
        TestClock { start: SystemTime::now(), seconds: Arc::default() }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.start + Duration::from_secs(self.seconds.load(Ordering::SeqCst))
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(super) fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// Returns an empty store of records that expire by this clock.
    pub(super) fn records(&self) -> RecordStore {
        RecordStore::new(Arc::new(MemoryStore::new()), self.clock())
    }
}
