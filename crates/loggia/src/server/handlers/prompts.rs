//! Prompts: how they are held, listed and filled in.

use std::sync::Arc;

use loggia_wire::{Method, RawJson, RpcError};

use super::{Problems, Registration, read_params, result};
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::model::{self, CacheHints, GetPromptParams, ListPromptsResult};
use crate::server::args::StringArgs;
use crate::server::core::ServerCore;
use crate::server::cx::CallSubject;
use crate::server::list::{List, ListEntry};
use crate::server::prompt::PromptOutput;
use crate::server::{completion, prompt, replay};
use crate::service::{Outcome, Request};

/// Prompts to be registered.
pub(crate) fn registered() -> Registration<PromptEntry, List<PromptEntry>> {
    Registration::new("prompt", PromptEntry::key, List::new, answer)
}

fn answer(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> BoxFuture<'static, Outcome> {
    match request.method {
        Method::GetPrompt => Box::pin(get(core, request, exchange)),
        _ => super::page(core.prompts(), &request),
    }
}

pub(crate) struct PromptEntry {
    pub(crate) definition: model::Prompt,
    pub(crate) handler: prompt::PromptHandler<()>,
    pub(crate) completers: completion::Completers<()>,
}

impl PromptEntry {
    /// Returns whether an argument of it can be completed.
    pub(crate) fn completes(&self) -> bool {
        !self.completers.is_empty()
    }

    pub(crate) fn new(prompt: prompt::Prompt<()>) -> Result<PromptEntry, Problems> {
        let prompt::Prompt { definition, handler, completers } = prompt;
        let mut problems = Problems::new();
        let name = &definition.name;
        if name.is_empty() {
            problems.push("a prompt has no name".to_owned());
        }
        let mut known: Vec<&str> = Vec::new();
        for argument in definition.arguments.iter().flatten() {
            if known.contains(&argument.name.as_str()) {
                problems.push(format!("prompt {name:?}: two arguments are called {:?}", argument.name));
            }
            known.push(&argument.name);
        }
        for argument in completers.keys().filter(|argument| !known.contains(&argument.as_str())) {
            problems.push(format!("prompt {name:?}: it completes {argument:?}, which is no argument of it"));
        }
        if problems.is_empty() { Ok(PromptEntry { definition, handler, completers }) } else { Err(problems) }
    }
}

impl ListEntry for PromptEntry {
    type Item = model::Prompt;
    type Page = ListPromptsResult;
    const LIST: char = 'p';

    fn key(&self) -> &str {
        &self.definition.name
    }

    fn item(&self) -> model::Prompt {
        self.definition.clone()
    }

    fn page(
        prompts: Vec<model::Prompt>,
        next_cursor: Option<String>,
        cache: CacheHints,
    ) -> ListPromptsResult {
        ListPromptsResult { prompts, next_cursor, cache, ..ListPromptsResult::default() }
    }
}

async fn get(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Outcome {
    let params: GetPromptParams = read_params(&request)?;
    let Some(prompt) = core.prompts().and_then(|prompts| prompts.get(&params.name)) else {
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
        Err(end) => end(cx.call()).map(result),
        Ok(Ok(PromptOutput::Result(mut output))) => {
            output.description = output.description.or_else(|| prompt.definition.description.clone());
            Ok(result(output))
        }
        Ok(Ok(PromptOutput::InputRequired(input))) => Ok(result(input)),
        Ok(Err(error)) => Err(error.into_rpc(&prompt.definition.name, version)),
    }
}
