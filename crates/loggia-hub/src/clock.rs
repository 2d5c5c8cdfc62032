//! The clock of the hub. It is the runtime's, which tests can stop.

use std::time::Instant;

/// Returns the time of the runtime's clock, which tests can stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
