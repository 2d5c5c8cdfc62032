//! The lease of one record: the exclusive right to change it, among the tasks of a process and among the processes and
//! replicas that share its store.
//!
//! Invariant: work on a leased record ends as soon as another holder has the lease.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::token_store::TokenStore;
use crate::error::AuthError;

/// The duration of a lease. A holder that still works extends it before its end.
const LEASE: Duration = Duration::from_secs(30);
/// The interval at which a waiting task tries to take the lease.
const POLL: Duration = Duration::from_millis(100);
/// The maximum time that a task waits for a lease: the time for a user to sign in.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(600);

/// The lease of one record for one holder.
pub(crate) struct RecordLease<'a> {
    pub(crate) store: &'a dyn TokenStore,
    pub(crate) key: &'a str,
    pub(crate) holder: &'a str,
}

impl RecordLease<'_> {
    /// Takes or extends the lease. Returns `false` if another holder has it.
    pub(crate) async fn take(&self) -> Result<bool, AuthError> {
        self.store.lease(self.key, self.holder, LEASE).await
    }

    /// Runs `work` while extending the lease, and releases the lease afterwards. The lease must have been taken
    /// before. The work is dropped if another holder gets the lease.
    pub(crate) async fn hold<T>(
        &self,
        work: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, AuthError> {
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            error = self.extend() => Err(error),
        };
        self.release().await;
        outcome
    }

    /// Releases the lease. If that fails, the lease ends after its duration.
    pub(crate) async fn release(&self) {
        if let Err(error) = self.store.release(self.key, self.holder).await {
            tracing::warn!(%error, "the lease of a credential is not released before its time is over");
        }
    }

    /// Extends the lease repeatedly. Returns when another holder has it.
    async fn extend(&self) -> AuthError {
        loop {
            sleep(LEASE / 3).await;
            // A store that is unreachable now may be reachable before the lease ends.
            if let Ok(false) = self.take().await {
                return AuthError::Store("another process changes this credential now; try again".to_owned());
            }
        }
    }
}

/// A bounded wait for a lease.
pub(crate) struct LeaseWait {
    end: Instant,
}

impl LeaseWait {
    /// Starts a wait.
    pub(crate) fn start() -> LeaseWait {
        LeaseWait { end: Instant::now() + MAX_WAIT }
    }

    /// Sleeps until the next attempt. Fails when the wait has lasted [`MAX_WAIT`].
    pub(crate) async fn pause(&self) -> Result<(), AuthError> {
        if Instant::now() >= self.end {
            return Err(AuthError::Store("another process is signing in, and does not end".to_owned()));
        }
        sleep(POLL).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test(start_paused = true)]
    async fn work_ends_with_its_lease_and_the_lease_with_its_work() {
        let store = MemoryStore::new();
        let lease = |holder| RecordLease { store: &store, key: "a", holder };
        let (one, other) = (lease("one"), lease("other"));
        assert!(one.take().await.unwrap() && !other.take().await.unwrap());

        // Work that takes longer than the lease keeps it.
        let outcome = one.hold(async {
            sleep(LEASE * 3).await;
            other.take().await
        });
        assert_eq!(outcome.await, Ok(false));
        assert!(other.take().await.unwrap(), "it was released");

        // A holder that has lost the lease is stopped.
        let outcome = one.hold(std::future::pending::<Result<(), AuthError>>()).await;
        assert!(matches!(outcome, Err(AuthError::Store(_))), "{outcome:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends() {
        let wait = LeaseWait::start();
        assert_eq!(wait.pause().await, Ok(()));
        sleep(MAX_WAIT).await;
        assert!(matches!(wait.pause().await, Err(AuthError::Store(_))));
    }
}
