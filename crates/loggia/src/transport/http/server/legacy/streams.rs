//! The event streams of a legacy session, on their connections. A POST's calls run inside its response
//! while the connection lasts, so a client that does not read slows its own calls down; when the connection
//! goes, they go on by themselves and their stream waits to be taken up again.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use loggia_wire::Version;
use tokio::sync::Notify;

use super::calls::{CallPlan, LegacyCall};
use super::event_log::{AnswerShape, Carrier, CarrierStep, LARGE, STANDALONE};
use super::session_state::{PostPeer, SessionState};
use crate::edge::listen;
use crate::transport::http::Body;
use crate::transport::http::server::headers::AcceptedTypes;
use crate::transport::http::server::respond::{self, keep_alive};
use crate::transport::http::server::state::EndpointState;
use crate::transport::http::server::unfold::unfold;
use crate::transport::sse;

/// Time that a client waits before it asks for the rest of a stream.
const RETRY: Duration = Duration::from_secs(1);

/// Answers a POST of one request, which has to run.
pub(super) async fn answer(
    endpoint: &Arc<EndpointState>,
    session: &Arc<SessionState>,
    call: LegacyCall,
    accepted: AcceptedTypes,
) -> Response<Body> {
    let peer = Arc::new(PostPeer::new(endpoint, session));
    match call.begin(peer.clone()).at_once().await {
        Ok(response) => respond::json(StatusCode::OK, response),
        Err(running) => carried(&peer, vec![running.carry()], false, accepted).await,
    }
}

/// Answers the requests of a batch.
pub(super) async fn answer_all(
    endpoint: &Arc<EndpointState>,
    session: &Arc<SessionState>,
    plans: Vec<CallPlan>,
    accepted: AcceptedTypes,
) -> Response<Body> {
    let peer = Arc::new(PostPeer::new(endpoint, session));
    let stream = peer.carrier().stream;
    let mut calls = Vec::new();
    for plan in plans {
        match plan {
            CallPlan::Run(call) => calls.push(call.begin(peer.clone()).carry()),
            CallPlan::Answered(response) => session.push(stream, response, true),
            CallPlan::Busy(id, why) => session.push(stream, respond::busy_message(&id, &why), true),
        }
    }
    carried(&peer, calls, true, accepted).await
}

async fn carried(
    peer: &PostPeer,
    calls: Vec<CallFuture>,
    batch: bool,
    accepted: AcceptedTypes,
) -> Response<Body> {
    let (endpoint, session, carrier) = (&peer.endpoint, &peer.session, peer.carrier());
    let work = CallSet::new(calls, session, carrier.stream);
    // Apart: few calls come here, and every request would have room for this.
    Box::pin(StreamSender::new(endpoint, session, carrier, work, accepted).answer(batch)).await
}

/// Answers a GET that takes up a stream.
pub(super) fn taken_up(
    endpoint: &Arc<EndpointState>,
    session: &Arc<SessionState>,
    carrier: Carrier,
) -> Response<Body> {
    let sending = StreamSender::new(endpoint, session, carrier, CallSet(None), AcceptedTypes::Both);
    respond::detached_event_stream(sending.into_events())
}

/// A connection that carries a stream.
struct StreamSender {
    endpoint: Arc<EndpointState>,
    hold: CarrierGuard,
    work: CallSet,
    primed: bool,
    accepted: AcceptedTypes,
}

/// Keeps the stream carried by this connection, until it is dropped.
struct CarrierGuard {
    session: Arc<SessionState>,
    carrier: Carrier,
}

impl Drop for CarrierGuard {
    fn drop(&mut self) {
        self.session.state().log.leave(self.carrier);
        self.session.touch();
    }
}

impl StreamSender {
    fn new(
        endpoint: &Arc<EndpointState>,
        session: &Arc<SessionState>,
        carrier: Carrier,
        work: CallSet,
        accepted: AcceptedTypes,
    ) -> StreamSender {
        let hold = CarrierGuard { session: session.clone(), carrier };
        StreamSender { endpoint: endpoint.clone(), hold, work, primed: false, accepted }
    }

    /// The response to a POST: JSON if nothing but answers comes, and soon.
    async fn answer(mut self, batch: bool) -> Response<Body> {
        let silence = tokio::time::sleep(self.endpoint.limits.keep_alive);
        tokio::pin!(silence);
        loop {
            let shape = self.hold.session.state().log.shape(self.hold.carrier.stream);
            let ready = match shape {
                AnswerShape::Answers(answers) => return self.answered(&answers, batch),
                AnswerShape::Stream => return self.into_stream(),
                AnswerShape::Wait(ready) => ready,
            };
            tokio::select! {
                biased;
                () = self.work.done() => {}
                () = ready.notified() => {}
                () = &mut silence => return self.into_stream(),
            }
        }
    }

