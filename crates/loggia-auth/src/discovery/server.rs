//! The metadata of an authorization server: RFC 8414 and OpenID Connect Discovery 1.0.

use loggia::wire::text::redact_url;
use serde::Deserialize;
use url::Url;

use super::document::{document, well_known};
use crate::error::AuthError;
use crate::restricted_http::RestrictedHttpClient;

const OAUTH: &str = "oauth-authorization-server";
const OPENID: &str = "openid-configuration";

/// The origin of an authorization server's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataOrigin {
    /// The server publishes it.
    Published,
    /// A server of 2025-03-26 publishes none and has the default endpoints.
    Default,
    /// The program has the endpoints from the documentation of the vendor.
    Configured,
}

/// The metadata of an authorization server (RFC 8414, section 2), whose endpoints were checked.
#[derive(Debug, Clone)]
pub struct AuthorizationServerMetadata {
    /// The issuer identifier, byte for byte.
    pub issuer: String,
    /// The origin of the metadata.
    pub origin: MetadataOrigin,
    /// True if it was found at the root of the protected server, as 2025-03-26 specifies.
    pub is_2025_03_26: bool,
    /// The authorization endpoint.
    pub authorization_endpoint: Option<Url>,
    /// The token endpoint.
    pub token_endpoint: Url,
    /// The registration endpoint (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// The endpoint for pushed authorization requests (RFC 9126).
    pub pushed_request_endpoint: Option<Url>,
    /// The revocation endpoint (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// The features that the server supports.
    pub features: AuthorizationServerFeatures,
}

/// The features that an authorization server's metadata lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AuthorizationServerFeatures {
    /// The supported scopes.
    pub scopes_supported: Vec<String>,
    /// The supported grant types.
    pub grant_types_supported: Option<Vec<String>>,
    /// The client authentication methods of the token endpoint.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The algorithms of client assertions.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// The PKCE methods.
    pub code_challenge_methods_supported: Vec<String>,
    /// True if authorization responses have an `iss` parameter (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
    /// True if a `client_id` may be the URL of a Client ID Metadata Document.
    pub client_id_metadata_document_supported: bool,
    /// The algorithms of DPoP proofs (RFC 9449).
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// True if authorization requests have to be pushed.
    pub require_pushed_authorization_requests: bool,
}

/// The document before its endpoints are checked.
#[derive(Debug, Deserialize)]
struct ServerMetadataDocument {
    issuer: String,
    #[serde(default)]
    authorization_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint: Option<String>,
    #[serde(default)]
    registration_endpoint: Option<String>,
    #[serde(default)]
    pushed_authorization_request_endpoint: Option<String>,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    #[serde(flatten)]
    features: AuthorizationServerFeatures,
}

