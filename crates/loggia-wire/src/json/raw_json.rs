//! One JSON value as its text: owned ([`RawJson`]) or borrowed ([`JsonText`]).
//!
//! A relay passes on a payload that the program does not need as the received bytes, so no field is lost or
//! rewritten.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::raw_array::items_of;
use super::string::read_string;
use super::{DecodeError, FromJson, JsonRef, ToJson, write_json};

/// One JSON value as its bytes. It is always valid UTF-8 and valid JSON, because only a parser or a serializer
/// creates it. Cloning shares the buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Returns the value `{}`.
    pub const fn empty_object() -> RawJson {
        RawJson(Bytes::from_static(b"{}"))
    }

    /// Returns the value `null`.
    pub const fn null() -> RawJson {
        RawJson(Bytes::from_static(b"null"))
    }

    /// Checks that `bytes` hold exactly one JSON value.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<RawJson, serde_json::Error> {
        RawJson::check(bytes.into())
    }

    fn check(bytes: Bytes) -> Result<RawJson, serde_json::Error> {
        serde_json::from_slice::<&RawValue>(&bytes)?;
        Ok(RawJson(bytes))
    }

    /// Serializes `value`. Fails only if its `Serialize` fails, for example for a map with keys that are not strings.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<RawJson, serde_json::Error> {
        serde_json::to_vec(value).map(|bytes| RawJson(bytes.into()))
    }

    /// Writes `value`.
    pub fn of<T: ToJson + ?Sized>(value: &T) -> RawJson {
        value.to_json().into()
    }

    /// Returns the part of `buffer` that is `text`, which was borrowed from it and scanned.
    pub(crate) fn scanned(buffer: &Bytes, text: &[u8]) -> RawJson {
        RawJson(buffer.slice_ref(text))
    }

    /// Returns the part of this value that is `text`, which was borrowed from it. Shares the buffer.
    pub fn part_at(&self, text: &[u8]) -> RawJson {
        RawJson::scanned(&self.0, text)
    }

    /// Takes bytes that the caller has just written as JSON.
    pub fn from_written(bytes: Vec<u8>) -> RawJson {
        debug_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok());
        RawJson(bytes.into())
    }

    /// Returns the JSON text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the shared buffer.
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

    /// Returns the value's text, borrowed.
    pub fn as_text(&self) -> JsonText<'_> {
        JsonText::of_scanned(self.0.trim_ascii())
    }

    /// Returns the value as a tree; `null` if a number in it is too large for a tree (`1e400`).
    pub fn to_value(&self) -> Value {
        self.as_text().to_value()
    }

    /// Returns whether the value is an object.
    pub fn is_object(&self) -> bool {
        self.0.first() == Some(&b'{')
    }
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

/// Compares the values; the order of members and the spelling do not matter.
impl PartialEq<Value> for RawJson {
    fn eq(&self, other: &Value) -> bool {
        self.decode::<Value>().is_ok_and(|value| value == *other)
    }
}

impl From<Value> for RawJson {
    fn from(value: Value) -> RawJson {
        RawJson::from(&value)
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

impl From<&Value> for RawJson {
    fn from(value: &Value) -> RawJson {
        // `Display` would add a second serializer to the program, for its pretty style.
        RawJson::encode(value).expect("the keys of a tree are texts")
    }
}

impl Serialize for RawJson {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = self.decode().map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<RawJson, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(RawJson(String::from(Box::<str>::from(raw)).into()))
    }
}

/// A JSON value as its text, borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JsonText<'t>(&'t [u8]);

impl<'t> JsonText<'t> {
    /// Takes a text that a scanner or parser found to be one JSON value.
    pub(crate) fn of_scanned(text: &'t [u8]) -> JsonText<'t> {
        JsonText(text)
    }

    /// Returns the JSON text.
    pub fn as_bytes(self) -> &'t [u8] {
        self.0
    }

    /// Returns the content of a string; `None` for any other value.
    pub fn as_str(self) -> Option<Cow<'t, str>> {
        read_string(self.0)
    }

    /// Returns a boolean; `None` for any other value.
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// Returns whether the value is `null`.
    pub fn is_null(self) -> bool {
        self.0 == b"null"
    }

    /// Returns whether the value is an array.
    pub fn is_array(self) -> bool {
        self.0.first() == Some(&b'[')
    }

    /// Returns whether the value is an object.
    pub fn is_object(self) -> bool {
        self.0.first() == Some(&b'{')
    }

    /// Returns whether the value is the string `text`.
    pub fn is_str(self, text: &str) -> bool {
        self.as_str().is_some_and(|found| found == text)
    }

    /// Returns the items of an array; `None` for any other value.
    pub fn items(self) -> Option<impl Iterator<Item = JsonText<'t>>> {
        Some(items_of(self.0).ok()?.into_iter().map(JsonText::of_scanned))
    }

    /// Returns the value as a tree; `null` if a number in it is too large for a tree (`1e400`).
    pub fn to_value(self) -> Value {
        serde_json::from_slice(self.0).unwrap_or_default()
    }

    /// Returns the text as a value of its own.
    pub fn to_raw(self) -> RawJson {
        RawJson::from_written(self.0.to_vec())
    }

    /// Reads the value as a `T`.
    pub fn decode<T: Deserialize<'t>>(self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.0)
    }
}

impl fmt::Debug for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}

/// Takes a text that is known to be JSON as serde_json's raw value, which serializers write as it is.
pub(super) fn raw_value(text: &[u8]) -> Result<&RawValue, serde_json::Error> {
    serde_json::from_slice(text)
}
