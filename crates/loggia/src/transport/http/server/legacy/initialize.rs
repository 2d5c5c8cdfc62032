//! `initialize`: opens a legacy session. It is the one request without a session.

use http::request::Parts;
use http::{Response, StatusCode};
use loggia_wire::jsonrpc::Id;
use loggia_wire::{RawJson, RpcError};

use super::{LegacyState, calls};
use crate::edge::session::Session;
use crate::transport::http::Body;
use crate::transport::http::server::admission::principal;
use crate::transport::http::server::headers::SESSION_ID;
use crate::transport::http::server::respond;

/// Answers `initialize`: the one request without a session.
pub(in crate::transport::http::server) fn initialize(
    legacy: &LegacyState,
    parts: &Parts,
    id: &Id,
    params: Option<&RawJson>,
) -> Response<Body> {
    let server = legacy.endpoint.service.describe();
    let refuse = |error: RpcError| respond::error(StatusCode::BAD_REQUEST, Some(id), &error);
    let (session, result) = match Session::initialize(params, &server) {
        Ok(opened) => opened,
        Err(error) => return refuse(error),
    };
    let Some(name) = legacy.sessions.mint(&session, principal(parts).as_deref()) else {
        return refuse(RpcError::invalid_params(
            "The client's capabilities are too long to keep in a session",
        ));
    };
    let message = calls::encode_result(id, result, session.version(), &server);
    let mut response = respond::json(StatusCode::OK, message);
    let name = name.try_into().expect("base64 is visible ASCII");
    response.headers_mut().insert(SESSION_ID, name);
    response
}
