//! Signs of work of a process that has sent no message yet: they distinguish a slow start from a hanging one.
//!
//! On Linux they are the processor time and the input and output of the child and its descendants, and whether the
//! child has read its standard input. Other systems do not report these: only the error output counts there.

#[cfg(target_os = "linux")]
pub(super) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(super) use portable::NoActivity as ChildActivity;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::process::Pid;
    use tokio::process::Child;

    use super::super::procfs::{self, ProcessStat};

    /// The maximum number of processes that are examined.
    const PROCESSES: usize = 64;
    /// The clock ticks (10 ms) and bytes between two observations below which a process counts as idle.
    const TICKS: u64 = 2;
    const BYTES: u64 = 4 << 10;

    /// Observes one child and its descendants.
    pub(in super::super) struct ChildActivity {
        child: Option<Pid>,
        /// A second handle to the child's standard input, which is closed with this value.
        input: Option<OwnedFd>,
        last: Footprint,
    }

    /// Sums over the processes that run at one moment.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    struct Footprint {
        processes: usize,
        ticks: u64,
        bytes: u64,
        runnable: bool,
    }

    impl ChildActivity {
        /// Observes `child`, whose standard input must not have been taken.
        pub(in super::super) fn of(child: &Child) -> ChildActivity {
            let input = child.stdin.as_ref().and_then(|stdin| stdin.as_fd().try_clone_to_owned().ok());
            let child = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            ChildActivity { child, input, last: Footprint::default() }
        }

        /// Returns whether the processes have worked since the last call.
        pub(in super::super) fn worked(&mut self) -> bool {
            let Some(child) = self.child else { return false };
            let now = footprint(child);
            let last = std::mem::replace(&mut self.last, now);
            now.runnable
                || now.processes != last.processes
                || now.ticks.saturating_sub(last.ticks) >= TICKS
                || now.bytes.saturating_sub(last.bytes) >= BYTES
        }

        /// Returns whether the child has read everything that was written to its input; `None` if that is unknown.
        pub(in super::super) fn has_read_input(&self) -> Option<bool> {
            let unread = rustix::io::ioctl_fionread(self.input.as_ref()?).ok()?;
            Some(unread == 0)
        }
    }

    fn footprint(child: Pid) -> Footprint {
        let mut sum = Footprint::default();
        let started = procfs::descendants(child).unwrap_or_default();
        for process in std::iter::once(child).chain(started).take(PROCESSES) {
            let Some(stat) = ProcessStat::of(process) else { continue };
            sum.processes += 1;
            sum.runnable |= stat.runnable;
            sum.ticks += stat.ticks;
            sum.bytes += read_io(process);
        }
        sum
    }

    /// Returns the number of bytes that a process has read and written (proc(5), `io`).
    fn read_io(process: Pid) -> u64 {
        let io = std::fs::read_to_string(procfs::path(process, "io")).unwrap_or_default();
        let amounts = io.lines().filter_map(|line| {
            line.strip_prefix("rchar: ").or_else(|| line.strip_prefix("wchar: "))?.parse::<u64>().ok()
        });
        amounts.sum()
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use tokio::process::Child;

    /// Observes nothing, because this system does not report it.
    pub(in super::super) struct NoActivity;

    impl NoActivity {
        /// Observes `child`.
        pub(in super::super) fn of(_: &Child) -> NoActivity {
            NoActivity
        }

        /// Returns whether the processes have worked since the last call.
        pub(in super::super) fn worked(&mut self) -> bool {
            false
        }

        /// Returns whether the child has read everything that was written to its input.
        pub(in super::super) fn has_read_input(&self) -> Option<bool> {
            None
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Stdio;

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::process::{Child, Command};

    use super::ChildActivity;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("sh is there")
    }

    /// Looks until `looks` in a row return `worked`. Loops without a limit of its own: the time limit of all tests
    /// ends it.
    async fn look_until(activity: &mut ChildActivity, worked: bool, looks: usize) {
        let mut in_a_row = 0;
        while in_a_row < looks {
            in_a_row = if activity.worked() == worked { in_a_row + 1 } else { 0 };
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn work_is_seen_in_the_child_and_in_what_it_started() {
        for script in
            ["echo ready; while :; do :; done", "(while :; do :; done) & echo ready; read -r end; kill $!"]
        {
            let mut child = shell(script);
            let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
            assert_eq!(lines.next_line().await.expect("a line").as_deref(), Some("ready"));
            let mut activity = ChildActivity::of(&child);
            // The first look counts every process as new. A start causes a few more looks that return work.
            activity.worked();
            look_until(&mut activity, true, 100).await;
            // The processes of the script end with their input, of which the activity has a handle.
            drop((activity, child.stdin.take()));
            if script.ends_with("kill $!") {
                child.wait().await.expect("it ends");
            }
        }
        look_until(&mut ChildActivity::of(&shell("exec sleep 1000")), false, 1).await;
    }

    #[tokio::test]
    async fn input_counts_as_read_when_the_child_has_taken_all_of_it() {
        let mut child =
            shell("trap 'read -r line; echo read' USR1; echo ready; while :; do sleep 0.01; done");
        let activity = ChildActivity::of(&child);
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        assert_eq!(lines.next_line().await.expect("a line").as_deref(), Some("ready"));
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(b"question\n").await.expect("written");
        input.flush().await.expect("written");
        assert_eq!(activity.has_read_input(), Some(false));
        let pid = child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-USR1", &pid]).status().await.expect("kill is there").success());
        assert_eq!(lines.next_line().await.expect("a line").as_deref(), Some("read"));
        assert_eq!(activity.has_read_input(), Some(true));
    }
}
