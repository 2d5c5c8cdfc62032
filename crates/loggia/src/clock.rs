//! The wall clock for values that expire: sessions, and the state of calls.
//!
//! The clock is a value, so that a test can set the time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the time of day.
pub(crate) type WallClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Returns the clock of the operating system.
pub(crate) fn system_clock() -> WallClock {
    Arc::new(SystemTime::now)
}

/// Returns `time` in seconds of Unix time; 0 for a time before 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// Returns the time of the runtime's clock, which a test can pause.
#[cfg(feature = "client")]
pub(crate) fn runtime_now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}
