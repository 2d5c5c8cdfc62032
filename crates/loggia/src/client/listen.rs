//! Changes of a server, for as long as the subscription lives: over lost connections, restarted
//! children and changed revisions. Modern servers keep one long request open for it
//! (`subscriptions/listen`); legacy servers are told of each resource.

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

/// A stream of changes. It ends when the client does, or when it is dropped.
pub struct Subscription {
    listening: ChangeSubscription,
    accepted: watch::Receiver<Option<SubscriptionFilter>>,
    task: JoinHandle<()>,
}

impl Client {
    /// Opens a stream of the changes that `filter` names, and keeps it open: when the connection or the
    /// stream is lost, it is opened again, and everything subscribed to is reported as changed once, since
    /// it is unknown what was missed.
    ///
    /// Fails if the server refuses the first time.
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
    /// Returns the next change; `None` when there will be none. What changes several times before it is taken is
    /// reported once.
    pub async fn next(&mut self) -> Option<Change> {
        tokio::select! {
            biased;
            change = self.listening.next() => change,
            // The keeper holds the sender: its end is the end of the stream.
            _ = ended(&mut self.accepted) => None,
        }
    }

    /// Returns the part of the filter that the server honours.
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
    /// Resources that this subscription holds on a legacy server.
    held: BTreeSet<String>,
    backoff: Backoff,
}

/// Why a stream is no longer open.
enum SubscriptionEnd {
    /// Try again.
    Lost,
    /// It is of no use to try again.
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

    /// The stream is open, with this filter.
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

    /// Returns one `subscriptions/listen` request from its beginning to its end.
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

    /// Returns the meaning of the end of the request.
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
            // The first time the reason matters to the caller; later the server may only be restarting.
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

    /// Subscribes to each resource; lists are announced without being asked for. Lasts as long as this
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
        // An error means that the client's task is gone, which the next round finds out.
        let _ =
            status.wait_for(|status| !matches!(status, Status::Ready(now) if Arc::ptr_eq(now, server))).await;
        SubscriptionEnd::Lost
    }

    async fn hold(&mut self, uri: &str) -> Result<()> {
        // Counted before asking: a task that is aborted meanwhile must not leave the resource behind.
        if self.held.insert(uri.to_owned()) {
            *self.client.common().wanted().entry(uri.to_owned()).or_default() += 1;
        }
        self.client.subscribe(Method::Subscribe, uri).await
    }

    /// Lets go of the resources held; those that no other subscription wants are given back.
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
        // Outside a runtime everything ends, subscriptions with it.
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

/// Returns the part of `filter` that a legacy server with these capabilities honours.
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

/// Everything a filter names, as changes.
fn changes_in(filter: &SubscriptionFilter) -> impl Iterator<Item = Change> {
    let lists = [
        (filter.tools_list_changed, Change::Tools),
        (filter.prompts_list_changed, Change::Prompts),
        (filter.resources_list_changed, Change::Resources),
    ];
    let resources = filter.resource_subscriptions.clone().into_iter().flatten().map(Change::Resource);
    lists.into_iter().filter(|(wanted, _)| *wanted == Some(true)).map(|(_, change)| change).chain(resources)
}
