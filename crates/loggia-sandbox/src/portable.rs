//! The sandbox of systems for which there is none yet: it confines nothing and says so.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::enforcement::Enforcement;
use crate::policy::SandboxPolicy;

/// The support of this system.
#[derive(Debug, Clone)]
pub(crate) struct SystemSupport;

impl SystemSupport {
    /// Returns the support; no process is started.
    pub(crate) fn probe(_: &OsString, _: &[OsString]) -> SystemSupport {
        SystemSupport
    }

    /// Returns the report.
    pub(crate) fn enforcement(&self) -> Enforcement {
        Enforcement::none("Loggia has no sandbox for this system; Linux has one")
    }

    /// Returns no arguments, because programs start without a sandbox here.
    pub(crate) fn arguments(&self, _: &SandboxPolicy) -> Option<Vec<OsString>> {
        None
    }
}

/// Fails, because this system has no sandbox.
pub(crate) fn run(_: Vec<OsString>) -> ExitCode {
    ExitCode::from(2)
}
