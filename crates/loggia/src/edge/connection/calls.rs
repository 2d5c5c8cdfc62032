//! The requests of a connection that are not answered yet: admitted within the bounds, cancelled by their
//! client, reported on and answered. Once a request is answered or cancelled, nothing more is sent for it.

use bytes::Bytes;
use std::sync::Arc;

use loggia_wire::jsonrpc::{self, EnvelopeError, Id};
use loggia_wire::model::{ServerNotification, ServerResult};
use loggia_wire::{ErrorCode, Method, RequestMeta, RpcError, Version, codec};

use super::batch::BatchKey;
use super::{Action, CallKey, DuplexConnection, IncomingRequest};
use crate::edge::notification_filter::NotificationFilter;
use crate::edge::session::Session;
use crate::service::{Description, Outcome, Request, encode_outcome};

/// A request that is not answered yet.
pub(super) struct CallSlot {
    pub(super) id: Id,
    pub(super) method: Method,
    pub(super) version: Version,
    batch: Option<BatchKey>,
    pub(super) kind: CallPhase,
}

/// State of a request.
pub(super) enum CallPhase {
    /// It waits for its turn.
    Waiting {
        bytes: usize,
    },
    Running {
        bytes: usize,
        filter: NotificationFilter,
    },
    /// A subscription, and whether its client knows that it is open.
    Subscription {
        acknowledged: bool,
    },
}

impl DuplexConnection {
    /// Call it when a request has its outcome.
    pub fn handle_finished(&mut self, key: CallKey, outcome: Outcome, server: &Description) {
        if let Some(slot) = self.take(key) {
            let message = encode_outcome(&slot.id, &slot.method, outcome, slot.version, &server.identity);
            self.respond_written(message.into(), slot.batch);
            self.after_call();
        }
    }

