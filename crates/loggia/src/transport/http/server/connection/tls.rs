//! `https`, where the feature is on.

#[cfg(not(feature = "tls"))]
pub(in crate::transport::http::server) use off::NoAcceptor as Acceptor;
#[cfg(feature = "tls")]
pub(in crate::transport::http::server) use on::RustlsAcceptor as Acceptor;

#[cfg(feature = "tls")]
mod on {
    use std::io;
    use std::sync::Arc;

    use rustls::ServerConfig;
    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::server::TlsStream;

    use crate::error::{Error, Result};

    /// Opens TLS connections.
    #[derive(Clone)]
    pub(in crate::transport::http::server) struct RustlsAcceptor(TlsAcceptor);

    impl RustlsAcceptor {
        /// Both arguments are PEM.
        pub(in crate::transport::http::server) fn new(
            certificates: &[u8],
            key: &[u8],
        ) -> Result<RustlsAcceptor> {
            let wrong = |what: &str, error: &dyn std::fmt::Display| {
                Error::Configuration(format!("{what} cannot be used for TLS: {error}"))
            };
            let chain = CertificateDer::pem_slice_iter(certificates)
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|error| wrong("the certificate", &error))?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong("the private key", &error))?;
            let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
                .with_safe_default_protocol_versions()
                .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
                .map_err(|error| wrong("the certificate and its key", &error))?;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok(RustlsAcceptor(TlsAcceptor::from(Arc::new(config))))
        }

        pub(in crate::transport::http::server) async fn accept(
            &self,
            stream: TcpStream,
        ) -> io::Result<TlsStream<TcpStream>> {
            self.0.accept(stream).await
        }
    }
}

#[cfg(not(feature = "tls"))]
mod off {
    use std::io;

    use tokio::net::TcpStream;

    /// Nothing can make one.
    #[derive(Clone)]
    pub(in crate::transport::http::server) enum NoAcceptor {}

    impl NoAcceptor {
        pub(in crate::transport::http::server) async fn accept(&self, _: TcpStream) -> io::Result<TcpStream> {
            match *self {}
        }
    }
}
