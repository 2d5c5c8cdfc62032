//! Errors for requests whose params do not fit their method.

use std::borrow::Cow;

use loggia::wire::RpcError;

/// Returns the error for params that cannot be read.
pub(crate) fn invalid_params(error: serde_json::Error) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {error}"))
}

/// Returns a required text of a request.
pub(crate) fn required_text<'p>(text: Option<Cow<'p, str>>, name: &str) -> Result<Cow<'p, str>, RpcError> {
    text.ok_or_else(|| RpcError::invalid_params(format!("params.{name} must be a string")))
}
