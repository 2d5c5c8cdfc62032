//! JSON objects that keep the order of their members and the spelling of their values, because both are data: a model
//! writes arguments in the order of a schema's properties, a database sorts by `{"b":1,"a":-1}` in another order than
//! by `{"a":-1,"b":1}`, and `12345678901234567890123` has no exact `f64`.
//!
//! An object is stored as its text, so reading one copies the text and builds no tree.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::raw_json::raw_value;
use super::scanner;
use super::{DecodeError, JsonText, RawJson, RawObject, ToJson, write_string};

/// A JSON object, stored as its text: members and values as they were written.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct JsonObject {
    /// The whole text, with braces. `None` for the object without members, which needs no memory: most objects of the
    /// model are empty.
    text: Option<Box<str>>,
}

impl JsonObject {
    /// Returns the object without members.
    pub const fn new() -> JsonObject {
        JsonObject { text: None }
    }

    /// Reads `text`, which must be valid JSON. Fails if it is not an object.
    pub fn read(text: &[u8]) -> Result<JsonObject, DecodeError> {
        let text = text.trim_ascii();
        match text {
            [b'{', inner @ .., b'}'] if inner.trim_ascii().is_empty() => Ok(JsonObject::new()),
            [b'{', .., b'}'] => match std::str::from_utf8(text) {
                Ok(text) => Ok(JsonObject { text: Some(text.into()) }),
                Err(_) => Err(DecodeError::expected("an object", text)),
            },
            _ => Err(DecodeError::expected("an object", text)),
        }
    }

    /// Returns the JSON text.
    pub fn as_str(&self) -> &str {
        self.text.as_deref().unwrap_or("{}")
    }

