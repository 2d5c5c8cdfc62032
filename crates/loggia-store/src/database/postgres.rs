//! PostgreSQL, for many replicas. Connections are pooled, and encrypted if the server supports it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, WrongType, to_sql_checked};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::{Backend, BoxFuture, Row, SqlValue, foreign};
use crate::error::StoreError;

/// The maximum number of connections of one process.
const CONNECTIONS: usize = 8;
/// The time for getting a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// The advisory lock under which migrations run: any number that no other program uses.
const MIGRATING: i64 = 0x6c6f_6767_6961;

/// The advice for a table that has columns of other types.
const OTHER_TABLES: &str = "its tables are not as this program made them: restore a backup, or name an empty database in its address";

/// Returns some tables of other programs in the schema that is used; none if there is the table of our migrations. Tables of
/// extensions do not count.
const FOREIGN_TABLES: &str = "SELECT c.relname::text FROM pg_catalog.pg_class c
    WHERE c.relkind IN ('r', 'p') AND to_regclass('loggia_migrations') IS NULL
    AND c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.relname LIMIT 3";

pub(super) struct Postgres {
    pool: Pool,
    /// Host, port and name of the database, without user and password.
    place: String,
}

impl Postgres {
    pub(super) async fn open(url: &str) -> Result<Postgres, StoreError> {
        let (config, roots) = settings(url)?;
        let place = place(&config);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, MakeRustlsConnect::new(tls(roots.as_deref())?), recycling);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| StoreError::Database(error.to_string()))?;
        let postgres = Postgres { pool, place };
        drop(postgres.connection().await.map_err(|error| postgres.named(error))?);
        Ok(postgres)
    }

    async fn connection(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => failed(error),
            PoolError::Timeout(_) | PoolError::Closed => StoreError::Unavailable(with_sources(&error)),
            other => StoreError::Database(with_sources(&other)),
        })
    }

    /// Adds host and name of the database to an error.
    fn named(&self, error: StoreError) -> StoreError {
        let named = |what: String| format!("PostgreSQL at {}: {what}", self.place);
        match error {
            StoreError::Database(what) => StoreError::Database(named(what)),
            StoreError::Unavailable(what) => StoreError::Unavailable(named(what)),
            other => other,
        }
    }
}

/// Reads the address of the database. Removes the parameters that libpq supports and `tokio-postgres` does not: the
/// file with the trusted certificate authorities, and the modes that require a check of the server's certificate,
/// which is always done.
fn settings(url: &str) -> Result<(Config, Option<PathBuf>), StoreError> {
    // The address may contain a password, and an error about it could repeat it.
    let wrong =
        || StoreError::Configuration("the address of the PostgreSQL database cannot be read".to_owned());
    let mut plain = Url::parse(url).map_err(|_| wrong())?;
    let mut roots = None;
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in plain.query_pairs() {
        match (&*name, &*value) {
            ("sslrootcert", "system") => {}
            ("sslrootcert", file) => roots = Some(PathBuf::from(file)),
            ("sslmode", "verify-ca" | "verify-full") => drop(kept.append_pair("sslmode", "require")),
            (name, value) => drop(kept.append_pair(name, value)),
        }
    }
    let kept = kept.finish();
    plain.set_query((!kept.is_empty()).then_some(&*kept));
    Ok((plain.as_str().parse().map_err(|_| wrong())?, roots))
}

