//! One connector while the hub runs: its connection, lists, status and subscriptions. The supervisor writes them and
//! requests read them. No lock is held while an upstream is awaited.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use loggia::model::ServerCapabilities;
use tokio::sync::{mpsc, watch};

use crate::connector::Connector;
use crate::report::{CallCounts, ConnectorReport, ErrorOutput};
use crate::status::{ConnectorState, ConnectorStatus, Starting};
use crate::upstream::Upstream;
use crate::upstream_lists::UpstreamLists;
use crate::user_connections::UserConnections;

/// Messages from requests to a connector's supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// A request failed as if the connection were gone.
    Suspect,
    /// Somebody looked at lists that are old.
    Stale,
    /// Other resources are wanted than before.
    Wanted,
}

/// One connector while the hub runs.
pub(crate) struct ConnectorHandle {
    pub(crate) index: usize,
    pub(crate) connector: Connector,
    /// The connections that people have for themselves, where everybody does.
    pub(crate) own: Option<UserConnections>,
    link: ArcSwapOption<Upstream>,
    catalog: ArcSwapOption<Listed>,
    /// The lists of the last connection once they are no longer shown: their URIs stay its own.
    forgotten: ArcSwapOption<Listed>,
    pub(crate) counts: CallCounts,
    pub(crate) error_output: ErrorOutput,
    status: watch::Sender<ConnectorStatus>,
    hints: mpsc::Sender<Hint>,
    /// The number of subscriptions of each resource, by the connector's own URIs.
    wanted: Mutex<BTreeMap<String, usize>>,
}

/// A catalog, and when it was read.
pub(crate) struct Listed {
    pub(crate) catalog: UpstreamLists,
    pub(crate) read_at: Instant,
    /// Whether the lists are from an earlier run.
    pub(crate) remembered: bool,
}

impl ConnectorHandle {
    /// A connector that was not tried yet, and the hints for its supervisor. `remembered` is what it offered in
    /// an earlier run.
    pub(crate) fn new(
        index: usize,
        connector: Connector,
        remembered: Option<UpstreamLists>,
    ) -> (Arc<ConnectorHandle>, mpsc::Receiver<Hint>) {
        let (hints, heard) = mpsc::channel(16);
        let mut status = ConnectorStatus::new(&connector.name, &connector.prefix, &connector.kind, now());
        status.personal = connector.people.is_some();
        status.remembered = remembered.is_some();
        status.counts = remembered.as_ref().map(UpstreamLists::counts).unwrap_or_default();
        let remembered = remembered.map(|catalog| Listed { catalog, read_at: now(), remembered: true });
        let handle = ConnectorHandle {
            index,
            own: connector.people.clone().map(UserConnections::new),
            connector,
            link: ArcSwapOption::empty(),
            catalog: ArcSwapOption::new(remembered.map(Arc::new)),
            forgotten: ArcSwapOption::empty(),
            counts: CallCounts::default(),
            error_output: ErrorOutput::default(),
            status: watch::Sender::new(status),
            hints,
            wanted: Mutex::default(),
        };
        (Arc::new(handle), heard)
    }

    /// Returns its status.
    pub(crate) fn status(&self) -> ConnectorStatus {
        self.status.borrow().clone()
    }

    /// Returns its lists, as far as they are known.
    pub(crate) fn listed(&self) -> Option<Arc<Listed>> {
        self.catalog.load_full()
    }

    /// Returns its lists, also those that are no longer shown: their URIs belong to it all the same.
    pub(crate) fn last_listed(&self) -> Option<Arc<Listed>> {
        self.listed().or_else(|| self.forgotten.load_full())
    }

    /// Returns whether its URIs are known, as far as they can be before it is connected.
    pub(crate) fn has_settled(&self) -> bool {
        self.status.borrow().tried || self.listed().is_some()
    }

    /// Returns its status with reasons and error output.
    pub(crate) fn report(&self) -> ConnectorReport {
        let (calls, errors) = self.counts.get();
        ConnectorReport { status: self.status(), calls, errors, error_output: self.error_output.lines() }
    }

    pub(crate) fn capabilities(&self) -> Option<ServerCapabilities> {
        self.listed().map(|listed| listed.catalog.capabilities.clone())
    }

