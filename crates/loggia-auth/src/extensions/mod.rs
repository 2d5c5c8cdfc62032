//! Ways to a token that need nobody at a browser: the extensions of the specification.
//!
//! Each asks the token endpoint directly, with something that proves who asks: a client of its own, what an
//! identity provider says of a person, or what a platform says of a workload.

mod client_credentials;
mod enterprise;
mod single_sign_on;
mod workload;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use loggia::service::BoxFuture;

use crate::client::token::{Form, KnownClient};
use crate::client::{AuthError, Person};
use crate::clock::Clock;
use crate::discovery::{AuthorizationServer, Discovered};
use crate::guard::RestrictedHttpClient;
use crate::registration::Registrar;
use crate::scope::Scopes;
use crate::secret::Secret;
pub use client_credentials::ClientCredentials;
pub use enterprise::{Enterprise, IdentityProvider, SubjectToken};
pub use single_sign_on::SingleSignOn;
pub use workload::Workload;

/// The JWT bearer grant (RFC 7523).
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// How tokens are come by.
#[derive(Clone)]
pub enum Grant {
    /// A person signs in.
    Person(Arc<dyn Person>),
    /// A person would have to sign in, but nobody is there now: tokens are used and renewed, not come by.
    Nobody,
    /// As a client of our own (`io.modelcontextprotocol/oauth-client-credentials`).
    ClientCredentials(ClientCredentials),
    /// By what the organisation's identity provider says of a person
    /// (`io.modelcontextprotocol/enterprise-managed-authorization`).
    Enterprise(Enterprise),
    /// By what the platform says of us (workload identity federation).
    Workload(Workload),
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Grant::Person(_) => "Person",
            Grant::Nobody => "Nobody",
            Grant::ClientCredentials(_) => "ClientCredentials",
            Grant::Enterprise(_) => "Enterprise",
            Grant::Workload(_) => "Workload",
        })
    }
}

/// Says something about a person or a program, signed by somebody whom the authorization server trusts.
pub trait AssertionSource: Send + Sync + 'static {
    /// An assertion that is fresh enough to be used now. `audience` is the issuer it will be shown to.
    fn assertion<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>>;

    /// Hears that an assertion was refused: it is not worth showing again.
    fn refused<'a>(&'a self, assertion: &'a Secret) -> BoxFuture<'a, ()> {
        let _ = assertion;
        Box::pin(std::future::ready(()))
    }
}

/// One assertion, always the same.
#[derive(Debug, Clone)]
pub struct FixedAssertion(pub Secret);

impl AssertionSource for FixedAssertion {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// An assertion in a file that the platform keeps fresh, read each time it is needed.
#[derive(Debug, Clone)]
pub struct AssertionFile(pub PathBuf);

impl AssertionSource for AssertionFile {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>> {
        let path = self.0.clone();
        Box::pin(async move {
            let wrong =
                |why: String| AuthError::Configuration(format!("no assertion in {}: {why}", path.display()));
            let read = tokio::task::spawn_blocking({
                let path = path.clone();
                move || std::fs::read_to_string(path)
            });
            let text = read.await.map_err(|error| wrong(error.to_string()))?;
            let text = Secret::new(text.map_err(|error| wrong(error.to_string()))?);
            match text.expose().trim() {
                "" => Err(wrong("it is empty".to_owned())),
                trimmed => Ok(Secret::new(trimmed)),
            }
        })
    }
}

impl Grant {
    /// The request to the token endpoint. `None`: only a person could help.
    pub(crate) async fn prepare(
        &self,
        asking: &Asking<'_>,
        registrar: &Registrar<'_>,
    ) -> Result<Option<Prepared>, AuthError> {
        let client = match self {
            Grant::Person(_) | Grant::Nobody => return Ok(None),
            Grant::ClientCredentials(grant) => &grant.client,
            Grant::Enterprise(grant) => &grant.client,
            Grant::Workload(grant) => &grant.client,
        };
        registrar.admit(client, &asking.discovered.server.issuer).await?;
        match self {
            Grant::Person(_) | Grant::Nobody => Ok(None),
            Grant::ClientCredentials(grant) => grant.prepare(asking).map(Some),
            Grant::Enterprise(grant) => grant.prepare(asking).await.map(Some),
            Grant::Workload(grant) => grant.prepare(asking).await.map(Some),
        }
    }
}

/// What a grant is asked with.
pub(crate) struct Asking<'a> {
    pub(crate) guard: &'a RestrictedHttpClient,
    pub(crate) clock: &'a Clock,
    pub(crate) discovered: &'a Discovered,
    pub(crate) resource: &'a str,
    pub(crate) scopes: &'a Scopes,
}

/// A request to the token endpoint that is ready but for what every request has.
pub(crate) struct Prepared {
    pub(crate) client: KnownClient,
    grant_type: &'static str,
    assertion: Option<Secret>,
    scope: String,
}

impl Prepared {
    /// The parameters.
    pub(crate) fn form<'a>(&'a self, server: &AuthorizationServer, resource: &'a str) -> Form<'a> {
        let mut form = vec![("grant_type", self.grant_type)];
        form.extend(self.assertion.as_ref().map(|assertion| ("assertion", assertion.expose())));
        form.extend(crate::client::flow::resource(server.of_march, resource));
        form.extend((!self.scope.is_empty()).then_some(("scope", self.scope.as_str())));
        form
    }
}
