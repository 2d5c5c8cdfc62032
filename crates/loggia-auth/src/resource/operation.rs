//! The operations that a request asks for, read from its body before it is passed on.

use loggia::wire::jsonrpc::{Frame, Message};
use loggia::wire::uri::AmbiguousUri;
use loggia::wire::{Method, RawJson};
use serde::Deserialize;

use super::completed::Completed;
use super::subject::Subject;

/// One thing that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The tool, prompt or resource it is about.
    pub subject: Option<Subject>,
}

impl Operation {
    /// Returns the URI of the resource, or the beginning of the URIs, that it is about.
    pub(super) fn uri(&self) -> Option<&str> {
        match self.subject.as_ref()? {
            Subject::Resource(uri) | Subject::ResourcesUnder(uri) => Some(uri),
            Subject::Tool(_) | Subject::Prompt(_) => None,
        }
    }
}

/// A request is not clear about what it asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear(pub(super) String);

impl From<AmbiguousUri> for Unclear {
    fn from(why: AmbiguousUri) -> Unclear {
        Unclear(format!("The URI is ambiguous: {why}. Spell it as the server lists it, or in normal form"))
    }
}

impl Unclear {
    /// The request names more resources than are judged.
    pub(super) fn too_many_resources(most: usize) -> Unclear {
        Unclear(format!("The request names more than {most} resources. Name fewer in each request"))
    }

    fn params(method: &Method) -> Unclear {
        Unclear(format!("The params of {} do not say unambiguously what is asked for", method.as_str()))
    }
}

/// The operations in a body. What cannot be read unambiguously is refused: what is judged here must be what
/// is done behind.
pub(super) fn operations(frame: &Frame) -> Result<Vec<Operation>, Unclear> {
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
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Located {
    uri: String,
}

#[derive(Deserialize)]
struct Listening {
    notifications: Followed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Followed {
    #[serde(default)]
    resource_subscriptions: Option<Vec<String>>,
}

fn read(method: &Method, params: Option<&RawJson>, found: &mut Vec<Operation>) -> Result<(), Unclear> {
    let unclear = || Unclear::params(method);
    let params = params.ok_or_else(unclear);
    let subjects: Vec<Option<Subject>> = match method {
        Method::CallTool => vec![Some(Subject::Tool(decoded::<Named>(params?, method)?.name))],
        Method::GetPrompt => vec![Some(Subject::Prompt(decoded::<Named>(params?, method)?.name))],
        Method::ReadResource | Method::Subscribe | Method::Unsubscribe => {
            vec![Some(Subject::Resource(decoded::<Located>(params?, method)?.uri))]
        }
        Method::Listen => {
            let followed = decoded::<Listening>(params?, method)?.notifications;
            let uris = followed.resource_subscriptions.unwrap_or_default();
            uris.into_iter().map(|uri| Some(Subject::Resource(uri))).chain([None]).collect()
        }
        Method::Complete => {
            let completed = decoded::<Completed>(params?, method)?;
            vec![Some(completed.subject().ok_or_else(unclear)?)]
        }
        _ => vec![None],
    };
    found.extend(subjects.into_iter().map(|subject| Operation { method: method.clone(), subject }));
    Ok(())
}

fn decoded<T: serde::de::DeserializeOwned>(params: &RawJson, method: &Method) -> Result<T, Unclear> {
    params.decode().map_err(|_| Unclear::params(method))
}
