//! Tools: how they are held, listed and called.

use std::borrow::Cow;
use std::sync::Arc;

use loggia_json_schema::Validator;
use loggia_wire::header::ParamHeaders;
use loggia_wire::json::plain_text;
use loggia_wire::{Method, Params, RawJson, RawObject, RequestMeta, RpcError};

use super::{Problems, Registration, invalid, result};
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::model::{self, CacheHints, CallToolResult, InputResponses, JsonObject, ListToolsResult};
use crate::server::core::ServerCore;
use crate::server::cx::{CallSubject, Cx};
use crate::server::error::ToolError;
use crate::server::list::{List, ListEntry};
use crate::server::output::ToolOutput;
use crate::server::{arguments, replay, tool};
use crate::service::{Outcome, Request};

/// Tools to be registered.
pub(crate) fn registered() -> Registration<ToolEntry, List<ToolEntry>> {
    Registration::new("tool", ToolEntry::key, List::new, answer)
}

fn answer(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> BoxFuture<'static, Outcome> {
    match request.method {
        Method::CallTool => call(core, request, exchange),
        _ => super::page(core.tools(), &request),
    }
}

pub(crate) struct ToolEntry {
    pub(crate) definition: model::Tool,
    pub(crate) handler: tool::ToolHandler<()>,
    pub(crate) validator: Validator,
    pub(crate) generated: bool,
    /// See [`arguments::needed_in_text`].
    pub(crate) needed_in_text: Option<Vec<String>>,
    /// Checks the structured part of results, where nothing else guarantees it.
    output: Option<Validator>,
    pub(crate) param_headers: Option<Arc<ParamHeaders>>,
}

impl ToolEntry {
    pub(crate) fn new(tool: tool::Tool<()>) -> Result<ToolEntry, Problems> {
        let tool::Tool { definition, handler, generated, checks_output } = tool;
        let mut problems = Problems::new();
        let name = &definition.name;
        if !is_tool_name(name) {
            problems.push(format!("tool {name:?}: a name has 1 to 128 of the characters A-Z a-z 0-9 _ - ."));
        }
        let validator = input_validator(name, &definition.input_schema, &mut problems);
        let param_headers = ParamHeaders::from_schema(&definition.input_schema)
            .map_err(|error| problems.push(format!("tool {name:?}: {error}")))
            .ok()
            .filter(|headers| !headers.is_empty())
            .map(Arc::new);
        let output =
            definition.output_schema.as_deref().map(Validator::compile).transpose().unwrap_or_else(|error| {
                problems.push(format!("tool {name:?}: its output schema: {error}"));
                None
            });
        let output = output.filter(|_| checks_output);
        let Some(validator) = validator.filter(|_| problems.is_empty()) else { return Err(problems) };
        let needed_in_text = match generated {
            true => arguments::needed_in_text(&definition.input_schema),
            false => Some(Vec::new()),
        };
        Ok(ToolEntry { definition, handler, validator, generated, needed_in_text, output, param_headers })
    }

    /// Returns whether `result` is what the output schema promises ("Servers MUST provide structured results that
    /// conform to this schema").
    pub(crate) fn check(&self, result: &CallToolResult) -> Result<(), ToolError> {
        let Some(validator) = self.output.as_ref().filter(|_| !result.failed()) else { return Ok(()) };
        let Some(value) = &result.structured_content else {
            return Err(ToolError::internal("the tool promises structured output and gave none"));
        };
        validator.validate(&value.to_value()).map_err(|violations| {
            ToolError::internal(format!("the structured output breaks its schema: {violations}"))
        })
    }
}

fn input_validator(name: &str, schema: &JsonObject, problems: &mut Problems) -> Option<Validator> {
    if !schema.get("type").is_some_and(|kind| kind.is_str("object")) {
        problems.push(format!("tool {name:?}: its input must be an object: take a struct with named fields"));
    }
    Validator::compile(schema)
        .map_err(|error| problems.push(format!("tool {name:?}: its input schema: {error}")))
        .ok()
}

/// "Tool Names": what the specification says they should be.
fn is_tool_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

impl ListEntry for ToolEntry {
    type Item = model::Tool;
    type Page = ListToolsResult;
    const LIST: char = 't';

    fn key(&self) -> &str {
        &self.definition.name
    }

    fn item(&self) -> model::Tool {
        self.definition.clone()
    }

    fn page(tools: Vec<model::Tool>, next_cursor: Option<String>, cache: CacheHints) -> ListToolsResult {
        ListToolsResult { tools, next_cursor, cache, ..ListToolsResult::default() }
    }
}

/// Everything before the handler's first step happens here, so that the future is small.
fn call(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> BoxFuture<'static, Outcome> {
    match prepare(core, request, exchange) {
        Ok(prepared) => Box::pin(prepared.run()),
        Err(outcome) => Box::pin(std::future::ready(*outcome)),
    }
}

/// A call that is ready to run, or what it came to without running.
fn prepare(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Result<ToolRun, Box<Outcome>> {
    let refused = |error: RpcError| Box::new(Err(error));
    let params = ToolCallParams::of(&request).map_err(refused)?;
    let tool = core.tools().and_then(|tools| tools.get(&params.name));
    let unknown = || refused(RpcError::invalid_params(format!("Unknown tool: {}", params.name)));
    let tool = tool.ok_or_else(unknown)?;
    let raw = params.arguments.map_or(RawJson::empty_object(), |text| request.params.part_at(text));
    let arguments = arguments::read(&tool, &raw);
    let arguments = arguments.map_err(|error| Box::new(tool.failed(error, &request.meta)))?;
    let subject = CallSubject { method: Method::CallTool, name: params.name.into_owned(), arguments: raw };
    let (responses, state) = (params.input_responses, params.request_state);
    let cx = core.cx(request, exchange, subject, responses, state);
    let handler = (tool.handler)(core.no_state.clone(), cx.clone(), arguments);
    Ok(ToolRun { tool, cx, handler })
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
            Err(end) => end(cx.call()).map(result),
            Ok(Ok(ToolOutput::Result(output))) => match tool.check(&output) {
                Ok(()) => Ok(result(output)),
                Err(error) => tool.failed(error, &cx.call().meta),
            },
            Ok(Ok(ToolOutput::InputRequired(input))) => Ok(result(input)),
            Ok(Err(error)) => tool.failed(error, &cx.call().meta),
        }
    }
}

impl ToolEntry {
    fn failed(&self, error: ToolError, meta: &RequestMeta) -> Outcome {
        error.into_tool_outcome(&self.definition.name, meta.version).map(result)
    }
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
