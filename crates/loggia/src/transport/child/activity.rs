//! Signs of work of a process that has not spoken yet, so that a slow start is told from a stuck one.
//!
//! Linux counts the processor time and the input and output of the child and everything it started, and says
//! whether the child has read its standard input. Elsewhere neither is known: only its error output counts.

#[cfg(target_os = "linux")]
pub(super) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(super) use portable::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{AsFd, OwnedFd};

    use tokio::process::Child;

    /// Most processes that are looked at.
    const PROCESSES: usize = 64;
    /// Clock ticks (10 ms) and bytes between two looks below which a process only idles.
    const TICKS: u64 = 2;
    const BYTES: u64 = 4 << 10;

    /// Watches one child and its descendants.
    pub(in super::super) struct Activity {
        child: Option<u32>,
        /// A second handle on the child's standard input, closed with this value.
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

    impl Activity {
        /// Watches `child`, whose standard input has not been taken yet.
        pub(in super::super) fn of(child: &Child) -> Activity {
            let input = child.stdin.as_ref().and_then(|stdin| stdin.as_fd().try_clone_to_owned().ok());
            Activity { child: child.id(), input, last: Footprint::default() }
        }

        /// Returns whether the processes did anything since the last call.
        pub(in super::super) fn worked(&mut self) -> bool {
            let Some(child) = self.child else { return false };
            let now = footprint(child);
            let last = std::mem::replace(&mut self.last, now);
            now.runnable
                || now.processes != last.processes
                || now.ticks.saturating_sub(last.ticks) >= TICKS
                || now.bytes.saturating_sub(last.bytes) >= BYTES
        }

        /// Returns whether the child has read everything that was written to its input; `None` where that
        /// is not known.
        pub(in super::super) fn has_read_input(&self) -> Option<bool> {
            let unread = rustix::io::ioctl_fionread(self.input.as_ref()?).ok()?;
            Some(unread == 0)
        }
    }

    fn footprint(child: u32) -> Footprint {
        let mut sum = Footprint::default();
        let mut open = vec![child];
        while let Some(process) = open.pop() {
            if sum.processes == PROCESSES {
                break;
            }
            let Some((runnable, ticks)) = read_stat(process) else { continue };
            sum.processes += 1;
            sum.runnable |= runnable;
            sum.ticks += ticks;
            sum.bytes += read_io(process);
            open.extend(children(process));
        }
        sum
    }

    /// Returns whether a process runs or waits for a disk, and the processor time it has used (proc(5), `stat`).
    fn read_stat(process: u32) -> Option<(bool, u64)> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        Some((matches!(fields.first(), Some(&("R" | "D"))), ticks(11) + ticks(12)))
    }

    /// Bytes that a process has read and written (proc(5), `io`).
    fn read_io(process: u32) -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
        let amounts = io.lines().filter_map(|line| {
            line.strip_prefix("rchar: ").or_else(|| line.strip_prefix("wchar: "))?.parse::<u64>().ok()
        });
        amounts.sum()
    }

    fn children(process: u32) -> Vec<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        let listed = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        listed
            .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
            .collect()
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use tokio::process::Child;

    /// Watches nothing: this system does not tell.
    pub(in super::super) struct Activity;

    impl Activity {
        /// Watches `child`.
        pub(in super::super) fn of(_: &Child) -> Activity {
            Activity
        }

        /// Returns whether the processes did anything since the last call.
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

    use super::Activity;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("sh is there")
    }

    /// Looks until `worked` says so. It must in the end: the test has no other limit than that of all tests.
    async fn look_until(activity: &mut Activity, worked: bool) {
        while activity.worked() != worked {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn work_is_seen_in_the_child_and_in_what_it_started() {
        for script in ["while :; do :; done", "(while :; do :; done) & read -r end; kill $!"] {
            let mut child = shell(script);
            look_until(&mut Activity::of(&child), true).await;
            // What the child started ends with its input.
            drop(child.stdin.take());
            if script.ends_with("kill $!") {
                child.wait().await.expect("it ends");
            }
        }
        look_until(&mut Activity::of(&shell("exec sleep 1000")), false).await;
    }

    #[tokio::test]
    async fn input_counts_as_read_when_the_child_has_taken_all_of_it() {
        let mut child =
            shell("trap 'read -r line; echo read' USR1; echo ready; while :; do sleep 0.01; done");
        let activity = Activity::of(&child);
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
