//! The metadata of an authorization server: RFC 8414 and OpenID Connect Discovery 1.0.

use serde::Deserialize;
use url::Url;

use super::{document, well_known};
use crate::client::AuthError;
use crate::guard::RestrictedHttpClient;

const OAUTH: &str = "oauth-authorization-server";
const OPENID: &str = "openid-configuration";

/// How an authorization server is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By its metadata.
    Described,
    /// By nothing: a server of 2025-03-26 with the default endpoints.
    Default,
}

/// An authorization server: endpoints that were looked at, and what it can do.
#[derive(Debug, Clone)]
pub struct AuthorizationServer {
    /// Its name, byte for byte.
    pub issuer: String,
    /// Whether it described itself.
    pub kind: Kind,
    /// Whether it was found where servers of 2025-03-26 have it: at the server's own root.
    pub of_march: bool,
    /// Where people sign in.
    pub authorization_endpoint: Option<Url>,
    /// Where tokens are had.
    pub token_endpoint: Url,
    /// Where clients register.
    pub registration_endpoint: Option<Url>,
    /// Where requests for sign-in are pushed (RFC 9126), if they have to be.
    pub pushed_request_endpoint: Option<Url>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// What else it says.
    pub features: Features,
}

/// What an authorization server can do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Features {
    /// The scopes it knows.
    pub scopes_supported: Vec<String>,
    /// The grants it knows.
    pub grant_types_supported: Option<Vec<String>>,
    /// How clients prove who they are at the token endpoint.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// By which algorithms.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// The kinds of PKCE.
    pub code_challenge_methods_supported: Vec<String>,
    /// Whether its answers name it (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a client may be named by the URL of its description.
    pub client_id_metadata_document_supported: bool,
    /// The algorithms of proofs of possession (RFC 9449).
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether requests for sign-in have to be pushed.
    pub require_pushed_authorization_requests: bool,
}

/// The document as it is written.
#[derive(Debug, Deserialize)]
struct Document {
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
    features: Features,
}

/// Fetches the metadata of an issuer, from the places and in the order that the specification says. The issuer that the
/// metadata names has to be identical (RFC 8414, section 3.3), or `accepted` where only a slash at the end differs.
pub(super) async fn find(
    guard: &RestrictedHttpClient,
    issuer: &str,
    accepted: Option<&str>,
) -> Result<AuthorizationServer, AuthError> {
    let url = Url::parse(issuer).map_err(|_| {
        AuthError::Discovery(format!("the authorization server '{issuer}' is not named by a URL"))
    })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(AuthError::Discovery(format!("the issuer '{issuer}' has a query or fragment")));
    }
    guard.policy().check(&url)?;
    let mut failure = None;
    for place in places(&url) {
        match document::<Document>(guard, &place).await {
            Ok(None) => {}
            Ok(Some(document)) => {
                let named = &document.issuer;
                let is_accepted = accepted == Some(named.as_str()) && differ_by_slash(named, issuer);
                if named == issuer || is_accepted {
                    return document.checked(guard, false);
                }
                failure = Some(AuthError::Discovery(mismatch(&place, named, issuer)));
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| {
        AuthError::Discovery(format!("the authorization server {issuer} publishes no metadata"))
    }))
}

/// Returns whether two issuers are the same but for one slash at the end.
pub(super) fn differ_by_slash(one: &str, other: &str) -> bool {
    one.strip_suffix('/') == Some(other) || other.strip_suffix('/') == Some(one)
}

fn mismatch(place: &Url, named: &str, issuer: &str) -> String {
    if differ_by_slash(named, issuer) {
        return format!(
            "{place} says that its issuer is '{named}', and the server lists '{issuer}': only the slash at the end \
             differs, but they have to be identical (RFC 8414, section 3.3). The operator of the server, or of its \
             authorization server, has to correct one of them. To accept it for this one server, name the issuer \
             '{named}' in its settings (--issuer of `loggia auth login`, issuer of the connector, OAuthBuilder::issuer)"
        );
    }
    format!("{place} says that its issuer is '{named}', not '{issuer}': it is not used")
}

