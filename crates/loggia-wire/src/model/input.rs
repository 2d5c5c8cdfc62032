//! What a server may ask of its client in the middle of a request: the person, the model, the folders. In
//! the modern era these travel inside a result (MRTR); in the legacy era each is a request of its own.

use super::{CreateMessageParams, ElicitParams, Extra, Meta};
use crate::json::RawJson;
use crate::json::VecMap;
use crate::json::shape::{
    DecodeError, Fill, Model, Shape, View, members_of, record, serde_by_shape, take, take_tag,
};
use crate::method::Method;

/// One question to the client.
#[derive(Debug, Clone, PartialEq)]
pub enum InputRequest {
    /// Ask the person.
    Elicit(Box<ElicitParams>),
    /// Ask the client's model.
    CreateMessage(Box<CreateMessageParams>),
    /// Ask which folders matter.
    ListRoots(ListRootsParams),
}

/// Parameters of `roots/list`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListRootsParams {
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(ListRootsParams { meta = "_meta" });

impl InputRequest {
    /// Reads the question `method` with `params`.
    pub fn decode(method: &Method, params: Option<&RawJson>) -> Result<InputRequest, String> {
        InputRequest::read_params(method, params.map_or(b"{}", RawJson::as_bytes))
            .map_err(|malformed| format!("{method}: {malformed}"))
    }

    fn read_params(method: &Method, params: &[u8]) -> Result<InputRequest, DecodeError> {
        Ok(match method {
            Method::Elicit => InputRequest::Elicit(Box::new(Model::read(params)?)),
            Method::CreateMessage => InputRequest::CreateMessage(Box::new(Model::read(params)?)),
            Method::ListRoots => InputRequest::ListRoots(Model::read(params)?),
            _ => return Err(DecodeError::new("it is not a question to a client")),
        })
    }

    /// The method it is.
    pub fn method(&self) -> Method {
        match self {
            InputRequest::Elicit(_) => Method::Elicit,
            InputRequest::CreateMessage(_) => Method::CreateMessage,
            InputRequest::ListRoots(_) => Method::ListRoots,
        }
    }
}

impl Shape for InputRequest {
    fn view(&self) -> View<'_> {
        let (method, params): (&'static dyn Shape, &dyn Shape) = match self {
            InputRequest::Elicit(params) => (&Word("elicitation/create"), &**params),
            InputRequest::CreateMessage(params) => (&Word("sampling/createMessage"), &**params),
            InputRequest::ListRoots(params) => (&Word("roots/list"), params),
        };
        View::Members(vec![("method", method), ("params", params)])
    }
}

impl Fill for InputRequest {
    fn fill(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        let mut members = members_of(text)?;
        let method = Method::from(&*take_tag(&mut members, "method")?);
        let params = take(&mut members, "params")?.filter(|text| *text != b"null");
        *self = InputRequest::read_params(&method, params.unwrap_or(b"{}"))
            .map_err(|malformed| malformed.within(method.as_str()))?;
        Ok(())
    }
}

impl Model for InputRequest {
    fn blank() -> InputRequest {
        InputRequest::ListRoots(ListRootsParams::default())
    }
}

serde_by_shape!(InputRequest);

/// A text of the protocol's.
struct Word(&'static str);

impl Shape for Word {
    fn view(&self) -> View<'_> {
        View::Text(self.0)
    }
}

/// Questions by the key their answers will carry.
pub type InputRequests = VecMap<String, InputRequest>;

/// Answers by the key of their question. What shape an answer has follows from its question.
pub type InputResponses = VecMap<String, RawJson>;

/// The outcome "ask the client, then ask me again" (MRTR, "InputRequiredResult"). At least one of the two
/// members is present.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InputRequired {
    /// What to ask.
    pub input_requests: Option<InputRequests>,
    /// What the client must send back unchanged.
    pub request_state: Option<String>,
    /// `_meta`.
    pub meta: Option<Meta>,
    /// Members we do not know.
    pub extra: Extra,
}

record!(InputRequired { input_requests = "inputRequests", request_state = "requestState", meta = "_meta" });
