//! serde's traits for types with [`ToJson`] and [`FromJson`], so that programs can hold these types in types of their
//! own.
//!
//! They serialize to every format, and deserialize only from JSON, because a value may keep its text. Serde writes
//! JSON numbers inside a type in its own notation; [`RawJson::of`] and [`FromJson::from_json`] keep every byte.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::raw_array::items_of;
use super::{Fields, FromJson, JsonRef, RawJson, RawObject, ToJson, value_of};

impl Serialize for JsonRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            JsonRef::Absent => serializer.serialize_none(),
            JsonRef::Bool(value) => serializer.serialize_bool(*value),
            JsonRef::Signed(number) => serializer.serialize_i64(*number),
            JsonRef::Unsigned(number) => serializer.serialize_u64(*number),
            JsonRef::Float(number) => serializer.serialize_f64(*number),
            JsonRef::Number(number) => number.serialize(serializer),
            JsonRef::String(text) => serializer.serialize_str(text),
            JsonRef::Value(value) => value.serialize(serializer),
            JsonRef::Raw(text) => RawTextRef(text).serialize(serializer),
            JsonRef::Array(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.count()))?;
                let mut outcome = Ok(());
                items.each_item(&mut |item| {
                    if outcome.is_ok() {
                        outcome = sequence.serialize_element(&item.to_json());
                    }
                });
                outcome?;
                sequence.end()
            }
            JsonRef::Object(fields) => serialize_fields(serializer, None, *fields),
            JsonRef::Members(members) => {
                let mut object = ObjectSerializer::new(serializer)?;
                members.iter().for_each(|(name, value)| object.member(name, *value));
                object.end()
            }
            JsonRef::Tagged(tag, kind, fields) => serialize_fields(serializer, Some((tag, kind)), *fields),
        }
    }
}

/// Reads a value from JSON. The value may keep a part of it as text. The derive of `FromJson` calls this function.
pub fn deserialize<'de, T: FromJson, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = RawJson::deserialize(deserializer)?;
    T::from_json(text.as_bytes()).map_err(D::Error::custom)
}

fn serialize_fields<S: Serializer>(
    serializer: S,
    tag: Option<(&str, &str)>,
    fields: &dyn Fields,
) -> Result<S::Ok, S::Error> {
    let mut object = ObjectSerializer::new(serializer)?;
    if let Some((tag, kind)) = tag {
        object.map.serialize_entry(tag, kind)?;
    }
    fields.each_field(&mut |name, value| object.member(name, value));
    object.end()
}

/// Serializes the members of an object one after the other, up to the first error.
struct ObjectSerializer<M: SerializeMap> {
    map: M,
    outcome: Result<(), M::Error>,
}

impl<M: SerializeMap> ObjectSerializer<M> {
    fn new<S>(serializer: S) -> Result<ObjectSerializer<M>, M::Error>
    where
        S: Serializer<SerializeMap = M, Ok = M::Ok, Error = M::Error>,
    {
        Ok(ObjectSerializer { map: serializer.serialize_map(None)?, outcome: Ok(()) })
    }

    fn member(&mut self, name: &str, value: &dyn ToJson) {
        let value = value.to_json();
        if self.outcome.is_ok() && !matches!(value, JsonRef::Absent) {
            self.outcome = self.map.serialize_entry(name, &value);
        }
    }

    fn end(self) -> Result<M::Ok, M::Error> {
        self.outcome?;
        self.map.end()
    }
}

/// JSON text for serializers of any format: the order of members is kept, the numbers are written by the serializer.
struct RawTextRef<'t>(&'t [u8]);

impl Serialize for RawTextRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.first() {
            Some(b'{') => {
                let members = RawObject::of_text(self.0).map_err(S::Error::custom)?;
                serializer.collect_map(members.iter().map(|(name, value)| (name, RawTextRef(value))))
            }
            Some(b'[') => {
                let items = items_of(self.0).map_err(S::Error::custom)?;
                serializer.collect_seq(items.into_iter().map(RawTextRef))
            }
            _ => value_of(self.0).map_err(S::Error::custom)?.serialize(serializer),
        }
    }
}