fn places(issuer: &Url) -> Vec<Url> {
    let mut places = vec![well_known(issuer, OAUTH), well_known(issuer, OPENID)];
    if !issuer.path().trim_end_matches('/').is_empty() {
        let mut appended = issuer.clone();
        appended.set_path(&format!("{}/.well-known/{OPENID}", issuer.path().trim_end_matches('/')));
        places.push(appended);
    }
    places
}

/// The authorization server of a server of 2025-03-26: at its root, with metadata or with the default
/// endpoints.
pub(super) async fn of_march(
    guard: &RestrictedHttpClient,
    server: &Url,
) -> Result<AuthorizationServer, AuthError> {
    let origin = server.origin().ascii_serialization();
    let base = Url::parse(&origin)
        .map_err(|_| AuthError::Configuration(format!("{server} is not a URL that could be signed in to")))?;
    let place = well_known(&base, OAUTH);
    match document::<Document>(guard, &place).await? {
        Some(document) if document.issuer.trim_end_matches('/') == origin => document.checked(guard, true),
        Some(document) => Err(AuthError::Discovery(format!(
            "{place} says that its issuer is '{}', not '{origin}': it is not used",
            document.issuer
        ))),
        None => {
            let at = |path: &str| base.join(path).expect("a path can be joined to an origin");
            Ok(AuthorizationServer {
                issuer: origin.clone(),
                kind: Kind::Default,
                of_march: true,
                authorization_endpoint: Some(at("/authorize")),
                token_endpoint: at("/token"),
                registration_endpoint: Some(at("/register")),
                pushed_request_endpoint: None,
                revocation_endpoint: None,
                features: Features::default(),
            })
        }
    }
}

impl Document {
    fn checked(self, guard: &RestrictedHttpClient, of_march: bool) -> Result<AuthorizationServer, AuthError> {
        let issuer = &self.issuer;
        let endpoint = |name: &str, text: &Option<String>| match text {
            None => Ok::<_, AuthError>(None),
            Some(text) => {
                let wrong =
                    |why: String| AuthError::Discovery(format!("the {name} of {issuer} is wrong: {why}"));
                let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
                guard.policy().check(&url).map_err(|error| wrong(error.to_string()))?;
                Ok(Some(url))
            }
        };
        let token_endpoint = endpoint("token_endpoint", &self.token_endpoint)?
            .ok_or_else(|| AuthError::Discovery(format!("{issuer} has no token_endpoint")))?;
        Ok(AuthorizationServer {
            kind: Kind::Described,
            of_march,
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

impl AuthorizationServer {
    /// Where people sign in, if the server keeps codes safe by PKCE. One that does not is refused.
    pub fn sign_in_endpoint(&self) -> Result<&Url, AuthError> {
        let endpoint = self.authorization_endpoint.as_ref();
        let endpoint = endpoint.ok_or_else(|| {
            AuthError::Discovery(format!(
                "{} has no authorization_endpoint: nobody can sign in there",
                self.issuer
            ))
        })?;
        let methods = &self.features.code_challenge_methods_supported;
        // 2025-03-26 wants PKCE of everyone, and of nobody that they say so.
        let unsaid = self.of_march && methods.is_empty();
        if !unsaid && !methods.iter().any(|method| method == "S256") {
            return Err(AuthError::Discovery(format!(
                "{} does not say that it supports PKCE with S256 (code_challenge_methods_supported), so signing in \
                 would not be safe; whoever runs it has to enable it",
                self.issuer
            )));
        }
        Ok(endpoint)
    }

    /// Whether clients may prove who they are in a way. A server that does not say takes HTTP Basic
    /// (RFC 8414, section 2).
    pub fn takes(&self, method: &str) -> bool {
        match &self.features.token_endpoint_auth_methods_supported {
            Some(methods) => methods.iter().any(|known| known == method),
            None => method == "client_secret_basic",
        }
    }

    /// Whether it signs proofs' tokens by ES256, which is what we prove with.
    pub fn binds_tokens(&self) -> bool {
        self.features.dpop_signing_alg_values_supported.iter().any(|name| name == "ES256")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_in_three_places() {
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
                places(&Url::parse(issuer).unwrap()).into_iter().map(String::from).collect();
            assert_eq!(found, *expected);
        }
    }
}
