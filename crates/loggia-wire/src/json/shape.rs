//! Model types as JSON, by one reader and one writer for all of them. A type says which members it has
//! ([`Record`], [`FillRecord`]) and nothing more, so that a program that uses a hundred of them carries a hundred
//! short lists: serde's derive writes a reader and a writer of several kilobytes for each, for they keep unknown
//! members.
//!
//! The types implement serde's traits by way of this, for programs that hold them in types of their own. They serialize
//! to every format and deserialize from JSON alone. Serde writes the numbers in JSON that a type carries in its own
//! spelling; [`Model::read`] and [`RawJson::of`] keep every byte.

mod leaf;
mod macros;
mod write;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Number, Value};

use super::JsonObject;
use crate::json::RawJson;
use crate::json::RawObject;
use crate::json::Scanner;
use crate::json::VecMap;

pub use leaf::value_of;
pub(crate) use macros::{record, serde_by_shape, tagged, words};
pub use write::write_view;

/// What can be shown as JSON. Apart from [`Fill`], so that a program that only writes a type does not carry its
/// reader along: what a `dyn` may be asked for cannot be left out by a linker.
pub trait Shape {
    /// What it says.
    fn view(&self) -> View<'_>;
}

/// What can be filled from JSON.
pub trait Fill {
    /// Takes over what the JSON value `text` says.
    /// Of a value that is not blank, what `text` does not say may remain; after an error it may say anything.
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError>;

    /// Whether a member of this type may be left out.
    fn may_be_absent(&self) -> bool {
        false
    }
}

/// A type of the neutral model, or what one is made of.
pub trait Model: Shape + Fill + Sized {
    /// A value to be filled.
    fn blank() -> Self;

    /// Whether `null` is a value of it.
    fn takes_null() -> bool {
        false
    }

    /// Reads the JSON value `text`, which must be valid.
    fn read(text: &[u8]) -> Result<Self, DecodeError> {
        let mut value = Self::blank();
        value.fill(text)?;
        Ok(value)
    }
}

