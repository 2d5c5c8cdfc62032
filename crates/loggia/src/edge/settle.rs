//! Runs a request to an outcome that its client can be sent. A service may answer any call with "ask the
//! client first" ([`InputRequired`]) whatever the era. A stateless client gets that as it is; for a handshake
//! client, which has no such answer, the questions are asked here and the service is called again.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use loggia_wire::model::{InputRequired, InputResponses, ServerResult};
use loggia_wire::{ErrorCode, RawJson, RpcError, codec};
use serde_json::value::RawValue;

use super::{capability, correlation_id, invoke};
use crate::exchange::{Exchange, LivePeer};
use crate::limits::Limits;
use crate::service::{Outcome, Reply, Request, Service};

/// Runs `request`: what every edge calls instead of the service itself.
pub async fn run<S: Service + ?Sized>(
    service: &S,
    request: Request,
    exchange: Exchange,
    limits: &Limits,
) -> Outcome {
    if !request.method.may_require_input() {
        return without_questions(&request.method.clone(), invoke(service, request, exchange).await);
    }
    if request.meta.version.is_stateless() {
        let (version, declared) = (request.meta.version, request.meta.client_capabilities.clone());
        let reply = invoke(service, request, exchange).await?;
        if let Some(input) = reply.input_required() {
            capability::check_all(input, version, &declared)?;
        }
        return Ok(reply);
    }
    // Apart, for it is large, and most requests come in the other form.
    Box::pin(settle(service, request, exchange, limits)).await
}

/// Only three methods may be answered with questions (MRTR, "Supported Requests").
fn without_questions(method: &loggia_wire::Method, outcome: Outcome) -> Outcome {
    if outcome.as_ref().is_ok_and(|reply| reply.input_required().is_some()) {
        let reference = correlation_id();
        tracing::error!(%method, reference, "the service answered with input_required, which this method forbids");
        return Err(RpcError::internal(&reference));
    }
    outcome
}

/// Serves a handshake client: as long as the service asks, asks the client and calls the service again.
async fn settle<S: Service + ?Sized>(
    service: &S,
    mut request: Request,
    exchange: Exchange,
    limits: &Limits,
) -> Outcome {
    for _ in 0..limits.input_rounds {
        let reply = invoke(service, request.clone(), exchange.clone()).await?;
        let Some(input) = questions(&request, &reply)? else { return Ok(reply) };
        let answers = ask_all(&input, &request, &exchange).await?;
        request.params = with_answers(&request.params, &answers, input.request_state.as_deref())?.into();
    }
    Err(RpcError::new(
        ErrorCode::INTERNAL_ERROR,
        format!("The server still asks for input after {} rounds", limits.input_rounds),
    ))
}

/// The questions of `reply`, also where it is relayed from a stateless server.
fn questions(request: &Request, reply: &Reply) -> Result<Option<InputRequired>, RpcError> {
    if let Some(input) = reply.input_required() {
        return Ok(Some(input.clone()));
    }
    let Reply::Raw { version, result } = reply else { return Ok(None) };
    if !version.is_stateless() || memchr::memmem::find(result.as_bytes(), b"input_required").is_none() {
        return Ok(None);
    }
    match codec::decode_result(&request.method, *version, result) {
        Ok(ServerResult::InputRequired(input)) => Ok(Some(input)),
        Ok(_) => Ok(None),
        Err(error) => {
            let reference = correlation_id();
            tracing::warn!(%error, reference, "a relayed result could not be read");
            Err(RpcError::internal(&reference))
        }
    }
}

async fn ask_all(
    input: &InputRequired,
    request: &Request,
    exchange: &Exchange,
) -> Result<InputResponses, RpcError> {
    capability::check_all(input, request.meta.version, &request.meta.client_capabilities)?;
    let Some(requests) = &input.input_requests else { return Ok(InputResponses::new()) };
    let live = exchange.live().ok_or_else(|| {
        RpcError::invalid_request(
            "This request needs the client's input, and this connection cannot carry questions",
        )
    })?;
    let asked = requests.iter().map(|(key, question)| ask(&**live, key, question));
    Ok(try_join_all(asked).await?.into_iter().collect())
}

async fn ask(
    live: &dyn LivePeer,
    key: &str,
    question: &loggia_wire::model::InputRequest,
) -> Result<(String, RawJson), RpcError> {
    let answer = live.ask(question.clone()).await.map_err(|error| {
        let method = question.method();
        RpcError::new(error.code, format!("The client did not answer {method} ({key:?}): {}", error.message))
    })?;
    Ok((key.to_owned(), answer))
}

/// `params` as a stateless client would send them again.
fn with_answers(
    params: &RawJson,
    answers: &InputResponses,
    state: Option<&str>,
) -> Result<RawJson, RpcError> {
    let unreadable = |error: serde_json::Error| RpcError::invalid_params(format!("Invalid params: {error}"));
    let raw = |json: &RawJson| json.decode::<&RawValue>().map(ToOwned::to_owned);
    let mut members: BTreeMap<String, Box<RawValue>> = params.decode().map_err(unreadable)?;
    members.remove("inputResponses");
    members.remove("requestState");
    if !answers.is_empty() {
        let encoded = RawJson::encode(answers).map_err(unreadable)?;
        members.insert("inputResponses".to_owned(), raw(&encoded).map_err(unreadable)?);
    }
    if let Some(state) = state {
        let encoded = RawJson::encode(state).map_err(unreadable)?;
        members.insert("requestState".to_owned(), raw(&encoded).map_err(unreadable)?);
    }
    RawJson::encode(&members).map_err(unreadable)
}
