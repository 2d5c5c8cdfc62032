//! SQLite, built in. One connection reads and writes, on blocking threads. It waits for other processes that use the
//! same file.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loggia_auth::error::{is_passing, with_advice};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, TransactionBehavior, params_from_iter};

use super::{Backend, BoxFuture, Row, SqlValue, foreign};
use crate::error::StoreError;

/// The time for which another process may lock the file.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Sqlite {
    connection: Arc<Mutex<Connection>>,
    path: Arc<str>,
}

impl Sqlite {
    pub(super) async fn open(path: &str) -> Result<Sqlite, StoreError> {
        let path = path.to_owned();
        let opening = tokio::task::spawn_blocking(move || Sqlite::open_waiting(&path));
        opening
            .await
            .unwrap_or_else(|_| Err(StoreError::Database("the task that opened it ended early".to_owned())))
    }

    fn open_waiting(path: &str) -> Result<Sqlite, StoreError> {
        if path != ":memory:" {
            private(Path::new(path)).map_err(|error| cannot_open(path, &error))?;
        }
        let failed = |error: rusqlite::Error| failed(path, &error);
        let connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        // The check comes first: preparing changes the file.
        let tables = foreign_tables(&connection).map_err(failed)?;
        if !tables.is_empty() {
            return Err(foreign(path, &tables));
        }
        Sqlite::prepare(&connection).map_err(failed)?;
        Ok(Sqlite { connection: Arc::new(Mutex::new(connection)), path: path.into() })
    }

    fn prepare(connection: &Connection) -> rusqlite::Result<()> {
        write_ahead(connection)?;
        // A commit is on the disk before it is acknowledged, even if the power fails.
        for (pragma, value) in [("synchronous", "FULL"), ("foreign_keys", "ON"), ("secure_delete", "ON")] {
            connection.pragma_update(None, pragma, value)?;
        }
        Ok(())
    }

    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let connection = self.connection.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || {
                work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
            });
            match done.await {
                Ok(done) => done.map_err(|error| failed(&self.path, &error)),
                Err(_) => Err(StoreError::Database("the task that used it ended early".to_owned())),
            }
        })
    }
}

/// Returns some tables of another program; none if the database is empty or has the first of our tables.
fn foreign_tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let ours = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'secrets'";
    if connection.query_row(ours, [], |row| row.get::<_, i64>(0))? > 0 {
        return Ok(Vec::new());
    }
    let others = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                  ORDER BY name LIMIT 3";
    connection.prepare(others)?.query_map([], |row| row.get(0))?.collect()
}

/// Enables write-ahead logging. SQLite's busy timeout does not apply to this change, because two processes that
/// change the mode would wait for each other forever, so the loop retries.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Creates the file, readable only by its owner, before SQLite creates it readable for all users.
fn private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn cannot_open(path: &str, error: &std::io::Error) -> StoreError {
    let text = format!("{path} cannot be opened: {}", with_advice(error));
    if is_passing(error) { StoreError::Unavailable(text) } else { StoreError::Configuration(text) }
}

/// Adds the name of the file and the next step to an error.
fn failed(path: &str, error: &rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let advice = match code {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; it is damaged: restore it from a backup, or move it away, and a new one is made, without what it held"
        }
        Some(ErrorCode::DiskFull) => "; free some space on its disk",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "; let the user who runs this program read and write it and its folder"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "; another process holds it",
        Some(ErrorCode::SystemIoFailure) => "; see whether its disk works and has space",
        _ => "",
    };
    let text = format!("{path}: {error}{advice}");
    match code {
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Unavailable(text)
        }
        _ => StoreError::Database(text),
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            SqlValue::Null => ValueRef::Null,
            SqlValue::Int(number) => ValueRef::Integer(*number),
            SqlValue::Text(text) => ValueRef::Text(text.as_bytes()),
            SqlValue::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Backend for Sqlite {
    fn execute(
        &self,
        statement: &'static str,
        values: Vec<SqlValue>,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(statement)?;
            statement.execute(params_from_iter(values.iter())).map(|rows| rows as u64)
        })
    }

    fn query(
        &self,
        statement: &'static str,
        values: Vec<SqlValue>,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(statement)?;
            let columns = statement.column_count();
            let rows = statement.query_map(params_from_iter(values.iter()), |row| {
                (0..columns)
                    .map(|column| row.get_ref(column).map(value))
                    .collect::<rusqlite::Result<_>>()
                    .map(Row)
            })?;
            rows.collect()
        })
    }

    fn migrate(&self, migrations: &'static [&'static str]) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            for (n, migration) in (1i64..).zip(migrations).filter(|(n, _)| *n > done) {
                transaction.execute_batch(migration)?;
                transaction.pragma_update(None, "user_version", n)?;
            }
            transaction.commit()
        })
    }
}

fn value(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Integer(number) => SqlValue::Int(number),
        ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
        ValueRef::Null | ValueRef::Real(_) => SqlValue::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn a_failure_names_the_file_the_next_step_and_whether_it_passes() {
        for (code, passes, advice) in [
            (ffi::SQLITE_CORRUPT, false, "restore it from a backup"),
            (ffi::SQLITE_NOTADB, false, "restore it from a backup"),
            (ffi::SQLITE_FULL, true, "free some space"),
            (ffi::SQLITE_BUSY, true, "another process holds it"),
            (ffi::SQLITE_LOCKED, true, "another process holds it"),
            (ffi::SQLITE_READONLY, false, "let the user who runs this program"),
            (ffi::SQLITE_CANTOPEN, false, "let the user who runs this program"),
            (ffi::SQLITE_PERM, false, "let the user who runs this program"),
            (ffi::SQLITE_IOERR, false, "see whether its disk works"),
            (ffi::SQLITE_MISUSE, false, ""),
        ] {
            let error = failed("/x/vault.db", &rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert_eq!(matches!(error, StoreError::Unavailable(_)), passes, "{error}");
            let text = error.to_string();
            assert!(text.contains("/x/vault.db: ") && text.contains(advice), "{text}");
        }
    }
}
