//! The permissions of a confined program, as data. They come from a manifest or a configuration file, and say nothing
//! about the means of the operating system.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::host::HostPattern;

/// The strictness of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxMode {
    /// The program is not confined.
    Off,
    /// The program is confined as far as the system can enforce it.
    On,
    /// The program starts only if the system can enforce all of its policy.
    Require,
}

/// The permissions of a program. The default permits no files but those that every program needs, and no host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPolicy {
    /// Files and folders that it may read and execute.
    pub read: Vec<PathBuf>,
    /// Files and folders that it may also change.
    pub write: Vec<PathBuf>,
    /// The hosts that it may connect to.
    pub hosts: HostAccess,
    /// The memory that each of its processes may use for data, in bytes.
    pub memory: u64,
    /// The processes and threads that it may have at the same time, besides those for a start (300).
    pub processes: u32,
    /// The folder that is its home, for caches and settings. `None` for a folder that is removed after it ends.
    pub home: Option<PathBuf>,
}

/// The hosts that a program may connect to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostAccess {
    /// Every host, and every service of this machine that listens on a network address.
    Any,
    /// The hosts of these patterns.
    Only(Vec<HostPattern>),
}

impl SandboxPolicy {
    /// The memory of one process where a policy does not say it: 4 GiB.
    pub const MEMORY: u64 = 4 << 30;
    /// The processes and threads where a policy does not say it.
    pub const PROCESSES: u32 = 512;
}

impl Default for SandboxPolicy {
    fn default() -> SandboxPolicy {
        SandboxPolicy {
            read: Vec::new(),
            write: Vec::new(),
            hosts: HostAccess::Only(Vec::new()),
            memory: SandboxPolicy::MEMORY,
            processes: SandboxPolicy::PROCESSES,
            home: None,
        }
    }
}

impl SandboxMode {
    /// All modes, with their names in a configuration file.
    pub const ALL: [(&str, SandboxMode); 3] =
        [("off", SandboxMode::Off), ("on", SandboxMode::On), ("require", SandboxMode::Require)];
}

impl FromStr for SandboxMode {
    type Err = ();

    fn from_str(text: &str) -> Result<SandboxMode, ()> {
        SandboxMode::ALL.into_iter().find(|(name, _)| *name == text).map(|(_, mode)| mode).ok_or(())
    }
}

impl fmt::Display for SandboxMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SandboxMode::ALL.into_iter().find(|(_, mode)| mode == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}
