//! A server as a child process. It is started with a clean environment in a process group of its own. Messages use
//! its standard streams, the last lines of its error output are kept for errors, and it is stopped step by step.

mod activity;
mod guard;
mod leftovers;
mod os;
mod process;
#[cfg(target_os = "linux")]
mod procfs;
mod start;
mod start_watch;
mod stderr;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::framing::{LineReader, LineWriter, ReadFrames, WriteFrames};
use crate::limits::Limits;
use activity::ChildActivity;
pub use guard::ChildGuard;
use leftovers::ChildMark;
pub(crate) use process::Process;
pub use start::StartProgress;
pub(crate) use start::{StartClock, StartHook, StartSign};
pub(crate) use start_watch::StartWatch;
pub(crate) use stderr::ErrorOutputHook;
use stderr::LastLines;

/// A command that starts a server on its standard streams. [`Client::connect`] accepts it.
///
/// The child gets only those variables of the environment that most programs need (`PATH`, `HOME`, `LANG`, …). All
/// others, secrets above all, must be set by name with [`Child::env`] or [`Child::inherit`].
///
/// The child leads a process group. Closing or dropping the client ends the group: its input is closed, then it gets
/// SIGTERM, then SIGKILL; a drop sends SIGKILL immediately. This works only while the program runs, and only for the
/// group. If the program is killed, or ends without dropping the client, the child only sees the end of its input.
/// [`Child::guard`] ends it in these cases, too.
///
/// [`Client::connect`]: crate::client::Client::connect
#[derive(Clone)]
pub struct Child {
    program: OsString,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    directory: Option<PathBuf>,
    stop_timeout: Duration,
    guard: Option<ChildGuard>,
    /// The program that starts the child, with its arguments.
    launcher: Option<Vec<OsString>>,
}

impl Child {
    /// Creates the command that starts `program`.
    pub fn new(program: impl AsRef<OsStr>) -> Child {
        Child {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            directory: None,
            stop_timeout: Duration::from_secs(2),
            guard: None,
            launcher: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Child {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Child {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the child's environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Child {
        self.env.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Passes this variable of the program's environment to the child, if it is set.
    pub fn inherit(self, name: impl AsRef<OsStr>) -> Child {
        match std::env::var_os(name.as_ref()) {
            Some(value) => self.env(name, value),
            None => self,
        }
    }

    /// Sets the folder in which it runs; the program's folder by default.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Child {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the time that each step of stopping waits for the child to end: after its input is closed, and after it
    /// is asked to terminate. Two seconds by default.
    pub fn stop_timeout(mut self, each: Duration) -> Child {
        self.stop_timeout = each;
        self
    }

    /// Starts the child under a guard process. It ends the child and everything that the child started when this
    /// program ends for any reason: a signal, a panic, SIGKILL. On Linux this includes processes that left the
    /// process group (`setsid`, background daemons). Only Unix has guards; elsewhere this has no effect.
    pub fn guard(mut self, guard: ChildGuard) -> Child {
        self.guard = Some(guard);
        self
    }

    /// Starts the child with another program, which gets the child's program and arguments after `args`: a sandbox, or a
    /// program like `nice`. Errors and the log name the child's program.
    pub fn launcher(
        mut self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Child {
        let args = args.into_iter().map(|arg| arg.as_ref().to_owned());
        self.launcher = Some(std::iter::once(program.as_ref().to_owned()).chain(args).collect());
        self
    }

    /// Returns the key of the server in the memory of a client: a digest of the command line, the folder and the
    /// names of the variables. The values are not in it, because they may be short secrets, and memories are stored.
    pub(crate) fn key(&self) -> String {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        let env = self.env.keys().map(OsString::as_os_str);
        let directory = self.directory.iter().map(|directory| directory.as_os_str());
        let command = [&self.program].into_iter().chain(&self.args).map(OsString::as_os_str);
        for part in command.chain([OsStr::new("\0")]).chain(directory).chain([OsStr::new("\0")]).chain(env) {
            digest.update(part.as_encoded_bytes());
            digest.update(b"\0");
        }
        let digest: String = digest.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("child {digest}")
    }

    /// Starts it. `hook` receives its error output.
    pub(crate) fn start(&self, limits: &Limits, hook: Option<ErrorOutputHook>) -> Result<StartedChild> {
        let name = self.program.to_string_lossy().into_owned();
        let guard = self.guard.as_ref().filter(|_| cfg!(unix));
        let mark = guard.and_then(|_| ChildMark::new());
        // The start of a guard or a launcher does not show that the program exists.
        let is_checked = guard.is_some() || self.launcher.is_some();
        let checked = if is_checked { self.check_program() } else { Ok(()) };
        let spawned = checked.and_then(|()| self.command(guard, mark.as_ref()).spawn());
        let mut child = spawned.map_err(|error| {
            let what = format!("the server `{name}` could not be started: {error}");
            Error::Io(std::io::Error::new(os::kind_of_spawn_error(&error), what))
        })?;
        let activity = ChildActivity::of(&child);
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Error::Connection(format!("the server `{name}` has no standard streams")));
        };
        let said = LastLines::default();
        let listening = tokio::spawn(stderr::listen(stderr, name.clone(), said.clone(), hook));
        Ok(StartedChild {
            reader: Box::new(LineReader::new(stdout, limits.reply_bytes)),
            writer: Box::new(LineWriter::new(stdin)),
            watch: StartWatch::new(activity, said.clone()),
            process: Process::new(name, child, guard.is_some(), mark, said, listening, self.stop_timeout),
        })
    }

    fn check_program(&self) -> std::io::Result<()> {
        let path = self.env.get(OsStr::new("PATH")).cloned().or_else(|| std::env::var_os("PATH"));
        os::check_program(&self.program, self.directory.as_deref(), path.as_deref())
    }

    fn command(&self, guard: Option<&ChildGuard>, mark: Option<&ChildMark>) -> Command {
        let mut line = self.launcher.clone().unwrap_or_default();
        line.push(os::program(&self.program));
        let program = line.remove(0);
        let mut command = match guard {
            Some(guard) => guard.watching(&program),
            None => Command::new(&program),
        };
        command.args(line).args(&self.args).env_clear().envs(inherited()).envs(&self.env);
        command.envs(mark.map(|mark| (leftovers::VARIABLE, mark.to_string())));
        // SIGKILL would end only the guard.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(guard.is_none());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        os::prepare(&mut command);
        command
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments and variables may be secrets.
        f.debug_struct("Child").field("program", &self.program).finish_non_exhaustive()
    }
}

/// A child that runs.
pub(crate) struct StartedChild {
    pub reader: Box<dyn ReadFrames>,
    pub writer: Box<dyn WriteFrames>,
    pub watch: StartWatch,
    pub process: Process,
}

/// Returns the variables of the program's environment that a child gets, without shell functions.
fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    os::INHERITED
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)))
        .filter(|(_, value)| !value.to_string_lossy().starts_with("()"))
}
