//! Restricts the calling thread and starts a program from it. Landlock, the filter of system calls and capabilities
//! belong to a thread, and a process that the thread starts inherits them, so the program is confined from its first
//! instruction.

use std::io;
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::order::{ProgramLine, SandboxOrder};
use super::{StepError, files, program, system_calls};

/// Starts the program of an order, from a thread that is used for nothing else. `folder` is the private folder.
pub(super) fn start(order: &SandboxOrder, line: &ProgramLine, folder: &Path) -> Result<Child, StepError> {
    let own = files::OwnFolders::of(order, folder);
    let places = program::Program::find(&line.program);
    let mut command = Command::new(&line.program);
    command.args(&line.args).env("TMPDIR", &own.temporary).env("HOME", &own.home);
    limit_resources(order).map_err(StepError::at("the resource limits cannot be set"))?;
    match drop_privileges() {
        Err(error) if order.features.privileges => {
            return Err(StepError { step: "the privileges cannot be dropped", source: error });
        }
        // The probe reported that they cannot.
        Ok(()) | Err(_) => {}
    }
    if order.features.landlock {
        files::restrict(order, &own, &places).map_err(StepError::at("the files cannot be restricted"))?;
    }
    if order.features.seccomp {
        system_calls::restrict().map_err(StepError::at("the system calls cannot be restricted"))?;
    }
    command.spawn().map_err(|error| {
        super::report(&format_args!("{} could not be started: {error}", line.program.to_string_lossy()));
        StepError { step: "the program could not be started", source: error }
    })
}

/// Sets the limits of the process, which the child inherits.
fn limit_resources(order: &SandboxOrder) -> rustix::io::Result<()> {
    let limit = |resource, most: u64| {
        // A lower limit of the system stays.
        let most = rustix::process::getrlimit(resource).maximum.map_or(most, |system| system.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Data, order.policy.memory)?;
    if order.features.namespaces {
        // Without a user namespace, the processes of the user outside of the sandbox would count.
        limit(Resource::Nproc, u64::from(order.policy.processes))?;
    }
    Ok(())
}

/// Gives up the capabilities of the thread, and those that root would get with a new program.
pub(super) fn drop_privileges() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let own = rustix::thread::capabilities(None)?;
    let is_root = rustix::process::geteuid().is_root();
    if is_root || own.permitted.contains(CapabilitySet::SETPCAP) {
        rustix::thread::clear_ambient_capability_set()?;
        for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
            match rustix::thread::capability_is_in_bounding_set(capability) {
                Ok(true) => rustix::thread::remove_capability_from_bounding_set(capability)?,
                Ok(false) => {}
                // The kernel knows no further capability.
                Err(rustix::io::Errno::INVAL) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )?;
    Ok(())
}
