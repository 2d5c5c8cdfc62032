//! DPoP proofs of the client (RFC 9449): one for each request, signed with a key of the client.
//!
//! A stolen token that is bound to a key is useless without the key. Invariant: no proof is sent twice, and a nonce
//! goes only to the server that issued it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use http::header::DATE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;
use url::Url;

use crate::clock;
use crate::jose::{self, Algorithm, JoseError, SigningKey};
use crate::secret::Secret;

/// The number of servers whose nonces are remembered.
const MAX_NONCES: usize = 32;
/// The maximum length of a nonce, in bytes.
const MAX_NONCE_BYTES: usize = 1024;
/// The clock difference, in seconds, above which the clock counts as the reason for a refused proof.
const CLOCK_SKEW: u64 = 5;

/// A signer of DPoP proofs (RFC 9449): a key, and the nonces that servers require in its proofs.
pub struct DpopSigner {
    key: SigningKey,
    nonces: Mutex<HashMap<String, String>>,
    /// The number of seconds that the servers' clocks are ahead.
    ahead: AtomicI64,
}

impl fmt::Debug for DpopSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopSigner").field("key", self.key.public()).finish_non_exhaustive()
    }
}

impl DpopSigner {
    /// Creates a signer with a new key for ES256.
    pub fn generate() -> Result<DpopSigner, JoseError> {
        SigningKey::generate(Algorithm::Es256).map(DpopSigner::new)
    }

    /// Creates a signer with an existing key.
    pub fn new(key: SigningKey) -> DpopSigner {
        DpopSigner { key, nonces: Mutex::default(), ahead: AtomicI64::new(0) }
    }

    /// Restores a signer from the text of [`to_secret`](DpopSigner::to_secret).
    pub fn restore(key: &Secret) -> Result<DpopSigner, JoseError> {
        SigningKey::from_pkcs8(&jose::decode(key.expose())?, None).map(DpopSigner::new)
    }

    /// Returns the private key for a store: PKCS #8 in base64url.
    pub fn to_secret(&self) -> Secret {
        Secret::new(jose::encode(self.key.to_pkcs8()))
    }

    /// Returns the thumbprint of the key, to which tokens are bound (`jkt`).
    pub fn thumbprint(&self) -> String {
        self.key.public().thumbprint()
    }

    /// Signs the proof for one request. A repeated request needs another proof. `token` is the access token of the
    /// request.
    pub fn proof(
        &self,
        method: &Method,
        url: &Url,
        token: Option<&Secret>,
        now: SystemTime,
    ) -> Result<HeaderValue, JoseError> {
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        let time = clock::seconds(now).saturating_add_signed(self.ahead.load(Ordering::Relaxed));
        let mut claims = json!({
            "jti": jose::random(16), "htm": method.as_str(), "htu": target.as_str(), "iat": time,
        });
        if let Some(token) = token {
            claims["ath"] = jose::sha256(token.expose()).into();
        }
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(nonce) = nonces.get(&nonce_key(url)) {
            claims["nonce"] = nonce.as_str().into();
        }
        drop(nonces);
        let proof = self.key.sign_with_key("dpop+jwt", &claims)?;
        HeaderValue::try_from(proof).map_err(|_| JoseError::Malformed("a proof cannot be a header"))
    }

    /// Stores the nonce of a response, if it has one.
    pub fn store_nonce(&self, url: &Url, headers: &HeaderMap) {
        let mut given = headers.get_all("dpop-nonce").iter();
        let (Some(nonce), None) = (given.next().and_then(|value| value.to_str().ok()), given.next()) else {
            return;
        };
        if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES {
            return;
        }
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let server = nonce_key(url);
        if nonces.len() >= MAX_NONCES && !nonces.contains_key(&server) {
            nonces.clear();
        }
        nonces.insert(server, nonce.to_owned());
    }

    /// Uses the clock of a server that refused a proof, because the clocks of laptops are often wrong. Returns
    /// `false` if the difference was known already, so that another proof would be refused, too.
    pub fn adjust_clock(&self, headers: &HeaderMap, now: SystemTime) -> bool {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else { return false };
        let ahead = clock::seconds(date).cast_signed().saturating_sub(clock::seconds(now).cast_signed());
        self.ahead.swap(ahead, Ordering::Relaxed).abs_diff(ahead) > CLOCK_SKEW
    }
}

/// Returns the server that a nonce belongs to.
fn nonce_key(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(proof: &HeaderValue) -> serde_json::Value {
        let payload = proof.to_str().unwrap().split('.').nth(1).unwrap();
        serde_json::from_slice(&jose::decode(payload).unwrap()).unwrap()
    }

    #[test]
    fn each_proof_is_new_and_carries_the_servers_nonce() {
        let signer = DpopSigner::restore(&DpopSigner::generate().unwrap().to_secret()).unwrap();
        let now = clock::from_seconds(1_000);
        let url = Url::parse("https://a.example:8443/mcp?x=1#y").unwrap();
        let token = Secret::new("token");
        let first = claims(&signer.proof(&Method::POST, &url, Some(&token), now).unwrap());
        assert_eq!(first["htu"], "https://a.example:8443/mcp");
        assert_eq!(first["htm"], "POST");
        assert_eq!(first["iat"], 1_000);
        assert_eq!(first["ath"], jose::sha256("token"));
        assert_eq!(first.get("nonce"), None);

        let nonce =
            |text: &str| HeaderMap::from_iter([("dpop-nonce".parse().unwrap(), text.parse().unwrap())]);
        signer.store_nonce(&url, &nonce("one"));
        signer.store_nonce(&Url::parse("https://b.example/").unwrap(), &nonce("two"));
        signer.store_nonce(&url, &HeaderMap::new());
        let second = claims(&signer.proof(&Method::GET, &url, None, now).unwrap());
        assert_eq!(second["nonce"], "one");
        assert_eq!(second.get("ath"), None);
        assert_ne!(first["jti"], second["jti"]);
    }

    #[test]
    fn the_time_is_the_servers_where_it_refuses_a_proof() {
        let signer = DpopSigner::generate().unwrap();
        let url = Url::parse("https://a.example/token").unwrap();
        let now = clock::from_seconds(784_111_777);
        let time = || claims(&signer.proof(&Method::POST, &url, None, now).unwrap())["iat"].clone();
        let table = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", false, 784_111_777),
            ("yesterday", false, 784_111_777),
            ("Sun, 06 Nov 1994 09:49:37 GMT", true, 784_115_377),
            ("Sun, 06 Nov 1994 09:49:38 GMT", false, 784_115_378),
            ("Sun, 06 Nov 1994 08:39:37 GMT", true, 784_111_177),
            ("", false, 784_111_177),
        ];
        for (date, news, said) in table {
            let headers = HeaderMap::from_iter([(DATE, date.parse().unwrap())]);
            assert_eq!((signer.adjust_clock(&headers, now), time()), (news, said.into()), "{date}");
        }
    }
}
