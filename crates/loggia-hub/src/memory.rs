//! The lists of the last run, on disk. A client that starts the hub asks for its lists immediately, and many clients
//! ask only once. So the lists of the last run are shown until a slow connector is connected.
//!
//! The file contains the lists of servers, so only its owner may read it. Of the configuration it contains only
//! digests, and it contains no list of a single user. A file that cannot be read is ignored.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use loggia::client::KnownServer;
use loggia::model::{Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, Tool};
use serde::{Deserialize, Serialize};

use crate::list_entry::ListEntry;
use crate::upstream_lists::UpstreamLists;

/// The version of the file format.
const FORMAT: u32 = 1;
/// The maximum size of the file, in bytes.
const FILE_BYTES: u64 = 64 << 20;
/// The maximum number of bytes of the lists of one connector, and of all connectors.
const CONNECTOR_BYTES: usize = 8 << 20;
const ALL_BYTES: usize = 48 << 20;

/// The lists of connectors and the revisions of servers, kept for the next run.
#[derive(Debug, Default)]
pub struct HubMemory {
    path: Option<PathBuf>,
    kept: Mutex<MemoryFile>,
    /// Held during a write, because the last write may begin while another one runs in the background.
    writing: Mutex<()>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct MemoryFile {
    format: u32,
    #[serde(default)]
    servers: Vec<RememberedServer>,
    #[serde(default)]
    connectors: BTreeMap<String, Box<serde_json::value::RawValue>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RememberedServer {
    server: String,
    version: String,
    software: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RememberedLists {
    fingerprint: String,
    version: Option<String>,
    identity: Option<Implementation>,
    capabilities: ServerCapabilities,
    instructions: Option<String>,
    tools: Vec<ListEntry<Tool>>,
    prompts: Vec<ListEntry<Prompt>>,
    resources: Vec<ListEntry<Resource>>,
    templates: Vec<ListEntry<ResourceTemplate>>,
}

impl HubMemory {
    /// Creates a memory without a file: it ends with the hub.
    pub fn none() -> HubMemory {
        HubMemory::default()
    }

    /// Creates a memory in the file `path`. Its folder is created if it does not exist.
    pub fn at(path: impl Into<PathBuf>) -> HubMemory {
        let path = path.into();
        let kept = read(&path).unwrap_or_default();
        HubMemory { path: Some(path), kept: Mutex::new(kept), writing: Mutex::default() }
    }

    /// Returns the servers whose revision is known.
    pub(crate) fn servers(&self) -> Vec<KnownServer> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.servers.iter().filter_map(|server| {
            let version = server.version.parse().ok()?;
            Some(KnownServer { server: server.server.clone(), version, software: server.software.clone() })
        });
        known.collect()
    }

    /// Returns the lists of the connector `name` in the last run, if the fingerprint is the same.
    pub(crate) fn lists(&self, name: &str, fingerprint: &str) -> Option<UpstreamLists> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let lists: RememberedLists = serde_json::from_str(kept.connectors.get(name)?.get()).ok()?;
        (lists.fingerprint == fingerprint).then(|| UpstreamLists::from(lists))
    }

    /// Keeps the lists of the connector `name`. Returns whether the file has to be written.
    pub(crate) fn keep(&self, name: &str, fingerprint: &str, lists: &UpstreamLists) -> bool {
        let lists = RememberedLists::new(fingerprint, lists);
        let Ok(raw) = serde_json::value::to_raw_value(&lists) else { return false };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let others = kept.connectors.iter().filter(|(other, _)| *other != name);
        let others: usize = others.map(|(_, lists)| lists.get().len()).sum();
        if !fits(others, raw.get().len()) {
            return kept.connectors.remove(name).is_some();
        }
        let same = kept.connectors.get(name).is_some_and(|before| before.get() == raw.get());
        if !same {
            kept.connectors.insert(name.to_owned(), raw);
        }
        !same && self.path.is_some()
    }

    /// Writes the file, with the connectors `names` and the servers `known`. Servers at a URL are left out, because a
    /// URL may contain secrets.
    pub(crate) fn write(&self, names: &[&str], known: Vec<KnownServer>) -> std::io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let text = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.format = FORMAT;
            kept.connectors.retain(|name, _| names.contains(&name.as_str()));
            let known = known.into_iter().filter(|known| !known.server.contains("://"));
            kept.servers = known.map(RememberedServer::from).collect();
            serde_json::to_vec(&*kept)?
        };
        write_privately(path, &text)
    }
}

