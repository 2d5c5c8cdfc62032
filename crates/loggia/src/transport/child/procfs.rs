//! The processes in `/proc` of Linux.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, getpid};

/// A process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessStat {
    pub(super) parent: i32,
    /// The time of its start, in clock ticks since the start of the system. A number can be used again, but a number
    /// together with a start time cannot.
    pub(super) start: u64,
    /// True if it runs, waits for a processor, or waits for a disk.
    pub(super) runnable: bool,
    /// The processor time that it has used, in clock ticks.
    pub(super) ticks: u64,
}

impl ProcessStat {
    /// Returns the process with this number, if there is one.
    pub(super) fn of(pid: Pid) -> Option<ProcessStat> {
        ProcessStat::read(&fs::read_to_string(path(pid, "stat")).ok()?)
    }

    /// Reads `/proc/PID/stat`: fields 3, 4, 14, 15 and 22 (`proc_pid_stat(5)`). The second field is a name in
    /// parentheses, which may contain any character.
    fn read(stat: &str) -> Option<ProcessStat> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
        Some(ProcessStat {
            parent: fields.get(1)?.parse().ok()?,
            start: number(19)?,
            runnable: matches!(fields.first(), Some(&("R" | "D"))),
            ticks: number(11)?.saturating_add(number(12)?),
        })
    }
}

/// Returns a file of a process.
pub(super) fn path(pid: Pid, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{file}", pid.as_raw_pid()))
}

/// Returns every process; `None` if they are not listed.
pub(super) fn processes() -> Option<Vec<Pid>> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<Pid> = numbers.filter_map(Pid::from_raw).collect();
    all.contains(&getpid()).then_some(all)
}

/// Returns every process that descends from `ancestor`, parents first; `None` if processes are not listed.
pub(super) fn descendants(ancestor: Pid) -> Option<Vec<Pid>> {
    let mut children: BTreeMap<i32, Vec<Pid>> = BTreeMap::new();
    for pid in processes()? {
        if let Some(stat) = ProcessStat::of(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&ancestor.as_raw_pid()).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        next += 1;
        found.extend(children.remove(&pid.as_raw_pid()).unwrap_or_default());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_fields() {
        let rest = "7 5 5 0 -1 4194304 1 0 0 0 30 4 0 0 20 0 1 0 4242 1 1";
        for name in ["sh", "a) S 1 2", "((", ""] {
            for (state, runnable) in [("S", false), ("R", true), ("D", true), ("Z", false)] {
                let read = ProcessStat::read(&format!("9 ({name}) {state} {rest}"));
                let expected = ProcessStat { parent: 7, start: 4242, runnable, ticks: 34 };
                assert_eq!(read, Some(expected), "{name} {state}");
            }
        }
        assert_eq!(ProcessStat::read("9 (sh) S 7"), None);
    }

    #[test]
    fn a_child_of_this_process_is_among_its_descendants() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().expect("sleep is there");
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a number");
        let found = descendants(getpid());
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        assert!(found.expect("processes are listed").contains(&pid));
    }
}
