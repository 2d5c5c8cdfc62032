//! The clock of the hub: the clock of the tokio runtime, which tests can pause.

use std::time::Instant;

/// Returns the time of the runtime's clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
