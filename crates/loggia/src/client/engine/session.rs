//! Sessions that the server no longer has: a new one is opened, and the requests that cannot have run are sent again.

use std::time::Instant;

use loggia_wire::Method;

use super::{Engine, EnginePhase};
use crate::client::link_event::SessionRefusal;
use crate::error::Error;

impl Engine {
    /// A request was refused because its session is gone. It is sent once more, in a new session, unless it may have
    /// run and running it twice could do harm.
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

    /// Makes a request wait for the connection once more.
    pub(super) fn wait_again(&mut self, id: i64) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.retried = true;
            pending.sent = None;
        }
    }
}

/// Returns whether running a request twice does what running it once does.
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
        // The program can sign in, which is more than it could do about any other refusal.
        Error::Unauthorized(challenge) => Error::Unauthorized(challenge),
        other => Error::Connection(format!(
            "the session ended during the request ({other}). It may have run, so it was not sent again"
        )),
    }
}
