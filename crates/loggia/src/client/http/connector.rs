//! Opens the connections of the HTTP client, with TLS if the feature is on.

#[cfg(feature = "tls")]
use std::sync::Arc;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

use super::HttpOptions;
use crate::error::{Error, Result};

#[cfg(not(feature = "tls"))]
pub(super) use self::TcpConnectorStream as ConnectorStream;
#[cfg(not(feature = "tls"))]
pub(super) use self::TcpStreamConnector as StreamConnector;
#[cfg(feature = "tls")]
pub(super) use self::TlsConnectorStream as ConnectorStream;
#[cfg(feature = "tls")]
pub(super) use self::TlsStreamConnector as StreamConnector;

#[cfg(feature = "tls")]
pub(super) type TlsStreamConnector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "tls"))]
pub(super) type TcpStreamConnector = HttpConnector;
#[cfg(feature = "tls")]
pub(super) type TlsConnectorStream = hyper_rustls::MaybeHttpsStream<TokioIo<TcpStream>>;
#[cfg(not(feature = "tls"))]
pub(super) type TcpConnectorStream = TokioIo<TcpStream>;

#[cfg(feature = "tls")]
pub(super) fn secure(tcp: HttpConnector, _: &Url, options: &HttpOptions) -> Result<StreamConnector> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    let wrong = |what: String| Error::Configuration(format!("the root certificates cannot be used: {what}"));
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for pem in &options.roots {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| wrong(format!("{error:?}")))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(tcp))
}

#[cfg(not(feature = "tls"))]
pub(super) fn secure(tcp: HttpConnector, url: &Url, _: &HttpOptions) -> Result<StreamConnector> {
    match url.scheme() {
        "http" => Ok(tcp),
        _ => Err(Error::Configuration(format!(
            "to connect to {url} enable the feature `tls` of the crate `loggia`"
        ))),
    }
}

/// Returns an error with all its sources: hyper's own text is only "error trying to connect".
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
