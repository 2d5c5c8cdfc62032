//! Checks a modern request's headers against its body ("Server Validation"): a proxy that routed on the headers must
//! have seen what the service will act on.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode};
use loggia_wire::header;
use loggia_wire::json::plain_text;
use loggia_wire::json::value_of;
use loggia_wire::meta::{self, DeclaredVersion};
use loggia_wire::{Method, Params, RawJson, RawObject, RequestMeta, RpcError, Version};
use serde_json::{Map, Value};

use super::RequestEra;
use crate::edge::admit;
use crate::service::{Description, Service};
use crate::transport::http::server::headers::{VERSION, single, values};
use crate::transport::http::server::state::EndpointState;

const METHOD: HeaderName = HeaderName::from_static(header::MCP_METHOD);
const NAME: HeaderName = HeaderName::from_static(header::MCP_NAME);

/// Why a request is refused, and with which status.
#[derive(Debug)]
pub(super) struct ValidationError {
    pub(super) status: StatusCode,
    pub(super) error: RpcError,
}

impl ValidationError {
    fn bad_request(error: RpcError) -> ValidationError {
        ValidationError { status: StatusCode::BAD_REQUEST, error }
    }

    fn mismatch(message: String) -> ValidationError {
        ValidationError::bad_request(RpcError::header_mismatch(message))
    }
}

/// Checks everything that a request states before it runs: what its `_meta` declares, the headers
/// that mirror it, and whether the method exists.
pub(super) fn check(
    endpoint: &EndpointState,
    server: &Description,
    headers: &HeaderMap,
    era: RequestEra,
    method: &Method,
    params: Option<&Params>,
) -> Result<Arc<RequestMeta>, ValidationError> {
    check_version(headers, &era.declared)?;
    let meta = match era.meta.filter(|meta| server.versions.contains(&meta.version)) {
        Some(meta) => meta,
        None => read_meta(endpoint, &server.versions, params)?,
    };
    check_method(headers, method)?;
    let target = RequestTarget::of(method, params)?;
    header::check_mirror("Mcp-Name", values(headers, &NAME), target.name.as_deref())
        .map_err(ValidationError::mismatch)?;
    admit(method, meta.version).map_err(|error| ValidationError { status: StatusCode::NOT_FOUND, error })?;
    check_params(&*endpoint.service, headers, method, &target)?;
    Ok(meta)
}

fn read_meta(
    endpoint: &EndpointState,
    versions: &[Version],
    params: Option<&Params>,
) -> Result<Arc<RequestMeta>, ValidationError> {
    let meta = RequestMeta::from_modern(params, versions).map_err(ValidationError::bad_request)?;
    let meta = Arc::new(meta);
    if let Some(text) = meta::text(params) {
        endpoint.meta_cache.keep(text, &meta);
    }
    Ok(meta)
}

/// A missing declaration alone is for [`RequestMeta::from_modern`] to refuse: its code is another.
fn check_version(headers: &HeaderMap, declared: &DeclaredVersion) -> Result<(), ValidationError> {
    let header = single(headers, &VERSION).map_err(ValidationError::mismatch)?;
    match declared.as_str() {
        Some(declared) => mirrors("MCP-Protocol-Version", header, declared),
        None if header.is_some() => Ok(()),
        None => Err(ValidationError::mismatch(
            "Header mismatch: the MCP-Protocol-Version header is missing".to_owned(),
        )),
    }
}

fn check_method(headers: &HeaderMap, method: &Method) -> Result<(), ValidationError> {
    let header = single(headers, &METHOD).map_err(ValidationError::mismatch)?;
    mirrors("Mcp-Method", header, method.as_str())
}

fn mirrors(name: &str, header: Option<&str>, body: &str) -> Result<(), ValidationError> {
    match header {
        Some(value) if value == body => Ok(()),
        Some(value) => Err(ValidationError::mismatch(format!(
            "Header mismatch: {name} header value {value:?} does not match body value {body:?}"
        ))),
        None => Err(ValidationError::mismatch(format!(
            "Header mismatch: the {name} header is missing, but the body has the value {body:?}"
        ))),
    }
}

fn check_params(
    service: &dyn Service,
    headers: &HeaderMap,
    method: &Method,
    target: &RequestTarget<'_>,
) -> Result<(), ValidationError> {
    let (Method::CallTool, Some(tool)) = (method, target.name.as_deref()) else { return Ok(()) };
    let Some(mirrored) = service.param_headers(tool) else { return Ok(()) };
    let arguments = target.arguments()?;
    mirrored
        .check(|name| headers.get_all(name).iter().map(|value| value.as_bytes()), arguments.as_ref())
        .map_err(ValidationError::mismatch)
}

/// The parts of a request's params that headers mirror.
#[derive(Default)]
struct RequestTarget<'p> {
    name: Option<Cow<'p, str>>,
    arguments: Option<&'p [u8]>,
}

impl<'p> RequestTarget<'p> {
    /// Only three methods have a target; what is not a string is for the service to refuse.
    fn of(method: &Method, params: Option<&'p Params>) -> Result<RequestTarget<'p>, ValidationError> {
        let (Some(member), Some(params)) = (method.name_member(), params) else {
            return Ok(RequestTarget::default());
        };
        if let Some(routing) = params.routing()
            && let Some(name) = if member == "uri" { routing.uri } else { routing.name }.and_then(plain_text)
        {
            return Ok(RequestTarget { name: Some(Cow::Borrowed(name)), arguments: routing.arguments });
        }
        let params = RawObject::of(params).map_err(invalid)?;
        // A member that is there twice is refused.
        for member in ["name", "uri", "arguments"] {
            params.get::<Option<RawJson>>(member).map_err(invalid)?;
        }
        let arguments = params.raw("arguments").filter(|text| *text != b"null");
        Ok(RequestTarget { name: params.string(member), arguments })
    }

    fn arguments(&self) -> Result<Option<Map<String, Value>>, ValidationError> {
        let Some(text) = self.arguments else { return Ok(None) };
        match value_of(text).map_err(invalid)? {
            Value::Object(arguments) => Ok(Some(arguments)),
            _ => Ok(None),
        }
    }
}

fn invalid(error: impl std::fmt::Display) -> ValidationError {
    ValidationError::bad_request(RpcError::invalid_params(format!("Invalid params: {error}")))
}
