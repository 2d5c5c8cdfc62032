//! Checks whether a client can be asked a question: its revision must have the method, and the client must
//! have declared the capability ("Servers MUST NOT send an `inputRequests` that the client has not declared
//! support for").

use loggia_wire::model::{
    ClientCapabilities, ElicitParams, ElicitationCapability, InputRequest, InputRequired, JsonObject,
    RootsCapability, SamplingCapability,
};
use loggia_wire::{RpcError, Version};

/// Returns whether a client of `version` that declared `declared` can be asked `request`. The error names what is
/// missing.
pub fn check(
    request: &InputRequest,
    version: Version,
    declared: &ClientCapabilities,
) -> Result<(), RpcError> {
    let method = request.method();
    if !method.exists_in(version) {
        return Err(RpcError::missing_capability(&required(request)));
    }
    let can = match request {
        InputRequest::ListRoots(_) => declared.roots.is_some(),
        InputRequest::CreateMessage(params) => declared.sampling.as_ref().is_some_and(|sampling| {
            sampling.tools.is_some() || (params.tools.is_none() && params.tool_choice.is_none())
        }),
        InputRequest::Elicit(params) => {
            declared.elicitation.as_ref().is_some_and(|elicitation| match **params {
                ElicitParams::Form(_) => elicitation.supports_form(),
                ElicitParams::Url(_) => elicitation.supports_url(),
            })
        }
    };
    if can { Ok(()) } else { Err(RpcError::missing_capability(&required(request))) }
}

/// [`check`] for every question of `input`.
pub fn check_all(
    input: &InputRequired,
    version: Version,
    declared: &ClientCapabilities,
) -> Result<(), RpcError> {
    let mut requests = input.input_requests.iter().flat_map(|requests| requests.values());
    requests.try_for_each(|request| check(request, version, declared))
}

fn required(request: &InputRequest) -> ClientCapabilities {
    let mut needed = ClientCapabilities::default();
    let yes = || Some(JsonObject::new());
    match request {
        InputRequest::ListRoots(_) => needed.roots = Some(RootsCapability::default()),
        InputRequest::CreateMessage(params) => {
            let tools = params.tools.as_ref().and_then(|_| yes());
            needed.sampling = Some(SamplingCapability { tools, ..SamplingCapability::default() });
        }
        InputRequest::Elicit(params) => {
            let mut elicitation = ElicitationCapability::default();
            match **params {
                ElicitParams::Form(_) => elicitation.form = yes(),
                ElicitParams::Url(_) => elicitation.url = yes(),
            }
            needed.elicitation = Some(elicitation);
        }
    }
    needed
}
