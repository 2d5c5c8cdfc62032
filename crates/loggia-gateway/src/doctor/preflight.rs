//! The preflight: whether connectors are ready for a program that runs without a person, such as a cron job.
//!
//! Invariant: each state has an exit code of its own, and a state in which a person must act is never hidden by another.

use std::time::Duration;

use serde_json::{Value, json};

use super::report::{ConnectorDiagnosis, LayerFailure, Remedy};

/// The state of one connector, or of all of them. A greater one is more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PreflightState {
    /// Calls can be made.
    Ready,
    /// A later attempt may succeed.
    TryAgain,
    /// The connector fails, and the remedy is not known.
    Unknown,
    /// A person must act.
    PersonNeeded,
}

/// The readiness of connectors.
#[derive(Debug, Clone)]
pub struct PreflightReport {
    /// Each connector, with its failure.
    pub connectors: Vec<(String, Option<LayerFailure>)>,
}

impl PreflightState {
    /// Returns the exit code for a scheduler.
    pub fn exit_code(self) -> u8 {
        match self {
            PreflightState::Ready => 0,
            PreflightState::TryAgain => 10,
            PreflightState::PersonNeeded => 11,
            PreflightState::Unknown => 12,
        }
    }

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            PreflightState::Ready => "ready",
            PreflightState::TryAgain => "tryAgain",
            PreflightState::PersonNeeded => "personNeeded",
            PreflightState::Unknown => "unknown",
        }
    }

    fn of(failure: Option<&LayerFailure>) -> PreflightState {
        match failure.map(|failure| failure.remedy) {
            None => PreflightState::Ready,
            Some(Remedy::Retry) => PreflightState::TryAgain,
            Some(Remedy::Action) => PreflightState::PersonNeeded,
            Some(Remedy::Unknown) => PreflightState::Unknown,
        }
    }
}

impl PreflightReport {
    /// Summarizes an examination; `None` if it did not end within `limit`.
    pub(super) fn entry(
        name: String,
        diagnosis: Option<ConnectorDiagnosis>,
        limit: Duration,
    ) -> (String, Option<LayerFailure>) {
        let Some(diagnosis) = diagnosis else {
            let reason = format!("the examination did not end within {} s", limit.as_secs_f32());
            return (name, Some(LayerFailure::retry(reason, "try again later")));
        };
        let failure = diagnosis.failure().map(|(_, failure)| failure.clone());
        (diagnosis.name, failure)
    }

    /// Returns the most urgent state.
    pub fn state(&self) -> PreflightState {
        let states = self.connectors.iter().map(|(_, failure)| PreflightState::of(failure.as_ref()));
        states.max().unwrap_or(PreflightState::Ready)
    }

    /// Returns the report for programs.
    pub fn to_json(&self) -> Value {
        let connector = |(name, failure): &(String, Option<LayerFailure>)| {
            json!({
                "name": name,
                "state": PreflightState::of(failure.as_ref()).as_str(),
                "reason": failure.as_ref().map(|failure| &failure.reason),
                "nextStep": failure.as_ref().and_then(|failure| failure.next_step.as_ref()),
                "url": failure.as_ref().and_then(|failure| failure.url.as_ref()),
            })
        };
        let connectors: Vec<Value> = self.connectors.iter().map(connector).collect();
        let state = self.state();
        json!({ "state": state.as_str(), "exitCode": state.exit_code(), "connectors": connectors })
    }
}
