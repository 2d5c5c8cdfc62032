//! Blocking work of calls: each runs on a thread that may block, once the limiter admits it, until its time is over
//! or its caller has gone. Invariant: work that its caller left behind still holds its permit.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loggia::server::{Cx, ToolError};

use crate::limiter::CallLimiter;

/// The end of the work of one call: a time limit, or the caller has gone. It is cheap to clone.
#[derive(Clone)]
pub(crate) struct CallDeadline {
    end: Instant,
    is_cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl CallDeadline {
    /// Returns whether the work must end.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end || (self.is_cancelled)()
    }
}

impl fmt::Debug for CallDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallDeadline").field("end", &self.end).finish_non_exhaustive()
    }
}

/// Runs the blocking work of the calls of one connector.
#[derive(Debug, Clone)]
pub(crate) struct BlockingCalls {
    limiter: CallLimiter,
    time: Duration,
}

impl BlockingCalls {
    /// `running` calls run at the same time, `waiting` ones wait, and each may take `time`.
    pub(crate) fn new(running: usize, waiting: usize, time: Duration) -> BlockingCalls {
        BlockingCalls { limiter: CallLimiter::new(running, waiting), time }
    }

    /// Runs the work of one call. Its error is a text for the model.
    pub(crate) async fn run<T, E>(
        &self,
        cx: &Cx,
        work: impl FnOnce(CallDeadline) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ToolError>
    where
        T: Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let cancelled = cx.cancelled();
        let permit = self.limiter.enter().await.map_err(|e| ToolError::say(e.to_string()))?;
        let end = Instant::now() + self.time;
        let deadline = CallDeadline { end, is_cancelled: Arc::new(move || cancelled.is_cancelled()) };
        let work = move || {
            let _permit = permit;
            work(deadline)
        };
        tokio::task::spawn_blocking(work).await?.map_err(|error| ToolError::say(error.to_string()))
    }
}
