//! The reason that a relayed request has no result.

use loggia::exchange::Exchange;
use loggia::service::Request;
use loggia::wire::{ErrorCode, RpcError};

/// The number of times that a request is routed whose connector is changed before it is sent.
pub(crate) const MOST_ROUTINGS: usize = 3;

/// The reason that a relayed request has no result.
pub(crate) enum Refusal {
    /// The error that the upstream answered with, or the hub's own.
    Rpc(RpcError),
    /// The upstream did not answer. The text is for the client.
    Unavailable(String),
    /// The connector was changed before the request was sent to it: it can be routed again.
    Unsent(Box<UnsentRequest>),
}

/// A request that was not sent, and the text for the client if it is not sent again.
pub(crate) struct UnsentRequest {
    pub(crate) request: Request,
    pub(crate) exchange: Exchange,
    pub(crate) why: String,
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
            Refusal::Unsent(unsent) => RpcError::new(ErrorCode::INTERNAL_ERROR, unsent.why),
        }
    }
}
