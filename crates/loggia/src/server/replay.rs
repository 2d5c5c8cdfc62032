//! Rounds of a call. Where a client cannot be asked while its request runs, a question ends the request: the
//! handler's future is dropped, the client gets every question that was open, and calls again with the
//! answers. What was answered or done in earlier rounds comes back in the sealed `requestState`, so the new
//! run of the handler gets as far as the last one and goes on.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia_wire::json::FromJson;
use loggia_wire::{ErrorCode, RawJson, RpcError};

use super::cx::CallContext;
use super::error::ToolError;
use super::input_context::RequestState;
use super::seal::{canonical, digest, is_sealed};
use crate::clock::unix_seconds;
use crate::lock::lock;
use crate::model::{InputRequest, InputRequests, InputRequired};

/// The answer to `key`, where there is one. State that does not open is refused.
pub(crate) fn lookup(call: &CallContext, key: &str, digest: &str) -> Result<Option<RawJson>, ToolError> {
    let carried = carried(call);
    let now = lock(&call.input.pending);
    if let Some(kept) = now.kept.get(key) {
        return if kept.digest == digest { Ok(Some(kept.answer.clone())) } else { Err(reused(key)) };
    }
    if now.wanted.get(key).is_some_and(|(other, _)| other != digest) {
        return Err(reused(key));
    }
    let carried = carried.map_err(ToolError::rpc)?;
    let earlier = carried.and_then(|carried| carried.kept.get(key)).filter(|kept| kept.digest == digest);
    if let Some(kept) = earlier {
        return Ok(Some(kept.answer.clone()));
    }
    // Without state there was no earlier round to compare with: the client answers unasked.
    let fits = carried.is_none_or(|carried| carried.asked.get(key).is_some_and(|asked| asked == digest));
    let response = call.input.retry.as_ref().and_then(|came| came.responses.get(key));
    Ok(response.filter(|_| fits).cloned())
}

/// The result of [`Cx::once`] under `key`, where there is one. State that does not open is refused.
pub(crate) fn kept_once(call: &CallContext, key: &str) -> Result<Option<RawJson>, ToolError> {
    if let Some(value) = lock(&call.input.pending).once.get(key) {
        return Ok(Some(value.clone()));
    }
    let carried = carried(call).map_err(ToolError::rpc)?;
    Ok(carried.and_then(|carried| carried.once.get(key)).cloned())
}

/// Returns the state that came with the request, if it was not sealed here: the handler that made it checks it.
pub(crate) fn foreign_state(call: &CallContext) -> Option<String> {
    let state = call.input.retry.as_ref()?.state.clone();
    state.filter(|_| carried(call).is_err())
}

/// Returns the state of earlier rounds. State of another origin, or changed state, is an error.
fn carried(call: &CallContext) -> Result<Option<&RequestState>, RpcError> {
    let Some(came) = &call.input.retry else { return Ok(None) };
    let Some(state) = &came.state else { return Ok(None) };
    came.opened.get_or_init(|| unseal(call, state, came.at)).as_ref().map(Some).map_err(RpcError::clone)
}

/// Returns the result that asks the client for the answers that a handler waits for.
pub(crate) fn input_required(call: &CallContext) -> Result<InputRequired, RpcError> {
    let mut carried = carried(call)?.cloned().unwrap_or_default();
    let mut now = lock(&call.input.pending);
    carried.round += 1;
    let most = call.context().limits.input_rounds;
    if carried.round > most as u64 {
        return Err(RpcError::new(
            ErrorCode::INTERNAL_ERROR,
            format!("This call asked for input more than {most} times: start it again"),
        ));
    }
    carried.until = unix_seconds(call.context().now() + call.context().state_ttl);
    carried.kept.extend(std::mem::take(&mut now.kept));
    carried.once.extend(std::mem::take(&mut now.once));
    let wanted = std::mem::take(&mut now.wanted);
    carried.asked = wanted.iter().map(|(key, (digest, _))| (key.clone(), digest.clone())).collect();
    let requests: InputRequests = wanted.into_iter().map(|(key, (_, request))| (key, request)).collect();
    let request_state = Some(seal(call, &carried)?);
    Ok(InputRequired { input_requests: Some(requests), request_state, ..InputRequired::default() })
}

/// A short digest of a question: an answer counts only for the very question it was given to.
pub(crate) fn question_digest(request: &InputRequest) -> String {
    let text = canonical(RawJson::of(request).as_text());
    URL_SAFE_NO_PAD.encode(&digest([&text[..]])[..16])
}

/// Returns a digest of the caller, the method, the name and the arguments, to which sealed state is bound.
pub(crate) fn context(call: &CallContext) -> [u8; 32] {
    let subject = &call.subject;
    let arguments = canonical(subject.arguments.as_text());
    let (who, issuer) = match &call.principal {
        Some(principal) => (principal.subject.as_str(), principal.issuer.as_deref()),
        None => ("", None),
    };
    let known = [u8::from(call.principal.is_some()), u8::from(issuer.is_some())];
    digest([
        &known[..],
        who.as_bytes(),
        issuer.unwrap_or_default().as_bytes(),
        subject.method.as_str().as_bytes(),
        subject.name.as_bytes(),
        &arguments,
    ])
}

fn seal(call: &CallContext, carried: &RequestState) -> Result<String, RpcError> {
    let fault = |reason: &str| {
        let reference = crate::edge::correlation_id();
        tracing::error!(reference, reason, "the state of a call could not be sealed");
        RpcError::internal(&reference)
    };
    let plain = RawJson::of(carried);
    let plain = plain.as_bytes();
    let most = call.context().limits.request_state_bytes;
    if plain.len() > most {
        return Err(fault(&format!("it is larger than {most} bytes: keep less in once(), or ask for less")));
    }
    call.context().sealer.seal(&context(call), plain).ok_or_else(|| fault("there is no randomness"))
}

fn unseal(call: &CallContext, text: &str, at: SystemTime) -> Result<RequestState, RpcError> {
    // Encryption and base64 add little over a third.
    if !is_sealed(text) || text.len() > call.context().limits.request_state_bytes * 2 {
        return Err(refused());
    }
    let plain = call.context().sealer.open(&context(call), text).ok_or_else(refused)?;
    let carried = RequestState::from_json(&plain).map_err(|_| refused())?;
    if carried.until < unix_seconds(at) {
        return Err(RpcError::invalid_params(
            "The requestState has expired: start the call again without it",
        ));
    }
    Ok(carried)
}

fn refused() -> RpcError {
    RpcError::invalid_params(
        "The requestState does not belong to this call, or was changed: start the call again without it",
    )
}

fn reused(key: &str) -> ToolError {
    ToolError::internal(format!("two different questions were asked under the key {key:?}"))
}