/// Fetches the metadata of an issuer, from the URLs and in the order of the specification. The issuer in the metadata
/// must be identical (RFC 8414, section 3.3), or equal to `accepted` if only a trailing slash differs.
pub(super) async fn find(
    http: &RestrictedHttpClient,
    issuer: &str,
    accepted: Option<&str>,
) -> Result<AuthorizationServerMetadata, AuthError> {
    let url = Url::parse(issuer).map_err(|_| {
        AuthError::Discovery(format!("the authorization server '{issuer}' is not named by a URL"))
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(AuthError::Discovery(format!("the issuer '{issuer}' has a query or fragment")));
    }
    http.policy().check(&url)?;
    let mut failure = None;
    for url in metadata_urls(&url) {
        match document::<ServerMetadataDocument>(http, &url).await {
            Ok(None) => {}
            Ok(Some(document)) => {
                let named = &document.issuer;
                let is_accepted = accepted == Some(named.as_str()) && differ_by_slash(named, issuer);
                if named == issuer || is_accepted {
                    return document.checked(http, false);
                }
                failure = Some(AuthError::Discovery(mismatch(&url, named, issuer)));
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| {
        AuthError::Discovery(format!("the authorization server {issuer} publishes no metadata"))
    }))
}

/// Returns whether two issuers differ only by a trailing slash.
pub(super) fn differ_by_slash(one: &str, other: &str) -> bool {
    one.strip_suffix('/') == Some(other) || other.strip_suffix('/') == Some(one)
}

fn mismatch(url: &Url, named: &str, issuer: &str) -> String {
    if differ_by_slash(named, issuer) {
        return format!(
            "{url} says that its issuer is '{named}', and the server lists '{issuer}': only the slash at the end \
             differs, but they have to be identical (RFC 8414, section 3.3). The operator of the server, or of its \
             authorization server, has to correct one of them. To accept it for this one server, name the issuer \
             '{named}' in its settings (--issuer of `loggia auth login`, issuer of the connector, OAuthBuilder::issuer)"
        );
    }
    format!("{url} says that its issuer is '{named}', not '{issuer}': it is not used")
}

fn metadata_urls(issuer: &Url) -> Vec<Url> {
    let mut urls = vec![well_known(issuer, OAUTH), well_known(issuer, OPENID)];
    if !issuer.path().trim_end_matches('/').is_empty() {
        let mut appended = issuer.clone();
        appended.set_path(&format!("{}/.well-known/{OPENID}", issuer.path().trim_end_matches('/')));
        urls.push(appended);
    }
    urls
}

/// Finds the authorization server of a server of 2025-03-26: it is at the server's root, with metadata or with the
/// default endpoints.
pub(super) async fn find_2025_03_26(
    http: &RestrictedHttpClient,
    server: &Url,
) -> Result<AuthorizationServerMetadata, AuthError> {
    let origin = server.origin().ascii_serialization();
    let base = Url::parse(&origin).map_err(|_| {
        AuthError::Configuration(format!(
            "{} is not a URL of a server that has a sign-in",
            redact_url(server.as_str())
        ))
    })?;
    let url = well_known(&base, OAUTH);
    match document::<ServerMetadataDocument>(http, &url).await? {
        Some(document) if document.issuer.trim_end_matches('/') == origin => document.checked(http, true),
        Some(document) => Err(AuthError::Discovery(format!(
            "{url} says that its issuer is '{}', not '{origin}': it is not used",
            document.issuer
        ))),
        None => {
            let at = |path: &str| base.join(path).expect("a path can be joined to an origin");
            Ok(AuthorizationServerMetadata {
                issuer: origin.clone(),
                origin: MetadataOrigin::Default,
                is_2025_03_26: true,
                authorization_endpoint: Some(at("/authorize")),
                token_endpoint: at("/token"),
                registration_endpoint: Some(at("/register")),
                pushed_request_endpoint: None,
                revocation_endpoint: None,
                features: AuthorizationServerFeatures::default(),
            })
        }
    }
}

impl ServerMetadataDocument {
    fn checked(
        self,
        http: &RestrictedHttpClient,
        is_2025_03_26: bool,
    ) -> Result<AuthorizationServerMetadata, AuthError> {
        let issuer = &self.issuer;
        let endpoint = |name: &str, text: &Option<String>| match text {
            None => Ok::<_, AuthError>(None),
            Some(text) => {
                let wrong =
                    |why: String| AuthError::Discovery(format!("the {name} of {issuer} is wrong: {why}"));
                let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
                http.policy().check(&url).map_err(|error| wrong(error.to_string()))?;
                Ok(Some(url))
            }
        };
        let token_endpoint = endpoint("token_endpoint", &self.token_endpoint)?
            .ok_or_else(|| AuthError::Discovery(format!("{issuer} has no token_endpoint")))?;
        Ok(AuthorizationServerMetadata {
            origin: MetadataOrigin::Published,
            is_2025_03_26,
            authorization_endpoint: endpoint("authorization_endpoint", &self.authorization_endpoint)?,
            token_endpoint,
            registration_endpoint: endpoint("registration_endpoint", &self.registration_endpoint)?,
            pushed_request_endpoint: endpoint(
                "pushed_authorization_request_endpoint",
                &self.pushed_authorization_request_endpoint,
            )?,
            revocation_endpoint: endpoint("revocation_endpoint", &self.revocation_endpoint)?,
            issuer: self.issuer,
            features: self.features,
        })
    }
}

impl AuthorizationServerMetadata {
    /// Returns the authorization endpoint. Fails if the server does not support PKCE with S256.
    pub fn sign_in_endpoint(&self) -> Result<&Url, AuthError> {
        let endpoint = self.authorization_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| {
            AuthError::Discovery(format!(
                "{} has no authorization_endpoint, so users cannot sign in there",
                self.issuer
            ))
        })?;
        let methods = &self.features.code_challenge_methods_supported;
        // 2025-03-26 requires PKCE, but does not require the metadata to say so.
        let implied = self.is_2025_03_26 && methods.is_empty();
        if !implied && !methods.iter().any(|method| method == "S256") {
            return Err(AuthError::Discovery(format!(
                "{} does not say that it supports PKCE with S256 (code_challenge_methods_supported), so signing in \
                 would not be safe; the operator of that server has to enable it",
                self.issuer
            )));
        }
        Ok(endpoint)
    }

    /// Returns whether the server accepts a client authentication method. The default is HTTP Basic (RFC 8414, section
    /// 2).
    pub fn accepts_auth_method(&self, method: &str) -> bool {
        match &self.features.token_endpoint_auth_methods_supported {
            Some(methods) => methods.iter().any(|known| known == method),
            None => method == "client_secret_basic",
        }
    }

    /// Returns whether the server accepts DPoP proofs with ES256, the algorithm of
    /// [`DpopSigner`](crate::dpop::DpopSigner).
    pub fn supports_dpop(&self) -> bool {
        self.features.dpop_signing_alg_values_supported.iter().any(|name| name == "ES256")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_fetched_from_three_urls() {
        let table: &[(&str, &[&str])] = &[
            (
                "https://a.example",
                &[
                    "https://a.example/.well-known/oauth-authorization-server",
                    "https://a.example/.well-known/openid-configuration",
                ],
            ),
            (
                "https://a.example/t/1/",
                &[
                    "https://a.example/.well-known/oauth-authorization-server/t/1",
                    "https://a.example/.well-known/openid-configuration/t/1",
                    "https://a.example/t/1/.well-known/openid-configuration",
                ],
            ),
        ];
        for (issuer, expected) in table {
            let found: Vec<String> =
                metadata_urls(&Url::parse(issuer).unwrap()).into_iter().map(String::from).collect();
            assert_eq!(found, *expected);
        }
    }
}
