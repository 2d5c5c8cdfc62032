//! The `_meta` of a request (`params._meta`), read into one structure for all revisions.
//!
//! A modern request contains all of it; in the legacy era the session supplies the rest (see
//! [`RequestMeta::from_session`]).

mod fast;

use std::sync::Arc;

use crate::error::RpcError;
use crate::json::{FromJson, RawObject};
use crate::meta_key::drop_invalid_trace_context;
use crate::model::{ClientCapabilities, Implementation, LoggingLevel, Meta, ProgressToken};
use crate::params::Params;
use crate::version::Version;

/// `_meta` key: the version of this request.
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` key: the name and version of the client.
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` key: the capabilities of the client.
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` key: the least severity of the log messages that the client wants.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// `_meta` key: the id of the `subscriptions/listen` request that a notification belongs to.
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// `_meta` key of results: the name and version of the server.
pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// `_meta` key: the token of progress notifications.
pub const PROGRESS_TOKEN: &str = "progressToken";

/// The `_meta` of a request.
#[derive(Debug, Clone)]
pub struct RequestMeta {
    /// The revision it is written in.
    pub version: Version,
    /// The sender. Self-reported: for display and logs only.
    pub client_info: Option<Implementation>,
    /// The client's capabilities.
    pub client_capabilities: ClientCapabilities,
    /// The least severity of the log messages that the client wants; `None` if it wants none.
    pub log_level: Option<LoggingLevel>,
    /// The token of progress notifications; `None` if the client wants none.
    pub progress_token: Option<ProgressToken>,
    /// Every other key, trace context included, as it was received.
    pub extra: Meta,
}

/// The version that a request's `_meta` declares. It is read before the other members of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeclaredVersion {
    /// It declares no version: a legacy request.
    Nothing,
    /// It declares a version that this crate supports.
    Known(Version),
    /// It declares another version.
    Unknown(String),
}

impl DeclaredVersion {
    /// Returns the version as it is written; `None` if none is declared.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            DeclaredVersion::Nothing => None,
            DeclaredVersion::Known(version) => Some(version.as_str()),
            DeclaredVersion::Unknown(text) => Some(text),
        }
    }
}

/// Returns the version that `params._meta` declares.
pub fn declared_version(params: Option<&Params>) -> Result<DeclaredVersion, RpcError> {
    if let Some(declared) = fast::declared(params) {
        return Ok(declared);
    }
    match meta_of(params)?.remove(PROTOCOL_VERSION) {
        None => Ok(DeclaredVersion::Nothing),
        Some(version) => match version.as_text().as_str() {
            Some(version) => Ok(DeclaredVersion::from(&*version)),
            None => {
                Err(RpcError::invalid_params(format!("params._meta[{PROTOCOL_VERSION:?}] must be a string")))
            }
        },
    }
}

/// Returns the `_meta` as a tree, for unusual texts, and for errors that name the wrong key.
fn meta_of(params: Option<&Params>) -> Result<Meta, RpcError> {
    let Some(params) = params else { return Ok(Meta::default()) };
    let wrong = |e| RpcError::invalid_params(format!("params._meta must be an object: {e}"));
    let mut members = RawObject::of_text(params.as_bytes()).map_err(wrong)?;
    let meta = members.take_once("_meta").map_err(wrong)?.unwrap_or(b"null");
    let mut meta = Option::<Meta>::from_json(meta).map_err(wrong)?.unwrap_or_default();
    drop_invalid_trace_context(&mut meta);
    Ok(meta)
}

impl From<&str> for DeclaredVersion {
    fn from(text: &str) -> DeclaredVersion {
        Version::named(text).map_or_else(|| DeclaredVersion::Unknown(text.to_owned()), DeclaredVersion::Known)
    }
}

/// The last `_meta` of a peer, as text and as value. Most peers send the same one with every request.
#[derive(Debug, Default)]
pub struct MetaCacheEntry(Option<(Box<[u8]>, Arc<RequestMeta>)>);

impl MetaCacheEntry {
    /// The longest `_meta` that is kept, in bytes.
    pub const BYTES: usize = 1024;

    /// Returns the value of a `_meta` with this text, if it is the one that was kept.
    pub fn recall(&self, text: &[u8]) -> Option<Arc<RequestMeta>> {
        let (kept, meta) = self.0.as_ref()?;
        (**kept == *text).then(|| meta.clone())
    }

    /// Keeps the value of the `_meta` with this text.
    pub fn keep(&mut self, text: &[u8], meta: &Arc<RequestMeta>) {
        if text.len() <= MetaCacheEntry::BYTES {
            self.0 = Some((text.into(), meta.clone()));
        }
    }
}

/// Returns the text of `params._meta`, if it can be found without a parser. [`MetaCacheEntry`] compares it.
pub fn text(params: Option<&Params>) -> Option<&[u8]> {
    fast::text(params).flatten()
}

impl RequestMeta {
    /// Reads the `_meta` of a modern request. The error is [`RpcError::unsupported_version`] for a version that is
    /// not in `supported`, and `-32602` if a required key is absent.
    pub fn from_modern(params: Option<&Params>, supported: &[Version]) -> Result<RequestMeta, RpcError> {
        if let Some(meta) = fast::modern(params, supported) {
            return Ok(meta);
        }
        modern_by_tree(params, supported)
    }

    /// Merges the metadata of a legacy session with that of one request. A request without metadata, as nearly all are,
    /// shares the session's.
    pub fn from_session(
        params: Option<&Params>,
        session: &Arc<RequestMeta>,
    ) -> Result<Arc<RequestMeta>, RpcError> {
        let (progress_token, extra) = match fast::in_session(params) {
            Some(read) => read,
            None => {
                let mut extra = meta_of(params)?;
                (optional(&mut extra, PROGRESS_TOKEN)?, extra)
            }
        };
        if progress_token.is_none() && extra.is_empty() {
            return Ok(session.clone());
        }
        Ok(Arc::new(RequestMeta { progress_token, extra, ..RequestMeta::clone(session) }))
    }
}

/// See [`RequestMeta::from_modern`].
pub(crate) fn modern_by_tree(
    params: Option<&Params>,
    supported: &[Version],
) -> Result<RequestMeta, RpcError> {
    let mut extra = meta_of(params)?;
    let requested: String = required(&mut extra, PROTOCOL_VERSION)?;
    let version = requested
        .parse::<Version>()
        .ok()
        .filter(|v| v.is_modern() && supported.contains(v))
        .ok_or_else(|| RpcError::unsupported_version(&requested, supported))?;
    Ok(RequestMeta {
        version,
        client_capabilities: required(&mut extra, CLIENT_CAPABILITIES)?,
        client_info: optional(&mut extra, CLIENT_INFO)?,
        log_level: optional(&mut extra, LOG_LEVEL)?,
        progress_token: optional(&mut extra, PROGRESS_TOKEN)?,
        extra,
    })
}

fn required<T: FromJson>(meta: &mut Meta, key: &'static str) -> Result<T, RpcError> {
    optional(meta, key)?
        .ok_or_else(|| RpcError::invalid_params(format!("params._meta lacks the required key {key:?}")))
}

fn optional<T: FromJson>(meta: &mut Meta, key: &'static str) -> Result<Option<T>, RpcError> {
    meta.remove(key)
        .map(|value| {
            T::from_json(value.as_bytes())
                .map_err(|e| RpcError::invalid_params(format!("params._meta[{key:?}]: {e}")))
        })
        .transpose()
}
