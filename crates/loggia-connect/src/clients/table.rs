//! The table of AI applications, read from `clients.toml`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::document::{ConfigDocument, ConfigFormat, DocumentValue, EntryPlace};
use super::entry::{BridgeCommand, GatewayTransport, filled};
use super::machine::{MachinePaths, OperatingSystem};

/// The table, as it is compiled in.
const TEXT: &str = include_str!("clients.toml");

/// The AI applications that are known.
#[derive(Debug, Clone)]
pub struct ClientTable {
    clients: Vec<ClientApp>,
}

/// An AI application.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientApp {
    /// The name on the command line.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The format of its configuration file; `None` where it has none that can be edited.
    pub format: Option<ConfigFormat>,
    /// The keys from the root of the file to the servers.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The member that names a server, where the servers are a list.
    pub list: Option<String>,
    /// The text of a new file before the first server.
    #[serde(default)]
    pub initial: String,
    #[serde(default)]
    user: SystemTemplates,
    #[serde(default)]
    project: Vec<String>,
    #[serde(default)]
    detect: SystemTemplates,
    http: Option<DocumentValue>,
    stdio: Option<DocumentValue>,
    /// The steps of a person, where there is no file.
    #[serde(default)]
    pub steps: Vec<String>,
    /// The next step after the file has changed.
    #[serde(default)]
    pub after: String,
    /// Facts for people.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Pages that document the file.
    pub sources: Vec<String>,
}

/// Templates of paths for each system.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SystemTemplates {
    all: Vec<String>,
    linux: Vec<String>,
    macos: Vec<String>,
    windows: Vec<String>,
}

/// A configuration file of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFile {
    /// The file. It need not exist.
    pub path: PathBuf,
    /// The project whose file it is; `None` for the file of the user.
    pub project: Option<PathBuf>,
}

#[derive(Deserialize)]
struct RawClientTable {
    client: Vec<ClientApp>,
}

impl ClientTable {
    /// Returns the table that is compiled in.
    pub fn embedded() -> ClientTable {
        let raw: RawClientTable = toml_edit::de::from_str(TEXT).expect("a test reads the table");
        ClientTable { clients: raw.client }
    }

    /// Returns the applications, in the order of the table.
    pub fn all(&self) -> &[ClientApp] {
        &self.clients
    }

    /// Returns the application of a name. Case, spaces and `_` make no difference.
    pub fn get(&self, name: &str) -> Option<&ClientApp> {
        let name = name.trim().to_lowercase().replace([' ', '_'], "-");
        self.clients
            .iter()
            .find(|client| client.name == name || client.title.to_lowercase().replace(' ', "-") == name)
    }

    /// Returns the names that are most like a word.
    pub fn similar(&self, word: &str) -> Vec<&str> {
        let word = word.to_lowercase();
        let is_similar = |name: &&str| name.contains(&word) || strsim::jaro_winkler(name, &word) > 0.85;
        self.clients.iter().map(|client| client.name.as_str()).filter(is_similar).collect()
    }

    /// Returns the places of servers in the files of applications, each once.
    pub(crate) fn places(&self) -> Vec<(&[String], Option<&str>)> {
        let mut places: Vec<(&[String], Option<&str>)> = Vec::new();
        for client in &self.clients {
            let place = (client.keys.as_slice(), client.list.as_deref());
            if client.format.is_some() && !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }
}

impl ClientApp {
    /// Returns the file of the user, or of a project; `None` where the application has no such file. Of several, the first
    /// that exists is taken, and without any the first.
    pub fn file(&self, machine: &MachinePaths, project: Option<&Path>) -> Option<ClientFile> {
        let paths: Vec<PathBuf> = match project {
            None => self.user.of(machine.system()).iter().filter_map(|path| machine.path(path)).collect(),
            Some(project) => {
                let project = project.to_str()?;
                self.project.iter().map(|file| machine.project_path(project, file)).collect()
            }
        };
        let found = paths.iter().find(|path| path.exists()).or_else(|| paths.first())?;
        Some(ClientFile { path: found.clone(), project: project.map(Path::to_owned) })
    }

    /// Returns the templates of the user's file on a system.
    pub fn user_templates(&self, system: OperatingSystem) -> &[String] {
        self.user.of(system)
    }

    /// Returns the files of a project, relative to its folder.
    pub fn project_files(&self) -> &[String] {
        &self.project
    }

    /// Returns the transports that the application supports, the better one first.
    pub fn transports(&self) -> Vec<GatewayTransport> {
        let http = self.http.as_ref().map(|_| GatewayTransport::Http);
        http.into_iter().chain(self.stdio.as_ref().map(|_| GatewayTransport::Stdio)).collect()
    }

    /// Returns whether the application seems to be installed: its file exists, or one of its folders.
    pub fn is_found(&self, machine: &MachinePaths) -> bool {
        let exists = |path: &String| machine.path(path).is_some_and(|path| path.exists());
        let file = self.file(machine, None);
        let folder = || match self.detect.of(machine.system()) {
            [] => file.as_ref().and_then(|file| file.path.parent()).is_some_and(Path::is_dir),
            folders => folders.iter().any(exists),
        };
        self.format.is_some() && (file.as_ref().is_some_and(|file| file.path.exists()) || folder())
    }

    /// Returns the entry for the gateway; `None` where the application does not support the transport.
    pub(super) fn entry(
        &self,
        transport: GatewayTransport,
        name: &str,
        url: &str,
        bridge: &BridgeCommand,
    ) -> Option<DocumentValue> {
        let shape = match transport {
            GatewayTransport::Http => self.http.as_ref(),
            GatewayTransport::Stdio => self.stdio.as_ref(),
        };
        shape.map(|shape| filled(shape, name, url, bridge))
    }

    /// Returns the place of an entry.
    pub(super) fn place<'a>(&'a self, name: &'a str) -> EntryPlace<'a> {
        EntryPlace { keys: &self.keys, list: self.list.as_deref(), name }
    }

    /// Returns a new file with this entry alone, to be copied by a person.
    pub(super) fn snippet(&self, name: &str, entry: &DocumentValue) -> Option<String> {
        let empty = ConfigDocument::parse(self.format?, "").ok()?;
        Some(empty.with_entry(&self.place(name), entry).ok()?.to_text())
    }
}

impl SystemTemplates {
    fn of(&self, system: OperatingSystem) -> &[String] {
        let own = match system {
            OperatingSystem::Linux => &self.linux,
            OperatingSystem::MacOs => &self.macos,
            OperatingSystem::Windows => &self.windows,
        };
        if own.is_empty() { &self.all } else { own }
    }
}
