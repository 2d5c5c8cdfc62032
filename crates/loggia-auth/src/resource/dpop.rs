//! Tokens that are worth nothing without a key: the server's side of DPoP (RFC 9449). A proof is a token
//! that the caller signs for one request; here it is held against that request, the access token and the
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
/// How far the time of a proof may be off, in either direction.
const WINDOW: Duration = Duration::from_secs(60);
/// How long a nonce is handed out; it is accepted for as long again.
const NONCE_SECONDS: u64 = 120;
/// Most proofs that are remembered, in each of two generations.
const MOST_SEEN: usize = 900_000;
/// Longest `jti` or nonce that is looked at.
const MOST_TEXT: usize = 256;

/// Whether a resource takes bound tokens, or nothing else.
#[derive(Clone)]
pub struct Dpop {
    required: bool,
    proofs: Arc<ProofVerifier>,
    shared: Option<Arc<dyn TokenStore>>,
}

impl Dpop {
    /// Bound tokens are accepted beside bearer tokens. A bound token is never accepted without its proof.
    pub fn accepted() -> Dpop {
        Dpop { required: false, proofs: Arc::new(ProofVerifier::default()), shared: None }
    }

    /// Only bound tokens are accepted.
    pub fn required() -> Dpop {
        Dpop { required: true, ..Dpop::accepted() }
    }

    /// ProofVerifier must hold a nonce of ours, which bounds how far ahead they can be made. Replicas need the same
    /// key.
    pub fn nonces(mut self, key: NonceKey) -> Dpop {
        self.proofs = Arc::new(ProofVerifier { nonces: Some(key), ..ProofVerifier::default() });
        self
    }

    /// A proof counts once among all replicas that share a store, and not once with each. Every request with a bound
    /// token writes to it: where that is too much, [`nonces`](Dpop::nonces) and the minute that a proof lasts bound what
    /// a proof that was overheard is worth at another replica.
    pub fn shared(mut self, store: Arc<dyn TokenStore>) -> Dpop {
        self.shared = Some(store);
        self
    }

    /// Whether a good proof is new to the other replicas too.
    pub(super) async fn is_new(&self, proof: &DpopProof, now: SystemTime) -> Result<bool, AuthError> {
        match &self.shared {
            Some(store) => proof.record_once(&**store, now).await,
            None => Ok(true),
        }
    }

    pub(super) fn is_required(&self) -> bool {
        self.required
    }

    pub(super) fn proofs(&self) -> &ProofVerifier {
        &self.proofs
    }
}

/// The key that makes nonces and knows them again, so that none needs to be kept.
#[derive(Clone)]
pub struct NonceKey(hmac::Key);

impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey")
    }
}

impl NonceKey {
    /// A key of 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> NonceKey {
        NonceKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A key that only this process knows.
    pub fn random() -> NonceKey {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        NonceKey(key.expect("the operating system has random numbers"))
    }

    /// The nonce of this time.
    pub fn nonce(&self, now: SystemTime) -> String {
        self.of(clock::seconds(now) / NONCE_SECONDS)
    }

    fn of(&self, period: u64) -> String {
        let period = period.to_be_bytes();
        encode([&period, &hmac::sign(&self.0, &period).as_ref()[..16]].concat())
    }

    fn accepts(&self, nonce: &str, now: SystemTime) -> bool {
        let current = clock::seconds(now) / NONCE_SECONDS;
        let period = decode(nonce).ok().filter(|bytes| bytes.len() == 24);
        let period = period.and_then(|bytes| Some(u64::from_be_bytes(bytes[..8].try_into().ok()?)));
        let recent = period.filter(|period| (current.saturating_sub(1)..=current).contains(period));
        recent.is_some_and(|period| Secret::new(self.of(period)) == Secret::new(nonce))
    }
}

/// A good proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpopProof {
    /// The thumbprint of the key it was made with.
    pub key: String,
    /// What it is remembered by.
    name: String,
}

