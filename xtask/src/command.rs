//! Runs other programs: the output goes to a log file, there is no standard input, and after the time limit the whole
//! process group is killed, so that nothing outlives its stage.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::paths;

/// The variables that the gateway passes to the servers that it starts.
const INHERITED: &[&str] = &[
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "PATHEXT",
    "SHELL",
    "SYSTEMROOT",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
];
const POLL: Duration = Duration::from_millis(20);

/// A program to run.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
    program: OsString,
    log: String,
    limit: Duration,
}

/// The result of a program.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit status; `None` if the time limit ended it.
    pub(crate) status: Option<ExitStatus>,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
    log: PathBuf,
    program: OsString,
    limit: Duration,
}

impl Run {
    /// Creates a run of `program`, with the logs `target/xtask/logs/{log}.out` and `.err`.
    pub(crate) fn new(program: impl AsRef<OsStr>, log: &str) -> Self {
        let mut command = Command::new(program.as_ref());
        command.current_dir(paths::root()).stdin(Stdio::null());
        let program = program.as_ref().to_os_string();
        Self { command, program, log: log.replace(['/', ' '], "-"), limit: Duration::from_secs(1800) }
    }

    /// Creates a run of Cargo, the one that runs this program.
    pub(crate) fn cargo(log: &str) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self::new(cargo, log).env("CARGO_TERM_COLOR", "never")
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Removes all variables except those that the gateway passes to a server.
    pub(crate) fn only_inherited_env(mut self) -> Self {
        self.command.env_clear();
        self.command.envs(INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
        self
    }

    pub(crate) fn current_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the program until it ends, or until the time limit.
    pub(crate) fn finish(self) -> Result<Finished, String> {
        let limit = self.limit;
        let mut daemon = self.start()?;
        let status = daemon.wait(limit);
        daemon.kill();
        let (stdout, stderr) = (read(&daemon.log, "out"), read(&daemon.log, "err"));
        let (log, program) = (daemon.log.clone(), daemon.program.clone());
        Ok(Finished { status, stdout, stderr, log, program, limit })
    }

    /// Starts the program and leaves it running until the guard is dropped.
    pub(crate) fn start(mut self) -> Result<Daemon, String> {
        let output = self.log_file("out")?;
        self.command.stdout(output);
        self.spawn()
    }

    /// Starts the program with pipes as standard input and output, and leaves it running until the guard is dropped.
    pub(crate) fn start_with_pipes(mut self) -> Result<(Daemon, ChildStdin, ChildStdout), String> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut daemon = self.spawn()?;
        match (daemon.child.stdin.take(), daemon.child.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok((daemon, stdin, stdout)),
            _ => Err(format!("{} has no pipes", daemon.program.display())),
        }
    }

    fn log_file(&self, kind: &str) -> Result<File, String> {
        let path = with_kind(&self.log_path()?, kind);
        File::create(&path).map_err(|e| format!("cannot write {}: {e}", path.display()))
    }

    fn log_path(&self) -> Result<PathBuf, String> {
        let logs = paths::work().join("logs");
        std::fs::create_dir_all(&logs).map_err(|e| format!("cannot create {}: {e}", logs.display()))?;
        Ok(logs.join(&self.log))
    }

    fn spawn(mut self) -> Result<Daemon, String> {
        let (log, errors) = (self.log_path()?, self.log_file("err")?);
        self.command.stderr(errors);
        own_group(&mut self.command);
        let child =
            self.command.spawn().map_err(|e| format!("cannot run {}: {e}", self.program.display()))?;
        Ok(Daemon { child, log, program: self.program })
    }
}

impl Finished {
    /// Returns whether the program ended itself and with success.
    pub(crate) fn is_ok(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Returns an error with the end of the log if the program failed.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.is_ok() { Ok(()) } else { Err(self.complaint()) }
    }

    /// Returns how the program ended, and the end of its output.
    pub(crate) fn complaint(&self) -> String {
        let how = match self.status {
            Some(status) => format!("{} ended with {status}", self.program.display()),
            None => format!("{} was stopped after {} s", self.program.display(), self.limit.as_secs()),
        };
        let out = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        format!("{how} (log: {}.out, .err)\n{}", self.log.display(), tail(out, 40))
    }
}

/// A program that runs in the background until this value is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
    program: OsString,
}

impl Daemon {
    /// Waits until a program listens on `address`.
    pub(crate) fn wait_for_port(&mut self, address: SocketAddr, limit: Duration) -> Result<(), String> {
        let start = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            if self.is_over() {
                return Err(format!("{} ended early\n{}", self.program.display(), self.tail()));
            }
            if start.elapsed() > limit {
                return Err(format!(
                    "nothing listens at {address} after {} s\n{}",
                    limit.as_secs(),
                    self.tail()
                ));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Returns whether the program has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Returns the end of the program's standard error.
    pub(crate) fn tail(&self) -> String {
        tail(&read(&self.log, "err"), 20)
    }

    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if start.elapsed() < limit => std::thread::sleep(POLL),
                _ => return None,
            }
        }
    }

    fn kill(&mut self) {
        signal_group(self.child.id(), "TERM");
        if self.wait(Duration::from_secs(3)).is_none() {
            let _ = self.child.kill();
        }
        signal_group(self.child.id(), "KILL");
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns a free port of the loopback address.
pub(crate) fn free_port() -> Result<u16, String> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| format!("no free port: {e}"))
}

/// Returns the last `lines` lines of `text`.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn read(log: &Path, kind: &str) -> String {
    std::fs::read(with_kind(log, kind))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

fn with_kind(log: &Path, kind: &str) -> PathBuf {
    let mut path = log.as_os_str().to_os_string();
    path.push(".");
    path.push(kind);
    path.into()
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn own_group(_command: &mut Command) {}

#[cfg(unix)]
fn signal_group(leader: u32, signal: &str) {
    let group = format!("-{leader}");
    let _ = Command::new("kill")
        .args([&format!("-{signal}"), "--", &group])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(not(unix))]
fn signal_group(_leader: u32, _signal: &str) {}
