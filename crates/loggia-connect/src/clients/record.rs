//! Records of what was added to which file, each with a copy of the file as it was. They make a removal exact, even after
//! the user changed the file elsewhere. Invariant: a record is written before the file that it is about.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::document::DocumentValue;
use super::error::ClientError;
use super::files::read;
use crate::file_text::replace_file;

/// The folder of records.
#[derive(Debug, Clone)]
pub struct InstallRecords {
    folder: PathBuf,
}

/// A record of one entry in one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InstallRecord {
    /// The application.
    pub(super) client: String,
    /// The file.
    pub(super) file: PathBuf,
    /// The name of the entry.
    pub(super) name: String,
    /// The URL of the gateway in the entry.
    pub(super) url: String,
    /// True if the file existed before.
    pub(super) existed: bool,
    /// Number of keys of the entry's path that were added with it.
    pub(super) created_keys: usize,
    /// The entry that was there before, as JSON.
    pub(super) previous: Option<String>,
    /// The text that was inserted, where it is one piece.
    pub(super) piece: Option<String>,
    /// Digest of the file after the entry was added.
    pub(super) installed: String,
    /// The folders that were made for the file.
    #[serde(default)]
    pub(super) folders: Vec<PathBuf>,
}

impl InstallRecords {
    /// Keeps records in this folder, which is created when the first is written.
    pub fn at(folder: impl Into<PathBuf>) -> InstallRecords {
        InstallRecords { folder: folder.into() }
    }

    /// Returns the file with the text that a client's file had before.
    pub(super) fn backup(&self, file: &Path, name: &str) -> PathBuf {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or("txt");
        self.folder.join(format!("{}.backup.{extension}", key(file, name)))
    }

    fn record(&self, file: &Path, name: &str) -> PathBuf {
        self.folder.join(format!("{}.json", key(file, name)))
    }

    /// Returns the record of an entry. One that cannot be read counts as none.
    pub(super) fn get(&self, file: &Path, name: &str) -> Option<InstallRecord> {
        let text = fs::read_to_string(self.record(file, name)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Returns the text that the file had before.
    pub(super) fn original(&self, record: &InstallRecord) -> Result<Option<String>, ClientError> {
        read(&self.backup(&record.file, &record.name))
    }

    /// Writes a record, and the text that the file had before.
    pub(super) fn save(&self, record: &InstallRecord, original: Option<&str>) -> Result<(), ClientError> {
        let path = self.record(&record.file, &record.name);
        let write = || -> io::Result<()> {
            create_private(&self.folder)?;
            if let Some(original) = original {
                let backup = self.backup(&record.file, &record.name);
                write_private(&backup, original)?;
            }
            write_private(&path, &serde_json::to_string_pretty(record).map_err(io::Error::other)?)
        };
        write().map_err(|error| ClientError::unwritable(&path, &error))
    }

    /// Deletes a record with the copy of the file.
    pub(super) fn remove(&self, file: &Path, name: &str) {
        for path in [self.record(file, name), self.backup(file, name)] {
            // A record that stays behind is replaced by the next one.
            let _ = fs::remove_file(path);
        }
    }
}

impl InstallRecord {
    /// Returns the entry that was there before.
    pub(super) fn previous(&self) -> Option<DocumentValue> {
        serde_json::from_str(self.previous.as_deref()?).ok()
    }
}

/// Returns the digest of a text.
pub(super) fn digest_of(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key(file: &Path, name: &str) -> String {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let digest = digest_of(&format!("{}\n{name}", file.display()));
    format!("{name}-{}", &digest[..16])
}

/// Writes a file that only its owner can read: a client's file may hold secrets.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if !path.exists() {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?;
    }
    replace_file(path, text)
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
