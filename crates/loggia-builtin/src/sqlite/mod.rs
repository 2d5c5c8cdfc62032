//! The schema and the rows of a SQLite file, for a language model: it reads, and (only if allowed) writes.
//!
//! The engine itself refuses writes of the reading tools, in three ways: the file is opened read-only, `query_only` is
//! on, and an authorizer sees each action of a statement while it is compiled. Each call has a connection of its own
//! and ends at bounds on rows, bytes and time. Invariant: no statement reaches another file, and no transaction of a
//! caller outlives its call.
//!
//! [`Sqlite`] blocks: call it from a thread that may block. It does not depend on MCP; [`server`] makes an MCP server
//! of it.

mod authorize;
mod connection;
mod error;
mod execute;
mod query;
mod schema;
mod serve;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use error::{SqliteError, SqliteOpenError};
pub use execute::{SqliteChange, SqliteStatement};
pub use schema::{SqliteColumn, SqliteForeignKey, SqliteIndex, SqliteSchema, SqliteTable};
pub use serve::server;

/// A SQLite file. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Sqlite {
    path: Arc<Path>,
    options: SqliteOptions,
}

/// The permissions and limits of a database.
#[derive(Debug, Clone, Default)]
pub struct SqliteOptions {
    /// True if it may be changed.
    pub writable: bool,
    /// The bounds.
    pub limits: SqliteLimits,
}

/// The bounds of one call.
#[derive(Debug, Clone)]
pub struct SqliteLimits {
    /// The maximum number of rows of a result (1000).
    pub rows: usize,
    /// The maximum number of bytes of a result, as JSON (1 MiB).
    pub bytes: usize,
    /// The time limit of one call (10 s).
    pub time: Duration,
    /// The time that a call waits for the locks of other programs (5 s).
    pub lock_time: Duration,
    /// The maximum number of running calls (4).
    pub running: usize,
    /// The maximum number of waiting calls; further ones are refused (64).
    pub waiting: usize,
}

impl Default for SqliteLimits {
    fn default() -> SqliteLimits {
        SqliteLimits {
            rows: 1000,
            bytes: 1 << 20,
            time: Duration::from_secs(10),
            lock_time: Duration::from_secs(5),
            running: 4,
            waiting: 64,
        }
    }
}

impl Sqlite {
    /// Opens the database in the file `path`. Fails if it is not a SQLite database, or if it may be changed and the
    /// file may not. Other programs may hold its locks.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Sqlite, SqliteOpenError> {
        let absolute: PathBuf = std::fs::canonicalize(path).map_err(|e| SqliteOpenError::io(path, &e))?;
        connection::check_file(path, &absolute, options.writable)?;
        Ok(Sqlite { path: absolute.into(), options })
    }

    /// Returns the bounds.
    pub fn limits(&self) -> &SqliteLimits {
        &self.options.limits
    }

    /// Returns whether it may be changed.
    pub fn is_writable(&self) -> bool {
        self.options.writable
    }

    /// Returns the name of the file.
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
