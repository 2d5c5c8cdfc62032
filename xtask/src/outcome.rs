//! The outcome of a stage: the number of passed tests, and the failures. Every stage counts its single tests, so that
//! the last line of a run has the sum.

use std::process::ExitCode;

use serde_json::Value;

/// The result of a stage, or of several added together.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Tests that passed.
    pub(crate) passed: usize,
    /// Tests that failed.
    pub(crate) failed: usize,
    /// The messages of the failures.
    pub(crate) failures: Vec<String>,
    /// Messages that are not failures, for example about omitted tests.
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// Returns the outcome with one failed test.
    pub(crate) fn failure(message: impl Into<String>) -> Self {
        let mut outcome = Self::default();
        outcome.fail(message);
        outcome
    }

    /// Counts one test that passed.
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// Counts one failed test, with its message.
    pub(crate) fn fail(&mut self, message: impl Into<String>) {
        self.failed += 1;
        self.failures.push(message.into());
    }

    /// Adds a message that is neither a success nor a failure.
    pub(crate) fn note(&mut self, message: impl Into<String>) {
        self.notes.push(message.into());
    }

    /// Counts `result` as one test named `name`.
    pub(crate) fn record(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.pass(),
            Err(message) => self.fail(format!("{name}: {message}")),
        }
    }

    /// Counts a test for each line `{"op", "ok", "detail"}` that a driver printed.
    pub(crate) fn record_lines(&mut self, lines: &str) {
        for line in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let said = || line["detail"].as_str().unwrap_or_default().to_owned();
            let result = if line["ok"] == true { Ok(()) } else { Err(said()) };
            self.record(line["op"].as_str().unwrap_or_default(), result);
        }
    }

    /// Adds another outcome to this one.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.notes.extend(other.notes);
    }

    /// Returns whether nothing failed.
    pub(crate) fn is_ok(&self) -> bool {
        self.failed == 0
    }

    /// Returns the exit code: 1 if a test failed.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
