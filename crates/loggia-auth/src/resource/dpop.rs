//! Verification of DPoP proofs (RFC 9449), which bind an access token to a key of the client.
//!
//! A proof is a JWT that the client signs for one request. It is checked against that request, the access token and the
//! clock, and is accepted once.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, Method};
use ring::hmac;
use ring::rand::SystemRandom;
use serde::Deserialize;
use url::{Position, Url};

use crate::clock;
use crate::error::AuthError;
use crate::jose::{Algorithm, Jwt, NumericDate, decode, encode, sha256};
use crate::secret::Secret;
use crate::store::TokenStore;

/// The algorithms that proofs may be signed with.
pub const PROOF_ALGORITHMS: &[Algorithm] =
    &[Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256];

const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The maximum difference between the time of a proof and the clock, in either direction.
const WINDOW: Duration = Duration::from_secs(60);
/// The number of seconds during which a nonce is issued. It is accepted for the same time after that.
const NONCE_SECONDS: u64 = 120;
/// The maximum number of used proofs that are recorded, in each of two generations.
const MAX_USED: usize = 900_000;
/// The maximum length of a `jti` or nonce, in bytes.
const MAX_TEXT: usize = 256;

/// The policy of a resource server for DPoP: whether it accepts or requires bound tokens.
#[derive(Clone)]
pub struct DpopPolicy {
    required: bool,
    verifier: Arc<ProofVerifier>,
    store: Option<Arc<dyn TokenStore>>,
}

impl DpopPolicy {
    /// Accepts bound tokens and bearer tokens. A bound token is never accepted without a proof.
    pub fn accepted() -> DpopPolicy {
        DpopPolicy { required: false, verifier: Arc::default(), store: None }
    }

    /// Accepts only bound tokens.
    pub fn required() -> DpopPolicy {
        DpopPolicy { required: true, ..DpopPolicy::accepted() }
    }

    /// Requires a nonce of this server in proofs, so that proofs cannot be made long in advance. Replicas need the
    /// same key.
    pub fn nonces(mut self, key: NonceKey) -> DpopPolicy {
        self.verifier = Arc::new(ProofVerifier { nonces: Some(key), ..ProofVerifier::default() });
        self
    }

    /// Accepts a proof once among all replicas that share a store, instead of once at each. Each request with a bound
    /// token then writes to the store. Without it, [`nonces`](DpopPolicy::nonces) and the validity of one minute
    /// limit the use of a stolen proof at another replica.
    pub fn shared(mut self, store: Arc<dyn TokenStore>) -> DpopPolicy {
        self.store = Some(store);
        self
    }

    /// Records a proof for all replicas. Returns `false` if another one has recorded it.
    pub(super) async fn record(&self, proof: &DpopProof, now: SystemTime) -> Result<bool, AuthError> {
        match &self.store {
            Some(store) => proof.record_once(&**store, now).await,
            None => Ok(true),
        }
    }

    pub(super) fn is_required(&self) -> bool {
        self.required
    }

    pub(super) fn verifier(&self) -> &ProofVerifier {
        &self.verifier
    }
}

/// The key that makes and verifies nonces, so that none is stored.
#[derive(Clone)]
pub struct NonceKey(hmac::Key);

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey")
    }
}

impl NonceKey {
    /// Creates a key from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> NonceKey {
        NonceKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Creates a random key, which is known only in this process.
    pub fn random() -> NonceKey {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        NonceKey(key.expect("the operating system has random numbers"))
    }

    /// Returns the nonce for a time.
    pub fn nonce(&self, now: SystemTime) -> String {
        self.nonce_of(clock::seconds(now) / NONCE_SECONDS)
    }

    fn nonce_of(&self, period: u64) -> String {
        let period = period.to_be_bytes();
        encode([&period, &hmac::sign(&self.0, &period).as_ref()[..16]].concat())
    }

    fn accepts(&self, nonce: &str, now: SystemTime) -> bool {
        let current = clock::seconds(now) / NONCE_SECONDS;
        let period = decode(nonce).ok().filter(|bytes| bytes.len() == 24);
        let period = period.and_then(|bytes| Some(u64::from_be_bytes(bytes[..8].try_into().ok()?)));
        let recent = period.filter(|period| (current.saturating_sub(1)..=current).contains(period));
        recent.is_some_and(|period| Secret::new(self.nonce_of(period)) == Secret::new(nonce))
    }
}

/// A proof that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpopProof {
    /// The thumbprint of the key that signed it.
    pub key: String,
    /// The name under which it is recorded.
    name: String,
}

impl DpopProof {
    /// Records the proof in a store while it is valid. Returns `false` if it was recorded before.
    pub(crate) async fn record_once(
        &self,
        store: &dyn TokenStore,
        now: SystemTime,
    ) -> Result<bool, AuthError> {
        let name = format!("proof/{}", self.name);
        Ok(store.save(&name, Secret::new("used"), None, Some(now + 2 * WINDOW)).await?.is_some())
    }
}

/// An error of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofError {
    /// The request has no proof.
    Missing,
    /// The proof is not valid, for this reason.
    Invalid(String),
    /// The proof must hold this nonce.
    Nonce(String),
}

