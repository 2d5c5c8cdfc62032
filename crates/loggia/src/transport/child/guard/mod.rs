//! A process between a program and its child. It ends the child and everything that the child started when the
//! program ends for any reason, also by SIGKILL: a killed process cannot clean up itself.
//!
//! The guard is the same program, started with special arguments. It starts the child with its own standard streams,
//! closes its copies of them, and waits; messages do not pass through it. On Linux it adopts orphans of the child
//! (`PR_SET_CHILD_SUBREAPER`), so it also finds processes that left the process group or went into the background.
//! Invariant: no process of the child outlives both the guard and the program.

#[cfg(unix)]
mod supervise;
#[cfg(unix)]
mod system;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::process::ExitCode;

use tokio::process::Command;

/// The mode in which the guard starts the child and waits for its end.
const WATCH: &str = "watch";
/// The mode in which the process becomes the child, after it was tied to the life of its guard.
const EXEC: &str = "exec";
/// The guard's exit code if the child could not be started, as in shells.
pub(super) const NOT_STARTED: i32 = 127;
/// The beginning of the line that says why the child could not be started.
pub(super) const NOT_STARTED_LINE: &str = "child-guard: the program could not be started: ";

/// The command line that makes this program the guard of a child: see [`Child::guard`].
///
/// ```no_run
/// use std::process::ExitCode;
/// use loggia::client::{Child, ChildGuard};
///
/// fn main() -> ExitCode {
///     let guard = ChildGuard::current_program(["child-guard"]);
///     let mut args = std::env::args_os().skip(1);
///     if args.next().is_some_and(|first| first == "child-guard") {
///         // Before threads, a runtime or anything else is started.
///         return guard.run(args);
///     }
///     let server = Child::new("npx").args(["-y", "some-server"]).guard(guard);
///     // …connect to it.
///     ExitCode::SUCCESS
/// }
/// ```
///
/// [`Child::guard`]: crate::client::Child::guard
#[derive(Clone)]
pub struct ChildGuard {
    program: OsString,
    args: Vec<OsString>,
}

impl ChildGuard {
    /// Returns a guard that is this program. The program must call [`ChildGuard::run`] when it is started with `args`
    /// and further arguments.
    pub fn current_program(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> ChildGuard {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        ChildGuard { program: current_program(), args }
    }

    /// Runs the guard, in a process that was started as a guard. `args` are the arguments after those of
    /// [`ChildGuard::current_program`]. Returns when the child and everything that it started have ended. The exit
    /// code is the child's; for a child that was ended by a signal it is 128 plus the number of the signal.
    pub fn run(&self, args: impl IntoIterator<Item = OsString>) -> ExitCode {
        match GuardArguments::read(args.into_iter().collect()) {
            Some(order) => self.obey(&order),
            None => ExitCode::from(2),
        }
    }

    #[cfg(unix)]
    fn obey(&self, order: &GuardArguments) -> ExitCode {
        if order.becomes_child { supervise::become_child(order) } else { supervise::watch(self, order) }
    }

    /// Fails, because this system has no guards: [`Child::guard`](crate::client::Child::guard) starts none.
    #[cfg(not(unix))]
    fn obey(&self, _: &GuardArguments) -> ExitCode {
        ExitCode::from(2)
    }

    /// Kills the children of programs that were killed together with their guards, and returns their process numbers.
    /// A program with guarded children calls it at its start. Works only on Linux.
    pub fn end_leftovers() -> Vec<i32> {
        super::leftovers::end_all()
    }

    /// Returns the command that starts the guard of `program`, to which the program's arguments are added.
    pub(super) fn watching(&self, program: &OsStr) -> Command {
        let mut command = Command::new(&self.program);
        #[cfg(unix)]
        command.arg0(own_name());
        command.args(self.line(WATCH, program));
        command
    }

    fn line(&self, mode: &str, program: &OsStr) -> Vec<OsString> {
        let parent = std::process::id().to_string();
        self.args.iter().cloned().chain([mode.into(), parent.into(), program.to_owned()]).collect()
    }
}

impl fmt::Debug for ChildGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildGuard").field("program", &self.program).finish_non_exhaustive()
    }
}

/// The arguments of a guard: `MODE PARENT PROGRAM ARGS…`.
#[cfg_attr(not(unix), expect(dead_code, reason = "this system has no guards"))]
struct GuardArguments {
    becomes_child: bool,
    /// The process that started this one. If the parent is another one, that process has ended.
    parent: i32,
    program: OsString,
    args: Vec<OsString>,
}

impl GuardArguments {
    fn read(args: Vec<OsString>) -> Option<GuardArguments> {
        let mut args = args.into_iter();
        let becomes_child = match args.next()?.to_str()? {
            WATCH => false,
            EXEC => true,
            _ => return None,
        };
        let parent = args.next()?.to_str()?.parse().ok()?;
        Some(GuardArguments { becomes_child, parent, program: args.next()?, args: args.collect() })
    }
}

/// Returns the name that this program was started under, for listings of processes.
#[cfg(unix)]
fn own_name() -> OsString {
    std::env::args_os().next().unwrap_or_else(|| OsStr::new("child-guard").to_owned())
}

/// Returns a name under which this program can be started again, also after its file was replaced.
fn current_program() -> OsString {
    const SELF: &str = "/proc/self/exe";
    if cfg!(target_os = "linux") && std::fs::read_link(SELF).is_ok() {
        return SELF.into();
    }
    std::env::current_exe().map_or_else(|_| std::env::args_os().next().unwrap_or_default(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_reads_only_what_it_is_started_with() {
        let guard = ChildGuard::current_program(["child-guard"]);
        let mut line = guard.line(WATCH, OsStr::new("npx"));
        line.push("-y".into());
        assert_eq!(line.remove(0), "child-guard");
        let order = GuardArguments::read(line).expect("its own line");
        assert_eq!(
            (order.becomes_child, order.program, order.args),
            (false, "npx".into(), vec!["-y".into()])
        );
        for bad in [&[][..], &["watch"], &["watch", "1"], &["watch", "x", "npx"], &["help", "1", "npx"]] {
            assert!(GuardArguments::read(bad.iter().map(OsString::from).collect()).is_none(), "{bad:?}");
        }
    }
}
