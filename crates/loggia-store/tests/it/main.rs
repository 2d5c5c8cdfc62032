//! Persistence, tested on every available database: the same tests on SQLite, and on a PostgreSQL that the test
//! command starts if it can be installed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod added_connectors;
mod failures;
mod keys;
mod killed;
mod postgres;
mod renewal;
mod replicas;
mod scopes;
#[cfg(feature = "postgres")]
mod scripted_postgres;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loggia_store::{Database, MasterKeys, Vault};

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(what: &str) -> Folder {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let folder =
            std::env::temp_dir().join(format!("loggia-store-{what}-{}-{unique}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A time that moves when it is told to.
#[derive(Clone)]
pub(crate) struct Time(Arc<AtomicU64>);

impl Time {
    pub(crate) fn new() -> Time {
        Time(Arc::new(AtomicU64::new(1_700_000_000)))
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> loggia_auth::clock::Clock {
        let time = self.clone();
        Arc::new(move || time.now())
    }
}

/// A database for one test, by name of its kind.
pub(crate) struct Place {
    pub(crate) kind: &'static str,
    pub(crate) url: String,
    pub(crate) time: Time,
    pub(crate) keys: Mutex<MasterKeys>,
    folder: Folder,
}

impl Place {
    /// Another process's view of the same.
    pub(crate) async fn vault(&self) -> Vault {
        let keys = self.keys.lock().unwrap().clone();
        let database = Database::open(&self.url).await.unwrap();
        Vault::open_at(database, keys, self.time.clock()).await.unwrap()
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// Every database, empty.
pub(crate) async fn places(test: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let place = |kind, url: Option<String>| {
        let folder = Folder::new(test);
        let url = url.unwrap_or_else(|| format!("sqlite:{}", folder.file("loggia.db").display()));
        Place { kind, url, time: Time::new(), keys: Mutex::new(MasterKeys::generate()), folder }
    };
    places.push(place("sqlite", None));
    if let Some(url) = postgres::database(test).await {
        places.push(place("postgres", Some(url)));
    }
    places
}
