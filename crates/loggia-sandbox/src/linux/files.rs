//! Restricts the calling thread to the files of a policy, with Landlock.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, LandlockStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};

use super::order::SandboxOrder;
use super::program::Program;

/// The newest revision of Landlock that is used. Rights that an older kernel does not know are left out; the probe
/// reports the gap.
const NEWEST: ABI = ABI::V10;

/// The files that every program may read and execute: the system's programs, libraries and public settings. `/etc` is
/// not among them as a whole, because it holds secrets that root may read.
const READABLE: &[&str] = &[
    "/bin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/sbin",
    "/usr",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/static",
    "/etc/timezone",
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/current-system/sw",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
];
/// The devices that every program may use.
const DEVICES: &[&str] = &["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];
/// The files in a `/proc` that is not private.
const SHARED_PROC: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/proc/uptime",
    "/proc/version",
];

/// The folders of the program alone.
pub(super) struct OwnFolders {
    pub(super) home: PathBuf,
    pub(super) temporary: PathBuf,
}

impl OwnFolders {
    /// Returns the folders of an order, below the private folder.
    pub(super) fn of(order: &SandboxOrder, folder: &Path) -> OwnFolders {
        let home = order.policy.home.clone().unwrap_or_else(|| folder.join("home"));
        OwnFolders { home, temporary: folder.join("tmp") }
    }

    /// Returns the files and folders that the program may change.
    pub(super) fn writable(&self, order: &SandboxOrder) -> Vec<PathBuf> {
        [&self.home, &self.temporary].into_iter().chain(&order.policy.write).cloned().collect()
    }
}

/// Restricts the calling thread.
pub(super) fn restrict(order: &SandboxOrder, own: &OwnFolders, program: &Program) -> io::Result<()> {
    let policy = &order.policy;
    let proc: &[&str] = if order.features.private_proc { &["/proc"] } else { SHARED_PROC };
    // The folder belongs to the mount namespace only if one was made.
    let shared_memory: &[&str] = if order.features.namespaces { &["/dev/shm"] } else { &[] };
    let readable: Vec<PathBuf> = paths(READABLE)
        .chain(paths(proc))
        .chain(program.places.iter().cloned())
        .chain(policy.read.iter().cloned())
        .collect();
    let writable: Vec<PathBuf> =
        own.writable(order).into_iter().chain(paths(DEVICES)).chain(paths(shared_memory)).collect();
    for listed in policy.read.iter().chain(&policy.write).filter(|path| !path.exists()) {
        super::report(&format_args!("{} does not exist", listed.display()));
    }
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|ruleset| ruleset.scope(Scope::AbstractUnixSocket | Scope::Signal))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(readable, AccessFs::from_read(NEWEST))))
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(writable, AccessFs::from_all(NEWEST))))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(io::Error::other)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(io::Error::from(io::ErrorKind::Unsupported)),
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}

/// Returns the revision of Landlock that the kernel and this program know; 0 without Landlock. Restricts the calling
/// thread.
pub(super) fn try_revision() -> i32 {
    let status = Ruleset::default()
        .handle_access(AccessFs::Execute)
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    match status.map(|status| status.landlock) {
        Ok(LandlockStatus::Available { effective_abi, .. }) => effective_abi as i32,
        Ok(_) | Err(_) => 0,
    }
}

fn paths(names: &[&'static str]) -> impl Iterator<Item = PathBuf> {
    names.iter().map(PathBuf::from)
}