fn tls(file: Option<&Path>) -> Result<rustls::ClientConfig, StoreError> {
    let wrong = |why: String| StoreError::Configuration(format!("the database's certificates: {why}"));
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = file {
        let unreadable = |error| wrong(format!("{} cannot be read: {error}", file.display()));
        roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?).map_err(|error| wrong(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| wrong(error.to_string()))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

fn failed(error: tokio_postgres::Error) -> StoreError {
    let text = with_sources(&error);
    let passes = match error.code() {
        Some(state) => passes(state.code()),
        None => error.is_closed() || io_error(&error).is_some_and(breaks_off),
    };
    match passes {
        true => StoreError::Unavailable(text),
        false => StoreError::Database(format!("{text}; {}", advice(&error))),
    }
}

/// Returns whether a retry may help after an SQLSTATE of the server: a broken connection, exhausted resources, a
/// server that starts or stops, conflicting transactions (PostgreSQL, appendix A). For a dropped database it does not
/// help.
fn passes(state: &str) -> bool {
    ["08", "53", "57", "40", "55P03"].iter().any(|class| state.starts_with(class)) && state != "57P04"
}

fn io_error(error: &tokio_postgres::Error) -> Option<&std::io::Error> {
    error.source()?.downcast_ref()
}

/// Returns whether the connection failed or broke. Other errors concern the data (also TLS), or a socket that this
/// user may not use: they stay until the configuration changes.
fn breaks_off(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, PermissionDenied};
    !matches!(error.kind(), InvalidData | InvalidInput | PermissionDenied)
}

/// Returns the next step after an error that a retry does not solve.
fn advice(error: &tokio_postgres::Error) -> &'static str {
    let source = error.source();
    let tls = io_error(error).and_then(|error| error.get_ref()?.downcast_ref::<rustls::Error>());
    match error.code().map(|state| state.code()) {
        Some(state) if state.starts_with("28") => "check the user and the password in its address",
        Some("3D000" | "57P04") => "create this database, or name another one in its address",
        Some("42501") => "let its user create and change tables",
        Some("25006") => "name the server that takes writes in its address",
        Some(_) => "the log of PostgreSQL may tell more",
        None if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) => {
            "name the file with the authority of its certificate in its address (sslrootcert=FILE)"
        }
        None if source.is_some_and(|source| source.is::<WrongType>()) => OTHER_TABLES,
        None => "check its address (password, sslmode), and how the server lets this user in (pg_hba.conf)",
    }
}

/// Returns host, port and name of a database.
fn place(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    });
    let ports = config.get_ports().iter().copied().chain(std::iter::repeat(5432));
    let places: Vec<String> = hosts.zip(ports).map(|(host, port)| format!("{host}:{port}")).collect();
    format!("{}/{}", places.join(","), config.get_dbname().unwrap_or_default())
}

fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Translates a statement to PostgreSQL's dialect.
fn translated(statement: &str) -> String {
    statement.replace('?', "$").replace(" BLOB", " BYTEA")
}

impl ToSql for SqlValue {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            SqlValue::Null => Ok(IsNull::Yes),
            SqlValue::Int(number) => number.to_sql(kind, out),
            SqlValue::Text(text) => text.to_sql(kind, out),
            SqlValue::Blob(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

fn parameters(values: &[SqlValue]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Backend for Postgres {
    fn execute(
        &self,
        statement: &'static str,
        values: Vec<SqlValue>,
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        let done = async move {
            let connection = self.connection().await?;
            let statement = connection.prepare_cached(&translated(statement)).await.map_err(failed)?;
            connection.execute(&statement, &parameters(&values)).await.map_err(failed)
        };
        Box::pin(async move { done.await.map_err(|error| self.named(error)) })
    }

    fn query(
        &self,
        statement: &'static str,
        values: Vec<SqlValue>,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        let done = async move {
            let connection = self.connection().await?;
            let statement = connection.prepare_cached(&translated(statement)).await.map_err(failed)?;
            let rows = connection.query(&statement, &parameters(&values)).await.map_err(failed)?;
            rows.iter().map(row).collect::<Result<Vec<Row>, StoreError>>()
        };
        Box::pin(async move { done.await.map_err(|error| self.named(error)) })
    }

    fn migrate(&self, migrations: &'static [&'static str]) -> BoxFuture<'_, Result<(), StoreError>> {
        let done = async move {
            let mut connection = self.connection().await?;
            let transaction = connection.transaction().await.map_err(failed)?;
            // Another replica may be migrating. The lock ends with the transaction.
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATING]).await.map_err(failed)?;
            let tables = transaction.query(FOREIGN_TABLES, &[]).await.map_err(failed)?;
            let tables: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
            if !tables.is_empty() {
                return Err(foreign(&format!("PostgreSQL at {}", self.place), &tables));
            }
            let table = "CREATE TABLE IF NOT EXISTS loggia_migrations (version BIGINT PRIMARY KEY)";
            transaction.batch_execute(table).await.map_err(failed)?;
            let newest = "SELECT coalesce(max(version), 0) FROM loggia_migrations";
            let done: i64 = transaction.query_one(newest, &[]).await.map_err(failed)?.get(0);
            for (n, migration) in (1i64..).zip(migrations).filter(|(n, _)| *n > done) {
                transaction.batch_execute(&translated(migration)).await.map_err(failed)?;
                let note = "INSERT INTO loggia_migrations (version) VALUES ($1)";
                transaction.execute(note, &[&n]).await.map_err(failed)?;
            }
            transaction.commit().await.map_err(failed)
        };
        Box::pin(async move { done.await.map_err(|error| self.named(error)) })
    }
}

