//! [`RawJson`]: one JSON value as its text.
//!
//! A payload that the program does not need stays the bytes it came in, so a relay loses no field and rebuilds none.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::scanner;
use super::{DecodeError, FromJson, JsonObject, JsonRef, JsonText, RawObject, ToJson, write_json};

/// One JSON value as its bytes. Always valid UTF-8 and valid JSON: it is only ever made by a parser or a
/// serializer. Cloning shares the buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

impl RawJson {
    /// The value `{}`.
    pub const fn empty_object() -> RawJson {
        RawJson(Bytes::from_static(b"{}"))
    }

    /// The value `null`.
    pub const fn null() -> RawJson {
        RawJson(Bytes::from_static(b"null"))
    }

    /// Checks that `bytes` hold exactly one JSON value.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<RawJson, serde_json::Error> {
        RawJson::check(bytes.into())
    }

    fn check(bytes: Bytes) -> Result<RawJson, serde_json::Error> {
        serde_json::from_slice::<&serde_json::value::RawValue>(&bytes)?;
        Ok(RawJson(bytes))
    }

    /// Serializes `value`. Fails only where its `Serialize` does (a map with a non-string key, say).
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<RawJson, serde_json::Error> {
        serde_json::to_vec(value).map(|bytes| RawJson(bytes.into()))
    }

    /// Writes `value`.
    pub fn of<T: ToJson + ?Sized>(value: &T) -> RawJson {
        value.to_json().into()
    }

    /// The part of `buffer` that `text`, borrowed from it and scanned, covers.
    pub(crate) fn scanned(buffer: &Bytes, text: &[u8]) -> RawJson {
        RawJson(buffer.slice_ref(text))
    }

    /// The part of this value at `text`, borrowed from it. Shares the buffer.
    pub fn part_at(&self, text: &[u8]) -> RawJson {
        RawJson::scanned(&self.0, text)
    }

    /// Bytes that the caller has just written as JSON itself.
    pub fn from_written(bytes: Vec<u8>) -> RawJson {
        debug_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
        RawJson(bytes.into())
    }

    /// The JSON text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The shared buffer.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Reads the value as a `T`.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }

    /// Reads the value as a `T`, and keeps every byte of the JSON in it.
    pub fn read<T: FromJson>(&self) -> Result<T, DecodeError> {
        T::from_json(&self.0)
    }

    /// The JSON text of one member of an object, the last where its name is repeated; `None` where there is
    /// none, or this is no object.
    pub fn member(&self, name: &str) -> Option<&[u8]> {
        match scanner::find(&self.0, name) {
            Some(found) => found,
            None => RawObject::of(self).ok()?.raw(name),
        }
    }

    /// Returns the value's text, to be looked at.
    pub fn as_text(&self) -> JsonText<'_> {
        JsonText::of_scanned(self.0.trim_ascii())
    }

    /// Returns the value as a tree. `null` where a number in it is none that a tree can hold (`1e400`).
    pub fn to_value(&self) -> serde_json::Value {
        self.as_text().to_value()
    }

    /// Whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.0.first() == Some(&b'{')
    }
}

/// Returns the content of a JSON string without escapes; `None` for any other text.
pub fn plain_text(json: &[u8]) -> Option<&str> {
    let text = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', text).is_some() { None } else { std::str::from_utf8(text).ok() }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl From<JsonRef<'_>> for RawJson {
    fn from(value: JsonRef<'_>) -> RawJson {
        let mut out = Vec::with_capacity(128);
        write_json(&mut out, &value);
        RawJson(out.into())
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// Compares what they say: order and spelling do not count.
impl PartialEq<serde_json::Value> for RawJson {
    fn eq(&self, other: &serde_json::Value) -> bool {
        self.decode::<serde_json::Value>().is_ok_and(|value| value == *other)
    }
}

impl From<serde_json::Value> for RawJson {
    fn from(value: serde_json::Value) -> RawJson {
        RawJson::from(&value)
    }
}

impl From<JsonObject> for RawJson {
    fn from(object: JsonObject) -> RawJson {
        object.into_raw()
    }
}

/// A JSON string.
impl From<&str> for RawJson {
    fn from(text: &str) -> RawJson {
        RawJson::of(text)
    }
}

/// A JSON string.
impl From<String> for RawJson {
    fn from(text: String) -> RawJson {
        RawJson::of(&text)
    }
}

impl From<&serde_json::Value> for RawJson {
    fn from(value: &serde_json::Value) -> RawJson {
        // Not by its Display, which has a writer of its own for each of two styles.
        RawJson::encode(value).expect("the keys of a tree are texts")
    }
}

impl Serialize for RawJson {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &serde_json::value::RawValue = self.decode().map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<RawJson, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        Ok(RawJson(String::from(Box::<str>::from(raw)).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_as_a_parser_finds_it() {
        for (object, name, expected) in [
            (r#"{"a":1,"b":{"a":2}}"#, "a", Some("1")),
            (r#"{"b":{"a":2}}"#, "a", None),
            (r#"{"a":1,"a":"last"}"#, "a", Some(r#""last""#)),
            (r#" { "a" : [ 1 , 2 ] } "#, "a", Some("[ 1 , 2 ]")),
            (r#"{"\u0061":1}"#, "a", Some("1")),
            (r#"{"b\n":0,"a":null}"#, "a", Some("null")),
            ("{}", "a", None),
            (r#"["a"]"#, "a", None),
            ("7", "a", None),
        ] {
            let raw = RawJson::parse(object).expect("JSON");
            assert_eq!(raw.member(name), expected.map(str::as_bytes), "{object}");
        }
    }
}
