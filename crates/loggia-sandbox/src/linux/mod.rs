//! The sandbox of Linux: user, process, mount and network namespaces, Landlock, seccomp and resource limits.
//!
//! The processes, from the outside in: the *supervisor* stays in the namespaces of the program and carries the
//! connections of the child to listed hosts; the *init* is the first process in the namespaces of the child and
//! prepares them; the child is started by a thread that restricted itself. Without namespaces the supervisor starts
//! the child. **Invariant:** a step that an order asks for either succeeds or ends the start.

mod confine;
mod features;
mod files;
mod init;
mod names;
mod namespaces;
mod netlink;
mod order;
mod private_folder;
mod probe;
mod program;
mod relay;
mod supervisor;
mod support;
mod system_calls;

use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

use order::{SandboxOrder, SandboxRole};
pub(crate) use support::SystemSupport;

/// The exit code if the child could not be started.
const NOT_STARTED: u8 = 126;

/// Runs a process of the sandbox.
pub(crate) fn run(mut args: Vec<OsString>) -> ExitCode {
    let role = args.first().and_then(SandboxRole::read);
    let Some(role) = role else { return ExitCode::from(2) };
    args.remove(0);
    if matches!(role, SandboxRole::ProbeInside | SandboxRole::Init) && std::process::id() != 1 {
        // Outside of a process namespace, its steps would change the system.
        return ExitCode::from(2);
    }
    match role {
        SandboxRole::Probe => return probe::run(&args),
        SandboxRole::ProbeInside => return probe::run_inside(),
        SandboxRole::Supervise | SandboxRole::Init => {}
    }
    let Some((order, program)) = SandboxOrder::read(args) else { return ExitCode::from(2) };
    let ended = match role {
        SandboxRole::Init => init::run(&order, program),
        _ => supervisor::run(order, program),
    };
    ended.unwrap_or_else(|error| {
        report(&error);
        ExitCode::from(NOT_STARTED)
    })
}

/// Writes a line for the program that started the child, which reads the error output.
#[expect(clippy::print_stderr, reason = "the error output is how the program hears of it")]
fn report(line: &dyn fmt::Display) {
    eprintln!("sandbox: {line}");
}

/// A failed step of a start.
#[derive(Debug)]
struct StepError {
    step: &'static str,
    source: std::io::Error,
}

impl StepError {
    /// Returns a function that names the step of an error.
    fn at<E: Into<std::io::Error>>(step: &'static str) -> impl FnOnce(E) -> StepError {
        move |source| StepError { step, source: source.into() }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.source)
    }
}
