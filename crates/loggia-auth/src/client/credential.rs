//! The records of a client: what it was given, by whom, for what.
//!
//! A credential names the issuer it comes from and the resource it is for, and is used with no other.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::AuthError;
use super::store::{Stored, TokenStore, UNREADABLE};
use super::token::{AuthMethod, ClientAuth, KnownClient};
use crate::clock;
use crate::scope::Scopes;
use crate::secret::Secret;

/// A token with all that belongs to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credential {
    /// Who gave it.
    pub issuer: String,
    /// Whether the issuer was found where servers of 2025-03-26 have it.
    #[serde(default)]
    pub of_march: bool,
    /// What it is for.
    pub resource: String,
    /// To which client it was given.
    pub client: KeptClient,
    /// The sign-in it comes from: the same for all tokens that renew each other.
    #[serde(default)]
    pub session: String,
    /// The token.
    #[serde(serialize_with = "Secret::reveal")]
    pub access_token: Secret,
    /// Whether it is bound to a key (RFC 9449) and not for whoever bears it.
    #[serde(default)]
    pub dpop: bool,
    /// The key it is bound to: PKCS #8 in base64url.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub dpop_key: Option<Secret>,
    /// When it was given, in seconds since 1970.
    pub obtained_at: u64,
    /// When it ends, where the server says.
    #[serde(default)]
    pub expires_at: Option<u64>,
    /// What renews it.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// The scopes that were asked for.
    #[serde(default)]
    pub requested: Scopes,
    /// The scopes that were given.
    #[serde(default)]
    pub granted: Scopes,
}

/// A client, as it is kept with what was given to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeptClient {
    /// Its name.
    pub client_id: String,
    /// How it proves who it is.
    pub method: AuthMethod,
    /// What it proves itself with, where that is a secret.
    #[serde(default, serialize_with = "Secret::reveal_option", skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl From<&KnownClient> for KeptClient {
    fn from(client: &KnownClient) -> KeptClient {
        let secret = match &client.auth {
            ClientAuth::Secret(secret) => Some(secret.clone()),
            ClientAuth::None | ClientAuth::Key(_) => None,
        };
        KeptClient { client_id: client.client_id.clone(), method: client.method, secret }
    }
}

impl KeptClient {
    pub(crate) fn known(&self) -> KnownClient {
        let auth = self.secret.clone().map_or(ClientAuth::None, ClientAuth::Secret);
        KnownClient { client_id: self.client_id.clone(), auth, method: self.method }
    }
}

/// The longest time before its end that a token is renewed.
const MOST_AHEAD: u64 = 120;

impl Credential {
    /// Whether the token has ended.
    pub fn is_over(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|end| end <= clock::seconds(now))
    }

    /// Whether the token ends soon: after a tenth of its life at most, so that a clock that is wrong by
    /// less does no harm.
    pub fn ends_soon(&self, now: SystemTime) -> bool {
        let Some(end) = self.expires_at else { return false };
        let life = end.saturating_sub(self.obtained_at);
        end.saturating_sub((life / 10).min(MOST_AHEAD)) <= clock::seconds(now)
    }

    /// How long the token lasts, where the server says.
    pub fn remaining(&self, now: SystemTime) -> Option<Duration> {
        self.expires_at.map(|end| Duration::from_secs(end.saturating_sub(clock::seconds(now))))
    }
}

/// A record with the revision it was read or written at.
#[derive(Debug, Clone)]
pub(crate) struct Versioned<T> {
    pub(crate) record: T,
    pub(crate) revision: u64,
}

pub(crate) async fn load<T: for<'de> Deserialize<'de>>(
    store: &dyn TokenStore,
    key: &str,
) -> Result<Option<Versioned<T>>, AuthError> {
    let Some(Stored { value, revision }) = store.load(key).await? else { return Ok(None) };
    let record = serde_json::from_str(value.expose()).map_err(|error| {
        // The text around the error could be a part of a secret, so only its kind is told.
        AuthError::Unreadable(format!("the record {key} cannot be read ({:?})", error.classify()))
    })?;
    Ok(Some(Versioned { record, revision }))
}

/// Takes a record away, whether or not it can be read.
pub(crate) async fn discard(store: &dyn TokenStore, key: &str) -> Result<(), AuthError> {
    let revision = match store.load(key).await {
        Ok(None) => return Ok(()),
        Ok(Some(stored)) => stored.revision,
        Err(AuthError::Unreadable(_)) => UNREADABLE,
        Err(error) => return Err(error),
    };
    store.remove(key, revision).await.map(drop)
}

/// What can be had again, and is of no use if it cannot be read: then it counts as none.
pub(crate) async fn load_or_discard<T: for<'de> Deserialize<'de>>(
    store: &dyn TokenStore,
    key: &str,
) -> Result<Option<Versioned<T>>, AuthError> {
    match load(store, key).await {
        Err(AuthError::Unreadable(why)) => {
            tracing::warn!(why, "a record is put away");
            discard(store, key).await?;
            Ok(None)
        }
        other => other,
    }
}

pub(crate) fn written<T: Serialize>(record: &T) -> Result<Secret, AuthError> {
    let text = serde_json::to_string(record);
    text.map(Secret::new).map_err(|error| AuthError::Store(format!("a record cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_ahead_of_their_end() {
        let credential = |life: Option<u64>| -> Credential {
            serde_json::from_value(serde_json::json!({
                "issuer": "i", "resource": "r", "client": { "client_id": "c", "method": "none" }, "access_token": "t",
                "obtained_at": 1000, "expires_at": life.map(|life| 1000 + life),
            }))
            .unwrap()
        };
        // Life, time after it was given, ends soon, is over.
        let table = [
            (None, u64::MAX >> 20, false, false),
            (Some(3600), 0, false, false),
            (Some(3600), 3479, false, false),
            (Some(3600), 3480, true, false),
            (Some(3600), 3600, true, true),
            (Some(60), 53, false, false),
            (Some(60), 54, true, false),
            (Some(0), 0, true, true),
        ];
        for (life, after, soon, over) in table {
            let (credential, now) = (credential(life), clock::from_seconds(1000 + after));
            assert_eq!(
                (credential.ends_soon(now), credential.is_over(now)),
                (soon, over),
                "{life:?} {after}"
            );
        }
    }

    #[test]
    fn a_credential_is_not_shown() {
        let text = r#"{"issuer":"i","resource":"r","client":{"client_id":"c","method":"none"},"access_token":"sesame",
            "refresh_token":"open","obtained_at":1}"#;
        let credential: Credential = serde_json::from_str(text).unwrap();
        let shown = format!("{credential:?}");
        assert!(!shown.contains("sesame") && !shown.contains("open"), "{shown}");
        assert!(written(&credential).unwrap().expose().contains("sesame"));
    }
}
