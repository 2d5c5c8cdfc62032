//! Removal: the entry of the gateway goes, and what the user changed stays.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::document::{ConfigDocument, DocumentValue};
use super::entry::GatewayTransport;
use super::error::ClientError;
use super::files::FileChange;
use super::install::{ClientInstaller, InstallRequest, ManualSteps};
use super::record::{InstallRecord, InstallRecords, digest_of};
use super::table::ClientApp;

/// The result of planning a removal.
#[derive(Debug)]
pub enum UninstallOutcome {
    /// The file changes.
    Change(UninstallPlan),
    /// The entry is gone already.
    Gone {
        /// The application.
        title: String,
        /// The file.
        file: PathBuf,
    },
    /// A person has to do it.
    Manual(ManualSteps),
}

/// A removal that was planned.
#[derive(Debug)]
pub struct UninstallPlan {
    /// The application.
    pub title: String,
    /// The change of its file.
    pub change: FileChange,
    /// True if the file is as it was before the installation.
    pub is_restored: bool,
    name: String,
    folders: Vec<PathBuf>,
    records: InstallRecords,
}

impl ClientInstaller {
    /// Plans to remove the gateway from an application. Nothing is written. Only the name and the project of the request
    /// count, and the address where the entry was added without this program.
    ///
    /// # Errors
    ///
    /// [`ClientError`] where there is no entry, the entry is another server, or the file cannot be edited.
    pub fn uninstall(&self, word: &str, request: &InstallRequest) -> Result<UninstallOutcome, ClientError> {
        let client = self.client(word)?;
        if client.format.is_none() {
            let (title, source) = (client.title.clone(), client.sources.first().cloned().unwrap_or_default());
            let steps = vec![format!("Delete the server {:?} on the page of its settings.", request.name)];
            return Ok(UninstallOutcome::Manual(ManualSteps { title, steps, source }));
        }
        let file = self.file(client, request.project.as_deref())?.path;
        let record = self.records.get(&file, &request.name);
        let (before, document) = self.document(client, &file)?;
        let place = client.place(&request.name);
        let Some(entry) = document.entry(&place).filter(|_| before.is_some()) else {
            if record.is_none() {
                return Err(ClientError::NoEntry { file, name: request.name.clone() });
            }
            self.records.remove(&file, &request.name);
            return Ok(UninstallOutcome::Gone { title: client.title.clone(), file });
        };
        let before = before.unwrap_or_default();
        let (after, is_restored) = match &record {
            Some(record) if digest_of(&before) == record.installed => (self.records.original(record)?, true),
            Some(record) if !has_text(entry, &record.url) => {
                return Err(ClientError::ChangedEntry { file, name: request.name.clone() });
            }
            None if !self.is_ours(client, request, entry) => {
                return Err(ClientError::OtherEntry { file, name: request.name.clone() });
            }
            record => (self.removed(client, record.as_ref(), &file, &document, request)?, false),
        };
        let folders = record.filter(|_| after.is_none()).map(|record| record.folders).unwrap_or_default();
        Ok(UninstallOutcome::Change(UninstallPlan {
            title: client.title.clone(),
            change: FileChange { path: file, before: Some(before), after },
            is_restored,
            name: request.name.clone(),
            folders,
            records: self.records.clone(),
        }))
    }

    /// Returns the text without the entry, or `None` where the file goes.
    fn removed(
        &self,
        client: &ClientApp,
        record: Option<&InstallRecord>,
        file: &Path,
        document: &ConfigDocument,
        request: &InstallRequest,
    ) -> Result<Option<String>, ClientError> {
        let place = client.place(&request.name);
        let created = record.map_or(0, |record| record.created_keys);
        let edited = match record.and_then(InstallRecord::previous) {
            Some(previous) => document.with_entry(&place, &previous),
            None => {
                let piece = record.and_then(|record| record.piece.as_deref());
                match piece.and_then(|piece| document.without_piece(piece, &place, created)) {
                    Some(edited) => Ok(edited),
                    None => document.without_entry(&place, created),
                }
            }
        };
        let edited = edited
            .map_err(|error| ClientError::Edit { file: file.to_owned(), error, lines: None })?
            .to_text();
        let is_new = record.is_some_and(|record| !record.existed);
        let is_empty = matches!(edited.trim(), "" | "{}") || edited == client.initial;
        Ok(Some(edited).filter(|_| !(is_new && is_empty)))
    }

    /// Returns whether an entry without a record is one that this program would write.
    fn is_ours(&self, client: &ClientApp, request: &InstallRequest, entry: &DocumentValue) -> bool {
        let place = client.place(&request.name);
        [GatewayTransport::Http, GatewayTransport::Stdio].into_iter().any(|transport| {
            let ours = client.entry(transport, &request.name, request.address.url(), &self.bridge);
            let ours = ours.map(|ours| place.list.map_or(ours.clone(), |list| place.item(list, &ours)));
            ours.is_some_and(|ours| ours.to_json() == entry.to_json())
        })
    }
}

impl UninstallPlan {
    /// Writes the file, or deletes it if the installation created it. The folders that were made for it go if they are
    /// empty.
    ///
    /// # Errors
    ///
    /// [`ClientError`] where the file changed meanwhile, or cannot be written. It is then as it was.
    pub fn apply(self) -> Result<(), ClientError> {
        self.change.apply()?;
        for folder in self.folders.iter().rev() {
            // One that has other files stays.
            let _ = fs::remove_dir(folder);
        }
        self.records.remove(&self.change.path, &self.name);
        Ok(())
    }
}

impl fmt::Display for UninstallPlan {
    /// Writes what the change does, without the change itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UninstallPlan { title, change, is_restored, .. } = self;
        let file = change.path.display();
        match (&change.after, is_restored) {
            (None, _) => write!(f, "{title}: deleted {file}, which the installation had made"),
            (Some(_), true) => write!(f, "{title}: {file} is as it was before"),
            (Some(_), false) => write!(f, "{title}: removed the entry from {file}"),
        }
    }
}

/// Returns whether a value contains a text.
fn has_text(value: &DocumentValue, text: &str) -> bool {
    match value {
        DocumentValue::Text(found) => found == text,
        DocumentValue::List(items) => items.iter().any(|item| has_text(item, text)),
        DocumentValue::Map(members) => members.iter().any(|(_, value)| has_text(value, text)),
        _ => false,
    }
}
