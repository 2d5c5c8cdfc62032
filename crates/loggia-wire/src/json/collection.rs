//! [`ToJson`] and [`FromJson`] for `Option`, `Box`, arrays and maps.
//!
//! They are generic, so each contains as little code as possible: the loops over a text are functions that take a
//! closure as `dyn`.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::raw_array::items_of;
use super::{ArrayItems, DecodeError, Fields, FromJson, JsonRef, RawObject, ToJson, VecMap, deserialize};

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> JsonRef<'_> {
        match self {
            Some(value) => value.to_json(),
            None => JsonRef::Absent,
        }
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn empty() -> Option<T> {
        None
    }

    fn read_json(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        if text != b"null" || T::accepts_null() {
            self.insert(T::empty()).read_json(text)?;
        }
        Ok(())
    }

    fn is_optional(&self) -> bool {
        true
    }
}

impl<T: ToJson> ToJson for Box<T> {
    fn to_json(&self) -> JsonRef<'_> {
        (**self).to_json()
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn empty() -> Box<T> {
        Box::new(T::empty())
    }

    fn read_json(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        (**self).read_json(text)
    }
}

impl<T: ToJson> ArrayItems for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn each_item(&self, visit: &mut dyn FnMut(&dyn ToJson)) {
        for item in self {
            visit(item);
        }
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Array(self)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn empty() -> Vec<T> {
        Vec::new()
    }

    fn read_json(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        read_items(text, &mut |text| {
            self.push(T::from_json(text)?);
            Ok(())
        })
    }
}

impl<T: ToJson, const N: usize> ArrayItems for [T; N] {
    fn count(&self) -> usize {
        N
    }

    fn each_item(&self, visit: &mut dyn FnMut(&dyn ToJson)) {
        for item in self {
            visit(item);
        }
    }
}

impl<T: ToJson, const N: usize> ToJson for [T; N] {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Array(self)
    }
}

impl<T: ToJson> Fields for BTreeMap<String, T> {
    fn each_field(&self, visit: &mut dyn FnMut(&str, &dyn ToJson)) {
        for (name, value) in self {
            visit(name, value);
        }
    }
}

impl<T: ToJson> ToJson for BTreeMap<String, T> {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Object(self)
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn empty() -> BTreeMap<String, T> {
        BTreeMap::new()
    }

    fn read_json(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        read_entries(RawObject::of_text(text)?, &mut |name, text| {
            self.insert(name, T::from_json(text)?);
            Ok(())
        })
    }
}

impl<T: ToJson> Fields for VecMap<String, T> {
    fn each_field(&self, visit: &mut dyn FnMut(&str, &dyn ToJson)) {
        for (name, value) in self {
            visit(name, value);
        }
    }
}

impl<T: ToJson> ToJson for VecMap<String, T> {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Object(self)
    }
}

impl<T: FromJson> FromJson for VecMap<String, T> {
    fn empty() -> VecMap<String, T> {
        VecMap::new()
    }

    fn read_json(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        read_entries(RawObject::of_text(text)?.unique(), &mut |name, text| {
            self.push_new(name, T::from_json(text)?);
            Ok(())
        })
    }
}

impl<T: ToJson> Serialize for VecMap<String, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// Reads only JSON, because a value may keep its text.
impl<'de, T: FromJson> Deserialize<'de> for VecMap<String, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<VecMap<String, T>, D::Error> {
        deserialize(deserializer)
    }
}

type ItemReader<'a> = dyn FnMut(&[u8]) -> Result<(), DecodeError> + 'a;
type EntryReader<'a> = dyn FnMut(String, &[u8]) -> Result<(), DecodeError> + 'a;

/// Calls `read` with each item of the array `text`.
fn read_items(text: &[u8], read: &mut ItemReader<'_>) -> Result<(), DecodeError> {
    for (at, text) in items_of(text)?.into_iter().enumerate() {
        read(text).map_err(|error| error.within(&at.to_string()))?;
    }
    Ok(())
}

/// Calls `read` with each member of `members`.
fn read_entries(members: RawObject<'_>, read: &mut EntryReader<'_>) -> Result<(), DecodeError> {
    for (name, text) in members.into_iter() {
        read(name.clone().into_owned(), text).map_err(|error| error.within(&name))?;
    }
    Ok(())
}
