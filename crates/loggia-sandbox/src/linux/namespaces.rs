//! The namespaces of a child: user, processes, mounts, IPC and network. A user without privileges may make them inside
//! a user namespace of their own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::process::{getegid, geteuid};
use rustix::thread::CapabilitySet;

/// The number of processes with low numbers, which the kernel does not reuse (`RESERVED_PIDS`).
const RESERVED_PIDS: u32 = 300;

/// Enters a new user namespace, in which this process has all capabilities and programs that it starts keep them.
/// The process must have one thread.
pub(super) fn enter_user_namespace() -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    // A user without privileges may map the group only after this (user_namespaces(7)).
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    let mut sets = rustix::thread::capabilities(None)?;
    sets.inheritable = sets.permitted;
    rustix::thread::set_capabilities(None, sets)?;
    for capability in sets.permitted.iter().filter(|one| CapabilitySet::all().contains(*one)) {
        rustix::thread::configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Makes the next process that this thread starts the first one of a process namespace.
pub(super) fn begin_process_namespace() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWPID)?)
}

/// Enters new namespaces for mounts and IPC. Mounts in it do not reach the system.
pub(super) fn enter_mount_namespace() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC)?;
    Ok(mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?)
}

/// Enters a new network namespace, which has no network yet.
pub(super) fn enter_network_namespace() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWNET)?)
}

/// Mounts a `/proc` that shows only the processes of the namespace.
pub(super) fn mount_proc() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None)?)
}

/// Mounts an empty folder for shared memory, whose files are those of other programs otherwise.
pub(super) fn mount_shared_memory() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("tmpfs", "/dev/shm", "tmpfs", flags, Some(c"size=64m,mode=1777"))?)
}

/// Shows `file` as `/etc/resolv.conf`. On a system without this file, programs ask 127.0.0.1.
pub(super) fn mount_resolver(file: &Path) -> io::Result<()> {
    match fs::metadata("/etc/resolv.conf") {
        Ok(_) => Ok(mount_bind(file, "/etc/resolv.conf")?),
        Err(_) => Ok(()),
    }
}

/// Bounds the processes and threads of the namespace, through its `/proc`. Since Linux 6.14 the bound belongs to the
/// namespace; before, the write is refused.
pub(super) fn bound_processes(most: u32) -> io::Result<()> {
    fs::write("/proc/sys/kernel/pid_max", most.saturating_add(RESERVED_PIDS).to_string())
}

/// Makes every mount read-only, except `/proc`, `/dev/shm` and the given files and folders. Landlock does not restrict
/// changes of modes, owners, times and extended attributes; a read-only mount refuses them.
pub(super) fn make_read_only(writable: &[PathBuf]) -> io::Result<()> {
    for path in writable.iter().filter(|path| path.exists()) {
        mount_bind_recursive(path, path)?;
    }
    let writable: Vec<PathBuf> = writable.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let is_kept = |place: &Path| {
        place.starts_with("/proc")
            || place == "/dev/shm"
            || writable.iter().any(|path| place.starts_with(path))
    };
    for mount in MountPoint::read_all()?.into_iter().filter(|mount| !is_kept(&mount.place)) {
        match mount_remount(&mount.place, mount.flags | MountFlags::BIND | MountFlags::RDONLY, "") {
            // A mount that is hidden below another one, or that the user cannot reach.
            Ok(()) | Err(Errno::NOENT | Errno::ACCESS | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A mount, with the flags that a user namespace may not remove.
#[derive(Debug, PartialEq, Eq)]
struct MountPoint {
    place: PathBuf,
    flags: MountFlags,
}

impl MountPoint {
    fn read_all() -> io::Result<Vec<MountPoint>> {
        Ok(fs::read_to_string("/proc/self/mountinfo")?.lines().filter_map(MountPoint::read).collect())
    }

    /// Reads a line of `mountinfo` (proc_pid_mountinfo(5)): the fifth field is the place, the sixth its flags.
    fn read(line: &str) -> Option<MountPoint> {
        const FLAGS: [(&str, MountFlags); 6] = [
            ("nosuid", MountFlags::NOSUID),
            ("nodev", MountFlags::NODEV),
            ("noexec", MountFlags::NOEXEC),
            ("noatime", MountFlags::NOATIME),
            ("nodiratime", MountFlags::NODIRATIME),
            ("relatime", MountFlags::RELATIME),
        ];
        let mut fields = line.split(' ').skip(4);
        let place = unescape(fields.next()?)?;
        let words = fields.next()?.split(',');
        let flags = words.filter_map(|word| FLAGS.iter().find(|(name, _)| *name == word));
        Some(MountPoint { place, flags: flags.fold(MountFlags::empty(), |all, (_, flag)| all | *flag) })
    }
}

/// Replaces the octal numbers of spaces and backslashes (`\040`).
fn unescape(text: &str) -> Option<PathBuf> {
    let mut parts = text.split('\\');
    let mut place = parts.next()?.to_owned();
    for part in parts {
        place.push(char::from(u8::from_str_radix(part.get(..3)?, 8).ok()?));
        place.push_str(part.get(3..)?);
    }
    Some(place.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_with_its_flags() {
        for (line, expected) in [
            (
                "36 35 98:0 /mnt1 /mnt\\040two rw,nosuid,noatime master:1 - ext3 /dev/root rw,errors=continue",
                Some(("/mnt two", MountFlags::NOSUID | MountFlags::NOATIME)),
            ),
            ("1 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw", Some(("/", MountFlags::RELATIME))),
            ("1 1 8:1 / /a\\1", None),
            ("1 1", None),
        ] {
            let expected = expected.map(|(place, flags)| MountPoint { place: place.into(), flags });
            assert_eq!(MountPoint::read(line), expected, "{line}");
        }
    }
}
