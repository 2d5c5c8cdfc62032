//! JSON that keeps its spelling: the order of members, the digits of numbers, the escapes of strings. Only white
//! space between tokens is dropped. `serde_json::Value` loses all of these, so it cannot show what a relay has
//! changed.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON value. Names of members and scalars are the text of the source, strings with their quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JsonTree {
    Object(Vec<(String, JsonTree)>),
    Array(Vec<JsonTree>),
    Scalar(String),
}

impl JsonTree {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|e| format!("{e} in {}", excerpt(text)))?;
        Self::of_raw(raw)
    }

    fn of_raw(raw: &RawValue) -> Result<Self, String> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let members: RawMembers<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
                let read = |(name, value): (&RawValue, &RawValue)| {
                    Self::of_raw(value).map(|value| (name.get().to_owned(), value))
                };
                members.0.into_iter().map(read).collect::<Result<_, _>>().map(Self::Object)
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| e.to_string())?;
                elements.into_iter().map(Self::of_raw).collect::<Result<_, _>>().map(Self::Array)
            }
            _ => Ok(Self::Scalar(text.to_owned())),
        }
    }

    /// Returns the member `name` of an object; `name` is without quotes and needs no escapes.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Object(members) = self else { return None };
        members.iter_mut().find(|(member, _)| unquoted(member) == name).map(|(_, value)| value)
    }

    /// Removes the member `name` of an object.
    pub(super) fn remove(&mut self, name: &str) {
        if let Self::Object(members) = self {
            members.retain(|(member, _)| unquoted(member) != name);
        }
    }
}

/// Writes the value without white space between tokens.
impl fmt::Display for JsonTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(members) => {
                f.write_str("{")?;
                for (at, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{name}:{value}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("}")
            }
            Self::Array(elements) => {
                f.write_str("[")?;
                for (at, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Scalar(text) => f.write_str(text),
        }
    }
}

/// Returns the text of the member `name` of the object `text`.
pub(super) fn raw_member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let members: RawMembers<'a> = serde_json::from_str(text).ok()?;
    members.0.into_iter().find(|(member, _)| unquoted(member.get()) == name).map(|(_, value)| value.get())
}

/// Returns the text of each element of the array `text`.
pub(super) fn raw_elements(text: &str) -> Result<Vec<&str>, String> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

/// Returns the beginning of `text`, short enough for a message.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 240;
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    if end < text.len() { format!("{}… ({} bytes)", &text[..end], text.len()) } else { text.to_owned() }
}

fn unquoted(name: &str) -> &str {
    name.trim_matches('"')
}

/// The members of an object, as the source spells them.
struct RawMembers<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = RawMembers<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_order_numbers_and_escapes() {
        let spellings = [
            r#"{"b":1,"a":2}"#,
            r#"[1.0,1,1e3,-0.10]"#,
            r#"{"\u0061":"\u00e9\/","é":"é"}"#,
            r#"{"a":[],"b":{},"c":null,"a":true}"#,
        ];
        for text in spellings {
            assert_eq!(JsonTree::parse(text).expect(text).to_string(), text);
        }
        assert_eq!(JsonTree::parse("{ \"a\" : [ 1 , 2 ] }").expect("JSON").to_string(), r#"{"a":[1,2]}"#);
        assert!(JsonTree::parse("{\"a\":}").is_err());
    }
}
