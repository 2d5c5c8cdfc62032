//! Subscriptions to the changes of a server. They continue over lost connections, restarted children and changed
//! revisions. A modern server gets one long request (`subscriptions/listen`); a legacy server gets a request for each
//! resource.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use loggia_wire::model::{ListenParams, ServerCapabilities, ServerNotification, SubscriptionFilter};
use loggia_wire::{ErrorCode, Method, RawJson};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::changes::{Change, ChangeSubscription};
use crate::client::backoff::Backoff;
use crate::client::driver::Status;
use crate::client::negotiate::ServerFacts;
use crate::client::{Client, RequestOptions};
use crate::error::{Error, Result};

/// A stream of changes. It ends when the client ends, or when it is dropped.
pub struct Subscription {
    listening: ChangeSubscription,
    accepted: watch::Receiver<Option<SubscriptionFilter>>,
    task: JoinHandle<()>,
}

impl Client {
    /// Opens a stream of the changes in `filter` and keeps it open. If the connection or the stream is lost, it is
    /// opened again, and everything in the filter is reported as changed once, because changes may have been missed.
    ///
    /// Fails if the server refuses the first request.
    pub async fn listen(&self, filter: SubscriptionFilter) -> Result<Subscription> {
        let listening = self.changes().listen(filter.clone());
        let (accepted_sender, accepted) = watch::channel(None);
        let (first, opened) = oneshot::channel();
        let keeper = SubscriptionTask {
            client: self.clone(),
            filter,
            accepted: accepted_sender,
            first: Some(first),
            held: BTreeSet::new(),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(60)),
        };
        let task = tokio::spawn(keeper.run());
        let subscription = Subscription { listening, accepted, task };
        opened.await.unwrap_or_else(|_| Err(self.gone()))?;
        Ok(subscription)
    }
}

impl Subscription {
    /// Returns the next change; `None` if there will be none. Several changes of one thing that were not taken are
    /// reported once.
    pub async fn next(&mut self) -> Option<Change> {
        tokio::select! {
            biased;
            change = self.listening.next() => change,
            // The task owns the sender, so its end is the end of the stream.
            _ = ended(&mut self.accepted) => None,
        }
    }

    /// Returns the part of the filter that the server supports.
    pub fn accepted(&self) -> SubscriptionFilter {
        self.accepted.borrow().clone().unwrap_or_default()
    }
}