    /// Returns whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.text.is_none()
    }

    /// Returns the number of members.
    pub fn len(&self) -> usize {
        self.members().iter().count()
    }

    /// Returns the value of the member `name`; the last one if the name is repeated.
    pub fn get(&self, name: &str) -> Option<JsonText<'_>> {
        let text = self.text.as_deref()?.as_bytes();
        let found = scanner::find(text, name).unwrap_or_else(|| self.members().raw(name));
        found.map(JsonText::of_scanned)
    }

    /// Returns whether there is a member `name`.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets the member `name`: in its place if it exists, otherwise after all others.
    pub fn insert(&mut self, name: &str, value: impl ToJson) {
        let value = RawJson::of(&value);
        if self.contains_key(name) {
            let rewritten = self.members().replaced(name, value.as_bytes());
            self.set(rewritten);
        } else {
            self.push(name, value.as_bytes());
        }
    }

    /// Sets the member `name` if it does not exist.
    pub fn insert_if_absent(&mut self, name: &str, value: impl ToJson) {
        if !self.contains_key(name) {
            self.push(name, RawJson::of(&value).as_bytes());
        }
    }

    /// Removes the member `name` and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<RawJson> {
        let removed = self.get(name)?.to_raw();
        let rest = self.members().rewrite(&[], &[name]);
        self.set(rest);
        Some(removed)
    }

    /// Keeps the members that `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, JsonText<'_>) -> bool) {
        let kept = self.members().into_iter().filter(|(name, value)| keep(name, JsonText::of_scanned(value)));
        *self = JsonObject::from_members(kept);
    }

    /// Returns the members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, JsonText<'_>)> {
        self.members().into_iter().map(|(name, value)| (name, JsonText::of_scanned(value)))
    }

    /// Returns the names in their order.
    pub fn keys(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.iter().map(|(name, _)| name)
    }

    /// Returns the object as a tree, which sorts members unless serde_json's feature `preserve_order` is on.
    pub fn to_map(&self) -> Map<String, Value> {
        self.iter().map(|(name, value)| (name.into_owned(), value.to_value())).collect()
    }

    /// Reads the object as a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }

    /// Returns the JSON text as a value of its own.
    pub fn to_raw(&self) -> RawJson {
        self.text.as_deref().map_or(RawJson::empty_object(), |text| RawJson::from_written(text.into()))
    }

    /// Turns the object into a value, without a copy.
    pub(crate) fn into_raw(self) -> RawJson {
        let text = self.text.map(|text| text.into_boxed_bytes().into_vec());
        text.map_or(RawJson::empty_object(), RawJson::from_written)
    }

    /// Appends members that the object does not have, in one pass. Repeated names are not removed.
    pub fn append<'t>(&mut self, members: impl Iterator<Item = (Cow<'t, str>, JsonText<'t>)>) {
        let all = std::mem::take(self);
        *self = JsonObject::from_members(
            all.members().into_iter().chain(members.map(|(name, value)| (name, value.as_bytes()))),
        );
    }

    /// Collects members in one pass. Repeated names are not removed.
    pub(crate) fn from_members<'t>(members: impl Iterator<Item = (Cow<'t, str>, &'t [u8])>) -> JsonObject {
        let mut text = Vec::new();
        for (name, value) in members {
            push_member(&mut text, &name, value);
        }
        if text.is_empty() {
            return JsonObject::new();
        }
        text.push(b'}');
        JsonObject::of_written(text)
    }

    fn members(&self) -> RawObject<'_> {
        // The text is an object, so reading it does not fail.
        self.text.as_deref().and_then(|text| RawObject::read(text.as_bytes()).ok()).unwrap_or_default()
    }

    fn push(&mut self, name: &str, value: &[u8]) {
        let mut text = self.text.take().map_or(Vec::new(), |text| text.into_boxed_bytes().into_vec());
        text.pop();
        push_member(&mut text, name, value);
        text.push(b'}');
        *self = JsonObject::of_written(text);
    }

    /// Takes over a value that is an object, and its memory if nothing else uses it.
    pub(crate) fn from_raw(raw: RawJson) -> Result<JsonObject, RawJson> {
        match raw.as_bytes() {
            [b'{', inner @ .., b'}'] if !inner.trim_ascii().is_empty() => {
                Ok(JsonObject::of_written(Vec::from(raw.into_bytes())))
            }
            text => JsonObject::read(text).map_err(|_| raw),
        }
    }

    fn set(&mut self, object: RawJson) {
        *self = JsonObject::from_raw(object).unwrap_or_default();
    }

    /// Takes the text of an object with members, which is UTF-8.
    fn of_written(text: Vec<u8>) -> JsonObject {
        JsonObject { text: String::from_utf8(text).ok().map(String::into_boxed_str) }
    }
}

/// Appends a member to a text without its closing brace; the text may be empty.
pub(crate) fn push_member(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.push(if text.is_empty() { b'{' } else { b',' });
    write_string(text, name);
    text.push(b':');
    text.extend_from_slice(value);
}

impl From<JsonObject> for RawJson {
    fn from(object: JsonObject) -> RawJson {
        object.into_raw()
    }
}

