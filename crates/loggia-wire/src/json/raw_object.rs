//! [`RawObject`]: the members of a JSON object, each as its original text.
//!
//! It changes one or two members (a name, a URI, `_meta`) without a tree: the other members are copied unchanged.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::scanner;
use super::string::{CowString, json_string, read_string};
use super::{DecodeError, FromJson, RawJson, Scanner, write_string};

/// An object, read one level deep.
#[derive(Debug, Default)]
pub struct RawObject<'a>(Vec<(Cow<'a, str>, &'a [u8])>);

impl<'a> RawObject<'a> {
    /// Reads `object`. Fails if it is not an object.
    pub fn of(object: &'a RawJson) -> Result<RawObject<'a>, serde_json::Error> {
        RawObject::read(object.as_bytes())
    }

    /// Reads the JSON text `object`. Fails if it is not an object.
    pub fn read(object: &'a [u8]) -> Result<RawObject<'a>, serde_json::Error> {
        match RawObject::scan(object) {
            Some(members) => Ok(members),
            // The parser reads the texts that the scanner does not accept, and its error says what is wrong.
            None => serde_json::from_slice(object),
        }
    }

    /// Reads the JSON value `text`. The error quotes a value that is not an object.
    pub(crate) fn of_text(text: &'a [u8]) -> Result<RawObject<'a>, DecodeError> {
        RawObject::read(text).map_err(|_| DecodeError::expected("an object", text))
    }

    fn scan(object: &'a [u8]) -> Option<RawObject<'a>> {
        let mut members = Vec::with_capacity(8);
        let mut scanner = Scanner::new(object);
        scanner.object(|scanner, name| {
            let name = std::str::from_utf8(name).ok()?;
            members.push((Cow::Borrowed(name), scanner.value()?));
            Some(())
        })?;
        scanner.end()?;
        Some(RawObject(members))
    }

    /// Returns the members in their order, each value as its JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a [u8])> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// Returns the text of one member; the last one if the name is repeated, like serde_json.
    pub fn raw(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// Returns one member as a value of its own.
    pub fn value(&self, name: &str) -> Option<RawJson> {
        self.raw(name).map(|text| RawJson::from_written(text.to_vec()))
    }

    /// Returns one member as a string; `None` if it is absent or is not a string.
    pub fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        read_string(self.raw(name)?)
    }

    /// Reads one member as a `T`, which is an `Option` if the member may be absent.
    pub fn get<T: FromJson>(&self, name: &str) -> Result<T, DecodeError> {
        let mut value = T::empty();
        self.read_member(name, &mut value)?;
        Ok(value)
    }

    fn read_member(&self, name: &str, value: &mut dyn FromJson) -> Result<(), DecodeError> {
        if self.0.iter().filter(|(key, _)| key == name).count() > 1 {
            return Err(DecodeError::duplicate(name));
        }
        match self.raw(name) {
            Some(text) => value.read_json(text).map_err(|error| error.within(name)),
            None if value.is_optional() => Ok(()),
            None => Err(DecodeError::missing(name)),
        }
    }

    /// Returns the object with these members. They replace members of the same names.
    pub fn with(&self, members: &[(&str, &RawJson)]) -> RawJson {
        let left_out: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
        let mut all =
            RawObject(self.0.iter().filter(|(key, _)| !left_out.contains(&&**key)).cloned().collect());
        all.0.extend(members.iter().map(|(name, value)| (Cow::Borrowed(*name), value.as_bytes())));
        all.write(&[], |_| None)
    }

    /// Returns the object with the JSON text `value` as its member `name`, if it has this member.
    pub fn replaced(&self, name: &str, value: &[u8]) -> RawJson {
        self.write(&[], |key| (key == name).then_some(value))
    }

    /// Returns the object with the values of `replaced` for the members of these names, and without the members in
    /// `left_out`.
    pub fn rewrite(&self, replaced: &[(&str, &str)], left_out: &[&str]) -> RawJson {
        let texts: Vec<(&str, Vec<u8>)> =
            replaced.iter().map(|(name, text)| (*name, json_string(text))).collect();
        self.write(left_out, |key| {
            texts.iter().find(|(name, _)| *name == key).map(|(_, text)| text.as_slice())
        })
    }

    /// Removes the member `name` and returns its text; the last one if the name is repeated.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'a [u8]> {
        let at = self.0.iter().rposition(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// Removes the member `name`. Fails if the name is repeated.
    pub(crate) fn take_once(&mut self, name: &str) -> Result<Option<&'a [u8]>, DecodeError> {
        let found = self.take(name);
        if found.is_some() && self.raw(name).is_some() {
            return Err(DecodeError::duplicate(name));
        }
        Ok(found)
    }

    /// Removes the member `name`, a string that tells which type the object has.
    pub(crate) fn take_tag(&mut self, name: &str) -> Result<Cow<'a, str>, DecodeError> {
        let tag = self.string(name);
        match (self.take_once(name)?, tag) {
            (Some(_), Some(tag)) => Ok(tag),
            (Some(text), None) => Err(DecodeError::expected("a string", text).within(name)),
            (None, _) => Err(DecodeError::missing(name)),
        }
    }

    /// Removes every member whose name is repeated later, so that the last one is used, like in serde_json.
    pub(crate) fn unique(mut self) -> RawObject<'a> {
        let mut seen = BTreeSet::new();
        let last: Vec<bool> = self.0.iter().rev().map(|(name, _)| seen.insert(name.clone())).collect();
        let mut is_last = last.into_iter().rev();
        self.0.retain(|_| is_last.next().unwrap_or(true));
        self
    }

    /// Returns the members in their order.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = (Cow<'a, str>, &'a [u8])> {
        self.0.into_iter()
    }

    fn write<'r>(&self, left_out: &[&str], replacement: impl Fn(&str) -> Option<&'r [u8]>) -> RawJson {
        let length = self.0.iter().map(|(key, value)| key.len() + value.len() + 4).sum::<usize>();
        let mut out = Vec::with_capacity(length + 64);
        out.push(b'{');
        for (key, value) in self.0.iter().filter(|(key, _)| !left_out.contains(&key.as_ref())) {
            if out.len() > 1 {
                out.push(b',');
            }
            write_string(&mut out, key);
            out.push(b':');
            out.extend_from_slice(replacement(key).unwrap_or(value));
        }
        out.push(b'}');
        RawJson::from_written(out)
    }
}

