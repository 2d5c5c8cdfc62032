//! A built server: everything it offers and how it answers. Requests are routed on their method, then one
//! type is parsed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use loggia_wire::header::ParamHeaders;
use loggia_wire::raw::plain_text;
use loggia_wire::shape::{Model, Shape};
use loggia_wire::{Members, Method, Params, RawJson, RequestMeta, RpcError};

use super::args::Texts;
use super::arguments;
use super::completion::{Completer, Completing};
use super::cx::{Call, Cx, Logged, Subject};
use super::entries::{PromptEntry, ResourceEntry, TemplateEntry, ToolEntry};
use super::error::ToolError;
use super::list::List;
use super::output::ToolOutput;
use super::prompt::PromptOutput;
use super::replay::{self, Rounds};
use super::resource::{self, ResourceOutput};
use super::seal::Sealer;
use crate::changes::{Changes, Listening};
use crate::exchange::Exchange;
use crate::limits::Limits;
use crate::model::{
    CacheHints, CacheScope, CompleteParams, CompleteResult, Completion, CompletionReference, GetPromptParams,
    InputResponses, ReadResourceParams, ReadResourceResult, ServerResult, SubscriptionFilter,
};
use crate::service::{BoxFuture, Description, Outcome, Reply, Request};

/// The time, for whatever expires.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

pub(crate) struct Core {
    pub(crate) description: Arc<Description>,
    pub(crate) tools: List<ToolEntry>,
    pub(crate) prompts: List<PromptEntry>,
    pub(crate) resources: List<ResourceEntry>,
    pub(crate) templates: List<TemplateEntry>,
    /// Completes what has no completer of its own.
    pub(crate) completer: Option<Completer<()>>,
    pub(crate) changes: Changes,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) sealer: Sealer,
    pub(crate) state_ttl: Duration,
    /// What handlers are given that have their state in them already.
    pub(crate) no_state: Arc<()>,
}

