//! One connector while the hub runs: its connection, lists, status and subscriptions. The supervisor writes them and
//! requests read them. No lock is held while an upstream is awaited.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use loggia::model::ServerCapabilities;
use tokio::sync::{Notify, mpsc, watch};

use crate::clock::now;
use crate::connector::UpstreamSettings;
use crate::connector_usage::ConnectorUsage;
use crate::list_snapshot::ListSnapshot;
use crate::report::{CallCounts, ConnectorReport, ErrorOutput};
use crate::retirement::Retirement;
use crate::shares::ShareSlot;
use crate::status::{ConnectorState, ConnectorStatus, StartStatus};
use crate::upstream::Upstream;
use crate::upstream_lists::UpstreamLists;
use crate::user_connections::UserConnections;
use crate::wanted_resources::WantedResources;

/// Messages from requests to a connector's supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SupervisorHint {
    /// A request failed, and the connection may be closed.
    Suspect,
    /// A client asked for lists, and the known ones are old.
    Stale,
}

/// One connector while the hub runs. Every running request holds a reference. When a connector was removed and its
/// last request ends, it is dropped.
pub(crate) struct ConnectorHandle {
    pub(crate) settings: UpstreamSettings,
    /// The connections of single users, if each user has one.
    pub(crate) own: Option<Arc<UserConnections>>,
    pub(crate) counts: CallCounts,
    /// The requests that keep its process running.
    pub(crate) usage: ConnectorUsage,
    /// Wakes the supervisor of a stopped process.
    needed: Notify,
    pub(crate) error_output: Arc<ErrorOutput>,
    /// The slot that counts its requests and results.
    pub(crate) slot: ShareSlot,
    /// The resources that clients subscribe to.
    pub(crate) wanted: Arc<WantedResources>,
    link: ArcSwapOption<Upstream>,
    lists: ArcSwapOption<ListSnapshot>,
    /// The lists of the last connection, when they are no longer shown: their URIs still belong to the connector.
    forgotten: ArcSwapOption<ListSnapshot>,
    status: watch::Sender<ConnectorStatus>,
    hints: mpsc::Sender<SupervisorHint>,
    /// True if the connector was added to a running hub.
    joined_later: bool,
    retirement: OnceLock<Retirement>,
}

/// The initial state of a handle.
pub(crate) struct HandleStart {
    /// The connections of single users, if each user has one.
    pub(crate) own: Option<Arc<UserConnections>>,
    pub(crate) slot: ShareSlot,
    /// The lists that are shown until it is connected.
    pub(crate) lists: Option<ListSnapshot>,
    pub(crate) wanted: Arc<WantedResources>,
    pub(crate) joined_later: bool,
}

/// The open connections of one connector.
pub(crate) struct OpenConnections {
    link: Option<Arc<Upstream>>,
    own: Option<Arc<UserConnections>>,
    retirement: Option<Retirement>,
}

impl OpenConnections {
    /// Closes them. Their running requests fail.
    pub(crate) async fn close(self) {
        if let Some(own) = self.own {
            own.close(self.retirement).await;
        }
        if let Some(link) = self.link {
            link.close().await;
        }
    }
}

impl ConnectorHandle {
    /// Returns a connector without an attempt to connect, and the receiver of hints for its supervisor.
    pub(crate) fn new(
        settings: UpstreamSettings,
        start: HandleStart,
    ) -> (Arc<ConnectorHandle>, mpsc::Receiver<SupervisorHint>) {
        let (hints, heard) = mpsc::channel(16);
        let mut status = ConnectorStatus::new(&settings.name, &settings.name, &settings.kind, now());
        status.personal = settings.people.is_some();
        status.remembered = start.lists.is_some();
        status.counts = start.lists.as_ref().map(|listed| listed.lists.counts()).unwrap_or_default();
        let handle = ConnectorHandle {
            own: start.own,
            settings,
            counts: CallCounts::default(),
            usage: ConnectorUsage::new(now()),
            needed: Notify::new(),
            error_output: Arc::default(),
            slot: start.slot,
            wanted: start.wanted,
            link: ArcSwapOption::empty(),
            lists: ArcSwapOption::new(start.lists.map(Arc::new)),
            forgotten: ArcSwapOption::empty(),
            status: watch::Sender::new(status),
            hints,
            joined_later: start.joined_later,
            retirement: OnceLock::new(),
        };
        (Arc::new(handle), heard)
    }

    /// Returns its status.
    pub(crate) fn status(&self) -> ConnectorStatus {
        self.status.borrow().clone()
    }

    /// Returns its lists, if they are known.
    pub(crate) fn listed(&self) -> Option<Arc<ListSnapshot>> {
        self.lists.load_full()
    }

    /// Returns its lists, also if they are no longer shown: their URIs still belong to the connector.
    pub(crate) fn last_listed(&self) -> Option<Arc<ListSnapshot>> {
        self.listed().or_else(|| self.forgotten.load_full())
    }

    /// Returns whether its URIs are known, as far as that is possible before it is connected. When a connector is
    /// added, the URIs of other connectors keep their owner.
    pub(crate) fn has_settled(&self) -> bool {
        self.joined_later || self.status.borrow().tried || self.listed().is_some()
    }

