//! Adds, changes and removes the connectors of a running hub.
//!
//! First the whole change is checked. Then the providers are replaced with one swap, supervisors of new connectors
//! start, and retired connectors are drained. A request sees either the old connectors or the new ones.
//!
//! Invariant: each connector has exactly one running supervisor, and each supervisor has one connector.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::future::join_all;
use loggia::changes::Change;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tracing::Instrument as _;

use crate::connector::{Connector, People, UpstreamSettings};
use crate::connector_handle::{ConnectorHandle, HandleStart, SupervisorHint};
use crate::connector_set::{ConnectorSetChange, ConnectorSetError, check};
use crate::draining::close_when_idle;
use crate::list_snapshot::{ListOrigin, ListSnapshot};
use crate::providers::{Provider, ProviderList};
use crate::retirement::Retirement;
use crate::supervisor;
use crate::upstream_set::UpstreamSet;
use crate::user_connections::UserConnections;
use crate::wanted_resources::WantedResources;

/// Changes the connectors of one hub, one change after another.
pub(crate) struct ConnectorManager {
    set: Arc<UpstreamSet>,
    state: Mutex<ManagerState>,
    closing: watch::Sender<bool>,
}

/// The connectors as the program gave them, and their tasks.
#[derive(Default)]
struct ManagerState {
    connectors: Vec<Connector>,
    /// The task of each connector, by its name.
    supervisors: HashMap<String, JoinHandle<()>>,
    /// The subscriptions to resources, by the name of the connector: they continue if the connector is removed and
    /// added again.
    wanted: HashMap<String, Weak<WantedResources>>,
    /// The tasks that drain retired connectors.
    draining: JoinSet<()>,
    /// The task that writes the memory.
    writer: Option<AbortHandle>,
    started: bool,
    closed: bool,
}

/// The handles after a change, and the connectors that need a supervisor.
#[derive(Default)]
struct HandlePlan {
    handles: Vec<Arc<ConnectorHandle>>,
    starting: Vec<(Arc<ConnectorHandle>, mpsc::Receiver<SupervisorHint>)>,
    change: ConnectorSetChange,
}

impl ConnectorManager {
    /// Creates a manager without connectors. Needs a tokio runtime.
    pub(crate) fn new(set: Arc<UpstreamSet>) -> ConnectorManager {
        let writer = tokio::spawn(supervisor::remember(set.clone())).abort_handle();
        let mut state = ManagerState::default();
        state.writer = Some(writer);
        ConnectorManager { set, state: Mutex::new(state), closing: watch::Sender::new(false) }
    }

    /// Replaces the connectors by `connectors`.
    pub(crate) fn apply(&self, connectors: Vec<Connector>) -> Result<ConnectorSetChange, ConnectorSetError> {
        self.edit(|current| {
            *current = connectors;
            Ok(())
        })
    }

    /// Replaces the connectors by those that `edit` makes of them.
    pub(crate) fn edit(
        &self,
        edit: impl FnOnce(&mut Vec<Connector>) -> Result<(), ConnectorSetError>,
    ) -> Result<ConnectorSetChange, ConnectorSetError> {
        let mut state = self.state();
        if state.closed {
            return Err(ConnectorSetError::Closed);
        }
        let mut connectors = state.connectors.clone();
        edit(&mut connectors)?;
        check(&connectors)?;
        Ok(self.change(&mut state, connectors))
    }

    fn change(&self, state: &mut ManagerState, connectors: Vec<Connector>) -> ConnectorSetChange {
        let before = self.set.composition_full().providers.clone();
        let mut plan = self.plan(state, &connectors, &before);
        let exposures = connectors.iter().map(|connector| connector.exposure.clone());
        let after = Arc::new(ProviderList::new(plan.handles.into_iter().zip(exposures).collect()));
        let retired: Vec<&Provider> =
            before.iter().filter(|provider| after.position(&provider.handle).is_none()).collect();
        plan.change.removed =
            names(retired.iter().filter(|provider| after.named(&provider.handle.settings.name).is_none()));
        self.set.replace(after.clone(), changes_for_users(&before, &after));
        for provider in retired {
            self.retire(state, &provider.handle, after.named(&provider.handle.settings.name).is_some());
        }
        for (handle, hints) in plan.starting {
            let name = handle.settings.name.clone();
            state.supervisors.insert(name, self.supervise(handle, hints));
        }
        if !plan.change.removed.is_empty() {
            // The memory must forget the lists of a removed connector.
            self.set.context.memory_changed.notify_one();
        }
        state.connectors = connectors;
        state.started = true;
        self.set.publish();
        plan.change
    }