fn row(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let value = |(n, column): (usize, &tokio_postgres::Column)| {
        Ok(match *column.type_() {
            Type::INT8 => SqlValue::from(row.try_get::<_, Option<i64>>(n).map_err(failed)?),
            Type::TEXT => SqlValue::from(row.try_get::<_, Option<&str>>(n).map_err(failed)?),
            Type::BYTEA => SqlValue::from(row.try_get::<_, Option<Vec<u8>>>(n).map_err(failed)?),
            _ => {
                let text = format!("column {} is of an unknown type; {OTHER_TABLES}", column.name());
                return Err(StoreError::Database(text));
            }
        })
    };
    row.columns().iter().enumerate().map(value).collect::<Result<_, _>>().map(Row)
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    #[test]
    fn states_that_pass_are_told_from_those_that_do_not() {
        for (state, expected) in [
            ("08006", true),
            ("53300", true),
            ("57P03", true),
            ("40001", true),
            ("55P03", true),
            ("57P04", false),
            ("28P01", false),
            ("3D000", false),
            ("42501", false),
            ("XX001", false),
        ] {
            assert_eq!(passes(state), expected, "{state}");
        }
    }

    #[test]
    fn a_database_is_named_without_user_and_password() {
        for (url, expected) in [
            ("postgres://u:p@h/d", "h:5432/d"),
            ("postgres://u:p@h:5433/d?sslmode=disable", "h:5433/d"),
            ("postgres://u:p@h", "h:5432/"),
        ] {
            assert_eq!(place(&settings(url).unwrap().0), expected, "{url}");
        }
    }

    #[test]
    fn addresses_are_read_as_libpq_reads_them() {
        let table = [
            ("postgres://u:p@h/d", SslMode::Prefer, None),
            ("postgres://u:p@h:5433/d?sslmode=disable", SslMode::Disable, None),
            ("postgres://u@h/d?sslmode=require&channel_binding=require", SslMode::Require, None),
            ("postgresql://u@h/d?sslmode=verify-full&application_name=a%20b", SslMode::Require, None),
            (
                "postgres://u@h/d?sslmode=verify-ca&sslrootcert=/etc/ca.pem",
                SslMode::Require,
                Some("/etc/ca.pem"),
            ),
            ("postgres://u@h/d?sslrootcert=system", SslMode::Prefer, None),
        ];
        for (url, mode, roots) in table {
            let (config, found) = settings(url).unwrap();
            assert_eq!((config.get_ssl_mode(), found.as_deref()), (mode, roots.map(Path::new)), "{url}");
            assert_eq!((config.get_user(), config.get_dbname()), (Some("u"), Some("d")), "{url}");
        }
        for wrong in ["postgres://u@h/d?sslmode=maybe", "postgres://u@h/d?unknown=1", "postgres://u@h:port/d"]
        {
            assert!(settings(wrong).is_err(), "{wrong}");
        }
        assert!(tls(Some(Path::new("no-such-file.pem"))).is_err());
    }
}