impl DpopProof {
    /// Remembers the proof in a store for as long as it could be shown again; `false` where it was remembered before.
    pub(crate) async fn record_once(
        &self,
        store: &dyn TokenStore,
        now: SystemTime,
    ) -> Result<bool, AuthError> {
        let name = format!("proof/{}", self.name);
        Ok(store.save(&name, Secret::new("used"), None, Some(now + 2 * WINDOW)).await?.is_some())
    }
}

/// Why a proof is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofError {
    /// There is none.
    Missing,
    /// It is wrong.
    Invalid(String),
    /// It must hold this nonce.
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

/// Checks proofs, and remembers them for as long as they could be shown again.
#[derive(Default)]
pub struct ProofVerifier {
    nonces: Option<NonceKey>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    began: u64,
    current: HashSet<[u8; 16]>,
    previous: HashSet<[u8; 16]>,
}

impl ProofVerifier {
    /// ProofVerifier that must hold a nonce of this key's.
    pub fn with_nonces(key: NonceKey) -> ProofVerifier {
        ProofVerifier { nonces: Some(key), ..ProofVerifier::default() }
    }

    /// The nonce for a next request, where nonces are in use.
    pub fn nonce(&self, now: SystemTime) -> Option<String> {
        self.nonces.as_ref().map(|key| key.nonce(now))
    }

    /// Whether a request brings a proof.
    pub fn is_present(headers: &HeaderMap) -> bool {
        headers.contains_key(DPOP)
    }

    /// Checks the proof of a request (RFC 9449, section 4.3). `urls` are the ways to write the URL that was
    /// requested; `token` is the access token that the proof must be for, where there is one.
    pub fn check(
        &self,
        headers: &HeaderMap,
        method: &Method,
        urls: &[&Url],
        token: Option<&str>,
        now: SystemTime,
    ) -> Result<DpopProof, ProofError> {
        let invalid = |why: &str| ProofError::Invalid(why.to_owned());
        let mut given = headers.get_all(DPOP).iter();
        let proof = given.next().ok_or(ProofError::Missing)?;
        if given.next().is_some() {
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
        self.remember(&name, &claims.jti, now)?;
        Ok(DpopProof { key, name })
    }

    fn check_nonce(&self, nonce: Option<&str>, now: SystemTime) -> Result<(), ProofError> {
        match &self.nonces {
            Some(key) if !nonce.is_some_and(|nonce| nonce.len() <= MOST_TEXT && key.accepts(nonce, now)) => {
                Err(ProofError::Nonce(key.nonce(now)))
            }
            _ => Ok(()),
        }
    }

    /// A proof counts once. What no longer passes the check of its time need not be remembered.
    fn remember(&self, name: &str, jti: &str, now: SystemTime) -> Result<(), ProofError> {
        let invalid = |why: &str| ProofError::Invalid(why.to_owned());
        if jti.is_empty() || jti.len() > MOST_TEXT {
            return Err(invalid("The proof needs a jti of at most 256 bytes"));
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::seconds(now);
        if now.saturating_sub(seen.began) > 2 * WINDOW.as_secs() {
            let quiet = now.saturating_sub(seen.began) > 4 * WINDOW.as_secs();
            seen.previous = std::mem::take(&mut seen.current);
            if quiet {
                seen.previous.clear();
            }
            seen.began = now;
        }
        let name = name.as_bytes().first_chunk().copied().unwrap_or_default();
        if seen.previous.contains(&name) || seen.current.contains(&name) {
            return Err(invalid("The proof was used before (jti)"));
        }
        if seen.current.len() >= MOST_SEEN {
            return Err(invalid("There are too many proofs at the moment; try again in two minutes"));
        }
        seen.current.insert(name);
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

/// RFC 9449, section 4.3: without query and fragment, after normalisation. A slash at the end is overlooked.
fn same_target(htu: &str, url: &Url) -> bool {
    let Ok(htu) = Url::parse(htu) else { return false };
    let plain = |url: &Url| url[..Position::AfterPath].trim_end_matches('/').to_owned();
    plain(&htu) == plain(url)
}
