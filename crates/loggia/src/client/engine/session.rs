//! Lost sessions: a new session is opened, and requests that cannot have run are sent again.

use std::time::Instant;

use loggia_wire::Method;

use super::{Engine, EnginePhase};
use crate::client::link_event::SessionRefusal;
use crate::error::Error;

impl Engine {
    /// Handles a request that was refused because its session is lost. It is sent once more, in a new session, unless
    /// it may have run and running it twice could do harm.
    pub(super) fn session_refused(&mut self, now: Instant, id: i64, refusal: SessionRefusal) {
        let SessionRefusal { error, may_have_run, current } = refusal;
        let pending = self.pending.get(&id);
        let retried = pending.is_some_and(|pending| pending.retried);
        let harmful = pending.is_some_and(|pending| may_have_run && !is_repeatable(&pending.call.method));
        if retried {
            return self.finish(id, Err(refused_again(error)));
        }
        if harmful {
            self.finish(id, Err(not_repeated(error)));
        } else {
            self.wait_again(id);
        }
        if !matches!(self.phase, EnginePhase::Ready(_)) {
            return;
        }
        match current {
            true => self.begin_opening(now, None),
            // The new session is open already.
            false => self.send_request(id),
        }
    }

    /// Queues a request again.
    pub(super) fn wait_again(&mut self, id: i64) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.retried = true;
            pending.sent = None;
        }
    }
}

/// Returns whether running a request twice has the same effect as running it once.
fn is_repeatable(method: &Method) -> bool {
    matches!(
        method,
        Method::ListTools
            | Method::ListPrompts
            | Method::ListResources
            | Method::ListResourceTemplates
            | Method::ReadResource
            | Method::GetPrompt
            | Method::Complete
            | Method::Ping
            | Method::SetLogLevel
            | Method::Subscribe
            | Method::Unsubscribe
    )
}

fn refused_again(error: Error) -> Error {
    match error {
        Error::Unauthorized(challenge) => Error::Unauthorized(challenge),
        other => Error::Connection(format!("the server refuses the request in a new session too: {other}")),
    }
}

fn not_repeated(error: Error) -> Error {
    match error {
        // The program can sign in, so the challenge is passed on.
        Error::Unauthorized(challenge) => Error::Unauthorized(challenge),
        other => Error::Connection(format!(
            "the session ended during the request ({other}). It may have run, so it was not sent again"
        )),
    }
}
