//! Connections to the database, with bounds that the server keeps.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::config::{Config, Host};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::{Postgres, PostgresError, PostgresOpenError, PostgresOptions};

/// A connection for one call. Dropping it closes it, and the server rolls back.
pub(super) struct CallConnection {
    pub(super) client: Client,
    task: JoinHandle<()>,
}

impl Drop for CallConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Postgres {
    /// Opens a connection for one call.
    pub(super) async fn connect(&self) -> Result<CallConnection, PostgresError> {
        let connecting = self.config.connect(self.tls.clone());
        let late = || PostgresError::Connection("it did not answer in time".to_owned());
        let connected = tokio::time::timeout(self.limits().wait, connecting).await.map_err(|_| late())?;
        let (client, connection) = connected.map_err(|error| match error.as_db_error() {
            Some(told) => PostgresError::Connection(told.message().to_owned()),
            None => PostgresError::from(error),
        })?;
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(CallConnection { client, task })
    }
}

/// Reads a URL: the settings of a connection, host and name for people, and the certificates that are trusted.
pub(super) fn settings(
    url: &str,
    options: &PostgresOptions,
) -> Result<(Config, String, MakeRustlsConnect), PostgresOpenError> {
    let wrong = || {
        PostgresOpenError(
            "the URL of the database cannot be read; write postgres://user:password@host/name".to_owned(),
        )
    };
    let mut plain = Url::parse(url.trim()).map_err(|_| wrong())?;
    if !matches!(plain.scheme(), "postgres" | "postgresql") {
        return Err(wrong());
    }
    let mut certificates = None;
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in plain.query_pairs() {
        match (&*name, &*value) {
            ("sslrootcert", "system") => {}
            ("sslrootcert", file) => certificates = Some(file.to_owned()),
            // The certificate is always checked.
            ("sslmode", "verify-ca" | "verify-full") => drop(kept.append_pair("sslmode", "require")),
            (name, value) => drop(kept.append_pair(name, value)),
        }
    }
    let kept = kept.finish();
    plain.set_query((!kept.is_empty()).then_some(&*kept));
    let mut config: Config = plain.as_str().parse().map_err(|_| wrong())?;
    let limits = &options.limits;
    let (time, wait) = (limits.time.as_millis().max(1), limits.wait.as_millis().max(1));
    let read_only = if options.writable { "off" } else { "on" };
    let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
    config.options(format!(
        "{given}-c statement_timeout={time} -c lock_timeout={wait} -c idle_in_transaction_session_timeout={time} \
         -c default_transaction_read_only={read_only} -c DateStyle=ISO -c IntervalStyle=iso_8601 -c extra_float_digits=1"
    ));
    config.connect_timeout(limits.wait);
    if config.get_application_name().is_none() {
        config.application_name("loggia");
    }
    let host = config.get_hosts().first().map(|host| match host {
        Host::Tcp(host) => host.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    let place = format!("{name} at {}", host.unwrap_or_default());
    Ok((config, place, MakeRustlsConnect::new(tls(certificates.as_deref())?)))
}

fn tls(file: Option<&str>) -> Result<rustls::ClientConfig, PostgresOpenError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = file {
        let unreadable = |why: String| PostgresOpenError(format!("the certificates in {file}: {why}"));
        roots = RootCertStore::empty();
        for certificate in
            CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))?
        {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| PostgresOpenError(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_without_being_repeated() {
        for (url, expected) in [
            (
                "postgres://u:s3cret@db.example.com:5433/shop?sslmode=verify-full",
                Ok("shop at db.example.com"),
            ),
            ("postgresql://u@h/d?sslmode=disable&application_name=x", Ok("d at h")),
            ("mysql://u:s3cret@h/d", Err(())),
            ("s3cret", Err(())),
            ("postgres://u:s3cret@h/d?unknown=1", Err(())),
            ("postgres://u:s3cret@h/d?sslrootcert=/none.pem", Err(())),
        ] {
            let found = settings(url, &PostgresOptions::default()).map(|(_, place, _)| place);
            assert_eq!(found.as_deref().map_err(drop), expected, "{url}");
            let error = found.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
