//! The task behind one connector: it connects, reads the lists, hears of changes, notices the end, and tries
//! again. When to try is [`Health`]'s to say; what others see is the [`ConnectorHandle`]'s to show.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use loggia::changes::Change;
use loggia::client::Client;
use loggia::model::{ServerCapabilities, SubscriptionFilter};
use loggia::{Error, Result};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::connector::Opened;
use crate::connector_handle::{ConnectorHandle, Hint, now};
use crate::health::{Due, Health, State};
use crate::hub::Shared;
use crate::relay::{NobodyAsked, Relay};
use crate::retry::Retry;
use crate::status::{ConnectorState, Starting};
use crate::upstream::{Upstream, Watch};
use crate::upstream_lists::{ListSource, UpstreamLists};

/// How long an upstream that is suspected to be gone may take to show that it is not.
pub(crate) const PROBE: Duration = Duration::from_secs(5);

/// How long the lists rest after a change was read: an upstream that announces a change whenever its lists
/// are read must not keep us reading.
const REST: Duration = Duration::from_millis(250);

/// How long to wait before an upstream that refused a subscription is asked again: at first, and at most.
const FIRST_RESUBSCRIBE: Duration = Duration::from_secs(1);
const LONGEST_RESUBSCRIBE: Duration = Duration::from_secs(10 * 60);

/// The target of what is logged of connectors that go down and come up: a program that shows their state by
/// itself can leave it out.
const STATES: &str = "loggia_hub::states";

/// Keeps one connector connected, for ever.
pub(crate) async fn run(shared: Arc<Shared>, handle: Arc<ConnectorHandle>, mut hints: mpsc::Receiver<Hint>) {
    let mut health = Health::new(shared.limits.retry.clone(), now(), handle.listed().is_some());
    let mut was_up = false;
    loop {
        show(&shared, &handle, &health);
        match attempt(&shared, &handle).await {
            Ok((link, catalog)) => {
                health.connected(now());
                was_up = true;
                let why = serve(&shared, &handle, &mut hints, &health, link, catalog).await;
                health.lost(now(), why, spread());
            }
            Err(error) => health.failed(now(), error.to_string(), Retry::after(&error, was_up), spread()),
        }
        show(&shared, &handle, &health);
        if *health.state() == State::Failed {
            forget(&shared, &handle);
            return;
        }
        wait(&shared, &handle, &mut hints, &mut health).await;
    }
}

/// Writes the remembered lists to disk after each change. Runs until it is aborted.
pub(crate) async fn remember(shared: Arc<Shared>) {
    loop {
        shared.memory_changed().await;
        shared.write_memory().await;
    }
}

/// Looks after the connections that people have for themselves, for ever.
pub(crate) async fn run_own(shared: Arc<Shared>, handle: Arc<ConnectorHandle>) {
    let Some(own) = &handle.own else { return };
    handle.set_state(ConnectorState::Up, now(), None);
    shared.publish();
    let idle = shared.limits.own_idle;
    loop {
        tokio::time::sleep(idle / 4).await;
        own.sweep(idle).await;
    }
}

/// Waits until the next attempt is due.
async fn wait(
    shared: &Shared,
    handle: &ConnectorHandle,
    hints: &mut mpsc::Receiver<Hint>,
    health: &mut Health,
) {
    loop {
        match health.handle_timeout(now()) {
            Some(Due::Connect) => return,
            Some(Due::Forget) => {
                tracing::warn!(
                    connector = handle.connector.name,
                    "down for too long: its tools are no longer listed"
                );
                forget(shared, handle);
            }
            None => {
                let deadline = health.poll_timeout().unwrap_or_else(|| now() + PROBE);
                sleep_until(deadline).await;
            }
        }
        // What was said of the connection before is of no use to the next one.
        while hints.try_recv().is_ok() {}
    }
}

/// Lists what the connector offers no longer.
fn forget(shared: &Shared, handle: &ConnectorHandle) {
    handle.forget();
    shared.rebuild();
    shared.publish();
}

async fn sleep_until(deadline: Instant) {
    tokio::time::sleep_until(tokio::time::Instant::from_std(deadline)).await;
}

/// Makes the state visible.
fn show(shared: &Shared, handle: &ConnectorHandle, health: &Health) {
    let state = match *health.state() {
        State::Connecting => ConnectorState::Connecting,
        State::Up => ConnectorState::Up,
        State::Down { retry_at } => ConnectorState::Down { retry_at },
        State::Failed => ConnectorState::Failed,
    };
    let error = health.last_error().filter(|_| state != ConnectorState::Up);
    let error: Option<Arc<str>> = error.map(|error| (handle.connector.redact)(error).into());
    if let (ConnectorState::Down { retry_at }, Some(error)) = (state, &error) {
        tell(&handle.connector.name, error, health.failures(), retry_at);
    }
    if let (ConnectorState::Failed, Some(error)) = (state, &error) {
        let connector = &handle.connector.name;
        tracing::error!(target: STATES, connector, %error, "the connector cannot be started with its configuration");
    }
    handle.set_state(state, health.since(), error);
    shared.publish();
}

