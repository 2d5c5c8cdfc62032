//! The operations of a request, read from its body before it is passed on.
//!
//! An ambiguous request is refused, because the server could read it differently from the rules.

use loggia::wire::jsonrpc::{Frame, Message};
use loggia::wire::uri::AmbiguousUri;
use loggia::wire::{Method, RawJson};
use serde::Deserialize;

use super::completion::CompletionParams;
use super::target::OperationTarget;

/// An operation of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct McpOperation {
    pub(super) method: Method,
    pub(super) target: Option<OperationTarget>,
}

impl McpOperation {
    /// Returns the URI of the target, or the prefix of the URIs.
    pub(super) fn uri(&self) -> Option<&str> {
        match self.target.as_ref()? {
            OperationTarget::Resource(uri) | OperationTarget::ResourcesUnder(uri) => Some(uri),
            OperationTarget::Tool(_) | OperationTarget::Prompt(_) => None,
        }
    }
}

/// An error for a request whose operation is ambiguous, with the reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AmbiguousRequest(pub(super) String);

impl From<AmbiguousUri> for AmbiguousRequest {
    fn from(why: AmbiguousUri) -> AmbiguousRequest {
        AmbiguousRequest(format!(
            "The URI is ambiguous: {why}. Spell it as the server lists it, or in normal form"
        ))
    }
}

impl AmbiguousRequest {
    /// Returns the error for a request that names more resources than the limit.
    pub(super) fn too_many_resources(most: usize) -> AmbiguousRequest {
        AmbiguousRequest(format!("The request names more than {most} resources. Name fewer in each request"))
    }

    fn params(method: &Method) -> AmbiguousRequest {
        AmbiguousRequest(format!("The params of {} are missing, wrong or ambiguous", method.as_str()))
    }
}

/// Returns the operations in a body. Responses contain none.
pub(super) fn operations(frame: &Frame) -> Result<Vec<McpOperation>, AmbiguousRequest> {
    let mut found = Vec::new();
    let messages: Vec<&Message> = match frame {
        Frame::Single(message) => vec![message],
        Frame::Batch(members) => members.iter().filter_map(|member| member.as_ref().ok()).collect(),
    };
    for message in messages {
        let called = match message {
            Message::Request { method, params, .. } => Some((method, params.as_deref())),
            Message::Notification { method, params } => Some((method, params.as_ref())),
            Message::Response { .. } => None,
        };
        if let Some((method, params)) = called {
            read(method, params, &mut found)?;
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
struct NameParams {
    name: String,
}

#[derive(Deserialize)]
struct UriParams {
    uri: String,
}

#[derive(Deserialize)]
struct ListenParams {
    notifications: ListenFilter,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListenFilter {
    #[serde(default)]
    resource_subscriptions: Option<Vec<String>>,
}

fn read(
    method: &Method,
    params: Option<&RawJson>,
    found: &mut Vec<McpOperation>,
) -> Result<(), AmbiguousRequest> {
    let ambiguous = || AmbiguousRequest::params(method);
    let params = params.ok_or_else(ambiguous);
    let targets: Vec<Option<OperationTarget>> = match method {
        Method::CallTool => vec![Some(OperationTarget::Tool(decode::<NameParams>(params?, method)?.name))],
        Method::GetPrompt => vec![Some(OperationTarget::Prompt(decode::<NameParams>(params?, method)?.name))],
        Method::ReadResource | Method::Subscribe | Method::Unsubscribe => {
            vec![Some(OperationTarget::Resource(decode::<UriParams>(params?, method)?.uri))]
        }
        Method::Listen => {
            let filter = decode::<ListenParams>(params?, method)?.notifications;
            let uris = filter.resource_subscriptions.unwrap_or_default();
            uris.into_iter().map(|uri| Some(OperationTarget::Resource(uri))).chain([None]).collect()
        }
        Method::Complete => {
            let completed = decode::<CompletionParams>(params?, method)?;
            vec![Some(completed.into_target().ok_or_else(ambiguous)?)]
        }
        _ => vec![None],
    };
    found.extend(targets.into_iter().map(|target| McpOperation { method: method.clone(), target }));
    Ok(())
}

fn decode<T: serde::de::DeserializeOwned>(params: &RawJson, method: &Method) -> Result<T, AmbiguousRequest> {
    params.decode().map_err(|_| AmbiguousRequest::params(method))
}
