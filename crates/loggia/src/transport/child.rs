//! A server as a child process: started in a clean environment and a process group of its own, spoken to
//! over its standard streams, its error output kept for the day it dies, and stopped in steps that a well
//! behaved server never sees the end of.

mod activity;
mod os;
mod start_watch;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::transport::framing::{BadFrame, LineReader, LineWriter, ReadFrames, WriteFrames};
use activity::Activity;
pub(crate) use start_watch::StartWatch;

/// Hears each line of a child's error output.
pub(crate) type ErrorOutputHook = Arc<dyn Fn(&str) + Send + Sync>;

/// A command that starts a server on its standard streams: what [`Client::connect`] takes for a local
/// server.
///
/// The child sees of our environment only what a program needs to find itself (`PATH`, `HOME`, `LANG` and
/// their like); everything else, secrets above all, is given to it by name with [`Child::env`] or
/// [`Child::inherit`].
///
/// [`Client::connect`]: crate::client::Client::connect
#[derive(Clone)]
pub struct Child {
    program: OsString,
    args: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    directory: Option<PathBuf>,
    stop_timeout: Duration,
}

impl Child {
    /// A server started by `program`.
    pub fn new(program: impl AsRef<OsStr>) -> Child {
        Child {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            directory: None,
            stop_timeout: Duration::from_secs(2),
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

    /// Lets the child see this variable of our environment, if we have it.
    pub fn inherit(self, name: impl AsRef<OsStr>) -> Child {
        match std::env::var_os(name.as_ref()) {
            Some(value) => self.env(name, value),
            None => self,
        }
    }

    /// The folder it runs in; ours by default.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Child {
        self.directory = Some(directory.into());
        self
    }

    /// How long each step of stopping waits for the child to leave: after its input is closed, and again
    /// after it is asked to terminate. Two seconds by default.
    pub fn stop_timeout(mut self, each: Duration) -> Child {
        self.stop_timeout = each;
        self
    }

    /// Names the server in the memory of a client: a digest of the command line, because parts of it may be
    /// secrets and memories are written down.
    pub(crate) fn key(&self) -> String {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        for arg in [&self.program].into_iter().chain(&self.args) {
            digest.update(arg.as_encoded_bytes());
            digest.update(b"\0");
        }
        let digest: String = digest.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("child {digest}")
    }

    /// Starts it. `hook` hears its error output.
    pub(crate) fn start(&self, limits: &Limits, hook: Option<ErrorOutputHook>) -> Result<Started> {
        let mut command = Command::new(os::program(&self.program));
        command.args(&self.args).env_clear().envs(inherited()).envs(&self.env);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        os::prepare(&mut command);
        let name = self.program.to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|error| {
            let what = format!("the server `{name}` could not be started: {error}");
            Error::Io(std::io::Error::new(os::kind_of_spawn_error(&error), what))
        })?;
        let activity = Activity::of(&child);
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Error::Connection(format!("the server `{name}` has no standard streams")));
        };
        let said = LastLines::default();
        let listening = tokio::spawn(listen(stderr, name.clone(), said.clone(), hook));
        let group = os::Group::of(&child);
        Ok(Started {
            reader: Box::new(LineReader::new(stdout, limits.reply_bytes)),
            writer: Box::new(LineWriter::new(stdin)),
            watch: StartWatch::new(activity, said.clone()),
            process: Process {
                name,
                child,
                group,
                said,
                listening,
                stop_timeout: self.stop_timeout,
                exit_by: None,
                ended: false,
            },
        })
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments and variables may be secrets.
        f.debug_struct("Child").field("program", &self.program).finish_non_exhaustive()
    }
}

/// A child that runs.
pub(crate) struct Started {
    pub reader: Box<dyn ReadFrames>,
    pub writer: Box<dyn WriteFrames>,
    pub watch: StartWatch,
    pub process: Process,
}

