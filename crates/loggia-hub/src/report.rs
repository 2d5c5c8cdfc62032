//! The full state of a connector, for the administrator of the hub. Clients must not see it: reasons and error output
//! may contain paths, addresses and any text of a server.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use crate::status::{ConnectorState, ConnectorStatus, StartStatus};

/// The status of a connector, and its calls since the hub started.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectorReport {
    /// Its status.
    pub status: ConnectorStatus,
    /// The number of its tools that can be called and are not listed.
    pub deferred_tools: usize,
    /// The number of requests that were sent to it.
    pub calls: u64,
    /// The number of these requests that failed.
    pub errors: u64,
    /// The last lines of its error output, the oldest first.
    pub error_output: Vec<String>,
}

impl ConnectorReport {
    /// Returns the report as JSON, with durations up to `now`.
    pub fn to_json(&self, now: Instant) -> Value {
        let status = &self.status;
        let seconds = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs();
        let retry_in = match status.state {
            ConnectorState::Down { retry_at } => Some(seconds(now, retry_at)),
            _ => None,
        };
        let starting = status.starting.as_ref().map(|starting| match starting {
            StartStatus::Queued => json!({ "queued": true }),
            StartStatus::Running { last_line } => {
                json!({ "queued": false, "lastLine": last_line.as_deref() })
            }
        });
        json!({
            "name": &*status.name,
            "prefix": &*status.prefix,
            "kind": &*status.kind,
            "state": status.state_name(),
            "sinceSeconds": seconds(status.since, now),
            "reason": status.last_error.as_deref(),
            "retryInSeconds": retry_in,
            "starting": starting,
            "problems": status.problems.iter().map(|problem| &**problem).collect::<Vec<_>>(),
            "protocolVersion": status.version.map(|version| version.as_str()),
            "server": &status.identity,
            "personal": status.personal,
            "remembered": status.remembered,
            "tools": status.counts.tools,
            "deferredTools": self.deferred_tools,
            "prompts": status.counts.prompts,
            "resources": status.counts.resources,
            "resourceTemplates": status.counts.templates,
            "calls": self.calls,
            "errors": self.errors,
            "errorOutput": &self.error_output,
        })
    }
}

/// Counts the requests of one connector.
#[derive(Debug, Default)]
pub(crate) struct CallCounts {
    calls: AtomicU64,
    errors: AtomicU64,
}

impl CallCounts {
    /// Counts one request.
    pub(crate) fn add(&self, failed: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if failed {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the numbers of requests and of failed requests.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.errors.load(Ordering::Relaxed))
    }
}

/// The last lines of the error output of one connector's processes.
#[derive(Debug, Default)]
pub(crate) struct ErrorOutput(Mutex<VecDeque<String>>);

impl ErrorOutput {
    /// The maximum number of lines that are kept.
    const LINES: usize = 20;
    /// The maximum number of characters of a line that are kept.
    const CHARS: usize = 500;

    /// Keeps a line.
    pub(crate) fn push(&self, line: &str) {
        let line: String = line.trim_end().chars().take(ErrorOutput::CHARS).collect();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == ErrorOutput::LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Returns the lines, the oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_output_is_bounded_in_lines_and_in_their_length() {
        let output = ErrorOutput::default();
        (0..100).for_each(|n| output.push(&format!("{n} {}\n", "x".repeat(10_000))));
        let lines = output.lines();
        assert_eq!((lines.len(), lines[0].len(), &lines[19][..3]), (20, 500, "99 "));
    }
}
