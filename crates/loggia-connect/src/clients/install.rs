//! Installation: the entry of the gateway is added to the file of an application.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::document::{ConfigDocument, DocumentValue, EditError};
use super::entry::{BridgeCommand, GatewayAddress, GatewayTransport, check_name};
use super::error::ClientError;
use super::files::{FileChange, read};
use super::machine::MachinePaths;
use super::record::{InstallRecord, InstallRecords, digest_of};
use super::table::{ClientApp, ClientFile, ClientTable};

/// Adds the gateway to AI applications of a machine, and removes it from them.
#[derive(Debug, Clone)]
pub struct ClientInstaller {
    pub(super) table: ClientTable,
    pub(super) machine: MachinePaths,
    pub(super) records: InstallRecords,
    pub(super) bridge: BridgeCommand,
}

/// The entry that is asked for.
#[derive(Debug, Clone)]
pub struct InstallRequest {
    /// The endpoint of the gateway.
    pub address: GatewayAddress,
    /// The name of the entry.
    pub name: String,
    /// The transport; `None` takes the best that the application supports.
    pub transport: Option<GatewayTransport>,
    /// The project whose file is edited; `None` for the file of the user.
    pub project: Option<PathBuf>,
    /// True if an entry of this name that is another server is replaced.
    pub replaces: bool,
}

/// An application on this machine.
#[derive(Debug, Clone)]
pub struct FoundClient<'t> {
    /// The application.
    pub client: &'t ClientApp,
    /// Its file.
    pub file: PathBuf,
    /// True if the file has the entry of the gateway.
    pub is_installed: bool,
}

/// The configuration file of an application, as it is.
#[derive(Clone)]
pub struct ClientConfiguration<'t> {
    /// The application.
    pub client: &'t ClientApp,
    /// The file.
    pub file: PathBuf,
    /// Its text, which may hold secrets.
    pub text: String,
}

/// The steps of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualSteps {
    /// The application.
    pub title: String,
    /// The steps, in order.
    pub steps: Vec<String>,
    /// The page that documents them.
    pub source: String,
}

/// The result of planning an installation.
#[derive(Debug)]
pub enum InstallOutcome {
    /// The file changes.
    Change(Box<InstallPlan>),
    /// The file has this entry already.
    Present {
        /// The application.
        title: String,
        /// The file.
        file: PathBuf,
    },
    /// A person has to do it.
    Manual(ManualSteps),
}

/// An installation that was planned.
#[derive(Debug)]
pub struct InstallPlan {
    /// The application.
    pub title: String,
    /// The change of its file.
    pub change: FileChange,
    /// The transport of the entry.
    pub transport: GatewayTransport,
    /// The URL of the gateway.
    pub url: String,
    /// The next step of the user.
    pub after: String,
    /// Facts for the user.
    pub notes: Vec<String>,
    record: InstallRecord,
    original: Option<String>,
    records: InstallRecords,
}

impl Default for InstallRequest {
    fn default() -> InstallRequest {
        let address = GatewayAddress::default();
        InstallRequest { address, name: "loggia".to_owned(), transport: None, project: None, replaces: false }
    }
}

impl ClientInstaller {
    /// Makes an installer for the applications of the compiled-in table.
    pub fn new(machine: MachinePaths, records: InstallRecords, bridge: BridgeCommand) -> ClientInstaller {
        ClientInstaller { table: ClientTable::embedded(), machine, records, bridge }
    }

    /// Returns the table of applications.
    pub fn table(&self) -> &ClientTable {
        &self.table
    }

