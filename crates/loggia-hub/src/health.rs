//! The health of one upstream, as a state machine without I/O: the supervisor reports events with their time, and
//! asks for the next step.
//!
//! After a failure, the next attempt waits. The delay doubles with each failure and is randomized, so that many hubs
//! do not connect to a recovering server at the same time. An upstream that fails again soon after it came up is not
//! tried more often than one that never comes up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::retry::RetryDecision;

/// The pauses between attempts to reach an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Delay after the first failure.
    pub first_retry: Duration,
    /// Longest delay between two attempts.
    pub longest_retry: Duration,
    /// The time that a connection must last until earlier failures are forgotten.
    pub stable_after: Duration,
    /// The time that the tools of an upstream that is down stay listed.
    pub keep_listed: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            first_retry: Duration::from_millis(500),
            longest_retry: Duration::from_secs(60),
            stable_after: Duration::from_secs(30),
            keep_listed: Duration::from_secs(60 * 60),
        }
    }
}

/// The state of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HealthState {
    /// An attempt is running.
    Connecting,
    /// It answers.
    Up,
    /// It does not answer, and will be tried again.
    Down {
        /// The time of the next attempt.
        retry_at: Instant,
    },
    /// It cannot be started with its configuration, and is not tried again.
    Failed,
}

/// The next step of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HealthAction {
    /// Start an attempt to connect, then report [`Health::connected`] or [`Health::failed`].
    Connect,
    /// The upstream was down for too long: stop showing its lists.
    Forget,
}

/// The health of one upstream.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    policy: RetryPolicy,
    state: HealthState,
    /// The time of the last change between up and not up.
    since: Instant,
    failures: u32,
    last_error: Option<Arc<str>>,
    /// True if its lists are shown.
    listed: bool,
}

impl Health {
    /// Creates the health of an upstream without an attempt so far. An attempt is due immediately. `listed` says
    /// whether its lists are shown already.
    pub(crate) fn new(policy: RetryPolicy, now: Instant, listed: bool) -> Health {
        Health { policy, state: HealthState::Connecting, since: now, failures: 0, last_error: None, listed }
    }

    /// Returns the state.
    pub(crate) fn state(&self) -> &HealthState {
        &self.state
    }

    /// Returns the time since which it is up, or is not up.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Returns the number of failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Returns the reason why the last attempt failed or the last connection ended.
    pub(crate) fn last_error(&self) -> Option<&Arc<str>> {
        self.last_error.as_ref()
    }

    /// Records that an attempt succeeded.
    pub(crate) fn connected(&mut self, now: Instant) {
        self.state = HealthState::Up;
        self.since = now;
        self.listed = true;
    }

