//! The layer *tls*: the certificate of a host, checked against the authorities that connections use.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::report::LayerFailure;

/// Opens TLS over a connection.
pub(super) async fn handshake(
    url: &Url,
    stream: TcpStream,
    roots: &[Vec<u8>],
) -> Result<((), String), LayerFailure> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host.clone()).map_err(LayerFailure::unknown)?;
    let connector = TlsConnector::from(Arc::new(client_config(roots)?));
    let stream = connector.connect(name, stream).await.map_err(|error| failure(&host, &error))?;
    let version = stream.get_ref().1.protocol_version().map_or("TLS", |version| match version {
        rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2",
        rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "TLS",
    });
    Ok(((), format!("{version}, the certificate is valid")))
}

fn client_config(roots: &[Vec<u8>]) -> Result<ClientConfig, LayerFailure> {
    let mut store = RootCertStore::empty();
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for pem in roots {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| LayerFailure::unknown(format!("{error:?}")))?;
            store.add(certificate).map_err(LayerFailure::unknown)?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(LayerFailure::unknown)?.with_root_certificates(store).with_no_client_auth())
}

fn failure(host: &str, error: &io::Error) -> LayerFailure {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => LayerFailure::action(
            format!("the certificate of {host} is not accepted: {why}"),
            "the operator of the server must renew or correct it; a wrong clock of this machine has the same effect",
        ),
        Some(other) => LayerFailure::action(
            format!("{host} does not open TLS: {other}"),
            "check that the port of the URL is one for https",
        ),
        None => LayerFailure::retry(format!("{host} does not open TLS: {error}"), "try again later"),
    }
}