    /// Decides which handles are kept, and creates the others.
    fn plan(&self, state: &mut ManagerState, connectors: &[Connector], before: &ProviderList) -> HandlePlan {
        let mut plan = HandlePlan::default();
        for Connector { settings, .. } in connectors {
            let earlier = before.named(&settings.name).map(|provider| &provider.handle);
            if let Some(kept) = earlier.filter(|earlier| earlier.settings.is_same(settings)) {
                plan.handles.push(kept.clone());
                plan.change.kept.push(settings.name.clone());
                continue;
            }
            let list = if earlier.is_some() { &mut plan.change.reconnected } else { &mut plan.change.added };
            list.push(settings.name.clone());
            let user_connections = |people: &Arc<dyn People>| {
                let (context, changes) = (self.set.context.clone(), self.set.changes());
                Arc::new(UserConnections::new(people.clone(), settings.clone(), context, changes))
            };
            let start = HandleStart {
                own: settings.people.as_ref().map(user_connections),
                slot: self.set.context.shares.slot(),
                lists: self.first_lists(settings, earlier),
                wanted: state.wanted_resources(&settings.name),
                joined_later: state.started,
            };
            let (handle, hints) = ConnectorHandle::new(settings.clone(), start);
            plan.handles.push(handle.clone());
            plan.starting.push((handle, hints));
        }
        plan
    }

    /// Returns the lists that are shown until a connector is connected: those of an earlier run, otherwise those of
    /// the connector that it replaces.
    fn first_lists(
        &self,
        settings: &UpstreamSettings,
        earlier: Option<&Arc<ConnectorHandle>>,
    ) -> Option<ListSnapshot> {
        let memory = &self.set.context.memory;
        let remembered =
            settings.remembered_as().and_then(|fingerprint| memory.lists(&settings.name, fingerprint));
        if let Some(lists) = remembered {
            return Some(ListSnapshot::new(lists, ListOrigin::EarlierRun));
        }
        let earlier = earlier.filter(|_| settings.people.is_none())?.listed()?;
        Some(ListSnapshot::new(earlier.lists.clone(), ListOrigin::EarlierConnector))
    }

    fn supervise(
        &self,
        handle: Arc<ConnectorHandle>,
        hints: mpsc::Receiver<SupervisorHint>,
    ) -> JoinHandle<()> {
        // With the span, all lines of the log name the connector, in every module.
        let span = tracing::error_span!("connector", name = handle.settings.name);
        let set = self.set.clone();
        match handle.own {
            Some(_) => tokio::spawn(supervisor::run_own(set, handle).instrument(span)),
            None => tokio::spawn(supervisor::run(set, handle, hints).instrument(span)),
        }
    }

    fn retire(&self, state: &mut ManagerState, handle: &Arc<ConnectorHandle>, is_replaced: bool) {
        handle.retire(if is_replaced { Retirement::Changed } else { Retirement::Removed });
        let Some(supervisor) = state.supervisors.remove(&handle.settings.name) else { return };
        while state.draining.try_join_next().is_some() {}
        let grace = self.set.context.limits.removal_timeout;
        let closing = self.closing.subscribe();
        state.draining.spawn(close_when_idle(handle.clone(), supervisor, grace, closing));
    }

    /// Ends every connection and task, and waits until they have ended. Later changes are refused.
    pub(crate) async fn close(&self) {
        let (supervisors, draining) = {
            let mut state = self.state();
            state.closed = true;
            state.writer.take().iter().for_each(AbortHandle::abort);
            (std::mem::take(&mut state.supervisors), std::mem::take(&mut state.draining))
        };
        for supervisor in supervisors.into_values() {
            supervisor.abort();
            let _ = supervisor.await;
        }
        let composition = self.set.composition_full();
        join_all(composition.providers.iter().map(|provider| provider.handle.connections().close())).await;
        drop(composition);
        self.closing.send_replace(true);
        let mut draining = draining;
        while draining.join_next().await.is_some() {}
        self.set.write_memory().await;
    }

    fn state(&self) -> MutexGuard<'_, ManagerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ManagerState {
    /// Returns the subscriptions to resources of the connector `name`. An earlier connector of this name may have
    /// opened them.
    fn wanted_resources(&mut self, name: &str) -> Arc<WantedResources> {
        if let Some(wanted) = self.wanted.get(name).and_then(Weak::upgrade) {
            return wanted;
        }
        self.wanted.retain(|_, wanted| wanted.strong_count() > 0);
        let wanted = Arc::new(WantedResources::default());
        self.wanted.insert(name.to_owned(), Arc::downgrade(&wanted));
        wanted
    }
}

impl Drop for ManagerState {
    fn drop(&mut self) {
        self.supervisors.values().for_each(JoinHandle::abort);
        self.writer.iter().for_each(AbortHandle::abort);
    }
}

fn names<'m>(providers: impl Iterator<Item = &'m &'m Provider>) -> Vec<String> {
    providers.map(|provider| provider.handle.settings.name.clone()).collect()
}

/// Returns the lists that change for users with connections of their own, which are not in the common table.
fn changes_for_users(before: &ProviderList, after: &ProviderList) -> BTreeSet<Change> {
    let of_users = before.iter().filter_map(|provider| Some((provider, provider.handle.own.as_ref()?)));
    let changes = of_users.flat_map(|(provider, own)| {
        let next = after.position(&provider.handle).map(|index| after.at(index));
        own.lists().into_iter().flat_map(move |listed| provider.changes_to(next, &listed.lists))
    });
    changes.collect()
}
