//! Dynamic client registration (RFC 7591).
//!
//! Invariant: a program on a user's machine registers as a public client if the server supports that.

use serde::{Deserialize, Serialize};
use url::Url;

use super::authentication::{AuthMethod, ClientAuth, KnownClient};
use super::identity::{ApplicationType, ClientIdentity};
use super::registered_client::secret_method;
use crate::discovery::AuthorizationServerMetadata;
use crate::error::{AuthError, printable};
use crate::restricted_http::{FetchRequest, FetchResponse, RestrictedHttpClient};
use crate::secret::Secret;

/// The record of a dynamic registration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RegistrationRecord {
    pub(super) issuer: String,
    client_id: String,
    method: AuthMethod,
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    secret: Option<Secret>,
    /// The expiry, in seconds since 1970; 0 for never.
    #[serde(default)]
    secret_expires_at: u64,
    pub(super) redirect_uri: String,
}

impl RegistrationRecord {
    /// Returns whether the registration is for this redirect URI, and its secret is not expired at `now`.
    pub(super) fn is_usable(&self, redirect_uri: &str, now: u64) -> bool {
        let end = self.secret_expires_at;
        self.redirect_uri == redirect_uri && (end == 0 || end > now)
    }

    /// Returns the registered client.
    pub(super) fn to_client(&self) -> KnownClient {
        let auth = self.secret.clone().map_or(ClientAuth::None, ClientAuth::Secret);
        KnownClient { client_id: self.client_id.clone(), auth, method: self.method }
    }
}

/// Registers the program at the registration endpoint of an authorization server.
pub(super) async fn register(
    http: &RestrictedHttpClient,
    identity: &ClientIdentity,
    server: &AuthorizationServerMetadata,
    endpoint: &Url,
    redirect_uri: &str,
) -> Result<RegistrationRecord, AuthError> {
    // The request contains no scope, because many servers know the scopes of their resources only when a token is
    // requested.
    let request = RegistrationRequest {
        client_name: &identity.name,
        client_uri: identity.uri.as_ref().map(Url::as_str),
        redirect_uris: [redirect_uri],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: wanted_method(server).as_str(),
        application_type: match identity.application_type {
            ApplicationType::Native => "native",
            ApplicationType::Web => "web",
        },
    };
    let body = serde_json::to_vec(&request).expect("texts and lists of texts can be written");
    let reply = http.send(FetchRequest::json(endpoint.clone(), body)).await?;
    if !reply.status.is_success() {
        return Err(refusal(server, &reply));
    }
    let response: RegistrationResponse = serde_json::from_slice(&reply.body).map_err(|error| {
        let what = error.classify();
        AuthError::Registration(format!("{endpoint} answers with what is no registration ({what:?})"))
    })?;
    Ok(response.into_record(server, redirect_uri))
}

/// Returns the authentication method to register: none if possible, because a program on a user's machine cannot hide
/// a secret from the user.
fn wanted_method(server: &AuthorizationServerMetadata) -> AuthMethod {
    let Some(methods) = &server.features.token_endpoint_auth_methods_supported else {
        return AuthMethod::None;
    };
    let known = [AuthMethod::None, AuthMethod::Basic, AuthMethod::Post];
    let offered = |method: &AuthMethod| methods.iter().any(|name| name == method.as_str());
    known.into_iter().find(offered).unwrap_or(AuthMethod::None)
}

