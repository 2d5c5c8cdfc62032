//! Starts a process on one core, and reads the resources that it has used.

use std::fs;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::Failure;

/// Returns the command of `program` with its arguments, on core `pin` if it is given. The process ends when its
/// handle is dropped.
pub fn command(program: &[String], pin: Option<&str>) -> Command {
    let mut words = program.to_vec();
    if let Some(core) = pin {
        words.splice(0..0, ["taskset", "-c", core].map(str::to_owned));
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

/// Returns the process id of a running program.
pub fn pid(child: &Child) -> Result<u32, Failure> {
    child.id().ok_or_else(|| "the server has exited".into())
}

/// Asks a program to end, and waits for its end, because valgrind then writes its report.
pub async fn end(mut child: Child) -> Result<(), Failure> {
    let pid = pid(&child)?.to_string();
    Command::new("kill").args(["-TERM", &pid]).status().await?;
    if tokio::time::timeout(std::time::Duration::from_secs(15), child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(())
}

/// Returns the CPU time of all threads of process `pid`, in nanoseconds (first field of
/// `/proc/PID/task/*/schedstat`).
pub fn cpu_ns(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(task?.path().join("schedstat"))?;
        total += stat.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

/// Returns the CPU time of all child processes that have ended, and of theirs (fields `cutime` and `cstime` of
/// `/proc/self/stat`), in steps of 10 ms.
pub fn ended_children_cpu() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field, the program's name, may contain spaces.
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Returns the resident memory of process `pid`, in KiB.
pub fn rss_kib(pid: u32) -> io::Result<u64> {
    status(pid, "VmRSS:")
}

/// Returns the maximum resident memory of process `pid` since its start, in KiB.
pub fn peak_kib(pid: u32) -> io::Result<u64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    Ok(line.and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0))
}
