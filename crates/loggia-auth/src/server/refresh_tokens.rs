//! Refresh tokens, with rotation (OAuth 2.1, section 4.3.1).
//!
//! Each token is used once and replaced by the next. All tokens of one sign-in are a *token family*. If a used token
//! is presented again, two parties have it, and the server cannot know which of them is the client. So it revokes the
//! family.
//!
//! A client that crashes after the server answered, and before it saved the new token, still has the old one. So the
//! old token stays valid for a short grace period while none of its successors is used. An attacker gains nothing:
//! after both parties have used their tokens, the family is revoked.
//!
//! Each access token contains the name of its family, and resource servers see it. A refresh token begins with the
//! secret seed of this name, so that a party that knows the name cannot make a token that gets the family revoked.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::http::OAuthError;
use super::records::RecordStore;
use super::revoked::RevokedFamilies;
use crate::clock;
use crate::error::AuthError;
use crate::jose::{random, sha256};

const PREFIX: &str = "lgr_";
/// The maximum number of unused successors of one token.
const MAX_SUCCESSORS: usize = 32;
/// The maximum number of attempts to change a record that other requests change at the same time.
const MAX_ATTEMPTS: usize = 10;
const SEED_LENGTH: usize = 22;
const SECRET_LENGTH: usize = 43;

/// The access that a user allowed a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GrantedAccess {
    pub(super) subject: String,
    pub(super) client: String,
    pub(super) scopes: Vec<String>,
    pub(super) resource: String,
    /// The thumbprint of the key that a public client's refresh tokens are bound to.
    #[serde(rename = "key")]
    pub(super) refresh_key: Option<String>,
}

/// The record of a token family.
#[derive(Serialize, Deserialize)]
struct TokenFamily {
    #[serde(rename = "granted")]
    access: GrantedAccess,
    /// Digests of the tokens that were not used.
    live: Vec<String>,
    /// The digest of the token that was used last, and the time of its use.
    spent: Option<(String, u64)>,
    #[serde(rename = "ends")]
    expires: u64,
    #[serde(rename = "ended")]
    is_revoked: bool,
}

/// The lifetimes of refresh tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenLifetimes {
    /// The lifetime of an unused token.
    pub(super) idle: Duration,
    /// The lifetime of all tokens of a family together.
    pub(super) longest: Duration,
    /// The lifetime of a used token while none of its successors is used.
    pub(super) grace: Duration,
}

impl Default for TokenLifetimes {
    fn default() -> TokenLifetimes {
        let day = Duration::from_secs(24 * 60 * 60);
        TokenLifetimes { idle: 30 * day, longest: 365 * day, grace: Duration::from_secs(30) }
    }
}

/// Issues, rotates and revokes refresh tokens.
#[derive(Clone)]
pub(super) struct RefreshTokens {
    records: RecordStore,
    lifetimes: TokenLifetimes,
    revoked: Arc<RevokedFamilies>,
}

impl RefreshTokens {
    pub(super) fn new(records: RecordStore, lifetimes: TokenLifetimes) -> RefreshTokens {
        let revoked = Arc::new(RevokedFamilies::new(records.clone()));
        RefreshTokens { records, lifetimes, revoked }
    }

    /// Returns the families that were revoked recently.
    pub(super) fn revoked(&self) -> &Arc<RevokedFamilies> {
        &self.revoked
    }

    /// Returns the name and the subject of each family that is not revoked.
    pub(super) async fn active_families(&self) -> Result<Vec<(String, String)>, AuthError> {
        let mut active = Vec::new();
        for name in self.records.names("family").await? {
            let found = self.records.get::<TokenFamily>(&record_name(&name)).await?;
            if let Some(family) = found.map(|found| found.value).filter(|family| !family.is_revoked) {
                active.push((name, family.access.subject));
            }
        }
        Ok(active)
    }

