//! JSON below the protocol: a scanner, values that are carried as their text, and one reader and one writer for all types.
//!
//! It exists so that a value the program does not need is neither parsed nor changed, and so that a type costs a short
//! list of its fields and not a reader and a writer of its own.
//!
//! Invariant: nothing here knows the protocol; the order of members and the spelling of numbers are data.

mod json_object;
mod raw_json;
pub(crate) mod raw_object;
mod scanner;
pub(crate) mod shape;
mod string;
mod subschema;
mod vec_map;

pub use json_object::{JsonObject, JsonText};
pub use raw_json::{RawJson, plain_text};
pub use raw_object::RawObject;
pub use scanner::{MAX_DEPTH, Scanner};
pub use shape::{DecodeError, Fill, FillRecord, Model, Record, Shape, View, value_of, write_view};
pub use string::write_string;
pub use subschema::{MAX_SCHEMA_DEPTH, SchemaStep, each_subschema};
pub use vec_map::{VecMap, VecMapIter};

pub(crate) use json_object::push_member;
