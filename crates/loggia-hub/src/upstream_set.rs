//! The upstreams of a hub: the current composition, its status, and its changes.
//!
//! Supervisors write it, and requests read it. A request loads one snapshot and takes no lock; the locks in this
//! module are held only while a snapshot is replaced.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use loggia::changes::{Change, ChangeSubscription, Changes};
use loggia::model::SubscriptionFilter;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::now;
use crate::composition::Composition;
use crate::connector_handle::{ConnectorHandle, SupervisorHint};
use crate::providers::ProviderList;
use crate::status::ConnectorStatus;
use crate::upstream_context::UpstreamContext;

/// The upstreams of a hub.
pub(crate) struct UpstreamSet {
    pub(crate) context: Arc<UpstreamContext>,
    composition: ArcSwap<Composition>,
    /// Held while the composition is replaced. Requests never take it.
    replacing: Mutex<()>,
    changes: Changes,
    status: watch::Sender<Arc<Vec<ConnectorStatus>>>,
    /// The time until which requests wait for connectors that were not tried yet.
    settles_at: Instant,
    settled: AtomicBool,
}

impl UpstreamSet {
    /// Creates a set without upstreams.
    pub(crate) fn new(context: UpstreamContext) -> UpstreamSet {
        let none = Arc::new(ProviderList::new(Vec::new()));
        let composition = Composition::new(none, &context.identity, &context.limits);
        UpstreamSet {
            composition: ArcSwap::from_pointee(composition),
            replacing: Mutex::new(()),
            changes: Changes::new(),
            status: watch::Sender::new(Arc::default()),
            settles_at: Instant::now() + context.limits.first_list_wait,
            settled: AtomicBool::new(false),
            context: Arc::new(context),
        }
    }

    /// Returns the current composition, for use without an await.
    pub(crate) fn composition(&self) -> Guard<Arc<Composition>> {
        self.composition.load()
    }

    /// Returns the current composition as a shared pointer.
    pub(crate) fn composition_full(&self) -> Arc<Composition> {
        self.composition.load_full()
    }

    /// Calls `find`. If it returns nothing, calls it again after the hub has settled.
    pub(crate) async fn find<T>(&self, find: impl Fn(&Composition) -> Option<T>) -> Option<T> {
        if let Some(found) = find(&self.composition()) {
            return Some(found);
        }
        self.settle().await;
        find(&self.composition())
    }

    /// Waits until the hub has tried to connect to every connector.
    pub(crate) async fn tried(&self) {
        let mut status = self.status.subscribe();
        // An error would mean that the hub is dropped.
        let _ = status.wait_for(|all| all.iter().all(|status| status.tried)).await;
    }

    /// Waits, for a short time after the start, for the connectors whose lists are unknown.
    pub(crate) async fn settle(&self) {
        if !self.settled.load(Ordering::Relaxed) {
            let mut status = self.status.subscribe();
            let known = status.wait_for(|all| all.iter().all(|status| status.tried || status.remembered));
            // A timeout is not an error.
            let _ = tokio::time::timeout_at(self.settles_at, known).await;
            self.settled.store(true, Ordering::Relaxed);
        }
    }

    /// Builds the routes from the current lists, and announces the lists that changed.
    pub(crate) fn rebuild(&self) {
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.swap(self.composition().providers.clone(), BTreeSet::new());
    }

    /// Replaces the providers. Announces the lists that changed, and those in `changes`.
    pub(crate) fn replace(&self, providers: Arc<ProviderList>, changes: BTreeSet<Change>) {
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        self.swap(providers, changes);
    }

    /// Replaces the composition. The lock must be held.
    fn swap(&self, providers: Arc<ProviderList>, mut changes: BTreeSet<Change>) {
        let next = Arc::new(Composition::new(providers, &self.context.identity, &self.context.limits));
        let before = self.composition.swap(next.clone());
        changes.extend(next.table.changes_since(&before.table));
        changes.into_iter().for_each(|change| self.changes.announce(change));
    }

    /// Returns the bus on which changes are announced.
    pub(crate) fn changes(&self) -> Changes {
        self.changes.clone()
    }

