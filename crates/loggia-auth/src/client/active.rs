//! A credential in use: the stored record with its DPoP signer and its history in this process.
//!
//! If a refused token was accepted before, it has expired; otherwise it is wrong. Invariant: the nonces of a DPoP key
//! survive a renewal that keeps the key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::credential::Credential;
use crate::dpop::DpopSigner;
use crate::error::AuthError;
use crate::secret::Secret;

/// The origin of a credential in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CredentialSource {
    /// It was read from the store.
    Store,
    /// It was renewed by a refresh token.
    Refresh,
    /// It was issued for a new grant.
    NewGrant,
}

/// A credential in use, at one revision of its record.
pub(super) struct ActiveCredential {
    pub(super) credential: Credential,
    pub(super) revision: u64,
    pub(super) source: CredentialSource,
    pub(super) signer: Option<Arc<DpopSigner>>,
    is_accepted: AtomicBool,
}

impl ActiveCredential {
    /// Replaces the credential `before` by another one.
    pub(super) fn new(
        credential: Credential,
        revision: u64,
        source: CredentialSource,
        before: Option<&ActiveCredential>,
    ) -> Result<ActiveCredential, AuthError> {
        let same_key = before.filter(|before| before.credential.dpop_key == credential.dpop_key);
        let signer = match (same_key, &credential.dpop_key) {
            (Some(before), _) => before.signer.clone(),
            (None, Some(key)) => Some(Arc::new(DpopSigner::restore(key)?)),
            (None, None) => None,
        };
        Ok(ActiveCredential { credential, revision, source, signer, is_accepted: AtomicBool::new(false) })
    }

    pub(super) fn token(&self) -> &Secret {
        &self.credential.access_token
    }

    /// Returns whether a request carried this token.
    pub(super) fn is_token_of(&self, sent: &HeaderMap) -> bool {
        sent_token(sent).as_ref() == Some(self.token())
    }

    /// Returns whether the server accepted the token at least once.
    pub(super) fn is_accepted(&self) -> bool {
        self.is_accepted.load(Ordering::Relaxed)
    }

    /// Records that the server accepted the token.
    pub(super) fn mark_accepted(&self) {
        self.is_accepted.store(true, Ordering::Relaxed);
    }

    /// Returns the headers that carry the token in a request.
    pub(super) fn headers(
        &self,
        method: &Method,
        url: &Url,
        now: SystemTime,
    ) -> Result<HeaderMap, AuthError> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization()?);
        if let (Some(signer), true) = (&self.signer, self.credential.dpop) {
            let proof = signer.proof(method, url, Some(self.token()), now)?;
            headers.insert(HeaderName::from_static("dpop"), proof);
        }
        Ok(headers)
    }

    fn authorization(&self) -> Result<HeaderValue, AuthError> {
        let scheme = if self.credential.dpop { "DPoP" } else { "Bearer" };
        let mut value =
            HeaderValue::try_from(format!("{scheme} {}", self.token().expose())).map_err(|_| {
                let issuer = &self.credential.issuer;
                AuthError::Discovery(format!("{issuer} gave a token that no header can hold"))
            })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Returns the token that a request carried.
pub(super) fn sent_token(sent: &HeaderMap) -> Option<Secret> {
    let value = sent.get(AUTHORIZATION)?.to_str().ok()?;
    value.split_once(' ').map(|(_, token)| Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::testing::credential;
    use crate::clock;

    fn active(credential: Credential, before: Option<&ActiveCredential>) -> ActiveCredential {
        ActiveCredential::new(credential, 1, CredentialSource::Store, before).unwrap()
    }

    #[test]
    fn headers_carry_the_token_as_its_type_demands() {
        let (url, now) = (Url::parse("https://a.example/mcp").unwrap(), clock::from_seconds(1000));
        let key = DpopSigner::generate().unwrap().to_secret();
        // The columns: the token is bound; there is a key; the scheme; there is a proof.
        let table = [
            (false, None, "Bearer t", false),
            (false, Some(&key), "Bearer t", false),
            (true, Some(&key), "DPoP t", true),
        ];
        for (dpop, key, authorization, has_proof) in table {
            let active = active(Credential { dpop, dpop_key: key.cloned(), ..credential("t") }, None);
            let headers = active.headers(&Method::POST, &url, now).unwrap();
            assert_eq!(headers[AUTHORIZATION], authorization);
            assert!(headers[AUTHORIZATION].is_sensitive());
            assert_eq!(headers.contains_key("dpop"), has_proof, "{authorization}");
            assert!(active.is_token_of(&headers) && !active.is_token_of(&HeaderMap::new()));
        }
        assert!(active(credential("a\nb"), None).headers(&Method::POST, &url, now).is_err());
    }

    #[test]
    fn a_renewal_keeps_the_signer_of_the_same_key() {
        let keys = [DpopSigner::generate().unwrap().to_secret(), DpopSigner::generate().unwrap().to_secret()];
        let with_key = |key: &Secret| Credential { dpop_key: Some(key.clone()), ..credential("t") };
        let before = active(with_key(&keys[0]), None);
        for (key, is_same) in [(&keys[0], true), (&keys[1], false)] {
            let after = active(with_key(key), Some(&before));
            let (one, other) = (before.signer.as_ref().unwrap(), after.signer.as_ref().unwrap());
            assert_eq!(Arc::ptr_eq(one, other), is_same);
            assert!(!after.is_accepted());
        }
    }
}
