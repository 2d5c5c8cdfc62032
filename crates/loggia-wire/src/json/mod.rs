//! JSON, independent of the protocol: a scanner, values that are stored as text, and one reader and one writer for
//! all types.
//!
//! It exists so that values that the program does not need are neither parsed nor changed, and so that each type
//! needs only a short list of its fields instead of a reader and a writer of its own.
//!
//! Invariant: no module here depends on the protocol; the order of members and the spelling of numbers are data.

mod collection;
mod decode_error;
mod from_json;
mod json_object;
mod object_reader;
mod raw_array;
mod raw_json;
mod raw_object;
mod scalar;
mod scanner;
mod serde_impl;
mod string;
mod subschema;
mod to_json;
mod vec_map;
mod write;

pub use decode_error::DecodeError;
pub use from_json::FromJson;
pub use json_object::JsonObject;
pub use loggia_macros::{FromJson, ToJson};
pub use object_reader::{FieldsMut, ObjectReader, read_name, read_object};
pub use raw_json::{JsonText, RawJson};
pub use raw_object::RawObject;
pub use scalar::value_of;
pub use scanner::{MAX_DEPTH, Scanner};
pub use serde_impl::deserialize;
pub use string::{plain_text, write_string};
pub use subschema::{MAX_SCHEMA_DEPTH, SchemaStep, each_subschema};
pub use to_json::{ArrayItems, Fields, JsonRef, ToJson};
pub use vec_map::{VecMap, VecMapIter};
pub use write::write_json;

pub(crate) use json_object::push_member;
pub(crate) use string::{json_string, read_string};
