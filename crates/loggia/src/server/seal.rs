//! State that travels through the client and comes back: encrypted, authenticated, and bound to the call it
//! belongs to. The client cannot read it, change it, or use it for another call.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia_wire::{JsonText, RawJson};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};

use crate::random::{random, try_random};

/// Prefix of every sealed text. State without it is of another origin.
const PREFIX: &str = "lg1.";

/// A secret that seals state between the rounds of a call. Replicas that serve one endpoint share it.
///
/// Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct StateKey([u8; 32]);

impl StateKey {
    /// A key from 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> StateKey {
        StateKey(*secret)
    }

    /// Creates a random key, which ends with the process.
    pub fn random() -> StateKey {
        StateKey(random())
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.0);
        LessSafeKey::new(key.expect("32 bytes are the length of a ChaCha20 key"))
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateKey(…)")
    }
}

/// Seals with its first key, opens with any.
#[derive(Debug, Clone)]
pub(crate) struct Sealer {
    keys: Vec<StateKey>,
}

impl Sealer {
    pub(crate) fn new(keys: Vec<StateKey>) -> Sealer {
        Sealer { keys: if keys.is_empty() { vec![StateKey::random()] } else { keys } }
    }

    /// Seals `plain` for the call that `context` names. `None` without randomness.
    pub(crate) fn seal(&self, context: &[u8], plain: &[u8]) -> Option<String> {
        let nonce: [u8; NONCE_LEN] = try_random()?;
        let mut sealed = plain.to_vec();
        let key = self.keys.first()?.cipher();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .ok()?;
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string([&nonce[..], &sealed].concat(), &mut text);
        Some(text)
    }

    /// Opens what was sealed for the call that `context` names; `None` for anything else.
    pub(crate) fn open(&self, context: &[u8], text: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        self.keys.iter().find_map(|key| {
            let mut sealed = sealed.to_vec();
            let plain = key
                .cipher()
                .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut sealed)
                .ok()?;
            Some(plain.to_vec())
        })
    }
}

/// Returns whether `text` says that it was sealed here.
pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// A digest over several parts, each with its length, so that no two lists of parts give one text.
pub(crate) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Returns `value` as JSON with sorted keys: two values with the same meaning give the same bytes. Numbers that a peer
/// may respell (`1.0` and `1e0`) are one; integers that no peer can hold exactly stay as they are written.
pub(crate) fn canonical(value: JsonText<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: JsonText<'_>, out: &mut Vec<u8>) {
    if let Some(object) = value.to_object() {
        let mut members: Vec<_> = object.iter().collect();
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        out.push(b'{');
        for (name, member) in members {
            out.extend_from_slice(RawJson::from(&*name).as_bytes());
            out.push(b':');
            write_canonical(member, out);
            out.push(b',');
        }
        out.push(b'}');
    } else if let Some(items) = value.items() {
        out.push(b'[');
        for item in items {
            write_canonical(item, out);
            out.push(b',');
        }
        out.push(b']');
    } else if let Some(text) = value.as_str() {
        out.extend_from_slice(RawJson::from(&*text).as_bytes());
    } else {
        write_canonical_scalar(value, out);
    }
}

fn write_canonical_scalar(value: JsonText<'_>, out: &mut Vec<u8>) {
    let text = value.as_bytes();
    let is_integer = !text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    match value.decode::<serde_json::Number>() {
        Ok(number) if !(number.is_f64() && is_integer) => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        _ => out.extend_from_slice(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_opens_for_its_own_call_alone(
            plain in proptest::collection::vec(any::<u8>(), 0..200),
            context in proptest::collection::vec(any::<u8>(), 0..40),
            other in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let sealer = Sealer::new(vec![StateKey::new(&[7; 32])]);
            let text = sealer.seal(&context, &plain).expect("there is randomness");
            prop_assert!(is_sealed(&text));
            prop_assert_eq!(sealer.open(&context, &text), Some(plain));
            prop_assume!(context != other);
            prop_assert_eq!(sealer.open(&other, &text), None);
        }

        #[test]
        fn no_change_goes_unnoticed(plain in proptest::collection::vec(any::<u8>(), 0..50), at in any::<prop::sample::Index>(), to in any::<char>()) {
            let sealer = Sealer::new(vec![StateKey::new(&[7; 32])]);
            let text = sealer.seal(b"c", &plain).expect("there is randomness");
            let mut chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            prop_assume!(chars[at] != to);
            chars[at] = to;
            let changed: String = chars.into_iter().collect();
            prop_assert_eq!(sealer.open(b"c", &changed), None);
        }

        #[test]
        fn anything_can_be_tried(text in ".{0,80}") {
            prop_assert_eq!(Sealer::new(Vec::new()).open(b"", &text), None);
            prop_assert_eq!(Sealer::new(Vec::new()).open(b"", &format!("{PREFIX}{text}")), None);
        }
    }

    #[test]
    fn the_same_plain_text_is_never_sealed_the_same() {
        let sealer = Sealer::new(Vec::new());
        assert_ne!(sealer.seal(b"", b"x"), sealer.seal(b"", b"x"));
    }

    #[test]
    fn canonical_text_forgets_order_and_nothing_else() {
        let of = |text: &str| canonical(RawJson::parse(text.to_owned()).expect("it is JSON").as_text());
        assert_eq!(of(r#"{"a":1,"b":[{"c":2,"d":3}]}"#), of(r#"{ "b": [{ "d": 3, "c": 2 }], "a": 1 }"#));
        let different = [
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"a":{}}"#,
            r#"["a",1]"#,
            r#"[["a"],1]"#,
            "[]",
            "{}",
            "null",
            r#""""#,
            "1e400",
        ];
        for (index, one) in different.iter().enumerate() {
            for other in &different[index + 1..] {
                assert_ne!(of(one), of(other), "{one} {other}");
            }
        }
        assert_ne!(digest([&b"ab"[..], b"c"]), digest([&b"a"[..], b"bc"]));
        assert_ne!(of(r#"{"a\"":1}"#), of(r#"{"a":1}"#));
        assert_eq!(of("[1.0,1e3]"), of("[1e0,1000.0]"));
        assert_ne!(of("12345678901234567890123"), of("12345678901234567890124"));
    }

    #[test]
    fn a_key_shows_nothing() {
        assert_eq!(format!("{:?}", StateKey::new(&[9; 32])), "StateKey(…)");
    }
}
