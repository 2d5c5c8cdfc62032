//! Connections of single users, for connectors to which each user signs in: with one shared connection, all users
//! would act in the name of one. A connection is opened for the first call of its user, and closed after it was idle
//! for a while.
//!
//! A call finds the connection of its user in a snapshot, without a lock that the call of another user needs. The
//! connector's [`People`] opens connections and knows which users have signed in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use loggia::Error;
use loggia::changes::Changes;
use tokio::sync::watch;

use crate::account_upstream::AccountRelays;
use crate::clock::now;
use crate::connector::{Opened, People, UpstreamSettings};
use crate::list_reader::ListSource;
use crate::list_snapshot::ListSnapshot;
use crate::relay::Relay;
use crate::retirement::Retirement;
use crate::upstream::{InProcessServer, Upstream};
use crate::upstream_client::{PROBE, upstream_client};
use crate::upstream_context::UpstreamContext;
use crate::upstream_lists::UpstreamLists;

/// The maximum number of attempts to open a connection whose user signs in meanwhile.
const OPENINGS: usize = 3;
/// The time after a timeout of an upstream during which lists do not wait for it.
const RETRY: Duration = Duration::from_secs(30);

/// The connections of one connector, by user.
pub(crate) struct UserConnections {
    pub(crate) people: Arc<dyn People>,
    settings: UpstreamSettings,
    context: Arc<UpstreamContext>,
    changes: Changes,
    connections: ArcSwap<HashMap<String, Arc<UserConnection>>>,
    /// Held while a connection is added or removed, but not while it is used.
    changing: Mutex<()>,
    begun: Instant,
    /// Set when no further connection may be opened, with the reason if the connector was removed or changed.
    closed: OnceLock<Option<Retirement>>,
}

/// The connection of one user, and the time of its last use.
struct UserConnection {
    link: ArcSwapOption<Upstream>,
    /// The lists of the upstream for this user, when they are known.
    listed: ArcSwapOption<ListSnapshot>,
    /// Held while a connection is being opened, so that only one is opened.
    opening: tokio::sync::Mutex<()>,
    /// The number of sign-ins. A connection opened with earlier credentials is discarded.
    sign_ins: AtomicU64,
    running: AtomicUsize,
    /// The time of the last use, in milliseconds since `UserConnections::begun`.
    used: AtomicU64,
    /// The time of the last timeout of a list, in milliseconds since `UserConnections::begun`; 0 for none.
    timed_out_at: AtomicU64,
    /// Notified when the user signs in.
    signed_in: watch::Sender<()>,
}

/// A connection in use by a call. Dropping it ends the use.
pub(crate) struct UserConnectionGuard {
    pub(crate) link: Arc<Upstream>,
    counted: UsageGuard,
}

struct UsageGuard {
    connection: Arc<UserConnection>,
    begun: Instant,
}

impl UserConnectionGuard {
    /// Checks the connection after a failed request, and closes it if it is lost.
    pub(crate) fn suspect(&self) {
        let (connection, link) = (self.counted.connection.clone(), self.link.clone());
        tokio::spawn(async move {
            if link.probe(PROBE).await.is_err() && is_current(&connection, &link) {
                leave(&connection).await;
            }
        });
    }
}

/// The reason why a user has no connection.
pub(crate) enum UserConnectionError {
    /// The user has to sign in.
    SignIn,
    /// Another reason, as text for the user.
    Unavailable(String),
}

impl UserConnections {
    /// Creates the connections of a connector: none is open, and `people` opens them.
    pub(crate) fn new(
        people: Arc<dyn People>,
        settings: UpstreamSettings,
        context: Arc<UpstreamContext>,
        changes: Changes,
    ) -> UserConnections {
        UserConnections {
            people,
            settings,
            context,
            changes,
            connections: ArcSwap::default(),
            changing: Mutex::default(),
            begun: now(),
            closed: OnceLock::new(),
        }
    }

