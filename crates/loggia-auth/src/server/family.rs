//! Refresh tokens. Each is used once and gives the next; all that come from one sign-in are a family. One
//! that comes back after it was used means that two have it, and nobody can tell which of them is the
//! thief: the family ends (OAuth 2.1, section 4.3.1).
//!
//! A client that dies between our answer and its disk still has the old token. So the old one counts for a
//! short while longer, as long as none of its successors was used. A thief gains nothing by that: as soon
//! as both have used theirs, the family ends all the same.
//!
//! The name of a family is in every access token of it, which servers see. What a refresh token begins with is not: from
//! the name nobody can make up one that would be taken for an old one, and end the family.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::ended::Ended;
use super::http::OAuthError;
use super::records::Records;
use crate::clock::{self, Clock};
use crate::error::AuthError;
use crate::jose::{random, sha256};

const PREFIX: &str = "lgr_";
/// How long one that ended from beside its server is known for what it was.
const ENDED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Most successors of one token that wait to be used.
const MOST_LIVE: usize = 32;

/// What was granted, to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Granted {
    pub(super) subject: String,
    pub(super) client: String,
    pub(super) scopes: Vec<String>,
    pub(super) resource: String,
    /// The key that the client's refresh tokens are bound to, where it is a public one.
    pub(super) key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Family {
    granted: Granted,
    /// Digests of the tokens that count.
    live: Vec<String>,
    /// The digest of the one that was used last, and when.
    spent: Option<(String, u64)>,
    ends: u64,
    ended: bool,
}

/// The families, and those that ended lately.
#[derive(Clone)]
pub(super) struct Families {
    records: Records,
    idle: Duration,
    longest: Duration,
    grace: Duration,
    pub(super) ended: Arc<Ended>,
}

impl Families {
    pub(super) fn new(
        records: Records,
        clock: Clock,
        idle: Duration,
        longest: Duration,
        grace: Duration,
    ) -> Families {
        let ended = Arc::new(Ended::new(records.clone(), clock));
        Families { records, idle, longest, grace, ended }
    }

    /// For looking at those there are, and ending them.
    pub(super) fn reading(records: Records, clock: Clock) -> Families {
        Families::new(records, clock, ENDED, ENDED, Duration::ZERO)
    }

    /// The name and the subject of each that has not ended.
    pub(super) async fn lasting(&self) -> Result<Vec<(String, String)>, AuthError> {
        let mut lasting = Vec::new();
        for name in self.records.names("family").await? {
            let found = self.records.get::<Family>(&record(&name)).await?;
            if let Some(family) = found.map(|found| found.value).filter(|family| !family.ended) {
                lasting.push((name, family.granted.subject));
            }
        }
        Ok(lasting)
    }

    /// What a family that may come to be is [named](name_of) by.
    pub(super) fn seed() -> String {
        random(16)
    }

    /// Begins a family; its first token. `None`: it has ended meanwhile.
    pub(super) async fn begin(
        &self,
        seed: &str,
        granted: Granted,
        now: SystemTime,
    ) -> Result<Option<String>, AuthError> {
        let (name, (token, digest)) = (&named(seed), token(seed));
        let ends = clock::seconds(now + self.longest);
        let family = Family { granted, live: vec![digest], spent: None, ends, ended: false };
        if !self.records.add(&record(name), &family, Some(self.until(&family, now))).await? {
            return Err(AuthError::Store("there is such a family already".to_owned()));
        }
        // Whoever ended it before it was there could not see it; now one of the two sees the other.
        if self.ended.holds(name).await? {
            self.end(name, now).await?;
            return Ok(None);
        }
        Ok(Some(token))
    }

    fn until(&self, family: &Family, now: SystemTime) -> SystemTime {
        (now + self.idle).min(clock::from_seconds(family.ends))
    }

    /// What a token was granted for, without using it.
    pub(super) async fn look(&self, token: &str) -> Result<(String, Granted), OAuthError> {
        let name = name_of(token).ok_or_else(unknown)?;
        let found = self.records.get::<Family>(&record(&name)).await?.ok_or_else(unknown)?;
        Ok((name, found.value.granted))
    }