    /// Records that an attempt failed. `spread` is random, from 0 to 1 (exclusive).
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        why: impl Into<Arc<str>>,
        retry: RetryDecision,
        spread: f64,
    ) {
        self.failures = self.failures.saturating_add(1);
        match retry {
            RetryDecision::Soon => self.wait(now, why.into(), spread),
            RetryDecision::Slowly => self.wait_for(now, self.policy.longest_retry, why.into(), spread),
            RetryDecision::Never => {
                self.last_error = Some(why.into());
                self.state = HealthState::Failed;
            }
        }
    }

    /// Records that the connection ended. `spread` is random, from 0 to 1 (exclusive).
    pub(crate) fn lost(&mut self, now: Instant, why: impl Into<Arc<str>>, spread: f64) {
        let stable = now.saturating_duration_since(self.since) >= self.policy.stable_after;
        self.failures = if stable { 1 } else { self.failures.saturating_add(1) };
        self.since = now;
        self.wait(now, why.into(), spread);
    }

    /// Records that an attempt begins without a failure: the process was stopped because it was not used.
    pub(crate) fn restarted(&mut self, now: Instant) {
        self.state = HealthState::Connecting;
        self.since = now;
    }

    /// Returns the time at which to call [`Health::handle_timeout`] next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let retry = match self.state {
            HealthState::Down { retry_at } => Some(retry_at),
            HealthState::Connecting | HealthState::Up | HealthState::Failed => None,
        };
        retry.into_iter().chain(self.forget_at()).min()
    }

    /// Returns the step that is due at `now`. Call it again until it returns `None`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<HealthAction> {
        let due = self.forget_at().is_some_and(|at| at <= now);
        if due || (self.listed && self.state == HealthState::Failed) {
            self.listed = false;
            return Some(HealthAction::Forget);
        }
        match self.state {
            HealthState::Down { retry_at } if retry_at <= now => {
                self.state = HealthState::Connecting;
                Some(HealthAction::Connect)
            }
            _ => None,
        }
    }

    fn forget_at(&self) -> Option<Instant> {
        (self.listed && self.state != HealthState::Up).then(|| self.since + self.policy.keep_listed)
    }

    fn wait(&mut self, now: Instant, why: Arc<str>, spread: f64) {
        let doubled = self.policy.first_retry.saturating_mul(1 << (self.failures - 1).min(20));
        self.wait_for(now, doubled.min(self.policy.longest_retry), why, spread);
    }

    fn wait_for(&mut self, now: Instant, delay: Duration, why: Arc<str>, spread: f64) {
        // The delay is between one half and the whole of the computed one.
        let delay = delay.mul_f64(0.5 + spread.clamp(0.0, 1.0) / 2.0);
        self.last_error = Some(why);
        self.state = HealthState::Down { retry_at: now + delay };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn retry_delay(health: &Health, now: Instant) -> Duration {
        match health.state() {
            HealthState::Down { retry_at } => *retry_at - now,
            other => panic!("expected Down, got {other:?}"),
        }
    }

    /// Moves the clock to the next thing that is due, as the supervisor would.
    fn next_due(health: &mut Health, now: &mut Instant) -> HealthAction {
        *now = health.poll_timeout().expect("something is due");
        health.handle_timeout(*now).expect("what poll_timeout named is due")
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let mut now = Instant::now();
        let mut health = Health::new(RetryPolicy::default(), now, false);
        let mut delays = Vec::new();
        for _ in 0..9 {
            health.failed(now, "refused", RetryDecision::Soon, 1.0);
            delays.push(retry_delay(&health, now).as_millis());
            assert_eq!(next_due(&mut health, &mut now), HealthAction::Connect);
        }
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
    }

    #[test]
    fn the_spread_takes_at_most_half_away() {
        let now = Instant::now();
        for (spread, expected) in [(0.0, 250), (0.5, 375), (1.0, 500), (7.0, 500), (-1.0, 250)] {
            let mut health = Health::new(RetryPolicy::default(), now, false);
            health.failed(now, "refused", RetryDecision::Soon, spread);
            assert_eq!(retry_delay(&health, now).as_millis(), expected, "{spread}");
        }
    }

    #[test]
    fn a_connection_that_lasted_forgives_earlier_failures_and_a_short_one_does_not() {
        for (lasted, expected_failures) in [(29 * SECOND, 4), (30 * SECOND, 1)] {
            let now = Instant::now();
            let mut health = Health::new(RetryPolicy::default(), now, false);
            (0..3).for_each(|_| health.failed(now, "refused", RetryDecision::Soon, 0.0));
            health.connected(now);
            health.lost(now + lasted, "closed", 0.0);
            assert_eq!(health.failures(), expected_failures);
            assert_eq!(health.last_error().map(|e| &**e), Some("closed"));
        }
    }

    #[test]
    fn the_time_away_counts_from_the_loss_through_every_attempt() {
        let start = Instant::now();
        let mut now = start;
        let mut health = Health::new(RetryPolicy::default(), now, false);
        health.connected(now);
        let lost_at = now + 40 * SECOND;
        now = lost_at;
        health.lost(now, "closed", 0.0);
        for _ in 0..4 {
            assert_eq!(next_due(&mut health, &mut now), HealthAction::Connect);
            health.failed(now, "refused", RetryDecision::Soon, 0.0);
            assert_eq!(health.since(), lost_at);
        }
        health.connected(now);
        assert_eq!(health.since(), now);
    }

    #[test]
    fn lists_are_forgotten_once_and_come_back() {
        let policy = RetryPolicy { keep_listed: 700 * MS, first_retry: 400 * MS, ..RetryPolicy::default() };
        let mut now = Instant::now();
        let mut health = Health::new(policy, now, false);
        health.connected(now);
        health.lost(now, "closed", 1.0);
        let due: Vec<HealthAction> = (0..4)
            .map(|_| {
                let due = next_due(&mut health, &mut now);
                if due == HealthAction::Connect {
                    health.failed(now, "refused", RetryDecision::Soon, 1.0);
                }
                due
            })
            .collect();
        assert_eq!(
            due,
            [HealthAction::Connect, HealthAction::Forget, HealthAction::Connect, HealthAction::Connect]
        );
        health.connected(now);
        assert_eq!(health.poll_timeout(), None);
        health.lost(now, "closed", 1.0);
        assert_eq!(next_due(&mut health, &mut now), HealthAction::Forget);
    }

    #[test]
    fn an_upstream_that_was_never_up_has_nothing_to_forget() {
        let mut now = Instant::now();
        let mut health = Health::new(RetryPolicy { keep_listed: MS, ..RetryPolicy::default() }, now, false);
        health.failed(now, "refused", RetryDecision::Soon, 0.0);
        assert_eq!(next_due(&mut health, &mut now), HealthAction::Connect);
    }

    #[test]
    fn the_kind_of_failure_decides_when_to_try_again() {
        let cases = [
            (RetryDecision::Soon, Some(Duration::from_millis(500))),
            (RetryDecision::Slowly, Some(60 * SECOND)),
            (RetryDecision::Never, None),
        ];
        for (retry, delay) in cases {
            let now = Instant::now();
            let mut health = Health::new(RetryPolicy::default(), now, true);
            health.failed(now, "wrong", retry, 1.0);
            match delay {
                Some(delay) => assert_eq!(retry_delay(&health, now), delay, "{retry:?}"),
                None => {
                    // A connector that is never tried again is not listed.
                    assert_eq!(*health.state(), HealthState::Failed);
                    assert_eq!(health.handle_timeout(now), Some(HealthAction::Forget));
                    assert_eq!((health.handle_timeout(now), health.poll_timeout()), (None, None));
                }
            }
        }
    }

    #[test]
    fn remembered_lists_are_forgotten_like_others() {
        let policy =
            RetryPolicy { keep_listed: 5 * SECOND, longest_retry: 60 * SECOND, ..RetryPolicy::default() };
        let start = Instant::now();
        let mut health = Health::new(policy, start, true);
        health.failed(start, "missing", RetryDecision::Slowly, 1.0);
        assert_eq!(health.poll_timeout(), Some(start + 5 * SECOND));
        assert_eq!(health.handle_timeout(start + 5 * SECOND), Some(HealthAction::Forget));
        assert_eq!(health.poll_timeout(), Some(start + 60 * SECOND));
    }
}