    /// The open connection. Where one is just being opened it is waited for, a little; otherwise the error
    /// says how things are.
    pub(crate) async fn link(&self, patience: Duration) -> Result<Arc<Upstream>, String> {
        if let Some(link) = self.link.load_full() {
            return Ok(link);
        }
        let mut status = self.status.subscribe();
        let settled = status.wait_for(|status| status.state != ConnectorState::Connecting);
        // The sender lives as long as we do; running out of patience is answered below.
        let _ = tokio::time::timeout(patience, settled).await;
        self.link.load_full().ok_or_else(|| self.status().explain(now()))
    }

    /// Tells the supervisor something. One that has enough to do already will find out by itself.
    pub(crate) fn hint(&self, hint: Hint) {
        let _ = self.hints.try_send(hint);
    }

    // The supervisor's side ------------------------------------------------------------------------------

    /// Lets requests use `link`.
    pub(crate) fn up(&self, link: Arc<Upstream>) {
        self.link.store(Some(link));
    }

    /// Shows other lists.
    pub(crate) fn list(&self, catalog: UpstreamLists) {
        let before = self.listed().filter(|listed| !listed.remembered);
        catalog.log_problems(&self.connector.name, before.as_ref().map(|listed| &listed.catalog));
        let (counts, version, identity) = (catalog.counts(), catalog.version, catalog.identity.clone());
        let problem = |(list, error): (&&str, &String)| {
            (self.connector.redact)(&format!("the {list} cannot be listed: {error}")).into()
        };
        let problems = catalog.problems.iter().map(problem).collect();
        self.catalog.store(Some(Arc::new(Listed { catalog, read_at: now(), remembered: false })));
        self.forgotten.store(None);
        self.status.send_modify(|status| {
            status.problems = problems;
            status.remembered = false;
            status.counts = counts;
            status.version = version;
            status.identity = identity;
        });
    }

    /// Ends the connection, where there is one, and those that people have for themselves.
    pub(crate) async fn close(&self) {
        if let Some(own) = &self.own {
            own.close().await;
        }
        if let Some(link) = self.link.swap(None) {
            link.close().await;
        }
    }

    pub(crate) fn gone(&self) {
        self.link.store(None);
        self.status.send_modify(|status| status.version = None);
    }

    /// Shows no lists any more.
    pub(crate) fn forget(&self) {
        // Lists that were forgotten before keep their URIs.
        if let Some(listed) = self.catalog.swap(None) {
            self.forgotten.store(Some(listed));
        }
        self.status.send_modify(|status| {
            status.counts = Default::default();
            status.remembered = false;
        });
    }

    pub(crate) fn set_state(&self, state: ConnectorState, since: Instant, last_error: Option<Arc<str>>) {
        self.status.send_modify(|status| {
            status.tried |= state != ConnectorState::Connecting;
            status.state = state;
            status.since = since;
            status.last_error = last_error;
            status.starting = None;
            if state != ConnectorState::Up {
                status.problems.clear();
            }
        });
    }

    /// Shows how the start of the process goes on. Returns whether that is news.
    pub(crate) fn set_starting(&self, starting: Starting) -> bool {
        self.status.send_if_modified(|status| {
            let news =
                status.state == ConnectorState::Connecting && status.starting.as_ref() != Some(&starting);
            if news {
                status.starting = Some(starting);
            }
            news
        })
    }

    // Subscriptions --------------------------------------------------------------------------------------

    /// Subscribes to `uris` for as long as the result is kept.
    pub(crate) fn want(self: &Arc<ConnectorHandle>, uris: Vec<String>) -> SubscriptionGuard {
        {
            let mut wanted = self.wanted();
            for uri in &uris {
                *wanted.entry(uri.clone()).or_default() += 1;
            }
        }
        self.hint(Hint::Wanted);
        SubscriptionGuard { handle: self.clone(), uris }
    }

    /// The resources that somebody wants to hear of.
    pub(crate) fn wanted_uris(&self) -> BTreeSet<String> {
        self.wanted().keys().cloned().collect()
    }

    fn wanted(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody's wish to hear of resources.
pub(crate) struct SubscriptionGuard {
    handle: Arc<ConnectorHandle>,
    uris: Vec<String>,
}

impl Drop for SubscriptionGuard {
    fn drop(&mut self) {
        let mut wanted = self.handle.wanted();
        for uri in &self.uris {
            if let Some(count) = wanted.get_mut(uri) {
                *count -= 1;
                if *count == 0 {
                    wanted.remove(uri);
                }
            }
        }
        drop(wanted);
        self.handle.hint(Hint::Wanted);
    }
}

/// The present, on the runtime's clock: tests can stop it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
