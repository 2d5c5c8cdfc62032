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
use crate::result_limit::{ResultLimit, caller_key};
use crate::tool_rewrite::ToolRewrite;
use crate::tool_transform::ToolTransform;

/// One call of a tool that has a transform.
pub(crate) struct TransformedCall<'a> {
    dispatcher: &'a Dispatcher,
    handle: &'a ConnectorHandle,
    transform: Arc<dyn ToolTransform>,
    limit: Option<ResultLimit>,
    /// The name that clients see.
    listed: &'a str,
}

impl<'a> TransformedCall<'a> {
    /// Creates a call of the tool that clients know as `listed`, to the connector of `handle`.
    pub(crate) fn new(
        dispatcher: &'a Dispatcher,
        handle: &'a ConnectorHandle,
        rewrite: ToolRewrite,
        listed: &'a str,
    ) -> TransformedCall<'a> {
        let ToolRewrite { transform, limit } = rewrite;
        TransformedCall { dispatcher, handle, transform, limit, listed }
    }

    /// Runs the call. The name in `request` must be the connector's own.
    pub(crate) async fn run(&self, request: Request, exchange: Exchange) -> Result<Reply, Refusal> {
        let given = request.params.clone();
        let caller = self.limit.map(|_| caller_key(request.principal.as_deref())).unwrap_or_default();
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
            Ok(reply) => Ok(self.rewritten_result(reply, &caller).await),
            Err(Refusal::Unsent(unsent)) => {
                let UnsentRequest { request, exchange, why } = *unsent;
                let request = Request { params: given, ..request };
                Err(Refusal::Unsent(Box::new(UnsentRequest { request, exchange, why })))
            }
            Err(refusal) => Err(refusal),
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

    /// Rewrites a result, and bounds it. Questions are not changed, and neither are errors of the protocol.
    async fn rewritten_result(&self, reply: Reply, caller: &str) -> Reply {
        let is_shaped = self.transform.changes_result();
        match reply {
            // The parts of a result are not longer than its text.
            Reply::Raw(relayed) if is_shaped || self.may_exceed(relayed.raw().as_bytes().len()) => {
                match relayed.decode(&Method::CallTool) {
                    Ok(ServerResult::CallTool(result)) => {
                        let rewritten = ServerResult::from(self.rewritten_call_result(result, caller).await);
                        let raw = codec::encode_result(rewritten, relayed.version(), None);
                        Reply::Raw(relayed.with_raw(raw))
                    }
                    // The edge reports a result that cannot be read.
                    _ => Reply::Raw(relayed),
                }
            }
            Reply::Result(ServerResult::CallTool(result)) if is_shaped || self.limit.is_some() => {
                Reply::from(ServerResult::from(self.rewritten_call_result(result, caller).await))
            }
            other => other,
        }
    }

    fn may_exceed(&self, bytes: usize) -> bool {
        self.limit.is_some_and(|limit| bytes > limit.text.min(limit.binary))
    }

    /// Shapes a result that is no error, and bounds any.
    async fn rewritten_call_result(&self, result: CallToolResult, caller: &str) -> CallToolResult {
        let result = match self.transform.changes_result() && result.is_error != Some(true) {
            true => self.transform.result(result).await,
            false => result,
        };
        match self.limit {
            Some(limit) => self.dispatcher.results().cut(result, limit, caller, self.listed).await,
            None => result,
        }
    }
}

/// Returns the result of a call that was not made, as a text that the model can read.
fn failed(why: String) -> Reply {
    Reply::from(ServerResult::from(CallToolResult::error(why)))
}
