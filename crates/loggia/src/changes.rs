//! The bus for changes of a server's lists and resources. A holder of [`Changes`] announces changes; each open
//! subscription gets those that it asked for.
//!
//! A subscription keeps the set of changed things, not a queue of events, so a client that does not read costs at
//! most one entry for each thing that it subscribed to.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use loggia_wire::model::SubscriptionFilter;
use std::collections::BTreeSet;
use tokio::sync::Notify;

/// A thing that changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources.
    Resources,
    /// The resource at this URI.
    Resource(String),
}

/// The announcing end. It is cheap to clone; all clones are the same bus.
#[derive(Clone, Default)]
pub struct Changes(Arc<Mutex<Vec<Weak<Subscriber>>>>);

/// The receiving end of one subscription.
pub struct ChangeSubscription {
    accepted: SubscriptionFilter,
    subscriber: Arc<Subscriber>,
    /// A value that is dropped with the subscription.
    _kept: Option<Box<dyn Send + Sync>>,
}

struct Subscriber {
    filter: SubscriptionFilter,
    state: Mutex<SubscriberState>,
    ready: Notify,
}

#[derive(Default)]
struct SubscriberState {
    dirty: BTreeSet<Change>,
    closed: bool,
}

impl Changes {
    /// Creates a bus without subscribers.
    pub fn new() -> Changes {
        Changes::default()
    }

    /// Announces that the list of tools changed.
    pub fn tools(&self) {
        self.announce(Change::Tools);
    }

    /// Announces that the list of prompts changed.
    pub fn prompts(&self) {
        self.announce(Change::Prompts);
    }

    /// Announces that the list of resources changed.
    pub fn resources(&self) {
        self.announce(Change::Resources);
    }

    /// Announces that the resource at `uri` changed.
    pub fn resource(&self, uri: impl Into<String>) {
        self.announce(Change::Resource(uri.into()));
    }

    /// Announces `change` to the subscriptions that asked for it.
    pub fn announce(&self, change: Change) {
        self.each(|subscriber| {
            if subscriber.wants(&change) {
                subscriber.state().dirty.insert(change.clone());
                subscriber.ready.notify_one();
            }
        });
    }

    /// Ends every subscription, gracefully.
    pub fn close(&self) {
        self.each(|subscriber| {
            subscriber.state().closed = true;
            subscriber.ready.notify_one();
        });
    }

    /// Opens a subscription to the changes in `accepted`.
    pub fn listen(&self, accepted: SubscriptionFilter) -> ChangeSubscription {
        let subscriber =
            Arc::new(Subscriber { filter: accepted.clone(), state: Mutex::default(), ready: Notify::new() });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|weak| weak.strong_count() > 0);
        all.push(Arc::downgrade(&subscriber));
        ChangeSubscription { accepted, subscriber, _kept: None }
    }

    fn each(&self, act: impl Fn(&Subscriber)) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(Weak::upgrade).for_each(|subscriber| act(&subscriber));
    }
}

impl Subscriber {
    fn wants(&self, change: &Change) -> bool {
        let on = |flag: Option<bool>| flag.unwrap_or(false);
        match change {
            Change::Tools => on(self.filter.tools_list_changed),
            Change::Prompts => on(self.filter.prompts_list_changed),
            Change::Resources => on(self.filter.resources_list_changed),
            Change::Resource(uri) => {
                self.filter.resource_subscriptions.iter().flatten().any(|wanted| wanted == uri)
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, SubscriberState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChangeSubscription {
    /// Returns the part of the request that the server supports.
    pub fn accepted(&self) -> &SubscriptionFilter {
        &self.accepted
    }

    /// Keeps `value` until the subscription ends. The service can release something in its `Drop`.
    pub fn with_guard(mut self, value: impl Send + Sync + 'static) -> ChangeSubscription {
        self._kept = Some(Box::new(value));
        self
    }

    /// Waits for the next change; `None` if the server ended the subscription.
    pub async fn next(&self) -> Option<Change> {
        loop {
            {
                let mut state = self.subscriber.state();
                if let Some(change) = state.dirty.pop_first() {
                    return Some(change);
                }
                if state.closed {
                    return None;
                }
            }
            self.subscriber.ready.notified().await;
        }
    }
}
