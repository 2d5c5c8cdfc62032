//! Enterprise-managed authorization: the organisation's identity provider, where the person has signed in
//! already, decides which servers they may use. It exchanges what it said of the person (RFC 8693) for an
//! assertion that is meant for one authorization server (an ID-JAG), and that server takes it as a grant.

use std::fmt;
use std::sync::Arc;

use url::Url;

use super::{Asking, AssertionSource, JWT_BEARER, Prepared};
use crate::client::AuthError;
use crate::client::token::{Endpoint, Form};
use crate::discovery;
use crate::registration::RegisteredClient;
use crate::secret::Secret;

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// What an identity provider said of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectToken {
    /// An ID token of OpenID Connect.
    #[default]
    IdToken,
    /// A SAML 2.0 assertion.
    Saml2,
}

impl SubjectToken {
    fn as_str(self) -> &'static str {
        match self {
            SubjectToken::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            SubjectToken::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
        }
    }
}

/// The organisation's identity provider.
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    /// Its issuer.
    pub issuer: String,
    /// Its token endpoint. `None`: what its metadata says.
    pub token_endpoint: Option<Url>,
    /// The client that we are there, by which the person signed in.
    pub client: RegisteredClient,
}

/// Access by the word of an identity provider.
#[derive(Clone)]
pub struct Enterprise {
    /// The identity provider.
    pub provider: IdentityProvider,
    /// What it said of the person when they signed in, such as a [`SingleSignOn`](super::SingleSignOn).
    pub subject: Arc<dyn AssertionSource>,
    /// What kind of word that is.
    pub subject_kind: SubjectToken,
    /// The client that we are at the server's own authorization server.
    pub client: RegisteredClient,
}

impl fmt::Debug for Enterprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Enterprise { provider, subject_kind, client, .. } = self;
        let mut shown = f.debug_struct("Enterprise");
        shown.field("provider", provider).field("subject_kind", subject_kind).field("client", client);
        shown.finish_non_exhaustive()
    }
}

impl Enterprise {
    pub(crate) async fn prepare(&self, asking: &Asking<'_>) -> Result<Prepared, AuthError> {
        Ok(Prepared {
            client: self.client.known_to(&asking.discovered.server),
            grant_type: JWT_BEARER,
            assertion: Some(self.exchange(asking).await?),
            // The assertion says which scopes the organisation allows.
            scope: String::new(),
        })
    }

    /// What the identity provider says to the authorization server.
    async fn exchange(&self, asking: &Asking<'_>) -> Result<Secret, AuthError> {
        let audience = &asking.discovered.server.issuer;
        let subject = self.subject.assertion(&self.provider.issuer).await?;
        let (url, client) = self.provider_endpoint(asking).await?;
        let endpoint = Endpoint {
            guard: asking.guard,
            url: &url,
            issuer: &self.provider.issuer,
            client: &client,
            prover: None,
            clock: asking.clock,
        };
        let scope = asking.scopes.to_string();
        let mut form: Form<'_> = vec![
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", ID_JAG),
            ("audience", audience),
            ("resource", asking.resource),
            ("subject_token", subject.expose()),
            ("subject_token_type", self.subject_kind.as_str()),
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
                other.unwrap_or("something it does not name")
            ))),
        }
    }

    async fn provider_endpoint(
        &self,
        asking: &Asking<'_>,
    ) -> Result<(Url, crate::client::KnownClient), AuthError> {
        let provider = &self.provider;
        if let Some(endpoint) = &provider.token_endpoint {
            return Ok((endpoint.clone(), provider.client.known_anywhere()));
        }
        let server = discovery::issuer(asking.guard, &provider.issuer).await?;
        Ok((server.token_endpoint.clone(), provider.client.known_to(&server)))
    }

    fn sign_in_again(&self, description: Option<String>) -> AuthError {
        let said = description.map(|said| format!(" ({said})")).unwrap_or_default();
        AuthError::SignInAgain(format!(
            "the identity provider {} does not accept the sign-in any more{said}",
            self.provider.issuer
        ))
    }
}
