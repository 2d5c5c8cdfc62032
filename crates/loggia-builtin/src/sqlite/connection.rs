//! Connections to the file, with bounds. Invariant: each is opened for one call, and its handlers end it.

use std::io::{self, Read as _};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::authorize::SqliteAccess;
use super::{Sqlite, SqliteError, SqliteOpenError};
use crate::blocking::CallDeadline;

/// The first bytes of a SQLite file. A new database is empty.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The number of steps of the engine between two looks at the clock.
const STEPS: i32 = 1000;

/// Bounds of the engine.
const LIMITS: &[(Limit, i32)] = &[
    // A value, and a row of a sorter.
    (Limit::SQLITE_LIMIT_LENGTH, 32 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 256 << 10),
    (Limit::SQLITE_LIMIT_COLUMN, 2000),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 500),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1000),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 100),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Fails unless the file is a SQLite database that can be opened. It waits for no lock: another program may hold it.
pub(super) fn check_file(path: &Path, absolute: &Path, writable: bool) -> Result<(), SqliteOpenError> {
    let failed = |error: &io::Error| SqliteOpenError::io(path, error);
    if !std::fs::metadata(absolute).map_err(|e| failed(&e))?.is_file() {
        return Err(SqliteOpenError::not_a_database(path));
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.read(true).write(writable).open(absolute).map_err(|e| failed(&e))?;
    let mut start = [0; MAGIC.len()];
    match file.read_exact(&mut start) {
        Ok(()) if start == *MAGIC => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
            if is_empty { Ok(()) } else { Err(SqliteOpenError::not_a_database(path)) }
        }
        Ok(()) => Err(SqliteOpenError::not_a_database(path)),
        Err(error) => Err(failed(&error)),
    }
}

impl Sqlite {
    /// Opens a connection for one call.
    pub(super) fn connect(
        &self,
        access: SqliteAccess,
        deadline: &CallDeadline,
    ) -> Result<Connection, SqliteError> {
        let mode = match access {
            SqliteAccess::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            SqliteAccess::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(SqliteError::open)?;
        self.prepare(&connection, access, deadline).map_err(SqliteError::open)?;
        Ok(connection)
    }

    fn prepare(
        &self,
        connection: &Connection,
        access: SqliteAccess,
        deadline: &CallDeadline,
    ) -> rusqlite::Result<()> {
        let deadline = deadline.clone();
        connection.progress_handler(STEPS, Some(move || deadline.is_over()))?;
        connection.busy_timeout(self.limits().lock_time.min(self.limits().time))?;
        for (limit, most) in LIMITS {
            connection.set_limit(*limit, *most)?;
        }
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
        match access {
            SqliteAccess::Read => connection.pragma_update(None, "query_only", true),
            SqliteAccess::Write => Ok(()),
        }
    }
}