    /// Uses a token; the next one.
    pub(super) async fn rotate(&self, token_used: &str, now: SystemTime) -> Result<String, OAuthError> {
        let seed = seed_of(token_used).ok_or_else(unknown)?;
        let (name, digest) = (&named(seed), sha256(token_used));
        for _ in 0..10 {
            let found = self.records.get::<Family>(&record(name)).await?.ok_or_else(unknown)?;
            let mut family = found.value;
            if family.ended {
                return Err(unknown());
            }
            let (next, next_digest) = token(seed);
            if family.live.contains(&digest) {
                family.live = vec![next_digest];
                family.spent = Some((digest.clone(), clock::seconds(now)));
            } else if self.is_excused(&family, &digest, now) {
                family.live.push(next_digest);
            } else {
                tracing::warn!(
                    client = family.granted.client,
                    subject = family.granted.subject,
                    "a refresh token was used twice: the sign-in ends"
                );
                self.end(name, now).await?;
                return Err(OAuthError::new(
                    "invalid_grant",
                    "The refresh token was used before: sign in again",
                ));
            }
            let until = self.until(&family, now);
            if self.records.replace(&record(name), &family, found.revision, Some(until)).await? {
                return Ok(next);
            }
        }
        Err(OAuthError::new("temporarily_unavailable", "Too many use this refresh token at once"))
    }

    fn is_excused(&self, family: &Family, digest: &str, now: SystemTime) -> bool {
        let recent = |at: u64| clock::seconds(now).saturating_sub(at) < self.grace.as_secs();
        let last = family.spent.as_ref().is_some_and(|(spent, at)| spent == digest && recent(*at));
        last && family.live.len() < MOST_LIVE
    }

    /// Ends a family. Its record stays, so that a token that comes back is known for what it is.
    pub(super) async fn end(&self, name: &str, now: SystemTime) -> Result<(), AuthError> {
        self.ended.remember(name, now).await?;
        for _ in 0..10 {
            let Some(found) = self.records.get::<Family>(&record(name)).await? else { return Ok(()) };
            let family = Family { ended: true, live: Vec::new(), ..found.value };
            let until = self.until(&family, now);
            if self.records.replace(&record(name), &family, found.revision, Some(until)).await? {
                return Ok(());
            }
        }
        Err(AuthError::StoreUnavailable("a sign-in could not be ended".to_owned()))
    }
}

fn unknown() -> OAuthError {
    OAuthError::new("invalid_grant", "The refresh token is not valid: sign in again")
}

fn record(name: &str) -> String {
    format!("family/{name}")
}

fn token(seed: &str) -> (String, String) {
    let token = format!("{PREFIX}{seed}.{}", random(32));
    let digest = sha256(&token);
    (token, digest)
}

/// The family that a token is of.
pub(super) fn name_of(token: &str) -> Option<String> {
    seed_of(token).map(named)
}

fn seed_of(token: &str) -> Option<&str> {
    let (seed, secret) = token.strip_prefix(PREFIX)?.split_once('.')?;
    (seed.len() == 22 && secret.len() == 43).then_some(seed)
}

/// The name of the family with a seed.
pub(super) fn named(seed: &str) -> String {
    let mut name = sha256(seed);
    name.truncate(22);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    /// A code is shown by two at once: the second finds out before the first has its refresh token.
    #[tokio::test]
    async fn what_ended_before_it_began_does_not_begin() {
        let clock: Clock = clock::system();
        let records = Records::new(Arc::new(MemoryStore::new()), clock.clone());
        let day = Duration::from_secs(24 * 60 * 60);
        let families = Families::new(records, clock.clone(), day, day, Duration::ZERO);
        let granted = Granted {
            subject: "ada".to_owned(),
            client: "cli".to_owned(),
            scopes: Vec::new(),
            resource: String::new(),
            key: None,
        };
        let (one, other) = (Families::seed(), Families::seed());
        families.end(&named(&one), clock()).await.unwrap();
        assert_eq!(families.begin(&one, granted.clone(), clock()).await.unwrap(), None);
        let token = families.begin(&other, granted, clock()).await.unwrap().expect("nobody ended this one");
        assert_eq!(name_of(&token), Some(named(&other)));
        assert!(families.rotate(&token, clock()).await.is_ok());
    }
}
