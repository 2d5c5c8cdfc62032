//! Connectors that people added: their names and definitions. What a definition says is up to its writer; this is text in a
//! row, with a revision, so that two who change one connector at once do not overwrite each other.
//!
//! Invariant: no secret is in a definition. Secrets are in the vault, in the environment, or in the output of a command.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::database::{Database, Row, SqlValue};
use crate::error::StoreError;

/// One connector that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedConnector {
    /// The name.
    pub name: String,
    /// The definition, as text.
    pub definition: String,
    /// The pins: the definitions of its tools that its user approved, as text; `None` if they are not pinned.
    pub pins: Option<String>,
    /// The number of the last change.
    pub revision: i64,
}

/// The connectors that were added. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AddedConnectors {
    database: Database,
}

impl AddedConnectors {
    /// Reads and writes the connectors of `database`.
    pub fn new(database: Database) -> AddedConnectors {
        AddedConnectors { database }
    }

    /// Returns all connectors, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be read.
    pub async fn list(&self) -> Result<Vec<AddedConnector>, StoreError> {
        self.database.query(LIST, Vec::new()).await?.into_iter().map(connector).collect()
    }

    /// Returns the connector `name`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be read.
    pub async fn get(&self, name: &str) -> Result<Option<AddedConnector>, StoreError> {
        self.database.query(GET, vec![name.into()]).await?.into_iter().next().map(connector).transpose()
    }

    /// Adds a connector. Returns `false` if there is one of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be written.
    pub async fn add(&self, name: &str, definition: &str, pins: Option<&str>) -> Result<bool, StoreError> {
        let values: Vec<SqlValue> = vec![name.into(), definition.into(), now().into(), pins.into()];
        Ok(self.database.execute(ADD, values).await? == 1)
    }

    /// Replaces the definition of a connector. Its pins stay. Returns `false` if it was changed or removed since `revision`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be written.
    pub async fn replace(&self, name: &str, definition: &str, revision: i64) -> Result<bool, StoreError> {
        let values: Vec<SqlValue> = vec![name.into(), definition.into(), now().into(), revision.into()];
        Ok(self.database.execute(REPLACE, values).await? == 1)
    }

    /// Replaces the definition and the pins of a connector. Returns `false` if it was changed or removed since `revision`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be written.
    pub async fn replace_with_pins(
        &self,
        name: &str,
        definition: &str,
        pins: Option<&str>,
        revision: i64,
    ) -> Result<bool, StoreError> {
        let values: Vec<SqlValue> =
            vec![name.into(), definition.into(), now().into(), revision.into(), pins.into()];
        Ok(self.database.execute(REPLACE_WITH_PINS, values).await? == 1)
    }

    /// Removes a connector. Returns `false` if there is none of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the database cannot be written.
    pub async fn remove(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.database.execute(REMOVE, vec![name.into()]).await? == 1)
    }
}

/// Returns the time in microseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn connector(mut row: Row) -> Result<AddedConnector, StoreError> {
    Ok(AddedConnector {
        name: row.text(0)?,
        definition: row.text(1)?,
        revision: row.int(2)?,
        pins: row.maybe_text(3)?,
    })
}

const LIST: &str = "SELECT name, definition, revision, pins FROM connectors ORDER BY created, name";

const GET: &str = "SELECT name, definition, revision, pins FROM connectors WHERE name = ?1";

const ADD: &str =
    "INSERT INTO connectors (name, definition, revision, created, updated, pins) VALUES (?1, ?2, 1, ?3, ?3, ?4)
    ON CONFLICT (name) DO NOTHING";

const REPLACE: &str = "UPDATE connectors SET definition = ?2, revision = revision + 1, updated = ?3
    WHERE name = ?1 AND revision = ?4";

const REPLACE_WITH_PINS: &str =
    "UPDATE connectors SET definition = ?2, pins = ?5, revision = revision + 1, updated = ?3
    WHERE name = ?1 AND revision = ?4";

const REMOVE: &str = "DELETE FROM connectors WHERE name = ?1";
