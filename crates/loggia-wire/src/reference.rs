//! The slow paths behind the fast ones, by a parser and a tree.
//!
//! The crate uses them for unusual texts. This module makes them public, with the feature `reference`, so that tests
//! and fuzz targets can compare the fast paths with them.

use bytes::Bytes;

use crate::codec;
use crate::error::RpcError;
use crate::json::RawJson;
use crate::jsonrpc::{self, EnvelopeError, Message};
use crate::meta;
use crate::model::{Implementation, ServerResult};
use crate::params::Params;
use crate::version::Version;

/// Reads a text that is not a batch, as [`jsonrpc::decode`] does.
pub fn message(text: &Bytes) -> Result<Message, EnvelopeError> {
    jsonrpc::parse_single(text, text)
}

/// Reads the `_meta` of a modern request, as [`RequestMeta::from_modern`](crate::RequestMeta::from_modern) does.
pub fn request_meta(params: Option<&Params>, supported: &[Version]) -> Result<crate::RequestMeta, RpcError> {
    meta::modern_by_tree(params, supported)
}

/// Writes a result, as [`codec::encode_result`] does; the order of members may differ.
pub fn result(mut result: ServerResult, version: Version, identity: Option<&Implementation>) -> RawJson {
    codec::Downgrade::downgrade(&mut result, version);
    codec::as_object(&result, version, identity).map_or_else(|raw| raw, |object| object.to_raw())
}
