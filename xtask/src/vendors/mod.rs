//! The connectors' direct backends against emulators and mocks of their vendors: each backend alone, and two of them
//! behind one `loggia up` for an agent.

mod mocks;
mod workflow;

use serde_json::Value;

use crate::cargo;
use crate::outcome::Outcome;
use mocks::Mocks;

/// Runs the stage; with `--filter TEXT` only the tests of backends whose name contains the text.
pub(crate) fn run(args: &[String]) -> Outcome {
    let filter = args.iter().position(|arg| arg == "--filter").and_then(|at| args.get(at + 1));
    let mut mocks = match Mocks::start() {
        Ok(mocks) => mocks,
        Err(message) => return Outcome::failure(message),
    };
    let urls = Value::Object(mocks.urls.clone()).to_string();
    let mut outcome = cargo::vendors(&urls, filter.map(String::as_str));
    if filter.is_none() {
        outcome.add(workflow::run(&mocks));
    }
    outcome.notes.append(&mut mocks.notes);
    if let Some(complaint) = mocks.complaint() {
        outcome.fail(format!("a mock ended: {complaint}"));
    }
    outcome
}