/// Returns whether `own` bytes of lists may be kept in addition to `others` bytes.
fn fits(others: usize, own: usize) -> bool {
    own <= CONNECTOR_BYTES && others + own <= ALL_BYTES
}

fn read(path: &Path) -> Option<MemoryFile> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(FILE_BYTES).read_to_string(&mut text).ok()?;
    let file: MemoryFile = serde_json::from_str(&text).ok()?;
    (file.format == FORMAT).then_some(file)
}

/// Replaces the file as a whole: a reader finds the old or the new one.
fn write_privately(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut file| file.write_all(text));
    let moved = written.and_then(|()| std::fs::rename(&temporary, path));
    if moved.is_err() {
        // The error of the write is returned. The next write replaces the leftover file.
        let _ = std::fs::remove_file(&temporary);
    }
    moved
}

impl From<KnownServer> for RememberedServer {
    fn from(known: KnownServer) -> RememberedServer {
        RememberedServer {
            server: known.server,
            version: known.version.to_string(),
            software: known.software,
        }
    }
}

impl RememberedLists {
    fn new(fingerprint: &str, lists: &UpstreamLists) -> RememberedLists {
        RememberedLists {
            fingerprint: fingerprint.to_owned(),
            version: lists.version.map(|version| version.to_string()),
            identity: lists.identity.clone(),
            capabilities: lists.capabilities.clone(),
            instructions: lists.instructions.clone(),
            tools: lists.tools.clone(),
            prompts: lists.prompts.clone(),
            resources: lists.resources.clone(),
            templates: lists.templates.clone(),
        }
    }
}

impl From<RememberedLists> for UpstreamLists {
    fn from(lists: RememberedLists) -> UpstreamLists {
        UpstreamLists {
            version: lists.version.and_then(|version| version.parse().ok()),
            identity: lists.identity,
            capabilities: lists.capabilities,
            instructions: lists.instructions,
            tools: lists.tools,
            prompts: lists.prompts,
            resources: lists.resources,
            templates: lists.templates,
            problems: BTreeMap::new(),
            warnings: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loggia::wire::Version;

    #[test]
    fn what_is_kept_is_bounded_for_each_connector_and_for_all() {
        for (others, own, expected) in [
            (0, 0, true),
            (0, CONNECTOR_BYTES, true),
            (0, CONNECTOR_BYTES + 1, false),
            (ALL_BYTES - 10, 10, true),
            (ALL_BYTES - 10, 11, false),
        ] {
            assert_eq!(fits(others, own), expected, "{own} beside {others}");
        }
        let memory = HubMemory::at(std::env::temp_dir().join("loggia-no-such-folder").join("lists.json"));
        let with = |bytes: usize| UpstreamLists {
            tools: vec![Tool::new("x".repeat(bytes), loggia::model::JsonObject::new()).into()],
            ..UpstreamLists::default()
        };
        assert!(memory.keep("one", "f", &with(10)) && memory.lists("one", "f").is_some());
        assert!(!memory.keep("one", "f", &with(10)), "nothing new");
        memory.keep("one", "f", &with(CONNECTOR_BYTES));
        assert!(memory.lists("one", "f").is_none(), "an older list is worse than none");
    }

    #[test]
    fn servers_at_urls_are_not_written() {
        let folder = std::env::temp_dir().join(format!("loggia-memory-{}", std::process::id()));
        let path = folder.join("lists.json");
        let memory = HubMemory::at(&path);
        let known = |server: &str| KnownServer {
            server: server.to_owned(),
            version: Version::V2025_11_25,
            software: Some("server 1".to_owned()),
        };
        memory
            .write(&[], vec![known("child 1234"), known("https://x.example/?key=s3cret")])
            .expect("written");
        assert_eq!(HubMemory::at(&path).servers(), [known("child 1234")]);
        assert!(!std::fs::read_to_string(&path).expect("text").contains("s3cret"));
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
