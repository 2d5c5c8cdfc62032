//! Prompts that a client gets.

use std::sync::Arc;

use loggia_wire::{Method, RawJson, RpcError};

use super::{read_params, result};
use crate::exchange::Exchange;
use crate::model::GetPromptParams;
use crate::server::args::StringArgs;
use crate::server::core::ServerCore;
use crate::server::cx::CallSubject;
use crate::server::prompt::PromptOutput;
use crate::server::replay::{self, Suspension};
use crate::service::{Outcome, Request};

pub(super) async fn get(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Outcome {
    let params: GetPromptParams = read_params(&request)?;
    let Some(prompt) = core.prompts.as_ref().and_then(|prompts| prompts.get(&params.name)) else {
        return Err(RpcError::invalid_params(format!("Unknown prompt: {}", params.name)));
    };
    let texts = params.arguments.unwrap_or_default();
    let declared = prompt.definition.arguments.iter().flatten();
    for argument in declared.filter(|argument| argument.required == Some(true)) {
        if !texts.contains_key(&argument.name) {
            return Err(RpcError::invalid_params(format!("Missing required argument: {}", argument.name)));
        }
    }
    let arguments = RawJson::of(&texts);
    let subject = CallSubject { method: Method::GetPrompt, name: params.name, arguments };
    let version = request.meta.version;
    let cx = core.cx(request, exchange, subject, params.input_responses, params.request_state);
    let handler =
        (prompt.handler)(core.no_state.clone(), cx.clone(), StringArgs::new(texts.into_iter().collect()));
    match replay::run(&cx, handler).await {
        Err(Suspension) => replay::input_required(cx.call()).map(result),
        Ok(Ok(PromptOutput::Result(mut output))) => {
            output.description = output.description.or_else(|| prompt.definition.description.clone());
            Ok(result(output))
        }
        Ok(Ok(PromptOutput::InputRequired(input))) => Ok(result(input)),
        Ok(Err(error)) => Err(error.into_rpc(&prompt.definition.name, version)),
    }
}
