//! Limits the number of processes that start at the same time to the number of processors, so that each of them makes
//! progress. A start that does not use the processor (it sleeps, or waits for the network) does not count.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use loggia::client::StartProgress;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The number of consecutive reports without work after which a start no longer counts; they take two seconds.
const IDLE_REPORTS: u32 = 4;

/// Gives processes a turn to start.
pub(crate) struct StartPace {
    turns: Arc<Semaphore>,
    longest: Duration,
}

/// The turn of one process. Dropping it ends it.
pub(crate) struct StartTurn {
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    idle: AtomicU32,
    longest: Duration,
}

impl StartPace {
    /// Lets `at_once` processes start at once, each for at most `longest`.
    pub(crate) fn new(at_once: usize, longest: Duration) -> StartPace {
        StartPace { turns: Arc::new(Semaphore::new(at_once.max(1))), longest }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> StartTurn {
        // The semaphore is never closed. Without a permit, the number of starts would not be limited.
        let permit = self.turns.clone().acquire_owned().await.ok();
        StartTurn { permit: Mutex::new(permit), idle: AtomicU32::new(0), longest: self.longest }
    }

    /// Returns whether a process that wants to start has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.turns.available_permits() == 0
    }
}

impl StartTurn {
    /// Examines a report of the process, and ends the turn if it is idle or its time is over.
    pub(crate) fn observe(&self, progress: &StartProgress) {
        let idle = match progress.working {
            true => {
                self.idle.store(0, Ordering::Relaxed);
                0
            }
            false => self.idle.fetch_add(1, Ordering::Relaxed) + 1,
        };
        if idle >= IDLE_REPORTS || progress.elapsed >= self.longest {
            self.end();
        }
    }

    /// Ends the turn: the process has started, or could not be started.
    pub(crate) fn end(&self) {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports of a start: seconds since it began, and whether it works.
    type Reports = Vec<(u64, bool)>;

    async fn turns_free_after(reports: Reports) -> usize {
        let pace = StartPace::new(1, Duration::from_secs(20));
        let turn = pace.turn().await;
        assert!(pace.is_full());
        for (elapsed, working) in reports {
            turn.observe(&StartProgress::new(Duration::from_secs(elapsed), working, None));
        }
        let free = pace.turns.available_permits();
        drop(turn);
        assert!(!pace.is_full());
        free
    }

    #[tokio::test]
    async fn a_start_keeps_its_turn_while_it_works_and_no_longer_than_its_time() {
        let cases: Vec<(&str, Reports, usize)> = vec![
            ("no report", vec![], 0),
            ("works", vec![(1, true), (10, true), (19, true)], 0),
            ("has worked for its time", vec![(1, true), (20, true)], 1),
            ("idles", vec![(1, false), (1, false), (2, false), (2, false)], 1),
            ("idles now and then", vec![(1, false), (2, false), (3, false), (4, true), (5, false)], 0),
        ];
        for (name, reports, free) in cases {
            assert_eq!(turns_free_after(reports).await, free, "{name}");
        }
    }
}
