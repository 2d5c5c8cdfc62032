//! Client metadata (RFC 7591, section 2), from a registration or from a Client ID Metadata Document: checks it and
//! creates a client.
//!
//! Neither source is trusted, so both pass the same checks.

use loggia::wire::text::is_unsafe;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::clients::{ClientCredential, ClientOrigin, OAuthClient};
use super::redirect_uri;
use crate::jose::{JwkSet, random, sha256};
use crate::secret::Secret;

/// The maximum number of redirect URIs of one client.
const MAX_REDIRECT_URIS: usize = 20;
/// The maximum length of the name of a client, in characters.
const MAX_NAME: usize = 120;

/// Client metadata as a client sends it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ClientMetadata<'a> {
    pub(super) client_id: Option<String>,
    pub(super) client_name: Option<String>,
    redirect_uris: Option<Vec<String>>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    pub(super) token_endpoint_auth_method: Option<String>,
    dpop_bound_access_tokens: bool,
    #[serde(borrow)]
    jwks: Option<&'a RawValue>,
    jwks_uri: Option<Url>,
    client_secret: Option<serde::de::IgnoredAny>,
    client_secret_expires_at: Option<serde::de::IgnoredAny>,
}

/// A client that is unknown, or whose metadata is refused: an OAuth error code, and the reason for users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientRejection {
    pub(super) code: &'static str,
    pub(super) reason: String,
}

impl ClientRejection {
    pub(super) fn new(code: &'static str, reason: impl Into<String>) -> ClientRejection {
        ClientRejection { code, reason: reason.into() }
    }

    fn metadata(reason: &str) -> ClientRejection {
        ClientRejection::new("invalid_client_metadata", reason)
    }
}

impl ClientMetadata<'_> {
    /// Checks the metadata and returns the client, with a new secret if its method needs one. `default_method` is its
    /// authentication method if the metadata names none.
    pub(super) fn into_client(
        self,
        id: String,
        default_method: &str,
        origin: ClientOrigin,
    ) -> Result<(OAuthClient, Option<Secret>), ClientRejection> {
        let redirect_uris = self.redirect_uris.unwrap_or_default();
        let grant_types = self.grant_types.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
        check_redirect_uris(&redirect_uris, &grant_types)?;
        let has_code = |types: &Vec<String>| types.is_empty() || types.iter().any(|kind| kind == "code");
        if !self.response_types.as_ref().is_none_or(has_code) {
            return Err(ClientRejection::metadata("The only response_type is code"));
        }
        let method = self.token_endpoint_auth_method.as_deref().unwrap_or(default_method);
        let (credential, secret) = credential(method, self.jwks, self.jwks_uri)?;
        let client = OAuthClient {
            id,
            name: display_name(&self.client_name.unwrap_or_default()),
            redirect_uris,
            credential,
            grant_types,
            requires_dpop: self.dpop_bound_access_tokens,
            origin,
        };
        Ok((client, secret))
    }

    pub(super) fn has_secret(&self) -> bool {
        self.client_secret.is_some() || self.client_secret_expires_at.is_some()
    }
}

fn check_redirect_uris(redirect_uris: &[String], grant_types: &[String]) -> Result<(), ClientRejection> {
    let invalid = |reason: String| Err(ClientRejection::new("invalid_redirect_uri", reason));
    if redirect_uris.is_empty() && grant_types.iter().any(|grant| grant == "authorization_code") {
        return invalid("There must be a redirect_uri".to_owned());
    }
    if redirect_uris.len() > MAX_REDIRECT_URIS {
        return invalid(format!("There may be {MAX_REDIRECT_URIS} redirect_uris at most"));
    }
    for uri in redirect_uris {
        if let Err(why) = redirect_uri::check(uri) {
            let uri: String = uri.chars().filter(|c| c.is_ascii_graphic()).take(100).collect();
            return invalid(format!("The redirect_uri '{uri}' cannot be used: {why}"));
        }
    }
    Ok(())
}

fn credential(
    method: &str,
    jwks: Option<&RawValue>,
    jwks_uri: Option<Url>,
) -> Result<(ClientCredential, Option<Secret>), ClientRejection> {
    match method {
        "none" => Ok((ClientCredential::Public, None)),
        "client_secret_basic" | "client_secret_post" => {
            let secret = Secret::new(random(32));
            Ok((ClientCredential::SecretDigest(sha256(secret.expose())), Some(secret)))
        }
        "private_key_jwt" => Ok((keys(jwks, jwks_uri)?, None)),
        _ => Err(ClientRejection::metadata("The token_endpoint_auth_method is not one that is supported")),
    }
}

fn keys(jwks: Option<&RawValue>, url: Option<Url>) -> Result<ClientCredential, ClientRejection> {
    let inline = jwks.map(|raw| raw.get().to_owned());
    let has_key = |text: &String| JwkSet::parse(text.as_bytes()).is_ok_and(|set| !set.keys.is_empty());
    match (&inline, &url) {
        (None, Some(_)) => {}
        (Some(text), None) if has_key(text) => {}
        _ => {
            let reason = "private_key_jwt needs either jwks with a key for signatures, or jwks_uri";
            return Err(ClientRejection::metadata(reason));
        }
    }
    Ok(ClientCredential::Keys { inline, url })
}

/// Returns a client's name without characters that could deceive a reader.
fn display_name(name: &str) -> String {
    let name: String = name.chars().filter(|c| !is_unsafe(*c)).take(MAX_NAME).collect();
    match name.trim() {
        "" => "A program without a name".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_checked() {
        let uri = r#""redirect_uris":["https://a.example/cb"]"#;
        let table = [
            (format!("{{{uri}}}"), Ok(("A program without a name", true))),
            (format!(r#"{{{uri},"client_name":" A\u202eb "}}"#), Ok(("Ab", true))),
            (
                format!(r#"{{{uri},"token_endpoint_auth_method":"none"}}"#),
                Ok(("A program without a name", false)),
            ),
            (format!(r#"{{{uri},"token_endpoint_auth_method":"tls"}}"#), Err("invalid_client_metadata")),
            (
                format!(r#"{{{uri},"token_endpoint_auth_method":"private_key_jwt"}}"#),
                Err("invalid_client_metadata"),
            ),
            (format!(r#"{{{uri},"response_types":["token"]}}"#), Err("invalid_client_metadata")),
            ("{}".to_owned(), Err("invalid_redirect_uri")),
            (r#"{"redirect_uris":["javascript:alert(1)"]}"#.to_owned(), Err("invalid_redirect_uri")),
            (r#"{"grant_types":["refresh_token"]}"#.to_owned(), Ok(("A program without a name", true))),
        ];
        for (text, expected) in table {
            let metadata: ClientMetadata<'_> = serde_json::from_str(&text).unwrap();
            let made =
                metadata.into_client("id".to_owned(), "client_secret_basic", ClientOrigin::Registration);
            let made = made.map(|(client, secret)| (client.name, secret.is_some()));
            let expected = expected.map(|(name, has_secret)| (name.to_owned(), has_secret));
            assert_eq!(made.map_err(|rejection| rejection.code), expected, "{text}");
        }
    }
}
