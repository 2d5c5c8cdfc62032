//! The process of a running child: how it ended, and how it is ended.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::guard::{NOT_STARTED, NOT_STARTED_LINE};
use super::leftovers::ChildMark;
use super::os;
use super::stderr::LastLines;
use crate::framing::ReadFrames;

/// The process of a child, or of its guard, without the streams for messages.
pub(crate) struct Process {
    name: String,
    child: tokio::process::Child,
    group: os::ProcessGroup,
    said: LastLines,
    listening: JoinHandle<()>,
    stop_timeout: Duration,
    /// The time until which this waits for the exit of a child that closed its output.
    exit_by: Option<Instant>,
    ended: bool,
    guarded: bool,
    /// The mark of the processes of a guarded child.
    mark: Option<ChildMark>,
}

impl Process {
    /// The time for a child to exit after it closed its output.
    const EXIT: Duration = Duration::from_secs(2);

    pub(super) fn new(
        name: String,
        child: tokio::process::Child,
        guarded: bool,
        mark: Option<ChildMark>,
        said: LastLines,
        listening: JoinHandle<()>,
        stop_timeout: Duration,
    ) -> Process {
        let group = os::ProcessGroup::of(&child, guarded);
        Process {
            name,
            child,
            group,
            said,
            listening,
            stop_timeout,
            exit_by: None,
            ended: false,
            guarded,
            mark,
        }
    }

    /// Describes a connection that ended because of `reason`. If the future was dropped, the method can be called
    /// again: the time limit continues.
    pub(crate) async fn last_words(&mut self, reason: &str) -> String {
        let exit_by = *self.exit_by.get_or_insert_with(|| Instant::now() + Process::EXIT);
        let status = self.exit(exit_by).await;
        if status.is_some() && !self.listening.is_finished() {
            // The error output ends with the process, unless one of its children keeps it open.
            let _ = timeout(Duration::from_millis(200), &mut self.listening).await;
        }
        let name = &self.name;
        if let Some(error) = self.not_started(status) {
            return format!("the server `{name}` could not be started: {error}");
        }
        let mut words = match status {
            Some(status) => format!("the server process `{name}` ended ({status})"),
            None => format!("the server process `{name}` runs but {reason}"),
        };
        let said = self.said.text();
        if !said.is_empty() {
            words.push_str("; the last it wrote to its error output:\n");
            words.push_str(&said);
        }
        words
    }

    /// Returns the last lines of its error output.
    pub(crate) fn error_output(&self) -> String {
        self.said.text()
    }

    /// Returns the reason why a guarded child could not be started.
    fn not_started(&self, status: Option<ExitStatus>) -> Option<String> {
        let failed = self.guarded && status?.code() == Some(NOT_STARTED);
        let last = self.said.last().filter(|_| failed)?;
        last.strip_prefix(NOT_STARTED_LINE).map(str::to_owned)
    }

    /// Stops the process: waits for its exit after its input was closed, then asks it to terminate, then kills it.
    /// Its remaining output is read and dropped, so that it does not block.
    pub(crate) async fn stop(mut self, mut reader: Box<dyn ReadFrames>) {
        let drain = tokio::spawn(async move { while let Ok(Some(_)) = reader.next().await {} });
        if self.exit(Instant::now() + self.stop_timeout).await.is_none() {
            tracing::debug!(server = self.name, "still runs with its input closed: asked to terminate");
            self.group.terminate(&mut self.child);
            if self.exit(Instant::now() + self.stop_timeout).await.is_none() {
                tracing::warn!(server = self.name, "does not terminate: killed");
                self.group.kill(&mut self.child);
                if self.exit(Instant::now() + self.stop_timeout).await.is_none() {
                    self.give_up();
                }
            }
        }
        drain.abort();
    }

    async fn exit(&mut self, by: Instant) -> Option<ExitStatus> {
        let status = timeout_at(by, self.child.wait()).await.ok()?.ok()?;
        let first = !std::mem::replace(&mut self.ended, true);
        if !self.guarded {
            if first {
                // Ends the processes that it started and left behind.
                self.group.terminate(&mut self.child);
            }
            return Some(status);
        }
        if first && status.code().is_none() {
            self.end_marked();
        }
        Some(os::guarded_status(status))
    }

    /// Stops waiting for a guard that does not end: its child is in an uninterruptible system call, or the guard was
    /// stopped.
    fn give_up(&mut self) {
        // This fails only if the process has ended.
        let _ = self.child.start_kill();
        self.end_marked();
    }

    /// Kills the processes that a killed guard left.
    fn end_marked(&self) {
        let ended = self.mark.as_ref().map_or(0, ChildMark::end);
        if ended > 0 {
            tracing::warn!(
                server = self.name,
                ended,
                "the guard of the server was killed; its processes too"
            );
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.listening.abort();
        if !self.ended {
            self.group.kill(&mut self.child);
        }
    }
}
