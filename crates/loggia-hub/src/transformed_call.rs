//! A call of a tool that has a transform: asks the user first if the tool needs it, rewrites the arguments, and rewrites
//! the result. The module is separate from the dispatcher, which relays the calls of all other tools as bytes.
//!
//! Invariant: only the parts that the transform rewrites are parsed. A request that was not sent is given back as it
//! came, so that it can be routed again.

use std::sync::Arc;

use loggia::exchange::Exchange;
use loggia::model::{CallToolResult, JsonObject, ServerResult};
use loggia::service::{Reply, Request};
use loggia::wire::{Method, RawObject, codec};

use crate::confirmation::confirmed;
use crate::connector_handle::ConnectorHandle;
use crate::dispatcher::Dispatcher;
use crate::refusal::{Refusal, UnsentRequest};
use crate::request_params::invalid_params;
use crate::tool_transform::ToolTransform;

/// One call of a tool that has a transform.
pub(crate) struct TransformedCall<'a> {
    dispatcher: &'a Dispatcher,
    handle: &'a ConnectorHandle,
    transform: Arc<dyn ToolTransform>,
    /// The name that clients see.
    listed: &'a str,
}

impl<'a> TransformedCall<'a> {
    /// Creates a call of the tool that clients know as `listed`, to the connector of `handle`.
    pub(crate) fn new(
        dispatcher: &'a Dispatcher,
        handle: &'a ConnectorHandle,
        transform: Arc<dyn ToolTransform>,
        listed: &'a str,
    ) -> TransformedCall<'a> {
        TransformedCall { dispatcher, handle, transform, listed }
    }

    /// Runs the call. The name in `request` must be the connector's own.
    pub(crate) async fn run(&self, request: Request, exchange: Exchange) -> Result<Reply, Refusal> {
        let given = request.params.clone();
        let request = match self.transform.needs_confirmation() {
            true => match self.confirmed(request, &exchange) {
                Ok(request) => request,
                Err(reply) => return Ok(reply),
            },
            false => request,
        };
        let request = match self.transform.changes_arguments() {
            true => match self.rewritten(request)? {
                Ok(request) => request,
                Err(why) => return Ok(failed(why)),
            },
            false => request,
        };
        match self.dispatcher.send(self.handle, request, exchange).await {
            Ok(reply) if self.transform.changes_result() => Ok(self.shaped(reply).await),
            Err(Refusal::Unsent(unsent)) => {
                let UnsentRequest { request, exchange, why } = *unsent;
                let request = Request { params: given, ..request };
                Err(Refusal::Unsent(Box::new(UnsentRequest { request, exchange, why })))
            }
            outcome => outcome,
        }
    }

    fn confirmed(&self, request: Request, exchange: &Exchange) -> Result<Request, Reply> {
        confirmed(&self.handle.settings.name, self.listed, request, exchange)
    }

    /// Returns the request with the arguments for the connector. The inner error is a text for the model.
    fn rewritten(&self, request: Request) -> Result<Result<Request, String>, Refusal> {
        let params = RawObject::of(&request.params).map_err(invalid_params)?;
        let given = match params.value("arguments") {
            Some(arguments) => arguments.decode::<JsonObject>().map_err(invalid_params)?,
            None => JsonObject::default(),
        };
        Ok(self.transform.arguments(&given).map(|arguments| {
            let params = params.with(&[("arguments", &arguments.to_raw())]);
            Request { params: params.into(), ..request }
        }))
    }

    /// Rewrites a result. Questions and errors are not changed.
    async fn shaped(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Raw(relayed) => match relayed.decode(&Method::CallTool) {
                Ok(ServerResult::CallTool(result)) if result.is_error != Some(true) => {
                    let shaped = ServerResult::from(self.transform.result(result).await);
                    let raw = codec::encode_result(shaped, relayed.version(), None);
                    Reply::Raw(relayed.with_raw(raw))
                }
                // The edge reports a result that cannot be read.
                _ => Reply::Raw(relayed),
            },
            Reply::Result(ServerResult::CallTool(result)) if result.is_error != Some(true) => {
                Reply::from(ServerResult::from(self.transform.result(result).await))
            }
            other => other,
        }
    }
}

/// Returns the result of a call that was not made, as a text that the model can read.
fn failed(why: String) -> Reply {
    Reply::from(ServerResult::from(CallToolResult::error(why)))
}
