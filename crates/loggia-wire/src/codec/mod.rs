//! Encodes the neutral model as the bytes of each revision, and decodes them.
//!
//! Encoding has two steps. [`Downgrade`] removes the features that the revision does not have, so that they are not
//! in the bytes. Then the value is written, with the members that the revision requires in every result. Decoding
//! reads the union of all revisions, and supplies the members that older revisions leave out.

mod direct;
mod elicitation;
mod items;
mod messages;
mod results;
mod spelling;

pub use spelling::{keep_entry_spelling, keep_spelling};

use std::fmt;

use crate::id::Id;
use crate::json::{
    DecodeError, FromJson, JsonObject, JsonText, ObjectReader, RawJson, RawObject, ToJson, read_string,
};
use crate::meta::{SERVER_INFO, SUBSCRIPTION_ID};
use crate::method::Method;
use crate::model::*;
use crate::version::Version;

/// A type with parts that some revisions do not have.
pub trait Downgrade {
    /// Removes the members that `version` does not define. Unknown members stay.
    fn downgrade(&mut self, version: Version);
}

impl<T: Downgrade> Downgrade for Vec<T> {
    fn downgrade(&mut self, version: Version) {
        self.iter_mut().for_each(|item| item.downgrade(version));
    }
}

impl<T: Downgrade> Downgrade for Option<T> {
    fn downgrade(&mut self, version: Version) {
        if let Some(item) = self {
            item.downgrade(version);
        }
    }
}

/// The error for a payload that does not have the type of its method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadError {
    /// The method.
    pub method: String,
    /// The fault, and the path of the value.
    pub reason: String,
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the payload of {} is malformed: {}", self.method, self.reason)
    }
}

impl std::error::Error for PayloadError {}

impl PayloadError {
    fn new(method: &Method, reason: impl fmt::Display) -> PayloadError {
        PayloadError { method: method.to_string(), reason: reason.to_string() }
    }
}

/// The member that tells the kind of a result (`resultType`). Since 2026-07-28.
const RESULT_TYPE: &str = "resultType";

/// Returns the `result` member as `version` writes it. In the modern era `_meta` of the result contains `identity`.
pub fn encode_result(result: ServerResult, version: Version, identity: Option<&Implementation>) -> RawJson {
    let mut out = Vec::with_capacity(256);
    write_result(&mut out, result, version, identity);
    RawJson::from_written(out)
}

/// Appends the output of [`encode_result`] to `out`.
pub fn write_result(
    out: &mut Vec<u8>,
    mut result: ServerResult,
    version: Version,
    identity: Option<&Implementation>,
) {
    result.downgrade(version);
    if direct::write(out, &result, version, identity) {
        return;
    }
    match as_object(&result, version, identity) {
        Ok(object) => out.extend_from_slice(object.as_str().as_bytes()),
        Err(raw) => out.extend_from_slice(raw.as_bytes()),
    }
}

/// Returns a result as an object with the members that `version` requires. `Err` is a result that is sent unchanged.
pub(crate) fn as_object(
    result: &ServerResult,
    version: Version,
    identity: Option<&Implementation>,
) -> Result<JsonObject, RawJson> {
    // A result that is not an object belongs to an extension.
    let mut object = result.to_object()?;
    if version.is_modern() {
        if !matches!(result, ServerResult::Custom(_)) {
            object.remove(RESULT_TYPE);
        }
        object.insert_if_absent(RESULT_TYPE, result_type(result));
        if let Some(identity) = identity {
            stamp(&mut object, identity, version);
        }
    } else {
        object.remove(RESULT_TYPE);
    }
    Ok(object)
}

fn result_type(result: &ServerResult) -> &'static str {
    match result {
        ServerResult::InputRequired(_) => "input_required",
        _ => "complete",
    }
}

/// Adds the name of the server to the `_meta` of a result, unless it is there already.
fn stamp(object: &mut JsonObject, identity: &Implementation, version: Version) {
    change_meta(object, |meta| {
        if !meta.contains_key(SERVER_INFO) {
            let mut identity = identity.clone();
            identity.downgrade(version);
            meta.insert(SERVER_INFO, identity);
        }
    });
}

/// Changes the `_meta` of `object`. Creates it if it is absent, and does not change it if it is not an object.
fn change_meta(object: &mut JsonObject, change: impl FnOnce(&mut JsonObject)) {
    let meta = object.get("_meta").map_or(Some(JsonObject::new()), JsonText::to_object);
    if let Some(mut meta) = meta {
        change(&mut meta);
        object.insert("_meta", meta);
    }
}

impl ServerResult {
    fn to_object(&self) -> Result<JsonObject, RawJson> {
        let raw = match self {
            ServerResult::Initialize(r) => RawJson::of(&**r),
            ServerResult::Discover(r) => RawJson::of(&**r),
            ServerResult::ListTools(r) => RawJson::of(r),
            ServerResult::CallTool(r) => RawJson::of(r),
            ServerResult::ListResources(r) => RawJson::of(r),
            ServerResult::ListResourceTemplates(r) => RawJson::of(r),
            ServerResult::ReadResource(r) => RawJson::of(r),
            ServerResult::ListPrompts(r) => RawJson::of(r),
            ServerResult::GetPrompt(r) => RawJson::of(r),
            ServerResult::Complete(r) => RawJson::of(r),
            ServerResult::InputRequired(r) => RawJson::of(r),
            ServerResult::Empty(r) => RawJson::of(r),
            ServerResult::Custom(raw) => raw.clone(),
        };
        JsonObject::from_raw(raw)
    }
}