    /// Returns its status with reasons and error output.
    pub(crate) fn report(&self) -> ConnectorReport {
        let (calls, errors) = self.counts.get();
        let (status, error_output) = (self.status(), self.error_output.lines());
        ConnectorReport { status, deferred_tools: 0, calls, errors, error_output }
    }

    pub(crate) fn capabilities(&self) -> Option<ServerCapabilities> {
        self.listed().map(|listed| listed.lists.capabilities.clone())
    }

    /// Returns the open connection. If it is being opened, waits for at most `wait`. Otherwise the error explains
    /// the state to the client.
    pub(crate) async fn link(&self, wait: Duration) -> Result<Arc<Upstream>, String> {
        if let Some(link) = self.link.load_full() {
            return Ok(link);
        }
        let mut status = self.status.subscribe();
        if status.borrow_and_update().stopped {
            self.needed.notify_one();
        }
        let is_final = |status: &ConnectorStatus| {
            let is_open = status.state != ConnectorState::Connecting && !status.stopped;
            is_open || self.retirement().is_some()
        };
        // `self` owns the sender, so it cannot be closed. A timeout is handled below.
        let _ = tokio::time::timeout(wait, status.wait_for(is_final)).await;
        self.link.load_full().ok_or_else(|| match self.retirement() {
            Some(retirement) => retirement.explain_unsent(&self.settings.name),
            None => self.status().explain(now()),
        })
    }

    /// Sends a hint to the supervisor. If its queue is full, the supervisor has enough hints.
    pub(crate) fn hint(&self, hint: SupervisorHint) {
        let _ = self.hints.try_send(hint);
    }

    // The methods for the supervisor ---------------------------------------------------------------------

    /// Lets requests use `link`.
    pub(crate) fn up(&self, link: Arc<Upstream>) {
        self.link.store(Some(link));
    }

    /// Replaces the lists.
    pub(crate) fn list(&self, lists: UpstreamLists) {
        let before = self.listed().filter(|listed| !listed.is_provisional());
        lists.log_problems(&self.settings.name, before.as_ref().map(|listed| &listed.lists));
        let (counts, version, identity) = (lists.counts(), lists.version, lists.identity.clone());
        let redacted = |problem: &String| (self.settings.redact)(problem).into();
        let problems = lists.problem_texts().iter().map(redacted).collect();
        self.lists.store(Some(Arc::new(ListSnapshot::read(lists))));
        self.forgotten.store(None);
        self.status.send_modify(|status| {
            status.problems = problems;
            status.remembered = false;
            status.counts = counts;
            status.version = version;
            status.identity = identity;
        });
    }

    /// Records that the connection has ended.
    pub(crate) fn gone(&self) {
        self.link.store(None);
        self.status.send_modify(|status| status.version = None);
    }

    /// Takes the connection of an unused process, whose lists stay. Returns false if a request uses it.
    pub(crate) fn stop(&self) -> bool {
        let link = self.link.swap(None);
        self.status.send_modify(|status| status.stopped = true);
        // A request that began before this finds the connection; one that began later waits for a start.
        if self.usage.is_idle() {
            return true;
        }
        self.link.store(link);
        self.status.send_modify(|status| status.stopped = false);
        false
    }

    /// Waits until a request needs a stopped process.
    pub(crate) async fn until_needed(&self) {
        self.needed.notified().await;
    }

    /// Stops showing the lists.
    pub(crate) fn forget(&self) {
        // If lists were hidden before, their URIs stay owned.
        if let Some(listed) = self.lists.swap(None) {
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
            status.stopped = false;
            if state != ConnectorState::Up {
                status.problems.clear();
            }
        });
    }

    /// Shows the progress of the start of the process. Returns whether it changed.
    pub(crate) fn set_starting(&self, starting: StartStatus) -> bool {
        self.status.send_if_modified(|status| {
            let news =
                status.state == ConnectorState::Connecting && status.starting.as_ref() != Some(&starting);
            if news {
                status.starting = Some(starting);
            }
            news
        })
    }

    // Retirement -----------------------------------------------------------------------------------------

    /// Records that it gets no new requests. Requests that wait for its connection fail.
    pub(crate) fn retire(&self, retirement: Retirement) {
        // Only the first reason is kept.
        let _ = self.retirement.set(retirement);
        self.status.send_modify(|_| ());
    }

    /// Returns the reason why it takes no new requests; `None` while it takes them.
    pub(crate) fn retirement(&self) -> Option<Retirement> {
        self.retirement.get().copied()
    }

    /// Returns its open connections.
    pub(crate) fn connections(&self) -> OpenConnections {
        OpenConnections { link: self.link.load_full(), own: self.own.clone(), retirement: self.retirement() }
    }

    /// Waits until no request holds a reference. The future does not hold one itself.
    pub(crate) fn until_idle(&self) -> impl Future<Output = ()> + use<> {
        let mut status = self.status.subscribe();
        async move {
            // This ends with an error when the sender is dropped.
            let _ = status.wait_for(|_| false).await;
        }
    }
}
