//! The sandbox as the program that starts children sees it: a launcher for each policy, and the report of what is in
//! force.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use crate::enforcement::{Enforcement, SandboxPart};
use crate::policy::{SandboxMode, SandboxPolicy};
use crate::system::{self, SystemSupport};

/// The command line that makes this program the sandbox of a child.
#[derive(Clone)]
pub struct Sandbox {
    program: OsString,
    args: Vec<OsString>,
    support: Arc<OnceLock<(SystemSupport, Enforcement)>>,
}

/// The program that starts a confined child. The child's program and arguments are added to its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxLauncher {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// The reason why a child is not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxError {
    gaps: Vec<(SandboxPart, String)>,
}

impl Sandbox {
    /// Returns a sandbox that is this program. The program must call [`Sandbox::run`] when it is started with `args`
    /// and further arguments.
    pub fn current_program(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Sandbox {
        Sandbox::program(current_program(), args)
    }

    /// Returns a sandbox that is another program, which calls [`Sandbox::run`] when it is started with `args` and
    /// further arguments.
    pub fn program(
        program: impl Into<OsString>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Sandbox {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        Sandbox { program: program.into(), args, support: Arc::default() }
    }

    /// Runs the sandbox, in a process that was started as one. `args` are the arguments after those of
    /// [`Sandbox::current_program`]. Must be called before the process starts a thread. Returns when the child has
    /// ended. The exit code is the child's; for a child that was ended by a signal it is 128 plus the number of the
    /// signal, and 126 if the sandbox or the child could not be started.
    pub fn run(&self, args: impl IntoIterator<Item = OsString>) -> ExitCode {
        system::run(args.into_iter().collect())
    }

    /// Returns what this system can enforce. The first call starts a process that tries it.
    pub fn enforcement(&self) -> &Enforcement {
        &self.support().1
    }

    /// Returns the launcher of a child; `None` if this system has no sandbox, or the mode is [`SandboxMode::Off`].
    ///
    /// # Errors
    ///
    /// [`SandboxError`] if the mode is [`SandboxMode::Require`] and a part of the policy cannot be enforced.
    pub fn launcher(
        &self,
        policy: &SandboxPolicy,
        mode: SandboxMode,
    ) -> Result<Option<SandboxLauncher>, SandboxError> {
        if mode == SandboxMode::Off {
            return Ok(None);
        }
        let (support, enforcement) = self.support();
        let gaps = enforcement.gaps(policy);
        if mode == SandboxMode::Require && !gaps.is_empty() {
            let gaps = gaps.into_iter().map(|(part, reason)| (part, reason.to_owned())).collect();
            return Err(SandboxError { gaps });
        }
        Ok(support.arguments(policy).map(|arguments| SandboxLauncher {
            program: self.program.clone(),
            args: self.args.iter().cloned().chain(arguments).collect(),
        }))
    }

    fn support(&self) -> &(SystemSupport, Enforcement) {
        self.support.get_or_init(|| {
            let support = SystemSupport::probe(&self.program, &self.args);
            let enforcement = support.enforcement();
            (support, enforcement)
        })
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("program", &self.program).finish_non_exhaustive()
    }
}

impl SandboxError {
    /// Returns the parts that cannot be enforced, each with the reason.
    pub fn gaps(&self) -> impl Iterator<Item = (SandboxPart, &str)> {
        self.gaps.iter().map(|(part, reason)| (*part, reason.as_str()))
    }
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its sandbox is required, and this system cannot enforce all of it: ")?;
        for (n, (part, reason)) in self.gaps().enumerate() {
            write!(f, "{}{part} ({reason})", if n > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for SandboxError {}

/// Returns a name under which this program can be started again, also after its file was replaced.
fn current_program() -> OsString {
    const SELF: &str = "/proc/self/exe";
    if cfg!(target_os = "linux") && std::fs::read_link(SELF).is_ok() {
        return SELF.into();
    }
    std::env::current_exe().map_or_else(|_| std::env::args_os().next().unwrap_or_default(), Into::into)
}
