//! Import of the servers that an MCP client is configured with (`mcpServers` of Claude, Cursor and others, `servers` of
//! VS Code) into `loggia.toml`.
//!
//! A client's file often holds secrets, and `loggia.toml` is kept and shared. So a value that looks like a secret is not
//! copied: a variable takes its place, and a note says which. Invariant: no error and no note quotes a value.

mod client;
mod detect;
mod error;
mod file;
mod secrets;
mod server;
mod spelling;

use std::fmt;
use std::path::Path;

use jsonc_parser::ast::{Object, Value as Syntax};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast, parse_to_serde_value};
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Table};

use crate::clients::ClientTable;
use crate::config_file::{ConfigFile, connector_name};
pub use crate::file_text::bounded_text;
use secrets::Variables;

pub use detect::has_secret;
pub use error::{ExistingConnector, ImportError, UnusableServer};

/// Places of servers that no client of the table uses any more: the settings of VS Code.
const OLD_PLACES: [[&str; 2]; 1] = [["mcp", "servers"]];

/// The servers of a client.
pub struct Import {
    servers: Vec<ImportedServer>,
    left_out: Vec<String>,
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

impl Import {
    /// Reads a client's configuration: JSON, which may have comments. With `names`, only those servers are taken. They stay
    /// in the order of the text.
    ///
    /// # Errors
    ///
    /// Fails if the text is not JSON, has no servers, not those named, one that cannot be a connector, or two that would be
    /// connectors of one name.
    pub fn parse(text: &str, names: &[String]) -> Result<Import, ImportError> {
        let text = text.trim_start_matches('\u{feff}');
        let root: Value = parse_to_serde_value(text, &ParseOptions::default())
            .map_err(|error| ImportError::Json(position(text, error.range().start)))?;
        let table = ClientTable::embedded();
        let places = table.places().into_iter().map(|(keys, _)| keys.iter().map(String::as_str).collect());
        let mut places = OLD_PLACES.iter().map(|place| place.to_vec()).chain(places);
        let found = places.find_map(|place: Vec<&str>| Some((servers_at(&root, &place)?, place)));
        let (all, place) = found.ok_or(ImportError::NoServers)?;
        let order = names_at(text, &place);
        let mut all: Vec<(&str, &Value)> = all.iter().map(|(name, value)| (name.as_str(), value)).collect();
        all.sort_by_key(|(name, _)| order.iter().position(|at| at == name).unwrap_or(usize::MAX));
        Import::of_servers(&all, names)
    }

    /// Reads servers, which are in the order of the file.
    fn of_servers(all: &[(&str, &Value)], names: &[String]) -> Result<Import, ImportError> {
        if let Some(name) = names.iter().find(|name| all.iter().all(|(known, _)| known != *name)) {
            let known = all.iter().map(|(name, _)| (*name).to_owned()).collect();
            return Err(ImportError::UnknownServer { name: name.clone(), known });
        }
        let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
        let servers = read_servers(all.iter().copied().filter(|(name, _)| is_wanted(name)))?;
        check_names(&servers)?;
        match servers.is_empty() {
            true => Err(ImportError::NoServers),
            false => Ok(Import { servers, left_out: Vec::new() }),
        }
    }

    /// Takes the sections `[connectors.NAME]` of a text of a configuration file, as they are written there.
    ///
    /// # Errors
    ///
    /// Fails if the text is no such text.
    pub fn of_definition(text: &str) -> Result<Import, ImportError> {
        let document: DocumentMut = text.parse().map_err(|_| ImportError::Inline)?;
        let connectors = document.get("connectors").and_then(Item::as_table).ok_or(ImportError::NoServers)?;
        let server = |(written, item): (&str, &Item)| {
            let (section, name) = (item.as_table().cloned().ok_or(ImportError::Inline)?, written.to_owned());
            let (written, summary, notes) = (written.to_owned(), String::new(), Vec::new());
            Ok(ImportedServer { name, written, summary, notes, section })
        };
        let servers = connectors.iter().map(server).collect::<Result<_, _>>()?;
        Ok(Import { servers, left_out: Vec::new() })
    }

