//! Connectors that people added with `loggia add`: a database beside the configuration file. Each configuration file has one
//! of its own; without a file it is that of the user who runs the program.
//!
//! Invariant: reading never creates a database, so that a program that only looks leaves nothing behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use loggia_auth::jose::sha256;
use loggia_store::{AddedConnector, AddedConnectors, Database};

use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};
use crate::file_watch::file_number;
use crate::vault::VaultLocation;

/// The time between two looks at the database.
const INTERVAL: Duration = Duration::from_secs(1);
/// Characters of a digest that name a database.
const CHARS: usize = 16;

/// The database of added connectors, which may not exist yet.
#[derive(Clone)]
pub struct ConnectorDatabase {
    place: DatabasePlace,
    /// True if the environment names the database.
    is_of_environment: bool,
}

#[derive(Clone)]
enum DatabasePlace {
    File(PathBuf),
    Url(loggia_auth::secret::Secret),
}

impl ConnectorDatabase {
    /// Finds the database of the connectors that were added beside the configuration file `config`: a file beside the
    /// credentials, or the database that replicas share, if `location` names one.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if `location` names a database in a wrong form, or the system has no folder for credentials.
    pub fn of(
        location: &VaultLocation,
        credentials: &Credentials,
        config: Option<&Path>,
    ) -> Result<ConnectorDatabase> {
        let place = match location.database()? {
            Some(url) => DatabasePlace::Url(loggia_auth::secret::Secret::new(url)),
            None => DatabasePlace::File(credentials.path()?.join(file_name(config))),
        };
        let is_of_environment =
            matches!((location, &place), (VaultLocation::Environment, DatabasePlace::Url(_)));
        Ok(ConnectorDatabase { place, is_of_environment })
    }

    /// Returns whether other machines may use the database too.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.place, DatabasePlace::Url(_))
    }

    /// Returns the added connectors, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if the database cannot be read.
    pub async fn list(&self) -> Result<Vec<AddedConnector>> {
        match &self.place {
            DatabasePlace::File(path) if !path.exists() => Ok(Vec::new()),
            _ => self.open().await?.list().await.map_err(GatewayError::configuration),
        }
    }

    /// Opens the database to change it; creates it if there is none.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if the database cannot be opened.
    pub async fn open(&self) -> Result<AddedConnectors> {
        let url = match &self.place {
            DatabasePlace::File(path) => {
                if let Some(folder) = path.parent() {
                    loggia_auth::store::FileStore::open(folder)?;
                }
                format!("sqlite:{}", path.display())
            }
            DatabasePlace::Url(url) => url.expose().to_owned(),
        };
        let failed = |error| GatewayError::Vault {
            message: format!("the added connectors cannot be read: {error}"),
            next_step: self.is_of_environment.then(|| "DATABASE_URL names the database".to_owned()),
        };
        let database = Database::open(&url).await.map_err(failed)?;
        Ok(AddedConnectors::new(database))
    }
}

/// Names the database of a configuration file by its path.
fn file_name(config: Option<&Path>) -> String {
    let Some(path) = config else { return "connectors.db".to_owned() };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let digest: String = sha256(path.as_os_str().as_encoded_bytes()).chars().take(CHARS).collect();
    format!("connectors-{digest}.db")
}

/// A database that is open, and the number of its file: a file that takes its place has another one.
struct OpenedDatabase {
    connectors: AddedConnectors,
    number: Option<u64>,
}

/// A watch on the added connectors.
///
/// Invariant: a file that is gone changes nothing until there is one again.
pub(crate) struct AddedWatch {
    database: ConnectorDatabase,
    opened: Option<OpenedDatabase>,
    seen: Vec<AddedConnector>,
}

impl AddedWatch {
    /// Watches for differences from `seen`.
    pub(crate) fn new(database: ConnectorDatabase, seen: Vec<AddedConnector>) -> AddedWatch {
        AddedWatch { database, opened: None, seen }
    }

    /// Waits for a change, and returns the connectors. A database that cannot be read is tried again.
    pub(crate) async fn changed(&mut self) -> Vec<AddedConnector> {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.read().await {
                Ok(now) if now != self.seen => {
                    self.seen.clone_from(&now);
                    return now;
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "the added connectors cannot be read for now"),
            }
        }
    }

    async fn read(&mut self) -> Result<Vec<AddedConnector>> {
        let mut number = None;
        if let DatabasePlace::File(path) = &self.database.place {
            number = file_number(path);
            if number.is_none() {
                self.opened = None;
                return match self.seen.is_empty() {
                    true => Ok(Vec::new()),
                    false => Err(GatewayError::Configuration(format!("{} is gone", path.display()))),
                };
            }
        }
        if self.opened.as_ref().is_none_or(|opened| opened.number != number) {
            let connectors = self.database.open().await?;
            self.opened = Some(OpenedDatabase { connectors, number });
        }
        let Some(OpenedDatabase { connectors, .. }) = &self.opened else { return Ok(Vec::new()) };
        let listed = connectors.list().await;
        if listed.is_err() {
            self.opened = None;
        }
        listed.map_err(GatewayError::configuration)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use loggia_connect::redact::Redactor;

    use super::*;

    #[tokio::test]
    async fn a_file_that_is_gone_changes_nothing_until_another_takes_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("credentials");
        let credentials = Credentials::new(Some(path.clone()), Vec::new(), Redactor::default());
        let database = ConnectorDatabase::of(&VaultLocation::File, &credentials, None).expect("a place");
        let mut watch = AddedWatch::new(database.clone(), Vec::new());
        assert_eq!(watch.read().await.expect("read"), [], "there is no file yet");
        let add = async |name: &str| {
            let opened = database.open().await.expect("opened");
            assert!(opened.add(name, "", None).await.expect("added"));
        };
        add("first").await;
        watch.seen = watch.read().await.expect("read");
        assert_eq!(watch.seen.len(), 1);
        for file in ["connectors.db", "connectors.db-wal", "connectors.db-shm"] {
            // The last two are there while the database is open.
            let _ = std::fs::rename(path.join(file), path.join(format!("old-{file}")));
        }
        let error = watch.read().await.expect_err("the file is gone");
        assert!(error.to_string().ends_with("connectors.db is gone"), "{error}");
        add("second").await;
        let now = watch.read().await.expect("read");
        assert_eq!(now.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["second"]);
    }
}
