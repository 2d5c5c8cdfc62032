//! Which revision a client wants, and what it remembers of servers it has met, so that a server known to be
//! old is not probed again each time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use loggia_wire::{Era, Version};

/// How a client finds the revision to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Negotiation {
    /// Ask with `server/discover`, in the newest revision. A server that does not know the question, or
    /// does not answer, is one that wants `initialize`.
    #[default]
    Auto,
    /// Open with `initialize`, offering the newest handshake revision; take what the server answers.
    Handshake,
    /// This revision or none.
    Fixed(Version),
}

impl Negotiation {
    /// Whether a client that negotiates like this can speak `version`.
    pub fn allows(self, version: Version) -> bool {
        match self {
            Negotiation::Auto => true,
            Negotiation::Handshake => version.era() == Era::Handshake,
            Negotiation::Fixed(fixed) => version == fixed,
        }
    }
}

/// What is remembered of servers met before: for each the revision that was agreed on. Clones share the
/// memory. To keep it across restarts, write [`EraMemory::entries`] somewhere and read it back with
/// [`EraMemory::remember`].
#[derive(Debug, Clone, Default)]
pub struct EraMemory(Arc<Mutex<BTreeMap<String, Version>>>);

impl EraMemory {
    /// Most servers that are remembered.
    pub const CAPACITY: usize = 4096;

    /// Remembers nothing yet.
    pub fn new() -> EraMemory {
        EraMemory::default()
    }

    /// What was agreed on with `server` last time.
    pub fn get(&self, server: &str) -> Option<Version> {
        self.entries_mut().get(server).copied()
    }

    /// Remembers what was agreed on with `server`: its URL, or its command line.
    pub fn remember(&self, server: &str, version: Version) {
        let mut entries = self.entries_mut();
        if entries.len() >= EraMemory::CAPACITY && !entries.contains_key(server) {
            // Forgetting costs one probe; which entry goes is no matter.
            entries.pop_first();
        }
        entries.insert(server.to_owned(), version);
    }

    /// Forgets `server`.
    pub fn forget(&self, server: &str) {
        self.entries_mut().remove(server);
    }

    /// Everything remembered, to be kept somewhere.
    pub fn entries(&self) -> Vec<(String, Version)> {
        self.entries_mut().iter().map(|(server, version)| (server.clone(), *version)).collect()
    }

    fn entries_mut(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Version>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