    /// Returns the known lists of each user.
    pub(crate) fn lists(&self) -> Vec<Arc<ListSnapshot>> {
        self.connections.load().values().filter_map(|connection| connection.listed.load_full()).collect()
    }

    /// Returns the connection of a user, and opens it if there is none.
    pub(crate) async fn link(&self, person: &str) -> Result<UserConnectionGuard, UserConnectionError> {
        let connection = self.connection(person, self.context.limits.user_connections)?;
        let counted = UsageGuard::new(&connection, self.begun);
        if let Some(link) = connection.link.load_full() {
            return Ok(UserConnectionGuard { link, counted });
        }
        let _alone = connection.opening.lock().await;
        if let Some(link) = connection.link.load_full() {
            return Ok(UserConnectionGuard { link, counted });
        }
        let link = self.open_current(person, &connection).await?;
        connection.timed_out_at.store(0, Ordering::Relaxed);
        self.keep(person, &connection);
        // This is checked after the connection was stored: from now on `close` finds the connection.
        if let Some(retirement) = self.closed.get() {
            leave(&connection).await;
            return Err(self.explain_closed(*retirement));
        }
        tokio::spawn(watch_end(connection.clone(), link.clone()));
        let in_use = UserConnectionGuard { link, counted };
        self.read(&in_use).await;
        Ok(in_use)
    }

    /// Opens a connection with the current credential of the user. If the user signs in meanwhile, perhaps with
    /// another account, opens it again.
    async fn open_current(
        &self,
        person: &str,
        connection: &UserConnection,
    ) -> Result<Arc<Upstream>, UserConnectionError> {
        let mut outcome = Err(UserConnectionError::SignIn);
        for _ in 0..OPENINGS {
            let sign_ins = connection.sign_ins.load(Ordering::SeqCst);
            outcome = self.open(person).await;
            if let Ok(link) = &outcome {
                connection.link.store(Some(link.clone()));
            }
            // This is compared after the connection was stored: a later sign-in finds the connection and closes it.
            if connection.sign_ins.load(Ordering::SeqCst) == sign_ins {
                return outcome;
            }
            leave(connection).await;
        }
        outcome
    }

    async fn open(&self, person: &str) -> Result<Arc<Upstream>, UserConnectionError> {
        let limit = self.context.limits.connect_timeout;
        let opening = self.people.open(upstream_client(&self.context), person);
        let opened = tokio::time::timeout(limit, opening).await.unwrap_or(Err(Error::timeout(limit)));
        match opened {
            Ok(Some(Opened::Service(service))) => {
                Ok(Arc::new(Upstream::Service(InProcessServer::new(service))))
            }
            Ok(Some(Opened::Client(client))) => {
                let relay = Relay::new(client, &self.settings, &self.context);
                Ok(Arc::new(Upstream::Client(Box::new(relay))))
            }
            Ok(Some(Opened::Accounts(clients))) => {
                let relays = AccountRelays::new(clients, &self.settings, &self.context);
                Ok(Arc::new(Upstream::Accounts(Box::new(relays))))
            }
            // The upstream refuses the stored credential.
            Ok(None) | Err(Error::Unauthorized(_)) => Err(UserConnectionError::SignIn),
            Err(error) => {
                let name = &self.settings.name;
                let reference = loggia::edge::correlation_id();
                tracing::warn!(connector = name, %error, reference, "no connection for a person");
                Err(UserConnectionError::Unavailable(format!(
                    "The connector {name:?} cannot be reached now (reference {reference} in Loggia's log). Try again \
                     later."
                )))
            }
        }
    }

