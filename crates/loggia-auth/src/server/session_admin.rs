//! Administration of sign-ins, also while a server runs in another process: lists the signed-in users, and signs a
//! user out.
//!
//! A user who leaves must lose access soon: the identity provider is not asked again before a refresh token expires.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::codes::CodeRecord;
use super::records::RecordStore;
use super::refresh_tokens::{RefreshTokens, TokenLifetimes};
use super::sessions::SessionUser;
use crate::clock::Clock;
use crate::error::AuthError;
use crate::store::TokenStore;

/// The maximum number of passes over the families, because requests may start further ones meanwhile.
const MAX_PASSES: usize = 5;
/// Lifetime of the record of a revoked family.
const REVOKED_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Lists and ends the sign-ins of an authorization server through its store.
pub struct SessionAdmin {
    records: RecordStore,
    refresh_tokens: RefreshTokens,
}

impl SessionAdmin {
    /// Creates the administration of the server that keeps its records in `store`.
    pub fn new(store: Arc<dyn TokenStore>, clock: Clock) -> SessionAdmin {
        let records = RecordStore::new(store, clock);
        let lifetimes =
            TokenLifetimes { idle: REVOKED_LIFETIME, longest: REVOKED_LIFETIME, grace: Duration::ZERO };
        SessionAdmin { refresh_tokens: RefreshTokens::new(records.clone(), lifetimes), records }
    }

    /// Returns the subjects of the signed-in users, with the number of clients of each.
    pub async fn signed_in(&self) -> Result<BTreeMap<String, usize>, AuthError> {
        let mut users = BTreeMap::new();
        for (_, subject) in self.refresh_tokens.active_families().await? {
            *users.entry(subject).or_default() += 1;
        }
        Ok(users)
    }

    /// Signs a user out of all browsers and clients, and returns the number of both. A running server refuses their
    /// access tokens within ten seconds.
    pub async fn sign_out(&self, subject: &str) -> Result<usize, AuthError> {
        // A session creates codes, and a code creates a token family. So they are ended in this order.
        let sessions = self.end_sessions(subject).await?;
        self.delete_codes(subject).await?;
        Ok(sessions + self.revoke_families(subject).await?)
    }

    async fn end_sessions(&self, subject: &str) -> Result<usize, AuthError> {
        let mut ended = 0;
        for name in self.names("session").await? {
            let found = self.records.get::<SessionUser>(&name).await?;
            if found.is_some_and(|found| found.value.subject == subject) {
                ended += usize::from(self.records.take::<SessionUser>(&name).await?.is_some());
            }
        }
        Ok(ended)
    }

    async fn delete_codes(&self, subject: &str) -> Result<(), AuthError> {
        for name in self.names("code").await? {
            let code = self.records.get::<CodeRecord>(&name).await?.map(|found| found.value);
            if matches!(code, Some(CodeRecord::Unused { subject: owner, .. }) if owner == subject) {
                self.records.take::<CodeRecord>(&name).await?;
            }
        }
        Ok(())
    }

    async fn revoke_families(&self, subject: &str) -> Result<usize, AuthError> {
        let mut revoked = 0;
        // A code that was redeemed just before may have started a family during a pass.
        for _ in 0..MAX_PASSES {
            let active = self.refresh_tokens.active_families().await?;
            let families: Vec<_> = active.into_iter().filter(|(_, owner)| owner == subject).collect();
            for (name, _) in &families {
                self.refresh_tokens.revoke(name).await?;
            }
            if families.is_empty() {
                break;
            }
            revoked += families.len();
        }
        Ok(revoked)
    }

    async fn names(&self, kind: &str) -> Result<Vec<String>, AuthError> {
        let names = self.records.names(kind).await?;
        Ok(names.into_iter().map(|name| format!("{kind}/{name}")).collect())
    }
}