/// The first failure in a row is news, the others are not.
fn tell(connector: &str, error: &str, failures: u32, retry_at: Instant) {
    let retry_in = retry_at.saturating_duration_since(now());
    if failures == 1 {
        tracing::warn!(target: STATES, connector, error, ?retry_in, "the connector is down");
    } else {
        tracing::debug!(target: STATES, connector, error, failures, ?retry_in, "the connector is still down");
    }
}

/// Opens a connection and reads the lists. The start of a process, the negotiation and the lists have a limit each.
async fn attempt(
    shared: &Arc<Shared>,
    handle: &Arc<ConnectorHandle>,
) -> Result<(Arc<Upstream>, UpstreamLists)> {
    let limits = &shared.limits;
    let link = match open(shared, handle).await? {
        Opened::Service(service) => Upstream::Service(service),
        Opened::Client(client) => Upstream::Client(Box::new(Relay::new(client, &handle.connector, limits))),
    };
    let source = ListSource { link: &link, connector: &handle.connector.name, limits };
    let catalog = Box::pin(UpstreamLists::read(source)).await?;
    Ok((Arc::new(link), catalog))
}

/// Opens a connection. Where that starts a process, it waits for its turn, and the limit of the start is the
/// client's to keep: it sees whether the process works.
async fn open(shared: &Arc<Shared>, handle: &Arc<ConnectorHandle>) -> Result<Opened> {
    let limits = &shared.limits;
    let source = &handle.connector.source;
    if !handle.connector.starts_process {
        return within(limits.connect_timeout, source.open(client(shared))).await;
    }
    if shared.pace.is_full() {
        show_start(shared, handle, Starting::Queued);
    }
    let turn = Arc::new(shared.pace.turn().await);
    show_start(shared, handle, Starting::Running { last_line: None });
    let (hub, watched, watching, writing) = (shared.clone(), handle.clone(), turn.clone(), handle.clone());
    let client = client(shared)
        .start_timeout(handle.connector.start_timeout.unwrap_or(limits.start_timeout))
        .on_error_output(move |line| writing.error_output.push(&(writing.connector.redact)(line)))
        .on_start(move |progress| {
            watching.observe(progress);
            let last_line = progress.last_line.as_deref().map(|line| (watched.connector.redact)(line).into());
            show_start(&hub, &watched, Starting::Running { last_line });
        });
    let longest = tokio::time::sleep(limits.start_turn);
    let opening = source.open(client);
    tokio::pin!(opening, longest);
    // The reports end with the first message; what comes after it keeps no other from starting for longer.
    let opened = tokio::select! {
        opened = &mut opening => opened,
        () = longest => {
            turn.end();
            opening.await
        }
    };
    turn.end();
    opened
}

/// Makes visible how a start goes on.
fn show_start(shared: &Shared, handle: &ConnectorHandle, starting: Starting) {
    if handle.set_starting(starting) {
        shared.publish();
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Error::timeout(limit)))
}

/// A client as the hub needs it: every question goes on to whoever's call it belongs to, and when the
/// connection is lost it is the supervisor that opens another.
pub(crate) fn client(shared: &Shared) -> loggia::client::ClientBuilder {
    let limits = &shared.limits;
    Client::builder()
        .identity(shared.identity.clone())
        .handler(NobodyAsked)
        .era_memory(shared.eras.clone())
        .probe_timeout(limits.probe_timeout)
        .connect_timeout(limits.connect_timeout)
        .timeout(limits.timeout)
        .max_timeout(limits.max_timeout)
        .limits(limits.upstream.clone())
        .validate_output(false)
        .reconnect(false)
}

/// While the connection lasts. The answer is why it ended.
async fn serve(
    shared: &Arc<Shared>,
    handle: &Arc<ConnectorHandle>,
    hints: &mut mpsc::Receiver<Hint>,
    health: &Health,
    link: Arc<Upstream>,
    catalog: UpstreamLists,
) -> String {
    let mut lists = watch_lists(&link, &catalog.capabilities, &handle.connector.name).await;
    let mut catalog = catalog;
    if let Some(before) = handle.listed() {
        catalog.keep_unread(&before.catalog);
    }
    handle.list(catalog);
    shared.remember(handle);
    // A client that finds it up must find its tools.
    shared.rebuild();
    handle.up(link.clone());
    tracing::info!(target: STATES, connector = handle.connector.name, "the connector is up");
    show(shared, handle, health);
    let mut subscriptions = Subscriptions::new(shared.clone(), handle.clone(), link.clone());
    subscriptions.missed();
    subscriptions.adjust();
    let mut rested = now();
    let why = loop {
        let next = tokio::select! {
            why = link.closed() => break why,
            change = next_change(&mut lists, rested) => match change {
                Some(Change::Resource(_)) | None => continue,
                Some(change) => {
                    let read = refresh(shared, handle, &link, &[change]).await;
                    rested = now() + REST;
                    read
                }
            },
            Some(hint) = hints.recv() => match hint {
                Hint::Wanted => {
                    subscriptions.adjust();
                    Ok(())
                }
                Hint::Stale => refresh(shared, handle, &link, &[Change::Tools, Change::Prompts, Change::Resources]).await,
                Hint::Suspect => link.probe(PROBE).await,
            },
        };
        if let Err(error) = next {
            break error.to_string();
        }
    };
    handle.gone();
    link.close().await;
    why
}

