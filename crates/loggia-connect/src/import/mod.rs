//! Import of the servers that an MCP client is configured with (`mcpServers` of Claude, Cursor and others, `servers` of
//! VS Code) into `loggia.toml`.
//!
//! A client's file often holds secrets, and `loggia.toml` is kept and shared. So a value that looks like a secret is not
//! copied: a variable takes its place, and a note says which. Invariant: no error and no note quotes a value.

mod detect;
mod secrets;
mod server;

use std::fmt;
use std::path::Path;

use jsonc_parser::ParseOptions;
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Table};

use crate::manifest::{Manifest, ManifestError, connector_name};
use secrets::Variables;

/// The places of servers in the files of clients, as keys from the root.
const PLACES: [&[&str]; 4] = [&["mcpServers"], &["servers"], &["mcp", "servers"], &["context_servers"]];

/// The servers of a client.
pub struct Import {
    servers: Vec<ImportedServer>,
}

/// One server of a client, as a connector.
pub struct ImportedServer {
    /// Its name as a connector.
    pub name: String,
    /// Its name at the client.
    pub written: String,
    /// A few words about it, without any value that may be a secret.
    pub summary: String,
    /// Notes for the user: variables to set, settings that were left out.
    pub notes: Vec<String>,
    section: Table,
}

/// The reason that servers cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportError {
    /// The text is not JSON.
    Json(String),
    /// There are no servers in it.
    NoServers,
    /// There is no server of this name.
    UnknownServer {
        /// The name that was asked for.
        name: String,
        /// The servers that there are.
        known: Vec<String>,
    },
    /// A server cannot be a connector.
    Server {
        /// Its name at the client.
        name: String,
        /// The reason.
        reason: String,
    },
    /// Two connectors would have one name.
    NameTaken {
        /// The name.
        name: String,
        /// The server that would have it.
        server: String,
        /// The connector or server that has it.
        other: String,
    },
    /// The configuration file cannot be used.
    Manifest(ManifestError),
    /// The connectors of the configuration file are written in a way that cannot be added to.
    Inline,
}

impl Import {
    /// Reads a client's configuration: JSON, which may have comments. With `names`, only those servers are taken.
    ///
    /// # Errors
    ///
    /// Fails if the text is not JSON, has no servers, not those named, or one that cannot be a connector.
    pub fn parse(text: &str, names: &[String]) -> Result<Import, ImportError> {
        let text = text.trim_start_matches('\u{feff}');
        let root: Value = jsonc_parser::parse_to_serde_value(text, &ParseOptions::default())
            .map_err(|error| ImportError::Json(position(text, error.range().start)))?;
        let all = PLACES.iter().find_map(|place| servers_at(&root, place)).ok_or(ImportError::NoServers)?;
        if let Some(name) = names.iter().find(|name| !all.contains_key(*name)) {
            let known = all.keys().cloned().collect();
            return Err(ImportError::UnknownServer { name: name.clone(), known });
        }
        let taken = all.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
        let mut variables = Variables::default();
        let servers = taken.map(|(name, settings)| ImportedServer::read(name, settings, &mut variables));
        let servers = servers.collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() { Err(ImportError::NoServers) } else { Ok(Import { servers }) }
    }

    /// The servers that were read.
    pub fn servers(&self) -> &[ImportedServer] {
        &self.servers
    }

    /// Returns the text of the configuration file `path` with the servers added at its end. Everything in it stays as it
    /// is written, comments too.
    ///
    /// # Errors
    ///
    /// Fails if the file is damaged, or if a server has the name of a connector that is there.
    pub fn add_to(&self, existing: &str, path: &Path) -> Result<String, ImportError> {
        Manifest::parse(existing, path).map_err(ImportError::Manifest)?;
        let mut document: DocumentMut = existing.parse().map_err(|_| ImportError::Inline)?;
        let mut implicit = Table::new();
        implicit.set_implicit(true);
        // Comments after the last section stay before the new ones.
        let mut before = document.trailing().as_str().unwrap_or_default().to_owned();
        document.set_trailing("");
        let connectors = document.entry("connectors").or_insert(Item::Table(implicit));
        let connectors = connectors.as_table_mut().ok_or(ImportError::Inline)?;
        for server in &self.servers {
            let has_name = |key: &&str| connector_name(key).is_ok_and(|name| name == server.name);
            if let Some(other) = connectors.iter().map(|(key, _)| key).find(has_name) {
                return Err(ImportError::NameTaken {
                    name: server.name.clone(),
                    server: server.written.clone(),
                    other: other.to_owned(),
                });
            }
            let mut section = server.section.clone();
            section.decor_mut().set_prefix(format!("{}\n", std::mem::take(&mut before)));
            connectors.insert(&server.name, Item::Table(section));
        }
        let mut text = document.to_string();
        if existing.is_empty() {
            // The blank line before the first section.
            text = text.trim_start().to_owned();
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Manifest::parse(&text, path).map_err(ImportError::Manifest)?;
        Ok(text)
    }
}

/// The servers at a place in a client's file.
fn servers_at<'v>(root: &'v Value, place: &[&str]) -> Option<&'v Map<String, Value>> {
    let found = place.iter().try_fold(root, |value, key| value.get(key))?;
    found.as_object().filter(|servers| servers.values().all(Value::is_object))
}

/// The place of a byte in a text. The parser's own message may quote the text.
fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    format!("line {}, column {}", before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl std::error::Error for ImportError {}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Json(place) => write!(f, "this is not JSON: {place}"),
            ImportError::NoServers => {
                f.write_str("there are no servers in it: they are looked for under mcpServers and servers")
            }
            ImportError::UnknownServer { name, known } => {
                write!(f, "there is no server {name:?}; there are: {}", known.join(", "))
            }
            ImportError::Server { name, reason } => {
                write!(f, "the server {name:?} cannot be a connector: {reason}")
            }
            ImportError::NameTaken { name, server, other } => {
                write!(f, "the server {server:?} would have the name '{name}', which {other:?} has already")
            }
            ImportError::Manifest(error) => error.fmt(f),
            ImportError::Inline => f.write_str(
                "its connectors are written in one line; write them as sections [connectors.NAME] first",
            ),
        }
    }
}

impl fmt::Debug for ImportedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportedServer").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.servers).finish()
    }
}
