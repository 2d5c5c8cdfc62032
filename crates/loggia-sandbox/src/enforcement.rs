//! The report of what a system can enforce. A sandbox that says nothing about its gaps is trusted too far.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::{HostAccess, SandboxPolicy};

/// One thing that a sandbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxPart {
    /// The program gets only the environment variables that were listed for it.
    Environment,
    /// The program has a temporary folder of its own, which is removed when it ends.
    TemporaryFolder,
    /// The program reads and changes only the files and folders of its policy.
    Files,
    /// The program cannot make system calls that reach beyond the sandbox.
    SystemCalls,
    /// The program has no capabilities and cannot gain privileges.
    Privileges,
    /// The program can neither see nor signal nor trace processes of others.
    Processes,
    /// No process of the program is left when the sandbox ends, however it ends.
    ProcessEnd,
    /// The program connects only to the hosts of its policy.
    Network,
    /// Each process of the program uses at most the memory of its policy for private data.
    Memory,
    /// The program has at most the processes and threads of its policy.
    ProcessCount,
    /// The memory of all processes together, shared memory, disk space and processor time are bounded.
    TotalUse,
}

/// The state of a part of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum PartState {
    /// It is in force.
    Enforced,
    /// It is in force with a gap.
    Partial(String),
    /// It is not in force.
    NotEnforceable(String),
}

/// The state of each part of a sandbox on this system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement(Vec<(SandboxPart, PartState)>);

impl SandboxPart {
    /// All parts, in the order of a report.
    pub const ALL: [SandboxPart; 11] = [
        SandboxPart::Environment,
        SandboxPart::TemporaryFolder,
        SandboxPart::Files,
        SandboxPart::SystemCalls,
        SandboxPart::Privileges,
        SandboxPart::Processes,
        SandboxPart::ProcessEnd,
        SandboxPart::Network,
        SandboxPart::Memory,
        SandboxPart::ProcessCount,
        SandboxPart::TotalUse,
    ];

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            SandboxPart::Environment => "environment",
            SandboxPart::TemporaryFolder => "temporary folder",
            SandboxPart::Files => "files",
            SandboxPart::SystemCalls => "system calls",
            SandboxPart::Privileges => "privileges",
            SandboxPart::Processes => "other processes",
            SandboxPart::ProcessEnd => "end of processes",
            SandboxPart::Network => "network",
            SandboxPart::Memory => "memory",
            SandboxPart::ProcessCount => "number of processes",
            SandboxPart::TotalUse => "total use",
        }
    }

    /// Returns whether a policy asks for it.
    fn is_asked_for(self, policy: &SandboxPolicy) -> bool {
        match self {
            SandboxPart::Network => policy.hosts != HostAccess::Any,
            // A guard of the program ends processes too, and no policy can name a bound of everything.
            SandboxPart::ProcessEnd | SandboxPart::TotalUse => false,
            _ => true,
        }
    }
}

impl Enforcement {
    /// Makes a report from the state of each part.
    pub(crate) fn new(state: impl Fn(SandboxPart) -> PartState) -> Enforcement {
        Enforcement(SandboxPart::ALL.into_iter().map(|part| (part, state(part))).collect())
    }

    /// Returns the report of a system without a sandbox.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "Linux has a sandbox"))]
    pub(crate) fn none(reason: &str) -> Enforcement {
        Enforcement::new(|part| match part {
            SandboxPart::Environment => PartState::Enforced,
            _ => PartState::NotEnforceable(reason.to_owned()),
        })
    }

    /// Returns the state of a part.
    pub fn state(&self, part: SandboxPart) -> &PartState {
        const UNKNOWN: &PartState = &PartState::NotEnforceable(String::new());
        self.0.iter().find(|(known, _)| *known == part).map_or(UNKNOWN, |(_, state)| state)
    }

    /// Returns whether a part is in force without a gap.
    pub fn is_enforced(&self, part: SandboxPart) -> bool {
        *self.state(part) == PartState::Enforced
    }

    /// Returns every part with its state.
    pub fn parts(&self) -> impl Iterator<Item = (SandboxPart, &PartState)> {
        self.0.iter().map(|(part, state)| (*part, state))
    }

    /// Returns the parts that a policy asks for and that are not fully in force, each with the reason.
    pub fn gaps<'e>(&'e self, policy: &SandboxPolicy) -> Vec<(SandboxPart, &'e str)> {
        self.parts()
            .filter(|(part, _)| part.is_asked_for(policy))
            .filter_map(|(part, state)| Some((part, state.reason()?)))
            .collect()
    }
}

impl PartState {
    /// Returns the reason why a part is not fully in force.
    pub fn reason(&self) -> Option<&str> {
        match self {
            PartState::Enforced => None,
            PartState::Partial(reason) | PartState::NotEnforceable(reason) => Some(reason),
        }
    }
}

impl fmt::Display for SandboxPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for PartState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartState::Enforced => f.write_str("enforced"),
            PartState::Partial(reason) => write!(f, "enforced in part: {reason}"),
            PartState::NotEnforceable(reason) => write!(f, "not enforceable here: {reason}"),
        }
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (part, state)) in self.parts().enumerate() {
            write!(f, "{}{part}: {state}", if n > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_only_if_the_policy_asks_for_the_part() {
        let partial = |part| match part {
            SandboxPart::Network => PartState::NotEnforceable("no namespaces".to_owned()),
            SandboxPart::TotalUse => PartState::NotEnforceable("no control group".to_owned()),
            _ => PartState::Enforced,
        };
        let report = Enforcement::new(partial);
        let open = SandboxPolicy { hosts: HostAccess::Any, ..SandboxPolicy::default() };
        for (policy, expected) in
            [(SandboxPolicy::default(), vec![(SandboxPart::Network, "no namespaces")]), (open, vec![])]
        {
            assert_eq!(report.gaps(&policy), expected);
        }
        assert!(
            report.to_string().contains("network: not enforceable here: no namespaces\nmemory: enforced")
        );
    }
}
