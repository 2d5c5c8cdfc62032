//! Errors on the wire: the JSON-RPC error object, and the error codes of each revision.
//!
//! A missing resource is `-32002` in some revisions and `-32602` in others. Only [`RpcError::for_version`] depends on
//! this.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::json::{DecodeError, FromJson, JsonObject, JsonRef, RawJson, ToJson};
use crate::model::ClientCapabilities;
use crate::version::Version;

/// A JSON-RPC error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorCode(pub i64);

impl ToJson for ErrorCode {
    fn to_json(&self) -> JsonRef<'_> {
        JsonRef::Signed(self.0)
    }
}

impl FromJson for ErrorCode {
    fn empty() -> ErrorCode {
        ErrorCode(0)
    }

    fn read_json(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        self.0.read_json(text)
    }
}

impl ErrorCode {
    /// The text is not JSON (JSON-RPC 2.0, section 5.1).
    pub const PARSE_ERROR: ErrorCode = ErrorCode(-32700);
    /// The JSON is not a request.
    pub const INVALID_REQUEST: ErrorCode = ErrorCode(-32600);
    /// The method does not exist in this revision, or not on this server.
    pub const METHOD_NOT_FOUND: ErrorCode = ErrorCode(-32601);
    /// The parameters are wrong.
    pub const INVALID_PARAMS: ErrorCode = ErrorCode(-32602);
    /// The server failed.
    pub const INTERNAL_ERROR: ErrorCode = ErrorCode(-32603);
    /// The resource does not exist. Only up to 2025-11-25; later revisions use [`Self::INVALID_PARAMS`].
    pub const RESOURCE_NOT_FOUND: ErrorCode = ErrorCode(-32002);
    /// The user must open a URL first. Only in 2025-11-25.
    pub const URL_ELICITATION_REQUIRED: ErrorCode = ErrorCode(-32042);
    /// Headers and body differ (2026-07-28).
    pub const HEADER_MISMATCH: ErrorCode = ErrorCode(-32020);
    /// The client did not declare a capability that the request needs (2026-07-28).
    pub const MISSING_REQUIRED_CLIENT_CAPABILITY: ErrorCode = ErrorCode(-32021);
    /// The server does not support the request's version (2026-07-28).
    pub const UNSUPPORTED_PROTOCOL_VERSION: ErrorCode = ErrorCode(-32022);

    /// Returns whether only a modern server sends this code. A client that probes a server then does not fall back to
    /// `initialize`.
    pub fn is_modern(self) -> bool {
        matches!(
            self,
            ErrorCode::HEADER_MISMATCH
                | ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY
                | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
        )
    }
}

/// The `error` member of a response.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub struct RpcError {
    /// The code.
    pub code: ErrorCode,
    /// One sentence for the user or developer.
    pub message: Cow<'static, str>,
    /// Details, in a form that the sender defines.
    pub data: Option<RawJson>,
}

impl RpcError {
    /// Creates an error without `data`.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> RpcError {
        RpcError { code, message: message.into(), data: None }
    }

    /// Returns the same error with `data`.
    pub fn with_data(mut self, data: impl ToJson) -> RpcError {
        self.data = Some(RawJson::of(&data));
        self
    }

    /// Creates the error `-32602`: the caller's parameters are wrong.
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> RpcError {
        RpcError::new(ErrorCode::INVALID_PARAMS, message)
    }

    /// Creates the error `-32600`: the message is not a request.
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> RpcError {
        RpcError::new(ErrorCode::INVALID_REQUEST, message)
    }

    /// Creates the error `-32601`: the method does not exist here.
    pub fn method_not_found(method: &str) -> RpcError {
        RpcError::new(ErrorCode::METHOD_NOT_FOUND, format!("Method not found: {method}"))
    }

    /// Creates the error `-32603`: the server failed. The message is generic; with `correlation` the cause is found
    /// in the log.
    pub fn internal(correlation: &str) -> RpcError {
        RpcError::new(ErrorCode::INTERNAL_ERROR, format!("Internal error (reference {correlation})"))
    }

    /// Creates the error for a resource that does not exist. It is `-32002` before 2026-07-28 (see
    /// [`RpcError::for_version`]).
    pub fn resource_not_found(uri: &str) -> RpcError {
        RpcError::new(ErrorCode::RESOURCE_NOT_FOUND, format!("Resource not found: {uri}"))
            .with_data(json!({ "uri": uri }))
    }

    /// Creates the error `-32020`: headers and body differ.
    pub fn header_mismatch(message: impl Into<Cow<'static, str>>) -> RpcError {
        RpcError::new(ErrorCode::HEADER_MISMATCH, message)
    }

    /// Creates the error `-32021`: the request needs a capability that the client did not declare.
    pub fn missing_capability(required: &ClientCapabilities) -> RpcError {
        RpcError::new(
            ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY,
            "The client did not declare a capability this request needs",
        )
        .with_data(JsonObject::from([("requiredCapabilities", required)]))
    }

    /// Creates the error `-32022`: the server does not support `requested`.
    pub fn unsupported_version(requested: &str, supported: &[Version]) -> RpcError {
        RpcError::new(
            ErrorCode::UNSUPPORTED_PROTOCOL_VERSION,
            format!("Unsupported protocol version {requested:?}"),
        )
        .with_data(json!({ "supported": supported, "requested": requested }))
    }

    /// Returns this error as `version` writes it: a code that the revision does not have is replaced by the nearest
    /// one.
    pub fn for_version(mut self, version: Version) -> RpcError {
        if version.is_modern() && self.code == ErrorCode::RESOURCE_NOT_FOUND {
            self.code = ErrorCode::INVALID_PARAMS;
        }
        if !version.is_modern() && self.code.is_modern() {
            self.code = ErrorCode::INVALID_PARAMS;
        }
        if version != Version::V2025_11_25 && self.code == ErrorCode::URL_ELICITATION_REQUIRED {
            self.code = ErrorCode::INVALID_PARAMS;
        }
        self
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code.0)
    }
}

impl std::error::Error for RpcError {}
