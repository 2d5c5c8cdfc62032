//! Records in files, for one user on one machine: a private folder with one file for each record.
//!
//! So command-line programs need no database. Invariant: a file is replaced atomically, and writers of several
//! processes exclude each other with file locks, which the operating system releases when a process dies.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fs4::{FileExt, TryLockError};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::token_store::{StoreFuture, StoredRecord, TokenStore, UNREADABLE};
use crate::clock;
use crate::error::AuthError;
use crate::jose;
use crate::secret::Secret;

/// The maximum length of a record, in bytes.
const MAX_BYTES: u64 = 256 << 10;

/// A [`TokenStore`] in a folder.
#[derive(Clone)]
pub struct FileStore {
    folder: Arc<PathBuf>,
    /// The leases of this process. The locked file of each excludes other processes.
    leases: Arc<Mutex<HashMap<String, FileLease>>>,
}

struct FileLease {
    holder: String,
    until: Instant,
    _locked: File,
}

/// The content of one file.
#[derive(Serialize, Deserialize)]
struct FileRecord {
    key: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    until: Option<u64>,
    #[serde(serialize_with = "Secret::reveal")]
    value: Secret,
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl FileStore {
    /// Opens a folder. Creates it if it does not exist.
    pub fn open(folder: impl Into<PathBuf>) -> Result<FileStore, AuthError> {
        let folder = folder.into();
        private::folder(&folder).map_err(|error| wrong(&folder, &error))?;
        let store = FileStore { folder: Arc::new(folder), leases: Arc::default() };
        // A read-only folder is still useful: its tokens can be sent to their servers.
        if let Err(error) = store.locked(|| store.sweep()) {
            tracing::debug!(%error, "expired records are not removed");
        }
        Ok(store)
    }

    /// Removes expired records (unfinished sign-ins) and incomplete files of processes that died.
    fn sweep(&self) -> Result<(), AuthError> {
        let entries = fs::read_dir(&*self.folder).map_err(|error| wrong(&self.folder, &error))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let expired = match path.extension().and_then(|end| end.to_str()) {
                Some("json") => matches!(read(&path), Ok(None)),
                Some("new") => true,
                _ => false,
            };
            if expired {
                fs::remove_file(&path).map_err(|error| wrong(&path, &error))?;
            }
        }
        Ok(())
    }

    fn path(&self, key: &str, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", jose::sha256(key)))
    }

    /// Runs file operations on a thread that may block.
    fn blocking<'a, T: Send + 'static>(
        &self,
        work: impl FnOnce(&FileStore) -> Result<T, AuthError> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        let store = self.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&store)).await;
            done.unwrap_or_else(|_| {
                Err(AuthError::Store("the work on the token files was aborted".to_owned()))
            })
        })
    }

    fn read(&self, key: &str) -> Result<Option<FileRecord>, AuthError> {
        read(&self.path(key, "json"))
    }

    /// Runs `change` under the folder's lock.
    fn locked<T>(&self, change: impl FnOnce() -> Result<T, AuthError>) -> Result<T, AuthError> {
        let path = self.folder.join("lock");
        let lock = private::open(&path).map_err(|error| wrong(&path, &error))?;
        FileExt::lock(&lock).map_err(|error| wrong(&path, &error))?;
        let changed = change();
        let _ = FileExt::unlock(&lock);
        changed
    }

    fn write(&self, record: &FileRecord) -> Result<(), AuthError> {
        let path = self.path(&record.key, "json");
        let text =
            Secret::new(serde_json::to_string(record).map_err(|error| AuthError::Store(error.to_string()))?);
        let temporary = self.folder.join(format!(".{}.new", jose::random(12)));
        let written = (|| {
            let mut file = private::create(&temporary)?;
            file.write_all(text.expose().as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            private::sync_folder(&self.folder)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(|error| wrong(&path, &error))
    }

    fn take_lease(&self, key: &str, holder: &str, time: Duration) -> Result<bool, AuthError> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        leases.retain(|_, lease| lease.until > now);
        if let Some(lease) = leases.get_mut(key) {
            let own = lease.holder == holder;
            if own {
                lease.until = now + time;
            }
            return Ok(own);
        }
        let path = self.path(key, "lease");
        let file = private::open(&path).map_err(|error| wrong(&path, &error))?;
        match FileExt::try_lock(&file) {
            Ok(()) => {
                let lease = FileLease { holder: holder.to_owned(), until: now + time, _locked: file };
                leases.insert(key.to_owned(), lease);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(wrong(&path, &error)),
        }
    }

    fn all_keys(&self, start: &str) -> Result<Vec<String>, AuthError> {
        let entries = fs::read_dir(&*self.folder).map_err(|error| wrong(&self.folder, &error))?;
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let records = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
        let mut keys: Vec<String> = records
            .filter_map(|path| {
                let record = read(&path);
                // The key is in the record, so an unreadable record has no name to list.
                record.inspect_err(|error| tracing::error!(%error, "a record is left out")).ok().flatten()
            })
            .map(|record| record.key)
            .filter(|key| key.starts_with(start))
            .collect();
        keys.sort();
        Ok(keys)
    }
}

fn read(path: &Path) -> Result<Option<FileRecord>, AuthError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(path, &error)),
    };
    let record: FileRecord = serde_json::from_reader(io::Read::take(file, MAX_BYTES)).map_err(|error| {
        // The text around the error may be part of a secret, so the message has only the kind of error.
        AuthError::Unreadable(format!("{} is damaged ({:?})", path.display(), error.classify()))
    })?;
    let now = clock::seconds(SystemTime::now());
    Ok(Some(record).filter(|record| record.until.is_none_or(|until| until > now)))
}

