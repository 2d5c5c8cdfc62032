//! The type of all secret texts.
//!
//! A token in a log, an error or a trace can be stolen from there. Invariant: a secret cannot be formatted, is
//! compared in constant time, and is wiped from memory when it is dropped.

use std::fmt;

use serde::{Deserialize, Deserializer, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A text that [`fmt::Debug`] does not show, that has no [`fmt::Display`], and that is wiped on drop.
///
/// It can be read with `serde`, and is written only if a field has the attribute `#[serde(serialize_with =
/// "Secret::reveal")]`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// Returns the text. The caller must not put it into logs and errors.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Serializes the text, for a field of a record that is stored encrypted or in a private file.
    pub fn reveal<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    /// Serializes an optional text; see [`reveal`](Secret::reveal).
    pub fn reveal_option<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => serializer.serialize_some(secret.expose()),
            None => serializer.serialize_none(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret::new(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_but_not_shown() {
        let secret = Secret::new("sesame");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[secret] Some([secret])");
        assert!(secret == Secret::new("sesame"));
        for other in ["", "sesam", "sesame ", "Sesame"] {
            assert!(secret != Secret::new(other), "{other}");
        }
    }

    #[test]
    fn a_secret_is_written_only_where_a_field_asks_for_it() {
        #[derive(serde::Serialize, Deserialize)]
        struct Record {
            #[serde(serialize_with = "Secret::reveal")]
            one: Secret,
            #[serde(serialize_with = "Secret::reveal_option")]
            two: Option<Secret>,
        }
        let record: Record = serde_json::from_str(r#"{"one":"a","two":"b"}"#).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"one":"a","two":"b"}"#);
    }
}
