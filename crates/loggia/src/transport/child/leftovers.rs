//! Children that outlived both their program and their guard, as after `killall -9`. The environment of each guarded
//! child names the program that started it, and its own children inherit the variable, so a later start finds them.
//! Only Linux shows the environment of other processes; elsewhere none is found.

#[cfg(target_os = "linux")]
pub(super) use linux::{ChildMark, end_all};
#[cfg(not(target_os = "linux"))]
pub(super) use portable::{NoMark as ChildMark, end_all};

/// The variable that marks a guarded child.
pub(super) const VARIABLE: &str = "LOGGIA_GUARDED_BY";

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt;
    use std::fs;
    use std::io::Read;
    use std::path::PathBuf;

    use rustix::process::{Pid, Signal, getpid, kill_process};

    use super::super::procfs::{self, ProcessStat};
    use super::VARIABLE;

    /// The maximum length of an environment that is searched, in bytes.
    const ENVIRONMENT: u64 = 1 << 20;

    /// The identity of a child and of the program that started it: `PID:START:NAMESPACE:CHILD`. Process numbers are
    /// unique only within their PID namespace.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(in super::super) struct ChildMark {
        pid: i32,
        start: u64,
        namespace: String,
        child: u64,
    }

    impl ChildMark {
        /// Returns a mark for another child of this process.
        pub(in super::super) fn new() -> Option<ChildMark> {
            let own = getpid();
            let child: [u8; 8] = crate::random::try_random()?;
            Some(ChildMark {
                pid: own.as_raw_pid(),
                start: ProcessStat::of(own)?.start,
                namespace: namespace(own)?,
                child: u64::from_le_bytes(child),
            })
        }

        fn parse(text: &str) -> Option<ChildMark> {
            let mut parts = text.split(':');
            let mark = ChildMark {
                pid: parts.next()?.parse().ok()?,
                start: parts.next()?.parse().ok()?,
                namespace: parts.next()?.to_owned(),
                child: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(mark)
        }

        fn read(pid: Pid) -> Option<ChildMark> {
            let mut environment = Vec::new();
            let file = fs::File::open(procfs::path(pid, "environ")).ok()?;
            file.take(ENVIRONMENT).read_to_end(&mut environment).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            let value =
                variables.find_map(|text| text.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="))?;
            ChildMark::parse(std::str::from_utf8(value).ok()?)
        }

        /// Returns whether the program that started the child still runs.
        fn program_runs(&self) -> bool {
            let stat = Pid::from_raw(self.pid).and_then(ProcessStat::of);
            stat.is_some_and(|stat| stat.start == self.start)
        }

        /// Kills the remaining processes of this child, and returns their number.
        pub(in super::super) fn end(&self) -> usize {
            kill_where(|mark| mark == self).len()
        }
    }

    impl fmt::Display for ChildMark {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}:{}:{}:{}", self.pid, self.start, self.namespace, self.child)
        }
    }

    /// Kills the children of programs that no longer run. Returns their process numbers.
    pub(in super::super) fn end_all() -> Vec<i32> {
        kill_where(|mark| !mark.program_runs())
    }

    fn kill_where(wanted: impl Fn(&ChildMark) -> bool) -> Vec<i32> {
        let Some(own_namespace) = namespace(getpid()) else { return Vec::new() };
        let spared = ancestors();
        let is_left = |pid: &Pid| {
            !spared.contains(pid)
                && ChildMark::read(*pid).is_some_and(|mark| mark.namespace == own_namespace && wanted(&mark))
                && namespace(*pid).is_some_and(|namespace| namespace == own_namespace)
        };
        let left = procfs::processes().unwrap_or_default().into_iter().filter(is_left);
        left.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).map(Pid::as_raw_pid).collect()
    }

    /// Returns this process and its ancestors, which may have marks themselves.
    fn ancestors() -> Vec<Pid> {
        let mut all = vec![getpid()];
        while let Some(parent) =
            all.last().copied().and_then(ProcessStat::of).and_then(|stat| Pid::from_raw(stat.parent))
            && !all.contains(&parent)
        {
            all.push(parent);
        }
        all
    }

    /// Returns the number of a process's PID namespace.
    fn namespace(pid: Pid) -> Option<String> {
        let link: PathBuf = fs::read_link(procfs::path(pid, "ns/pid")).ok()?;
        Some(link.to_str()?.trim_start_matches("pid:[").trim_end_matches(']').to_owned())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_mark_is_read_as_it_was_written() {
            let mark = ChildMark::new().expect("this is Linux");
            assert_eq!(ChildMark::parse(&mark.to_string()), Some(mark.clone()));
            assert!(mark.program_runs());
            assert!(
                !ChildMark { start: mark.start + 1, ..mark.clone() }.program_runs(),
                "another process of this number"
            );
            for bad in ["", "1", "1:2:3", "1:2:3:4:5", "a:2:3:4"] {
                assert_eq!(ChildMark::parse(bad), None, "{bad}");
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::fmt;

    /// A mark on systems without marks: it has no values.
    pub(in super::super) enum NoMark {}

    impl NoMark {
        pub(in super::super) fn new() -> Option<NoMark> {
            None
        }

        pub(in super::super) fn end(&self) -> usize {
            match *self {}
        }
    }

    impl fmt::Display for NoMark {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }

    /// Returns nothing, because no process can be found here.
    pub(in super::super) fn end_all() -> Vec<i32> {
        Vec::new()
    }
}
