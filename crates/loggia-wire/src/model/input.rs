//! What a server may ask of its client in the middle of a request: the person, the model, the folders. In
//! the stateless era these travel inside a result (MRTR); in the handshake era each is a request of its own.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{CreateMessageParams, ElicitParams, Extra, Meta};
use crate::method::Method;
use crate::raw::RawJson;

/// One question to the client.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "method", content = "params")]
pub enum InputRequest {
    /// Ask the person.
    #[serde(rename = "elicitation/create")]
    Elicit(Box<ElicitParams>),
    /// Ask the client's model.
    #[serde(rename = "sampling/createMessage")]
    CreateMessage(Box<CreateMessageParams>),
    /// Ask which folders matter.
    #[serde(rename = "roots/list")]
    ListRoots(ListRootsParams),
}

/// Parameters of `roots/list`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ListRootsParams {
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl InputRequest {
    /// Reads the question `method` with `params`.
    pub fn decode(method: &Method, params: Option<&RawJson>) -> Result<InputRequest, String> {
        let empty = RawJson::empty_object();
        let params = params.unwrap_or(&empty);
        let wrong = |e: serde_json::Error| format!("{method}: {e}");
        match method {
            Method::Elicit => params.decode().map(|p| InputRequest::Elicit(Box::new(p))).map_err(wrong),
            Method::CreateMessage => {
                params.decode().map(|p| InputRequest::CreateMessage(Box::new(p))).map_err(wrong)
            }
            Method::ListRoots => params.decode().map(InputRequest::ListRoots).map_err(wrong),
            other => Err(format!("{other} is not a question to a client")),
        }
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

impl<'de> Deserialize<'de> for InputRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<InputRequest, D::Error> {
        #[derive(Deserialize)]
        struct Parts {
            method: String,
            #[serde(default)]
            params: Option<Value>,
        }
        let parts = Parts::deserialize(deserializer)?;
        let params = parts.params.as_ref().map(RawJson::from);
        InputRequest::decode(&Method::from(parts.method.as_str()), params.as_ref()).map_err(D::Error::custom)
    }
}

/// Questions by the key their answers will carry.
pub type InputRequests = BTreeMap<String, InputRequest>;

/// Answers by the key of their question. What shape an answer has follows from its question.
pub type InputResponses = BTreeMap<String, RawJson>;

/// The outcome "ask the client, then ask me again" (MRTR, "InputRequiredResult"). At least one of the two
/// members is present.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InputRequired {
    /// What to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_requests: Option<InputRequests>,
    /// What the client must send back unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_state: Option<String>,
    /// `_meta`.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}