impl JsonText<'_> {
    /// Returns the value as an object; `None` for any other value.
    pub fn to_object(self) -> Option<JsonObject> {
        JsonObject::read(self.as_bytes()).ok()
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads JSON text. Fails if it is not a JSON object.
impl FromStr for JsonObject {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<JsonObject, DecodeError> {
        let checked = RawJson::parse(text.to_owned()).map_err(|error| DecodeError::new(error.to_string()))?;
        JsonObject::read(checked.as_bytes())
    }
}

impl From<Map<String, Value>> for JsonObject {
    fn from(map: Map<String, Value>) -> JsonObject {
        map.iter().collect()
    }
}

/// Fails if the value is not an object, and returns the value.
impl TryFrom<Value> for JsonObject {
    type Error = Value;

    fn try_from(value: Value) -> Result<JsonObject, Value> {
        match value {
            Value::Object(map) => Ok(map.into()),
            other => Err(other),
        }
    }
}

/// Keeps the order of the members. If a name is repeated, the last value is used.
impl<N: AsRef<str>, V: ToJson> FromIterator<(N, V)> for JsonObject {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(members: I) -> JsonObject {
        let members: Vec<(N, RawJson)> =
            members.into_iter().map(|(name, value)| (name, RawJson::of(&value))).collect();
        let texts = members.iter().map(|(name, value)| (Cow::Borrowed(name.as_ref()), value.as_bytes()));
        JsonObject::from_members(RawObject::from_iter(texts).unique().into_iter())
    }
}

impl<N: AsRef<str>, V: ToJson, const COUNT: usize> From<[(N, V); COUNT]> for JsonObject {
    fn from(members: [(N, V); COUNT]) -> JsonObject {
        members.into_iter().collect()
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw_value(self.as_str().as_bytes()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// Reads only JSON, because the text is kept.
impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JsonObject, D::Error> {
        let raw = RawJson::deserialize(deserializer)?;
        JsonObject::read(raw.as_bytes()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(text: &str) -> JsonObject {
        JsonObject::read(text.as_bytes()).expect("an object")
    }

    #[test]
    fn the_text_stays_as_it_came() {
        for text in [
            r#"{"z":1.0,"a":12345678901234567890123,"b":{"y":1e3,"x":1E400}}"#,
            r#"{ "b" : [ 1 , 2 ] , "a":"\u0061" }"#,
            r#"{"a":1,"a":2}"#,
        ] {
            let object = object(text);
            assert_eq!(object.as_str(), text);
            assert_eq!(serde_json::to_string(&object).expect("JSON"), text);
            assert_eq!(serde_json::from_str::<JsonObject>(text).expect("an object"), object);
        }
    }

    #[test]
    fn objects_without_members_are_one_object() {
        for text in ["{}", " { } ", "{\n}"] {
            assert_eq!(object(text), JsonObject::new(), "{text:?}");
        }
    }

    #[test]
    fn other_values_are_refused() {
        for text in ["[]", "1", "\"{}\"", "null", ""] {
            assert!(JsonObject::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_change_moves_no_other_member() {
        type Change = fn(&mut JsonObject);
        let table: &[(&str, Change, &str)] = &[
            (r#"{"b":1e0,"a":2}"#, |o| o.insert("b", true), r#"{"b":true,"a":2}"#),
            (r#"{"b":1e0,"a":2}"#, |o| o.insert("0", "x"), r#"{"b":1e0,"a":2,"0":"x"}"#),
            ("{}", |o| o.insert("q\"", json!([1])), r#"{"q\"":[1]}"#),
            (r#"{"b":1e0,"a":2}"#, |o| drop(o.remove("b")), r#"{"a":2}"#),
            (r#"{"b":1}"#, |o| drop(o.remove("b")), "{}"),
            (r#"{"b":1}"#, |o| drop(o.remove("c")), r#"{"b":1}"#),
            (r#"{"b":1}"#, |o| o.insert_if_absent("b", 2_i64), r#"{"b":1}"#),
            (r#"{"c":1,"b":[1.0],"a":3}"#, |o| o.retain(|name, _| name != "c"), r#"{"b":[1.0],"a":3}"#),
        ];
        for (before, change, after) in table {
            let mut object = object(before);
            change(&mut object);
            assert_eq!(object.as_str(), *after);
        }
    }

    #[test]
    fn members_are_found_whatever_their_spelling() {
        let object = object(r#"{"k\u0061y":"a\nb","t":true,"o":{ "x":1 },"t2":null}"#);
        assert_eq!(object.get("kay").and_then(JsonText::as_str).as_deref(), Some("a\nb"));
        assert_eq!(object.get("t").and_then(JsonText::as_bool), Some(true));
        assert_eq!(object.get("o").map(JsonText::as_bytes), Some(&br#"{ "x":1 }"#[..]));
        assert_eq!(object.get("t2").map(JsonText::to_value), Some(Value::Null));
        assert_eq!(object.get("absent"), None);
        assert_eq!(object.keys().collect::<Vec<_>>(), ["kay", "t", "o", "t2"]);
        assert_eq!(object.len(), 4);
    }
}
