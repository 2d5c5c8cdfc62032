//! The error with which a server of revision 2025-11-25 refuses a call until the user has opened a URL. For a modern
//! client it becomes a question: the client gets `input_required`, and then retries the call.

use loggia::edge::capability;
use loggia::model::{ElicitParams, ElicitUrlParams, InputRequest, InputRequests, InputRequired};
use loggia::service::Request;
use loggia::wire::{ErrorCode, JsonText, RawObject, RpcError};

/// Returns the questions in `error`. Returns `None` for another error, if the client cannot open URLs, or if the
/// client has answered already: then the user declined, or has not finished.
pub(crate) fn questions(error: &RpcError, request: &Request) -> Option<InputRequired> {
    if error.code != ErrorCode::URL_ELICITATION_REQUIRED {
        return None;
    }
    let data = error.data.as_ref()?.as_text().to_object()?;
    let questions: InputRequests = data.get("elicitations")?.items()?.map(question).collect::<Option<_>>()?;
    let declared = &request.meta.client_capabilities;
    let askable = |question| capability::check(question, request.meta.version, declared).is_ok();
    if questions.is_empty() || !questions.values().all(askable) || answered(&questions, request) {
        return None;
    }
    Some(InputRequired { input_requests: Some(questions), ..InputRequired::default() })
}

fn question(listed: JsonText<'_>) -> Option<(String, InputRequest)> {
    let params: ElicitUrlParams = listed.decode().ok()?;
    let key = params.elicitation_id.clone()?;
    Some((key, InputRequest::Elicit(Box::new(ElicitParams::Url(params)))))
}

fn answered(questions: &InputRequests, request: &Request) -> bool {
    let Some(responses) =
        RawObject::of(&request.params).ok().and_then(|params| params.value("inputResponses"))
    else {
        return false;
    };
    RawObject::of(&responses).is_ok_and(|responses| questions.keys().any(|key| responses.raw(key).is_some()))
}
