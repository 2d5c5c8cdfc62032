//! Runs the guard: a process with one thread that waits until its child ends, its parent ends, or a signal tells it
//! to end the child.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getppid};
use tokio::signal::unix::{Signal as Received, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::{ChildGuard, EXEC, GuardArguments, NOT_STARTED, NOT_STARTED_LINE, own_name, system};

/// The time for the child to clean up after the guard's parent has ended.
const PARENT_GONE: Duration = Duration::from_secs(1);
/// The time for processes that outlive the child to clean up.
const LEFT_BEHIND: Duration = Duration::from_millis(500);
/// The time for processes to end after SIGKILL. In an uninterruptible system call they do not end.
const KILLED: Duration = Duration::from_secs(5);
/// The interval between two searches for processes that must end, because one may have started another meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Starts the child and waits for its end.
pub(super) fn watch(guard: &ChildGuard, order: &GuardArguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| runtime.block_on(supervise(guard, order)));
    ended.unwrap_or_else(|error| not_started(&error))
}

/// Becomes the child. On Linux the child is killed when the guard is killed, which only SIGKILL can do.
pub(super) fn become_child(order: &GuardArguments) -> ExitCode {
    system::die_with_parent();
    if parent() != Some(order.parent) {
        return ExitCode::from(2);
    }
    not_started(&Command::new(&order.program).args(&order.args).exec())
}

fn parent() -> Option<i32> {
    getppid().map(Pid::as_raw_pid)
}

#[expect(clippy::print_stderr, reason = "it is how the parent hears of it")]
fn not_started(error: &io::Error) -> ExitCode {
    eprintln!("{NOT_STARTED_LINE}{error}");
    ExitCode::from(NOT_STARTED as u8)
}

async fn supervise(guard: &ChildGuard, order: &GuardArguments) -> io::Result<ExitCode> {
    let parent_ended = system::parent_ended(order.parent);
    if parent() != Some(order.parent) {
        return Ok(ExitCode::from(2));
    }
    let mut orders = GuardSignals::listen()?;
    system::adopt_orphans();
    system::name_process();
    let mut tree = ProcessTree::start(&mut child_command(guard, order))?;
    release_streams()?;
    let mut parent_ended = std::pin::pin!(parent_ended);
    loop {
        tokio::select! {
            () = &mut parent_ended => {
                tree.end(PARENT_GONE, &mut orders).await;
                return Ok(ExitCode::FAILURE);
            }
            status = tree.child_ended() => {
                tree.end(LEFT_BEHIND, &mut orders).await;
                return Ok(exit_code(status));
            }
            signal = orders.next() => match signal {
                Signal::QUIT => tree.kill().await,
                _ => tree.signal(Signal::TERM),
            },
        }
    }
}

/// Returns the command that starts the child. On Linux it is this program, see [`become_child`].
fn child_command(guard: &ChildGuard, order: &GuardArguments) -> Command {
    let mut command = if cfg!(target_os = "linux") {
        let mut command = Command::new(&guard.program);
        command.arg0(own_name()).args(guard.line(EXEC, &order.program));
        command
    } else {
        Command::new(&order.program)
    };
    command.args(&order.args).process_group(0);
    command
}

/// Closes the guard's copies of the child's streams. While the guard has them, neither side notices that the other
/// closed one.
fn release_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

fn exit_code(status: WaitStatus) -> ExitCode {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Signals to the guard: SIGQUIT kills the child, the others ask it to terminate.
struct GuardSignals {
    kill: Received,
    terminate: Received,
    interrupt: Received,
    hangup: Received,
}

impl GuardSignals {
    fn listen() -> io::Result<GuardSignals> {
        Ok(GuardSignals {
            kill: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.kill.recv() => Signal::QUIT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }
}

/// The child and the processes that descend from it.
struct ProcessTree {
    child: Pid,
    status: Option<WaitStatus>,
    /// SIGCHLD: a process of the tree has ended.
    ended: Received,
}

impl ProcessTree {
    fn start(command: &mut Command) -> io::Result<ProcessTree> {
        let ended = signal(SignalKind::child())?;
        let child = command.spawn()?;
        let child = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::NotFound)?;
        Ok(ProcessTree { child, status: None, ended })
    }

    /// Waits for the child itself.
    async fn child_ended(&mut self) -> WaitStatus {
        loop {
            self.reap();
            if let Some(status) = self.status {
                return status;
            }
            self.ended.recv().await;
        }
    }

    /// Collects every process that has ended. Returns whether any is left to wait for.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.child => self.status = Some(status),
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn signal(&self, signal: Signal) {
        system::signal_tree(self.child, signal);
    }

    /// Asks every process to terminate, and kills the remaining ones after `grace` or when it is told to.
    async fn end(&mut self, grace: Duration, orders: &mut GuardSignals) {
        self.signal(Signal::TERM);
        let by = Instant::now() + grace;
        while self.reap() {
            tokio::select! {
                _ = self.ended.recv() => {}
                _ = orders.kill.recv() => break,
                () = sleep_until(by) => break,
            }
        }
        self.kill().await;
    }

    /// Kills every process, and the processes that they started meanwhile.
    async fn kill(&mut self) {
        let by = Instant::now() + KILLED;
        loop {
            self.signal(Signal::KILL);
            if !self.reap() || Instant::now() >= by {
                return;
            }
            tokio::select! {
                _ = self.ended.recv() => {}
                () = sleep(LOOK_AGAIN) => {}
            }
        }
    }
}
