//! Percent-encoding (RFC 3986, section 2.1).
//!
//! URIs in a normal form and URI templates both need it. Invariant: a decoded text is UTF-8, or there is none.

use std::borrow::Cow;

/// The characters that an encoded text keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AllowedCharacters {
    /// The unreserved characters (RFC 3986, section 2.3).
    Unreserved,
    /// Also the reserved characters, and sequences that are percent-encoded already.
    Reserved,
}

/// Encodes every character that is not allowed as `%XX`.
pub(crate) fn percent_encode(text: &str, allowed: AllowedCharacters) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let stays = |at: usize| {
        let b = bytes[at];
        is_unreserved(b)
            || (allowed == AllowedCharacters::Reserved
                && (b":/?#[]@!$&'()*+,;=".contains(&b) || (b == b'%' && is_hex_pair(&bytes[at + 1..]))))
    };
    if (0..bytes.len()).all(stays) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    for (at, b) in bytes.iter().enumerate() {
        push_encoded(&mut encoded, *b, stays(at));
    }
    Cow::Owned(encoded)
}

/// Returns whether a text begins with two hexadecimal digits.
pub(crate) fn is_hex_pair(bytes: &[u8]) -> bool {
    bytes.len() >= 2 && bytes[..2].iter().all(u8::is_ascii_hexdigit)
}

/// Returns whether a byte is an unreserved character (RFC 3986, section 2.3).
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Appends a byte: as it is where `plain`, otherwise as `%XX`.
pub(crate) fn push_encoded(text: &mut String, byte: u8, plain: bool) {
    if plain {
        text.push(char::from(byte));
    } else {
        text.push_str(&format!("%{byte:02X}"));
    }
}

/// Decodes `%XX` (RFC 3986, section 2.1). Returns `None` if the result is not UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        bytes = rest;
        if first == b'%' {
            let (digits, rest) = bytes.split_at_checked(2)?;
            decoded.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            bytes = rest;
        } else {
            decoded.push(first);
        }
    }
    String::from_utf8(decoded).ok()
}
