//! The means of the operating system that an order asks for. They are below the orders, which carry them, and the probe,
//! which finds them.

use serde::{Deserialize, Serialize};

/// The means that a start uses. Each succeeds or ends the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SandboxFeatures {
    /// Landlock.
    pub(crate) landlock: bool,
    /// The filter of system calls.
    pub(crate) seccomp: bool,
    /// No capabilities, also for root.
    pub(crate) privileges: bool,
    /// A user namespace with a process, mount and IPC namespace.
    pub(crate) namespaces: bool,
    /// A network namespace.
    pub(crate) network: bool,
    /// A `/proc` with the processes of the namespace.
    pub(crate) private_proc: bool,
    /// A bound of process numbers in the namespace.
    pub(crate) pid_max: bool,
    /// Mounts that are read-only outside of the folders that may be changed.
    pub(crate) read_only: bool,
}
