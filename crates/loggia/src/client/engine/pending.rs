//! The pending requests: the deadline of each, and its end.

use std::time::Instant;

use loggia_wire::jsonrpc::Id;
use loggia_wire::model::CancelledParams;
use loggia_wire::{Method, RawJson, RpcError, Version};

use super::{Engine, EngineOutput, EnginePhase, OutgoingCall, RawReply};
use crate::error::Error;

/// A pending request.
pub(super) struct PendingCall {
    pub(super) call: OutgoingCall,
    /// The revision in which it was sent; `None` while it waits to be sent.
    pub(super) sent: Option<Version>,
    /// True if it was queued again once.
    pub(super) retried: bool,
    pub(super) idle_at: Option<Instant>,
    pub(super) total_at: Option<Instant>,
    open_asks: usize,
    paused_at: Option<Instant>,
}

impl Engine {
    pub(super) fn send_request(&mut self, id: i64) {
        let EnginePhase::Ready(facts) = &self.phase else { return };
        let version = facts.version;
        let Some(pending) = self.pending.get_mut(&id) else { return };
        pending.sent = Some(version);
        let call = pending.call.clone();
        if !call.method.exists_in(version) {
            let error = RpcError::method_not_found(call.method.as_str());
            return self.finish(id, Err(Error::Rpc(error)));
        }
        match self.composer.request(&call, version, id) {
            Ok(request) => self.transmits.push_back(request),
            Err(error) => self.finish(id, Err(error)),
        }
    }

    /// Removes a request without an answer, and tells the server if that is possible.
    pub(super) fn withdraw(&mut self, id: i64, reason: &str) -> Option<PendingCall> {
        let pending = self.forget(id)?;
        if let Some(version) = pending.sent {
            if !(self.settings.own_streams && version.is_modern()) {
                let params = CancelledParams::new(Id::Number(id), Some(reason.to_owned()));
                self.transmit_notification(version, Method::Cancelled, Some(&RawJson::of(&params)));
            }
            self.outputs.push_back(EngineOutput::Abandon(id));
        }
        self.drop_asks_of(id);
        Some(pending)
    }

    pub(super) fn finish(&mut self, id: i64, outcome: Result<RawReply, Error>) {
        if self.forget(id).is_some() {
            self.outputs.push_back(EngineOutput::Finished { id, outcome });
        }
    }

    pub(super) fn forget(&mut self, id: i64) -> Option<PendingCall> {
        let pending = self.pending.remove(&id)?;
        if let Some(at) = pending.deadline() {
            self.deadlines.remove(&(at, id));
        }
        Some(pending)
    }

    pub(super) fn schedule(&mut self, id: i64) {
        if let Some(at) = self.pending.get(&id).and_then(PendingCall::deadline) {
            self.deadlines.insert((at, id));
        }
    }

    /// Applies `change` to a request's clock.
    pub(super) fn reschedule(&mut self, id: i64, change: impl FnOnce(&mut PendingCall)) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        if let Some(at) = pending.deadline() {
            self.deadlines.remove(&(at, id));
        }
        change(pending);
        self.schedule(id);
    }

    /// Ends every request, because there is no connection.
    pub(super) fn fail_waiting(&mut self, reason: &Error) {
        let waiting: Vec<i64> = self.pending.keys().copied().collect();
        for id in waiting {
            let error = match reason {
                Error::Unauthorized(challenge) => Error::Unauthorized(challenge.clone()),
                other => Error::Connection(other.to_string()),
            };
            self.finish(id, Err(error));
        }
    }
}

impl PendingCall {
    /// Creates a request that begins at `now` and has not been sent.
    pub(super) fn new(now: Instant, call: OutgoingCall) -> PendingCall {
        PendingCall {
            idle_at: call.timing.idle.map(|idle| now + idle),
            total_at: call.timing.total.map(|total| now + total),
            call,
            sent: None,
            retried: false,
            open_asks: 0,
            paused_at: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.paused_at {
            Some(_) => None,
            None => self.idle_at.into_iter().chain(self.total_at).min(),
        }
    }

    /// Stops the clock while the program answers a question, which is not the server's time.
    pub(super) fn pause(&mut self, now: Instant) {
        self.open_asks += 1;
        self.paused_at.get_or_insert(now);
    }

    pub(super) fn resume(&mut self, now: Instant) {
        self.open_asks = self.open_asks.saturating_sub(1);
        if self.open_asks == 0
            && let Some(paused_at) = self.paused_at.take()
        {
            let paused = now.saturating_duration_since(paused_at);
            self.total_at = self.total_at.map(|at| at + paused);
            self.idle_at = self.call.timing.idle.map(|idle| now + idle);
        }
    }
}
