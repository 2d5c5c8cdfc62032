//! The limits of one operation: directory entries, bytes read, time. One value is passed to all steps, so that a
//! search over many small files and one over a single endless file stop at the same limits.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use super::Limits;

/// The remaining limits of an operation.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    entries: usize,
    bytes: u64,
    deadline: Instant,
    stop: StopSignal,
    spent: Option<ReachedLimit>,
}

/// Says during an operation whether its caller has gone.
#[derive(Clone, Default)]
pub(super) struct StopSignal(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl StopSignal {
    pub(super) fn new(stop: impl Fn() -> bool + Send + Sync + 'static) -> StopSignal {
        StopSignal(Some(Arc::new(stop)))
    }

    fn now(&self) -> bool {
        self.0.as_ref().is_some_and(|stop| stop())
    }
}

impl fmt::Debug for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StopSignal")
    }
}

/// The limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReachedLimit {
    Entries,
    Bytes,
    Time,
}

impl ReachedLimit {
    /// Returns the text for the caller.
    pub(super) fn note(self) -> &'static str {
        match self {
            ReachedLimit::Entries => "stopped early: too many files and directories",
            ReachedLimit::Bytes => "stopped early: too many bytes to read",
            ReachedLimit::Time => "stopped early: it took too long",
        }
    }
}

impl Budget {
    pub(super) fn new(limits: &Limits, stop: StopSignal) -> Budget {
        let deadline = Instant::now() + limits.time;
        Budget { entries: limits.entries, bytes: limits.scan, deadline, stop, spent: None }
    }

    pub(super) fn spent(&self) -> Option<ReachedLimit> {
        self.spent
    }

    /// Counts one directory entry.
    pub(super) fn entry(&mut self) -> Result<(), ReachedLimit> {
        match self.entries.checked_sub(1) {
            Some(left) => self.entries = left,
            None => return self.end(ReachedLimit::Entries),
        }
        self.time()
    }

    fn bytes(&mut self, count: usize) -> Result<(), ReachedLimit> {
        match self.bytes.checked_sub(count as u64) {
            Some(left) => self.bytes = left,
            None => return self.end(ReachedLimit::Bytes),
        }
        self.time()
    }

    /// Fails if the time is over or the caller has gone.
    pub(super) fn time(&mut self) -> Result<(), ReachedLimit> {
        if Instant::now() >= self.deadline || self.stop.now() { self.end(ReachedLimit::Time) } else { Ok(()) }
    }

    fn end(&mut self, spent: ReachedLimit) -> Result<(), ReachedLimit> {
        self.spent = Some(spent);
        Err(spent)
    }
}

/// A reader that fails when the budget is used up.
pub(super) struct MeteredReader<'b, R> {
    pub(super) inner: R,
    pub(super) budget: &'b mut Budget,
}

impl<R: Read> Read for MeteredReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.budget.bytes(count) {
            Ok(()) => Ok(count),
            Err(spent) => Err(io::Error::new(io::ErrorKind::TimedOut, spent.note())),
        }
    }
}
