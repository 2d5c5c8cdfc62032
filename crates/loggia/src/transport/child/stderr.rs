//! The error output of a child: each line is logged, and the last lines are kept for errors.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use loggia_wire::text::escape_except;
use tokio::process::ChildStderr;

use crate::framing::{BadFrame, LineReader, ReadFrames};

/// Receives each line of a child's error output.
pub(crate) type ErrorOutputHook = Arc<dyn Fn(&str) + Send + Sync>;

/// The last lines of a child's error output.
#[derive(Clone, Default)]
pub(super) struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    /// The maximum number of lines that are kept.
    const LINES: usize = 20;
    /// The maximum length of a line that is kept, in bytes.
    const BYTES: usize = 4 << 10;

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LastLines::LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).back().cloned()
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Writes a child's error output to the log, line by line. The output does not decide about success or failure.
pub(super) async fn listen(
    stderr: ChildStderr,
    server: String,
    said: LastLines,
    hook: Option<ErrorOutputHook>,
) {
    let mut lines = LineReader::new(stderr, LastLines::BYTES);
    while let Ok(Some(frame)) = lines.next().await {
        let line = match frame {
            Ok(text) => printable(&String::from_utf8_lossy(&text)),
            Err(BadFrame::TooLong { most, .. }) => format!("(a line of more than {most} bytes)"),
        };
        tracing::debug!(target: "loggia::child", server, "{line}");
        if let Some(hook) = &hook
            && catch_unwind(AssertUnwindSafe(|| hook(&line))).is_err()
        {
            tracing::error!(server, "the program's handler of a child's error output panicked");
        }
        said.push(line);
    }
}

/// Returns a line that is safe on terminals and in logs; tabs are kept.
fn printable(line: &str) -> String {
    escape_except(line, |c| c == '\t')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_that_is_shown_moves_the_cursor() {
        for (line, expected) in [
            ("plain \"é\"\t€", "plain \"é\"\t€"),
            ("\u{1b}[2Jred", "\\u{1b}[2Jred"),
            ("a\rb\u{202e}c\u{2066}", "a\\rb\\u{202e}c\\u{2066}"),
            ("a\u{200b}b\u{e0041}\u{feff}\u{9b}", "a\\u{200b}b\\u{e0041}\\u{feff}\\u{9b}"),
        ] {
            assert_eq!(printable(line), expected);
        }
    }
}
