//! The start of a server that runs as a child process. Until its first message, the server is neither taken for a
//! legacy server nor given up while it works, even on a slow machine.

use std::time::{Duration, Instant};

/// The progress of the start of a server that runs as a child process. It is reported twice a second until the first
/// message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartProgress {
    /// The time since it was started.
    pub elapsed: Duration,
    /// True if it has worked since the last report: used the processor, read or wrote.
    pub working: bool,
    /// The last line of its error output.
    pub last_line: Option<String>,
}

/// Receives the progress of a start.
pub(crate) type StartHook = std::sync::Arc<dyn Fn(&StartProgress) + Send + Sync>;

impl StartProgress {
    /// Creates a report, for tests of functions that receive it.
    pub fn new(elapsed: Duration, working: bool, last_line: Option<String>) -> StartProgress {
        StartProgress { elapsed, working, last_line }
    }
}

/// One observation of a starting child.
#[derive(Debug, Clone)]
pub(crate) struct StartSign {
    pub(crate) progress: StartProgress,
    /// True if it has read everything that was written to its input; `None` if the system does not report it.
    pub(crate) has_read_input: Option<bool>,
}

/// The deadlines of a child that has sent no message yet. A state machine without I/O.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartClock {
    limit: Duration,
    begun: Instant,
    give_up_at: Instant,
    /// The time since which it reads its input, and the time since which it reads without a sign of work.
    reading: Option<(Instant, Instant)>,
}

impl StartClock {
    /// The factor by which work extends the limit at most.
    const EXTENSIONS: u32 = 12;
    /// The factor by which work extends the limit of a probe at most, because a legacy server may be busy forever.
    const PROBE_EXTENSIONS: u32 = 6;

    /// Creates the clock of a child that was started at `now` and may show no sign of work for `limit`.
    pub(crate) fn new(now: Instant, limit: Duration) -> StartClock {
        StartClock { limit, begun: now, give_up_at: now + limit, reading: None }
    }

    /// Returns the time without a sign of work after which a child is given up.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Handles an observation of the child.
    pub(crate) fn handle_sign(&mut self, now: Instant, sign: &StartSign) {
        if sign.progress.working {
            let latest = self.begun + self.limit * StartClock::EXTENSIONS;
            self.give_up_at = (now + self.limit).min(latest);
        }
        match &mut self.reading {
            Some((_, quiet_since)) if sign.progress.working => *quiet_since = now,
            None if sign.has_read_input != Some(false) => self.reading = Some((now, now)),
            _ => {}
        }
    }

    /// Returns the time at which the start fails.
    pub(crate) fn give_up_at(&self) -> Instant {
        self.give_up_at
    }

    /// Returns the time at which a probe counts as unanswered after `limit`. The limit does not begin before the
    /// child has read the probe.
    pub(crate) fn silent_at(&self, limit: Duration) -> Instant {
        let silent = self.reading.map(|(since, quiet_since)| {
            (quiet_since + limit).min(since + limit * StartClock::PROBE_EXTENSIONS)
        });
        silent.map_or(self.give_up_at, |at| at.min(self.give_up_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMIT: Duration = Duration::from_secs(300);
    const PROBE: Duration = Duration::from_secs(5);

    fn sign(working: bool, has_read_input: Option<bool>) -> StartSign {
        let progress = StartProgress { elapsed: Duration::ZERO, working, last_line: None };
        StartSign { progress, has_read_input }
    }

    /// Signs at seconds after the start; then, in seconds after the start, when a probe counts as unanswered
    /// and when the child is given up.
    type Case = (&'static str, Vec<(u32, bool, Option<bool>)>, u32, u32);

    #[test]
    fn a_child_that_works_is_waited_for_and_one_that_idles_is_not() {
        let cases: Vec<Case> = vec![
            ("nothing is known yet", vec![], 300, 300),
            ("sleeps and reads nothing", vec![(1, false, Some(false)), (70, false, Some(false))], 300, 300),
            ("works and reads nothing", vec![(1, true, Some(false)), (70, true, Some(false))], 370, 370),
            ("reads after a long sleep", vec![(1, false, Some(false)), (70, false, Some(true))], 75, 300),
            ("reads and still works", vec![(1, false, Some(true)), (4, true, Some(true))], 9, 304),
            ("reads and is busy for ever", (1..=200).map(|s| (s, true, Some(true))).collect(), 31, 500),
            ("works for ever", (1..=3590).map(|s| (s, true, Some(false))).collect(), 3600, 3600),
            ("a system that tells nothing", vec![(1, false, None), (70, false, None)], 6, 300),
        ];
        for (name, signs, silent, given_up) in cases {
            let start = Instant::now();
            let mut clock = StartClock::new(start, LIMIT);
            for (at, working, read) in signs {
                clock.handle_sign(start + SECOND * at, &sign(working, read));
            }
            assert_eq!(clock.silent_at(PROBE) - start, SECOND * silent, "{name}");
            assert_eq!(clock.give_up_at() - start, SECOND * given_up, "{name}");
        }
    }
}
