//! The right to change a record, lent by its store to one holder at a time: among the tasks of a process, and
//! among processes and replicas that share the store.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::flow::PATIENCE;
use super::{AuthError, TokenStore};

/// How long the right is lent; whoever is still at it asks again before.
const LEASE: Duration = Duration::from_secs(30);
/// How often it is looked whether somebody else has given it back.
const POLL: Duration = Duration::from_millis(100);

/// The right to change one record.
pub(crate) struct Lease<'a> {
    pub(crate) store: &'a dyn TokenStore,
    pub(crate) key: &'a str,
    pub(crate) holder: &'a str,
}

impl Lease<'_> {
    /// Whether it is ours now.
    pub(crate) async fn take(&self) -> Result<bool, AuthError> {
        self.store.lease(self.key, self.holder, LEASE).await
    }

    /// Keeps it. Ends only if somebody else has it now.
    pub(crate) async fn keep(&self) -> AuthError {
        loop {
            sleep(LEASE / 3).await;
            // A store that cannot be reached now may be there again before the lease ends.
            if let Ok(false) = self.take().await {
                return AuthError::Store("somebody else changes this credential now; try again".to_owned());
            }
        }
    }

    pub(crate) async fn give_back(&self) {
        if let Err(error) = self.store.release(self.key, self.holder).await {
            tracing::warn!(%error, "the lease of a credential runs on");
        }
    }
}

/// Somebody who waits for a lease, but not for ever.
pub(crate) struct Waiting {
    end: Instant,
}

impl Waiting {
    pub(crate) fn begin() -> Waiting {
        Waiting { end: Instant::now() + PATIENCE }
    }

    pub(crate) async fn a_while(&self) -> Result<(), AuthError> {
        if Instant::now() >= self.end {
            return Err(AuthError::Store("another process is signing in, and does not end".to_owned()));
        }
        sleep(POLL).await;
        Ok(())
    }
}
