//! The connectors' direct backends against emulators and mocks of their vendors: each backend alone, and two of them
//! behind one `loggia up` for an agent.

mod mocks;
mod workflow;

use serde_json::Value;

use crate::cargo;
use crate::outcome::Outcome;
use mocks::Mocks;

/// Runs the stage.
pub(crate) fn run() -> Outcome {
    let mut mocks = match Mocks::start() {
        Ok(mocks) => mocks,
        Err(message) => return Outcome::failure(message),
    };
    let mut outcome = cargo::vendors(&Value::Object(mocks.urls.clone()).to_string());
    outcome.add(workflow::run(&mocks));
    outcome.notes.append(&mut mocks.notes);
    if let Some(complaint) = mocks.complaint() {
        outcome.fail(format!("a mock ended: {complaint}"));
    }
    outcome
}