#[derive(Serialize)]
struct RegistrationRequest<'a> {
    client_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<&'a str>,
    redirect_uris: [&'a str; 1],
    grant_types: [&'a str; 2],
    response_types: [&'a str; 1],
    token_endpoint_auth_method: &'a str,
    application_type: &'a str,
}

#[derive(Deserialize)]
struct RegistrationResponse {
    client_id: String,
    #[serde(default)]
    client_secret: Option<Secret>,
    #[serde(default)]
    client_secret_expires_at: Option<u64>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

impl RegistrationResponse {
    fn into_record(self, server: &AuthorizationServerMetadata, redirect_uri: &str) -> RegistrationRecord {
        let said = self.token_endpoint_auth_method.as_deref().and_then(AuthMethod::from_name);
        let secret = self.client_secret.filter(|secret| !secret.expose().is_empty());
        let method = match (said, &secret) {
            (Some(AuthMethod::None), _) | (_, None) => AuthMethod::None,
            (Some(method @ (AuthMethod::Basic | AuthMethod::Post)), Some(_)) => method,
            // Some servers issue a secret even if they accept only public clients.
            (_, Some(_)) if server.accepts_auth_method("none") => AuthMethod::None,
            (_, Some(_)) => secret_method(server),
        };
        RegistrationRecord {
            issuer: server.issuer.clone(),
            client_id: self.client_id,
            method,
            secret: secret.filter(|_| method != AuthMethod::None),
            secret_expires_at: self.client_secret_expires_at.unwrap_or(0),
            redirect_uri: redirect_uri.to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct RegistrationError {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

/// Returns the error of a refused registration, with the next step. Many vendors accept only registered clients, and
/// say so in plain text or not at all.
fn refusal(server: &AuthorizationServerMetadata, reply: &FetchResponse) -> AuthError {
    let issuer = &server.issuer;
    let said = match serde_json::from_slice::<RegistrationError>(&reply.body) {
        Ok(RegistrationError { error, error_description: Some(description) }) => {
            format!("{}: {}", printable(&error), printable(&description))
        }
        Ok(RegistrationError { error, error_description: None }) => printable(&error),
        Err(_) => reply.excerpt(),
    };
    let said = if said.is_empty() { reply.status.to_string() } else { format!("{} ({said})", reply.status) };
    AuthError::Registration(match reply.status.as_u16() {
        401 | 403 => format!(
            "{issuer} admits only clients that it has listed, and this program is not one of them: it answers {said}. \
             Register a client in the vendor's own settings and configure its client id here, or use an API key if \
             the vendor gives one"
        ),
        500..=599 | 429 => {
            format!("{issuer} cannot register this program at the moment: it answers {said}. Try again later")
        }
        _ => format!(
            "{issuer} does not register this program: it answers {said}. Register a client in the vendor's own \
             settings and configure its client id here"
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::discovery::testing::server_metadata;

    fn record(methods: &[&str], response: serde_json::Value) -> RegistrationRecord {
        let server = server_metadata(json!({ "token_endpoint_auth_methods_supported": methods }));
        let response: RegistrationResponse = serde_json::from_value(response).unwrap();
        response.into_record(&server, "http://127.0.0.1:1/callback")
    }

    #[test]
    fn the_method_fits_the_response_and_the_server() {
        let (basic, post) = ("client_secret_basic", "client_secret_post");
        // The methods of the server, the method and the secret of the response, and the method and secret to use.
        type Row<'t> = (&'t [&'t str], Option<&'t str>, Option<&'t str>, AuthMethod, Option<&'t str>);
        let table: &[Row<'_>] = &[
            (&["none"], Some("none"), None, AuthMethod::None, None),
            (&["none"], Some("none"), Some("s"), AuthMethod::None, None),
            (&["none"], None, Some("s"), AuthMethod::None, None),
            (&[basic], None, Some(""), AuthMethod::None, None),
            (&[basic], Some(basic), Some("s"), AuthMethod::Basic, Some("s")),
            (&[basic, post], Some(post), Some("s"), AuthMethod::Post, Some("s")),
            (&[post], None, Some("s"), AuthMethod::Post, Some("s")),
            (&[basic, post], None, Some("s"), AuthMethod::Basic, Some("s")),
            (&[basic], Some(basic), None, AuthMethod::None, None),
        ];
        for (methods, method, secret, expected, expected_secret) in table {
            let response =
                json!({ "client_id": "c", "token_endpoint_auth_method": method, "client_secret": secret });
            let client = record(methods, response.clone()).to_client();
            let found = match &client.auth {
                ClientAuth::Secret(secret) => Some(secret.expose()),
                _ => None,
            };
            assert_eq!((client.method, found), (*expected, *expected_secret), "{methods:?} {response}");
        }
    }

    #[test]
    fn a_registration_is_for_its_redirect_uri_and_ends_with_its_secret() {
        let own = "http://127.0.0.1:1/callback";
        // The end of the secret, the redirect URI, the time, and whether the registration is usable.
        let table = [
            (0, own, 9000, true),
            (0, "http://127.0.0.1:2/callback", 0, false),
            (2000, own, 1999, true),
            (2000, own, 2000, false),
        ];
        for (end, redirect_uri, now, is_usable) in table {
            let response = json!({ "client_id": "c", "client_secret": "s", "client_secret_expires_at": end });
            let record = record(&["client_secret_basic"], response);
            assert_eq!(record.is_usable(redirect_uri, now), is_usable, "{end} {redirect_uri} {now}");
        }
    }
}
