//! The place where a connector is stored: the database of added connectors, or the configuration file.

use std::path::{Path, PathBuf};

use loggia_connect::config_file::{ConfigFile, connector_name};
use loggia_connect::import::Import;

use super::AddError;
use crate::added::ConnectorDatabase;
use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};
use crate::vault::VaultLocation;

/// Attempts to store a name that is free.
const STORE_ATTEMPTS: usize = 3;

/// The place where connectors are stored.
#[derive(Clone)]
pub struct AddPlace {
    database: ConnectorDatabase,
    /// The configuration file beside the database; it may not exist.
    file: Option<PathBuf>,
    writes_file: bool,
}

impl AddPlace {
    /// Stores in the database of the user, or in that of the configuration file `config`. The environment is read as
    /// `loggia up` reads it.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if there is no place for the database.
    pub fn of(config: Option<&Path>, credentials: &Credentials) -> Result<AddPlace> {
        let database = ConnectorDatabase::of(&VaultLocation::Environment, credentials, config)?;
        Ok(AddPlace { database, file: config.map(Path::to_owned), writes_file: false })
    }

    /// Stores in the configuration file `file` instead; creates it if there is none.
    pub fn in_file(self, file: &Path) -> AddPlace {
        AddPlace { file: Some(file.to_owned()), writes_file: true, ..self }
    }

    /// Returns the database of added connectors.
    pub fn database(&self) -> &ConnectorDatabase {
        &self.database
    }

    /// Returns the configuration file beside the database.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the configuration file that is written; `None` for the database.
    pub(super) fn written_file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|_| self.writes_file)
    }

    /// Fails if there is a connector of this name in the file or the database.
    pub(super) async fn check_free(&self, name: &str) -> std::result::Result<(), AddError> {
        let mut taken: Vec<(String, String)> = Vec::new();
        if let Some(file) = self.file.as_deref().filter(|file| file.exists()) {
            let read = ConfigFile::read(file).map_err(GatewayError::from)?;
            taken.extend(read.connectors.into_iter().map(|one| (one.name, file.display().to_string())));
        }
        let place = || "the added connectors".to_owned();
        taken.extend(self.database.list().await?.into_iter().map(|one| (one.name, place())));
        let Some((_, place)) = taken.iter().find(|(other, _)| other == name) else { return Ok(()) };
        let mut numbered = (2..).map(|n| format!("{name}-{n}"));
        let free = numbered.find(|free| taken.iter().all(|(other, _)| other != free));
        let free = free.and_then(|free| connector_name(&free).ok()).unwrap_or_else(|| "NAME".to_owned());
        Err(AddError::Existing { name: name.to_owned(), place: place.clone(), free })
    }

    /// Stores a definition, and the pins of its tools. A configuration file has no pins.
    pub(super) async fn store(
        &self,
        name: &str,
        definition: &str,
        pins: Option<&str>,
    ) -> std::result::Result<(), AddError> {
        match self.written_file() {
            Some(file) => {
                let import = Import::of_definition(definition).map_err(AddError::File)?;
                import.add_to_file(file).map_err(AddError::File)
            }
            None => {
                let opened = self.database.open().await?;
                // Another process may have added the name since it was checked, and may have removed it again.
                for _ in 0..STORE_ATTEMPTS {
                    let added =
                        opened.add(name, definition, pins).await.map_err(GatewayError::configuration)?;
                    if added {
                        return Ok(());
                    }
                    self.check_free(name).await?;
                }
                let unstable = format!("{name}: other processes add and remove it at the moment");
                Err(GatewayError::configuration(unstable).into())
            }
        }
    }
}