/// Reads the `result` of `method` that a peer of `version` sent.
pub fn decode_result(
    method: &Method,
    version: Version,
    result: &RawJson,
) -> Result<ServerResult, PayloadError> {
    let wrong = |malformed: DecodeError| PayloadError::new(method, malformed);
    if !result.is_object() {
        return Err(PayloadError::new(method, "a result is an object"));
    }
    // Before the modern era the member has no meaning: every result is complete.
    let kind = match version.is_modern() {
        true => result.member(RESULT_TYPE).map(read_string),
        false => None,
    };
    match kind.as_ref().map(Option::as_deref) {
        // A revision without the member means "complete".
        None | Some(Some("complete")) => decode_complete_result(method, result),
        Some(Some("input_required")) => {
            let mut input: InputRequired = result.read().map_err(wrong)?;
            input.extra.remove(RESULT_TYPE);
            Ok(ServerResult::InputRequired(input))
        }
        // Other kinds belong to an extension, and are kept unchanged.
        Some(_) => Ok(ServerResult::Custom(result.clone())),
    }
}

/// Reads a result that is known to be complete, as the type of its method.
pub fn decode_complete_result(method: &Method, result: &RawJson) -> Result<ServerResult, PayloadError> {
    complete(method, result).map_err(|malformed| PayloadError::new(method, malformed))
}

fn complete(method: &Method, result: &RawJson) -> Result<ServerResult, DecodeError> {
    macro_rules! read {
        ($type:ty) => {{
            let mut members = RawObject::of_text(result.as_bytes())?;
            // The codec writes this member itself; the kind is known here.
            while members.take(RESULT_TYPE).is_some() {}
            let mut read = <$type>::empty();
            ObjectReader::of(members).read_into(&mut read)?;
            ServerResult::from(read)
        }};
    }
    Ok(match method {
        Method::Initialize => read!(InitializeResult),
        Method::Discover => read!(DiscoverResult),
        Method::ListTools => read!(ListToolsResult),
        Method::CallTool => read!(CallToolResult),
        Method::ListResources => read!(ListResourcesResult),
        Method::ListResourceTemplates => read!(ListResourceTemplatesResult),
        Method::ReadResource => read!(ReadResourceResult),
        Method::ListPrompts => read!(ListPromptsResult),
        Method::GetPrompt => read!(GetPromptResult),
        Method::Complete => read!(CompleteResult),
        Method::Ping | Method::SetLogLevel | Method::Subscribe | Method::Unsubscribe | Method::Listen => {
            read!(EmptyResult)
        }
        _ => ServerResult::Custom(result.clone()),
    })
}

/// Rewrites a `result` of `method` from the revision `from` to the revision `to`, for a relay between two revisions.
/// The parts that both revisions have keep their bytes.
pub fn translate_result(
    method: &Method,
    result: &RawJson,
    from: Version,
    to: Version,
    identity: Option<&Implementation>,
) -> Result<RawJson, PayloadError> {
    let decoded = decode_result(method, from, result)?;
    Ok(keep_spelling(result, encode_result(decoded, to, identity)))
}

/// Returns the method and params of a notification as `version` writes it; `None` if the revision does not have it.
/// In the modern era `subscription` is the id of its `subscriptions/listen` request.
pub fn encode_server_notification(
    mut notification: ServerNotification,
    version: Version,
    subscription: Option<&Id>,
) -> Option<(Method, Option<RawJson>)> {
    let method = notification.method();
    if !method.exists_in(version)
        || matches!(&notification, ServerNotification::Cancelled(p) if p.request_id.is_none())
    {
        return None;
    }
    notification.downgrade(version);
    let params = match (notification.params(), subscription) {
        (Ok(params), Some(id)) => Some(tagged(&params, id)),
        (Ok(params), None) => unless_empty(params),
        (Err(raw), _) => raw,
    };
    Some((method, params))
}

fn tagged(params: &RawJson, subscription: &Id) -> RawJson {
    let mut params = JsonObject::read(params.as_bytes()).unwrap_or_default();
    change_meta(&mut params, |meta| meta.insert(SUBSCRIPTION_ID, subscription));
    params.to_raw()
}

fn unless_empty(params: RawJson) -> Option<RawJson> {
    (params.as_bytes() != b"{}").then_some(params)
}

/// Returns the method and params of a notification as `version` writes it; `None` if the revision does not have it.
pub fn encode_client_notification(
    mut notification: ClientNotification,
    version: Version,
) -> Option<(Method, Option<RawJson>)> {
    let method = notification.method();
    if !method.exists_in(version)
        || matches!(&notification, ClientNotification::Cancelled(p) if p.request_id.is_none())
    {
        return None;
    }
    notification.downgrade(version);
    let params = match notification.params() {
        Ok(params) => unless_empty(params),
        Err(raw) => raw,
    };
    Some((method, params))
}

/// Returns the params of a request to the client as `version` writes it; `None` if the revision does not have it.
pub fn encode_input_request(mut request: InputRequest, version: Version) -> Option<(Method, RawJson)> {
    let method = request.method();
    let is_url = matches!(&request, InputRequest::Elicit(params) if matches!(**params, ElicitParams::Url(_)));
    if !method.exists_in(version) || (is_url && version < Version::V2025_11_25) {
        return None;
    }
    request.downgrade(version);
    let params = match &request {
        InputRequest::Elicit(params) => RawJson::of(&**params),
        InputRequest::CreateMessage(params) => RawJson::of(&**params),
        InputRequest::ListRoots(params) => RawJson::of(params),
    };
    Some((method, params))
}

/// Returns the params of a request (or another value that can be downgraded) as `version` writes them.
pub fn encode_params<T: Downgrade + ToJson>(mut params: T, version: Version) -> RawJson {
    params.downgrade(version);
    RawJson::of(&params)
}
