//! Clients that a person registered in a vendor's own settings: each belongs to one issuer, and is shown to no other.

use serde::{Deserialize, Serialize};

use super::Registrar;
use crate::client::credential::{self, KeptClient};
use crate::client::{AuthError, AuthMethod, ClientAuth, KnownClient};
use crate::discovery::AuthorizationServer;
use crate::secret::Secret;

/// A client that was registered by hand.
#[derive(Debug, Clone)]
pub struct RegisteredClient {
    /// With whom. `None`: with whoever the server names at the first sign-in, and with nobody else after it.
    pub issuer: Option<String>,
    /// Its name there.
    pub client_id: String,
    /// What it proves itself with.
    pub auth: ClientAuth,
}

impl RegisteredClient {
    /// A client without a secret.
    pub fn public(client_id: impl Into<String>) -> RegisteredClient {
        RegisteredClient { issuer: None, client_id: client_id.into(), auth: ClientAuth::None }
    }

    /// A client with a secret.
    pub fn with_secret(client_id: impl Into<String>, secret: Secret) -> RegisteredClient {
        RegisteredClient { issuer: None, client_id: client_id.into(), auth: ClientAuth::Secret(secret) }
    }

    /// Registered with this issuer.
    #[must_use]
    pub fn at(mut self, issuer: impl Into<String>) -> RegisteredClient {
        self.issuer = Some(issuer.into());
        self
    }

    /// The client as a server sees it that we know nothing of.
    pub(crate) fn known_anywhere(&self) -> KnownClient {
        let method = match &self.auth {
            ClientAuth::None => AuthMethod::None,
            ClientAuth::Key(_) => AuthMethod::PrivateKey,
            ClientAuth::Secret(_) => AuthMethod::Basic,
        };
        KnownClient { client_id: self.client_id.clone(), auth: self.auth.clone(), method }
    }

    /// The client as an authorization server wants to see it.
    pub(crate) fn known_to(&self, server: &AuthorizationServer) -> KnownClient {
        let known = self.known_anywhere();
        match known.method {
            AuthMethod::Basic => KnownClient { method: secret_method(server), ..known },
            _ => known,
        }
    }
}

pub(super) fn secret_method(server: &AuthorizationServer) -> AuthMethod {
    let post_only = !server.takes("client_secret_basic") && server.takes("client_secret_post");
    if post_only { AuthMethod::Post } else { AuthMethod::Basic }
}

/// To which issuer a client is bound that was registered by hand.
#[derive(Debug, Serialize, Deserialize)]
struct Binding {
    issuer: String,
}

impl Registrar<'_> {
    /// The client for an issuer: the one that the person names now, one that is configured, or the one that they
    /// named when they signed in before.
    pub(super) async fn by_hand(
        &self,
        server: &AuthorizationServer,
    ) -> Result<Option<KnownClient>, AuthError> {
        let issuer = &server.issuer;
        if let Some(client) = &self.identity.named {
            self.admit(client, issuer).await?;
            return Ok(Some(client.known_to(server)));
        }
        let clients = &self.identity.registered;
        if let Some(client) = clients.iter().find(|client| client.issuer.as_ref() == Some(issuer)) {
            return Ok(Some(client.known_to(server)));
        }
        if let Some(client) = clients.iter().find(|client| client.issuer.is_none()) {
            self.bind(client, issuer).await?;
            return Ok(Some(client.known_to(server)));
        }
        if let Some(kept) = credential::load_or_discard::<KeptClient>(self.store, &named_key(issuer)).await? {
            return Ok(Some(kept.record.known()));
        }
        match clients.iter().find_map(|client| client.issuer.as_ref().map(|issuer| (client, issuer))) {
            Some((client, own)) => Err(moved(&client.client_id, own, issuer)),
            None => Ok(None),
        }
    }

    /// Keeps a client that the person named, once they have signed in with it. One with a key is not kept: the key
    /// stays where it is.
    pub(crate) async fn keep_named(&self, issuer: &str, client: &KnownClient) -> Result<(), AuthError> {
        if client.method == AuthMethod::PrivateKey {
            return Ok(());
        }
        let (key, value) = (named_key(issuer), credential::written(&KeptClient::from(client))?);
        let before = self.store.load(&key).await?.map(|before| before.revision);
        // Of two that sign in at once either may be kept.
        self.store.save(&key, value, before, None).await.map(drop)
    }

    /// Whether a client may be shown to an issuer.
    pub(crate) async fn admit(&self, client: &RegisteredClient, issuer: &str) -> Result<(), AuthError> {
        match &client.issuer {
            Some(own) if own != issuer => Err(moved(&client.client_id, own, issuer)),
            Some(_) => Ok(()),
            None => self.bind(client, issuer).await,
        }
    }

    /// A client that was given without an issuer belongs to the first that it is used with.
    async fn bind(&self, client: &RegisteredClient, issuer: &str) -> Result<(), AuthError> {
        let client_id = &client.client_id;
        let key = format!("bound/{}/{client_id}", self.resource.origin().ascii_serialization());
        match credential::load::<Binding>(self.store, &key).await? {
            Some(bound) if bound.record.issuer != issuer => {
                Err(moved(client_id, &bound.record.issuer, issuer))
            }
            Some(_) => Ok(()),
            None => {
                let value = credential::written(&Binding { issuer: issuer.to_owned() })?;
                self.store.save(&key, value, None, None).await.map(drop)
            }
        }
    }
}

fn named_key(issuer: &str) -> String {
    format!("named/{issuer}")
}

fn moved(client_id: &str, from: &str, to: &str) -> AuthError {
    AuthError::Registration(format!(
        "the client '{client_id}' is registered with {from}, but the server now names {to}: what one knows is not \
         shown to the other. Register a client with {to} and configure it"
    ))
}
