//! Client registration: finds the client that this program is to an authorization server, in the order of the
//! specification: a preregistered client, a Client ID Metadata Document, dynamic registration (RFC 7591).
//!
//! Authorization servers accept clients in different ways, and the sign-in needs one of them. Invariant: a registration is
//! stored under its issuer, and is sent to no other.

mod authentication;
mod document;
mod preregistered;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock::{self, Clock};
use crate::discovery::AuthorizationServerMetadata;
use crate::error::{AuthError, printable};
use crate::jose::SigningKey;
use crate::restricted_http::{FetchRequest, FetchResponse, RestrictedHttpClient};
use crate::secret::Secret;
use crate::store::TokenStore;
use crate::store::record::{self, VersionedRecord};
pub use authentication::{AuthMethod, ClientAuth, ClientRecord, KnownClient};
pub use preregistered::RegisteredClient;
use preregistered::secret_method;

/// The application type of a client (OpenID Connect Dynamic Client Registration 1.0, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplicationType {
    /// A program on the user's machine, whose redirect URI is on the loopback.
    #[default]
    Native,
    /// A web server, whose redirect URI is at its own address.
    Web,
}

/// The identity of this program as an OAuth client.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// The name that users see.
    pub name: String,
    /// A page about the program.
    pub uri: Option<Url>,
    /// The application type.
    pub application_type: ApplicationType,
    /// The preregistered clients.
    pub registered: Vec<RegisteredClient>,
    /// A client that the user names now, used before all others. After a successful sign-in it is saved in the store for
    /// its issuer, and used there when the user names none.
    pub named: Option<RegisteredClient>,
    /// The URL of the Client ID Metadata Document, which is the `client_id` at servers that support it.
    pub metadata_document: Option<Url>,
    /// The key whose public half is in that document, if its authentication method is `private_key_jwt`.
    pub document_key: Option<Arc<SigningKey>>,
    /// Whether to use dynamic registration if nothing else is possible.
    pub dynamic: bool,
}

impl ClientIdentity {
    /// Creates the identity of a program on the user's machine.
    pub fn new(name: impl Into<String>) -> ClientIdentity {
        ClientIdentity {
            name: name.into(),
            uri: None,
            application_type: ApplicationType::Native,
            registered: Vec::new(),
            named: None,
            metadata_document: None,
            document_key: None,
            dynamic: true,
        }
    }

    /// Adds a preregistered client.
    #[must_use]
    pub fn registered(mut self, client: RegisteredClient) -> ClientIdentity {
        self.registered.push(client);
        self
    }

    /// Sets the URL of the Client ID Metadata Document: `https`, with a path.
    #[must_use]
    pub fn described_by(mut self, document: Url) -> ClientIdentity {
        self.metadata_document = Some(document);
        self
    }

    /// Sets the key of that document (`private_key_jwt`).
    #[must_use]
    pub fn signing(mut self, key: Arc<SigningKey>) -> ClientIdentity {
        self.document_key = Some(key);
        self
    }

    /// Returns the preregistered clients in the order of their precedence.
    pub(crate) fn preregistered(&self) -> impl Iterator<Item = &RegisteredClient> {
        self.named.iter().chain(&self.registered)
    }
}

/// The record of a dynamic registration.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RegistrationRecord {
    issuer: String,
    client_id: String,
    method: AuthMethod,
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    secret: Option<Secret>,
    /// In seconds since 1970; 0: never.
    #[serde(default)]
    secret_expires_at: u64,
    redirect_uri: String,
}

impl RegistrationRecord {
    fn to_client(&self) -> KnownClient {
        let auth = self.secret.clone().map_or(ClientAuth::None, ClientAuth::Secret);
        KnownClient { client_id: self.client_id.clone(), auth, method: self.method }
    }
}

/// A finder of the client that this program is to an authorization server.
pub(crate) struct Registrar<'a> {
    pub(crate) identity: &'a ClientIdentity,
    pub(crate) http: &'a RestrictedHttpClient,
    pub(crate) store: &'a dyn TokenStore,
    pub(crate) clock: &'a Clock,
    /// The protected server, which clients without an issuer are for.
    pub(crate) resource: &'a Url,
}

