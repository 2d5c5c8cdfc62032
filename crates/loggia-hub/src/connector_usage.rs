//! The use of a connector: the running requests, and the time since the last one. A process that is not used is stopped.
//!
//! Invariant: a request that began before a check for use is seen by that check, or finds no connection.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// The use of one connector.
pub(crate) struct ConnectorUsage(Mutex<UsageCounts>);

struct UsageCounts {
    running: usize,
    /// The end of the last request.
    last: Instant,
}

/// A running request. Dropping it ends the use.
pub(crate) struct RunningRequest<'u> {
    usage: &'u ConnectorUsage,
    clock: fn() -> Instant,
}

impl ConnectorUsage {
    /// Creates the use of a connector without a request.
    pub(crate) fn new(now: Instant) -> ConnectorUsage {
        ConnectorUsage(Mutex::new(UsageCounts { running: 0, last: now }))
    }

    /// Records that a request begins.
    pub(crate) fn begin(&self, clock: fn() -> Instant) -> RunningRequest<'_> {
        self.with(|counts| counts.running += 1);
        RunningRequest { usage: self, clock }
    }

    /// Records a use that is no request: the connection was opened.
    pub(crate) fn touch(&self, now: Instant) {
        self.with(|counts| counts.last = now);
    }

    /// Returns the time that is left until it was idle for `longest`; `None` if it was. While a request runs, this is
    /// the whole time.
    pub(crate) fn time_left(&self, longest: Duration, now: Instant) -> Option<Duration> {
        self.with(|counts| match counts.running {
            0 => {
                longest.checked_sub(now.saturating_duration_since(counts.last)).filter(|left| !left.is_zero())
            }
            _ => Some(longest),
        })
    }

    /// Returns whether no request runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.with(|counts| counts.running == 0)
    }

    fn with<T>(&self, act: impl FnOnce(&mut UsageCounts) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for RunningRequest<'_> {
    fn drop(&mut self) {
        let now = (self.clock)();
        self.usage.with(|counts| {
            counts.running -= 1;
            counts.last = now;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_is_idle_after_its_last_request() {
        let start = Instant::now();
        let usage = ConnectorUsage::new(start);
        let (longest, second) = (Duration::from_secs(10), Duration::from_secs(1));
        assert_eq!(usage.time_left(longest, start + second), Some(9 * second));
        assert_eq!(usage.time_left(longest, start + longest), None);
        let running = usage.begin(Instant::now);
        assert!(!usage.is_idle());
        assert_eq!(usage.time_left(longest, start + 10 * longest), Some(longest));
        drop(running);
        assert!(usage.is_idle() && usage.time_left(longest, Instant::now()).is_some());
        usage.touch(start);
        assert_eq!(usage.time_left(longest, start + longest), None);
    }
}