/// An object with members of known names.
pub trait Record {
    /// Shows each member to `show`.
    fn each(&self, show: &mut dyn FnMut(&'static str, &dyn Shape));

    /// Members of other names; `None` where they are not kept.
    fn extra(&self) -> Option<&JsonObject> {
        None
    }
}

/// An object whose members can be filled.
pub trait FillRecord {
    /// Offers each member to be filled.
    fn each_mut(&mut self, fill: &mut dyn FnMut(&'static str, &mut dyn Fill));

    /// Where members of other names go; `None` where they are not kept.
    fn extra_mut(&mut self) -> Option<&mut JsonObject> {
        None
    }
}

/// An array of things of one type.
pub trait Items {
    /// How many there are.
    fn count(&self) -> usize;

    /// Shows each to `show`.
    fn each(&self, show: &mut dyn FnMut(&dyn Shape));
}

/// Things of one type by name.
pub trait Entries {
    /// Shows each to `show`.
    fn each(&self, show: &mut dyn FnMut(&str, &dyn Shape));
}

/// What a value says, one level deep.
#[allow(missing_docs, reason = "each is what JSON or Rust calls it")]
pub enum View<'a> {
    /// Nothing: as a member it is left out.
    Absent,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Number(&'a Number),
    Text(&'a str),
    Value(&'a Value),
    /// The text of one JSON value.
    Raw(&'a [u8]),
    Items(&'a dyn Items),
    Entries(&'a dyn Entries),
    /// An object that is put together where it is shown.
    Members(Vec<(&'static str, &'a dyn Shape)>),
    Record(&'a dyn Record),
    /// A record with one more member in front that tells its kind.
    Tagged(&'static str, &'static str, &'a dyn Record),
}

/// JSON that is not of the type it was read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Fault>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    path: String,
    reason: String,
}

impl DecodeError {
    pub(crate) fn new(reason: impl Into<String>) -> DecodeError {
        DecodeError(Box::new(Fault { path: String::new(), reason: reason.into() }))
    }

    pub(crate) fn missing(name: &str) -> DecodeError {
        DecodeError::new(format!("missing field `{name}`"))
    }

    pub(crate) fn duplicate(name: &str) -> DecodeError {
        DecodeError::new(format!("duplicate field `{name}`"))
    }

    /// `text` is something else than `what`.
    pub fn expected(what: &str, text: &[u8]) -> DecodeError {
        const MOST: usize = 60;
        let found = String::from_utf8_lossy(&text[..text.len().min(MOST)]);
        let dots = if text.len() > MOST { "…" } else { "" };
        DecodeError::new(format!("expected {what}, got {}{dots}", found.trim_end_matches('\u{fffd}')))
    }

    pub(crate) fn unknown(kind: &str, known: &[&str]) -> DecodeError {
        DecodeError::new(format!("unknown variant {kind:?}, expected one of {known:?}"))
    }

    pub(crate) fn within(mut self, name: &str) -> DecodeError {
        let dot = if self.0.path.is_empty() { "" } else { "." };
        self.0.path = format!("{name}{dot}{}", self.0.path);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { path, reason } = &*self.0;
        if path.is_empty() { f.write_str(reason) } else { write!(f, "{path}: {reason}") }
    }
}

impl std::error::Error for DecodeError {}

/// Fills `record` from the object `text`.
pub(crate) fn fill_record(record: &mut dyn FillRecord, text: &[u8]) -> Result<(), DecodeError> {
    fill_from(record, members_of(text)?)
}

/// Fills `record` from members that were read.
pub(crate) fn fill_from(record: &mut dyn FillRecord, mut members: RawObject<'_>) -> Result<(), DecodeError> {
    let mut outcome = Ok(());
    record.each_mut(&mut |name, place| {
        if outcome.is_ok() {
            outcome = fill_member(&mut members, name, place);
        }
    });
    outcome?;
    if let Some(extra) = record.extra_mut() {
        *extra = JsonObject::from_members(members.into_iter());
    }
    Ok(())
}

fn fill_member(members: &mut RawObject<'_>, name: &str, place: &mut dyn Fill) -> Result<(), DecodeError> {
    match take(members, name)? {
        Some(text) => place.fill(text).map_err(|malformed| malformed.within(name)),
        None if place.may_be_absent() => Ok(()),
        None => Err(DecodeError::missing(name)),
    }
}

/// Takes out the member `name`, which may be there once.
pub(crate) fn take<'t>(members: &mut RawObject<'t>, name: &str) -> Result<Option<&'t [u8]>, DecodeError> {
    let found = members.take(name);
    match found.is_some() && members.raw(name).is_some() {
        true => Err(DecodeError::duplicate(name)),
        false => Ok(found),
    }
}

/// Takes out the member that tells which of `known` kinds an object is.
pub(crate) fn take_tag<'t>(members: &mut RawObject<'t>, name: &str) -> Result<Cow<'t, str>, DecodeError> {
    let tag = members.string(name);
    match (take(members, name)?, tag) {
        (Some(_), Some(tag)) => Ok(tag),
        (Some(text), None) => Err(DecodeError::expected("a string", text).within(name)),
        (None, _) => Err(DecodeError::missing(name)),
    }
}

pub(crate) fn members_of(text: &[u8]) -> Result<RawObject<'_>, DecodeError> {
    RawObject::read(text).map_err(|_| DecodeError::expected("an object", text))
}

/// The items of the array `text`.
pub(crate) fn items_of(text: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut items = Vec::new();
    let mut scanner = Scanner::new(text);
    let scanned = scanner.array(|scanner| {
        items.push(scanner.value()?);
        Some(())
    });
    if scanned.is_some() && scanner.end().is_some() {
        return Ok(items);
    }
    // What the scanner leaves, the parser reads.
    let raw: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(text).map_err(|_| DecodeError::expected("an array", text))?;
    Ok(raw.into_iter().map(|raw| raw.get().as_bytes()).collect())
}

/// Hands each item of the array `text` to `take`.
fn fill_items(
    text: &[u8],
    take: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    for (at, text) in items_of(text)?.into_iter().enumerate() {
        take(text).map_err(|malformed| malformed.within(&at.to_string()))?;
    }
    Ok(())
}

type TakeEntry<'a> = dyn FnMut(String, &[u8]) -> Result<(), DecodeError> + 'a;

/// Hands each member of `members` to `take`.
fn fill_entries(members: RawObject<'_>, take: &mut TakeEntry<'_>) -> Result<(), DecodeError> {
    for (name, text) in members.into_iter() {
        take(name.clone().into_owned(), text).map_err(|malformed| malformed.within(&name))?;
    }
    Ok(())
}

impl<T: Shape> Items for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn each(&self, show: &mut dyn FnMut(&dyn Shape)) {
        for item in self {
            show(item);
        }
    }
}

impl<T: Shape, const N: usize> Items for [T; N] {
    fn count(&self) -> usize {
        N
    }

    fn each(&self, show: &mut dyn FnMut(&dyn Shape)) {
        for item in self {
            show(item);
        }
    }
}

impl<T: Shape, const N: usize> Shape for [T; N] {
    fn view(&self) -> View<'_> {
        View::Items(self)
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn view(&self) -> View<'_> {
        View::Items(self)
    }
}

impl<T: Model> Fill for Vec<T> {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        fill_items(text, &mut |text| {
            self.push(T::read(text)?);
            Ok(())
        })
    }
}

impl<T: Model> Model for Vec<T> {
    fn blank() -> Vec<T> {
        Vec::new()
    }
}

impl<T: Shape> Shape for Option<T> {
    fn view(&self) -> View<'_> {
        match self {
            Some(value) => value.view(),
            None => View::Absent,
        }
    }
}

impl<T: Model> Fill for Option<T> {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        if text != b"null" || T::takes_null() {
            self.insert(T::blank()).fill(text)?;
        }
        Ok(())
    }