    /// Call it when a running request has a notification for its client. A notification that the client did not ask for is
    /// left out.
    pub fn handle_notification(&mut self, key: CallKey, notification: ServerNotification) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let CallPhase::Running { filter, .. } = &mut slot.kind else { return };
        if let Some(session) = self.session.as_ref().filter(|_| !slot.version.is_modern()) {
            // `logging/setLevel` counts for requests that run already.
            filter.set_log_level(session.meta().log_level);
        }
        if let Some(message) = filter.write(notification) {
            self.send(message);
        }
    }

    /// Runs a request, now or when its turn comes.
    pub(super) fn start(
        &mut self,
        incoming: IncomingRequest,
        meta: Arc<RequestMeta>,
    ) -> Result<(), RpcError> {
        let room = self.has_room(incoming.bytes);
        if !room && self.waiting.len() >= self.limits.requests_per_connection {
            return Err(busy(self.limits.requests_per_connection));
        }
        let IncomingRequest { id, method, params, batch, bytes } = incoming;
        let key = self.key();
        let slot = CallSlot {
            id: id.clone(),
            method: method.clone(),
            version: meta.version,
            batch,
            kind: CallPhase::Waiting { bytes },
        };
        self.ids.insert(id, key);
        self.slots.insert(key, slot);
        let request = Request::new(method, params, meta, None);
        match room {
            true => self.run(key, bytes, request),
            false => self.waiting.push_back((key, request)),
        }
        Ok(())
    }

    /// Claims the id of a subscription that is being opened.
    pub(super) fn occupy(&mut self, incoming: IncomingRequest, version: Version) -> CallKey {
        let IncomingRequest { id, method, batch, .. } = incoming;
        let key = self.key();
        self.ids.insert(id.clone(), key);
        let kind = CallPhase::Subscription { acknowledged: false };
        self.slots.insert(key, CallSlot { id, method, version, batch, kind });
        key
    }

    /// Cancels the request `id`, which the client no longer wants. A request that is not open was answered already.
    pub(super) fn cancel(&mut self, id: &Id, reason: Option<&str>) {
        let Some(key) = self.ids.get(id).copied() else { return };
        tracing::debug!(%id, reason, "cancelled by the client");
        let Some(slot) = self.take(key) else { return };
        match slot.kind {
            CallPhase::Waiting { .. } => self.waiting.retain(|(waiting, _)| *waiting != key),
            CallPhase::Running { .. } => self.actions.push_back(Action::Abort(key)),
            CallPhase::Subscription { .. } => self.actions.push_back(Action::Unlisten(key)),
        }
        self.leave_batch(slot.batch);
        self.after_call();
    }

    /// Ends every request that still runs when a shutdown has waited long enough.
    pub(super) fn give_up_calls(&mut self) {
        let keys: Vec<CallKey> = self.slots.keys().copied().collect();
        self.waiting.clear();
        for key in keys {
            let Some(slot) = self.take(key) else { continue };
            self.actions.push_back(Action::Abort(key));
            let error = RpcError::new(
                ErrorCode::INTERNAL_ERROR,
                "The server shut down before this request was finished",
            );
            self.respond_error(&slot.id, error, slot.version, slot.batch);
        }
    }

    /// Deletes a request and withdraws its questions.
    pub(super) fn take(&mut self, key: CallKey) -> Option<CallSlot> {
        let slot = self.slots.remove(&key)?;
        self.ids.remove(&slot.id);
        if let CallPhase::Running { bytes, .. } = slot.kind {
            self.running -= 1;
            self.running_bytes -= bytes;
        }
        self.withdraw_asks(|asker| asker.call == key);
        Some(slot)
    }

    fn after_call(&mut self) {
        self.run_waiting();
        self.close_when_idle();
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.waiting.is_empty()
            && self.running < self.limits.requests_per_connection
            && (self.running == 0 || self.running_bytes + bytes <= self.limits.in_flight_bytes)
    }

    fn run_waiting(&mut self) {
        while let Some((key, request)) = self.waiting.pop_front() {
            let bytes = match self.slots.get(&key).map(|slot| &slot.kind) {
                Some(CallPhase::Waiting { bytes }) => *bytes,
                _ => continue,
            };
            let many = self.running >= self.limits.requests_per_connection;
            let much = self.running > 0 && self.running_bytes + bytes > self.limits.in_flight_bytes;
            if many || much {
                self.waiting.push_front((key, request));
                return;
            }
            self.run(key, bytes, request);
        }
    }

    fn run(&mut self, key: CallKey, bytes: usize, request: Request) {
        self.running += 1;
        self.running_bytes += bytes;
        let filter = NotificationFilter::new(&request.meta);
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.kind = CallPhase::Running { bytes, filter };
        }
        let live = !request.meta.version.is_modern();
        self.actions.push_back(Action::Call { key, request: Box::new(request), live });
    }

    /// Answers a request for which no call is needed.
    pub(super) fn respond(
        &mut self,
        incoming: IncomingRequest,
        result: ServerResult,
        version: Version,
        server: &Description,
    ) {
        let result = codec::encode_result(result, version, Some(&server.identity));
        let mut out = Vec::with_capacity(256);
        jsonrpc::write_result(&mut out, &incoming.id, result.as_bytes());
        self.respond_written(out.into(), incoming.batch);
    }

    pub(super) fn respond_error(
        &mut self,
        id: &Id,
        error: RpcError,
        version: Version,
        batch: Option<BatchKey>,
    ) {
        let mut out = Vec::with_capacity(256);
        jsonrpc::write_error(&mut out, Some(id), &error.for_version(version));
        self.respond_written(out.into(), batch);
    }

    /// Answers a frame that is no message. The schemas of 2025-11-25 and later leave out an id that is unknown. The earlier
    /// schemas have no error without an id, so their clients get JSON-RPC's `null`.
    pub(super) fn refuse(&mut self, refused: EnvelopeError, batch: Option<BatchKey>) {
        let version = self.session.as_ref().map_or(Version::LATEST, Session::version);
        let error = refused.error.for_version(version);
        let mut out = Vec::with_capacity(256);
        match refused.id {
            None if version >= Version::V2025_11_25 => jsonrpc::write_error_without_id(&mut out, &error),
            id => jsonrpc::write_error(&mut out, id.as_ref(), &error),
        }
        self.respond_written(out.into(), batch);
    }

    fn respond_written(&mut self, message: Bytes, batch: Option<BatchKey>) {
        match batch {
            None => self.send(message),
            Some(key) => {
                self.batches.gather(key, &message);
                self.leave_batch(batch);
            }
        }
    }

    pub(super) fn leave_batch(&mut self, batch: Option<BatchKey>) {
        if let Some(message) = batch.and_then(|key| self.batches.leave(key)) {
            self.send(message);
        }
    }
}

fn busy(most: usize) -> RpcError {
    RpcError::new(
        ErrorCode::INTERNAL_ERROR,
        format!("More than {most} requests wait on this connection already; send this one again later"),
    )
}
