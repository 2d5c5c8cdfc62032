//! The errors of an import. They exist to name the servers at fault and those that can be imported without them.
//! Invariant: no error quotes a value of the client's file, which may be a secret.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::clients::ClientError;
use crate::config_file::ConfigFileError;

/// The reason that servers cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportError {
    /// The text is not JSON.
    Json(String),
    /// The text is not of the client's format: the format, the place and the reason.
    Syntax(&'static str, String),
    /// The application is not known, or its file cannot be read.
    Client(ClientError),
    /// There are no servers in it.
    NoServers,
    /// There is no server of this name.
    UnknownServer {
        /// The name that was asked for.
        name: String,
        /// The servers that there are.
        known: Vec<String>,
    },
    /// Servers cannot be connectors.
    Unusable {
        /// These servers, at least one.
        servers: Vec<UnusableServer>,
        /// The names at the client of the servers that can be imported without them.
        usable: Vec<String>,
    },
    /// Two servers of the client would be connectors of one name.
    SameName {
        /// The name.
        name: String,
        /// The names of the two at the client.
        servers: [String; 2],
    },
    /// The configuration file has connectors of these names already.
    Existing {
        /// These connectors, at least one.
        connectors: Vec<ExistingConnector>,
        /// The names at the client of the servers that can be imported without them.
        others: Vec<String>,
    },
    /// The configuration file cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The configuration file cannot be written.
    Unwritable {
        /// The file.
        file: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The configuration file cannot be used.
    ConfigFile(ConfigFileError),
    /// The configuration file writes its connectors as an inline table, which cannot be added to.
    Inline,
}

/// A server that cannot be a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableServer {
    /// Its name at the client.
    pub name: String,
    /// The reason.
    pub reason: String,
}

/// A connector of the configuration file whose name a server would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingConnector {
    /// The name.
    pub name: String,
    /// The name as the configuration file writes it.
    pub written: String,
}

impl ImportError {
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> ImportError {
        ImportError::Unreadable { file: file.to_owned(), reason: error.to_string() }
    }

    pub(super) fn unwritable(file: &Path, error: &io::Error) -> ImportError {
        ImportError::Unwritable { file: file.to_owned(), reason: error.to_string() }
    }

    /// Returns whether the error names the file already.
    pub fn names_file(&self) -> bool {
        use ImportError::{ConfigFile, Unreadable, Unwritable};
        matches!(self, ConfigFile(_) | Unreadable { .. } | Unwritable { .. })
    }
}

impl std::error::Error for ImportError {}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Json(place) => write!(f, "this is not JSON: {place}"),
            ImportError::Client(error) => error.fmt(f),
            ImportError::Syntax(format, problem) => write!(f, "this is not {format}: {problem}"),
            ImportError::NoServers => {
                f.write_str("there are no servers in it: they are looked for under mcpServers and servers")
            }
            ImportError::UnknownServer { name, known } => {
                write!(f, "there is no server {name:?}; there are: {}", known.join(", "))
            }
            ImportError::Unusable { servers, .. } => {
                let texts: Vec<String> = servers.iter().map(UnusableServer::to_string).collect();
                f.write_str(&texts.join("\n"))
            }
            ImportError::SameName { name, servers: [one, other] } => {
                write!(f, "the servers {one:?} and {other:?} would both have the name '{name}'")
            }
            ImportError::Existing { connectors, .. } => {
                let names: Vec<String> = connectors.iter().map(ExistingConnector::to_string).collect();
                write!(f, "it has connectors of these names already: {}", names.join(", "))
            }
            ImportError::Unreadable { file, reason } => write!(f, "cannot read {}: {reason}", file.display()),
            ImportError::Unwritable { file, reason } => {
                write!(f, "cannot write {}: {reason}", file.display())
            }
            ImportError::ConfigFile(error) => error.fmt(f),
            ImportError::Inline => f.write_str(
                "its connectors are written in one line; write them as sections [connectors.NAME] first",
            ),
        }
    }
}

impl fmt::Display for UnusableServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server {:?} cannot be a connector: {}", self.name, self.reason)
    }
}

impl fmt::Display for ExistingConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name == self.written {
            true => f.write_str(&self.name),
            false => write!(f, "{} (written {:?})", self.name, self.written),
        }
    }
}