/// A child's process, apart from the streams that carry messages.
pub(crate) struct Process {
    name: String,
    child: tokio::process::Child,
    group: os::Group,
    said: LastLines,
    listening: JoinHandle<()>,
    stop_timeout: Duration,
    /// Until when the exit of a child that closed its output is waited for.
    exit_by: Option<Instant>,
    ended: bool,
}

impl Process {
    /// How long the exit of a child that closed its output is waited for.
    const EXIT: Duration = Duration::from_secs(2);

    /// What to say of a connection that ended because of `reason`. A future that was dropped may be asked for
    /// again: the time runs on.
    pub(crate) async fn last_words(&mut self, reason: &str) -> String {
        let exit_by = *self.exit_by.get_or_insert_with(|| Instant::now() + Process::EXIT);
        let status = self.exit(exit_by).await;
        if status.is_some() && !self.listening.is_finished() {
            // Its error output ends with it, unless a grandchild keeps it open.
            let _ = timeout(Duration::from_millis(200), &mut self.listening).await;
        }
        let name = &self.name;
        let mut words = match status {
            Some(status) => format!("the server process `{name}` ended ({status})"),
            None => format!("the server process `{name}` runs but {reason}"),
        };
        let said = self.said.text();
        if !said.is_empty() {
            words.push_str("; the last it wrote to its error output:\n");
            words.push_str(&said);
        }
        words
    }

    /// Stops it: waits for it to leave now that its input is closed, then asks, then kills. What it still
    /// writes is read and dropped, lest it wait for us.
    pub(crate) async fn stop(mut self, mut reader: Box<dyn ReadFrames>) {
        let drain = tokio::spawn(async move { while let Ok(Some(_)) = reader.next().await {} });
        if self.exit(Instant::now() + self.stop_timeout).await.is_none() {
            tracing::debug!(server = self.name, "still runs with its input closed: asked to terminate");
            self.group.terminate(&mut self.child);
            if self.exit(Instant::now() + self.stop_timeout).await.is_none() {
                tracing::warn!(server = self.name, "does not terminate: killed");
                self.group.kill(&mut self.child);
                let _ = self.exit(Instant::now() + self.stop_timeout).await;
            }
        }
        drain.abort();
    }

    async fn exit(&mut self, by: Instant) -> Option<ExitStatus> {
        let status = timeout_at(by, self.child.wait()).await.ok()?.ok()?;
        if !std::mem::replace(&mut self.ended, true) {
            // Helpers it started and left behind go with it.
            self.group.terminate(&mut self.child);
        }
        Some(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.listening.abort();
        if !self.ended {
            self.group.kill(&mut self.child);
        }
    }
}

/// The last lines of a child's error output.
#[derive(Clone, Default)]
struct LastLines(Arc<Mutex<VecDeque<String>>>);

impl LastLines {
    /// Most lines kept.
    const LINES: usize = 20;
    /// Longest line kept, in bytes.
    const BYTES: usize = 4 << 10;

    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LastLines::LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Passes a child's error output to the log, line by line. It says nothing about success or failure.
async fn listen(stderr: ChildStderr, server: String, said: LastLines, hook: Option<ErrorOutputHook>) {
    let mut lines = LineReader::new(stderr, LastLines::BYTES);
    while let Ok(Some(frame)) = lines.next().await {
        let line = match frame {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(BadFrame::TooLong(most)) => format!("(a line of more than {most} bytes)"),
        };
        tracing::debug!(target: "loggia::child", server, "{line}");
        if let Some(hook) = &hook
            && catch_unwind(AssertUnwindSafe(|| hook(&line))).is_err()
        {
            tracing::error!(server, "the program's handler of a child's error output panicked");
        }
        said.push(line);
    }
}

/// What a child sees of our environment. A value that begins like a shell function is none of its business.
fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    os::INHERITED
        .iter()
        .filter_map(|name| Some((*name, std::env::var_os(name)?)))
        .filter(|(_, value)| !value.to_string_lossy().starts_with("()"))
}
