//! Session ids. An id is the session itself, sealed: any process that holds the key can serve its requests,
//! others cannot read, change or make one, and it opens for the principal it was made for alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{self, SHA256};

use crate::random::random;
use crate::service::Principal;

/// The key that seals session ids. Replicas that share one serve each other's sessions.
pub struct SessionKey(LessSafeKey);

/// Content of a session id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionContent {
    /// When it was sealed, in seconds of Unix time.
    pub(super) issued: u64,
    /// The session's small form.
    pub(super) session: Vec<u8>,
}

/// The first byte of an id; another one is a form we do not know.
const FORM: u8 = 2;
const HEADER: usize = 8;
/// Longest small form that is sealed: the id travels in a header of every request.
const MAX_SESSION: usize = 4096;
/// Longest id that is worth opening.
const MAX_ID: usize = (1 + NONCE_LEN + HEADER + MAX_SESSION + 16) * 4 / 3 + 4;

impl SessionKey {
    /// A key from 32 secret bytes. Give every replica of an endpoint the same.
    pub fn from_bytes(secret: &[u8; 32]) -> SessionKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, secret).expect("the algorithm takes 32 bytes");
        SessionKey(LessSafeKey::new(key))
    }

    /// A key of this process alone: its sessions end with it.
    pub fn random() -> SessionKey {
        SessionKey::from_bytes(&random())
    }

    /// The id of `sealed`, for `principal` alone. `None` where the session is too large to travel.
    pub(super) fn seal(&self, sealed: &SessionContent, principal: Option<&Principal>) -> Option<String> {
        if sealed.session.len() > MAX_SESSION {
            return None;
        }
        let nonce: [u8; NONCE_LEN] = random();
        let mut secret = Vec::with_capacity(HEADER + sealed.session.len() + CHACHA20_POLY1305.tag_len());
        secret.extend_from_slice(&sealed.issued.to_le_bytes());
        secret.extend_from_slice(&sealed.session);
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context(principal)),
                &mut secret,
            )
            .expect("a few kilobytes are within what the algorithm seals");
        let id = [&[FORM], nonce.as_slice(), &secret].concat();
        Some(URL_SAFE_NO_PAD.encode(id))
    }

    /// Returns the content of `id`, if it was sealed for `principal` with this key.
    pub(super) fn open(&self, id: &str, principal: Option<&Principal>) -> Option<SessionContent> {
        if id.len() > MAX_ID {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let (form, rest) = bytes.split_first_mut()?;
        let (nonce, secret) = rest.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        if *form != FORM {
            return None;
        }
        let plain = self.0.open_in_place(nonce, Aad::from(context(principal)), secret).ok()?;
        let (issued, session) = plain.split_first_chunk::<8>()?;
        Some(SessionContent { issued: u64::from_le_bytes(*issued), session: session.to_vec() })
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

/// Returns a digest of the purpose and the principal, to which an id is bound.
fn context(principal: Option<&Principal>) -> [u8; 32] {
    let mut context = digest::Context::new(&SHA256);
    let mut add = |part: &str| {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    };
    add("loggia session");
    if let Some(principal) = principal {
        add(principal.issuer.as_deref().unwrap_or_default());
        add(&principal.subject);
    }
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(issuer: Option<&str>, subject: &str) -> Principal {
        Principal { issuer: issuer.map(Into::into), subject: subject.into(), ..Principal::default() }
    }

    fn sealed() -> SessionContent {
        SessionContent { issued: 1_700_000_000, session: b"{\"v\":\"2025-11-25\"}".to_vec() }
    }

    #[test]
    fn an_id_opens_for_whom_it_was_made() {
        let key = SessionKey::from_bytes(&[1; 32]);
        let (ada, bob) = (principal(Some("iss"), "ada"), principal(Some("iss"), "bob"));
        let (other_issuer, moved) = (principal(Some("other"), "ada"), principal(None, "issada"));
        let whoever = [None, Some(&ada), Some(&bob), Some(&other_issuer), Some(&moved)];
        for made_for in whoever {
            let id = key.seal(&sealed(), made_for).expect("small");
            assert!(id.bytes().all(|b| (0x21..=0x7e).contains(&b)), "visible ASCII: {id}");
            for asking in whoever {
                let opened = key.open(&id, asking);
                assert_eq!(opened, (made_for == asking).then(sealed), "{made_for:?} {asking:?}");
            }
            assert_eq!(SessionKey::from_bytes(&[2; 32]).open(&id, made_for), None);
        }
    }

    #[test]
    fn a_changed_id_does_not_open() {
        let key = SessionKey::random();
        let id = key.seal(&sealed(), None).expect("small");
        for at in 0..id.len() {
            let mut changed = id.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(key.open(&changed, None), None, "{at}");
        }
        for bad in ["", "A", "AQ", "not base64!", &id[..id.len() - 4], &"A".repeat(MAX_ID + 1)] {
            assert_eq!(key.open(bad, None), None, "{bad:?}");
        }
    }

    #[test]
    fn the_largest_id() {
        let key = SessionKey::random();
        let largest = SessionContent { session: vec![0; MAX_SESSION], ..sealed() };
        let id = key.seal(&largest, None).expect("at the limit");
        assert_eq!(key.open(&id, None), Some(largest.clone()));
        assert_eq!(key.seal(&SessionContent { session: vec![0; MAX_SESSION + 1], ..largest }, None), None);
    }
}
