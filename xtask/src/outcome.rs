//! What a stage found: how many tests passed, and what failed. Every stage counts its individual tests, so
//! the last line of a run can add them up.

use std::process::ExitCode;

/// The result of a stage, or of several added together.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Tests that passed.
    pub(crate) passed: usize,
    /// Tests that failed.
    pub(crate) failed: usize,
    /// One entry for each failure that has something to say.
    pub(crate) failures: Vec<String>,
    /// Things worth knowing that are not failures, such as what was left out.
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    /// Returns one test that failed.
    pub(crate) fn failure(message: impl Into<String>) -> Self {
        let mut outcome = Self::default();
        outcome.fail(message);
        outcome
    }

    /// Counts one test that passed.
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// Counts one test that failed, and gives the reason.
    pub(crate) fn fail(&mut self, message: impl Into<String>) {
        self.failed += 1;
        self.failures.push(message.into());
    }

    /// Records something that is neither a pass nor a failure.
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

    /// 1 if anything failed.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
