//! The arguments between the processes of a sandbox: `MODE ORDER PROGRAM ARGS…`, with the order as JSON.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::features::SandboxFeatures;
use crate::policy::SandboxPolicy;

/// The role of a process of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SandboxRole {
    /// Tries what the system can enforce, and prints it.
    Probe,
    /// Tries what needs a process in new namespaces.
    ProbeInside,
    /// Starts the child and waits for it, outside of its namespaces.
    Supervise,
    /// The first process in the namespaces of the child.
    Init,
}

/// The task of a process of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SandboxOrder {
    /// The permissions of the child.
    pub(crate) policy: SandboxPolicy,
    /// The means that are in force, or the child does not start.
    pub(crate) features: SandboxFeatures,
    /// The private folder, which the supervisor makes.
    #[serde(default)]
    pub(crate) folder: PathBuf,
}

/// The program of the child, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramLine {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
}

impl SandboxRole {
    const ALL: [(&str, SandboxRole); 4] = [
        ("probe", SandboxRole::Probe),
        ("probe-inside", SandboxRole::ProbeInside),
        ("run", SandboxRole::Supervise),
        ("init", SandboxRole::Init),
    ];

    /// Returns its word on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        SandboxRole::ALL.into_iter().find(|(_, role)| *role == self).map_or("", |(name, _)| name)
    }

    /// Reads its word.
    pub(crate) fn read(word: &OsString) -> Option<SandboxRole> {
        SandboxRole::ALL.into_iter().find(|(name, _)| word == name).map(|(_, role)| role)
    }
}

impl SandboxOrder {
    /// Returns the arguments of a process with this order; the program of the child is added to them.
    pub(crate) fn arguments(&self, role: SandboxRole) -> Vec<OsString> {
        let json = serde_json::to_string(self).unwrap_or_default();
        vec![role.as_str().into(), json.into()]
    }

    /// Reads the arguments after the role.
    pub(crate) fn read(args: Vec<OsString>) -> Option<(SandboxOrder, ProgramLine)> {
        let mut args = args.into_iter();
        let order = serde_json::from_str(args.next()?.to_str()?).ok()?;
        Some((order, ProgramLine { program: args.next()?, args: args.collect() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let order = SandboxOrder {
            policy: SandboxPolicy { read: vec!["/srv/a b".into()], ..SandboxPolicy::default() },
            features: SandboxFeatures::default(),
            folder: "/run/x".into(),
        };
        let mut line = order.arguments(SandboxRole::Init);
        assert_eq!(SandboxRole::read(&line.remove(0)), Some(SandboxRole::Init));
        line.extend(["npx".into(), "-y".into()]);
        let program = ProgramLine { program: "npx".into(), args: vec!["-y".into()] };
        assert_eq!(SandboxOrder::read(line.clone()), Some((order, program)));
        for bad in [vec![], vec!["{}".into(), "npx".into()], line[..1].to_vec()] {
            assert_eq!(SandboxOrder::read(bad), None);
        }
        assert_eq!(SandboxRole::read(&"watch".into()), None);
    }
}