    fn may_be_absent(&self) -> bool {
        true
    }
}

impl<T: Model> Model for Option<T> {
    fn blank() -> Option<T> {
        None
    }
}

impl<T: Shape> Entries for BTreeMap<String, T> {
    fn each(&self, show: &mut dyn FnMut(&str, &dyn Shape)) {
        for (name, value) in self {
            show(name, value);
        }
    }
}

impl<T: Shape> Shape for BTreeMap<String, T> {
    fn view(&self) -> View<'_> {
        View::Entries(self)
    }
}

impl<T: Model> Fill for BTreeMap<String, T> {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        fill_entries(members_of(text)?, &mut |name, text| {
            self.insert(name, T::read(text)?);
            Ok(())
        })
    }
}

impl<T: Model> Model for BTreeMap<String, T> {
    fn blank() -> BTreeMap<String, T> {
        BTreeMap::new()
    }
}

impl<T: Shape> Entries for VecMap<String, T> {
    fn each(&self, show: &mut dyn FnMut(&str, &dyn Shape)) {
        for (name, value) in self {
            show(name, value);
        }
    }
}

impl<T: Shape> Shape for VecMap<String, T> {
    fn view(&self) -> View<'_> {
        View::Entries(self)
    }
}

impl<T: Model> Fill for VecMap<String, T> {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        fill_entries(members_of(text)?.unique(), &mut |name, text| {
            self.push_new(name, T::read(text)?);
            Ok(())
        })
    }
}

impl<T: Model> Model for VecMap<String, T> {
    fn blank() -> VecMap<String, T> {
        VecMap::new()
    }
}

impl<T: Shape> Serialize for VecMap<String, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.view().serialize(serializer)
    }
}

