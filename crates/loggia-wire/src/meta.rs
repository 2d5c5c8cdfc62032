//! What a request says about itself: `params._meta`, read into one structure whatever the revision. In the
//! stateless era everything is in the request; in the handshake era the session supplies what the request
//! leaves out (see [`RequestMeta::from_session`]).

mod fast;

use serde::Deserialize;
use serde_json::Value;

use crate::error::RpcError;
use crate::meta_key::drop_invalid_trace_context;
use crate::model::{ClientCapabilities, Implementation, LoggingLevel, Meta, ProgressToken};
use crate::raw::RawJson;
use crate::version::Version;

/// `_meta` key: the version of this request.
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` key: who the client is.
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` key: what the client can do.
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` key: which log messages the client wants.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// `_meta` key: which listen request a notification belongs to.
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// `_meta` key of results: who the server is.
pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// `_meta` key: where progress is to be reported.
pub const PROGRESS_TOKEN: &str = "progressToken";

/// Everything a request says about itself.
#[derive(Debug, Clone)]
pub struct RequestMeta {
    /// The revision it is written in.
    pub version: Version,
    /// Who sends it. Self-reported: for display and logs only.
    pub client_info: Option<Implementation>,
    /// What the client can do.
    pub client_capabilities: ClientCapabilities,
    /// The least severity of log messages wanted; `None` wants none.
    pub log_level: Option<LoggingLevel>,
    /// Where progress is to be reported; `None` wants none.
    pub progress_token: Option<ProgressToken>,
    /// Every other key, trace context included, as it came.
    pub extra: Meta,
}

/// What a handshake session knows about its client.
#[derive(Debug, Clone)]
pub struct SessionMeta {
    /// The negotiated revision.
    pub version: Version,
    /// From `initialize`.
    pub client_info: Option<Implementation>,
    /// From `initialize`.
    pub client_capabilities: ClientCapabilities,
    /// From `logging/setLevel`.
    pub log_level: Option<LoggingLevel>,
}

/// Where a request's `_meta` says it belongs, before anything else of it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// It names no version: a handshake request.
    Nothing,
    /// It names a version we know.
    Known(Version),
    /// It names another.
    Unknown(String),
}

impl Declared {
    /// The version as it is written; `None` where none is named.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Declared::Nothing => None,
            Declared::Known(version) => Some(version.as_str()),
            Declared::Unknown(text) => Some(text),
        }
    }
}

/// The version that `params._meta` declares.
pub fn declared_version(params: Option<&RawJson>) -> Result<Declared, RpcError> {
    if let Some(declared) = fast::declared(params) {
        return Ok(declared);
    }
    match meta_of(params)?.remove(PROTOCOL_VERSION) {
        None => Ok(Declared::Nothing),
        Some(Value::String(version)) => Ok(Declared::from(version.as_str())),
        Some(_) => {
            Err(RpcError::invalid_params(format!("params._meta[{PROTOCOL_VERSION:?}] must be a string")))
        }
    }
}

#[derive(Deserialize)]
struct HasMeta<T> {
    #[serde(default = "nothing", rename = "_meta")]
    meta: Option<T>,
}

fn nothing<T>() -> Option<T> {
    None
}

/// The `_meta` as a tree: for what is out of the ordinary, and for errors that name the key at fault.
fn meta_of(params: Option<&RawJson>) -> Result<Meta, RpcError> {
    let Some(params) = params else { return Ok(Meta::default()) };
    let holder: HasMeta<Meta> = params
        .decode()
        .map_err(|e| RpcError::invalid_params(format!("params._meta must be an object: {e}")))?;
    let mut meta = holder.meta.unwrap_or_default();
    drop_invalid_trace_context(&mut meta);
    Ok(meta)
}

impl RequestMeta {
    /// Reads the `_meta` of a stateless request. A version we do not speak is
    /// [`RpcError::unsupported_version`]; a missing required key is `-32602`.
    pub fn from_stateless(params: Option<&RawJson>, supported: &[Version]) -> Result<RequestMeta, RpcError> {
        if let Some(meta) = fast::stateless(params, supported) {
            return Ok(meta);
        }
        let mut extra = meta_of(params)?;
        let requested: String = required(&mut extra, PROTOCOL_VERSION)?;
        let version = requested
            .parse::<Version>()
            .ok()
            .filter(|v| v.is_stateless() && supported.contains(v))
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

    /// Joins what a handshake session knows with the little its request says.
    pub fn from_session(params: Option<&RawJson>, session: &SessionMeta) -> Result<RequestMeta, RpcError> {
        let (progress_token, extra) = match fast::in_session(params) {
            Some(read) => read,
            None => {
                let mut extra = meta_of(params)?;
                (optional(&mut extra, PROGRESS_TOKEN)?, extra)
            }
        };
        Ok(RequestMeta {
            version: session.version,
            client_info: session.client_info.clone(),
            client_capabilities: session.client_capabilities.clone(),
            log_level: session.log_level,
            progress_token,
            extra,
        })
    }
}

fn required<T: serde::de::DeserializeOwned>(meta: &mut Meta, key: &'static str) -> Result<T, RpcError> {
    optional(meta, key)?
        .ok_or_else(|| RpcError::invalid_params(format!("params._meta lacks the required key {key:?}")))
}

fn optional<T: serde::de::DeserializeOwned>(
    meta: &mut Meta,
    key: &'static str,
) -> Result<Option<T>, RpcError> {
    meta.remove(key)
        .map(|value| {
            serde_json::from_value(value)
                .map_err(|e| RpcError::invalid_params(format!("params._meta[{key:?}]: {e}")))
        })
        .transpose()
}