async fn ended(accepted: &mut watch::Receiver<Option<SubscriptionFilter>>) {
    while accepted.changed().await.is_ok() {}
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps one subscription open.
struct SubscriptionTask {
    client: Client,
    filter: SubscriptionFilter,
    accepted: watch::Sender<Option<SubscriptionFilter>>,
    first: Option<oneshot::Sender<Result<()>>>,
    /// The resources that this subscription uses on a legacy server.
    held: BTreeSet<String>,
    backoff: Backoff,
}

/// The reason why a stream is no longer open.
enum SubscriptionEnd {
    /// Try again.
    Lost,
    /// Do not try again.
    For(Error),
}

impl SubscriptionTask {
    async fn run(mut self) {
        loop {
            let ended = match self.client.server().await {
                Ok(server) if server.version.is_modern() => self.modern().await,
                Ok(server) => self.legacy(&server).await,
                Err(error) => SubscriptionEnd::For(error),
            };
            match (ended, self.first.take()) {
                (SubscriptionEnd::For(error), Some(first)) => {
                    let _ = first.send(Err(error));
                    return;
                }
                (SubscriptionEnd::For(error), None) => {
                    tracing::warn!(%error, "a subscription ended and is not renewed");
                    return;
                }
                (SubscriptionEnd::Lost, Some(first)) => {
                    let _ =
                        first.send(Err(Error::Connection("the subscription could not be opened".to_owned())));
                    return;
                }
                (SubscriptionEnd::Lost, None) => {
                    let wait = self.backoff.next((self.client.common().options.jitter)());
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Records that the stream is open with this filter.
    fn opened(&mut self, accepted: SubscriptionFilter) {
        let missed = self.first.is_none();
        if missed {
            changes_in(&accepted).for_each(|change| self.client.common().changed(change));
        }
        self.accepted.send_replace(Some(accepted));
        if let Some(first) = self.first.take() {
            let _ = first.send(Ok(()));
        }
    }

    /// Runs one `subscriptions/listen` request from its beginning to its end.
    async fn modern(&mut self) -> SubscriptionEnd {
        let params = ListenParams { notifications: self.filter.clone(), ..ListenParams::default() };
        let params = RawJson::of(&params);
        let (acknowledge, acknowledged) = oneshot::channel();
        let acknowledge = Mutex::new(Some(acknowledge));
        let options = RequestOptions {
            no_timeout: true,
            on_notification: Some(Arc::new(move |notification| {
                if let ServerNotification::SubscriptionsAcknowledged(params) = notification
                    && let Some(tell) = acknowledge.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    let _ = tell.send(params.notifications);
                }
            })),
            ..RequestOptions::default()
        };
        let client = self.client.clone();
        let limit = client.common().options.timeout;
        let request = client.request(Method::Listen, params, options);
        tokio::pin!(request);
        let accepted = tokio::select! {
            accepted = timeout(limit, acknowledged) => match accepted {
                Ok(Ok(accepted)) => accepted,
                _ => return SubscriptionEnd::Lost,
            },
            outcome = &mut request => return self.over(outcome.map(drop)),
        };
        self.opened(accepted);
        let opened = tokio::time::Instant::now();
        let outcome = request.await;
        if opened.elapsed() > Duration::from_secs(60) {
            self.backoff.reset();
        }
        self.over(outcome.map(drop))
    }

    /// Returns how to continue after the end of the request.
    fn over(&self, outcome: Result<()>) -> SubscriptionEnd {
        match outcome {
            Err(error @ (Error::Unauthorized(_) | Error::Configuration(_) | Error::Protocol(_))) => {
                SubscriptionEnd::For(error)
            }
            Err(Error::Rpc(error))
                if matches!(error.code, ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_PARAMS) =>
            {
                SubscriptionEnd::For(Error::Rpc(error))
            }
            // The first refusal is an error for the caller. Later the server may only be restarting.
            Err(error) if self.first.is_some() => SubscriptionEnd::For(error),
            Err(error) => {
                tracing::debug!(%error, "a subscription was lost");
                SubscriptionEnd::Lost
            }
            Ok(()) => {
                tracing::debug!("the server ended a subscription");
                SubscriptionEnd::Lost
            }
        }
    }

    /// Subscribes to each resource; changes of lists are announced without a request. Runs as long as this
    /// connection.
    async fn legacy(&mut self, server: &Arc<ServerFacts>) -> SubscriptionEnd {
        let accepted = supported(&self.filter, &server.capabilities);
        for uri in accepted.resource_subscriptions.iter().flatten() {
            if let Err(error) = self.hold(uri).await {
                return self.over(Err(error));
            }
        }
        self.opened(accepted);
        let mut status = self.client.0.status.clone();
        // An error means that the client's task has ended, which the next round finds out.
        let _ =
            status.wait_for(|status| !matches!(status, Status::Ready(now) if Arc::ptr_eq(now, server))).await;
        SubscriptionEnd::Lost
    }

    async fn hold(&mut self, uri: &str) -> Result<()> {
        // The resource is counted before the request, so that an aborted task does not leave a subscription behind.
        if self.held.insert(uri.to_owned()) {
            *self.client.common().wanted().entry(uri.to_owned()).or_default() += 1;
        }
        self.client.subscribe(Method::Subscribe, uri).await
    }

    /// Releases the resources. Those that no other subscription uses are unsubscribed.
    fn release(&mut self) {
        for uri in std::mem::take(&mut self.held) {
            let mut wanted = self.client.common().wanted();
            let Some(count) = wanted.get_mut(&uri) else { continue };
            *count -= 1;
            if *count == 0 {
                wanted.remove(&uri);
                drop(wanted);
                self.give_back(uri);
            }
        }
    }

    fn give_back(&self, uri: String) {
        if !matches!(self.client.status(), Status::Ready(_)) {
            return;
        }
        // Outside a runtime, all subscriptions have ended.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let client = self.client.clone();
            runtime.spawn(async move {
                if let Err(error) = client.subscribe(Method::Unsubscribe, &uri).await {
                    tracing::debug!(%error, uri, "could not unsubscribe");
                }
            });
        }
    }
}

impl Drop for SubscriptionTask {
    fn drop(&mut self) {
        self.release();
    }
}

/// Returns the part of `filter` that a legacy server with these capabilities supports.
fn supported(filter: &SubscriptionFilter, capabilities: &ServerCapabilities) -> SubscriptionFilter {
    let lists = |wanted: Option<bool>, announced: Option<bool>| {
        (wanted == Some(true) && announced == Some(true)).then_some(true)
    };
    let resources = capabilities.resources.as_ref();
    SubscriptionFilter {
        tools_list_changed: lists(
            filter.tools_list_changed,
            capabilities.tools.as_ref().and_then(|c| c.list_changed),
        ),
        prompts_list_changed: lists(
            filter.prompts_list_changed,
            capabilities.prompts.as_ref().and_then(|c| c.list_changed),
        ),
        resources_list_changed: lists(filter.resources_list_changed, resources.and_then(|c| c.list_changed)),
        resource_subscriptions: filter
            .resource_subscriptions
            .clone()
            .filter(|_| resources.and_then(|c| c.subscribe) == Some(true)),
        ..SubscriptionFilter::default()
    }
}

/// Returns everything in a filter as changes.
fn changes_in(filter: &SubscriptionFilter) -> impl Iterator<Item = Change> {
    let lists = [
        (filter.tools_list_changed, Change::Tools),
        (filter.prompts_list_changed, Change::Prompts),
        (filter.resources_list_changed, Change::Resources),
    ];
    let resources = filter.resource_subscriptions.clone().into_iter().flatten().map(Change::Resource);
    lists.into_iter().filter(|(wanted, _)| *wanted == Some(true)).map(|(_, change)| change).chain(resources)
}