fn wrong(path: &Path, error: &io::Error) -> AuthError {
    AuthError::of_file(path, error)
}

impl TokenStore for FileStore {
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
        let key = key.to_owned();
        self.blocking(move |store| {
            Ok(store
                .read(&key)?
                .map(|record| StoredRecord { value: record.value, revision: record.revision }))
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>> {
        let key = key.to_owned();
        self.blocking(move |store| {
            store.locked(|| {
                let present = store.read(&key)?.map(|record| record.revision);
                if present != expected {
                    return Ok(None);
                }
                // A record that is removed and written again must not get an old revision.
                let now = clock::seconds(SystemTime::now()) << 16;
                let revision = present.unwrap_or(now).max(now) + 1;
                let until = until.map(clock::seconds);
                store.write(&FileRecord { key: key.clone(), revision, until, value })?;
                Ok(Some(revision))
            })
        })
    }

    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
        let key = key.to_owned();
        self.blocking(move |store| {
            store.locked(|| {
                let revision = match store.read(&key) {
                    Err(AuthError::Unreadable(_)) => Some(UNREADABLE),
                    other => other?.map(|record| record.revision),
                };
                let same = revision == Some(expected);
                if same {
                    let path = store.path(&key, "json");
                    fs::remove_file(&path).map_err(|error| wrong(&path, &error))?;
                }
                Ok(same)
            })
        })
    }

    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
        let (key, holder) = (key.to_owned(), holder.to_owned());
        self.blocking(move |store| store.take_lease(&key, &holder, time))
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.get(key).is_some_and(|lease| lease.holder == holder) {
            leases.remove(key);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
        let start = start.to_owned();
        self.blocking(move |store| store.all_keys(&start))
    }
}

/// Files that only the user can read. On systems without file modes the folder in the user's profile protects them.
mod private {
    use super::{File, OpenOptions, Path, fs, io};

    pub(super) fn folder(path: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)?;
        close(path)
    }

    /// Removes the permissions of other users on an existing folder, if this process may do that.
    #[cfg(unix)]
    fn close(path: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let mut permissions = fs::metadata(path)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(permissions.mode() & 0o700);
            if let Err(error) = fs::set_permissions(path, permissions) {
                tracing::warn!(path = %path.display(), %error, "other users can read the folder of credentials");
            }
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn close(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        options().truncate(false).create(true).open(path)
    }

    pub(super) fn create(path: &Path) -> io::Result<File> {
        options().create_new(true).open(path)
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
    }

    /// Makes a rename in the folder survive a crash.
    #[cfg(unix)]
    pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    #[cfg(not(unix))]
    pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
