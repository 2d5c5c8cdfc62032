//! The value of a configuration file, whatever its format. Members keep their order, because people read them again.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A value of a configuration file.
#[derive(Debug, Clone, PartialEq)]
pub enum DocumentValue {
    /// No value.
    Null,
    /// A switch.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<DocumentValue>),
    /// Members in the order of the file.
    Map(Vec<(String, DocumentValue)>),
}

impl DocumentValue {
    /// Returns the member `key` of a map; of several, the last.
    pub fn get(&self, key: &str) -> Option<&DocumentValue> {
        self.members()?.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Returns the members of a map.
    pub fn members(&self) -> Option<&[(String, DocumentValue)]> {
        match self {
            DocumentValue::Map(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the text of a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            DocumentValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether it is null, or has no members and items.
    pub fn is_empty(&self) -> bool {
        match self {
            DocumentValue::Null => true,
            DocumentValue::List(items) => items.is_empty(),
            DocumentValue::Map(members) => members.is_empty(),
            _ => false,
        }
    }

    /// Returns the value as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            DocumentValue::Null => Value::Null,
            DocumentValue::Bool(switch) => Value::Bool(*switch),
            DocumentValue::Number(number) => Value::Number(number.clone()),
            DocumentValue::Text(text) => Value::String(text.clone()),
            DocumentValue::List(items) => Value::Array(items.iter().map(DocumentValue::to_json).collect()),
            DocumentValue::Map(members) => {
                let member = |(name, value): &(String, DocumentValue)| (name.clone(), value.to_json());
                Value::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
        }
    }

    /// Returns the value as JSON text, with the members in their order.
    pub(crate) fn to_text(&self) -> String {
        match self {
            DocumentValue::List(items) => {
                format!("[{}]", items.iter().map(DocumentValue::to_text).collect::<Vec<_>>().join(","))
            }
            DocumentValue::Map(members) => {
                let member = |(key, value): &(String, DocumentValue)| {
                    format!("{}:{}", Value::from(key.as_str()), value.to_text())
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
            value => value.to_json().to_string(),
        }
    }

    /// Returns the value at a path.
    pub(crate) fn at<'p>(&self, mut path: impl Iterator<Item = &'p str>) -> Option<&DocumentValue> {
        path.try_fold(self, |value, key| value.get(key))
    }
}

impl From<&str> for DocumentValue {
    fn from(text: &str) -> DocumentValue {
        DocumentValue::Text(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for DocumentValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DocumentValue, D::Error> {
        deserializer.deserialize_any(DocumentValueVisitor)
    }
}

struct DocumentValueVisitor;

impl<'de> Visitor<'de> for DocumentValueVisitor {
    type Value = DocumentValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Null)
    }

    fn visit_none<E>(self) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<DocumentValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, switch: bool) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Bool(switch))
    }

    fn visit_i64<E>(self, number: i64) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<DocumentValue, E> {
        // JSON has no infinity; the text keeps such values apart.
        let text = || DocumentValue::Text(number.to_string());
        Ok(Number::from_f64(number).map_or_else(text, DocumentValue::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<DocumentValue, E> {
        Ok(DocumentValue::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<DocumentValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(DocumentValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<DocumentValue, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = members.next_entry::<String, DocumentValue>()? {
            map.push((key, value));
        }
        Ok(DocumentValue::Map(map))
    }
}
