//! Commands from the handles of a client to its task, and the answers to the server's questions.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use loggia_wire::model::{InputRequest, ServerNotification};
use loggia_wire::{ErrorCode, Method, RawJson, RpcError};
use tokio::sync::oneshot;

use crate::client::ClientState;
use crate::client::engine::{OutgoingCall, RawReply};
use crate::client::handler::{InputHandler, answer};
use crate::error::Result;

/// Receives the notifications of one request. It runs in the connection's task, so it must not block.
pub type NotificationSink = Arc<dyn Fn(ServerNotification) + Send + Sync>;

/// A message from a client's handles to its task.
pub(crate) enum Command {
    Start { id: i64, call: Box<OutgoingCall>, caller: CallReceiver },
    Cancel(i64),
    Notify(Method),
    Close(oneshot::Sender<()>),
}

/// Receives the outcome of a request, and its notifications and questions.
pub(crate) struct CallReceiver {
    pub(crate) reply: oneshot::Sender<Result<RawReply>>,
    pub(crate) sink: Option<NotificationSink>,
    pub(crate) input: InputSource,
}

/// The source of the answers to the server's questions during a request.
#[derive(Clone)]
pub(crate) enum InputSource {
    /// The handler of the client.
    Client,
    /// The handler of the request.
    Request(Arc<dyn InputHandler>),
    /// No source: questions are refused.
    Unavailable,
}

/// Answers a question of the server from `input`, within [`Limits::ask_timeout`](crate::limits::Limits::ask_timeout).
pub(crate) async fn ask(
    common: &ClientState,
    input: &InputSource,
    request: InputRequest,
) -> Result<RawJson, RpcError> {
    let method = request.method();
    let answering = async {
        match input {
            InputSource::Client => answer(&*common.handler, request).await,
            InputSource::Request(handler) => handler.answer(request).await,
            InputSource::Unavailable => Err(RpcError::method_not_found(method.as_str())),
        }
    };
    let limit = common.options.limits.ask_timeout;
    match tokio::time::timeout(limit, AssertUnwindSafe(answering).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => {
            tracing::error!(%method, "the program's handler of a question panicked");
            Err(RpcError::internal("client handler"))
        }
        Err(_) => Err(RpcError::new(ErrorCode::INTERNAL_ERROR, format!("No answer to {method} in time"))),
    }
}
