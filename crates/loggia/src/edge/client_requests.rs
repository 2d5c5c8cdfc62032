//! The questions a server has open with one legacy client: numbered, counted, timed, and withdrawn when
//! their answers are no longer wanted. A value without I/O and without a clock; times are handed in.

use std::time::{Duration, Instant};

use bytes::Bytes;
use loggia_wire::jsonrpc::{self, Id};
use loggia_wire::model::{CancelledParams, InputRequest};
use loggia_wire::{ErrorCode, Method, RawJson, RequestMeta, RpcError, codec};
use std::collections::BTreeMap;

use super::capability;
use crate::limits::Limits;

/// The open questions of one connection or session. `K` is the owner's name for the call that waits.
#[derive(Debug)]
pub(crate) struct PendingClientRequests<K> {
    next: i64,
    open: BTreeMap<i64, PendingClientRequest<K>>,
    most: usize,
    timeout: Duration,
}

#[derive(Debug)]
struct PendingClientRequest<K> {
    waiting: K,
    deadline: Instant,
}

impl<K> PendingClientRequests<K> {
    /// No questions yet.
    pub(crate) fn new(limits: &Limits) -> PendingClientRequests<K> {
        PendingClientRequests {
            next: 1,
            open: BTreeMap::new(),
            most: limits.asks,
            timeout: limits.ask_timeout,
        }
    }

    /// Numbers the questions from `first` on, for a client that other processes ask as well.
    #[cfg(feature = "http-server")]
    pub(crate) fn starting_at(mut self, first: i64) -> PendingClientRequests<K> {
        self.next = first;
        self
    }

    /// Opens a question for `waiting`: the message to send. Refused where the client's revision or its
    /// capabilities lack the method, or where too many questions are open.
    pub(crate) fn open(
        &mut self,
        waiting: K,
        request: InputRequest,
        client: &RequestMeta,
        now: Instant,
    ) -> Result<Bytes, RpcError> {
        capability::check(&request, client.version, &client.client_capabilities)?;
        let (method, params) = codec::encode_input_request(request, client.version)
            .expect("a client that passed the check has the method");
        if self.open.len() >= self.most {
            let most = self.most;
            return Err(RpcError::new(
                ErrorCode::INTERNAL_ERROR,
                format!("{most} questions wait for this client already; ask again when it has answered"),
            ));
        }
        let number = self.next;
        self.next += 1;
        self.open.insert(number, PendingClientRequest { waiting, deadline: now + self.timeout });
        let mut out = Vec::with_capacity(256);
        jsonrpc::write_request(&mut out, &Id::Number(number), &method, Some(params.as_bytes()));
        Ok(out.into())
    }

    /// Call it for every response of the client: who waited for it. `None` for a question that is not open:
    /// the answer came late, or was never asked for.
    pub(crate) fn handle_response(&mut self, id: &Id) -> Option<K> {
        let Id::Number(number) = id else { return None };
        self.open.remove(number).map(|open| open.waiting)
    }

    /// Withdraws every question that `unwanted` selects: the notifications to send.
    pub(crate) fn withdraw(&mut self, unwanted: impl Fn(&K) -> bool) -> Vec<Bytes> {
        let gone = self.take(|open| unwanted(&open.waiting));
        gone.into_iter().map(|(number, _)| withdrawn(number, "The answer is no longer needed")).collect()
    }

    /// Withdraws the questions whose time is over: who waited, and the notification to send.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<(K, Bytes)> {
        let late = self.take(|open| open.deadline <= now);
        let notice = |number| withdrawn(number, "No answer in time");
        late.into_iter().map(|(number, open)| (open.waiting, notice(number))).collect()
    }

    fn take(
        &mut self,
        selected: impl Fn(&PendingClientRequest<K>) -> bool,
    ) -> Vec<(i64, PendingClientRequest<K>)> {
        let numbers: Vec<i64> =
            self.open.iter().filter(|(_, open)| selected(open)).map(|(n, _)| *n).collect();
        numbers.into_iter().filter_map(|number| Some((number, self.open.remove(&number)?))).collect()
    }

    /// When to call [`handle_timeout`](PendingClientRequests::handle_timeout).
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.open.values().map(|open| open.deadline).min()
    }

    /// Forgets every question, for a client that can answer no more: who waited.
    pub(crate) fn abandon(&mut self) -> Vec<K> {
        std::mem::take(&mut self.open).into_values().map(|open| open.waiting).collect()
    }

    /// Returns whether any question is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// Returns the error for a call whose question was not answered in time.
pub(crate) fn timed_out(after: Duration) -> RpcError {
    RpcError::new(
        ErrorCode::INTERNAL_ERROR,
        format!("The client did not answer the question within {} s", after.as_secs()),
    )
}

/// Returns the error for a call whose client is gone.
pub(crate) fn unanswerable() -> RpcError {
    RpcError::new(
        ErrorCode::INTERNAL_ERROR,
        "The client closed the connection before it answered the question",
    )
}

fn withdrawn(number: i64, reason: &str) -> Bytes {
    cancelled(&Id::Number(number), reason)
}

/// `notifications/cancelled` for `id`.
pub(crate) fn cancelled(id: &Id, reason: &str) -> Bytes {
    let params = CancelledParams::new(id.clone(), Some(reason.to_owned()));
    let params = RawJson::of(&params);
    let mut out = Vec::with_capacity(128);
    jsonrpc::write_notification(&mut out, &Method::Cancelled, Some(params.as_bytes()));
    out.into()
}