impl<'a> FromIterator<(Cow<'a, str>, &'a [u8])> for RawObject<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, &'a [u8])>>(members: I) -> RawObject<'a> {
        RawObject(members.into_iter().collect())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawObject<'a>, D::Error> {
        deserializer.deserialize_map(RawObjectVisitor).map(RawObject)
    }
}

struct RawObjectVisitor;

impl<'de> Visitor<'de> for RawObjectVisitor {
    type Value = Vec<(Cow<'de, str>, &'de [u8])>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some(key) = map.next_key::<CowString<'de>>()? {
            members.push((key.0, map.next_value::<&'de RawValue>()?.get().as_bytes()));
        }
        Ok(members)
    }
}

impl RawJson {
    /// Returns the JSON text of one member of an object; the last one if its name is repeated. Returns `None` if the
    /// member is absent, or this value is not an object.
    pub fn member(&self, name: &str) -> Option<&[u8]> {
        match scanner::find(self.as_bytes(), name) {
            Some(found) => found,
            None => RawObject::of(self).ok()?.raw(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("the test's text is JSON")
    }

    #[test]
    fn only_what_is_named_changes() {
        for (object, replaced, left_out, expected) in [
            (
                r#"{"name":"a","arguments":{ "x": 1.0 }}"#,
                vec![("name", "b\"")],
                vec![],
                r#"{"name":"b\"","arguments":{ "x": 1.0 }}"#,
            ),
            (r#"{ "keep" : 1e400, "gone":[1] }"#, vec![], vec!["gone"], r#"{"keep":1e400}"#),
            (r#"{"gone":1,"k\u0061y":2}"#, vec![], vec!["gone"], r#"{"kay":2}"#),
            (r#"{}"#, vec![("name", "absent")], vec!["x"], r#"{}"#),
        ] {
            let object = raw(object);
            let members = RawObject::of(&object).expect("an object");
            let rewritten = members.rewrite(&replaced, &left_out);
            assert_eq!(std::str::from_utf8(rewritten.as_bytes()), Ok(expected));
        }
    }

    #[test]
    fn strings_are_unescaped_and_other_values_are_not_strings() {
        let object = raw(r#"{"a":"x\ny","b":7,"a2":"plain"}"#);
        let members = RawObject::of(&object).expect("an object");
        assert_eq!(members.string("a").as_deref(), Some("x\ny"));
        assert!(matches!(members.string("a2"), Some(Cow::Borrowed("plain"))));
        assert_eq!(members.string("b"), None);
        assert_eq!(members.string("c"), None);
    }

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

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "1", "\"x\"", "null"] {
            assert!(RawObject::of(&raw(text)).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_scanner_and_the_parser_read_the_same(
            names in proptest::collection::vec("[a-c\\\\\"é ]{0,3}", 0..6),
            value in proptest::sample::select(vec!["1", " null ", "\"x\\ny\"", "{\"a\":[{}]}", "[1, 2 ]", "nul", "{\"a\"}"]),
            end in proptest::sample::select(vec!["}", " } ", "}x", ""]),
        ) {
            let members: Vec<String> =
                names.iter().map(|name| format!("{}:{value}", String::from_utf8_lossy(&json_string(name)))).collect();
            let text = format!("{{{}{end}", members.join(" , "));
            let parsed: Option<RawObject<'_>> = serde_json::from_str(&text).ok();
            let read = RawObject::read(text.as_bytes()).ok();
            proptest::prop_assert_eq!(
                read.map(|read| read.0),
                parsed.map(|parsed| parsed.0),
                "{}", text
            );
        }
    }
}