    /// Returns the lists of the upstream for a user. A request for a list waits for the connection for a limited
    /// time. If the upstream did not answer, later requests do not wait, so that they do not delay the lists of other
    /// connectors.
    pub(crate) async fn listed(&self, person: &str) -> Option<Arc<ListSnapshot>> {
        let connection = self.connection(person, self.context.limits.user_connections).ok()?;
        let timed_out_at = connection.timed_out_at.load(Ordering::Relaxed);
        if timed_out_at > 0 && since(self.begun).saturating_sub(timed_out_at) < millis(RETRY) {
            return None;
        }
        let look = async {
            match self.link(person).await {
                Ok(in_use) => Ok(self.lists_over(&in_use).await),
                Err(UserConnectionError::SignIn) => Ok(None),
                Err(UserConnectionError::Unavailable(_)) => Err(()),
            }
        };
        match tokio::time::timeout(self.context.limits.connect_wait, look).await {
            Ok(Ok(listed)) => listed,
            Ok(Err(())) | Err(_) => {
                connection.timed_out_at.store(since(self.begun).max(1), Ordering::Relaxed);
                None
            }
        }
    }

    /// Returns a receiver that is notified when the user signs in.
    pub(crate) fn sign_ins(
        &self,
        person: &str,
        most: usize,
    ) -> Result<watch::Receiver<()>, UserConnectionError> {
        Ok(self.connection(person, most)?.signed_in.subscribe())
    }

    /// Ends the connection of a user who signed in, perhaps with another account. The next call opens a new one.
    pub(crate) async fn signed_in(&self, person: &str) {
        let Some(connection) = self.connections.load().get(person).cloned() else { return };
        connection.sign_ins.fetch_add(1, Ordering::SeqCst);
        leave(&connection).await;
        connection.signed_in.send_replace(());
    }

    /// Closes the connection of a user.
    pub(crate) async fn leave(&self, person: &str) {
        let connection = self.connections.load().get(person).cloned();
        if let Some(connection) = connection {
            leave(&connection).await;
        }
    }

    /// Closes the connections that were idle for `idle`.
    pub(crate) async fn sweep(&self, idle: Duration) {
        let Some(before) = since(self.begun).checked_sub(millis(idle)) else { return };
        for connection in self.take_away(|connection| connection.rests_since() <= before) {
            leave(&connection).await;
        }
    }

    /// Closes every connection. No connection can be opened afterwards.
    pub(crate) async fn close(&self, retirement: Option<Retirement>) {
        // Only the first reason is kept.
        let _ = self.closed.set(retirement);
        for connection in self.take_away(|_| true) {
            leave(&connection).await;
        }
    }

    /// Returns the lists of the upstream for the user of a connection. Reads them again if they are too old.
    async fn lists_over(&self, in_use: &UserConnectionGuard) -> Option<Arc<ListSnapshot>> {
        let listed = || in_use.counted.connection.listed.load_full();
        let old = |listed: &ListSnapshot| {
            now().saturating_duration_since(listed.read_at) >= self.context.limits.refresh_after
        };
        if listed().is_none_or(|listed| old(&listed)) {
            self.read(in_use).await;
        }
        listed()
    }

    /// Reads the lists of the upstream for the user of a connection, and announces those that changed.
    async fn read(&self, in_use: &UserConnectionGuard) {
        let connector = &*self.settings.name;
        let source = ListSource { link: &in_use.link, connector, limits: &self.context.limits };
        let lists = match source.read().await {
            Ok(lists) => lists,
            Err(error) => return tracing::warn!(connector, %error, "lists cannot be read"),
        };
        let next = Arc::new(ListSnapshot::read(lists));
        let before = in_use.counted.connection.listed.swap(Some(next.clone()));
        next.lists.log_problems(connector, before.as_ref().map(|before| &before.lists));
        let nothing = UpstreamLists::default();
        let changes = next.lists.changes_since(before.as_ref().map_or(&nothing, |before| &before.lists));
        // Clients of other users are notified, too, and read unchanged lists.
        changes.into_iter().for_each(|change| self.changes.announce(change));
    }

    fn explain_closed(&self, retirement: Option<Retirement>) -> UserConnectionError {
        let name = &self.settings.name;
        UserConnectionError::Unavailable(match retirement {
            Some(retirement) => retirement.explain_unsent(name),
            None => format!("The connector {name:?} was closed."),
        })
    }

