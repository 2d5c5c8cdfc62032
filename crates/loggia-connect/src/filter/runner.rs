//! Runs of filters for tasks of an async runtime. A filter may take seconds; on a thread of the runtime it would stop the
//! calls of other users for that long.
//!
//! Invariant: a run on a thread of the runtime has a short input and few steps, and the number of other runs at once is
//! bounded, also when their callers are gone.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use bytes::Bytes;
use loggia::wire::RawJson;
use tokio::sync::Semaphore;

use super::{FilterError, FilterLimits, JsonFilter};

/// Longest input of a run on a thread of the runtime, in bytes. Without optimization it is read in 40 ms.
const MOST_INPUT: usize = 64 << 10;
/// Most steps of a run on a thread of the runtime. Without optimization they take 20 to 100 ms over the longest input, and
/// an optimized program is about ten times as fast. A run that needs more starts again on another thread.
const MOST_STEPS: u64 = 20_000;

/// A bounded number of threads that run filters. Cheap to clone; clones share the bound.
#[derive(Debug, Clone)]
pub struct FilterRunner {
    permits: Arc<Semaphore>,
    limits: FilterLimits,
}

/// The values that a run takes from a filter.
#[derive(Clone, Copy)]
enum WantedValues {
    First,
    All,
}

impl Default for FilterRunner {
    /// Uses half of the machine's processors, and at least one.
    fn default() -> FilterRunner {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        FilterRunner::new((processors / 2).max(1), FilterLimits::default())
    }
}

impl FilterRunner {
    /// Runs at most `most` filters at once on threads of their own, each within `limits`. More than that wait.
    pub fn new(most: usize, limits: FilterLimits) -> FilterRunner {
        FilterRunner { permits: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))), limits }
    }

    /// Runs a filter like [`JsonFilter::first`]. Needs a tokio runtime.
    pub async fn first(&self, filter: &JsonFilter, input: Bytes) -> Result<Option<RawJson>, FilterError> {
        Ok(self.run(filter, input, WantedValues::First).await?.pop())
    }

    /// Runs a filter like [`JsonFilter::all`]. Needs a tokio runtime.
    pub async fn all(&self, filter: &JsonFilter, input: Bytes) -> Result<Vec<RawJson>, FilterError> {
        self.run(filter, input, WantedValues::All).await
    }

    async fn run(
        &self,
        filter: &JsonFilter,
        input: Bytes,
        wanted: WantedValues,
    ) -> Result<Vec<RawJson>, FilterError> {
        let limits = self.limits;
        if input.len() <= MOST_INPUT {
            let short = FilterLimits { steps: limits.steps.min(MOST_STEPS), ..limits };
            match wanted.of(filter, &input, short) {
                Err(FilterError::Steps) if short.steps < limits.steps => {}
                outcome => return outcome,
            }
        }
        let stopped = || FilterError::Failed("its run was stopped".to_owned());
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| stopped())?;
        let filter = filter.clone();
        let run = tokio::task::spawn_blocking(move || {
            // A run goes on when its caller is gone, so the permit is the run's and not the caller's.
            let _permit = permit;
            wanted.of(&filter, &input, limits)
        });
        run.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl WantedValues {
    fn of(
        self,
        filter: &JsonFilter,
        input: &[u8],
        limits: FilterLimits,
    ) -> Result<Vec<RawJson>, FilterError> {
        match self {
            WantedValues::First => filter.first(input, limits).map(|value| value.into_iter().collect()),
            WantedValues::All => filter.all(input, limits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case: a filter, an input, and its values or a part of its error. The last two are too long for a thread of the
    /// runtime.
    #[tokio::test]
    async fn a_run_gives_the_same_wherever_it_runs() {
        let long = format!("[{}1]", "1,".repeat(MOST_INPUT));
        let runner = FilterRunner::new(1, FilterLimits { steps: 1_000_000, ..FilterLimits::default() });
        for (filter, input, expected) in [
            (".a, .b", r#"{"a":1,"b":2}"#, Ok("1 2")),
            ("error(\"x\")", "null", Err("x")),
            ("[range(1e12)]", "null", Err("too long")),
            ("last(range(100000))", "null", Ok("99999")),
            ("length", long.as_str(), Ok("65537")),
        ] {
            let filter = JsonFilter::compile(filter).expect(filter);
            let values = runner.all(&filter, Bytes::copy_from_slice(input.as_bytes())).await;
            match (values, expected) {
                (Ok(values), Ok(expected)) => {
                    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
                    assert_eq!(texts.join(" "), expected, "{filter}");
                    let first = runner.first(&filter, Bytes::copy_from_slice(input.as_bytes())).await;
                    assert_eq!(first, Ok(values.first().cloned()), "{filter}");
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{filter}: {error}"),
                (values, _) => panic!("{filter}: {values:?}"),
            }
        }
    }

    /// While the one permit is taken, short runs give their value and long ones wait.
    #[tokio::test]
    async fn a_long_run_waits_for_a_permit_and_a_short_one_does_not() {
        use std::task::Poll;

        let runner = FilterRunner::new(1, FilterLimits::default());
        let permit = runner.permits.clone().acquire_owned().await.expect("the permit");
        let long = JsonFilter::compile("last(range(100000))").expect("a filter");
        let short = JsonFilter::compile(".").expect("a filter");
        assert!(runner.first(&short, Bytes::from_static(b"1")).await.is_ok());
        let mut waiting = Box::pin(runner.first(&long, Bytes::from_static(b"null")));
        let waits = std::future::poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
        assert_eq!(runner.permits.available_permits(), 0);
        drop(permit);
        assert!(waiting.await.is_ok());
    }
}
