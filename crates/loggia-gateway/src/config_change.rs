//! The report of a changed configuration. It stands below the observer, which receives it.

use std::fmt;
use std::path::PathBuf;

use loggia_hub::ConnectorSetChange;

/// A part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// The configuration file.
    File(PathBuf),
    /// The connectors that were added with `loggia add`.
    Added,
    /// The accounts whose credentials are saved.
    Accounts,
    /// Manifest files of connectors.
    Manifests(Vec<PathBuf>),
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigSource::File(file) => file.display().fmt(f),
            ConfigSource::Accounts => f.write_str("the saved accounts"),
            ConfigSource::Manifests(files) => {
                let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                f.write_str(&files.join(" and "))
            }
            ConfigSource::Added => f.write_str("the list of added connectors"),
        }
    }
}

/// The effect of a changed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigChange {
    /// The part of the configuration that changed.
    pub source: ConfigSource,
    /// The change of the connectors.
    pub connectors: ConnectorSetChange,
    /// True if `[server]` differs from what the gateway was started with, which takes effect at its next start.
    pub needs_restart: bool,
}

impl fmt::Display for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConnectorSetChange { added, reconnected, removed, kept, .. } = &self.connectors;
        write!(f, "{} changed", self.source)?;
        for (verb, names) in [("added", added), ("changed", reconnected), ("removed", removed)] {
            if !names.is_empty() {
                write!(f, "; {verb}: {}", names.join(", "))?;
            }
        }
        if added.is_empty() && reconnected.is_empty() && removed.is_empty() {
            write!(f, "; the connection of each of the {} connectors stays", kept.len())?;
        }
        if self.needs_restart {
            f.write_str("; [server] takes effect at the next start")?;
        }
        Ok(())
    }
}
