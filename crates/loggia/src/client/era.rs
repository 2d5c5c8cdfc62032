//! Revisions that a client accepts, and its memory of servers, so that a server known to be
//! old is not probed again each time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use loggia_wire::model::Implementation;
use loggia_wire::{Era, Version};

/// Negotiation of the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Negotiation {
    /// Ask with `server/discover`, in the newest revision. A server that does not know the question, or
    /// does not answer, is one that wants `initialize`.
    #[default]
    Auto,
    /// Open with `initialize`, offering the newest legacy revision; take what the server answers.
    Legacy,
    /// This revision or none.
    Fixed(Version),
}

impl Negotiation {
    /// Returns whether a client that negotiates like this can speak `version`.
    pub fn allows(self, version: Version) -> bool {
        match self {
            Negotiation::Auto => true,
            Negotiation::Legacy => version.era() == Era::Legacy,
            Negotiation::Fixed(fixed) => version == fixed,
        }
    }
}

/// The revisions that were agreed on with servers before, each with the version of the server's software. Clones
/// share the memory. To keep it across restarts, save [`EraMemory::entries`] and pass them to
/// [`EraMemory::restore`].
#[derive(Debug, Clone, Default)]
pub struct EraMemory(Arc<Mutex<BTreeMap<String, Agreement>>>);

#[derive(Debug, Clone)]
struct Agreement {
    version: Version,
    software: Option<String>,
}

/// One server in an [`EraMemory`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownServer {
    /// Its URL, or a digest of its command line.
    pub server: String,
    /// The revision that was agreed on.
    pub version: Version,
    /// Name and version of its software, where it said so.
    pub software: Option<String>,
}

impl EraMemory {
    /// Most servers that are remembered.
    pub const CAPACITY: usize = 4096;

    /// Remembers nothing yet.
    pub fn new() -> EraMemory {
        EraMemory::default()
    }

    /// Returns the version last agreed on with `server`.
    pub fn get(&self, server: &str) -> Option<Version> {
        self.entries_mut().get(server).map(|agreement| agreement.version)
    }

    /// Remembers what was agreed on with `server`: its URL, or its command line.
    pub fn remember(&self, server: &str, version: Version) {
        self.insert(server, Agreement { version, software: None });
    }

    /// Takes back what [`EraMemory::entries`] gave.
    pub fn restore(&self, known: KnownServer) {
        self.insert(&known.server, Agreement { version: known.version, software: known.software });
    }

    /// Remembers an opening. A legacy server that was opened from memory and now says that it is other software is
    /// forgotten, so that the next opening asks again whether it is modern.
    pub(crate) fn opened(&self, server: &str, version: Version, identity: Option<&Implementation>) {
        let software = identity.map(|identity| format!("{} {}", identity.name, identity.version));
        let before = self.entries_mut().get(server).and_then(|agreement| agreement.software.clone());
        if version.era() == Era::Legacy && before.is_some() && before != software {
            return self.forget(server);
        }
        self.insert(server, Agreement { version, software });
    }

    fn insert(&self, server: &str, agreement: Agreement) {
        let mut entries = self.entries_mut();
        if entries.len() >= EraMemory::CAPACITY && !entries.contains_key(server) {
            // Forgetting costs one probe; which entry goes is no matter.
            entries.pop_first();
        }
        entries.insert(server.to_owned(), agreement);
    }

    /// Forgets `server`.
    pub fn forget(&self, server: &str) {
        self.entries_mut().remove(server);
    }

    /// Everything remembered, to be kept somewhere.
    pub fn entries(&self) -> Vec<KnownServer> {
        let known = |(server, agreement): (&String, &Agreement)| KnownServer {
            server: server.clone(),
            version: agreement.version,
            software: agreement.software.clone(),
        };
        self.entries_mut().iter().map(known).collect()
    }

    fn entries_mut(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Agreement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_software_under_the_same_name_is_asked_again() {
        let (old, new) = (Version::V2025_11_25, Version::V2026_07_28);
        let software = |version: &str| Some(Implementation::new("server", version));
        // What is agreed on in each opening, and what is remembered after the last.
        let cases = [
            ("the same", vec![(old, software("1")), (old, software("1"))], Some(old)),
            ("updated", vec![(old, software("1")), (old, software("2"))], None),
            (
                "updated, asked again, still old",
                vec![(old, software("1")), (old, software("2")), (old, software("2"))],
                Some(old),
            ),
            ("updated to modern", vec![(old, software("1")), (new, software("2"))], Some(new)),
            ("never says", vec![(old, None), (old, None)], Some(old)),
        ];
        for (name, openings, remembered) in cases {
            let memory = EraMemory::new();
            for (version, software) in openings {
                memory.opened("server", version, software.as_ref());
            }
            assert_eq!(memory.get("server"), remembered, "{name}");
        }
    }
}
