//! The tasks beside a connection's own task: calls that wait, streams of changes, and questions to the
//! client. Each reports through the connection's one bounded channel.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loggia_wire::model::{InputRequest, ServerNotification, SubscriptionFilter};
use loggia_wire::{RawJson, RpcError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::changes::{Change, ChangeSubscription};
use crate::edge::client_requests::unanswerable;
use crate::edge::connection::{AskKey, CallKey};
use crate::edge::open_stream;
use crate::exchange::{CancelGuard, ClientPeer, Outbox};
use crate::future::BoxFuture;
use crate::future::poll_once;
use crate::service::{Outcome, Service};

/// A report of a task to its connection.
pub(super) enum TaskEvent {
    Notification(CallKey, ServerNotification),
    Finished(CallKey, Outcome),
    Ask {
        ask: AskKey,
        call: CallKey,
        request: Box<InputRequest>,
        reply: oneshot::Sender<Result<RawJson, RpcError>>,
    },
    ChangeSubscription(CallKey, Result<SubscriptionFilter, RpcError>),
    Change(CallKey, Change),
    ListenEnd(CallKey),
}

/// The channel from the tasks to their connection.
pub(super) struct TaskReports {
    pub(super) events: mpsc::Sender<TaskEvent>,
    /// Questions whose answers are no longer wanted. Each question comes here once at most, and their number is
    /// bounded.
    unasked: mpsc::UnboundedSender<AskKey>,
    asked: AtomicU64,
}

impl TaskReports {
    pub(super) fn new(
        capacity: usize,
    ) -> (Arc<TaskReports>, mpsc::Receiver<TaskEvent>, mpsc::UnboundedReceiver<AskKey>) {
        let (events, event_receiver) = mpsc::channel(capacity);
        let (unasked, unasked_receiver) = mpsc::unbounded_channel();
        (
            Arc::new(TaskReports { events, unasked, asked: AtomicU64::new(0) }),
            event_receiver,
            unasked_receiver,
        )
    }
}

/// A task that ends when this is dropped.
pub(super) struct CallTask {
    handle: AbortHandle,
    _guard: Option<CancelGuard>,
}

impl CallTask {
    pub(super) fn spawn(
        work: impl Future<Output = ()> + Send + 'static,
        guard: Option<CancelGuard>,
    ) -> CallTask {
        CallTask { handle: tokio::spawn(work).abort_handle(), _guard: guard }
    }
}

impl Drop for CallTask {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Runs a call to its end and reports its messages. A connection that is gone needs no report.
pub(super) async fn call(
    key: CallKey,
    mut call: Pin<Box<impl Future<Output = Outcome> + Send>>,
    outbox: Outbox,
    events: mpsc::Sender<TaskEvent>,
) {
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut call => break outcome,
            notification = outbox.next() => {
                let _ = events.send(TaskEvent::Notification(key, notification)).await;
            }
        }
    };
    while let Some(notification) = outbox.try_next() {
        let _ = events.send(TaskEvent::Notification(key, notification)).await;
    }
    let _ = events.send(TaskEvent::Finished(key, outcome)).await;
}

/// A stream of changes whose filter can be replaced.
pub(super) struct ListenTask {
    filters: mpsc::UnboundedSender<SubscriptionFilter>,
    _task: Option<CallTask>,
}

impl ListenTask {
    /// Opens a stream. If the service opens it without waiting, it is open when this function returns.
    pub(super) async fn open(
        key: CallKey,
        filter: SubscriptionFilter,
        service: Arc<dyn Service>,
        events: mpsc::Sender<TaskEvent>,
    ) -> ListenTask {
        let (filters, replaced) = mpsc::unbounded_channel();
        let mut work = Box::pin(stream(key, filter, replaced, service, events));
        let ended = poll_once(work.as_mut()).await.is_some();
        ListenTask { filters, _task: (!ended).then(|| CallTask::spawn(work, None)) }
    }

    /// Replaces the filter. Returns it as the error if the stream has ended.
    pub(super) fn refilter(&self, filter: SubscriptionFilter) -> Result<(), SubscriptionFilter> {
        self.filters.send(filter).map_err(|refused| refused.0)
    }
}

async fn stream(
    key: CallKey,
    filter: SubscriptionFilter,
    mut replaced: mpsc::UnboundedReceiver<SubscriptionFilter>,
    service: Arc<dyn Service>,
    events: mpsc::Sender<TaskEvent>,
) {
    let mut current: Option<ChangeSubscription> = None;
    let mut next = Some(filter);
    loop {
        if let Some(filter) = next.take() {
            let opened = open_stream(&*service, filter, None).await;
            let report = opened.as_ref().map(|opened| opened.accepted().clone()).map_err(Clone::clone);
            if let Ok(opened) = opened
                && let Some(old) = current.replace(opened)
            {
                // Changes that came before the new stream was open.
                while let Some(Some(change)) = poll_once(old.next()).await {
                    let _ = events.send(TaskEvent::Change(key, change)).await;
                }
            }
            let _ = events.send(TaskEvent::ChangeSubscription(key, report)).await;
        }
        tokio::select! {
            filter = replaced.recv() => match filter {
                Some(filter) => next = Some(filter),
                None => return,
            },
            change = next_change(current.as_ref()) => match change {
                Some(change) => drop(events.send(TaskEvent::Change(key, change)).await),
                None => return drop(events.send(TaskEvent::ListenEnd(key)).await),
            },
        }
    }
}

async fn next_change(listening: Option<&ChangeSubscription>) -> Option<Change> {
    match listening {
        Some(listening) => listening.next().await,
        None => std::future::pending().await,
    }
}

/// The client of one call, which can be asked while the call runs.
pub(super) struct DuplexPeer {
    pub(super) call: CallKey,
    pub(super) link: Arc<TaskReports>,
}

/// Withdraws a question when its call stops waiting.
struct PendingAsk<'a> {
    ask: AskKey,
    link: &'a TaskReports,
    answered: bool,
}

impl Drop for PendingAsk<'_> {
    fn drop(&mut self) {
        if !self.answered {
            // A connection that is gone has no questions.
            let _ = self.link.unasked.send(self.ask);
        }
    }
}

impl ClientPeer for DuplexPeer {
    fn ask(&self, request: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>> {
        Box::pin(async move {
            let ask = AskKey(self.link.asked.fetch_add(1, Ordering::Relaxed));
            let (reply, answer) = oneshot::channel();
            let question = TaskEvent::Ask { ask, call: self.call, request: Box::new(request), reply };
            self.link.events.send(question).await.map_err(|_| unanswerable())?;
            let mut waiting = PendingAsk { ask, link: &self.link, answered: false };
            let outcome = answer.await;
            waiting.answered = true;
            outcome.unwrap_or_else(|_| Err(unanswerable()))
        })
    }
}