    /// Finds the applications on this machine whose file can be edited.
    pub fn found(&self, name: &str) -> Vec<FoundClient<'_>> {
        let found = self.table.all().iter().filter(|client| client.is_found(&self.machine));
        found
            .filter_map(|client| {
                let file = client.file(&self.machine, None)?.path;
                let is_installed = self.document(client, &file).is_ok_and(|(_, document)| {
                    document.entry(&client.place(name)).is_some() && self.records.get(&file, name).is_some()
                });
                Some(FoundClient { client, file, is_installed })
            })
            .collect()
    }

    /// Plans to add the gateway to an application. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`ClientError`] where the application is not known, or its file cannot be edited.
    pub fn install(&self, word: &str, request: &InstallRequest) -> Result<InstallOutcome, ClientError> {
        check_name(&request.name).map_err(ClientError::Request)?;
        let client = self.client(word)?;
        let url = request.address.url();
        if client.format.is_none() {
            let step = |step: &String| step.replace("{url}", url).replace("{name}", &request.name);
            let steps = client.steps.iter().map(step).collect();
            let source = client.sources.first().cloned().unwrap_or_default();
            return Ok(InstallOutcome::Manual(ManualSteps { title: client.title.clone(), steps, source }));
        }
        let file = self.file(client, request.project.as_deref())?;
        let (transport, entry) = self.entry(client, request)?;
        let (before, document) = self.document(client, &file.path)?;
        let place = client.place(&request.name);
        let wanted = match place.list {
            Some(list) => place.item(list, &entry),
            None => entry.clone(),
        };
        let record = self.records.get(&file.path, &request.name);
        let previous = document.entry(&place);
        match previous {
            Some(previous) if previous.to_json() == wanted.to_json() => {
                return Ok(InstallOutcome::Present { title: client.title.clone(), file: file.path });
            }
            Some(_) if record.is_none() && !request.replaces => {
                return Err(ClientError::OtherEntry { file: file.path, name: request.name.clone() });
            }
            _ => {}
        }
        let edited = document.with_entry(&place, &entry).map_err(|error| {
            let lines = client.snippet(&request.name, &entry);
            ClientError::Edit { file: file.path.clone(), error, lines }
        })?;
        let change =
            FileChange { path: file.path.clone(), before: before.clone(), after: Some(edited.to_text()) };
        let record = self.record(client, request, &change, &document, record)?;
        Ok(InstallOutcome::Change(Box::new(InstallPlan {
            title: client.title.clone(),
            change,
            transport,
            url: url.to_owned(),
            after: client.after.clone(),
            notes: client.notes.clone(),
            original: record.1,
            record: record.0,
            records: self.records.clone(),
        })))
    }

    /// Reads the configuration file of an application.
    ///
    /// # Errors
    ///
    /// [`ClientError`] where the application is not known, or its file cannot be read.
    pub fn configuration(
        &self,
        word: &str,
        project: Option<&Path>,
    ) -> Result<ClientConfiguration<'_>, ClientError> {
        let client = self.client(word)?;
        let file = self.file(client, project)?.path;
        match read(&file)? {
            Some(text) => Ok(ClientConfiguration { client, file, text }),
            None => Err(ClientError::unreadable(&file, &ErrorKind::NotFound.into())),
        }
    }

    /// Returns whether this program added the entry of a name to a file.
    pub fn has_added(&self, file: &Path, name: &str) -> bool {
        self.records.get(file, name).is_some()
    }

    pub(super) fn client(&self, word: &str) -> Result<&ClientApp, ClientError> {
        self.table.get(word).ok_or_else(|| {
            let names = self.table.similar(word);
            if names.is_empty() {
                return ClientError::UnknownClient { word: word.to_owned(), names: self.names() };
            }
            let names = names.into_iter().map(str::to_owned).collect();
            ClientError::UnknownClient { word: word.to_owned(), names }
        })
    }

    pub(super) fn file(&self, client: &ClientApp, project: Option<&Path>) -> Result<ClientFile, ClientError> {
        let absolute = project.map(|project| std::path::absolute(project).unwrap_or(project.to_owned()));
        client.file(&self.machine, absolute.as_deref()).ok_or_else(|| {
            let (title, is_project) = (client.title.clone(), project.is_some());
            ClientError::NoFile { title, is_project }
        })
    }

    /// Reads and parses a file. One that does not exist has the initial text of the application.
    pub(super) fn document(
        &self,
        client: &ClientApp,
        file: &Path,
    ) -> Result<(Option<String>, ConfigDocument), ClientError> {
        let text = read(file)?;
        let Some(format) = client.format else {
            return Err(ClientError::NoFile { title: client.title.clone(), is_project: false });
        };
        let document = ConfigDocument::parse(format, text.as_deref().unwrap_or(&client.initial));
        let document = document.map_err(|problem| ClientError::Syntax { file: file.to_owned(), problem })?;
        if document.value().members().is_none() && !document.value().is_empty() {
            let error = EditError::NotMap("the file".to_owned());
            return Err(ClientError::Edit { file: file.to_owned(), error, lines: None });
        }
        Ok((text, document))
    }

    /// Returns the entry for the transport that is asked for, or for the best one.
    fn entry(
        &self,
        client: &ClientApp,
        request: &InstallRequest,
    ) -> Result<(GatewayTransport, DocumentValue), ClientError> {
        let transports = client.transports();
        let transport = request.transport.or(transports.first().copied()).unwrap_or(GatewayTransport::Http);
        let entry = client.entry(transport, &request.name, request.address.url(), &self.bridge);
        let no_transport =
            || ClientError::NoTransport { title: client.title.clone(), transport: transport.as_str() };
        Ok((transport, entry.ok_or_else(no_transport)?))
    }

    /// Makes the record of a change, and returns it with the text that the file had before the first installation.
    fn record(
        &self,
        client: &ClientApp,
        request: &InstallRequest,
        change: &FileChange,
        document: &ConfigDocument,
        old: Option<InstallRecord>,
    ) -> Result<(InstallRecord, Option<String>), ClientError> {
        let after = change.after.clone().unwrap_or_default();
        let place = client.place(&request.name);
        let mut record = InstallRecord {
            client: client.name.clone(),
            file: change.path.clone(),
            name: request.name.clone(),
            url: request.address.url().to_owned(),
            existed: change.before.is_some(),
            created_keys: missing_keys(document.value(), place.keys),
            previous: document.entry(&place).map(|entry| entry.to_text()),
            piece: None,
            installed: digest_of(&after),
            folders: Vec::new(),
        };
        let mut original = change.before.clone();
        if let Some(old) = old {
            // The entry is updated: the file before the first installation is what counts.
            let is_unchanged = change.before.as_deref().map(digest_of).as_ref() == Some(&old.installed);
            original = self.records.original(&old)?;
            record = InstallRecord { url: record.url, installed: record.installed, piece: None, ..old };
            if !is_unchanged {
                // What lies between is the user's: only the entry can be removed, not the old text restored.
                record.installed = String::new();
                return Ok((record, original));
            }
        }
        record.piece = original.as_deref().and_then(|original| inserted_piece(original, &after));
        Ok((record, original))
    }
}

