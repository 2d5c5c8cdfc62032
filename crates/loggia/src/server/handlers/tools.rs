//! Calls of tools.

use std::borrow::Cow;
use std::sync::Arc;

use loggia_wire::json::plain_text;
use loggia_wire::{Method, Params, RawJson, RawObject, RequestMeta, RpcError};

use super::{invalid, result};
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::model::InputResponses;
use crate::server::core::ServerCore;
use crate::server::cx::{CallSubject, Cx};
use crate::server::entries::tools::ToolEntry;
use crate::server::error::ToolError;
use crate::server::output::ToolOutput;
use crate::server::replay::{self, Suspension};
use crate::service::{Outcome, Request};

/// Everything before the handler's first step happens here, so that the future is small.
pub(super) fn call(
    core: Arc<ServerCore>,
    request: Request,
    exchange: Exchange,
) -> BoxFuture<'static, Outcome> {
    match prepare(core, request, exchange) {
        Ok(prepared) => Box::pin(prepared.run()),
        Err(outcome) => Box::pin(std::future::ready(*outcome)),
    }
}

/// A call that is ready to run, or what it came to without running.
fn prepare(core: Arc<ServerCore>, request: Request, exchange: Exchange) -> Result<ToolRun, Box<Outcome>> {
    let refused = |error: RpcError| Box::new(Err(error));
    let params = ToolCallParams::of(&request).map_err(refused)?;
    let tool = core.tools.as_ref().and_then(|tools| tools.get(&params.name));
    let unknown = || refused(RpcError::invalid_params(format!("Unknown tool: {}", params.name)));
    let tool = tool.ok_or_else(unknown)?;
    let raw = params.arguments.map_or(RawJson::empty_object(), |text| request.params.part_at(text));
    let arguments = tool.arguments.read(&tool.definition.name, &raw);
    let arguments = arguments.map_err(|error| Box::new(failed(&tool, error, &request.meta)))?;
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
