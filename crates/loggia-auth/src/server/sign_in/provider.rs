//! The identity provider at which users sign in, and the client of this server there.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::remote_issuer::RemoteIssuer;
use crate::restricted_http::RestrictedHttpClient;
use crate::secret::Secret;

/// Returns the subject of a user from the claims of the ID token; `None` for a user who has no access.
pub type AdmitFn = Arc<dyn Fn(&Value) -> Option<String> + Send + Sync>;

/// An identity provider at which users sign in, with OpenID Connect. The redirect URI to register there is the issuer
/// of the authorization server, followed by `/oauth/callback`.
pub struct OpenIdProvider {
    pub(super) provider: RemoteIssuer,
    pub(super) client_id: String,
    pub(super) client_secret: Option<Secret>,
    pub(super) scopes: String,
    pub(super) admit: AdmitFn,
    pub(super) http: RestrictedHttpClient,
}

impl fmt::Debug for OpenIdProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenIdProvider").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl OpenIdProvider {
    /// Creates the provider with this issuer identifier. By default all of its users have access, and keep their
    /// subject (`sub`).
    pub fn new(
        issuer: &str,
        client_id: impl Into<String>,
        client_secret: Option<Secret>,
        http: RestrictedHttpClient,
    ) -> Result<OpenIdProvider, url::ParseError> {
        Ok(OpenIdProvider {
            provider: RemoteIssuer::new(issuer, http.clone())?,
            client_id: client_id.into(),
            client_secret,
            scopes: "openid profile email".to_owned(),
            admit: Arc::new(|claims| claims.get("sub")?.as_str().map(str::to_owned)),
            http,
        })
    }

    /// Sets the function that decides which users have access, and under which subject.
    pub fn admit(mut self, admit: AdmitFn) -> OpenIdProvider {
        self.admit = admit;
        self
    }

    /// Sets the scopes to request; the default is `openid profile email`.
    pub fn scopes(mut self, scopes: impl Into<String>) -> OpenIdProvider {
        self.scopes = scopes.into();
        self
    }
}