    /// Publishes the state of the connectors.
    pub(crate) fn publish(&self) {
        let all: Vec<ConnectorStatus> =
            self.composition().providers.iter().map(|provider| provider.status()).collect();
        self.status.send_if_modified(|shown| {
            let changed = **shown != all;
            if changed {
                *shown = Arc::new(all);
            }
            changed
        });
    }

    /// Returns the status of each connector.
    pub(crate) fn status(&self) -> Arc<Vec<ConnectorStatus>> {
        self.status.borrow().clone()
    }

    /// Returns a receiver of the status of each connector.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Vec<ConnectorStatus>>> {
        self.status.subscribe()
    }

    /// Announces that a resource of a connector changed, under the names that it has for clients.
    pub(crate) fn resource_changed(&self, handle: &ConnectorHandle, uri: &str) {
        let composition = self.composition();
        let Some(index) = composition.providers.position(handle) else { return };
        for name in composition.table.names_of(index, &composition.providers.at(index).prefix, uri) {
            self.changes.resource(name);
        }
    }

    /// Opens a subscription that owns `kept` until it ends.
    pub(crate) fn listen(
        &self,
        accepted: SubscriptionFilter,
        kept: impl Send + Sync + 'static,
    ) -> ChangeSubscription {
        self.changes.listen(accepted).with_guard(kept)
    }

    /// Ends every subscription.
    pub(crate) fn end_subscriptions(&self) {
        self.changes.close();
    }

    /// Requests that old lists are read again, if the upstream does not announce changes. The client gets the known
    /// lists, and is notified of a change.
    pub(crate) fn refresh_old_lists(&self) {
        for provider in self.composition().providers.iter() {
            let Some(listed) = provider.handle.listed() else { continue };
            let age = now().saturating_duration_since(listed.read_at);
            if age >= self.context.limits.refresh_after && !listed.lists.announces() {
                provider.handle.hint(SupervisorHint::Stale);
            }
        }
    }

    /// Keeps the lists of a connector for the next run.
    pub(crate) fn remember(&self, handle: &ConnectorHandle) {
        let (Some(listed), Some(fingerprint)) = (handle.listed(), handle.settings.remembered_as()) else {
            return;
        };
        if self.context.memory.keep(&handle.settings.name, fingerprint, &listed.lists) {
            self.context.memory_changed.notify_one();
        }
    }

    /// Writes the remembered lists to disk.
    pub(crate) async fn write_memory(self: &Arc<UpstreamSet>) {
        let set = self.clone();
        let write = move || {
            let composition = set.composition_full();
            let names: Vec<&str> =
                composition.providers.iter().map(|provider| provider.handle.settings.name.as_str()).collect();
            set.context.memory.write(&names, set.context.eras.entries())
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
            tracing::warn!(%error, "the lists cannot be kept for the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use loggia::client::ClientBuilder;
    use loggia::model::{Implementation, JsonObject, Prompt, Tool};
    use loggia::service::BoxFuture;

    use super::*;
    use crate::connector::{Connector, Opened};
    use crate::connector_handle::HandleStart;
    use crate::limits::HubLimits;
    use crate::memory::HubMemory;
    use crate::suspended_address::ReplicaId;
    use crate::transform::ComponentKind;
    use crate::upstream_lists::UpstreamLists;

    fn set() -> UpstreamSet {
        let identity = Implementation::new("hub", "0");
        let (limits, memory) = (HubLimits::default(), HubMemory::none());
        UpstreamSet::new(UpstreamContext::new(identity, limits, memory, ReplicaId::random()))
    }

    /// A connector of the set that is never opened.
    fn handle(set: &UpstreamSet, connector: &Connector) -> Arc<ConnectorHandle> {
        let slot = set.context.shares.slot();
        let start = HandleStart { own: None, slot, lists: None, wanted: Arc::default(), joined_later: false };
        ConnectorHandle::new(connector.settings.clone(), start).0
    }

    fn connector(name: &str) -> Connector {
        let open = |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
            Box::pin(std::future::pending())
        };
        Connector::new(name, open)
    }

    fn lists(tools: &[&str], prompts: &[&str]) -> UpstreamLists {
        UpstreamLists {
            tools: tools.iter().map(|name| Tool::new(*name, JsonObject::new()).into()).collect(),
            prompts: prompts.iter().map(|name| Prompt::new(*name).into()).collect(),
            ..UpstreamLists::default()
        }
    }

    fn serve(set: &UpstreamSet, connector: &Connector, handle: &Arc<ConnectorHandle>) {
        let providers = ProviderList::new(vec![(handle.clone(), connector.exposure.clone())]);
        set.replace(Arc::new(providers), BTreeSet::new());
    }

    fn heard(listening: &ChangeSubscription) -> Vec<Change> {
        std::iter::from_fn(|| listening.next().now_or_never().flatten()).collect()
    }

    #[test]
    fn each_list_that_changes_is_announced_once() {
        let set = set();
        let up = connector("up");
        let handle = handle(&set, &up);
        serve(&set, &up, &handle);
        let filter = SubscriptionFilter {
            tools_list_changed: Some(true),
            prompts_list_changed: Some(true),
            resources_list_changed: Some(true),
            ..SubscriptionFilter::default()
        };
        let listening = set.listen(filter, ());
        for (lists, expected) in [
            (lists(&["a"], &[]), vec![Change::Tools]),
            (lists(&["a"], &[]), vec![]),
            (lists(&["a", "b"], &["p"]), vec![Change::Tools, Change::Prompts]),
            (lists(&["b", "a"], &["p"]), vec![Change::Tools]),
            (lists(&["b", "a"], &[]), vec![Change::Prompts]),
        ] {
            handle.list(lists);
            set.rebuild();
            assert_eq!(heard(&listening), expected);
        }
        set.replace(
            Arc::new(ProviderList::new(Vec::new())),
            BTreeSet::from([Change::Tools, Change::Resources]),
        );
        assert_eq!(heard(&listening), [Change::Tools, Change::Resources], "tools are announced once");
    }

    #[test]
    fn a_request_keeps_the_composition_that_it_read() {
        let set = set();
        let up = connector("up");
        let handle = handle(&set, &up);
        handle.list(lists(&["a"], &[]));
        serve(&set, &up, &handle);
        let read = set.composition_full();
        set.replace(Arc::new(ProviderList::new(Vec::new())), BTreeSet::new());
        let target =
            |composition: &Composition| composition.target(ComponentKind::Tool, "up_a").map(|t| t.handle);
        assert!(target(&read).is_some_and(|found| Arc::ptr_eq(&found, &handle)));
        assert!(target(&set.composition()).is_none());
        set.publish();
        assert!(set.status().is_empty());
    }

    #[test]
    fn a_name_in_no_list_leads_to_the_connector_whose_lists_are_not_known() {
        let set = set();
        let connectors = [
            connector("known"),
            connector("new").rename_tool("a", "b").shows(|tool| tool != "hidden"),
            connector("main").prefix(""),
        ];
        let handles = connectors.each_ref().map(|connector| handle(&set, connector));
        handles[0].list(lists(&["a"], &[]));
        let exposures = connectors.iter().map(|connector| connector.exposure.clone());
        let providers = ProviderList::new(handles.iter().cloned().zip(exposures).collect());
        for (kind, name, expected) in [
            (ComponentKind::Tool, "known_x", None),
            (ComponentKind::Tool, "new_b", Some(("new", "a"))),
            (ComponentKind::Tool, "new_a", None),
            (ComponentKind::Prompt, "new_a", Some(("new", "a"))),
            (ComponentKind::Tool, "new_hidden", None),
            (ComponentKind::Prompt, "new_hidden", Some(("new", "hidden"))),
            (ComponentKind::Tool, "x", Some(("main", "x"))),
            (ComponentKind::Tool, "main_known_x", Some(("main", "known_x"))),
        ] {
            let found = providers.unlisted(kind, name);
            let found = found
                .map(|found| (found.provider.handle.settings.name.clone(), found.name.expect("no sign-in")));
            let found = found.as_ref().map(|(connector, name)| (connector.as_str(), name.as_str()));
            assert_eq!(found, expected, "{kind} {name}");
        }
    }
}
