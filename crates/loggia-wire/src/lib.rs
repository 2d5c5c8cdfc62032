//! The Model Context Protocol as pure data and functions.
//!
//! One description of the protocol serves the SDK, the hub, the fuzz targets and the tests.
//!
//! Invariant: everything is a value or a function from values to values; no runtime, no I/O, no clock, no randomness.
//!
//! * [`version`]: the revisions as an enum, and the two eras that they belong to.
//! * [`json`]: JSON below the protocol: scanning, values that are carried as text, reading and writing.
//! * [`jsonrpc`]: the envelope, read once and written once; payloads stay raw ([`RawJson`]).
//! * [`method`]: the method names, and the revisions that have them.
//! * [`model`]: the types of all revisions in one model; [`codec`] converts it to and from each revision.
//! * [`params`]: a request's params, and the members that route it.
//! * [`meta`]: the `_meta` of a request; [`meta_key`]: the rules for its keys.
//! * [`header`]: the HTTP headers that mirror the body.
//! * [`text`]: makes text from outside safe to show.
//! * [`uri`]: resource URIs in a normal form, for access rules.
//! * [`uri_template`]: expands and matches URI templates.
//! * `reference`, with the feature of this name: simple and slow implementations, which tests and fuzz targets
//!   compare with the fast ones.
//! * [`error`]: the error codes of each revision.

// The derives of `ToJson` and `FromJson` name the crate.
extern crate self as loggia_wire;

pub mod codec;
pub mod error;
pub mod header;
mod id;
pub mod json;
pub mod jsonrpc;
pub mod meta;
pub mod meta_key;
pub mod method;
pub mod model;
pub mod params;
mod percent;
#[cfg(feature = "reference")]
pub mod reference;
pub mod text;
pub mod uri;
pub mod uri_template;
pub mod version;

pub use error::{ErrorCode, RpcError};
pub use id::Id;
pub use json::{DecodeError, FromJson, JsonObject, JsonText, RawJson, RawObject, ToJson, VecMap};
pub use jsonrpc::Message;
pub use meta::RequestMeta;
pub use method::Method;
pub use params::Params;
pub use version::{Era, Version};
