//! One interface to both databases. Statements are written once, in SQLite's dialect: `?1` for parameters, `BIGINT`
//! for numbers and `BLOB` for bytes. The PostgreSQL backend translates the differences.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroize;

use crate::error::StoreError;

pub(crate) type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The migrations of the tables, in order. A migration that was released never changes.
const MIGRATIONS: &[&str] = &[
    "CREATE TABLE secrets (
        owner TEXT NOT NULL,
        connector TEXT NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        revision BIGINT NOT NULL,
        created BIGINT NOT NULL,
        updated BIGINT NOT NULL,
        until BIGINT,
        master TEXT NOT NULL,
        wrapped BLOB NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (owner, connector, name)
    )",
    "CREATE INDEX secrets_until ON secrets (until)",
    "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until BIGINT NOT NULL)",
    "CREATE TABLE connectors (
        name TEXT PRIMARY KEY,
        definition TEXT NOT NULL,
        revision BIGINT NOT NULL,
        created BIGINT NOT NULL,
        updated BIGINT NOT NULL
    )",
    "ALTER TABLE connectors ADD COLUMN pins TEXT",
];

/// A value in a statement or in a row.
#[derive(Clone, PartialEq)]
pub(crate) enum SqlValue {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl fmt::Debug for SqlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[value]")
    }
}

impl Drop for SqlValue {
    fn drop(&mut self) {
        match self {
            SqlValue::Text(text) => text.zeroize(),
            SqlValue::Blob(bytes) => bytes.zeroize(),
            SqlValue::Null | SqlValue::Int(_) => {}
        }
    }
}

impl From<i64> for SqlValue {
    fn from(number: i64) -> SqlValue {
        SqlValue::Int(number)
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> SqlValue {
        SqlValue::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for SqlValue {
    fn from(bytes: Vec<u8>) -> SqlValue {
        SqlValue::Blob(bytes)
    }
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> SqlValue {
        value.map_or(SqlValue::Null, Into::into)
    }
}

/// One row of a result.
pub(crate) struct Row(pub(crate) Vec<SqlValue>);

impl Row {
    fn take(&mut self, column: usize) -> SqlValue {
        self.0.get_mut(column).map_or(SqlValue::Null, |value| std::mem::replace(value, SqlValue::Null))
    }

    pub(crate) fn int(&mut self, column: usize) -> Result<i64, StoreError> {
        self.maybe_int(column)?.ok_or_else(|| odd(column))
    }

    pub(crate) fn maybe_int(&mut self, column: usize) -> Result<Option<i64>, StoreError> {
        match &self.take(column) {
            SqlValue::Int(number) => Ok(Some(*number)),
            SqlValue::Null => Ok(None),
            _ => Err(odd(column)),
        }
    }

    pub(crate) fn text(&mut self, column: usize) -> Result<String, StoreError> {
        self.maybe_text(column)?.ok_or_else(|| odd(column))
    }

    pub(crate) fn maybe_text(&mut self, column: usize) -> Result<Option<String>, StoreError> {
        match &mut self.take(column) {
            SqlValue::Text(text) => Ok(Some(std::mem::take(text))),
            SqlValue::Null => Ok(None),
            _ => Err(odd(column)),
        }
    }

    pub(crate) fn blob(&mut self, column: usize) -> Result<Vec<u8>, StoreError> {
        match &mut self.take(column) {
            SqlValue::Blob(bytes) => Ok(std::mem::take(bytes)),
            _ => Err(odd(column)),
        }
    }
}

fn odd(column: usize) -> StoreError {
    StoreError::Database(format!("column {column} has a value of another type"))
}

/// Runs statements.
trait Backend: Send + Sync {
    /// Runs one statement, and returns the number of rows that it changed. The change is on the disk when this returns.
    fn execute(
        &self,
        statement: &'static str,
        values: Vec<SqlValue>,
    ) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Returns the rows of a query.
    fn query(
        &self,
        statement: &'static str,
        values: Vec<SqlValue>,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>>;

    /// Applies the missing migrations. Other processes may do this at the same time. Fails if all tables are of another
    /// program.
    fn migrate(&self, migrations: &'static [&'static str]) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Returns the error for a database whose tables are of another program. `place` names it, and `tables` are some of them.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
fn foreign(place: &str, tables: &[String]) -> StoreError {
    StoreError::Configuration(format!(
        "{place} has tables of another program ({}) and none of Loggia's, so it is not changed: name an empty database, or in \
         PostgreSQL a schema that was made for Loggia (postgres://…?options=-csearch_path%3Dloggia)",
        tables.join(", ")
    ))
}

/// A database. Cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<dyn Backend>);

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}

impl Database {
    /// Opens `sqlite:PATH` or `postgres://…`, and applies the missing migrations.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; a database with tables of another program alone is not changed.
    pub async fn open(url: &str) -> Result<Database, StoreError> {
        let database = Database::connect(url).await?;
        database.0.migrate(MIGRATIONS).await?;
        Ok(database)
    }

    async fn connect(url: &str) -> Result<Database, StoreError> {
        let wrong = |what: &str| StoreError::Configuration(what.to_owned());
        if let Some(path) = url.strip_prefix("sqlite:") {
            #[cfg(feature = "sqlite")]
            return Ok(Database(Arc::new(sqlite::Sqlite::open(path.trim_start_matches("//")).await?)));
            #[cfg(not(feature = "sqlite"))]
            return Err(wrong(&format!("'{path}' needs SQLite, which this program was built without")));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            #[cfg(feature = "postgres")]
            return Ok(Database(Arc::new(postgres::Postgres::open(url).await?)));
            #[cfg(not(feature = "postgres"))]
            return Err(wrong("the database needs PostgreSQL, which this program was built without"));
        }
        // The address may contain a password, so it is not repeated.
        Err(wrong("the database must be given as sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME"))
    }

    pub(crate) async fn execute(
        &self,
        statement: &'static str,
        values: Vec<SqlValue>,
    ) -> Result<u64, StoreError> {
        self.0.execute(statement, values).await
    }

    pub(crate) async fn query(
        &self,
        statement: &'static str,
        values: Vec<SqlValue>,
    ) -> Result<Vec<Row>, StoreError> {
        self.0.query(statement, values).await
    }
}
