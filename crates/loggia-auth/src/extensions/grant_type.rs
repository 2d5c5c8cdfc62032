//! The choice of the grant type.

use std::fmt;
use std::sync::Arc;

use super::client_credentials::ClientCredentialsGrant;
use super::enterprise::EnterpriseGrant;
use super::grant_request::{GrantContext, GrantRequest};
use super::workload::WorkloadGrant;
use crate::error::AuthError;
use crate::registration::Registrar;
use crate::user_agent::UserAgent;

/// The grant type with which a client gets tokens.
#[derive(Clone)]
pub enum GrantType {
    /// A user signs in (RFC 6749, section 4.1).
    AuthorizationCode(Arc<dyn UserAgent>),
    /// No user can sign in now: the client uses and renews the tokens that it has.
    RefreshOnly,
    /// The program acts for itself (`io.modelcontextprotocol/oauth-client-credentials`).
    ClientCredentials(ClientCredentialsGrant),
    /// The organisation's identity provider issues an assertion about the user
    /// (`io.modelcontextprotocol/enterprise-managed-authorization`).
    Enterprise(EnterpriseGrant),
    /// The platform issues an assertion about the program (workload identity federation).
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
