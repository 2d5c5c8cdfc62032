//! The changes that a legacy session is told of: one stream of the service's, opened anew when the session's
//! subscriptions change. It is kept while no connection carries it, so that a client that comes back finds
//! what changed meanwhile: one entry for each thing, however often it changed.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use loggia_wire::RpcError;
use loggia_wire::model::SubscriptionFilter;
use std::collections::BTreeSet;
use tokio::sync::Notify;

use crate::changes::{Change, ChangeSubscription};
use crate::edge::open_stream;
use crate::service::{Principal, Service};

/// Returns the output of `future` if it is ready.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A session's view of the service's changes.
#[derive(Default)]
pub(super) struct ChangeWatch {
    /// Held while a stream is opened: one at a time, in the order they were asked for.
    opening: tokio::sync::Mutex<()>,
    state: Mutex<WatchState>,
    reopened: Notify,
}

#[derive(Default)]
struct WatchState {
    filter: SubscriptionFilter,
    listening: Option<Arc<ChangeSubscription>>,
    /// Left over from the streams before this one.
    carried: BTreeSet<Change>,
}

impl ChangeWatch {
    /// Listens to what `filter` names from now on, unless it does already. Returns what the service agreed
    /// to.
    pub(super) async fn follow(
        &self,
        service: &dyn Service,
        filter: impl Fn() -> SubscriptionFilter,
        principal: Option<Arc<Principal>>,
    ) -> Result<SubscriptionFilter, RpcError> {
        let _turn = self.opening.lock().await;
        let filter = filter();
        if let Some(listening) = self.listening_to(&filter) {
            return Ok(listening.accepted().clone());
        }
        if filter == SubscriptionFilter::default() {
            self.replace(filter.clone(), None);
            return Ok(filter);
        }
        let listening = Arc::new(open_stream(service, filter.clone(), principal).await?);
        self.replace(filter, Some(listening.clone()));
        Ok(listening.accepted().clone())
    }

    /// Waits for the next change; `None` when the service ended the stream.
    pub(super) async fn next(&self) -> Option<Change> {
        loop {
            let listening = {
                let mut state = self.state();
                if let Some(change) = state.carried.pop_first() {
                    return Some(change);
                }
                state.listening.clone()
            };
            let next = async {
                match &listening {
                    Some(listening) => listening.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                change = next => return change,
                () = self.reopened.notified() => {}
            }
        }
    }

    fn listening_to(&self, filter: &SubscriptionFilter) -> Option<Arc<ChangeSubscription>> {
        let state = self.state();
        state.listening.clone().filter(|_| state.filter == *filter)
    }

    fn replace(&self, filter: SubscriptionFilter, listening: Option<Arc<ChangeSubscription>>) {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.listening, listening);
        while let Some(Some(Some(change))) = before.as_ref().map(|before| now(before.next())) {
            state.carried.insert(change);
        }
        let uris = filter.resource_subscriptions.as_deref().unwrap_or_default();
        state.carried.retain(|change| !matches!(change, Change::Resource(uri) if !uris.contains(uri)));
        state.filter = filter;
        self.reopened.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
