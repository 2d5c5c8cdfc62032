//! The reason why a relayed request has no result.

use loggia::exchange::Exchange;
use loggia::service::Request;
use loggia::wire::{ErrorCode, RpcError};

/// The maximum number of times that a request is routed again because its connector was changed before it was sent.
pub(crate) const MAX_ROUTINGS: usize = 3;

/// The reason why a relayed request has no result.
pub(crate) enum Refusal {
    /// An error of the upstream, or of the hub itself.
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
