//! The revisions that a client accepts, and its memory of servers: a server that is known as legacy is not probed
//! each time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use loggia_wire::model::Implementation;
use loggia_wire::{Era, Version};

/// The negotiation of the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Negotiation {
    /// Sends `server/discover` first, in the newest revision. If the server does not know the method, or does not
    /// answer, sends `initialize`.
    #[default]
    Auto,
    /// Sends `initialize` with the newest legacy revision, and uses the revision that the server answers.
    Legacy,
    /// Only this revision.
    Fixed(Version),
}

impl Negotiation {
    /// Returns whether a client with this negotiation can use `version`.
    pub fn allows(self, version: Version) -> bool {
        match self {
            Negotiation::Auto => true,
            Negotiation::Legacy => version.era() == Era::Legacy,
            Negotiation::Fixed(fixed) => version == fixed,
        }
    }
}

/// The revisions of earlier connections, each with the version of the server's software. Clones share the memory. To
/// keep it across restarts, save [`EraMemory::entries`] and pass them to [`EraMemory::restore`].
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
    /// The revision of the last connection.
    pub version: Version,
    /// The name and version of its software, if the server reports them.
    pub software: Option<String>,
}

impl EraMemory {
    /// The maximum number of servers.
    pub const CAPACITY: usize = 4096;

    /// Creates an empty memory.
    pub fn new() -> EraMemory {
        EraMemory::default()
    }

    /// Returns the version of the last connection to `server`.
    pub fn get(&self, server: &str) -> Option<Version> {
        self.entries_mut().get(server).map(|agreement| agreement.version)
    }

    /// Remembers the version of a connection to `server`: its URL, or its command line.
    pub fn remember(&self, server: &str, version: Version) {
        self.insert(server, Agreement { version, software: None });
    }

    /// Restores an entry of [`EraMemory::entries`].
    pub fn restore(&self, known: KnownServer) {
        self.insert(&known.server, Agreement { version: known.version, software: known.software });
    }

    /// Remembers an opening. If a legacy server was opened from memory and now reports other software, it is removed,
    /// so that the next opening asks again whether it is modern.
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
            // A removed entry costs only one probe, so any entry may be removed.
            entries.pop_first();
        }
        entries.insert(server.to_owned(), agreement);
    }

    /// Removes `server`.
    pub fn forget(&self, server: &str) {
        self.entries_mut().remove(server);
    }

    /// Returns all entries, for saving them.
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
        // The revision of each opening, and the one that is remembered after the last.
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
