//! Enterprise-managed authorization (`io.modelcontextprotocol/enterprise-managed-authorization`).
//!
//! The organisation's identity provider, where the user is signed in, decides which servers the user may use. It
//! exchanges the user's ID token (RFC 8693) for an assertion (an ID-JAG), which the authorization server of the MCP
//! server accepts as a grant. Invariant: an ID-JAG is for one authorization server.

use std::fmt;
use std::sync::Arc;

use url::Url;

use super::assertion::AssertionSource;
use super::grant_request::{GrantContext, GrantRequest, JWT_BEARER};
use crate::discovery;
use crate::error::AuthError;
use crate::registration::{KnownClient, RegisteredClient};
use crate::secret::Secret;
use crate::token_endpoint::{EndpointClient, FormParams};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// The type of the subject token (RFC 8693, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectTokenType {
    /// An ID token of OpenID Connect.
    #[default]
    IdToken,
    /// A SAML 2.0 assertion.
    Saml2,
}

impl SubjectTokenType {
    fn as_str(self) -> &'static str {
        match self {
            SubjectTokenType::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            SubjectTokenType::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
        }
    }
}

/// The organisation's identity provider.
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    /// The issuer.
    pub issuer: String,
    /// The token endpoint. `None` means the one in the issuer's metadata.
    pub token_endpoint: Option<Url>,
    /// The client of the issuer with which the user signed in.
    pub client: RegisteredClient,
}

/// The grant with an ID-JAG of an identity provider.
#[derive(Clone)]
pub struct EnterpriseGrant {
    /// The identity provider.
    pub provider: IdentityProvider,
    /// The subject tokens: assertions about the user, such as a [`SingleSignOn`](super::SingleSignOn).
    pub subject: Arc<dyn AssertionSource>,
    /// The type of the subject tokens.
    pub subject_type: SubjectTokenType,
    /// The client of the server's own authorization server.
    pub client: RegisteredClient,
}

impl fmt::Debug for EnterpriseGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EnterpriseGrant { provider, subject_type, client, .. } = self;
        let mut shown = f.debug_struct("Enterprise");
        shown.field("provider", provider).field("subject_type", subject_type).field("client", client);
        shown.finish_non_exhaustive()
    }
}

impl EnterpriseGrant {
    pub(crate) async fn prepare(&self, context: &GrantContext<'_>) -> Result<GrantRequest, AuthError> {
        Ok(GrantRequest {
            client: self.client.to_client_of(&context.discovered.server),
            grant_type: JWT_BEARER,
            assertion: Some(self.exchange(context).await?),
            // The ID-JAG contains the scopes that the organisation allows.
            scope: String::new(),
        })
    }

    /// Exchanges the subject token for an ID-JAG.
    async fn exchange(&self, context: &GrantContext<'_>) -> Result<Secret, AuthError> {
        let audience = &context.discovered.server.issuer;
        let subject = self.subject.assertion(&self.provider.issuer).await?;
        let (url, client) = self.provider_endpoint(context).await?;
        let endpoint = EndpointClient {
            http: context.http,
            url: &url,
            issuer: &self.provider.issuer,
            client: &client,
            signer: None,
            clock: context.clock,
        };
        let scope = context.scopes.to_string();
        let mut form: FormParams<'_> = vec![
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", ID_JAG),
            ("audience", audience),
            ("resource", context.resource),
            ("subject_token", subject.expose()),
            ("subject_token_type", self.subject_type.as_str()),
        ];
        form.extend((!scope.is_empty()).then_some(("scope", scope.as_str())));
        let tokens = match endpoint.tokens(form).await {
            Err(AuthError::Refused { error, description }) if error == "invalid_grant" => {
                self.subject.refused(&subject).await;
                return Err(self.sign_in_again(description));
            }
            other => other?,
        };
        match tokens.issued_token_type.as_deref() {
            Some(ID_JAG) => Ok(tokens.access_token),
            other => Err(AuthError::Discovery(format!(
                "the identity provider {} was asked for an ID-JAG and gives {}",
                self.provider.issuer,
                other.unwrap_or("a token without a type")
            ))),
        }
    }

    async fn provider_endpoint(&self, context: &GrantContext<'_>) -> Result<(Url, KnownClient), AuthError> {
        let provider = &self.provider;
        if let Some(endpoint) = &provider.token_endpoint {
            return Ok((endpoint.clone(), provider.client.to_client()));
        }
        let server = discovery::discover_issuer(context.http, &provider.issuer).await?;
        Ok((server.token_endpoint.clone(), provider.client.to_client_of(&server)))
    }

    fn sign_in_again(&self, description: Option<String>) -> AuthError {
        let said = description.map(|said| format!(" ({said})")).unwrap_or_default();
        AuthError::SignInAgain(format!(
            "the identity provider {} does not accept the sign-in any more{said}",
            self.provider.issuer
        ))
    }
}
