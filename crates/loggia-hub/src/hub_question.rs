//! Questions that the hub itself asks the user of a client, in the rounds of a call. They have keys of their own, so
//! that an answer is never passed on to an upstream, and an upstream's question is never taken for one of the hub.

use loggia::edge::capability;
use loggia::exchange::Exchange;
use loggia::model::{ElicitAction, ElicitResult, InputRequest, InputRequests, InputRequired};
use loggia::service::Request;
use loggia::wire::RawObject;

/// Returns whether the client of `request` can be asked `question`.
pub(crate) fn can_ask(question: &InputRequest, request: &Request, exchange: &Exchange) -> bool {
    let meta = &request.meta;
    capability::check(question, meta.version, &meta.client_capabilities).is_ok()
        && request.method.may_require_input()
        && (meta.version.is_modern() || exchange.client().is_some())
}

/// Returns the result that asks `question` with this key.
pub(crate) fn ask(key: &str, question: InputRequest) -> InputRequired {
    InputRequired {
        input_requests: Some(InputRequests::from([(key.to_owned(), question)])),
        ..InputRequired::default()
    }
}

/// Returns the request without the members of later rounds, and the user's answer to the hub's question of this key,
/// if this round contains one. Otherwise the request is not changed.
pub(crate) fn take_answer(request: Request, key: &str) -> (Request, Option<ElicitAction>) {
    if !is_later_round(&request) {
        return (request, None);
    }
    let answer = (|| {
        let responses = RawObject::of(&request.params).ok()?.value("inputResponses")?;
        let answer = RawObject::of(&responses).ok()?.value(key)?;
        // An answer that cannot be read counts as `cancel`.
        Some(answer.decode::<ElicitResult>().map_or(ElicitAction::Cancel, |result| result.action))
    })();
    if answer.is_none() {
        return (request, None);
    }
    let params =
        RawObject::of(&request.params).map(|params| params.rewrite(&[], &["inputResponses", "requestState"]));
    match params {
        Ok(params) => (Request { params: params.into(), ..request }, answer),
        Err(_) => (request, answer),
    }
}

/// Returns whether the request continues a call. If only a parser can tell, the members are looked for.
pub(crate) fn is_later_round(request: &Request) -> bool {
    match request.params.routing() {
        Some(routing) => routing.again,
        None => RawObject::of(&request.params).is_ok_and(|params| {
            params.raw("inputResponses").is_some() || params.raw("requestState").is_some()
        }),
    }
}
