//! Checked authorization requests that wait for the user to sign in and to decide.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pending::PendingRecords;
use super::records::{RecordSnapshot, RecordStore};
use crate::error::AuthError;
use crate::jose::random;

/// Time for a user to sign in and to decide.
pub(super) const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The maximum number of requests that wait.
pub(super) const MAX_WAITING: usize = 10_000;
const KIND: &str = "request";

/// A checked authorization request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PendingAuthorization {
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    #[serde(rename = "challenge")]
    pub(super) code_challenge: String,
    pub(super) resource: String,
    pub(super) scopes: Vec<String>,
    #[serde(rename = "key")]
    pub(super) dpop_jkt: Option<String>,
    /// `prompt=none` of OpenID Connect: the user must not be asked.
    #[serde(rename = "quiet")]
    pub(super) prompt_none: bool,
    /// `prompt=consent`: the user must be asked, even if the same was allowed before.
    #[serde(rename = "anew")]
    pub(super) prompt_consent: bool,
    /// The session whose consent page is open, and the digest of a secret that only this page contains.
    #[serde(rename = "asked")]
    pub(super) consent_page: Option<(String, String)>,
}

/// The authorization requests that wait.
#[derive(Clone)]
pub(super) struct PendingAuthorizations {
    records: RecordStore,
    pending: PendingRecords,
}

impl PendingAuthorizations {
    pub(super) fn new(records: RecordStore) -> PendingAuthorizations {
        PendingAuthorizations { pending: PendingRecords::new(records.clone(), KIND, MAX_WAITING), records }
    }

    /// Adds a request and returns its identifier; `None` if too many wait. `source` is the address that it comes from.
    pub(super) async fn add(
        &self,
        request: &PendingAuthorization,
        source: Option<IpAddr>,
    ) -> Result<Option<String>, AuthError> {
        let (id, now) = (random(24), self.records.now());
        let is_added = self.pending.add(&id, request, source, (now, now + LIFETIME)).await?;
        Ok(is_added.then_some(id))
    }

    /// Returns a request; `None` if it does not exist or has expired.
    pub(super) async fn find(
        &self,
        id: &str,
    ) -> Result<Option<RecordSnapshot<PendingAuthorization>>, AuthError> {
        self.records.get(&RecordStore::hashed_name(KIND, id)).await
    }

    /// Replaces a request at a revision, and extends its time for the user's decision.
    pub(super) async fn replace(
        &self,
        id: &str,
        request: &PendingAuthorization,
        revision: u64,
    ) -> Result<(), AuthError> {
        let expires = Some(self.records.now() + LIFETIME);
        self.records.replace(&RecordStore::hashed_name(KIND, id), request, revision, expires).await.map(drop)
    }

    /// Removes a decided request and returns it. Of several concurrent callers, one gets it.
    pub(super) async fn take(&self, id: &str) -> Result<Option<PendingAuthorization>, AuthError> {
        let name = RecordStore::hashed_name(KIND, id);
        self.pending.finish(&name).await?;
        self.records.take(&name).await
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::server::testing::TestClock;

    /// The code verifier of [`authorization`] (RFC 7636, appendix B).
    pub(in crate::server) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    /// Returns a request of a client.
    pub(in crate::server) fn authorization(client: &str) -> PendingAuthorization {
        PendingAuthorization {
            client: client.to_owned(),
            redirect_uri: "https://app.example/cb".to_owned(),
            state: Some("state".to_owned()),
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
            resource: "https://hub.example/mcp".to_owned(),
            scopes: vec!["mcp".to_owned()],
            dpop_jkt: None,
            prompt_none: false,
            prompt_consent: false,
            consent_page: None,
        }
    }

    #[tokio::test]
    async fn a_request_waits_a_quarter_of_an_hour_and_is_taken_once() {
        let clock = TestClock::new();
        let pending = PendingAuthorizations::new(clock.records());
        let [taken, late] = [(); 2].map(|()| async {
            pending.add(&authorization("cli"), None).await.unwrap().expect("there is room")
        });
        let (taken, late) = (taken.await, late.await);
        assert!(pending.find(&taken).await.unwrap().is_some_and(|found| found.value == authorization("cli")));
        assert_eq!(pending.take(&taken).await.unwrap(), Some(authorization("cli")));
        assert_eq!(pending.take(&taken).await.unwrap(), None);
        clock.advance(15 * 60);
        assert!(pending.find(&late).await.unwrap().is_none());
    }

    /// Requests of a version before are decided by the next.
    #[test]
    fn requests_are_written_as_before() {
        let written = serde_json::to_string(&authorization("cli")).unwrap();
        assert_eq!(
            written,
            r#"{"client":"cli","redirect_uri":"https://app.example/cb","state":"state","challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM","resource":"https://hub.example/mcp","scopes":["mcp"],"key":null,"quiet":false,"anew":false,"asked":null}"#
        );
    }
}
