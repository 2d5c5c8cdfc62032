//! A question that an upstream asks the client during a call.

use loggia::model::InputRequest;
use loggia::wire::{RawJson, RpcError};
use tokio::sync::{mpsc, oneshot};

/// A question of the upstream, and the channel for its answer.
pub(crate) struct Question {
    pub(crate) request: InputRequest,
    pub(crate) answer: oneshot::Sender<Result<RawJson, RpcError>>,
}

/// The sender of the questions of a call.
pub(crate) type QuestionSender = mpsc::Sender<Question>;
