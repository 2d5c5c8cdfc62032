//! Tries what this system can enforce, in processes of its own, and prints the result as JSON.

use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use serde::{Deserialize, Serialize};

use super::order::SandboxRole;
use super::support::SystemSupport;
use super::{confine, files, init, namespaces, system_calls};

/// The facts that a process in new namespaces found. An absent reason means that it works.
#[derive(Debug, Default, Serialize, Deserialize)]
struct InsideSupport {
    mounts: Option<String>,
    network: Option<String>,
    private_proc: Option<String>,
    pid_max: Option<String>,
    read_only: Option<String>,
}

/// Tries everything. `line` is the command line of this program, up to the arguments of the sandbox.
pub(super) fn run(line: &[OsString]) -> ExitCode {
    let is_root = rustix::process::geteuid().is_root();
    // The order matters: a user namespace needs a process with one thread, and the filter forbids namespaces.
    let inside = namespaces::enter_user_namespace()
        .map_err(|error| describe_namespaces(&error))
        .and_then(|()| in_thread(|| inside(line)));
    let landlock = in_thread(|| Ok(files::try_revision())).unwrap_or_default();
    let privileges = in_thread(|| confine::drop_privileges().map_err(|error| error.to_string())).err();
    let seccomp = in_thread(|| system_calls::restrict().map_err(|error| error.to_string())).err();
    let (namespaces, inside) = match inside {
        Ok(inside) => (inside.mounts.clone(), inside),
        Err(reason) => (Some(reason), InsideSupport::default()),
    };
    let needs_namespaces = |own: Option<String>| namespaces.clone().or(own);
    let found = SystemSupport {
        landlock,
        seccomp,
        privileges,
        network: needs_namespaces(inside.network),
        private_proc: needs_namespaces(inside.private_proc),
        pid_max: needs_namespaces(inside.pid_max),
        read_only: needs_namespaces(inside.read_only),
        namespaces,
        is_root,
    };
    print(&found)
}

/// Tries the namespaces, in the first process of a process namespace.
pub(super) fn run_inside() -> ExitCode {
    let reason = |result: io::Result<()>, what: &str| result.err().map(|error| format!("{what}: {error}"));
    let mounts = namespaces::enter_mount_namespace().and_then(|()| namespaces::mount_shared_memory());
    let mounts = mounts.err().map(|error| describe_namespaces(&error));
    let private_proc = reason(namespaces::mount_proc(), "a private /proc cannot be mounted");
    let bound = match &private_proc {
        // The file of the system's own /proc would change the system.
        Some(reason) => Some(reason.clone()),
        None => reason(
            namespaces::bound_processes(u32::from(u16::MAX)),
            "the number of processes cannot be bounded",
        ),
    };
    let network = init::network_sockets(&[]).map(drop);
    let network = network.err().map(|error| describe_namespaces(&error));
    let read_only = reason(namespaces::make_read_only(&[]), "the mounts cannot be made read-only");
    print(&InsideSupport { mounts, network, private_proc, pid_max: bound, read_only })
}

fn inside(line: &[OsString]) -> Result<InsideSupport, String> {
    let (program, args) = line.split_first().ok_or("the probe has no program")?;
    namespaces::begin_process_namespace().map_err(|error| describe_namespaces(&error))?;
    let mut command = Command::new(program);
    command.args(args).arg(SandboxRole::ProbeInside.as_str());
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("the probe in new namespaces ended ({})", output.status))
}

/// Runs `attempt` in a thread of its own, which it may restrict.
fn in_thread<T: Send>(attempt: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    thread::scope(|scope| scope.spawn(attempt).join().unwrap_or_else(|_| Err("the probe ended".to_owned())))
}

/// Returns the reason why namespaces cannot be used, with the next step where there is one.
fn describe_namespaces(error: &io::Error) -> String {
    const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    let is_restricted = std::fs::read_to_string(APPARMOR).is_ok_and(|text| text.trim() == "1");
    let hint = if is_restricted {
        "; AppArmor restricts user namespaces: allow them to loggia with a profile, or set the sysctl \
         kernel.apparmor_restrict_unprivileged_userns to 0"
    } else {
        "; the kernel or the container does not allow user namespaces"
    };
    format!("namespaces cannot be used ({error}){hint}")
}

#[expect(clippy::print_stdout, reason = "the output is the result of the probe")]
fn print(found: &impl Serialize) -> ExitCode {
    match serde_json::to_string(found) {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}