    fn connection(&self, person: &str, most: usize) -> Result<Arc<UserConnection>, UserConnectionError> {
        if let Some(connection) = self.connections.load().get(person) {
            return Ok(connection.clone());
        }
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connections = HashMap::clone(&self.connections.load());
        if let Some(connection) = connections.get(person) {
            return Ok(connection.clone());
        }
        if connections.len() >= most {
            let unused = connections.iter().filter(|(_, connection)| connection.rests_since() < u64::MAX);
            // A user without an open connection loses nothing.
            let longest = unused
                .min_by_key(|(_, connection)| (connection.link.load().is_some(), connection.rests_since()));
            let longest = longest.map(|(name, _)| name.clone());
            let busy = || {
                UserConnectionError::Unavailable(
                    "Too many people use this connector at once. Try again later.".into(),
                )
            };
            let away = connections.remove(&longest.ok_or_else(busy)?);
            tokio::spawn(async move {
                if let Some(connection) = away {
                    leave(&connection).await;
                }
            });
        }
        let connection = Arc::new(UserConnection {
            link: ArcSwapOption::empty(),
            listed: ArcSwapOption::empty(),
            opening: tokio::sync::Mutex::default(),
            sign_ins: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            used: AtomicU64::new(since(self.begun)),
            timed_out_at: AtomicU64::new(0),
            signed_in: watch::Sender::new(()),
        });
        connections.insert(person.to_owned(), connection.clone());
        self.connections.store(Arc::new(connections));
        Ok(connection)
    }

    /// Stores a connection again that was removed as idle just when a call used it.
    fn keep(&self, person: &str, connection: &Arc<UserConnection>) {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = self.connections.load();
        if !connections.contains_key(person) {
            let mut connections = HashMap::clone(&connections);
            connections.insert(person.to_owned(), connection.clone());
            self.connections.store(Arc::new(connections));
        }
    }

    fn take_away(&self, which: impl Fn(&UserConnection) -> bool) -> Vec<Arc<UserConnection>> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = self.connections.load();
        let (away, kept): (HashMap<_, _>, HashMap<_, _>) = connections
            .iter()
            .map(|(name, connection)| (name.clone(), connection.clone()))
            .partition(|(_, connection)| which(connection));
        if !away.is_empty() {
            self.connections.store(Arc::new(kept));
        }
        away.into_values().collect()
    }
}

impl UserConnection {
    /// Returns the time since which it is unused; the greatest value while it is in use.
    fn rests_since(&self) -> u64 {
        let listened = self.signed_in.receiver_count() > 0;
        match self.running.load(Ordering::Acquire) > 0 || listened {
            true => u64::MAX,
            false => self.used.load(Ordering::Relaxed),
        }
    }
}

impl UsageGuard {
    fn new(connection: &Arc<UserConnection>, begun: Instant) -> UsageGuard {
        connection.running.fetch_add(1, Ordering::AcqRel);
        UsageGuard { connection: connection.clone(), begun }
    }
}

impl Drop for UsageGuard {
    fn drop(&mut self) {
        self.connection.used.store(since(self.begun), Ordering::Relaxed);
        self.connection.running.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn leave(connection: &UserConnection) {
    if let Some(link) = connection.link.swap(None) {
        link.close().await;
    }
}

/// Removes a connection that the upstream ended.
async fn watch_end(connection: Arc<UserConnection>, link: Arc<Upstream>) {
    let why = link.closed().await;
    tracing::debug!(why, "the connection of a person ended");
    if is_current(&connection, &link) {
        connection.link.store(None);
    }
}

fn is_current(connection: &UserConnection, link: &Arc<Upstream>) -> bool {
    connection.link.load_full().is_some_and(|current| Arc::ptr_eq(&current, link))
}

/// Returns the milliseconds since `begun`.
fn since(begun: Instant) -> u64 {
    millis(now().saturating_duration_since(begun))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
