//! The token request of a grant type, and its context.

use crate::authorization_code::resource_parameter;
use crate::clock::Clock;
use crate::discovery::{AuthorizationServerMetadata, DiscoveryResult};
use crate::registration::KnownClient;
use crate::restricted_http::RestrictedHttpClient;
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::token_endpoint::FormParams;

/// The JWT bearer grant (RFC 7523).
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

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
    pub(super) grant_type: &'static str,
    pub(super) assertion: Option<Secret>,
    pub(super) scope: String,
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
