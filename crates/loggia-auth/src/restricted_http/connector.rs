//! Connections to checked addresses.
//!
//! A name could resolve to another address between a check and the connection (DNS rebinding). Invariant: the resolver
//! returns only addresses that the policy permits, and the connection goes to one of them.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tower_service::Service;

use super::error::FetchError;
use super::policy::{FetchPolicy, is_localhost};
use super::resolver::Resolver;

pub(super) type RestrictedConnector = hyper_rustls::HttpsConnector<HttpConnector<CheckedResolver>>;

/// The error for a name without a permitted address.
#[derive(Debug)]
pub(super) struct AddressError;

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its name leads to an address that is not a public one")
    }
}

impl std::error::Error for AddressError {}

pub(super) fn client(
    policy: &Arc<FetchPolicy>,
    resolver: Arc<dyn Resolver>,
) -> Result<Client<RestrictedConnector, Full<Bytes>>, FetchError> {
    let mut tcp = HttpConnector::new_with_resolver(CheckedResolver { policy: policy.clone(), resolver });
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(policy.timeout));
    tcp.enforce_http(false);
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls(policy)?)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(2)
        .build(connector))
}

fn tls(policy: &FetchPolicy) -> Result<rustls::ClientConfig, FetchError> {
    let wrong =
        |what: String| FetchError::Configuration(format!("the root certificates cannot be used: {what}"));
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in policy.roots.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem)) {
        let certificate = certificate.map_err(|error| wrong(format!("{error:?}")))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tls)
}

/// A resolver that returns only addresses that the policy permits. [`FetchPolicy::check`] covers literal addresses in
/// URLs, which are not resolved.
#[derive(Clone)]
pub(super) struct CheckedResolver {
    policy: Arc<FetchPolicy>,
    resolver: Arc<dyn Resolver>,
}

impl CheckedResolver {
    async fn permitted(self, name: Name) -> io::Result<std::vec::IntoIter<SocketAddr>> {
        let host = name.as_str();
        // `http` is allowed only for these names, so they must not resolve to other machines.
        let local = is_localhost(host);
        let trusted = self.policy.trusts_host(host);
        let found = self.resolver.resolve(host).await?;
        let permitted: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| trusted || self.policy.permits(*address))
            .filter(|address| !local || address.to_canonical().is_loopback())
            .map(|address| SocketAddr::new(address, 0))
            .collect();
        if permitted.is_empty() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, AddressError));
        }
        Ok(permitted.into_iter())
    }
}

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().permitted(name))
    }
}
