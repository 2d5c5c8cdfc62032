//! Pages of this server that users return to after a sign-in.
//!
//! A page of another part of the program can ask the user to sign in first. A user can be sent to a page of this server
//! only.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::pending::PendingRecords;
use super::pending_authorizations::{LIFETIME, MAX_WAITING};
use super::records::RecordStore;
use crate::error::AuthError;
use crate::jose::random;

const KIND: &str = "visit";

/// A page that a user returns to after a sign-in.
#[derive(Serialize, Deserialize)]
struct ReturnPage {
    #[serde(rename = "back")]
    path: String,
}

/// The pages of the pending sign-ins.
#[derive(Clone)]
pub(super) struct ReturnPages {
    records: RecordStore,
    pending: PendingRecords,
}

impl ReturnPages {
    pub(super) fn new(records: RecordStore) -> ReturnPages {
        ReturnPages { pending: PendingRecords::new(records.clone(), KIND, MAX_WAITING), records }
    }

    /// Starts a sign-in for a page, given by path and query, and returns its identifier; `None` if too many sign-ins
    /// are pending. The home page replaces an address outside this server.
    pub(super) async fn add(&self, path: &str, source: Option<IpAddr>) -> Result<Option<String>, AuthError> {
        let is_local = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
        let page = ReturnPage { path: if is_local { path } else { "/" }.to_owned() };
        let (id, now) = (random(24), self.records.now());
        let is_added = self.pending.add(&id, &page, source, (now, now + LIFETIME)).await?;
        Ok(is_added.then_some(id))
    }

    /// Returns the path and query of a sign-in's page; `None` for an unknown sign-in.
    pub(super) async fn find(&self, id: &str) -> Result<Option<String>, AuthError> {
        let found = self.records.get::<ReturnPage>(&RecordStore::hashed_name(KIND, id)).await?;
        Ok(found.map(|found| found.value.path))
    }

    /// Deletes the page of a finished sign-in.
    pub(super) async fn remove(&self, id: &str) -> Result<(), AuthError> {
        let name = RecordStore::hashed_name(KIND, id);
        self.pending.finish(&name).await?;
        self.records.take::<ReturnPage>(&name).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::TestClock;

    #[tokio::test]
    async fn users_return_to_pages_of_this_server_only() {
        let pages = ReturnPages::new(TestClock::new().records());
        for (path, expected) in [
            ("/connect/a?invitation=b%26c", "/connect/a?invitation=b%26c"),
            ("//evil.example/", "/"),
            ("https://evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("", "/"),
        ] {
            let id = pages.add(path, None).await.unwrap().expect("there is room");
            assert_eq!(pages.find(&id).await.unwrap().as_deref(), Some(expected), "{path}");
            pages.remove(&id).await.unwrap();
            assert_eq!(pages.find(&id).await.unwrap(), None, "{path}");
        }
    }
}
