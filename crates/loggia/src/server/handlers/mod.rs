//! Answers to the requests for tools, prompts, resources and completions.

mod completions;
mod prompts;
mod resources;
mod tools;

use std::sync::Arc;

use loggia_wire::json::FromJson;
use loggia_wire::{Method, RawObject, RpcError};

use super::core::ServerCore;
use super::list::{List, ListEntry};
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::model::ServerResult;
use crate::service::{Outcome, Reply, Request};

/// Answers one request.
pub(crate) fn answer(
    core: Arc<ServerCore>,
    request: Request,
    exchange: Exchange,
) -> BoxFuture<'static, Outcome> {
    let resources = core.resources.as_ref();
    match request.method {
        Method::CallTool if core.tools.is_some() => tools::call(core, request, exchange),
        Method::GetPrompt if core.prompts.is_some() => Box::pin(prompts::get(core, request, exchange)),
        Method::ReadResource if resources.is_some() => Box::pin(resources::read(core, request, exchange)),
        Method::Complete if core.has_completions => Box::pin(completions::complete(core, request, exchange)),
        Method::ListTools => page(core.tools.as_ref(), &request),
        Method::ListPrompts => page(core.prompts.as_ref(), &request),
        Method::ListResources => page(resources.map(|lists| &lists.resources), &request),
        Method::ListResourceTemplates => page(resources.map(|lists| &lists.templates), &request),
        _ => {
            let error = RpcError::method_not_found(request.method.as_str());
            Box::pin(std::future::ready(Err(error)))
        }
    }
}

/// The page of `list` that is asked for.
fn page<T: ListEntry>(list: Option<&List<T>>, request: &Request) -> BoxFuture<'static, Outcome> {
    let not_found = || RpcError::method_not_found(request.method.as_str());
    let page = list.ok_or_else(not_found).and_then(|list| list.page(cursor(request)?.as_deref()));
    Box::pin(std::future::ready(page))
}

fn cursor(request: &Request) -> Result<Option<String>, RpcError> {
    RawObject::of(&request.params).map_err(invalid)?.get("cursor").map_err(invalid)
}

fn result(result: impl Into<ServerResult>) -> Reply {
    Reply::from(result.into())
}

fn read_params<T: FromJson>(request: &Request) -> Result<T, RpcError> {
    request.params.read().map_err(invalid)
}

fn invalid(reason: impl std::fmt::Display) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {reason}"))
}
