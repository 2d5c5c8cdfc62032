//! The value of a configuration file, whatever its format. Members keep their order, because people read them again.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A value of a configuration file.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigValue {
    /// No value.
    Null,
    /// A switch.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<ConfigValue>),
    /// Members in the order of the file.
    Map(Vec<(String, ConfigValue)>),
}

impl ConfigValue {
    /// Returns the member `key` of a map; of several, the last.
    pub fn get(&self, key: &str) -> Option<&ConfigValue> {
        self.members()?.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Returns the members of a map.
    pub fn members(&self) -> Option<&[(String, ConfigValue)]> {
        match self {
            ConfigValue::Map(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the text of a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            ConfigValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether it is null, or has no members and items.
    pub fn is_empty(&self) -> bool {
        match self {
            ConfigValue::Null => true,
            ConfigValue::List(items) => items.is_empty(),
            ConfigValue::Map(members) => members.is_empty(),
            _ => false,
        }
    }

    /// Returns the value as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            ConfigValue::Null => Value::Null,
            ConfigValue::Bool(switch) => Value::Bool(*switch),
            ConfigValue::Number(number) => Value::Number(number.clone()),
            ConfigValue::Text(text) => Value::String(text.clone()),
            ConfigValue::List(items) => Value::Array(items.iter().map(ConfigValue::to_json).collect()),
            ConfigValue::Map(members) => {
                let member = |(name, value): &(String, ConfigValue)| (name.clone(), value.to_json());
                Value::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
        }
    }

    /// Returns the value as JSON text, with the members in their order.
    pub(crate) fn to_text(&self) -> String {
        match self {
            ConfigValue::List(items) => {
                format!("[{}]", items.iter().map(ConfigValue::to_text).collect::<Vec<_>>().join(","))
            }
            ConfigValue::Map(members) => {
                let member = |(key, value): &(String, ConfigValue)| {
                    format!("{}:{}", Value::from(key.as_str()), value.to_text())
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
            value => value.to_json().to_string(),
        }
    }

    /// Returns the value at a path.
    pub(crate) fn at<'p>(&self, mut path: impl Iterator<Item = &'p str>) -> Option<&ConfigValue> {
        path.try_fold(self, |value, key| value.get(key))
    }
}

impl From<&str> for ConfigValue {
    fn from(text: &str) -> ConfigValue {
        ConfigValue::Text(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for ConfigValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ConfigValue, D::Error> {
        deserializer.deserialize_any(ConfigValueVisitor)
    }
}

struct ConfigValueVisitor;

impl<'de> Visitor<'de> for ConfigValueVisitor {
    type Value = ConfigValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<ConfigValue, E> {
        Ok(ConfigValue::Null)
    }

    fn visit_none<E>(self) -> Result<ConfigValue, E> {
        Ok(ConfigValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<ConfigValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, switch: bool) -> Result<ConfigValue, E> {
        Ok(ConfigValue::Bool(switch))
    }

    fn visit_i64<E>(self, number: i64) -> Result<ConfigValue, E> {
        Ok(ConfigValue::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<ConfigValue, E> {
        Ok(ConfigValue::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<ConfigValue, E> {
        // JSON has no infinity; the text keeps such values apart.
        let text = || ConfigValue::Text(number.to_string());
        Ok(Number::from_f64(number).map_or_else(text, ConfigValue::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<ConfigValue, E> {
        Ok(ConfigValue::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<ConfigValue, E> {
        Ok(ConfigValue::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ConfigValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(ConfigValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ConfigValue, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = members.next_entry::<String, ConfigValue>()? {
            map.push((key, value));
        }
        Ok(ConfigValue::Map(map))
    }
}
