//! Envelope encryption (AES-256-GCM): each record has a data key of its own, which the master key encrypts. A change of
//! the master key encrypts the small data keys again, not the records.
//!
//! Invariant: both ciphertexts are bound to the id of their record, so that a row that was copied to another id
//! cannot be decrypted there.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// The length of data keys and master keys, in bytes.
pub(crate) const KEY_LEN: usize = 32;

/// The id of a record, to which its ciphertexts are bound.
#[derive(Clone, Copy)]
pub(crate) struct RecordId<'a> {
    pub(crate) owner: &'a str,
    pub(crate) connector: &'a str,
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
}

impl RecordId<'_> {
    fn aad(&self, purpose: &str) -> Vec<u8> {
        let mut aad = Vec::new();
        for part in ["loggia vault 1", purpose, self.owner, self.connector, self.name, self.kind] {
            aad.extend_from_slice(&(part.len() as u64).to_be_bytes());
            aad.extend_from_slice(part.as_bytes());
        }
        aad
    }
}

/// An encrypted record, with its encrypted data key.
pub(crate) struct Envelope {
    pub(crate) wrapped: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
}

/// Encrypts `plain` with a new data key, and the data key with `master`.
pub(crate) fn seal(master: &[u8; KEY_LEN], place: RecordId<'_>, plain: &[u8]) -> Envelope {
    let mut data = Zeroizing::new([0; KEY_LEN]);
    fill(&mut data[..]);
    Envelope {
        wrapped: close(master, &place.aad("key"), &data[..]),
        sealed: close(&data, &place.aad("record"), plain),
    }
}

/// Decrypts a record; `None` if the key is wrong or the record was modified.
pub(crate) fn open(
    master: &[u8; KEY_LEN],
    place: RecordId<'_>,
    envelope: &Envelope,
) -> Option<Zeroizing<Vec<u8>>> {
    let data = data_key(master, place, &envelope.wrapped)?;
    reveal(&data, &place.aad("record"), &envelope.sealed)
}

/// Encrypts a data key with another master key.
pub(crate) fn rewrap(
    old: &[u8; KEY_LEN],
    new: &[u8; KEY_LEN],
    place: RecordId<'_>,
    wrapped: &[u8],
) -> Option<Vec<u8>> {
    let data = data_key(old, place, wrapped)?;
    Some(close(new, &place.aad("key"), &data[..]))
}

/// Fills `bytes` with random bytes.
pub(crate) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the operating system has random numbers");
}

fn data_key(master: &[u8; KEY_LEN], place: RecordId<'_>, wrapped: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let data = reveal(master, &place.aad("key"), wrapped)?;
    data[..].try_into().ok().map(Zeroizing::new)
}

fn key(bytes: &[u8; KEY_LEN]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("the key has the right length"))
}

fn close(secret: &[u8; KEY_LEN], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    fill(&mut nonce);
    let mut sealed = plain.to_vec();
    key(secret)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
        .expect("records are shorter than the cipher's limit");
    [&nonce[..], &sealed].concat()
}

fn reveal(secret: &[u8; KEY_LEN], aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = key(secret).open_in_place(nonce, Aad::from(aad), &mut buffer).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: RecordId<'_> =
        RecordId { owner: "ada", connector: "tracker", name: "default", kind: "oauth" };

    #[test]
    fn a_record_opens_only_where_it_belongs_and_unchanged() {
        let (master, other) = ([1; KEY_LEN], [2; KEY_LEN]);
        let envelope = seal(&master, HERE, b"sesame");
        assert_eq!(open(&master, HERE, &envelope).unwrap().as_slice(), b"sesame");
        assert!(open(&other, HERE, &envelope).is_none());
        let elsewhere = [
            RecordId { owner: "eve", ..HERE },
            RecordId { connector: "files", ..HERE },
            RecordId { name: "other", ..HERE },
            RecordId { kind: "api_key", ..HERE },
            RecordId { owner: "adat", connector: "racker", ..HERE },
        ];
        for place in elsewhere {
            assert!(open(&master, place, &envelope).is_none());
        }
        for n in 0..envelope.sealed.len() {
            let mut sealed = envelope.sealed.clone();
            sealed[n] ^= 1;
            assert!(
                open(&master, HERE, &Envelope { sealed, wrapped: envelope.wrapped.clone() }).is_none(),
                "{n}"
            );
        }
        for n in 0..envelope.wrapped.len() {
            let mut wrapped = envelope.wrapped.clone();
            wrapped[n] ^= 1;
            assert!(
                open(&master, HERE, &Envelope { wrapped, sealed: envelope.sealed.clone() }).is_none(),
                "{n}"
            );
        }
        let short = Envelope { wrapped: Vec::new(), sealed: Vec::new() };
        assert!(open(&master, HERE, &short).is_none());
        let again = seal(&master, HERE, b"sesame");
        assert!(again.sealed != envelope.sealed && again.wrapped != envelope.wrapped);
    }

    #[test]
    fn the_master_key_changes_without_the_records() {
        let (old, new) = ([1; KEY_LEN], [2; KEY_LEN]);
        let envelope = seal(&old, HERE, b"sesame");
        let wrapped = rewrap(&old, &new, HERE, &envelope.wrapped).unwrap();
        let moved = Envelope { wrapped, sealed: envelope.sealed };
        assert_eq!(open(&new, HERE, &moved).unwrap().as_slice(), b"sesame");
        assert!(open(&old, HERE, &moved).is_none());
        assert!(rewrap(&old, &new, HERE, &moved.wrapped).is_none());
    }
}