#[derive(Deserialize)]
struct ProofClaims {
    jti: String,
    htm: String,
    htu: String,
    iat: NumericDate,
    #[serde(default)]
    ath: Option<String>,
    #[serde(default)]
    nonce: Option<String>,
}

/// Verifies proofs, and records them while they are valid.
#[derive(Default)]
pub struct ProofVerifier {
    nonces: Option<NonceKey>,
    used: Mutex<UsedProofs>,
}

/// The proofs that were used, in two generations. The older one is dropped when no proof in it is valid.
#[derive(Default)]
struct UsedProofs {
    started: u64,
    current: HashSet<[u8; 16]>,
    previous: HashSet<[u8; 16]>,
}

impl ProofVerifier {
    /// Creates a verifier that requires a nonce of this key.
    pub fn with_nonces(key: NonceKey) -> ProofVerifier {
        ProofVerifier { nonces: Some(key), ..ProofVerifier::default() }
    }

    /// Returns the nonce for the next proof; `None` if nonces are not required.
    pub fn nonce(&self, now: SystemTime) -> Option<String> {
        self.nonces.as_ref().map(|key| key.nonce(now))
    }

    /// Returns whether a request has a proof.
    pub fn is_present(headers: &HeaderMap) -> bool {
        headers.contains_key(DPOP)
    }

    /// Verifies the proof of a request (RFC 9449, section 4.3). `urls` are the URLs of the requested resource;
    /// `token` is the access token of the request, if it has one.
    pub fn check(
        &self,
        headers: &HeaderMap,
        method: &Method,
        urls: &[&Url],
        token: Option<&str>,
        now: SystemTime,
    ) -> Result<DpopProof, ProofError> {
        let invalid = |why: &str| ProofError::Invalid(why.to_owned());
        let mut values = headers.get_all(DPOP).iter();
        let proof = values.next().ok_or(ProofError::Missing)?;
        if values.next().is_some() {
            return Err(invalid("There must be one DPoP header"));
        }
        let proof = proof.to_str().map_err(|_| invalid("The DPoP header is not a token"))?;
        let (claims, key) =
            read(proof).map_err(|error| ProofError::Invalid(format!("The proof is refused: {error}")))?;
        if claims.htm != method.as_str() {
            return Err(invalid("The proof is for another method (htm)"));
        }
        if !urls.iter().any(|url| same_target(&claims.htu, url)) {
            return Err(invalid("The proof is for another URL (htu)"));
        }
        if let Some(token) = token
            && claims.ath.as_deref() != Some(&sha256(token))
        {
            return Err(invalid("The proof is for another access token (ath)"));
        }
        self.check_nonce(claims.nonce.as_deref(), now)?;
        if distance(claims.iat.time(), now) > WINDOW {
            return Err(invalid("The proof is too old, or from the future (iat): is the clock right?"));
        }
        let name = sha256(format!("{key} {}", claims.jti));
        self.record(&name, &claims.jti, now)?;
        Ok(DpopProof { key, name })
    }

    fn check_nonce(&self, nonce: Option<&str>, now: SystemTime) -> Result<(), ProofError> {
        match &self.nonces {
            Some(key) if !nonce.is_some_and(|nonce| nonce.len() <= MAX_TEXT && key.accepts(nonce, now)) => {
                Err(ProofError::Nonce(key.nonce(now)))
            }
            _ => Ok(()),
        }
    }

    /// Records a proof. Returns an error if it was used before.
    fn record(&self, name: &str, jti: &str, now: SystemTime) -> Result<(), ProofError> {
        let invalid = |why: &str| ProofError::Invalid(why.to_owned());
        if jti.is_empty() || jti.len() > MAX_TEXT {
            return Err(invalid("The proof needs a jti of at most 256 bytes"));
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::seconds(now);
        if now.saturating_sub(used.started) > 2 * WINDOW.as_secs() {
            let is_idle = now.saturating_sub(used.started) > 4 * WINDOW.as_secs();
            used.previous = std::mem::take(&mut used.current);
            if is_idle {
                used.previous.clear();
            }
            used.started = now;
        }
        let name = name.as_bytes().first_chunk().copied().unwrap_or_default();
        if used.previous.contains(&name) || used.current.contains(&name) {
            return Err(invalid("The proof was used before (jti)"));
        }
        if used.current.len() >= MAX_USED {
            return Err(invalid("There are too many proofs at the moment; try again in two minutes"));
        }
        used.current.insert(name);
        Ok(())
    }
}

fn read(proof: &str) -> Result<(ProofClaims, String), crate::jose::JoseError> {
    let jwt = Jwt::parse(proof)?;
    jwt.expect_type("dpop+jwt")?;
    let key = jwt.header().jwk.clone().ok_or(crate::jose::JoseError::Missing("jwk"))?;
    let claims = jwt.verify(&key, PROOF_ALGORITHMS)?.claims()?;
    Ok((claims, key.thumbprint()))
}

fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

/// Compares the URL of a proof with a requested one, normalized, without query, fragment and a slash at the end (RFC
/// 9449, section 4.3).
fn same_target(htu: &str, url: &Url) -> bool {
    let Ok(htu) = Url::parse(htu) else { return false };
    let plain = |url: &Url| url[..Position::AfterPath].trim_end_matches('/').to_owned();
    plain(&htu) == plain(url)
}
