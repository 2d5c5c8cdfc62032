//! Who is signed in, seen from beside a running server, and the end of that for somebody who leaves: nobody else asks
//! their identity provider again before a refresh token ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::authorize::{Code, Session};
use super::family::Families;
use super::records::Records;
use crate::clock::Clock;
use crate::error::AuthError;
use crate::store::TokenStore;

/// How often it is looked whether that was all.
const ROUNDS: usize = 5;

/// The people of an authorization server, by what it keeps in its store.
pub struct People {
    records: Records,
    families: Families,
    clock: Clock,
}

impl People {
    /// Those of the server that keeps its records in this store.
    pub fn new(store: Arc<dyn TokenStore>, clock: Clock) -> People {
        let records = Records::new(store, clock.clone());
        People { families: Families::reading(records.clone(), clock.clone()), records, clock }
    }

    /// Who is signed in, and with how many programs.
    pub async fn signed_in(&self) -> Result<BTreeMap<String, usize>, AuthError> {
        let mut people = BTreeMap::new();
        for (_, subject) in self.families.lasting().await? {
            *people.entry(subject).or_default() += 1;
        }
        Ok(people)
    }

    /// Signs somebody out, in every browser and every program. How many of both that were. A running server refuses
    /// their access tokens within ten seconds.
    pub async fn sign_out(&self, subject: &str) -> Result<usize, AuthError> {
        // First what could become more of the rest.
        let mut ended = 0;
        for name in self.names("session").await? {
            let theirs = self.records.get::<Session>(&name).await?;
            if theirs.is_some_and(|found| found.value.subject == subject) {
                ended += usize::from(self.records.take::<Session>(&name).await?.is_some());
            }
        }
        for name in self.names("code").await? {
            let code = self.records.get::<Code>(&name).await?.map(|found| found.value);
            if matches!(code, Some(Code::Fresh { subject: own, .. }) if own == subject) {
                self.records.take::<Code>(&name).await?;
            }
        }
        // A code that was redeemed just now may have become one while they were counted.
        for _ in 0..ROUNDS {
            let lasting = self.families.lasting().await?;
            let theirs: Vec<_> = lasting.into_iter().filter(|(_, own)| own == subject).collect();
            for (name, _) in &theirs {
                self.families.end(name, (self.clock)()).await?;
            }
            if theirs.is_empty() {
                break;
            }
            ended += theirs.len();
        }
        Ok(ended)
    }

    async fn names(&self, kind: &str) -> Result<Vec<String>, AuthError> {
        let names = self.records.names(kind).await?;
        Ok(names.into_iter().map(|name| format!("{kind}/{name}")).collect())
    }
}
