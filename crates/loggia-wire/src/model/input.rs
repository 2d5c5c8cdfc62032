//! Requests of a server to its client while it handles a request: elicitation, sampling, roots.
//!
//! In the modern era they travel inside a result (MRTR); in the legacy era each is a request of its own.

use super::{CreateMessageParams, ElicitParams, Extra, Meta};
use crate::json::{DecodeError, FromJson, JsonRef, RawJson, RawObject, ToJson, VecMap};
use crate::method::Method;

/// One question to the client.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
#[json(write_with = "InputRequest::members", read_with = "InputRequest::read")]
pub enum InputRequest {
    /// Asks the user.
    Elicit(Box<ElicitParams>),
    /// Asks the client's model.
    CreateMessage(Box<CreateMessageParams>),
    /// Asks for the client's folders.
    ListRoots(ListRootsParams),
}

/// Parameters of `roots/list`.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct ListRootsParams {
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}

impl InputRequest {
    /// Reads the question `method` with `params`.
    pub fn decode(method: &Method, params: Option<&RawJson>) -> Result<InputRequest, String> {
        InputRequest::read_params(method, params.map_or(b"{}", RawJson::as_bytes))
            .map_err(|malformed| format!("{method}: {malformed}"))
    }

    fn read(text: &[u8]) -> Result<InputRequest, DecodeError> {
        let mut members = RawObject::of_text(text)?;
        let method = Method::from(&*members.take_tag("method")?);
        let params = members.take_once("params")?.filter(|text| *text != b"null");
        InputRequest::read_params(&method, params.unwrap_or(b"{}"))
            .map_err(|error| error.within(method.as_str()))
    }

    fn members(&self) -> JsonRef<'_> {
        let (method, params): (&'static &'static str, &dyn ToJson) = match self {
            InputRequest::Elicit(params) => (&"elicitation/create", params),
            InputRequest::CreateMessage(params) => (&"sampling/createMessage", params),
            InputRequest::ListRoots(params) => (&"roots/list", params),
        };
        JsonRef::Members(vec![("method", method), ("params", params)])
    }

    fn read_params(method: &Method, params: &[u8]) -> Result<InputRequest, DecodeError> {
        Ok(match method {
            Method::Elicit => InputRequest::Elicit(FromJson::from_json(params)?),
            Method::CreateMessage => InputRequest::CreateMessage(FromJson::from_json(params)?),
            Method::ListRoots => InputRequest::ListRoots(FromJson::from_json(params)?),
            _ => return Err(DecodeError::new("it is not a question to a client")),
        })
    }

    /// Returns its method.
    pub fn method(&self) -> Method {
        match self {
            InputRequest::Elicit(_) => Method::Elicit,
            InputRequest::CreateMessage(_) => Method::CreateMessage,
            InputRequest::ListRoots(_) => Method::ListRoots,
        }
    }
}

/// Questions by key. Each answer has the key of its question.
pub type InputRequests = VecMap<String, InputRequest>;

/// Answers by the key of their question. The type of an answer depends on its question.
pub type InputResponses = VecMap<String, RawJson>;

/// The outcome of a request that needs input of the client first (MRTR, "InputRequiredResult"). The client sends the
/// request again with the answers. At least one of the two members is present.
#[derive(Debug, Clone, PartialEq, Default, ToJson, FromJson)]
pub struct InputRequired {
    /// The requests to the client.
    pub input_requests: Option<InputRequests>,
    /// A state that the client sends back unchanged.
    pub request_state: Option<String>,
    /// `_meta`.
    #[json(rename = "_meta")]
    pub meta: Option<Meta>,
    /// Unknown members.
    #[json(flatten)]
    pub extra: Extra,
}
