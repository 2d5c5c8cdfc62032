//! Grant types beside the authorization code: client credentials, enterprise-managed authorization (ID-JAG) and workload
//! identity federation.
//!
//! Programs that run without a user at a browser get tokens by them. Invariant: each sends its request to the token
//! endpoint directly, and its client belongs to the issuer of that endpoint.

mod client_credentials;
mod enterprise;
mod single_sign_on;
mod workload;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use loggia::service::BoxFuture;

use crate::authorization_code::resource_parameter;
use crate::clock::Clock;
use crate::discovery::{AuthorizationServerMetadata, DiscoveryResult};
use crate::error::AuthError;
use crate::registration::{KnownClient, Registrar};
use crate::restricted_http::RestrictedHttpClient;
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::token_endpoint::FormParams;
use crate::user_agent::UserAgent;
pub use client_credentials::ClientCredentialsGrant;
pub use enterprise::{EnterpriseGrant, IdentityProvider, SubjectTokenType};
pub use single_sign_on::SingleSignOn;
pub use workload::WorkloadGrant;

/// The JWT bearer grant (RFC 7523).
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The grant type by which a client gets tokens.
#[derive(Clone)]
pub enum GrantType {
    /// A user signs in (RFC 6749, section 4.1).
    AuthorizationCode(Arc<dyn UserAgent>),
    /// No user can sign in now: the client uses and renews the tokens that it has.
    RefreshOnly,
    /// The program acts for itself (`io.modelcontextprotocol/oauth-client-credentials`).
    ClientCredentials(ClientCredentialsGrant),
    /// The organisation's identity provider vouches for the user
    /// (`io.modelcontextprotocol/enterprise-managed-authorization`).
    Enterprise(EnterpriseGrant),
    /// The platform vouches for the program (workload identity federation).
    Workload(WorkloadGrant),
}

impl fmt::Debug for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GrantType::AuthorizationCode(_) => "AuthorizationCode",
            GrantType::RefreshOnly => "RefreshOnly",
            GrantType::ClientCredentials(_) => "ClientCredentials",
            GrantType::Enterprise(_) => "Enterprise",
            GrantType::Workload(_) => "Workload",
        })
    }
}

/// A source of signed assertions about a user or a program, from an issuer that the authorization server trusts.
pub trait AssertionSource: Send + Sync + 'static {
    /// Returns an assertion that is valid now. `audience` is the issuer that will receive it.
    fn assertion<'a>(&'a self, audience: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>>;

    /// Marks an assertion as refused, so that it is not sent again.
    fn refused<'a>(&'a self, assertion: &'a Secret) -> BoxFuture<'a, ()> {
        let _ = assertion;
        Box::pin(std::future::ready(()))
    }
}

/// An assertion that does not change.
#[derive(Debug, Clone)]
pub struct FixedAssertion(pub Secret);

impl AssertionSource for FixedAssertion {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Secret, AuthError>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// An assertion in a file that the platform renews. The file is read for each request.
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

impl GrantType {
    /// Prepares the request to the token endpoint. Returns `None` if only a user can get a token.
    pub(crate) async fn prepare(
        &self,
        context: &GrantContext<'_>,
        registrar: &Registrar<'_>,
    ) -> Result<Option<GrantRequest>, AuthError> {
        let client = match self {
            GrantType::AuthorizationCode(_) | GrantType::RefreshOnly => return Ok(None),
            GrantType::ClientCredentials(grant) => &grant.client,
            GrantType::Enterprise(grant) => &grant.client,
            GrantType::Workload(grant) => &grant.client,
        };
        registrar.check_issuer(client, &context.discovered.server.issuer).await?;
        match self {
            GrantType::AuthorizationCode(_) | GrantType::RefreshOnly => Ok(None),
            GrantType::ClientCredentials(grant) => grant.prepare(context).map(Some),
            GrantType::Enterprise(grant) => grant.prepare(context).await.map(Some),
            GrantType::Workload(grant) => grant.prepare(context).await.map(Some),
        }
    }
}

/// The context of a token request.
pub(crate) struct GrantContext<'a> {
    pub(crate) http: &'a RestrictedHttpClient,
    pub(crate) clock: &'a Clock,
    pub(crate) discovered: &'a DiscoveryResult,
    pub(crate) resource: &'a str,
    pub(crate) scopes: &'a Scopes,
}

/// A token request of one grant type, without the client authentication.
pub(crate) struct GrantRequest {
    pub(crate) client: KnownClient,
    grant_type: &'static str,
    assertion: Option<Secret>,
    scope: String,
}

impl GrantRequest {
    /// Returns the form parameters.
    pub(crate) fn form<'a>(
        &'a self,
        server: &AuthorizationServerMetadata,
        resource: &'a str,
    ) -> FormParams<'a> {
        let mut form = vec![("grant_type", self.grant_type)];
        form.extend(self.assertion.as_ref().map(|assertion| ("assertion", assertion.expose())));
        form.extend(resource_parameter(server.is_2025_03_26, resource));
        form.extend((!self.scope.is_empty()).then_some(("scope", self.scope.as_str())));
        form
    }
}
