//! The schema and the rows of a PostgreSQL database, for a language model: it reads, and (only if allowed) writes.
//!
//! A reading statement becomes a subquery, so the grammar of PostgreSQL itself admits only a query there: no `COMMIT`,
//! `SET`, `DO` or `COPY`, and no second statement, because it is sent with the extended protocol. It runs in a read-only
//! transaction that has a snapshot already, so nothing in it can make the transaction writable. Each call has a
//! connection of its own and ends at bounds on rows, bytes and time. Invariant: no transaction outlives its call.

mod connection;
mod error;
mod execute;
mod parameter;
mod query;
mod schema;
mod serve;
mod statement;

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres_rustls::MakeRustlsConnect;

pub use error::{PostgresError, PostgresOpenError};
pub use execute::{PostgresChange, PostgresStatement};
pub use schema::{PostgresColumn, PostgresSchema, PostgresTable};
pub use serve::server;

/// A PostgreSQL database. It is cheap to clone.
#[derive(Clone)]
pub struct Postgres {
    config: Arc<tokio_postgres::Config>,
    tls: MakeRustlsConnect,
    /// Host and name, without user and password.
    place: Arc<str>,
    options: PostgresOptions,
}

/// The permissions and limits of a database.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// True if it may be changed.
    pub writable: bool,
    /// The bounds.
    pub limits: PostgresLimits,
}

/// The bounds of one call.
#[derive(Debug, Clone)]
pub struct PostgresLimits {
    /// The maximum number of rows of a result (1000).
    pub rows: usize,
    /// The maximum number of bytes of a result, as JSON (1 MiB).
    pub bytes: usize,
    /// The time limit of a statement (10 s).
    pub time: Duration,
    /// The time limit of a connection and of a lock (5 s).
    pub wait: Duration,
    /// The maximum number of running calls, each with a connection (4).
    pub running: usize,
    /// The maximum number of waiting calls; further ones are refused (64).
    pub waiting: usize,
}

impl Default for PostgresLimits {
    fn default() -> PostgresLimits {
        PostgresLimits {
            rows: 1000,
            bytes: 1 << 20,
            time: Duration::from_secs(10),
            wait: Duration::from_secs(5),
            running: 4,
            waiting: 64,
        }
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Reads the URL of a database. Nothing is connected yet: a server that is down is an error of a call.
    pub fn open(url: &str, options: PostgresOptions) -> Result<Postgres, PostgresOpenError> {
        let (config, place, tls) = connection::settings(url, &options)?;
        Ok(Postgres { config: Arc::new(config), tls, place: place.into(), options })
    }

    /// Returns the bounds.
    pub fn limits(&self) -> &PostgresLimits {
        &self.options.limits
    }

    /// Returns whether it may be changed.
    pub fn is_writable(&self) -> bool {
        self.options.writable
    }
}
