//! One running call of the service, as both eras run it: the request, the channel to its client, and the text of what
//! is sent. The eras differ only in the places that they send these texts to.
//!
//! Invariant: the call keeps its admission until it is dropped, and dropping it cancels the request.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use loggia_wire::jsonrpc::Id;
use loggia_wire::model::LoggingLevel;
use loggia_wire::{Method, Params, RequestMeta};

use super::state::EndpointState;
use crate::edge::notification_filter::NotificationFilter;
use crate::edge::run_request;
use crate::exchange::{CancelGuard, ClientPeer, Exchange, Outbox};
use crate::service::{Description, Outcome, Principal, Reply, Request, ResultGuard, encode_outcome};
use crate::transport::http::body::Admission;

/// A request that an era has checked and that is to run.
pub(super) struct CallRequest {
    pub(super) id: Id,
    pub(super) method: Method,
    pub(super) params: Option<Params>,
    pub(super) meta: Arc<RequestMeta>,
    pub(super) principal: Option<Arc<Principal>>,
    pub(super) permit: Admission,
}

/// A call that runs.
pub(super) struct EndpointCall {
    id: Id,
    method: Method,
    version: loggia_wire::Version,
    server: Arc<Description>,
    filter: NotificationFilter,
    outcome: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    outbox: Outbox,
    permit: Admission,
    /// Tells work outside the call's future that the call is over.
    _guard: CancelGuard,
}

/// An event of a running call.
pub(super) enum CallEvent {
    /// Notifications wait to be sent; see [`EndpointCall::next_message`].
    Notified,
    /// The handler lets the client disconnect until there is a result.
    Released,
    /// The call is over.
    Finished(Outcome),
}

/// The last messages of a call.
pub(super) struct FinalMessages {
    /// The notifications that come before the response.
    pub(super) notifications: Vec<Bytes>,
    pub(super) response: Vec<u8>,
    /// To be dropped when the response was sent.
    pub(super) guard: Option<ResultGuard>,
}

impl EndpointCall {
    /// Starts a call, which runs while it is polled. `client`: the client, if it can be asked while the call runs.
    pub(super) fn start(
        endpoint: &Arc<EndpointState>,
        request: CallRequest,
        server: Arc<Description>,
        client: Option<Arc<dyn ClientPeer>>,
    ) -> EndpointCall {
        let CallRequest { id, method, params, meta, principal, permit } = request;
        let (exchange, outbox, guard) = Exchange::new(client);
        let (version, filter) = (meta.version, NotificationFilter::new(&meta));
        let request = Request::new(method.clone(), params, meta, principal);
        let owner = endpoint.clone();
        let outcome =
            Box::pin(async move { run_request(&*owner.service, request, exchange, &owner.limits).await });
        EndpointCall { id, method, version, server, filter, outcome, outbox, permit, _guard: guard }
    }

    /// Runs the call as far as it gets without waiting. Returns its outcome if it is over: most calls are.
    pub(super) async fn outcome_at_once(&mut self) -> Option<Outcome> {
        match poll_fn(|cx| Poll::Ready(self.outcome.as_mut().poll(cx))).await {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// Runs the call until something happens. It must not be called again after [`CallEvent::Finished`].
    pub(super) async fn next_event(&mut self) -> CallEvent {
        tokio::select! {
            biased;
            outcome = &mut self.outcome => CallEvent::Finished(outcome),
            () = self.outbox.ready() => CallEvent::Notified,
            () = self.outbox.released() => CallEvent::Released,
        }
    }

    /// Returns the next notification that the client asked for, if one waits.
    pub(super) fn next_message(&mut self) -> Option<Bytes> {
        while let Some(notification) = self.outbox.try_next() {
            if let Some(message) = self.filter.write(notification) {
                return Some(message);
            }
        }
        None
    }

    /// Returns whether no notification waits.
    pub(super) fn is_silent(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Sets the least level of the log messages that the client wants from now on.
    pub(super) fn set_log_level(&mut self, level: Option<LoggingLevel>) {
        self.filter.set_log_level(level);
    }

    /// Writes what is still to be sent once there is an outcome.
    pub(super) fn finish(&mut self, outcome: Outcome) -> FinalMessages {
        let guard = outcome.as_ref().ok().and_then(Reply::guard);
        let response = encode_outcome(&self.id, &self.method, outcome, self.version, &self.server.identity);
        FinalMessages { notifications: std::iter::from_fn(|| self.next_message()).collect(), response, guard }
    }

    /// Ends the call and returns its admission, which its response is to hold.
    pub(super) fn into_permit(self) -> Admission {
        self.permit
    }
}
