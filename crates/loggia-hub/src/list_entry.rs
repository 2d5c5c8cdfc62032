//! One entry of an upstream's list: its value, and its original text. Clients get the text, so that the order of
//! members and the spelling of values stay those of the upstream.

use std::ops::Deref;

use loggia::wire::RawJson;
use loggia::wire::json::{FromJson, ToJson};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A tool, prompt, resource or template of an upstream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListEntry<T> {
    pub(crate) value: T,
    /// The original text; `None` for an entry of a server in this process.
    pub(crate) source: Option<RawJson>,
}

impl<T> ListEntry<T> {
    /// Combines the entries of a list with their texts. `sources` has one text for each entry, or is empty.
    pub(crate) fn pair(entries: Vec<T>, sources: Vec<RawJson>) -> Vec<ListEntry<T>> {
        let sources = sources.into_iter().map(Some).chain(std::iter::repeat(None));
        entries.into_iter().zip(sources).map(|(value, source)| ListEntry { value, source }).collect()
    }
}

impl<T> Deref for ListEntry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<T> for ListEntry<T> {
    fn from(value: T) -> ListEntry<T> {
        ListEntry { value, source: None }
    }
}

/// Serializes the original text.
impl<T: ToJson> Serialize for ListEntry<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.source {
            Some(source) => source.serialize(serializer),
            None => RawJson::of(&self.value).serialize(serializer),
        }
    }
}

impl<'de, T: FromJson> Deserialize<'de> for ListEntry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ListEntry<T>, D::Error> {
        let source = RawJson::deserialize(deserializer)?;
        let value = source.read().map_err(D::Error::custom)?;
        Ok(ListEntry { value, source: Some(source) })
    }
}