impl Core {
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// Answers one request. What is called most has a future of its own, of its own size.
    pub(crate) fn start(
        self: Arc<Core>,
        request: Request,
        exchange: Exchange,
    ) -> BoxFuture<'static, Outcome> {
        if request.method == Method::CallTool && self.description.capabilities.tools.is_some() {
            return self.call_tool(request, exchange);
        }
        Box::pin(self.answer(request, exchange))
    }

    async fn answer(self: Arc<Core>, request: Request, exchange: Exchange) -> Outcome {
        let offers = &self.description.capabilities;
        let offered = match request.method {
            Method::ListTools | Method::CallTool => offers.tools.is_some(),
            Method::ListPrompts | Method::GetPrompt => offers.prompts.is_some(),
            Method::ListResources | Method::ListResourceTemplates | Method::ReadResource => {
                offers.resources.is_some()
            }
            Method::Complete => offers.completions.is_some(),
            _ => false,
        };
        if !offered {
            return Err(RpcError::method_not_found(request.method.as_str()));
        }
        match request.method {
            Method::ListTools => self.tools.page(cursor(&request)?.as_deref()),
            Method::ListPrompts => self.prompts.page(cursor(&request)?.as_deref()),
            Method::ListResources => self.resources.page(cursor(&request)?.as_deref()),
            Method::ListResourceTemplates => self.templates.page(cursor(&request)?.as_deref()),
            Method::CallTool => self.call_tool(request, exchange).await,
            Method::GetPrompt => self.get_prompt(request, exchange).await,
            Method::ReadResource => self.read_resource(request, exchange).await,
            _ => self.complete(request, exchange).await,
        }
    }

    pub(crate) fn listen(&self, filter: SubscriptionFilter) -> Listening {
        let offers = &self.description.capabilities;
        let if_offered = |wanted: Option<bool>, offered: bool| wanted.filter(|_| offered);
        self.changes.listen(SubscriptionFilter {
            tools_list_changed: if_offered(filter.tools_list_changed, offers.tools.is_some()),
            prompts_list_changed: if_offered(filter.prompts_list_changed, offers.prompts.is_some()),
            resources_list_changed: if_offered(filter.resources_list_changed, offers.resources.is_some()),
            resource_subscriptions: filter.resource_subscriptions.filter(|_| offers.resources.is_some()),
            ..SubscriptionFilter::default()
        })
    }

    pub(crate) fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        self.tools.get(tool)?.param_headers.clone()
    }

    /// Everything before the handler's first step happens here, so that the future is small.
    fn call_tool(self: Arc<Core>, request: Request, exchange: Exchange) -> BoxFuture<'static, Outcome> {
        match self.prepare(request, exchange) {
            Ok(prepared) => Box::pin(prepared.run()),
            Err(outcome) => Box::pin(std::future::ready(*outcome)),
        }
    }

    /// A call that is ready to run, or what it came to without running.
    fn prepare(self: Arc<Core>, request: Request, exchange: Exchange) -> Result<ToolRun, Box<Outcome>> {
        let refused = |error: RpcError| Box::new(Err(error));
        let params = ToolCall::of(&request).map_err(refused)?;
        let tool = self.tools.get(&params.name);
        let unknown = || refused(RpcError::invalid_params(format!("Unknown tool: {}", params.name)));
        let tool = tool.ok_or_else(unknown)?;
        let raw = params.arguments.map_or(RawJson::empty_object(), |text| request.params.part_at(text));
        let arguments = arguments::read(&tool, &raw);
        let arguments = arguments.map_err(|error| Box::new(tool.failed(error, &request.meta)))?;
        let subject = Subject { method: Method::CallTool, name: params.name.into_owned(), arguments: raw };
        let (responses, state) = (params.input_responses, params.request_state);
        let cx = self.cx(request, exchange, subject, responses, state).map_err(refused)?;
        let handler = (tool.handler)(self.no_state.clone(), cx.clone(), arguments);
        Ok(ToolRun { tool, cx, handler })
    }

    async fn get_prompt(self: Arc<Core>, request: Request, exchange: Exchange) -> Outcome {
        let params: GetPromptParams = params(&request)?;
        let Some(prompt) = self.prompts.get(&params.name) else {
            return Err(RpcError::invalid_params(format!("Unknown prompt: {}", params.name)));
        };
        let texts = params.arguments.unwrap_or_default();
        let declared = prompt.definition.arguments.iter().flatten();
        for argument in declared.filter(|argument| argument.required == Some(true)) {
            if !texts.contains_key(&argument.name) {
                return Err(RpcError::invalid_params(format!(
                    "Missing required argument: {}",
                    argument.name
                )));
            }
        }
        let arguments = RawJson::encode(&texts.view()).unwrap_or(RawJson::empty_object());
        let subject = Subject { method: Method::GetPrompt, name: params.name, arguments };
        let version = request.meta.version;
        let cx = self.cx(request, exchange, subject, params.input_responses, params.request_state)?;
        let handler = (prompt.handler)(self.no_state.clone(), cx.clone(), Texts::new(texts));
        match replay::run(&cx, handler).await {
            None => cx.call().rounds.input_required(cx.call()).map(result),
            Some(Ok(PromptOutput::Result(mut output))) => {
                output.description = output.description.or_else(|| prompt.definition.description.clone());
                Ok(result(output))
            }
            Some(Ok(PromptOutput::InputRequired(input))) => Ok(result(input)),
            Some(Err(error)) => Err(error.into_rpc(&prompt.definition.name, version)),
        }
    }

    async fn read_resource(self: Arc<Core>, request: Request, exchange: Exchange) -> Outcome {
        let params: ReadResourceParams = params(&request)?;
        let uri = params.uri;
        let Some(found) = self.find_resource(&uri) else { return Err(RpcError::resource_not_found(&uri)) };
        let arguments = RawJson::empty_object();
        let subject = Subject { method: Method::ReadResource, name: uri.clone(), arguments };
        let version = request.meta.version;
        let cx = self.cx(request, exchange, subject, params.input_responses, params.request_state)?;
        let handler = (found.handler)(self.no_state.clone(), cx.clone(), Texts::new(found.variables));
        match replay::run(&cx, handler).await {
            None => cx.call().rounds.input_required(cx.call()).map(result),
            Some(Ok(ResourceOutput::Result(output))) => {
                Ok(result(finish_contents(output, &uri, found.mime_type.as_deref(), found.cache)))
            }
            Some(Ok(ResourceOutput::NotFound)) => Err(RpcError::resource_not_found(&uri)),
            Some(Ok(ResourceOutput::InputRequired(input))) => Ok(result(input)),
            Some(Err(error)) => Err(error.into_rpc(&uri, version)),
        }
    }

    fn find_resource(&self, uri: &str) -> Option<Found> {
        if let Some(entry) = self.resources.get(uri) {
            let ResourceEntry { definition, handler, cache } = &*entry;
            let mime_type = definition.mime_type.clone();
            return Some(Found {
                handler: handler.clone(),
                variables: BTreeMap::new(),
                mime_type,
                cache: *cache,
            });
        }
        self.templates.find_map(|entry| {
            entry.matches(uri).map(|variables| Found {
                handler: entry.handler.clone(),
                variables,
                mime_type: entry.definition.mime_type.clone(),
                cache: entry.cache,
            })
        })
    }

    async fn complete(self: Arc<Core>, request: Request, exchange: Exchange) -> Outcome {
        let params: CompleteParams = params(&request)?;
        let completer = self.completer_for(&params)?;
        let version = request.meta.version;
        let name = match &params.reference {
            CompletionReference::Prompt { name, .. } => name.clone(),
            CompletionReference::Resource { uri } => uri.clone(),
        };
        let subject = Subject { method: Method::Complete, name, arguments: RawJson::empty_object() };
        let completing = Completing {
            reference: params.reference,
            argument: params.argument.name,
            value: params.argument.value,
            context: params.context.and_then(|context| context.arguments).unwrap_or_default(),
        };
        let Some(completer) = completer else { return Ok(completed(Completion::default())) };
        let cx = self.cx(request, exchange, subject, None, None)?;
        let handler: BoxFuture<'static, Result<Completion, ToolError>> =
            completer(self.no_state.clone(), cx.clone(), completing);
        match replay::run(&cx, handler).await {
            Some(Ok(completion)) => Ok(completed(completion)),
            Some(Err(error)) => Err(error.into_rpc(&cx.call().subject.name, version)),
            // "Supported Requests": a completion may not ask.
            None => Err(ToolError::internal("a completer asked the client, which it may not")
                .into_rpc(&cx.call().subject.name, version)),
        }
    }

    /// The completer of what `params` names; `None` where there is nothing to propose. What does not exist
    /// is refused.
    fn completer_for(&self, params: &CompleteParams) -> Result<Option<Completer<()>>, RpcError> {
        let argument = &params.argument.name;
        let own = match &params.reference {
            CompletionReference::Prompt { name, .. } => {
                let prompt = self.prompts.get(name);
                let prompt =
                    prompt.ok_or_else(|| RpcError::invalid_params(format!("Unknown prompt: {name}")))?;
                if !prompt.definition.arguments.iter().flatten().any(|known| known.name == *argument) {
                    return Err(RpcError::invalid_params(format!(
                        "The prompt {name} has no argument {argument}"
                    )));
                }
                prompt.completers.get(argument).cloned()
            }
            CompletionReference::Resource { uri } => match self.templates.get(uri) {
                Some(template) if !template.template.variables().contains(&argument.as_str()) => {
                    return Err(RpcError::invalid_params(format!("{uri} has no variable {argument}")));
                }
                Some(template) => template.completers.get(argument).cloned(),
                // A URI without variables has nothing to complete.
                None if self.resources.get(uri).is_some() => None,
                None => return Err(RpcError::invalid_params(format!("Unknown resource template: {uri}"))),
            },
        };
        Ok(own.or_else(|| self.completer.clone()))
    }

    fn cx(
        self: &Arc<Core>,
        request: Request,
        exchange: Exchange,
        subject: Subject,
        responses: Option<InputResponses>,
        state: Option<String>,
    ) -> Result<Cx, RpcError> {
        let mut call = Call {
            core: self.clone(),
            meta: request.meta,
            principal: request.principal,
            exchange,
            subject,
            rounds: Rounds::default(),
            progress: Mutex::new(None),
            logged: Mutex::new(Logged::default()),
        };
        call.rounds = Rounds::open(&call, responses, state)?;
        Ok(Cx::new(call))
    }
}

