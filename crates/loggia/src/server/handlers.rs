//! Answers to the requests for tools, prompts, resources and completions: finds the entry that a request names, runs its
//! handler, and makes the result. The methods are told apart by a plain `match`.

use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use loggia_wire::json::{FromJson, plain_text};
use loggia_wire::{Method, Params, RawJson, RawObject, RequestMeta, RpcError};

use super::args::StringArgs;
use super::completion::{Completer, CompletionRequest};
use super::core::ServerCore;
use super::cx::{CallSubject, Cx};
use super::entries::tools::ToolEntry;
use super::error::ToolError;
use super::list::{List, ListEntry};
use super::output::ToolOutput;
use super::prompt::PromptOutput;
use super::replay;
use super::resource::ResourceOutput;
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::model::{
    CacheHints, CacheScope, CompleteParams, CompleteResult, Completion, CompletionReference, GetPromptParams,
    InputResponses, ReadResourceParams, ReadResourceResult, ServerResult,
};
use crate::service::{Outcome, Reply, Request};

/// Answers one request.
pub(crate) fn answer(
    core: Arc<ServerCore>,
    request: Request,
    exchange: Exchange,
) -> BoxFuture<'static, Outcome> {
    let resources = core.resources.as_ref();
    match request.method {
        Method::CallTool if core.tools.is_some() => call_tool(core, request, exchange),
        Method::GetPrompt if core.prompts.is_some() => Box::pin(get_prompt(core, request, exchange)),
        Method::ReadResource if resources.is_some() => Box::pin(read_resource(core, request, exchange)),
        Method::Complete if core.has_completions => Box::pin(complete(core, request, exchange)),
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

/// Mark of a run that waits for answers, which only another round can bring.
struct Suspension;

/// Runs a handler until it is done, or until it waits for an answer that only another round can bring.
async fn run_handler<T>(cx: &Cx, mut handler: BoxFuture<'static, T>) -> Result<T, Suspension> {
    poll_fn(|task| match handler.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending if cx.call().input.is_suspended(task.waker()) => Poll::Ready(Err(Suspension)),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Everything before the handler's first step happens here, so that the future is small.
fn call_tool(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> BoxFuture<'static, Outcome> {
    match ToolRun::prepare(core, request, exchange) {
        Ok(prepared) => Box::pin(prepared.run()),
        Err(outcome) => Box::pin(std::future::ready(*outcome)),
    }
}

/// A call of a tool that runs.
struct ToolRun {
    tool: Arc<ToolEntry>,
    cx: Cx,
    handler: BoxFuture<'static, Result<ToolOutput, ToolError>>,
}

impl ToolRun {
    /// Makes a call ready to run. `Err` is what it comes to without running.
    fn prepare(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Result<ToolRun, Box<Outcome>> {
        let refused = |error: RpcError| Box::new(Err(error));
        let params = ToolCallParams::of(&request).map_err(refused)?;
        let tool = core.tools.as_ref().and_then(|tools| tools.get(&params.name));
        let unknown = || refused(RpcError::invalid_params(format!("Unknown tool: {}", params.name)));
        let tool = tool.ok_or_else(unknown)?;
        let raw = params.arguments.map_or(RawJson::empty_object(), |text| request.params.part_at(text));
        let arguments = tool.arguments.read(&tool.definition.name, &raw);
        let arguments = arguments.map_err(|error| Box::new(failed(&tool, error, &request.meta)))?;
        let subject =
            CallSubject { method: Method::CallTool, name: params.name.into_owned(), arguments: raw };
        let retry = (params.input_responses, params.request_state);
        let no_state = core.no_state.clone();
        let cx = Cx::new(core, request, exchange, subject, retry);
        let handler = (tool.handler)(no_state, cx.clone(), arguments);
        Ok(ToolRun { tool, cx, handler })
    }

    async fn run(self) -> Outcome {
        let ToolRun { tool, cx, handler } = self;
        match run_handler(&cx, handler).await {
            Err(Suspension) => replay::input_required(cx.call()).map(result),
            Ok(Ok(ToolOutput::Result(output))) => match tool.check(&output) {
                Ok(()) => Ok(result(output)),
                Err(error) => failed(&tool, error, &cx.call().meta),
            },
            Ok(Ok(ToolOutput::InputRequired(input))) => Ok(result(input)),
            Ok(Err(error)) => failed(&tool, error, &cx.call().meta),
        }
    }
}

fn failed(tool: &ToolEntry, error: ToolError, meta: &RequestMeta) -> Outcome {
    error.into_tool_outcome(&tool.definition.name, meta.version).map(result)
}

/// The params of `tools/call`, as far as a call needs them.
struct ToolCallParams<'a> {
    name: Cow<'a, str>,
    arguments: Option<&'a [u8]>,
    input_responses: Option<InputResponses>,
    request_state: Option<String>,
}

impl<'a> ToolCallParams<'a> {
    fn of(request: &'a Request) -> Result<ToolCallParams<'a>, RpcError> {
        ToolCallParams::first_round(&request.params).map_or_else(|| ToolCallParams::any_round(request), Ok)
    }

    /// A call that brings no answers: nearly every one.
    fn first_round(params: &'a Params) -> Option<ToolCallParams<'a>> {
        let routing = params.routing().filter(|routing| !routing.again)?;
        let arguments = routing.arguments.filter(|text| *text != b"null");
        let name = Cow::Borrowed(plain_text(routing.name?)?);
        Some(ToolCallParams { name, arguments, input_responses: None, request_state: None })
    }

    fn any_round(request: &'a Request) -> Result<ToolCallParams<'a>, RpcError> {
        let members = RawObject::of(&request.params).map_err(|_| invalid("expected an object"))?;
        // Whatever is wrong with it is said of it.
        let name = members.get::<String>("name").map(Cow::Owned).map_err(invalid)?;
        members.get::<Option<RawJson>>("arguments").map_err(invalid)?;
        Ok(ToolCallParams {
            name,
            arguments: members.raw("arguments").filter(|text| *text != b"null"),
            input_responses: members.get("inputResponses").map_err(invalid)?,
            request_state: members.get("requestState").map_err(invalid)?,
        })
    }
}

async fn get_prompt(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Outcome {
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
    let retry = (params.input_responses, params.request_state);
    let cx = Cx::new(core.clone(), request, exchange, subject, retry);
    let handler =
        (prompt.handler)(core.no_state.clone(), cx.clone(), StringArgs::new(texts.into_iter().collect()));
    match run_handler(&cx, handler).await {
        Err(Suspension) => replay::input_required(cx.call()).map(result),
        Ok(Ok(PromptOutput::Result(mut output))) => {
            output.description = output.description.or_else(|| prompt.definition.description.clone());
            Ok(result(output))
        }
        Ok(Ok(PromptOutput::InputRequired(input))) => Ok(result(input)),
        Ok(Err(error)) => Err(error.into_rpc(&prompt.definition.name, version)),
    }
}

async fn read_resource(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Outcome {
    let params: ReadResourceParams = read_params(&request)?;
    let uri = params.uri;
    let Some(found) = core.resources.as_ref().and_then(|resources| resources.find(&uri)) else {
        return Err(RpcError::resource_not_found(&uri));
    };
    let arguments = RawJson::empty_object();
    let subject = CallSubject { method: Method::ReadResource, name: uri.clone(), arguments };
    let version = request.meta.version;
    let retry = (params.input_responses, params.request_state);
    let cx = Cx::new(core.clone(), request, exchange, subject, retry);
    let handler = (found.handler)(core.no_state.clone(), cx.clone(), StringArgs::new(found.variables));
    match run_handler(&cx, handler).await {
        Err(Suspension) => replay::input_required(cx.call()).map(result),
        Ok(Ok(ResourceOutput::Result(output))) => {
            Ok(result(finish_contents(output, &uri, found.mime_type.as_deref(), found.cache)))
        }
        Ok(Ok(ResourceOutput::NotFound)) => Err(RpcError::resource_not_found(&uri)),
        Ok(Ok(ResourceOutput::InputRequired(input))) => Ok(result(input)),
        Ok(Err(error)) => Err(error.into_rpc(&uri, version)),
    }
}

/// Contents without a URI or a type get those that are known of the resource.
fn finish_contents(
    mut output: ReadResourceResult,
    uri: &str,
    mime_type: Option<&str>,
    cache: Option<CacheHints>,
) -> ReadResourceResult {
    for contents in &mut output.contents {
        if contents.uri.is_empty() {
            contents.uri = uri.to_owned();
        }
        if contents.mime_type.is_none() {
            contents.mime_type = mime_type.map(str::to_owned);
        }
    }
    let hints = cache.unwrap_or(CacheHints::new(0, CacheScope::Private));
    output.cache.ttl_ms = output.cache.ttl_ms.or(hints.ttl_ms);
    output.cache.cache_scope = output.cache.cache_scope.or(hints.cache_scope);
    output
}

async fn complete(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Outcome {
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
    let cx = Cx::new(core.clone(), request, exchange, subject, (None, None));
    let handler: BoxFuture<'static, Result<Completion, ToolError>> =
        completer(core.no_state.clone(), cx.clone(), completing);
    match run_handler(&cx, handler).await {
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
