//! The clock. Tokens, keys and records expire, so every type that checks this takes a clock that a test can replace.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A function that returns the current time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Returns the clock of the machine.
pub fn system() -> Clock {
    Arc::new(SystemTime::now)
}

/// Converts a time to seconds since 1970.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Converts seconds since 1970 to a time.
pub fn from_seconds(seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}
