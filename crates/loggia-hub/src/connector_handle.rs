//! One connector while the hub runs: its connection, lists, status and subscriptions. The supervisor writes them and
//! requests read them. No lock is held while an upstream is awaited.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use loggia::model::ServerCapabilities;
use tokio::sync::{mpsc, watch};

use crate::clock::now;
use crate::connector::UpstreamSettings;
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
    /// A request failed as if the connection were gone.
    Suspect,
    /// A client asked for lists that are old.
    Stale,
}

/// One connector while the hub runs. Every request that it processes keeps it: when the last of them lets go of a
/// connector that was removed, it is dropped.
pub(crate) struct ConnectorHandle {
    pub(crate) settings: UpstreamSettings,
    /// The connections of single users, where each user has one.
    pub(crate) own: Option<Arc<UserConnections>>,
    pub(crate) counts: CallCounts,
    pub(crate) error_output: Arc<ErrorOutput>,
    /// The slot in which its requests and results are counted.
    pub(crate) slot: ShareSlot,
    /// The resources that clients subscribe to.
    pub(crate) wanted: Arc<WantedResources>,
    link: ArcSwapOption<Upstream>,
    lists: ArcSwapOption<ListSnapshot>,
    /// The lists of the last connection once they are no longer shown: their URIs stay its own.
    forgotten: ArcSwapOption<ListSnapshot>,
    status: watch::Sender<ConnectorStatus>,
    hints: mpsc::Sender<SupervisorHint>,
    /// True if it joined a hub that ran already.
    joined_later: bool,
    retirement: OnceLock<Retirement>,
}

/// The state that a new handle begins with.
pub(crate) struct HandleStart {
    /// The connections of single users, where each user has one.
    pub(crate) own: Option<Arc<UserConnections>>,
    pub(crate) slot: ShareSlot,
    /// Lists to show until it is connected.
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
    /// Closes them. Requests that they carry fail.
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
    /// Returns a connector that was not tried yet, and the hints for its supervisor.
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

    /// Returns its lists, as far as they are known.
    pub(crate) fn listed(&self) -> Option<Arc<ListSnapshot>> {
        self.lists.load_full()
    }

    /// Returns its lists, also those that are no longer shown: their URIs belong to it all the same.
    pub(crate) fn last_listed(&self) -> Option<Arc<ListSnapshot>> {
        self.listed().or_else(|| self.forgotten.load_full())
    }

    /// Returns whether its URIs are known, as far as they can be before it is connected. The URIs that others have keep
    /// their owner while a connector joins.
    pub(crate) fn has_settled(&self) -> bool {
        self.joined_later || self.status.borrow().tried || self.listed().is_some()
    }

    /// Returns its status with reasons and error output.
    pub(crate) fn report(&self) -> ConnectorReport {
        let (calls, errors) = self.counts.get();
        ConnectorReport { status: self.status(), calls, errors, error_output: self.error_output.lines() }
    }

    pub(crate) fn capabilities(&self) -> Option<ServerCapabilities> {
        self.listed().map(|listed| listed.lists.capabilities.clone())
    }

    /// Returns the open connection. One that is just being opened is waited for, for at most `patience`; otherwise the
    /// error explains the state, for the client.
    pub(crate) async fn link(&self, patience: Duration) -> Result<Arc<Upstream>, String> {
        if let Some(link) = self.link.load_full() {
            return Ok(link);
        }
        let mut status = self.status.subscribe();
        let is_final = |status: &ConnectorStatus| {
            status.state != ConnectorState::Connecting || self.retirement().is_some()
        };
        // The sender lives as long as we do; running out of patience is answered below.
        let _ = tokio::time::timeout(patience, status.wait_for(is_final)).await;
        self.link.load_full().ok_or_else(|| match self.retirement() {
            Some(retirement) => retirement.explain_unsent(&self.settings.name),
            None => self.status().explain(now()),
        })
    }

    /// Tells the supervisor something. A supervisor with a full queue notices on its own.
    pub(crate) fn hint(&self, hint: SupervisorHint) {
        let _ = self.hints.try_send(hint);
    }

    // The supervisor's side ------------------------------------------------------------------------------

    /// Lets requests use `link`.
    pub(crate) fn up(&self, link: Arc<Upstream>) {
        self.link.store(Some(link));
    }

    /// Shows other lists.
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

    /// Notes that the connection has ended.
    pub(crate) fn gone(&self) {
        self.link.store(None);
        self.status.send_modify(|status| status.version = None);
    }

    /// Shows no lists any more.
    pub(crate) fn forget(&self) {
        // Lists that were forgotten before keep their URIs.
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
            if state != ConnectorState::Up {
                status.problems.clear();
            }
        });
    }

    /// Shows how the start of the process goes on. Returns whether that is news.
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

    // The end ------------------------------------------------------------------------------------------

    /// Notes that no new request reaches it. Requests that wait for its connection fail.
    pub(crate) fn retire(&self, retirement: Retirement) {
        // A second reason changes nothing.
        let _ = self.retirement.set(retirement);
        self.status.send_modify(|_| ());
    }

    /// Returns why it takes no new requests; `None` while it does.
    pub(crate) fn retirement(&self) -> Option<Retirement> {
        self.retirement.get().copied()
    }

    /// Returns its open connections.
    pub(crate) fn connections(&self) -> OpenConnections {
        OpenConnections { link: self.link.load_full(), own: self.own.clone(), retirement: self.retirement() }
    }

    /// Waits until every request has let go of it. The future does not keep it.
    pub(crate) fn until_idle(&self) -> impl Future<Output = ()> + use<> {
        let mut status = self.status.subscribe();
        async move {
            // Ends with an error when the sender is dropped.
            let _ = status.wait_for(|_| false).await;
        }
    }
}