    /// Starts a family and returns its first token; `None` if the family has been revoked already.
    pub(super) async fn start(&self, seed: &str, access: GrantedAccess) -> Result<Option<String>, AuthError> {
        let now = self.records.now();
        let (name, (token, digest)) = (family_name(seed), new_token(seed));
        let expires = clock::seconds(now + self.lifetimes.longest);
        let family = TokenFamily { access, live: vec![digest], spent: None, expires, is_revoked: false };
        if !self.records.add(&record_name(&name), &family, Some(self.record_expiry(&family, now))).await? {
            return Err(AuthError::Store("a token family of this name exists already".to_owned()));
        }
        // A revocation before this record existed could not change it. One of the two requests sees the other.
        if self.revoked.contains(&name).await? {
            self.revoke(&name).await?;
            return Ok(None);
        }
        Ok(Some(token))
    }

    fn record_expiry(&self, family: &TokenFamily, now: SystemTime) -> SystemTime {
        (now + self.lifetimes.idle).min(clock::from_seconds(family.expires))
    }

    /// Returns the family of a token, and its access, without using the token.
    pub(super) async fn find(&self, token: &str) -> Result<(String, GrantedAccess), OAuthError> {
        let name = family_name(seed_of(token).ok_or_else(unknown)?);
        let found = self.records.get::<TokenFamily>(&record_name(&name)).await?.ok_or_else(unknown)?;
        Ok((name, found.value.access))
    }

    /// Uses a token and returns the next one. Revokes the family if the token was used before.
    pub(super) async fn rotate(&self, token: &str) -> Result<String, OAuthError> {
        let now = self.records.now();
        let seed = seed_of(token).ok_or_else(unknown)?;
        let (name, digest) = (family_name(seed), sha256(token));
        for _ in 0..MAX_ATTEMPTS {
            let found = self.records.get::<TokenFamily>(&record_name(&name)).await?.ok_or_else(unknown)?;
            let mut family = found.value;
            if family.is_revoked {
                return Err(unknown());
            }
            let (next, next_digest) = new_token(seed);
            if family.live.contains(&digest) {
                family.live = vec![next_digest];
                family.spent = Some((digest.clone(), clock::seconds(now)));
            } else if self.is_within_grace(&family, &digest, now) {
                family.live.push(next_digest);
            } else {
                return Err(self.revoke_reused(&name, &family).await?);
            }
            let expiry = Some(self.record_expiry(&family, now));
            if self.records.replace(&record_name(&name), &family, found.revision, expiry).await? {
                return Ok(next);
            }
        }
        let why = "Too many requests use this refresh token at once";
        Err(OAuthError::new("temporarily_unavailable", why))
    }

    fn is_within_grace(&self, family: &TokenFamily, digest: &str, now: SystemTime) -> bool {
        let is_recent = |at: u64| clock::seconds(now).saturating_sub(at) < self.lifetimes.grace.as_secs();
        let is_last = family.spent.as_ref().is_some_and(|(spent, at)| spent == digest && is_recent(*at));
        is_last && family.live.len() < MAX_SUCCESSORS
    }

    async fn revoke_reused(&self, name: &str, family: &TokenFamily) -> Result<OAuthError, AuthError> {
        let GrantedAccess { client, subject, .. } = &family.access;
        tracing::warn!(client, subject, "a refresh token was used twice: the sign-in ends");
        self.revoke(name).await?;
        Ok(OAuthError::new("invalid_grant", "The refresh token was used before: sign in again"))
    }

    /// Revokes a family, also one that does not exist yet. Its record is kept, so that its tokens are recognized.
    pub(super) async fn revoke(&self, name: &str) -> Result<(), AuthError> {
        let now = self.records.now();
        self.revoked.add(name).await?;
        for _ in 0..MAX_ATTEMPTS {
            let Some(found) = self.records.get::<TokenFamily>(&record_name(name)).await? else {
                return Ok(());
            };
            let family = TokenFamily { is_revoked: true, live: Vec::new(), ..found.value };
            let expiry = Some(self.record_expiry(&family, now));
            if self.records.replace(&record_name(name), &family, found.revision, expiry).await? {
                return Ok(());
            }
        }
        Err(AuthError::StoreUnavailable("a sign-in could not be revoked".to_owned()))
    }
}

