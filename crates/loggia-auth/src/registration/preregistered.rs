//! Chooses among preregistered clients, which a user registered in the settings of a vendor and configured here.
//!
//! Many vendors accept no other clients. Invariant: a client belongs to one issuer, and is sent to no other.

use serde::{Deserialize, Serialize};
use url::Url;

use super::authentication::{AuthMethod, ClientRecord, KnownClient};
use super::identity::ClientIdentity;
use super::registered_client::RegisteredClient;
use crate::discovery::AuthorizationServerMetadata;
use crate::error::AuthError;
use crate::store::{TokenStore, record};

/// The record of the issuer that a preregistered client is bound to.
#[derive(Debug, Serialize, Deserialize)]
struct IssuerBinding {
    issuer: String,
}

/// The preregistered clients of a program, and the issuers that they are bound to.
pub(super) struct PreregisteredClients<'a> {
    pub(super) identity: &'a ClientIdentity,
    pub(super) store: &'a dyn TokenStore,
    /// The protected server to which clients without an issuer belong.
    pub(super) resource: &'a Url,
}

impl PreregisteredClients<'_> {
    /// Returns the preregistered client for an issuer: the one that the user names now, a configured one, or the one
    /// that the user named at an earlier sign-in.
    pub(super) async fn find(
        &self,
        server: &AuthorizationServerMetadata,
    ) -> Result<Option<KnownClient>, AuthError> {
        let issuer = &server.issuer;
        if let Some(client) = &self.identity.named {
            self.check_issuer(client, issuer).await?;
            return Ok(Some(client.to_client_of(server)));
        }
        let clients = &self.identity.registered;
        if let Some(client) = clients.iter().find(|client| client.issuer.as_ref() == Some(issuer)) {
            return Ok(Some(client.to_client_of(server)));
        }
        if let Some(client) = clients.iter().find(|client| client.issuer.is_none()) {
            self.bind(client, issuer).await?;
            return Ok(Some(client.to_client_of(server)));
        }
        if let Some(kept) = record::load_or_discard::<ClientRecord>(self.store, &named_key(issuer)).await? {
            return Ok(Some(kept.record.to_client()));
        }
        match clients.iter().find_map(|client| client.issuer.as_ref().map(|issuer| (client, issuer))) {
            Some((client, own)) => Err(moved(&client.client_id, own, issuer)),
            None => Ok(None),
        }
    }

    /// Saves a client that the user named, after a successful sign-in with it. A client with a key is not saved: its
    /// key stays in its own file.
    pub(super) async fn save_named(&self, issuer: &str, client: &KnownClient) -> Result<(), AuthError> {
        if client.method == AuthMethod::PrivateKey {
            return Ok(());
        }
        let (key, value) = (named_key(issuer), record::encode(&ClientRecord::from(client))?);
        let before = self.store.load(&key).await?.map(|before| before.revision);
        // If two sign-ins run concurrently, either client may be saved.
        self.store.save(&key, value, before, None).await.map(drop)
    }

    /// Checks that a client may be used with an issuer.
    pub(super) async fn check_issuer(
        &self,
        client: &RegisteredClient,
        issuer: &str,
    ) -> Result<(), AuthError> {
        match &client.issuer {
            Some(own) if own != issuer => Err(moved(&client.client_id, own, issuer)),
            Some(_) => Ok(()),
            None => self.bind(client, issuer).await,
        }
    }

    /// Binds a client that was configured without an issuer to the first issuer that it is used with.
    async fn bind(&self, client: &RegisteredClient, issuer: &str) -> Result<(), AuthError> {
        let client_id = &client.client_id;
        let key = format!("bound/{}/{client_id}", self.resource.origin().ascii_serialization());
        match record::load::<IssuerBinding>(self.store, &key).await? {
            Some(bound) if bound.record.issuer != issuer => {
                Err(moved(client_id, &bound.record.issuer, issuer))
            }
            Some(_) => Ok(()),
            None => {
                let value = record::encode(&IssuerBinding { issuer: issuer.to_owned() })?;
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
        "the client '{client_id}' is registered with {from}, but the server now names {to}: the credentials of one \
         are not sent to the other. Register a client with {to} and configure it"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::authentication::ClientAuth;
    use super::*;
    use crate::discovery::testing::server_metadata;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn a_client_without_an_issuer_stays_with_the_first_one() {
        let (store, resource) = (MemoryStore::new(), "https://a.example/mcp".parse().unwrap());
        let identity = ClientIdentity::new("test");
        let clients = PreregisteredClients { identity: &identity, store: &store, resource: &resource };
        let free = RegisteredClient::public("free");
        let bound = RegisteredClient::public("bound").at("https://one.example");
        let table = [
            (&free, "https://one.example", true),
            (&free, "https://one.example", true),
            (&free, "https://two.example", false),
            (&bound, "https://one.example", true),
            (&bound, "https://two.example", false),
        ];
        for (client, issuer, is_allowed) in table {
            let outcome = clients.check_issuer(client, issuer).await;
            assert_eq!(outcome.is_ok(), is_allowed, "{} {issuer}: {outcome:?}", client.client_id);
        }
    }

    #[tokio::test]
    async fn clients_are_found_in_the_order_of_their_precedence() {
        let (store, resource) = (MemoryStore::new(), "https://a.example/mcp".parse().unwrap());
        let server = server_metadata(json!({}));
        let named =
            KnownClient { client_id: "saved".to_owned(), auth: ClientAuth::None, method: AuthMethod::None };
        let identity = ClientIdentity::new("test");
        let clients = PreregisteredClients { identity: &identity, store: &store, resource: &resource };
        clients.save_named(&server.issuer, &named).await.unwrap();
        let own = || RegisteredClient::public("own").at("https://as.example");
        let foreign = || RegisteredClient::public("foreign").at("https://other.example");
        let any = || RegisteredClient::public("any");
        // The client that the user names, the configured ones, and the one that is used.
        let table = [
            (Some(RegisteredClient::public("named")), vec![own()], "named"),
            (None, vec![foreign(), any(), own()], "own"),
            (None, vec![foreign(), any()], "any"),
            (None, vec![foreign()], "saved"),
            (None, vec![], "saved"),
        ];
        for (named, registered, expected) in table {
            let identity = ClientIdentity { named, registered, ..ClientIdentity::new("test") };
            let clients = PreregisteredClients { identity: &identity, store: &store, resource: &resource };
            let found = clients.find(&server).await.unwrap().unwrap();
            assert_eq!(found.client_id, expected);
        }
    }
}
