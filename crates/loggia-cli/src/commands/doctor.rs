//! `loggia doctor` and `loggia preflight`: the doctor of the gateway on the command line.

use std::path::Path;

use loggia_gateway::Credentials;
use loggia_gateway::doctor::{Doctor, PreflightState};
use serde_json::{Value, json};

use super::report::print_json;
use crate::args::{DoctorArgs, PreflightArgs};
use crate::exit::{Code, Failure, Outcome};
use crate::out;
use crate::target::{connector_context, read_all};

/// `loggia doctor`.
pub(crate) async fn run(args: &DoctorArgs, config: Option<&Path>, credentials: &Credentials) -> Outcome {
    let doctor = doctor(config, credentials).await?;
    let (machine, connectors) = match &args.target {
        Some(target) => (None, vec![doctor.examine(target).await]),
        None => (Some(doctor.machine().await), doctor.examine_all().await),
    };
    if args.json {
        let documents: Vec<Value> = connectors.iter().map(|one| one.to_json()).collect();
        let machine = machine.as_ref().map(|machine| machine.to_json());
        print_json(&json!({ "machine": machine, "connectors": documents }))?;
    } else {
        let texts = machine.iter().map(|machine| machine.to_text());
        for text in texts.chain(connectors.iter().map(|one| one.to_text())) {
            out::print(out::paint(&text))?;
        }
    }
    let is_well = connectors.iter().all(|one| one.failure().is_none());
    match is_well && machine.is_none_or(|machine| !machine.has_failed()) {
        true => Ok(()),
        false => Err(Failure::silent(Code::Tool)),
    }
}

/// `loggia preflight`.
pub(crate) async fn preflight(
    args: &PreflightArgs,
    config: Option<&Path>,
    credentials: &Credentials,
) -> Outcome {
    let report = doctor(config, credentials).await?.preflight(&args.names, args.timeout).await;
    match args.json {
        true => print_json(&report.to_json())?,
        false => out::print(out::paint(&report.to_text()))?,
    }
    match report.state() {
        PreflightState::Ready => Ok(()),
        PreflightState::TryAgain => Err(Failure::silent(Code::TryAgain)),
        PreflightState::PersonNeeded => Err(Failure::silent(Code::PersonNeeded)),
        PreflightState::Unknown => Err(Failure::silent(Code::UnknownFault)),
    }
}

async fn doctor(config: Option<&Path>, credentials: &Credentials) -> Outcome<Doctor> {
    Ok(Doctor::new(read_all(config, credentials).await?, connector_context(credentials)))
}