fn unknown() -> OAuthError {
    OAuthError::new("invalid_grant", "The refresh token is not valid: sign in again")
}

fn record_name(family: &str) -> String {
    format!("family/{family}")
}

/// Returns a new token of a family, and its digest.
fn new_token(seed: &str) -> (String, String) {
    let token = format!("{PREFIX}{seed}.{}", random(32));
    let digest = sha256(&token);
    (token, digest)
}

/// Returns whether a text has the form of a refresh token.
pub(super) fn is_refresh_token(text: &str) -> bool {
    seed_of(text).is_some()
}

fn seed_of(token: &str) -> Option<&str> {
    let (seed, secret) = token.strip_prefix(PREFIX)?.split_once('.')?;
    (seed.len() == SEED_LENGTH && secret.len() == SECRET_LENGTH).then_some(seed)
}

/// Returns the seed of a new family.
pub(super) fn new_seed() -> String {
    random(16)
}

/// Returns the name of the family with a seed.
pub(super) fn family_name(seed: &str) -> String {
    let mut name = sha256(seed);
    name.truncate(SEED_LENGTH);
    name
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::server::testing::TestClock;

    /// Returns the access of the client `cli` for a user.
    pub(in crate::server) fn access(subject: &str) -> GrantedAccess {
        GrantedAccess {
            subject: subject.to_owned(),
            client: "cli".to_owned(),
            scopes: Vec::new(),
            resource: String::new(),
            refresh_key: None,
        }
    }

    fn refresh_tokens(clock: &TestClock) -> RefreshTokens {
        RefreshTokens::new(clock.records(), TokenLifetimes::default())
    }

    /// Two requests present one code: the second one revokes the family before the first one starts it.
    #[tokio::test]
    async fn a_family_that_was_revoked_does_not_start() {
        let tokens = refresh_tokens(&TestClock::new());
        let (revoked, other) = (new_seed(), new_seed());
        tokens.revoke(&family_name(&revoked)).await.unwrap();
        assert_eq!(tokens.start(&revoked, access("ada")).await.unwrap(), None);
        let token = tokens.start(&other, access("bob")).await.unwrap().expect("it is not revoked");
        assert_eq!(tokens.find(&token).await.unwrap(), (family_name(&other), access("bob")));
        assert!(tokens.rotate(&token).await.is_ok());
        let active = tokens.active_families().await.unwrap();
        assert_eq!(active, [(family_name(&other), "bob".to_owned())]);
    }

    /// The number of a token that is used, and the pause before.
    type TokenUse = (usize, u64);

    /// Each line: the uses, and whether each is accepted.
    #[tokio::test]
    async fn a_used_token_is_accepted_within_the_grace_period_only() {
        let table: [(&[TokenUse], &[bool]); 5] = [
            (&[(0, 0), (1, 0), (2, 0)], &[true, true, true]),
            // The client crashed and uses the old token again.
            (&[(0, 0), (0, 29), (2, 0)], &[true, true, true]),
            (&[(0, 0), (0, 30), (1, 0)], &[true, false, false]),
            // Both successors are used: one of them is an attacker's.
            (&[(0, 0), (0, 0), (1, 0), (2, 0)], &[true, true, true, false]),
            (&[(0, 30 * 24 * 60 * 60)], &[false]),
        ];
        for (uses, expected) in table {
            let clock = TestClock::new();
            let tokens = refresh_tokens(&clock);
            let mut known = vec![tokens.start(&new_seed(), access("ada")).await.unwrap().unwrap()];
            let mut outcomes = Vec::new();
            for (n, pause) in uses {
                clock.advance(*pause);
                let next = tokens.rotate(&known[*n]).await;
                outcomes.push(next.is_ok());
                known.extend(next);
            }
            assert_eq!(outcomes, expected, "{uses:?}");
        }
    }
}
