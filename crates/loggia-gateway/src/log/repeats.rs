//! Lines of the log that repeat: a failure that happens once a minute is written once in a while, with its count.
//! Invariant: what is remembered is bounded.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The time in which a line is not written again.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// Most lines that are remembered.
const REMEMBERED: usize = 256;
/// Fields that differ each time that the same thing happens.
const VARYING: [&str; 4] = ["retry_in", "wait", "failures", "in_a_row"];

/// The lines that were written lately. The caller passes the time.
#[derive(Default)]
struct RecentLines(HashMap<u64, LineRecord>);

struct LineRecord {
    written: Instant,
    hidden: u32,
}

impl RecentLines {
    /// Returns how often the line was left out since it was written last; `None` where it is left out now.
    fn repeated(&mut self, line: u64, now: Instant) -> Option<u32> {
        if let Some(recent) = self.0.get_mut(&line) {
            if now.saturating_duration_since(recent.written) < PAUSE {
                recent.hidden = recent.hidden.saturating_add(1);
                return None;
            }
            recent.written = now;
            return Some(std::mem::take(&mut recent.hidden));
        }
        if self.0.len() == REMEMBERED
            && let Some(oldest) =
                self.0.iter().min_by_key(|(_, recent)| recent.written).map(|(line, _)| *line)
        {
            self.0.remove(&oldest);
        }
        self.0.insert(line, LineRecord { written: now, hidden: 0 });
        Some(0)
    }
}

/// A format that leaves out warnings and errors that were written within the last ten minutes.
pub struct CountRepeats<F> {
    inner: F,
    recent: Mutex<RecentLines>,
}

impl<F> CountRepeats<F> {
    /// Writes the other lines in the format `inner`.
    pub fn new(inner: F) -> CountRepeats<F> {
        CountRepeats { inner, recent: Mutex::default() }
    }
}

impl<S, N, F> FormatEvent<S, N> for CountRepeats<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if *event.metadata().level() <= Level::WARN {
            let mut line = LineHasher(DefaultHasher::new());
            event.metadata().callsite().hash(&mut line.0);
            ctx.lookup_current().map(|span| span.id()).hash(&mut line.0);
            event.record(&mut line);
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            match recent.repeated(line.0.finish(), Instant::now()) {
                None => return Ok(()),
                Some(0) => {}
                Some(hidden) => {
                    writeln!(writer, "(the next line was left out {hidden} times since it was last written)")?
                }
            }
        }
        self.inner.format_event(ctx, writer, event)
    }
}

/// Hashes what makes an event the same as another.
struct LineHasher(DefaultHasher);

impl Visit for LineHasher {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !VARYING.contains(&field.name()) {
            (field.name(), format!("{value:?}")).hash(&mut self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_repeats_is_written_once_in_a_while_with_its_count() {
        let start = Instant::now();
        let mut recent = RecentLines::default();
        for (seconds, line, expected) in [
            (0, 1, Some(0)),
            (1, 1, None),
            (1, 2, Some(0)),
            (599, 1, None),
            (600, 1, Some(2)),
            (601, 1, None),
            (5000, 2, Some(0)),
        ] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(recent.repeated(line, now), expected, "line {line} after {seconds} s");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let start = Instant::now();
        let mut recent = RecentLines::default();
        for line in 0..1000 {
            assert_eq!(recent.repeated(line, start + Duration::from_millis(line)), Some(0));
            assert!(recent.0.len() <= REMEMBERED);
        }
        let now = start + Duration::from_secs(2);
        assert_eq!(recent.repeated(999, now), None);
        assert_eq!(recent.repeated(0, now), Some(0));
    }
}
