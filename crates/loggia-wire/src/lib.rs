//! The Model Context Protocol as pure data and functions.
//!
//! Everything here is a value or a function from values to values: no runtime, no I/O, no clock, no
//! randomness. That is what lets one description of the protocol serve the SDK, the hub, the fuzzers and
//! the tests alike.
//!
//! * [`version`]: the revisions as a parsed enum, and the two eras they fall into.
//! * [`jsonrpc`]: the envelope, read once and written once; payloads stay raw ([`raw::RawJson`]).
//! * [`method`]: every method name, and in which revision it exists.
//! * [`model`]: one neutral model of every type; [`codec`] takes it to and from each revision.
//! * [`params`]: a request's params, and what in them routes it.
//! * [`meta`]: what a request says about itself (`_meta`); [`meta_key`]: the rules for its keys.
//! * [`header`]: the HTTP headers that mirror the body.
//! * [`shape`]: how the model is read and written.
//! * [`vec_map`]: a small map in the order of insertion.
//! * [`schema`]: JSON Schema, bounded, without network.
//! * [`text`]: text from outside, safe to show.
//! * [`uri`]: resource URIs in a normal form, for access rules.
//! * [`uri_template`]: URI templates, expanded and matched.
//! * [`reference`]: what the fast readings and writings are held against.
//! * [`error`]: the error codes of each revision.

pub mod codec;
pub mod error;
pub mod header;
mod json_object;
pub mod jsonrpc;
pub mod meta;
pub mod meta_key;
pub mod method;
pub mod model;
pub mod params;
pub mod raw;
pub mod raw_object;
pub mod reference;
mod scan;
pub mod schema;
pub mod shape;
pub mod text;
pub mod uri;
pub mod uri_template;
pub mod vec_map;
pub mod version;

pub use error::{ErrorCode, RpcError};
pub use json_object::{JsonObject, JsonText};
pub use jsonrpc::{Id, Message};
pub use meta::RequestMeta;
pub use method::Method;
pub use params::Params;
pub use raw::RawJson;
pub use raw_object::RawObject;
pub use version::{Era, Version};