/// From JSON alone, for what is kept in it may be JSON as it came.
impl<'de, T: Model> Deserialize<'de> for VecMap<String, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<VecMap<String, T>, D::Error> {
        deserialize(deserializer)
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            View::Absent => serializer.serialize_none(),
            View::Bool(value) => serializer.serialize_bool(*value),
            View::Signed(number) => serializer.serialize_i64(*number),
            View::Unsigned(number) => serializer.serialize_u64(*number),
            View::Float(number) => serializer.serialize_f64(*number),
            View::Number(number) => number.serialize(serializer),
            View::Text(text) => serializer.serialize_str(text),
            View::Value(value) => value.serialize(serializer),
            View::Raw(text) => Transcoded(text).serialize(serializer),
            View::Items(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.count()))?;
                let mut outcome = Ok(());
                items.each(&mut |item| {
                    if outcome.is_ok() {
                        outcome = sequence.serialize_element(&item.view());
                    }
                });
                outcome?;
                sequence.end()
            }
            View::Entries(entries) => {
                let mut writer = MemberWriter::new(serializer)?;
                entries.each(&mut |name, value| writer.write(name, value));
                writer.end()
            }
            View::Members(members) => {
                let mut writer = MemberWriter::new(serializer)?;
                members.iter().for_each(|(name, value)| writer.write(name, *value));
                writer.end()
            }
            View::Record(record) => serialize_record(serializer, None, *record),
            View::Tagged(tag, kind, record) => serialize_record(serializer, Some((tag, kind)), *record),
        }
    }
}

/// JSON text for serializers of any format: the order of members stays, numbers become the serializer's own.
struct Transcoded<'t>(&'t [u8]);

impl Serialize for Transcoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;

        match self.0.first() {
            Some(b'{') => {
                let members = members_of(self.0).map_err(S::Error::custom)?;
                serializer.collect_map(members.iter().map(|(name, value)| (name, Transcoded(value))))
            }
            Some(b'[') => {
                let items = items_of(self.0).map_err(S::Error::custom)?;
                serializer.collect_seq(items.into_iter().map(Transcoded))
            }
            _ => value_of(self.0).map_err(S::Error::custom)?.serialize(serializer),
        }
    }
}

fn serialize_record<S: Serializer>(
    serializer: S,
    tag: Option<(&str, &str)>,
    record: &dyn Record,
) -> Result<S::Ok, S::Error> {
    let mut writer = MemberWriter::new(serializer)?;
    if let Some((tag, kind)) = tag {
        writer.map.serialize_entry(tag, kind)?;
    }
    record.each(&mut |name, value| writer.write(name, value));
    if let Some(extra) = record.extra().filter(|extra| !extra.is_empty()) {
        extra.iter().for_each(|(name, value)| writer.write(&name, &value));
    }
    writer.end()
}

/// Writes the members of an object one after the other, up to the first that fails.
struct MemberWriter<M: SerializeMap> {
    map: M,
    outcome: Result<(), M::Error>,
}

impl<M: SerializeMap> MemberWriter<M> {
    fn new<S>(serializer: S) -> Result<MemberWriter<M>, M::Error>
    where
        S: Serializer<SerializeMap = M, Ok = M::Ok, Error = M::Error>,
    {
        Ok(MemberWriter { map: serializer.serialize_map(None)?, outcome: Ok(()) })
    }

    fn write(&mut self, name: &str, value: &dyn Shape) {
        let view = value.view();
        if self.outcome.is_ok() && !matches!(view, View::Absent) {
            self.outcome = self.map.serialize_entry(name, &view);
        }
    }

    fn end(self) -> Result<M::Ok, M::Error> {
        self.outcome?;
        self.map.end()
    }
}

/// Which of `words` the text `text` is.
pub(crate) fn word_at(text: &[u8], words: &[&str]) -> Result<usize, DecodeError> {
    let word = String::read(text)?;
    words.iter().position(|known| *known == word).ok_or_else(|| DecodeError::unknown(&word, words))
}

/// Reads a model type from JSON, some of which it keeps as it came.
pub(crate) fn deserialize<'de, T: Model, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = RawJson::deserialize(deserializer)?;
    T::read(text.as_bytes()).map_err(D::Error::custom)
}