/// A stream of the lists' changes, where the upstream announces them.
async fn watch_lists(link: &Upstream, capabilities: &ServerCapabilities, connector: &str) -> Option<Watch> {
    let announced = |list_changed: Option<Option<bool>>| list_changed.flatten().filter(|yes| *yes);
    let filter = SubscriptionFilter {
        tools_list_changed: announced(capabilities.tools.as_ref().map(|c| c.list_changed)),
        prompts_list_changed: announced(capabilities.prompts.as_ref().map(|c| c.list_changed)),
        resources_list_changed: announced(capabilities.resources.as_ref().map(|c| c.list_changed)),
        ..SubscriptionFilter::default()
    };
    if filter == SubscriptionFilter::default() {
        return None;
    }
    match link.watch(filter).await {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(connector, %error, "changes of its lists will not be heard of");
            None
        }
    }
}

/// The next change, not before `rested`; several of the same list are one. A stream that ended brings none:
/// the connection's end is noticed elsewhere.
async fn next_change(lists: &mut Option<Watch>, rested: Instant) -> Option<Change> {
    sleep_until(rested).await;
    if let Some(watch) = lists {
        match watch.next().await {
            Some(change) => return Some(change),
            None => *lists = None,
        }
    }
    std::future::pending().await
}

/// Reads lists again.
async fn refresh(shared: &Shared, handle: &ConnectorHandle, link: &Upstream, lists: &[Change]) -> Result<()> {
    let Some(listed) = handle.listed() else { return Ok(()) };
    let mut catalog = listed.catalog.clone();
    let source = ListSource { link, connector: &handle.connector.name, limits: &shared.limits };
    catalog.refresh(source, lists).await?;
    handle.list(catalog);
    shared.remember(handle);
    shared.rebuild();
    shared.publish();
    Ok(())
}

/// The resources of one upstream that are subscribed to.
struct Subscriptions {
    shared: Arc<Shared>,
    handle: Arc<ConnectorHandle>,
    link: Arc<Upstream>,
    open: HashMap<String, AbortHandle>,
}

impl Subscriptions {
    fn new(shared: Arc<Shared>, handle: Arc<ConnectorHandle>, link: Arc<Upstream>) -> Subscriptions {
        Subscriptions { shared, handle, link, open: HashMap::new() }
    }

    /// Nobody knows what changed while there was no connection.
    fn missed(&self) {
        for uri in self.handle.wanted_uris() {
            self.shared.resource_changed(&self.handle, &uri);
        }
    }

    /// Opens what is wanted and closes what is not.
    fn adjust(&mut self) {
        let wanted = self.handle.wanted_uris();
        self.open.retain(|uri, task| {
            let keep = wanted.contains(uri);
            if !keep {
                task.abort();
            }
            keep
        });
        let missing: BTreeSet<String> =
            wanted.into_iter().filter(|uri| !self.open.contains_key(uri)).collect();
        for uri in missing {
            if self.open.len() >= self.shared.limits.subscriptions {
                return tracing::warn!(
                    connector = self.handle.connector.name,
                    "too many subscriptions: some are left out"
                );
            }
            let task = hear(self.shared.clone(), self.handle.clone(), self.link.clone(), uri.clone());
            self.open.insert(uri, tokio::spawn(task).abort_handle());
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.open.values().for_each(AbortHandle::abort);
    }
}

/// Passes the changes of one resource on. An upstream that refuses may do so for the moment only: it is asked
/// again, ever less often.
async fn hear(shared: Arc<Shared>, handle: Arc<ConnectorHandle>, link: Arc<Upstream>, uri: String) {
    let filter = SubscriptionFilter {
        resource_subscriptions: Some(vec![uri.clone()]),
        ..SubscriptionFilter::default()
    };
    let mut wait = FIRST_RESUBSCRIBE;
    loop {
        match link.watch(filter.clone()).await {
            Ok(mut watch) => {
                while let Some(change) = watch.next().await {
                    if let Change::Resource(uri) = change {
                        shared.resource_changed(&handle, &uri);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(connector = handle.connector.name, uri, %error, ?wait, "cannot subscribe");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_RESUBSCRIBE);
    }
}

/// A random number from 0 up to 1.
fn spread() -> f64 {
    let mut bytes = [0u8; 4];
    // Without randomness every hub only tries again at the same moment.
    let _ = SystemRandom::new().fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
