//! The progress of a call, on stderr: one line that is rewritten on a terminal, otherwise a new line at intervals.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loggia::client::StartProgress;
use loggia::model::{LogParams, LoggingLevel, ProgressParams};
use loggia_connect::redact::Redactor;

use crate::out::{BAD, DIM, NAME, WARN};
use crate::text::one_line;

/// The interval between lines if stderr is no terminal.
const QUIET: Duration = Duration::from_secs(1);
/// The same for a server that starts.
const QUIET_START: Duration = Duration::from_secs(10);
/// The time after which the start of a server is shown.
const SLOW_START: Duration = Duration::from_secs(3);
/// Columns of the bar.
const BAR: usize = 24;

/// The part of the terminal below the results. Everything on it comes from servers: it is redacted and put on one line.
pub(crate) struct Screen {
    redactor: Redactor,
    watched: bool,
    state: Mutex<ProgressState>,
}

#[derive(Default)]
struct ProgressState {
    /// A progress line is on the screen.
    shown: bool,
    /// The time of the last line, if stderr is no terminal.
    last: Option<Instant>,
    /// True if the user is being asked a question.
    held: bool,
}

/// Keeps progress off the screen.
pub(crate) struct Held<'a>(&'a Screen);

impl Screen {
    /// Makes the screen of one command; `redactor` replaces secrets in all that it shows.
    pub(crate) fn new(redactor: Redactor) -> Screen {
        Screen { redactor, watched: io::stderr().is_terminal(), state: Mutex::default() }
    }

    /// Returns a text of a server as it may be shown: without secrets and on one line.
    pub(crate) fn shown(&self, text: &str) -> String {
        one_line(&self.redactor.redact(text))
    }

    /// Shows how far a call is.
    pub(crate) fn progress(&self, progress: &ProgressParams) {
        self.line("progress: ", QUIET, || self.describe(progress));
    }

    /// Shows that a server takes its time to start.
    pub(crate) fn starting(&self, progress: &StartProgress) {
        if progress.elapsed < SLOW_START {
            return;
        }
        self.line("", QUIET_START, || self.describe_start(progress));
    }

    /// Returns `starting, 4 s: the last line of the error output`.
    fn describe_start(&self, progress: &StartProgress) -> String {
        let last = progress.last_line.as_deref().map(|line| format!(": {}", self.shown(line)));
        format!("starting, {} s{}", progress.elapsed.as_secs(), last.unwrap_or_default())
    }

    /// Returns `[#####     ] 50% message`, or `12 message` without a total.
    fn describe(&self, progress: &ProgressParams) -> String {
        let message =
            progress.message.as_deref().map(|text| format!(" {}", self.shown(text))).unwrap_or_default();
        match progress.total.filter(|total| *total > 0.0) {
            Some(total) => {
                let part = (progress.progress / total).clamp(0.0, 1.0);
                let filled = (part * BAR as f64).round() as usize;
                format!("[{}{}] {:3.0}%{message}", "#".repeat(filled), " ".repeat(BAR - filled), part * 100.0)
            }
            None => format!("{}{message}", progress.progress),
        }
    }

    /// Shows one line. Into a pipe it is written with `label` before it, and not again before `pause` is over.
    fn line(&self, label: &str, pause: Duration, text: impl FnOnce() -> String) {
        let mut state = self.state();
        if state.held {
            return;
        }
        if self.watched {
            let width =
                terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
            let line: String = text().chars().take(width.saturating_sub(1)).collect();
            write(&format!("\r\x1b[2K{NAME}{line}{NAME:#}"));
            state.shown = true;
        } else if state.last.is_none_or(|last| last.elapsed() >= pause) {
            state.last = Some(Instant::now());
            write(&format!("{label}{}\n", text()));
        }
    }

    /// Shows a log message of the server.
    pub(crate) fn log(&self, log: &LogParams) {
        self.note(self.describe_log(log));
    }

    /// Returns `level logger: message`.
    fn describe_log(&self, log: &LogParams) -> String {
        let style = match log.level {
            LoggingLevel::Debug | LoggingLevel::Info | LoggingLevel::Notice => DIM,
            LoggingLevel::Warning => WARN,
            _ => BAD,
        };
        let level = format!("{:?}", log.level).to_lowercase();
        let logger = log.logger.as_deref().map(|name| format!(" {}", self.shown(name))).unwrap_or_default();
        let data = log.data.as_text().as_str().map_or_else(|| log.data.to_string(), Cow::into_owned);
        format!("{style}{level}{logger}{style:#}: {}", self.shown(&data))
    }

    /// Writes a line.
    pub(crate) fn note(&self, line: String) {
        let mut state = self.state();
        clear(&mut state);
        write(&format!("{line}\n"));
    }

    /// Takes the progress line away.
    pub(crate) fn clear(&self) {
        clear(&mut self.state());
    }

    /// Keeps progress off the screen for as long as the result is kept.
    pub(crate) fn hold(&self) -> Held<'_> {
        let mut state = self.state();
        clear(&mut state);
        state.held = true;
        Held(self)
    }

    fn state(&self) -> MutexGuard<'_, ProgressState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.state().held = false;
    }
}

fn clear(state: &mut ProgressState) {
    if std::mem::take(&mut state.shown) {
        write("\r\x1b[2K");
    }
}

fn write(text: &str) {
    let mut err = anstream::stderr().lock();
    // If stderr itself is closed, no output is left for this error.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use loggia_connect::secret::{Location, Template};

    #[test]
    fn progress_reads_well_with_and_without_a_total() {
        for (json, expected) in [
            (
                r#"{"progressToken":1,"progress":1,"total":4,"message":"a\nb"}"#,
                "[######                  ]  25% a b",
            ),
            (r#"{"progressToken":1,"progress":9,"total":4}"#, "[########################] 100%"),
            (r#"{"progressToken":1,"progress":3.5,"message":"rows"}"#, "3.5 rows"),
            (r#"{"progressToken":1,"progress":3,"total":0}"#, "3"),
        ] {
            let progress: ProgressParams = serde_json::from_str(json).expect("progress");
            assert_eq!(Screen::new(Redactor::default()).describe(&progress), expected);
        }
    }

    #[test]
    fn nothing_that_a_server_tells_while_it_works_shows_a_secret() {
        let location = Location { file: "x.toml".into(), line: 1, column: 1 };
        let redactor = Redactor::default();
        let variable = |name: &str| (name == "KEY").then(|| "s3cret-t0ken".to_owned());
        redactor.learn([&Template::parse("${KEY}", location).expect("a template")], &variable);
        let screen = Screen::new(redactor);
        let log: LogParams = serde_json::from_str(
            r#"{"level":"warning","logger":"s3cret-t0ken","data":{"key":"s3cret-t0ken"}}"#,
        )
        .expect("a log message");
        let progress: ProgressParams =
            serde_json::from_str(r#"{"progressToken":1,"progress":1,"message":"with s3cret-t0ken"}"#)
                .expect("progress");
        let last_line = Some("key is s3cret-t0ken".to_owned());
        for (shown, expected) in [
            (screen.describe(&progress), "1 with ${KEY}"),
            (screen.describe_log(&log), r#"warning ${KEY}: {"key":"${KEY}"}"#),
            (
                screen.describe_start(&StartProgress::new(Duration::from_secs(4), true, last_line)),
                "starting, 4 s: key is ${KEY}",
            ),
        ] {
            assert_eq!(anstream::adapter::strip_str(&shown).to_string(), expected);
        }
    }
}
