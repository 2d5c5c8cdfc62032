//! The reason that a relayed request has no result.

use loggia::wire::{ErrorCode, RpcError};

/// The reason that a relayed request has no result.
pub(crate) enum Refusal {
    /// The error that the upstream answered with, or the hub's own.
    Rpc(RpcError),
    /// The upstream did not answer. The text is for the client.
    Unavailable(String),
}

impl From<RpcError> for Refusal {
    fn from(error: RpcError) -> Refusal {
        Refusal::Rpc(error)
    }
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> RpcError {
        match refusal {
            Refusal::Rpc(error) => error,
            Refusal::Unavailable(why) => RpcError::new(ErrorCode::INTERNAL_ERROR, why),
        }
    }
}
