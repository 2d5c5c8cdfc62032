//! The question before a call of a tool that the user has to allow.
//!
//! The question is a form without fields, which the client shows. A client that answers for its user, or that makes up a
//! later round, is not stopped: it could as well answer any question. The question protects the user from the
//! model, not from the client.
//!
//! Invariant: without the user's agreement, nothing is sent to the connector.

use loggia::exchange::Exchange;
use loggia::model::{
    CallToolResult, ElicitAction, ElicitFormParams, ElicitParams, ElicitSchema, InputRequest, ServerResult,
};
use loggia::service::{Reply, Request};
use loggia::wire::RawObject;

use crate::hub_question::{ask, can_ask, is_later_round, take_answer};

/// The key of the question in the rounds of a call.
const KEY: &str = "loggia-confirm";
/// The maximum number of characters of the arguments that the question shows.
const SHOWN: usize = 2000;

/// Returns the request if the user allowed the call of `tool`; otherwise the answer for the client: the question, or a text
/// for the model. `request` has the caller's arguments.
pub(crate) fn confirmed(
    connector: &str,
    tool: &str,
    request: Request,
    exchange: &Exchange,
) -> Result<Request, Reply> {
    let is_later = is_later_round(&request);
    match take_answer(request, KEY) {
        (request, Some(ElicitAction::Accept)) => Ok(request),
        (_, Some(ElicitAction::Decline | ElicitAction::Cancel)) => Err(refused(format!(
            "The user did not allow the call of {tool} of {connector}. Nothing was done."
        ))),
        // The user allowed the first round of this call.
        (request, None) if is_later => Ok(request),
        (request, None) => Err(question(connector, tool, &request, exchange)),
    }
}

fn question(connector: &str, tool: &str, request: &Request, exchange: &Exchange) -> Reply {
    let arguments = RawObject::of(&request.params).ok().and_then(|params| params.value("arguments"));
    let arguments = arguments.map(|arguments| String::from_utf8_lossy(arguments.as_bytes()).into_owned());
    let arguments = shortened(&arguments.unwrap_or_else(|| "{}".to_owned()));
    let question = InputRequest::Elicit(Box::new(ElicitParams::Form(ElicitFormParams {
        message: format!("Allow {tool} of {connector} with these arguments?\n{arguments}"),
        requested_schema: ElicitSchema::default(),
        mode: None,
        meta: None,
        extra: Default::default(),
    })));
    if can_ask(&question, request, exchange) {
        return Reply::from(ServerResult::from(ask(KEY, question)));
    }
    refused(format!(
        "The user has to allow each call of {tool} of {connector}, and this client cannot ask (it does not support \
         elicitation). Nothing was done. Use a client that can ask."
    ))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

fn refused(why: String) -> Reply {
    Reply::from(ServerResult::from(CallToolResult::error(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_are_shortened_at_a_character() {
        assert_eq!(shortened("{}"), "{}");
        let long = "é".repeat(SHOWN + 1);
        assert_eq!(shortened(&long), format!("{}… ({} bytes in all)", "é".repeat(SHOWN), 2 * SHOWN + 2));
    }
}
