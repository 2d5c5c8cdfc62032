//! Runs the program and shows what came of it.

use std::fmt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
#[cfg(unix)]
use std::time::{Duration, Instant};

/// The time that anything may take. It is reached only where something is wrong.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of one run.
pub(crate) struct Run {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or("signal".to_owned(), |code| code.to_string());
        write!(f, "exit code {code}\n----- stdout\n{}----- stderr\n{}", self.stdout, self.stderr)
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Run { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
    }
}

/// The program, in `folder`, without anything of our environment that it reads.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loggia"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in [
        "DATABASE_URL",
        "LOGGIA_MASTER_KEY",
        "LOGGIA_CONFIG",
        "LOGGIA_ALLOW_NETWORK",
        "LOGGIA_LOG",
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "FORCE_COLOR",
    ] {
        command.env_remove(name);
    }
    command.env("LOGGIA_STATE", folder.join("state"));
    // Never the credentials of the person who runs the tests.
    command.env("LOGGIA_CREDENTIALS", folder.join("credentials"));
    command
}

/// Runs it in an empty folder.
pub(crate) fn run(args: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    run_in(folder.path(), args)
}

/// Runs it in `folder`.
pub(crate) fn run_in(folder: &Path, args: &[&str]) -> Run {
    command(folder, args).output().expect("the program runs").into()
}

/// Runs it in `folder` again and again until `done` says that its output is the one that is waited for.
#[cfg(unix)]
pub(crate) fn run_until(folder: &Path, args: &[&str], done: impl Fn(&Run) -> bool) -> Run {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let run = run_in(folder, args);
        if done(&run) {
            return run;
        }
        assert!(Instant::now() < deadline, "{args:?} never says what is waited for: {run}");
    }
}

/// Snapshots in which what differs from run to run is replaced.
pub(crate) fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:PORT");
    settings.add_filter(r"\d+\.\d ms", "N.N ms");
    settings.add_filter(r"(/private)?/(tmp|var/folders)/[\w./-]+", "FOLDER");
    settings.add_filter(r"authorize\?\S+", "authorize?…");
    settings.add_filter(r"signin\?\S+", "signin?…");
    settings.add_filter(r"(expires +in) \d+ \w+", "$1 TIME");
    settings.add_filter(r"loggia \d+\.\d+\.\d+", "loggia VERSION");
    settings
}

/// Checks one run against its snapshot.
macro_rules! shows {
    ($name:literal, $run:expr) => {
        $crate::program::settings().bind(|| insta::assert_snapshot!($name, $run.to_string()))
    };
}
pub(crate) use shows;