/// A call of a tool that runs.
struct ToolRun {
    tool: Arc<ToolEntry>,
    cx: Cx,
    handler: BoxFuture<'static, Result<ToolOutput, ToolError>>,
}

impl ToolRun {
    async fn run(self) -> Outcome {
        let ToolRun { tool, cx, handler } = self;
        match replay::run(&cx, handler).await {
            None => cx.call().rounds.input_required(cx.call()).map(result),
            Some(Ok(ToolOutput::Result(output))) => match tool.check(&output) {
                Ok(()) => Ok(result(output)),
                Err(error) => tool.failed(error, &cx.call().meta),
            },
            Some(Ok(ToolOutput::InputRequired(input))) => Ok(result(input)),
            Some(Err(error)) => tool.failed(error, &cx.call().meta),
        }
    }
}

impl ToolEntry {
    fn failed(&self, error: ToolError, meta: &RequestMeta) -> Outcome {
        error.into_tool_outcome(&self.definition.name, meta.version).map(result)
    }
}

/// What is needed of the params of `tools/call`.
struct ToolCall<'a> {
    name: Cow<'a, str>,
    arguments: Option<&'a [u8]>,
    input_responses: Option<InputResponses>,
    request_state: Option<String>,
}

impl<'a> ToolCall<'a> {
    fn of(request: &'a Request) -> Result<ToolCall<'a>, RpcError> {
        ToolCall::first_round(&request.params).map_or_else(|| ToolCall::any_round(request), Ok)
    }

    /// A call that brings no answers: nearly every one.
    fn first_round(params: &'a Params) -> Option<ToolCall<'a>> {
        let routing = params.routing().filter(|routing| !routing.again)?;
        let arguments = routing.arguments.filter(|text| *text != b"null");
        let name = Cow::Borrowed(plain_text(routing.name?)?);
        Some(ToolCall { name, arguments, input_responses: None, request_state: None })
    }

    fn any_round(request: &'a Request) -> Result<ToolCall<'a>, RpcError> {
        let members = Members::of(&request.params).map_err(|_| invalid("expected an object"))?;
        // Whatever is wrong with it is said of it.
        let name = members.get::<String>("name").map(Cow::Owned).map_err(invalid)?;
        members.get::<Option<RawJson>>("arguments").map_err(invalid)?;
        Ok(ToolCall {
            name,
            arguments: members.raw("arguments").filter(|text| *text != b"null"),
            input_responses: members.get("inputResponses").map_err(invalid)?,
            request_state: members.get("requestState").map_err(invalid)?,
        })
    }
}

/// A resource that was found, and what its URI says.
struct Found {
    handler: resource::Handler<()>,
    variables: BTreeMap<String, String>,
    mime_type: Option<String>,
    cache: Option<CacheHints>,
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

fn completed(completion: Completion) -> Reply {
    result(CompleteResult { completion, ..CompleteResult::default() })
}

fn result(result: impl Into<ServerResult>) -> Reply {
    Reply::from(result.into())
}

fn cursor(request: &Request) -> Result<Option<String>, RpcError> {
    Members::of(&request.params).map_err(invalid)?.get("cursor").map_err(invalid)
}

fn params<T: Model>(request: &Request) -> Result<T, RpcError> {
    request.params.read().map_err(invalid)
}

fn invalid(reason: impl std::fmt::Display) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {reason}"))
}
