//! Completions: proposals for what a person types into a prompt's argument or a template's variable.

use std::sync::Arc;

use loggia_wire::{Method, RawJson, RpcError};

use super::{read_params, result};
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::model::{CompleteParams, CompleteResult, Completion, CompletionReference};
use crate::server::completion::{Completer, CompletionRequest};
use crate::server::core::ServerCore;
use crate::server::cx::CallSubject;
use crate::server::error::ToolError;
use crate::server::replay::{self, Suspension};
use crate::service::{Outcome, Reply, Request};

pub(super) async fn complete(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Outcome {
    let params: CompleteParams = read_params(&request)?;
    let completer = completer_for(&core, &params)?;
    let version = request.meta.version;
    let name = match &params.reference {
        CompletionReference::Prompt { name, .. } => name.clone(),
        CompletionReference::Resource { uri } => uri.clone(),
    };
    let subject = CallSubject { method: Method::Complete, name, arguments: RawJson::empty_object() };
    let completing = CompletionRequest {
        reference: params.reference,
        argument: params.argument.name,
        value: params.argument.value,
        context: params.context.and_then(|context| context.arguments).unwrap_or_default(),
    };
    let Some(completer) = completer else { return Ok(completed(Completion::default())) };
    let cx = core.cx(request, exchange, subject, None, None);
    let handler: BoxFuture<'static, Result<Completion, ToolError>> =
        completer(core.no_state.clone(), cx.clone(), completing);
    match replay::run(&cx, handler).await {
        Ok(Ok(completion)) => Ok(completed(completion)),
        Ok(Err(error)) => Err(error.into_rpc(&cx.call().subject.name, version)),
        // "Supported Requests": a completion may not ask.
        Err(Suspension) => Err(ToolError::internal("a completer asked the client, which it may not")
            .into_rpc(&cx.call().subject.name, version)),
    }
}

/// The completer of what `params` names; `None` where there is nothing to propose. What does not exist
/// is refused.
fn completer_for(core: &ServerCore, params: &CompleteParams) -> Result<Option<Completer<()>>, RpcError> {
    let (argument, resources) = (&params.argument.name, core.resources.as_ref());
    let own = match &params.reference {
        CompletionReference::Prompt { name, .. } => {
            let prompt = core.prompts.as_ref().and_then(|prompts| prompts.get(name));
            let prompt = prompt.ok_or_else(|| RpcError::invalid_params(format!("Unknown prompt: {name}")))?;
            if !prompt.definition.arguments.iter().flatten().any(|known| known.name == *argument) {
                return Err(RpcError::invalid_params(format!(
                    "The prompt {name} has no argument {argument}"
                )));
            }
            prompt.completers.get(argument).cloned()
        }
        CompletionReference::Resource { uri } => {
            match resources.and_then(|resources| resources.templates.get(uri)) {
                Some(template) if !template.template.variables().contains(&argument.as_str()) => {
                    return Err(RpcError::invalid_params(format!("{uri} has no variable {argument}")));
                }
                Some(template) => template.completers.get(argument).cloned(),
                // A URI without variables has nothing to complete.
                None if resources.is_some_and(|resources| resources.resources.get(uri).is_some()) => None,
                None => return Err(RpcError::invalid_params(format!("Unknown resource template: {uri}"))),
            }
        }
    };
    Ok(own.or_else(|| core.completer.clone()))
}

fn completed(completion: Completion) -> Reply {
    result(CompleteResult { completion, ..CompleteResult::default() })
}
