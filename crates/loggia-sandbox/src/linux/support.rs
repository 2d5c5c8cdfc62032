//! The support of this system: as facts that a probe found, as the features that an order asks for, and as the report.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::features::SandboxFeatures;
use super::order::{SandboxOrder, SandboxRole};
use crate::enforcement::{Enforcement, PartState, SandboxPart};
use crate::policy::{HostAccess, SandboxPolicy};

/// The facts that a probe found. An absent reason means that it works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SystemSupport {
    /// The revision of Landlock; 0 if there is none.
    pub(crate) landlock: i32,
    pub(crate) seccomp: Option<String>,
    pub(crate) privileges: Option<String>,
    pub(crate) namespaces: Option<String>,
    pub(crate) network: Option<String>,
    pub(crate) private_proc: Option<String>,
    pub(crate) pid_max: Option<String>,
    pub(crate) read_only: Option<String>,
    /// True if the user is root, to which the limit of processes does not apply.
    pub(crate) is_root: bool,
}

impl SystemSupport {
    /// Starts `program` as a probe, and returns what it found.
    pub(crate) fn probe(program: &OsString, args: &[OsString]) -> SystemSupport {
        let mut command = Command::new(program);
        command.args(args).arg(SandboxRole::Probe.as_str()).arg(program).args(args);
        command.env_clear().stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().map_err(|error| error.to_string());
        let found = output.and_then(|output| {
            serde_json::from_slice(&output.stdout)
                .map_err(|_| format!("the probe of the sandbox ended ({})", output.status))
        });
        found.unwrap_or_else(|reason| SystemSupport::nothing(&reason))
    }

    fn nothing(reason: &str) -> SystemSupport {
        let reason = Some(reason.to_owned());
        SystemSupport {
            landlock: 0,
            seccomp: reason.clone(),
            privileges: reason.clone(),
            namespaces: reason.clone(),
            network: reason.clone(),
            private_proc: reason.clone(),
            pid_max: reason.clone(),
            read_only: reason,
            is_root: false,
        }
    }

    /// Returns the arguments of a process that starts a child with this policy.
    pub(crate) fn arguments(&self, policy: &SandboxPolicy) -> Option<Vec<OsString>> {
        let features = SandboxFeatures {
            landlock: self.landlock > 0,
            seccomp: self.seccomp.is_none(),
            privileges: self.privileges.is_none(),
            namespaces: self.namespaces.is_none(),
            network: self.network.is_none() && policy.hosts != HostAccess::Any,
            private_proc: self.private_proc.is_none(),
            pid_max: self.pid_max.is_none(),
            read_only: self.read_only.is_none(),
        };
        let order = SandboxOrder { policy: policy.clone(), features, folder: std::path::PathBuf::new() };
        Some(order.arguments(SandboxRole::Supervise))
    }

    /// Returns the report.
    pub(crate) fn enforcement(&self) -> Enforcement {
        Enforcement::new(|part| match part {
            SandboxPart::Environment | SandboxPart::TemporaryFolder | SandboxPart::Memory => {
                PartState::Enforced
            }
            SandboxPart::Files => self.files(),
            SandboxPart::SystemCalls => state(&self.seccomp),
            SandboxPart::Privileges => state(&self.privileges),
            SandboxPart::Processes => self.processes(),
            SandboxPart::ProcessEnd => state(&self.namespaces),
            SandboxPart::Network => self.network(),
            SandboxPart::ProcessCount => self.process_count(),
            SandboxPart::TotalUse => PartState::NotEnforceable(
                "only a control group bounds it: run Loggia in a systemd unit or a container with limits"
                    .to_owned(),
            ),
        })
    }

    fn files(&self) -> PartState {
        match (self.landlock, &self.read_only) {
            (0, _) => {
                PartState::NotEnforceable("the kernel has no Landlock, or does not enable it".to_owned())
            }
            (_, None) => PartState::Enforced,
            (1 | 2, Some(reason)) => PartState::Partial(format!(
                "files elsewhere can be emptied, and their modes changed: {reason}"
            )),
            (_, Some(reason)) => {
                PartState::Partial(format!("the modes and times of files elsewhere can be changed: {reason}"))
            }
        }
    }

    fn processes(&self) -> PartState {
        let hides = self.landlock > 0 || self.private_proc.is_none();
        match &self.namespaces {
            None if hides => PartState::Enforced,
            Some(reason) if self.landlock >= 6 => {
                PartState::Partial(format!("a program can see that other processes exist: {reason}"))
            }
            None => PartState::Partial("other processes are listed in /proc".to_owned()),
            Some(reason) => PartState::NotEnforceable(reason.clone()),
        }
    }

    fn network(&self) -> PartState {
        match (&self.network, &self.seccomp) {
            (None, None) => PartState::Enforced,
            (None, Some(_)) if self.landlock >= 9 => PartState::Enforced,
            (None, Some(_)) => {
                PartState::Partial("without a filter of system calls, Unix sockets can be reached".to_owned())
            }
            (Some(reason), _) => PartState::NotEnforceable(reason.clone()),
        }
    }

    fn process_count(&self) -> PartState {
        match (&self.namespaces, &self.pid_max) {
            (_, None) => PartState::Enforced,
            (None, Some(_)) if !self.is_root => PartState::Enforced,
            (None, Some(_)) => PartState::NotEnforceable(
                "the limit of processes does not apply to root before Linux 6.14; run Loggia as another user"
                    .to_owned(),
            ),
            (Some(reason), _) => PartState::NotEnforceable(reason.clone()),
        }
    }
}

fn state(reason: &Option<String>) -> PartState {
    reason.clone().map_or(PartState::Enforced, PartState::NotEnforceable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The changes to a system on which everything works, and the gaps that follow.
    type Case = (fn(&mut SystemSupport), &'static [SandboxPart]);

    #[test]
    fn the_report_follows_from_what_the_probe_found() {
        use SandboxPart::{Files, Network, ProcessCount, Processes, SystemCalls};
        let cases: [Case; 8] = [
            (|_| {}, &[]),
            (|found| found.landlock = 0, &[Files]),
            (|found| found.landlock = 2, &[]),
            (|found| found.read_only = Some("refused".into()), &[Files]),
            (|found| found.seccomp = Some("refused".into()), &[SystemCalls, Network]),
            (|found| found.network = Some("refused".into()), &[Network]),
            (
                |found| {
                    found.namespaces = Some("refused".into());
                    found.network = Some("refused".into());
                    found.private_proc = Some("refused".into());
                    found.pid_max = Some("refused".into());
                    found.landlock = 5;
                },
                &[Processes, Network, ProcessCount],
            ),
            (
                |found| {
                    found.pid_max = Some("old".into());
                    found.is_root = true;
                },
                &[ProcessCount],
            ),
        ];
        for (change, expected) in cases {
            let mut found = SystemSupport { landlock: 7, ..SystemSupport::default() };
            change(&mut found);
            let report = found.enforcement();
            let gaps: Vec<SandboxPart> =
                report.gaps(&SandboxPolicy::default()).into_iter().map(|(part, _)| part).collect();
            assert_eq!(gaps, expected, "{found:?}");
        }
    }
}
