//! The parts of a guard that depend on the operating system. Linux can report that a process ended, adopt orphans and
//! list descendants. Other Unix systems have only the parent's number and the process group.

#[cfg(target_os = "linux")]
pub(super) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(super) use portable::*;

use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, kill_process_group};

/// Interval between two checks of the parent, on systems that do not report its end.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until this process has another parent.
async fn parent_changed(parent: i32) {
    while getppid().map(Pid::as_raw_pid) == Some(parent) {
        tokio::time::sleep(LOOK).await;
    }
}

fn signal_group(leader: Pid, signal: Signal) {
    // This fails only if the group is empty.
    let _ = kill_process_group(leader, signal);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::thread;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    use rustix::process::{
        Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, set_child_subreaper,
        set_parent_process_death_signal,
    };
    use tokio::sync::oneshot;

    use super::super::super::procfs;

    /// Makes the kernel kill this process when its parent ends.
    pub(in super::super) fn die_with_parent() {
        // On a kernel without this function, the next start ends the process.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }

    /// Makes this process the parent of its descendants' orphans.
    pub(in super::super) fn adopt_orphans() {
        // On a kernel without this function, the next start finds the orphans.
        let _ = set_child_subreaper(Some(getpid()));
    }

    /// Sets the name of the process in listings, which would otherwise be `exe`.
    pub(in super::super) fn name_process() {
        let _ = rustix::thread::set_name(c"mcp-child-guard");
    }

    /// Waits for the end of the parent. The process is identified at the call, not at the first poll.
    pub(in super::super) fn parent_ended(parent: i32) -> impl Future<Output = ()> {
        let watcher = Pid::from_raw(parent).and_then(|pid| watch(pid).ok());
        async move {
            let ended = match watcher {
                Some(watcher) => watcher.await.is_ok(),
                None => false,
            };
            if !ended {
                super::parent_changed(parent).await;
            }
        }
    }

    /// Starts a thread that waits for the end of a process, because the runtime cannot wait for this kind of
    /// descriptor.
    fn watch(pid: Pid) -> io::Result<oneshot::Receiver<()>> {
        /// The thread only calls `poll`.
        const STACK: usize = 64 << 10;
        let process = pidfd_open(pid, PidfdFlags::empty())?;
        let (ended, receiver) = oneshot::channel();
        thread::Builder::new().stack_size(STACK).spawn(move || {
            let mut events = [PollFd::new(&process, PollFlags::IN)];
            while let Err(Errno::INTR) = poll(&mut events, None) {}
            if !events[0].revents().is_empty() {
                // The receiver is dropped only when the guard ends.
                let _ = ended.send(());
            }
        })?;
        Ok(receiver)
    }

    /// Signals every descendant of this process.
    pub(in super::super) fn signal_tree(child: Pid, signal: Signal) {
        match procfs::descendants(getpid()) {
            Some(all) => all.into_iter().for_each(|pid| {
                // This fails only if the process has ended, or belongs to another user.
                let _ = kill_process(pid, signal);
            }),
            None => super::signal_group(child, signal),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    pub(in super::super) use super::parent_changed as parent_ended;
    pub(in super::super) use super::signal_group as signal_tree;

    /// Does nothing: this system cannot tie a process to its parent.
    pub(in super::super) fn die_with_parent() {}

    /// Does nothing: this system gives orphans to the first process.
    pub(in super::super) fn adopt_orphans() {}

    /// Does nothing: the process is listed under its program's name.
    pub(in super::super) fn name_process() {}
}