impl Registrar<'_> {
    /// Returns the client for a sign-in with `redirect_uri`. Returns `None` if there is none and the user has to name one.
    pub(crate) async fn client(
        &self,
        server: &AuthorizationServerMetadata,
        redirect_uri: &str,
    ) -> Result<Option<KnownClient>, AuthError> {
        if let Some(client) = self.preregistered(server).await? {
            return Ok(Some(client));
        }
        if let Some(client) = self.identity.document_client_for(server) {
            return Ok(Some(client));
        }
        let before = self.registration(&server.issuer).await?;
        let now = clock::seconds((self.clock)());
        let usable = |registration: &&VersionedRecord<RegistrationRecord>| {
            let end = registration.record.secret_expires_at;
            registration.record.redirect_uri == redirect_uri && (end == 0 || end > now)
        };
        if let Some(registration) = before.as_ref().filter(usable) {
            return Ok(Some(registration.record.to_client()));
        }
        let Some(endpoint) = server.registration_endpoint.as_ref().filter(|_| self.identity.dynamic) else {
            return Ok(None);
        };
        let registration = self.register(server, endpoint, redirect_uri).await?;
        let value = record::encode(&registration)?;
        let expected = before.map(|before| before.revision);
        // Another process may have registered in between. Each credential is stored with its own client.
        self.store.save(&registration_key(&server.issuer), value, expected, None).await?;
        Ok(Some(registration.to_client()))
    }

    /// Returns the client of a stored credential, with the credentials that are configured now.
    pub(crate) fn client_of_record(
        &self,
        server: &AuthorizationServerMetadata,
        record: &ClientRecord,
    ) -> KnownClient {
        let same = |client: &&RegisteredClient| {
            client.client_id == record.client_id
                && client.issuer.as_ref().is_none_or(|own| *own == server.issuer)
        };
        match self.identity.preregistered().find(same) {
            Some(client) => client.to_client_of(server),
            None => {
                self.identity.document_client_with_id(&record.client_id).unwrap_or_else(|| record.to_client())
            }
        }
    }

    /// Returns the redirect URI of the registration with an issuer, which later sign-ins have to use too.
    pub(crate) async fn registered_redirect_uri(&self, issuer: &str) -> Result<Option<String>, AuthError> {
        Ok(self.registration(issuer).await?.map(|found| found.record.redirect_uri))
    }

    /// Deletes a registration that the server does not know any more.
    pub(crate) async fn forget(&self, issuer: &str) -> Result<(), AuthError> {
        if let Some(found) = self.registration(issuer).await? {
            self.store.remove(&registration_key(issuer), found.revision).await?;
        }
        Ok(())
    }

    async fn registration(
        &self,
        issuer: &str,
    ) -> Result<Option<VersionedRecord<RegistrationRecord>>, AuthError> {
        let found =
            record::load_or_discard::<RegistrationRecord>(self.store, &registration_key(issuer)).await?;
        Ok(found.filter(|found| found.record.issuer == issuer))
    }

    async fn register(
        &self,
        server: &AuthorizationServerMetadata,
        endpoint: &Url,
        redirect_uri: &str,
    ) -> Result<RegistrationRecord, AuthError> {
        // The request names no scope: many servers know those of their resources only when a token is requested.
        let request = RegistrationRequest {
            client_name: &self.identity.name,
            client_uri: self.identity.uri.as_ref().map(Url::as_str),
            redirect_uris: [redirect_uri],
            grant_types: ["authorization_code", "refresh_token"],
            response_types: ["code"],
            token_endpoint_auth_method: wanted_method(server).as_str(),
            application_type: match self.identity.application_type {
                ApplicationType::Native => "native",
                ApplicationType::Web => "web",
            },
        };
        let body = serde_json::to_vec(&request).expect("texts and lists of texts can be written");
        let reply = self.http.send(FetchRequest::json(endpoint.clone(), body)).await?;
        if !reply.status.is_success() {
            return Err(refusal(server, &reply));
        }
        let response: RegistrationResponse = serde_json::from_slice(&reply.body).map_err(|error| {
            let what = error.classify();
            AuthError::Registration(format!("{endpoint} answers with what is no registration ({what:?})"))
        })?;
        Ok(response.into_record(server, redirect_uri))
    }
}

fn registration_key(issuer: &str) -> String {
    format!("client/{issuer}")
}

/// Returns the authentication method to register: none if possible, because a program on a user's machine cannot keep a
/// secret from the user.
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

/// Returns the error of a refused registration, with the next step. Many vendors accept only listed clients, and say so
/// in plain text or not at all.
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
