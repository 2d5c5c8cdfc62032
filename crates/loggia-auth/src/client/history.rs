//! The history of renewals: recent failures and step-ups, which limit how often a client tries again.
//!
//! Many tasks need a token at the same time, and each could open a sign-in window. Invariant: a failure is the result
//! of all tasks that waited for the attempt.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::AuthError;
use crate::scope::Scopes;

/// The maximum number of step-up requests for the same scopes.
const MAX_STEP_UPS: u32 = 2;
/// The time after which step-up requests no longer count.
const STEP_UP_MEMORY: Duration = Duration::from_secs(600);
/// The time after a failed renewal until the next one, while the old token is still valid.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);
/// The time for which a failure is also the result of later tasks.
const FAILURE_MEMORY: Duration = Duration::from_secs(3);

/// The recent attempts to get a token.
#[derive(Default)]
pub(super) struct RenewalHistory {
    /// The time of the last failed renewal before expiry.
    renewal_failed_at: Option<Instant>,
    /// The last failure of a request for a new token.
    failure: Option<(Instant, AuthError)>,
    step_ups: HashMap<Scopes, (u32, Instant)>,
}

impl RenewalHistory {
    /// Returns whether a token that is still valid may be renewed now.
    pub(super) fn may_renew(&self) -> bool {
        self.renewal_failed_at.is_none_or(|at| at.elapsed() >= RENEWAL_PAUSE)
    }

    /// Counts a step-up request. Returns whether it may be sent.
    pub(super) fn count_step_up(&mut self, scopes: &Scopes) -> bool {
        self.step_ups.retain(|_, (_, at)| at.elapsed() < STEP_UP_MEMORY);
        let (count, at) = self.step_ups.entry(scopes.clone()).or_insert((0, Instant::now()));
        *count += 1;
        *at = Instant::now();
        *count <= MAX_STEP_UPS
    }

    /// Returns the failure that a task shares: one after `waiting_since`, or less than [`FAILURE_MEMORY`] ago.
    pub(super) fn shared_failure(&self, waiting_since: Instant) -> Option<AuthError> {
        let (at, error) = self.failure.as_ref()?;
        (*at >= waiting_since || at.elapsed() < FAILURE_MEMORY).then(|| error.clone())
    }

    /// Records the outcome of a renewal before expiry.
    pub(super) fn record_renewal(&mut self, error: Option<&AuthError>) {
        self.renewal_failed_at = error.map(|_| Instant::now());
        self.failure = None;
    }

    /// Records the outcome of a request for a new token.
    pub(super) fn record_request(&mut self, error: Option<&AuthError>) {
        self.renewal_failed_at = None;
        self.failure = error.map(|error| (Instant::now(), error.clone()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn failure() -> AuthError {
        AuthError::Declined("the user closed the window".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_pauses_renewals() {
        let mut history = RenewalHistory::default();
        assert!(history.may_renew());
        history.record_renewal(Some(&failure()));
        for (wait, may_renew) in [(0, false), (9, false), (1, true)] {
            advance(Duration::from_secs(wait)).await;
            assert_eq!(history.may_renew(), may_renew);
        }
        history.record_renewal(Some(&failure()));
        history.record_request(None);
        assert!(history.may_renew(), "a new token ends the pause");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_by_those_who_waited_for_it() {
        let mut history = RenewalHistory::default();
        let before = Instant::now();
        advance(Duration::from_secs(1)).await;
        history.record_request(Some(&failure()));
        // Seconds that pass, and whether a task that waited before, and one that comes now, get the failure.
        for (wait, waited, comes) in [(0, true, true), (2, true, true), (2, true, false)] {
            advance(Duration::from_secs(wait)).await;
            assert_eq!(history.shared_failure(before).is_some(), waited);
            assert_eq!(history.shared_failure(Instant::now()).is_some(), comes, "{wait}");
        }
        history.record_request(None);
        assert_eq!(history.shared_failure(before), None);
    }

    #[tokio::test(start_paused = true)]
    async fn step_ups_are_counted_for_each_set_of_scopes() {
        let mut history = RenewalHistory::default();
        let (one, other) = (Scopes::parse("a"), Scopes::parse("b"));
        for (scopes, is_allowed) in [(&one, true), (&one, true), (&one, false), (&other, true)] {
            assert_eq!(history.count_step_up(scopes), is_allowed, "{scopes}");
        }
        advance(STEP_UP_MEMORY).await;
        assert!(history.count_step_up(&one));
    }
}
