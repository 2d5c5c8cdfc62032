//! Errors for clients whose request an upstream did not answer. The cause is only in the log, under a reference.

use loggia::{Error, edge};

use crate::connector_handle::{ConnectorHandle, SupervisorHint};
use crate::refusal::Refusal;

/// Returns the error for a client whose request was sent to an upstream that did not answer.
pub(crate) fn unanswered(handle: &ConnectorHandle, error: Error) -> Refusal {
    let name = &handle.settings.name;
    let reference = edge::correlation_id();
    tracing::warn!(connector = name, %error, reference, "a request to the connector failed");
    Refusal::Unavailable(match error {
        Error::Timeout(details) => format!(
            "The connector {name:?} gave no answer within {} s. It may still be working on the request.",
            details.after.as_secs()
        ),
        Error::TooLarge(most) => format!(
            "The connector {name:?} answered with more than {most} bytes, the limit (reply_bytes). Ask for less."
        ),
        Error::Unauthorized(_) => format!(
            "The connector {name:?} is not authorized at its service: its credentials in Loggia's configuration \
             are missing, wrong or expired."
        ),
        Error::Protocol(_) | Error::Configuration(_) | Error::NoCommonVersion { .. } => {
            format!(
                "The connector {name:?} gave an answer that makes no sense (reference {reference} in Loggia's log)."
            )
        }
        _ => match handle.retirement() {
            Some(retirement) => retirement.explain_interrupted(name),
            None => {
                handle.hint(SupervisorHint::Suspect);
                format!(
                    "The connection to the connector {name:?} failed during this request; whether it had an effect \
                     is not known. Loggia connects again automatically (reference {reference} in its log)."
                )
            }
        },
    })
}