impl InstallPlan {
    /// Writes the file. Returns the copy of the file as it was, where there was one.
    ///
    /// # Errors
    ///
    /// [`ClientError`] where the file changed meanwhile, or cannot be written. It is then as it was.
    pub fn apply(self) -> Result<Option<PathBuf>, ClientError> {
        let InstallPlan { change, mut record, original, records, .. } = self;
        records.save(&record, original.as_deref())?;
        match change.apply() {
            Ok(folders) => {
                if !folders.is_empty() {
                    record.folders = folders;
                    records.save(&record, None)?;
                }
                let backup = records.backup(&record.file, &record.name);
                Ok(original.is_some().then_some(backup))
            }
            Err(error) => {
                if !record.existed || change.before == original {
                    records.remove(&record.file, &record.name);
                }
                Err(error)
            }
        }
    }
}

/// Returns the number of keys at the end of a path that a value has not.
fn missing_keys(value: &DocumentValue, keys: &[String]) -> usize {
    let is_there = |n: &usize| value.at(keys[..*n].iter().map(String::as_str)).is_some();
    keys.len() - (1..=keys.len()).take_while(is_there).count()
}

/// Returns the text that was inserted, where nothing else changed.
fn inserted_piece(before: &str, after: &str) -> Option<String> {
    let length = after.len().checked_sub(before.len())?;
    let start = before.bytes().zip(after.bytes()).take_while(|(one, other)| one == other).count();
    let mut start = start.min(before.len());
    while !after.is_char_boundary(start) || !before.is_char_boundary(start) {
        start -= 1;
    }
    let is_insertion = after.get(start + length..)? == before.get(start..)?;
    is_insertion.then(|| after[start..start + length].to_owned())
}

impl fmt::Display for FoundClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_installed { " (has the gateway)" } else { "" };
        write!(f, "{:<16} {}{state}  {}", self.client.name, self.client.title, self.file.display())
    }
}

impl fmt::Display for ManualSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: it has no file that a program can edit. Do this:", self.title)?;
        for (n, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {}. {step}", n + 1)?;
        }
        write!(f, "  See {}", self.source)
    }
}

impl fmt::Display for InstallPlan {
    /// Writes what the change does, without the change itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InstallPlan { title, change, transport, url, .. } = self;
        let transport = match transport {
            GatewayTransport::Http => url.clone(),
            GatewayTransport::Stdio => format!("a bridge to {url}"),
        };
        write!(f, "{title}: {transport} in {}", change.path.display())
    }
}
