//! Writing: [`ToJson`] describes a value one level deep as a [`JsonRef`], and one writer serves all types.
//!
//! A type only lists its fields, so a program with a hundred types contains a hundred short lists. serde's derive
//! generates a serializer of several kilobytes for each type, because the types keep unknown members.
//!
//! Invariant: this module reads nothing, so a program that only writes a type does not contain the code that reads
//! it.

use serde_json::{Number, Value};

/// A value that can be written as JSON.
pub trait ToJson {
    /// Returns the value, one level deep.
    fn to_json(&self) -> JsonRef<'_>;
}

/// A value with named parts: an object with known fields, or a map.
pub trait Fields {
    /// Calls `visit` with the name and the value of each field, in the order in which they are written.
    fn each_field(&self, visit: &mut dyn FnMut(&str, &dyn ToJson));
}

/// An array of values of one type.
pub trait ArrayItems {
    /// Returns the number of items.
    fn count(&self) -> usize;

    /// Calls `visit` with each item.
    fn each_item(&self, visit: &mut dyn FnMut(&dyn ToJson));
}

/// A JSON value, borrowed from the value that is written.
#[allow(missing_docs, reason = "the others have the names of JSON or Rust")]
pub enum JsonRef<'a> {
    /// No value: a field is left out; elsewhere it is written as `null`.
    Absent,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Number(&'a Number),
    String(&'a str),
    Value(&'a Value),
    /// The text of one JSON value, which is written as it is.
    Raw(&'a [u8]),
    Array(&'a dyn ArrayItems),
    Object(&'a dyn Fields),
    /// An object with a list of fields that is made while it is written.
    Members(Vec<(&'static str, &'a dyn ToJson)>),
    /// An object with one more member in front: the name and the value of the tag that tells its type.
    Tagged(&'static str, &'static str, &'a dyn Fields),
}
