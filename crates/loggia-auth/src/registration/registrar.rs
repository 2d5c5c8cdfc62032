//! The registrar: finds the client of this program for an authorization server.
//!
//! Invariant: a registration is stored under its issuer, and is sent to no other.

use url::Url;

use super::authentication::{ClientRecord, KnownClient};
use super::dynamic::{self, RegistrationRecord};
use super::identity::ClientIdentity;
use super::preregistered::PreregisteredClients;
use super::registered_client::RegisteredClient;
use crate::clock::{self, Clock};
use crate::discovery::AuthorizationServerMetadata;
use crate::error::AuthError;
use crate::restricted_http::RestrictedHttpClient;
use crate::store::TokenStore;
use crate::store::record::{self, VersionedRecord};

/// Finds the client of this program for an authorization server.
pub(crate) struct Registrar<'a> {
    pub(crate) identity: &'a ClientIdentity,
    pub(crate) http: &'a RestrictedHttpClient,
    pub(crate) store: &'a dyn TokenStore,
    pub(crate) clock: &'a Clock,
    /// The protected server to which clients without an issuer belong.
    pub(crate) resource: &'a Url,
}

impl Registrar<'_> {
    /// Returns the client for a sign-in with `redirect_uri`. Returns `None` if there is none and the user has to name
    /// one.
    pub(crate) async fn client(
        &self,
        server: &AuthorizationServerMetadata,
        redirect_uri: &str,
    ) -> Result<Option<KnownClient>, AuthError> {
        if let Some(client) = self.preregistered().find(server).await? {
            return Ok(Some(client));
        }
        if let Some(client) = self.identity.document_client_for(server) {
            return Ok(Some(client));
        }
        let before = self.registration(&server.issuer).await?;
        let now = clock::seconds((self.clock)());
        let usable = before.as_ref().filter(|before| before.record.is_usable(redirect_uri, now));
        if let Some(registration) = usable {
            return Ok(Some(registration.record.to_client()));
        }
        let Some(endpoint) = server.registration_endpoint.as_ref().filter(|_| self.identity.dynamic) else {
            return Ok(None);
        };
        let registration =
            dynamic::register(self.http, self.identity, server, endpoint, redirect_uri).await?;
        let value = record::encode(&registration)?;
        let expected = before.map(|before| before.revision);
        // Another process may have registered in between. Each credential is stored with its own client.
        self.store.save(&registration_key(&server.issuer), value, expected, None).await?;
        Ok(Some(registration.to_client()))
    }

    /// Returns the client of a stored credential, with the currently configured credentials.
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

    /// Checks that a client may be used with an issuer.
    pub(crate) async fn check_issuer(
        &self,
        client: &RegisteredClient,
        issuer: &str,
    ) -> Result<(), AuthError> {
        self.preregistered().check_issuer(client, issuer).await
    }

    /// Saves a client that the user named, after a successful sign-in with it.
    pub(crate) async fn save_named(&self, issuer: &str, client: &KnownClient) -> Result<(), AuthError> {
        self.preregistered().save_named(issuer, client).await
    }

    /// Returns the redirect URI of the registration with an issuer. Later sign-ins must use it, too.
    pub(crate) async fn registered_redirect_uri(&self, issuer: &str) -> Result<Option<String>, AuthError> {
        Ok(self.registration(issuer).await?.map(|found| found.record.redirect_uri))
    }

    /// Deletes a registration that the server no longer knows.
    pub(crate) async fn forget(&self, issuer: &str) -> Result<(), AuthError> {
        if let Some(found) = self.registration(issuer).await? {
            self.store.remove(&registration_key(issuer), found.revision).await?;
        }
        Ok(())
    }

    fn preregistered(&self) -> PreregisteredClients<'_> {
        PreregisteredClients { identity: self.identity, store: self.store, resource: self.resource }
    }

    async fn registration(
        &self,
        issuer: &str,
    ) -> Result<Option<VersionedRecord<RegistrationRecord>>, AuthError> {
        let found =
            record::load_or_discard::<RegistrationRecord>(self.store, &registration_key(issuer)).await?;
        Ok(found.filter(|found| found.record.issuer == issuer))
    }
}

fn registration_key(issuer: &str) -> String {
    format!("client/{issuer}")
}
