//! Remembered consents: a user who allowed a client is not asked again for some time.
//!
//! A consent is for one description of a client, one redirect URI and one resource. Any program can listen on a port
//! or use a scheme of the user's machine, so consents for such redirect URIs are not remembered.

use std::time::Duration;

use url::Url;

use super::clients::OAuthClient;
use super::pending_authorizations::PendingAuthorization;
use super::records::RecordStore;
use crate::error::AuthError;
use crate::jose::sha256;

/// Lifetime of a consent.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The digest of the client's description, and the allowed scopes.
type ConsentRecord = (String, Vec<String>);

/// The remembered consents.
#[derive(Clone)]
pub(super) struct Consents {
    records: RecordStore,
}

impl Consents {
    pub(super) fn new(records: RecordStore) -> Consents {
        Consents { records }
    }

    /// Returns whether a user has allowed a request before.
    pub(super) async fn covers(
        &self,
        subject: &str,
        client: &OAuthClient,
        request: &PendingAuthorization,
    ) -> Result<bool, AuthError> {
        let Some((name, digest)) = record_name(subject, client, request) else { return Ok(false) };
        let Some(found) = self.records.get::<ConsentRecord>(&name).await? else { return Ok(false) };
        let (allowed, scopes) = found.value;
        Ok(allowed == digest && request.scopes.iter().all(|scope| scopes.contains(scope)))
    }

    /// Remembers that a user allowed a request. Replaces an earlier consent.
    pub(super) async fn remember(
        &self,
        subject: &str,
        client: &OAuthClient,
        request: &PendingAuthorization,
    ) -> Result<(), AuthError> {
        let Some((name, digest)) = record_name(subject, client, request) else { return Ok(()) };
        let expires = Some(self.records.now() + LIFETIME);
        let consent: ConsentRecord = (digest, request.scopes.clone());
        match self.records.get::<ConsentRecord>(&name).await? {
            Some(found) => self.records.replace(&name, &consent, found.revision, expires).await?,
            None => self.records.add(&name, &consent, expires).await?,
        };
        Ok(())
    }
}

/// Returns the name of a consent's record and the digest of the client; `None` if none is remembered.
fn record_name(
    subject: &str,
    client: &OAuthClient,
    request: &PendingAuthorization,
) -> Option<(String, String)> {
    let uri = Url::parse(&request.redirect_uri).ok().filter(|uri| uri.scheme() == "https")?;
    let key = format!("{subject}\n{}\n{uri}\n{}", client.id, request.resource);
    Some((RecordStore::hashed_name("consent", &key), sha256(serde_json::to_string(client).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::pending_authorizations::tests::authorization;
    use crate::server::testing::TestClock;

    #[tokio::test]
    async fn a_consent_covers_the_same_request_of_the_same_client() {
        let clock = TestClock::new();
        let consents = Consents::new(clock.records());
        let client = OAuthClient::new("cli", "The command line", ["https://app.example/cb"]);
        let request = authorization("cli");
        let local = PendingAuthorization {
            redirect_uri: "http://127.0.0.1:50123/callback".to_owned(),
            ..request.clone()
        };
        consents.remember("ada", &client, &request).await.unwrap();
        consents.remember("ada", &client, &local).await.unwrap();
        let renamed = OAuthClient { name: "Another name".to_owned(), ..client.clone() };
        let wider = PendingAuthorization {
            scopes: ["mcp", "mcp:write"].map(str::to_owned).to_vec(),
            ..request.clone()
        };
        let other =
            PendingAuthorization { resource: "https://hub.example/other".to_owned(), ..request.clone() };
        let table = [
            ("the same", "ada", &client, &request, true),
            ("another user", "bob", &client, &request, false),
            ("a changed client", "ada", &renamed, &request, false),
            ("more scopes", "ada", &client, &wider, false),
            ("another resource", "ada", &client, &other, false),
            ("a program on this machine", "ada", &client, &local, false),
        ];
        for (what, subject, client, request, is_covered) in table {
            assert_eq!(consents.covers(subject, client, request).await.unwrap(), is_covered, "{what}");
        }
        consents.remember("ada", &client, &wider).await.unwrap();
        assert!(consents.covers("ada", &client, &wider).await.unwrap());
        clock.advance(90 * 24 * 60 * 60);
        assert!(!consents.covers("ada", &client, &wider).await.unwrap());
    }
}