    /// The names of entries that are parts of the client and no servers.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
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
    /// Fails if the file is damaged, or if servers have the names of connectors that are there.
    pub fn add_to(&self, existing: &str, path: &Path) -> Result<String, ImportError> {
        ConfigFile::parse(existing, path).map_err(ImportError::ConfigFile)?;
        let mut document: DocumentMut = existing.parse().map_err(|_| ImportError::Inline)?;
        let mut implicit = Table::new();
        implicit.set_implicit(true);
        // Comments after the last section stay before the new ones.
        let mut before = document.trailing().as_str().unwrap_or_default().to_owned();
        document.set_trailing("");
        let connectors = document.entry("connectors").or_insert(Item::Table(implicit));
        let connectors = connectors.as_table_mut().ok_or(ImportError::Inline)?;
        self.check_existing(connectors)?;
        for server in &self.servers {
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
        ConfigFile::parse(&text, path).map_err(ImportError::ConfigFile)?;
        Ok(text)
    }

    /// Fails if the configuration file has connectors of the servers' names.
    fn check_existing(&self, connectors: &Table) -> Result<(), ImportError> {
        let (mut existing, mut others) = (Vec::new(), Vec::new());
        for server in &self.servers {
            let has_name = |key: &&str| connector_name(key).is_ok_and(|name| name == server.name);
            match connectors.iter().map(|(key, _)| key).find(has_name) {
                Some(written) => {
                    let (name, written) = (server.name.clone(), written.to_owned());
                    existing.push(ExistingConnector { name, written });
                }
                None => others.push(server.written.clone()),
            }
        }
        match existing.is_empty() {
            true => Ok(()),
            false => Err(ImportError::Existing { connectors: existing, others }),
        }
    }
}

/// Reads the settings of servers. Fails with all those that cannot be connectors.
fn read_servers<'v>(
    servers: impl Iterator<Item = (&'v str, &'v Value)>,
) -> Result<Vec<ImportedServer>, ImportError> {
    let mut variables = Variables::default();
    let (mut read, mut unusable) = (Vec::new(), Vec::new());
    for (name, settings) in servers {
        match ImportedServer::read(name, settings, &mut variables) {
            Ok(server) => read.push(server),
            Err(reason) => unusable.push(UnusableServer { name: name.to_owned(), reason }),
        }
    }
    if unusable.is_empty() {
        return Ok(read);
    }
    let usable = read.into_iter().map(|server| server.written).collect();
    Err(ImportError::Unusable { servers: unusable, usable })
}

/// Fails if two servers would have one name.
fn check_names(servers: &[ImportedServer]) -> Result<(), ImportError> {
    for (n, server) in servers.iter().enumerate() {
        if let Some(other) = servers[..n].iter().find(|other| other.name == server.name) {
            let servers = [other.written.clone(), server.written.clone()];
            return Err(ImportError::SameName { name: server.name.clone(), servers });
        }
    }
    Ok(())
}

/// The servers at a place in a client's file.
fn servers_at<'v>(root: &'v Value, place: &[&str]) -> Option<&'v Map<String, Value>> {
    let found = place.iter().try_fold(root, |value, key| value.get(key))?;
    found.as_object().filter(|servers| servers.values().all(Value::is_object))
}

/// The names of the servers at a place, in the order of the text: the value that serde reads is sorted.
fn names_at(text: &str, place: &[&str]) -> Vec<String> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
    let root = parsed.ok().and_then(|parsed| parsed.value);
    let servers = root.as_ref().and_then(|root| object_at(root, place));
    let servers = servers.into_iter().flat_map(|servers| &servers.properties);
    servers.map(|server| server.name.as_str().to_owned()).collect()
}

fn object_at<'s, 't>(root: &'s Syntax<'t>, place: &[&str]) -> Option<&'s Object<'t>> {
    let mut object = root.as_object()?;
    for key in place {
        object = object.get(key)?.value.as_object()?;
    }
    Some(object)
}

/// The place of a byte in a text. The parser's own message may quote the text.
fn position(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    format!("line {}, column {}", before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
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
