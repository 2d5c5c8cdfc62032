//! The examination of the machine: the data folder, the vault, the runners of packages, the port, the clock.
//!
//! It explains faults that all connectors share. Invariant: nothing is created or changed.

use std::path::Path;
use std::time::{Duration, SystemTime};

use loggia_connect::config_file::Listen;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::runner::{RUNNERS, find_in_path};
use crate::config::GatewayConfig;
use crate::credentials::Credentials;
use crate::gateway::DEFAULT_LISTEN;
use crate::port_holder;
use crate::vault::VaultLocation;

/// The seconds from 1970 to 2026: an earlier clock is wrong.
const YEAR_2026: u64 = 1_767_225_600;

/// The result of one check of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineCheckState {
    /// It works.
    Ok,
    /// Something is missing that only some connectors need.
    Warning,
    /// It does not work.
    Failed,
}

/// One check of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineCheck {
    /// The name of what was checked.
    pub name: String,
    /// The result.
    pub state: MachineCheckState,
    /// The finding.
    pub detail: String,
    /// The next step.
    pub next_step: Option<String>,
}

/// The report on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineReport {
    /// The checks.
    pub checks: Vec<MachineCheck>,
}

impl MachineCheckState {
    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            MachineCheckState::Ok => "ok",
            MachineCheckState::Warning => "warning",
            MachineCheckState::Failed => "failed",
        }
    }
}

impl MachineCheck {
    fn ok(name: &str, detail: impl ToString) -> MachineCheck {
        let state = MachineCheckState::Ok;
        MachineCheck { name: name.to_owned(), state, detail: detail.to_string(), next_step: None }
    }

    fn warning(name: &str, detail: impl ToString, next: impl ToString) -> MachineCheck {
        let next_step = Some(next.to_string());
        MachineCheck { state: MachineCheckState::Warning, next_step, ..MachineCheck::ok(name, detail) }
    }

    fn failed(name: &str, detail: impl ToString, next: impl ToString) -> MachineCheck {
        MachineCheck { state: MachineCheckState::Failed, ..MachineCheck::warning(name, detail, next) }
    }
}

impl MachineReport {
    /// Returns whether a check failed.
    pub fn has_failed(&self) -> bool {
        self.checks.iter().any(|check| check.state == MachineCheckState::Failed)
    }

    /// Returns the report for programs.
    pub fn to_json(&self) -> Value {
        let check = |check: &MachineCheck| {
            let MachineCheck { name, state, detail, next_step } = check;
            json!({ "name": name, "state": state.as_str(), "detail": detail, "nextStep": next_step })
        };
        Value::Array(self.checks.iter().map(check).collect())
    }
}

/// Examines the machine.
pub(super) async fn examine(config: &GatewayConfig, credentials: &Credentials) -> MachineReport {
    let mut checks = vec![data_folder(credentials), vault(config, credentials).await];
    checks.extend(RUNNERS.iter().map(|(name, page)| match find_in_path(name) {
        Some(file) => MachineCheck::ok(name, file.display()),
        None => MachineCheck::warning(
            name,
            "it is not in PATH",
            format!("connectors that start it need it: {page}"),
        ),
    }));
    checks.push(port(config).await);
    checks.push(clock(SystemTime::now()));
    MachineReport { checks }
}

fn data_folder(credentials: &Credentials) -> MachineCheck {
    const NAME: &str = "data folder";
    let folder = match credentials.path() {
        Ok(folder) => folder,
        Err(error) => return MachineCheck::failed(NAME, error, "name one with --credentials"),
    };
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    match tempfile::NamedTempFile::new_in(existing) {
        Ok(_) if existing == folder => MachineCheck::ok(NAME, format!("{} can be written", folder.display())),
        Ok(_) => MachineCheck::ok(NAME, format!("{} can be made", folder.display())),
        Err(error) => MachineCheck::failed(
            NAME,
            format!("{} cannot be written: {error}", existing.display()),
            "let this user write it, or name another folder with --credentials",
        ),
    }
}

/// Opens the vault, if there is one: looking must not create it.
async fn vault(config: &GatewayConfig, credentials: &Credentials) -> MachineCheck {
    const NAME: &str = "vault";
    let location = VaultLocation::Environment;
    let is_there = match location.database() {
        Ok(Some(_)) => true,
        Ok(None) => location.file(credentials).is_some_and(|file| file.exists()),
        Err(error) => return MachineCheck::failed(NAME, error, "correct DATABASE_URL"),
    };
    if !is_there {
        return MachineCheck::ok(NAME, "there is none yet");
    }
    match location.open(credentials, &config.server().vault_key).await {
        Ok(_) => MachineCheck::ok(NAME, "it opens with its key"),
        Err(error) => {
            let next =
                error.next_step().unwrap_or_else(|| "see [server.vault] of the configuration".to_owned());
            MachineCheck::failed(NAME, error, next)
        }
    }
}

async fn port(config: &GatewayConfig) -> MachineCheck {
    let default = || DEFAULT_LISTEN.parse().expect("it is an address");
    let listen: Listen = config.server().listen.clone().unwrap_or_else(default);
    let name = format!("port {}", listen.port);
    match TcpListener::bind((listen.host.as_str(), listen.port)).await {
        Ok(_) => MachineCheck::ok(&name, "it is free"),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => match port_holder::holder(listen.port)
        {
            Some(holder) if holder.starts_with("`loggia`") => {
                MachineCheck::ok(&name, format!("a gateway listens on it: {holder}"))
            }
            holder => MachineCheck::warning(
                &name,
                format!("it is in use by {}", holder.as_deref().unwrap_or("another program")),
                "`loggia up --listen ADDRESS` chooses another",
            ),
        },
        Err(error) => MachineCheck::failed(&name, error, "`loggia up --listen ADDRESS` chooses another"),
    }
}

fn clock(now: SystemTime) -> MachineCheck {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    match since.as_secs() >= YEAR_2026 {
        true => MachineCheck::ok("clock", "its year is possible"),
        false => MachineCheck::failed(
            "clock",
            "it is before 2026, so certificates and tokens look invalid",
            "set the time of this machine",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_of_the_past_fails() {
        for (seconds, state) in [
            (0, MachineCheckState::Failed),
            (YEAR_2026 - 1, MachineCheckState::Failed),
            (YEAR_2026, MachineCheckState::Ok),
        ] {
            assert_eq!(
                clock(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).state,
                state,
                "{seconds}"
            );
        }
    }
}