    fn answered(&self, answers: &[Bytes], batch: bool) -> Response<Body> {
        self.hold.session.state().log.remove(self.hold.carrier.stream);
        match answers {
            // Everything was cancelled: the client waits for nothing any more.
            [] => respond::whole_event_stream(Vec::new()),
            [answer] if !batch => respond::json(StatusCode::OK, answer.clone()),
            answers => {
                let all = [b"[".as_slice(), &answers.join(&b","[..]), b"]"].concat();
                respond::json(StatusCode::OK, respond::guarded(all, Some(answers.to_vec())))
            }
        }
    }

    fn into_stream(self) -> Response<Body> {
        respond::event_stream(self.into_events())
    }

    fn into_events(self) -> impl futures_core::Stream<Item = Bytes> + Send {
        unfold(Some(self), |sending| async move {
            let mut sending = sending?;
            match sending.next().await {
                StreamStep::Send(events) => Some((events, Some(sending))),
                StreamStep::Last(events) => Some((events, None)),
                StreamStep::End => None,
            }
        })
    }

    async fn next(&mut self) -> StreamStep {
        if let Some(event) = self.prime() {
            return StreamStep::Send(event);
        }
        loop {
            let next = self.hold.session.state().log.next(self.hold.carrier);
            let ready = match next {
                CarrierStep::Send(id, message) => return StreamStep::Send(event(&id.to_string(), message)),
                CarrierStep::End => return StreamStep::End,
                CarrierStep::Release if self.polls() => return StreamStep::Last(retry()),
                CarrierStep::Release => continue,
                CarrierStep::Wait(ready) => ready,
            };
            if let Some(step) = self.wait(&ready).await {
                return step;
            }
        }
    }

    /// Waits until there may be something to send.
    async fn wait(&mut self, ready: &Notify) -> Option<StreamStep> {
        let standalone = self.hold.carrier.stream == STANDALONE;
        let session = &self.hold.session;
        tokio::select! {
            biased;
            () = self.work.done() => None,
            () = ready.notified() => None,
            () = session.ended(), if standalone => Some(StreamStep::End),
            () = self.endpoint.shutdown.begun(), if standalone => Some(StreamStep::End),
            change = session.watch.next(), if standalone => match change {
                Some(change) => {
                    session.push(STANDALONE, listen::changed(change, None, session.version()), false);
                    None
                }
                None => Some(StreamStep::End),
            },
            comment = keep_alive(self.endpoint.limits.keep_alive) => Some(StreamStep::Send(comment)),
        }
    }

    /// The first event: an id to come back with. Older revisions have clients that take every event for a
    /// message.
    fn prime(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.primed, true) || !self.polls() {
            return None;
        }
        let id = self.hold.session.state().log.prime(self.hold.carrier)?;
        let mut out = Vec::with_capacity(48);
        sse::write_retry(&mut out, RETRY);
        sse::write_event(&mut out, None, Some(&id.to_string()), b"");
        Some(out.into())
    }

    /// Returns whether the client opens the stream again when the connection closes before the stream ended. A client
    /// that reads JSON alone cannot.
    fn polls(&self) -> bool {
        self.accepted == AcceptedTypes::Both && self.hold.session.version() >= Version::V2025_11_25
    }
}

enum StreamStep {
    Send(Bytes),
    Last(Bytes),
    End,
}

/// An event, which keeps the guard of its message as the message does.
fn event(id: &str, message: Bytes) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + id.len() + 16);
    sse::write_event(&mut out, None, Some(id), &message);
    respond::guarded(out, (message.len() >= LARGE).then_some(message))
}

fn retry() -> Bytes {
    let mut out = Vec::with_capacity(16);
    sse::write_retry(&mut out, RETRY);
    out.into()
}

/// The calls of a POST. They run in the response while it is read, and go on in a task when the connection
/// is gone.
struct CallSet(Option<CallFuture>);

type CallFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs all of them to their ends, side by side.
async fn join(mut running: Vec<CallFuture>) {
    poll_fn(|cx| {
        running.retain_mut(|one| one.as_mut().poll(cx).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await
}

impl CallSet {
    fn new(calls: Vec<CallFuture>, session: &Arc<SessionState>, stream: u64) -> CallSet {
        let session = session.clone();
        CallSet(Some(Box::pin(async move {
            join(calls).await;
            session.state().log.finish(stream);
        })))
    }

    /// Runs the calls to their end; afterwards waits for ever.
    async fn done(&mut self) {
        match &mut self.0 {
            Some(work) => {
                work.as_mut().await;
                self.0 = None;
            }
            None => std::future::pending().await,
        }
    }
}

impl Drop for CallSet {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}
