//! The plain readings and writings behind the fast ones, by a parser and a tree. They serve whatever is out of
//! the ordinary; they are public so that a test anywhere can hold the fast path against them.

use bytes::Bytes;

use crate::codec;
use crate::error::RpcError;
use crate::json::RawJson;
use crate::jsonrpc::{self, EnvelopeError, Message};
use crate::meta;
use crate::model::{Implementation, ServerResult};
use crate::params::Params;
use crate::version::Version;

/// What [`jsonrpc::decode`] makes of a text that is no batch.
pub fn message(text: &Bytes) -> Result<Message, EnvelopeError> {
    jsonrpc::parse_single(text, text)
}

/// What [`RequestMeta::from_modern`](crate::RequestMeta::from_modern) reads.
pub fn request_meta(params: Option<&Params>, supported: &[Version]) -> Result<crate::RequestMeta, RpcError> {
    meta::modern_by_tree(params, supported)
}

/// What [`codec::encode_result`] writes; the order of members may differ.
pub fn result(mut result: ServerResult, version: Version, identity: Option<&Implementation>) -> RawJson {
    codec::Downgrade::downgrade(&mut result, version);
    codec::as_object(&result, version, identity).map_or_else(|raw| raw, |object| object.to_raw())
}
