//! Reports the state of a child until its first message, every half second: whether it works, whether it has read its
//! input, and the last line of its error output.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::LastLines;
use super::activity::ChildActivity;
use super::start::{StartProgress, StartSign};

/// The pause between two reports.
const PAUSE: Duration = Duration::from_millis(500);

/// Observes one child that starts.
pub(crate) struct StartWatch {
    activity: ChildActivity,
    error_output: LastLines,
    seen: String,
    begun: Instant,
    ticks: Interval,
}

impl StartWatch {
    pub(super) fn new(activity: ChildActivity, error_output: LastLines) -> StartWatch {
        let begun = Instant::now();
        let mut ticks = tokio::time::interval_at(begun + PAUSE, PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        StartWatch { activity, error_output, seen: String::new(), begun, ticks }
    }

    /// Returns the next report. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> StartSign {
        self.ticks.tick().await;
        let written = self.error_output.text();
        let wrote = written != self.seen;
        self.seen = written;
        let progress = StartProgress {
            elapsed: self.begun.elapsed(),
            working: self.activity.worked() || wrote,
            last_line: self.seen.lines().last().map(str::to_owned),
        };
        StartSign { progress, has_read_input: self.activity.has_read_input() }
    }
}
