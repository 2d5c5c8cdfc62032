//! A modern request's headers against its body ("Server Validation"): whoever routed on the headers must
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

use super::endpoint::{RequestEra, Shared};
use crate::edge::admit;
use crate::service::{Description, Service};

/// `MCP-Protocol-Version`.
pub(super) const VERSION: HeaderName = HeaderName::from_static(header::MCP_PROTOCOL_VERSION);
/// `Mcp-Session-Id`.
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static(header::MCP_SESSION_ID);
/// `Last-Event-ID`.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static(header::LAST_EVENT_ID);
const METHOD: HeaderName = HeaderName::from_static(header::MCP_METHOD);
const NAME: HeaderName = HeaderName::from_static(header::MCP_NAME);

/// Why a request is refused, and with which status.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: RpcError,
}

impl Refusal {
    fn bad_request(error: RpcError) -> Refusal {
        Refusal { status: StatusCode::BAD_REQUEST, error }
    }

    fn mismatch(message: String) -> Refusal {
        Refusal::bad_request(RpcError::header_mismatch(message))
    }
}

/// Checks everything that can be said of a request before it runs: what its `_meta` declares, the headers
/// that mirror it, and whether the method exists.
pub(super) fn check(
    shared: &Shared,
    server: &Description,
    headers: &HeaderMap,
    said: RequestEra,
    method: &Method,
    params: Option<&Params>,
) -> Result<Arc<RequestMeta>, Refusal> {
    check_version(headers, &said.declared)?;
    let meta = match said.meta.filter(|meta| server.versions.contains(&meta.version)) {
        Some(meta) => meta,
        None => read_meta(shared, &server.versions, params)?,
    };
    check_method(headers, method)?;
    let target = Target::of(method, params)?;
    header::check_mirror("Mcp-Name", values(headers, &NAME), target.name.as_deref())
        .map_err(Refusal::mismatch)?;
    admit(method, meta.version).map_err(|error| Refusal { status: StatusCode::NOT_FOUND, error })?;
    check_params(&*shared.service, headers, method, &target)?;
    Ok(meta)
}

fn read_meta(
    shared: &Shared,
    versions: &[Version],
    params: Option<&Params>,
) -> Result<Arc<RequestMeta>, Refusal> {
    let meta = RequestMeta::from_modern(params, versions).map_err(Refusal::bad_request)?;
    let meta = Arc::new(meta);
    if let Some(text) = meta::text(params) {
        shared.memos.keep(text, &meta);
    }
    Ok(meta)
}

/// The value of a header that may come once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut found = values(headers, name);
    let Some(first) = found.next() else { return Ok(None) };
    let text = std::str::from_utf8(first).map_err(|_| format!("The header {name} is not text"))?;
    if found.next().is_some() {
        return Err(format!("The header {name} came more than once"));
    }
    Ok(Some(text.trim_matches([' ', '\t'])))
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).iter().map(|value| value.as_bytes())
}

/// A missing declaration alone is for [`RequestMeta::from_modern`] to refuse: its code is another.
fn check_version(headers: &HeaderMap, declared: &DeclaredVersion) -> Result<(), Refusal> {
    let header = single(headers, &VERSION).map_err(Refusal::mismatch)?;
    match declared.as_str() {
        Some(declared) => mirrors("MCP-Protocol-Version", header, declared),
        None if header.is_some() => Ok(()),
        None => {
            Err(Refusal::mismatch("Header mismatch: the MCP-Protocol-Version header is missing".to_owned()))
        }
    }
}

fn check_method(headers: &HeaderMap, method: &Method) -> Result<(), Refusal> {
    let header = single(headers, &METHOD).map_err(Refusal::mismatch)?;
    mirrors("Mcp-Method", header, method.as_str())
}

fn mirrors(name: &str, header: Option<&str>, body: &str) -> Result<(), Refusal> {
    match header {
        Some(value) if value == body => Ok(()),
        Some(value) => Err(Refusal::mismatch(format!(
            "Header mismatch: {name} header value {value:?} does not match body value {body:?}"
        ))),
        None => Err(Refusal::mismatch(format!(
            "Header mismatch: the {name} header is missing, but the body has the value {body:?}"
        ))),
    }
}

fn check_params(
    service: &dyn Service,
    headers: &HeaderMap,
    method: &Method,
    target: &Target<'_>,
) -> Result<(), Refusal> {
    let (Method::CallTool, Some(tool)) = (method, target.name.as_deref()) else { return Ok(()) };
    let Some(mirrored) = service.param_headers(tool) else { return Ok(()) };
    let arguments = target.arguments()?;
    mirrored
        .check(|name| headers.get_all(name).iter().map(|value| value.as_bytes()), arguments.as_ref())
        .map_err(Refusal::mismatch)
}

/// What a request is about, as far as headers mirror it.
#[derive(Default)]
struct Target<'p> {
    name: Option<Cow<'p, str>>,
    arguments: Option<&'p [u8]>,
}

impl<'p> Target<'p> {
    /// Only three methods have a target; what is not a string is for the service to refuse.
    fn of(method: &Method, params: Option<&'p Params>) -> Result<Target<'p>, Refusal> {
        let (Some(member), Some(params)) = (method.name_member(), params) else {
            return Ok(Target::default());
        };
        if let Some(routing) = params.routing()
            && let Some(name) = if member == "uri" { routing.uri } else { routing.name }.and_then(plain_text)
        {
            return Ok(Target { name: Some(Cow::Borrowed(name)), arguments: routing.arguments });
        }
        let params = RawObject::of(params).map_err(invalid)?;
        // What is there twice is nobody's to choose from.
        for member in ["name", "uri", "arguments"] {
            params.get::<Option<RawJson>>(member).map_err(invalid)?;
        }
        let arguments = params.raw("arguments").filter(|text| *text != b"null");
        Ok(Target { name: params.string(member), arguments })
    }

    fn arguments(&self) -> Result<Option<Map<String, Value>>, Refusal> {
        let Some(text) = self.arguments else { return Ok(None) };
        match value_of(text).map_err(invalid)? {
            Value::Object(arguments) => Ok(Some(arguments)),
            _ => Ok(None),
        }
    }
}

fn invalid(error: impl std::fmt::Display) -> Refusal {
    Refusal::bad_request(RpcError::invalid_params(format!("Invalid params: {error}")))
}
