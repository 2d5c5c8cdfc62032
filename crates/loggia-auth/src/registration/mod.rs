//! How we become a client of an authorization server, in the order of the specification: what was
//! registered before, a document that describes us and whose URL is our name, dynamic registration
//! (RFC 7591), and last the person.
//!
//! What one issuer gave us is kept under that issuer's name and is shown to no other.

mod by_hand;
mod document;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::credential::{self, KeptClient, Versioned};
use crate::client::{AuthError, AuthMethod, ClientAuth, KnownClient, TokenStore, plain};
use crate::clock::{self, Clock};
use crate::discovery::AuthorizationServer;
use crate::guard::{Fetch, Reply, RestrictedHttpClient};
use crate::jose::SigningKey;
use crate::secret::Secret;
pub use by_hand::RegisteredClient;
use by_hand::secret_method;

/// What kind of program a client is (OpenID Connect Dynamic Client Registration 1.0, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplicationType {
    /// A program on the person's machine, which hears answers on the loopback.
    #[default]
    Native,
    /// A web server, which hears answers at an address of its own.
    Web,
}

/// Who we are.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// The name that people are shown.
    pub name: String,
    /// A page about us.
    pub uri: Option<Url>,
    /// What kind of program we are.
    pub application_type: ApplicationType,
    /// Clients that were registered by hand.
    pub registered: Vec<RegisteredClient>,
    /// A client that the person names now, before all others. Once they have signed in with it, it is kept in
    /// the store for its issuer, and used there when nobody names one.
    pub named: Option<RegisteredClient>,
    /// The document that describes us. Its URL is our name wherever such names are taken.
    pub metadata_document: Option<Url>,
    /// The key whose public half is in that document, if the document says `private_key_jwt`.
    pub document_key: Option<Arc<SigningKey>>,
    /// Whether we register ourselves where nothing else is possible.
    pub dynamic: bool,
}

impl ClientIdentity {
    /// A program of a name, on the person's machine.
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

    /// With a client that was registered by hand.
    #[must_use]
    pub fn registered(mut self, client: RegisteredClient) -> ClientIdentity {
        self.registered.push(client);
        self
    }

    /// With a document that describes us, at an `https` URL with a path.
    #[must_use]
    pub fn described_by(mut self, document: Url) -> ClientIdentity {
        self.metadata_document = Some(document);
        self
    }

    /// With the key by which the program of that document proves itself (`private_key_jwt`).
    #[must_use]
    pub fn signing(mut self, key: Arc<SigningKey>) -> ClientIdentity {
        self.document_key = Some(key);
        self
    }

    /// The clients that somebody registered by hand, in the order in which they count.
    pub(crate) fn by_hand(&self) -> impl Iterator<Item = &RegisteredClient> {
        self.named.iter().chain(&self.registered)
    }
}

/// What a server gave us when we registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Registration {
    issuer: String,
    client_id: String,
    method: AuthMethod,
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    secret: Option<Secret>,
    /// 0: never.
    #[serde(default)]
    secret_expires_at: u64,
    redirect_uri: String,
}

impl Registration {
    fn known(&self) -> KnownClient {
        let auth = self.secret.clone().map_or(ClientAuth::None, ClientAuth::Secret);
        KnownClient { client_id: self.client_id.clone(), auth, method: self.method }
    }
}

/// Finds out who we are to an authorization server.
pub(crate) struct Registrar<'a> {
    pub(crate) identity: &'a ClientIdentity,
    pub(crate) guard: &'a RestrictedHttpClient,
    pub(crate) store: &'a dyn TokenStore,
    pub(crate) clock: &'a Clock,
    /// The protected server, for which clients without an issuer were registered.
    pub(crate) resource: &'a Url,
}

