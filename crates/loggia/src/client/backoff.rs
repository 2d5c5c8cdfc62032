//! Growing pauses between attempts, with jitter, so that clients do not try at the same moments.

use std::time::Duration;

/// The waits of one series of attempts.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first, most, attempts: 0 }
    }

    /// Returns the next pause. `jitter`, between 0 and 1, shortens it by up to one half.
    pub(crate) fn next(&mut self, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.attempts.min(16));
        self.attempts = self.attempts.saturating_add(1);
        doubled.min(self.most).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }

    /// Starts the next series of attempts, after a success.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// Returns a number between 0 and 1 from the system's randomness.
pub(crate) fn random() -> f64 {
    // Without randomness all clients have the same pauses.
    let bytes: [u8; 4] = crate::random::try_random().unwrap_or_default();
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500));
        let waits: Vec<u128> = (0..4).map(|_| backoff.next(0.0).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 500]);
        backoff.reset();
        assert_eq!(backoff.next(1.0).as_millis(), 50);
        (0..100).for_each(|_| assert!(backoff.next(0.5) <= Duration::from_millis(500)));
    }
}
