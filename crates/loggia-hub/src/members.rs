//! The members of a JSON object as the bytes they came in. The hub changes at most one or two members of what
//! it relays (a name, a URI) and copies the others: it never builds a tree, and never loses a field.

use std::borrow::Cow;
use std::fmt;

use loggia::wire::RawJson;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object, read one level deep.
#[derive(Debug)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads `object`.
    pub(crate) fn of(object: &'a RawJson) -> Result<Members<'a>, serde_json::Error> {
        serde_json::from_slice(object.as_bytes())
    }

    /// The text of one member; the last one where a name is repeated, as serde_json reads it.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.get())
    }

    /// One member as a value of its own.
    pub(crate) fn value(&self, name: &str) -> Option<RawJson> {
        self.raw(name).map(|text| RawJson::from_written(text.as_bytes().to_vec()))
    }

    /// One member as a string; `None` where it is absent or is no string.
    pub(crate) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).and_then(|text| serde_json::from_str::<Text<'a>>(text).ok()).map(|text| text.0)
    }

    /// The object again, with the JSON text `value` as the member `name`, where it has one.
    pub(crate) fn replaced(&self, name: &str, value: &[u8]) -> RawJson {
        self.write(&[], |key| (key == name).then_some(value))
    }

    /// The object again, with `replaced` in the place of the members of these names and without those in
    /// `left_out`.
    pub(crate) fn rewrite(&self, replaced: &[(&str, &str)], left_out: &[&str]) -> RawJson {
        let texts: Vec<(&str, Vec<u8>)> =
            replaced.iter().map(|(name, text)| (*name, json_string(text))).collect();
        self.write(left_out, |key| {
            texts.iter().find(|(name, _)| *name == key).map(|(_, text)| text.as_slice())
        })
    }

    fn write<'r>(&self, left_out: &[&str], replacement: impl Fn(&str) -> Option<&'r [u8]>) -> RawJson {
        let length = self.0.iter().map(|(key, value)| key.len() + value.get().len() + 4).sum::<usize>();
        let mut out = Vec::with_capacity(length + 64);
        out.push(b'{');
        for (key, value) in self.0.iter().filter(|(key, _)| !left_out.contains(&key.as_ref())) {
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(&json_string(key));
            out.push(b':');
            out.extend_from_slice(replacement(key).unwrap_or_else(|| value.get().as_bytes()));
        }
        out.push(b'}');
        RawJson::from_written(out)
    }
}

/// A string that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn json_string(text: &str) -> Vec<u8> {
    // A string always serializes.
    serde_json::to_vec(text).unwrap_or_default()
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some(key) = map.next_key::<Text<'de>>()? {
            members.push((key.0, map.next_value::<&'de RawValue>()?));
        }
        Ok(members)
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
            let members = Members::of(&object).expect("an object");
            let rewritten = members.rewrite(&replaced, &left_out);
            assert_eq!(std::str::from_utf8(rewritten.as_bytes()), Ok(expected));
        }
    }

    #[test]
    fn strings_are_unescaped_and_other_values_are_not_strings() {
        let object = raw(r#"{"a":"x\ny","b":7,"a2":"plain"}"#);
        let members = Members::of(&object).expect("an object");
        assert_eq!(members.string("a").as_deref(), Some("x\ny"));
        assert!(matches!(members.string("a2"), Some(Cow::Borrowed("plain"))));
        assert_eq!(members.string("b"), None);
        assert_eq!(members.string("c"), None);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "1", "\"x\"", "null"] {
            assert!(Members::of(&raw(text)).is_err(), "{text}");
        }
    }
}
