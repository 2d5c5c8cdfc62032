//! The pace of requests: a vendor's limit is kept by waiting, not by being refused.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::manifest::RequestRate;

/// Longest time that a call waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The pace of requests to one API. Up to a whole allowance is sent at once; then requests are spread evenly.
pub(super) struct RequestPace {
    rate: RequestRate,
    /// The time at which all requests that were let through are paid for ("generic cell rate algorithm").
    paid_at: Mutex<Option<Instant>>,
}

impl RequestPace {
    pub(super) fn new(rate: RequestRate) -> RequestPace {
        RequestPace { rate, paid_at: Mutex::default() }
    }

    /// Waits for a turn. The error is for the model: the wait is too long.
    pub(super) async fn wait(&self) -> Result<(), String> {
        let wait = self.turn(Instant::now());
        if wait > MAX_WAIT {
            return Err(format!(
                "The API takes {} requests in {} s, and these are used. Wait {} s, then call again.",
                self.rate.requests,
                self.rate.per.as_secs(),
                wait.as_secs()
            ));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Takes a turn. Returns the wait for it; one that is too long takes no turn.
    fn turn(&self, now: Instant) -> Duration {
        let mut paid_at = self.paid_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let paid = paid_at.unwrap_or(now).max(now) + self.rate.interval();
        let wait = paid.saturating_duration_since(now + self.rate.per);
        if wait <= MAX_WAIT {
            *paid_at = Some(paid);
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_beyond_the_rate_wait_for_their_turn() {
        let pace = RequestPace::new(RequestRate::read("3/s").expect("a rate"));
        let start = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..5 {
            pace.wait().await.expect("a turn");
            waits.push(start.elapsed().as_millis());
        }
        assert_eq!(waits[..3], [0, 0, 0]);
        assert!((330..340).contains(&waits[3]) && (660..670).contains(&waits[4]), "{waits:?}");
        let slow = RequestPace::new(RequestRate::read("1/h").expect("a rate"));
        slow.wait().await.expect("the first turn");
        let refused = slow.wait().await.expect_err("an hour");
        assert!(refused.contains("Wait 3600 s"), "{refused}");
        tokio::time::advance(Duration::from_secs(3600)).await;
        slow.wait().await.expect("the hour is over");
    }
}
