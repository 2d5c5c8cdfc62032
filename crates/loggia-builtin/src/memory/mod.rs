//! A durable store of knowledge for a language model: entries with tags and relations, found by full text.
//!
//! The store is one SQLite file with an FTS5 index. Each call opens a connection, and each change is one transaction
//! that is on the disk before the call is answered, so several processes may use one file, and a process that is
//! killed loses nothing that it confirmed. Invariant: triggers keep the index equal to the entries.
//!
//! [`Memory`] blocks: call it from a thread that may block. [`server`] makes an MCP server of it.

mod entry;
mod serve;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use entry::{EntryChange, EntryRequest, MemoryEntry, MemoryPage, MemoryRelation};
pub use serve::server;
pub use store::MemoryError;

/// A store of knowledge. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Memory {
    path: Arc<Path>,
    limits: MemoryLimits,
}

/// The bounds of a store.
#[derive(Debug, Clone)]
pub struct MemoryLimits {
    /// The maximum number of entries of a result (100).
    pub entries: usize,
    /// The maximum number of bytes of the text of an entry (64 KiB).
    pub text: usize,
    /// The maximum number of bytes of the texts in a result (1 MiB).
    pub bytes: usize,
    /// The maximum size of the file, in bytes (256 MiB).
    pub file: u64,
    /// The time limit of a call, with the locks of other processes (10 s).
    pub time: Duration,
    /// The maximum number of running calls (4).
    pub running: usize,
    /// The maximum number of waiting calls; further ones are refused (64).
    pub waiting: usize,
}

impl Default for MemoryLimits {
    fn default() -> MemoryLimits {
        MemoryLimits {
            entries: 100,
            text: 64 << 10,
            bytes: 1 << 20,
            file: 256 << 20,
            time: Duration::from_secs(10),
            running: 4,
            waiting: 64,
        }
    }
}

impl Memory {
    /// Opens the store in the file `path`, and creates it if it does not exist.
    pub fn open(path: &Path, limits: MemoryLimits) -> Result<Memory, MemoryError> {
        let path = std::path::absolute(path).map_err(|error| MemoryError::File(error.to_string()))?;
        let memory = Memory { path: path.into(), limits };
        memory.create()?;
        Ok(memory)
    }

    /// Returns the bounds.
    pub fn limits(&self) -> &MemoryLimits {
        &self.limits
    }
}