impl Registrar<'_> {
    /// The client we are, for a sign-in whose answer goes to `redirect_uri`. `None`: nobody knows us, and
    /// only the person can help.
    pub(crate) async fn client(
        &self,
        server: &AuthorizationServer,
        redirect_uri: &str,
    ) -> Result<Option<KnownClient>, AuthError> {
        if let Some(client) = self.by_hand(server).await? {
            return Ok(Some(client));
        }
        if let Some(client) = self.identity.described_to(server) {
            return Ok(Some(client));
        }
        let before = self.registration(&server.issuer).await?;
        let now = clock::seconds((self.clock)());
        let usable = |registration: &&Versioned<Registration>| {
            let end = registration.record.secret_expires_at;
            registration.record.redirect_uri == redirect_uri && (end == 0 || end > now)
        };
        if let Some(registration) = before.as_ref().filter(usable) {
            return Ok(Some(registration.record.known()));
        }
        let Some(endpoint) = server.registration_endpoint.as_ref().filter(|_| self.identity.dynamic) else {
            return Ok(None);
        };
        let registration = self.register(server, endpoint, redirect_uri).await?;
        let value = credential::written(&registration)?;
        let expected = before.map(|before| before.revision);
        // Somebody else may have registered in between. What is given to either is kept with its client.
        self.store.save(&registration_key(&server.issuer), value, expected, None).await?;
        Ok(Some(registration.known()))
    }

    /// The client that something was given to, with what it proves itself with today.
    pub(crate) fn known(&self, server: &AuthorizationServer, kept: &KeptClient) -> KnownClient {
        let same = |client: &&RegisteredClient| {
            client.client_id == kept.client_id
                && client.issuer.as_ref().is_none_or(|own| *own == server.issuer)
        };
        match self.identity.by_hand().find(same) {
            Some(client) => client.known_to(server),
            None => self.identity.described_as(&kept.client_id).unwrap_or_else(|| kept.known()),
        }
    }

    /// Where the answer of the last sign-in went: a server that knows us expects the next there too.
    pub(crate) async fn redirect_before(&self, issuer: &str) -> Result<Option<String>, AuthError> {
        Ok(self.registration(issuer).await?.map(|found| found.record.redirect_uri))
    }

    /// Forgets a registration that the server does not know any more.
    pub(crate) async fn forget(&self, issuer: &str) -> Result<(), AuthError> {
        if let Some(found) = self.registration(issuer).await? {
            self.store.remove(&registration_key(issuer), found.revision).await?;
        }
        Ok(())
    }

    async fn registration(&self, issuer: &str) -> Result<Option<Versioned<Registration>>, AuthError> {
        let found =
            credential::load_or_discard::<Registration>(self.store, &registration_key(issuer)).await?;
        Ok(found.filter(|found| found.record.issuer == issuer))
    }

    async fn register(
        &self,
        server: &AuthorizationServer,
        endpoint: &Url,
        redirect_uri: &str,
    ) -> Result<Registration, AuthError> {
        // No scope is named: many know those of their resources only when a token is asked for.
        let request = Request {
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
        let reply = self.guard.send(Fetch::json(endpoint.clone(), body)).await?;
        if !reply.status.is_success() {
            return Err(refused(server, &reply));
        }
        let answer: Answer = serde_json::from_slice(&reply.body).map_err(|error| {
            let what = error.classify();
            AuthError::Registration(format!("{endpoint} answers with what is no registration ({what:?})"))
        })?;
        Ok(answer.registration(server, redirect_uri))
    }
}

fn registration_key(issuer: &str) -> String {
    format!("client/{issuer}")
}

/// A public client where that is possible: a program on a person's machine keeps no secret from them.
fn wanted_method(server: &AuthorizationServer) -> AuthMethod {
    let Some(methods) = &server.features.token_endpoint_auth_methods_supported else {
        return AuthMethod::None;
    };
    let known = [AuthMethod::None, AuthMethod::Basic, AuthMethod::Post];
    let offered = |method: &AuthMethod| methods.iter().any(|name| name == method.as_str());
    known.into_iter().find(offered).unwrap_or(AuthMethod::None)
}

#[derive(Serialize)]
struct Request<'a> {
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
struct Answer {
    client_id: String,
    #[serde(default)]
    client_secret: Option<Secret>,
    #[serde(default)]
    client_secret_expires_at: Option<u64>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

impl Answer {
    fn registration(self, server: &AuthorizationServer, redirect_uri: &str) -> Registration {
        let said = self.token_endpoint_auth_method.as_deref().and_then(AuthMethod::named);
        let secret = self.client_secret.filter(|secret| !secret.expose().is_empty());
        let method = match (said, &secret) {
            (Some(AuthMethod::None), _) | (_, None) => AuthMethod::None,
            (Some(method @ (AuthMethod::Basic | AuthMethod::Post)), Some(_)) => method,
            // Some give a secret to everybody, even where only public clients are taken.
            (_, Some(_)) if server.takes("none") => AuthMethod::None,
            (_, Some(_)) => secret_method(server),
        };
        Registration {
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
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

/// A refusal in words that say what to do. Many vendors admit only clients that they have listed, and say so
/// in plain text or not at all.
fn refused(server: &AuthorizationServer, reply: &Reply) -> AuthError {
    let issuer = &server.issuer;
    let said = match serde_json::from_slice::<Refusal>(&reply.body) {
        Ok(Refusal { error, error_description: Some(description) }) => {
            format!("{}: {}", plain(&error), plain(&description))
        }
        Ok(Refusal { error, error_description: None }) => plain(&error),
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
