//! The task of one connector: it connects, reads the lists, receives changes, detects the end of the connection, and
//! tries again. [`Health`] decides when to try, and [`ConnectorHandle`] makes the state visible.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loggia::changes::Change;
use loggia::model::{ServerCapabilities, SubscriptionFilter};
use loggia::{Error, Result};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::mpsc;

use crate::account_upstream::AccountRelays;
use crate::clock::now;
use crate::connector::Opened;
use crate::connector_handle::{ConnectorHandle, SupervisorHint};
use crate::health::{Health, HealthAction, HealthState};
use crate::list_reader::ListSource;
use crate::list_snapshot::ListOrigin;
use crate::relay::Relay;
use crate::resource_subscriptions::ResourceSubscriptions;
use crate::retry::RetryDecision;
use crate::status::{ConnectorState, StartStatus};
use crate::upstream::{ChangeStream, InProcessServer, Upstream};
use crate::upstream_client::{PROBE, upstream_client};
use crate::upstream_lists::UpstreamLists;
use crate::upstream_set::UpstreamSet;

/// The pause after lists were read because of a change. Without it, an upstream that announces a change whenever its
/// lists are read would keep the hub reading.
const REST: Duration = Duration::from_millis(250);

/// The log target for connectors that go down and come up. A program that shows the states itself can filter it out.
const STATES: &str = "loggia_hub::states";

/// The end of a connection.
enum ConnectionEnd {
    /// It was lost, for this reason.
    Lost(String),
    /// Its process was stopped because it was not used.
    Unused,
}

/// Keeps one connector connected. Returns when the connector cannot be started with its configuration.
pub(crate) async fn run(
    set: Arc<UpstreamSet>,
    handle: Arc<ConnectorHandle>,
    mut hints: mpsc::Receiver<SupervisorHint>,
) {
    let is_of_earlier_connector = |handle: &ConnectorHandle| {
        handle.listed().is_some_and(|listed| listed.origin == ListOrigin::EarlierConnector)
    };
    // The lists of an earlier connector are shown only during the first attempt.
    let keeps_lists = handle.listed().is_some() && !is_of_earlier_connector(&handle);
    let mut health = Health::new(set.context.limits.retry.clone(), now(), keeps_lists);
    let mut was_up = false;
    loop {
        show(&set, &handle, &health);
        match attempt(&set, &handle).await {
            Ok((link, lists)) => {
                health.connected(now());
                was_up = true;
                match serve(&set, &handle, &mut hints, &health, link, lists).await {
                    ConnectionEnd::Lost(why) => health.lost(now(), why, spread()),
                    ConnectionEnd::Unused => {
                        handle.until_needed().await;
                        health.restarted(now());
                        // Hints about the previous connection do not apply to the next one.
                        while hints.try_recv().is_ok() {}
                        continue;
                    }
                }
            }
            Err(error) => {
                health.failed(now(), error.to_string(), RetryDecision::after(&error, was_up), spread());
                if is_of_earlier_connector(&handle) {
                    forget(&set, &handle);
                }
            }
        }
        show(&set, &handle, &health);
        if *health.state() == HealthState::Failed {
            forget(&set, &handle);
            return;
        }
        wait(&set, &handle, &mut hints, &mut health).await;
    }
}

/// Writes the remembered lists to disk after each change. Runs until it is aborted.
pub(crate) async fn remember(set: Arc<UpstreamSet>) {
    loop {
        set.context.memory_changed.notified().await;
        set.write_memory().await;
    }
}

/// Closes idle connections of single users. Runs until it is aborted.
pub(crate) async fn run_own(set: Arc<UpstreamSet>, handle: Arc<ConnectorHandle>) {
    let Some(own) = &handle.own else { return };
    handle.set_state(ConnectorState::Up, now(), None);
    set.publish();
    let idle = set.context.limits.user_connection_idle;
    loop {
        tokio::time::sleep(idle / 4).await;
        own.sweep(idle).await;
    }
}

/// Waits until the next attempt is due.
async fn wait(
    set: &UpstreamSet,
    handle: &ConnectorHandle,
    hints: &mut mpsc::Receiver<SupervisorHint>,
    health: &mut Health,
) {
    loop {
        match health.handle_timeout(now()) {
            Some(HealthAction::Connect) => return,
            Some(HealthAction::Forget) => {
                tracing::warn!(
                    connector = handle.settings.name,
                    "down for too long: its tools are no longer listed"
                );
                forget(set, handle);
            }
            None => {
                let deadline = health.poll_timeout().unwrap_or_else(|| now() + PROBE);
                sleep_until(deadline).await;
            }
        }
        // Hints about the previous connection do not apply to the next one.
        while hints.try_recv().is_ok() {}
    }
}

/// Removes the lists of the connector from the merged lists.
fn forget(set: &UpstreamSet, handle: &ConnectorHandle) {
    handle.forget();
    set.rebuild();
    set.publish();
}

async fn sleep_until(deadline: Instant) {
    tokio::time::sleep_until(tokio::time::Instant::from_std(deadline)).await;
}

/// Publishes the state.
fn show(set: &UpstreamSet, handle: &ConnectorHandle, health: &Health) {
    let state = match *health.state() {
        HealthState::Connecting => ConnectorState::Connecting,
        HealthState::Up => ConnectorState::Up,
        HealthState::Down { retry_at } => ConnectorState::Down { retry_at },
        HealthState::Failed => ConnectorState::Failed,
    };
    let error = health.last_error().filter(|_| state != ConnectorState::Up);
    let error: Option<Arc<str>> = error.map(|error| (handle.settings.redact)(error).into());
    if let (ConnectorState::Down { retry_at }, Some(error)) = (state, &error) {
        tell(&handle.settings.name, error, health.failures(), retry_at);
    }
    if let (ConnectorState::Failed, Some(error)) = (state, &error) {
        let connector = &handle.settings.name;
        tracing::error!(target: STATES, connector, %error, "the connector cannot be started with its configuration");
    }
    handle.set_state(state, health.since(), error);
    set.publish();
}

/// Logs the first failure of a series as a warning, the others at a lower level.
fn tell(connector: &str, error: &str, failures: u32, retry_at: Instant) {
    let retry_in = retry_at.saturating_duration_since(now());
    if failures == 1 {
        tracing::warn!(target: STATES, connector, error, ?retry_in, "the connector is down");
    } else {
        tracing::debug!(target: STATES, connector, error, failures, ?retry_in, "the connector is still down");
    }
}

/// Opens a connection and reads the lists. The start of a process, the negotiation and the lists each have a time
/// limit.
async fn attempt(
    set: &Arc<UpstreamSet>,
    handle: &Arc<ConnectorHandle>,
) -> Result<(Arc<Upstream>, UpstreamLists)> {
    let limits = &set.context.limits;
    let link = match open(set, handle).await? {
        Opened::Service(service) => Upstream::Service(InProcessServer::new(service)),
        Opened::Client(client) => {
            Upstream::Client(Box::new(Relay::new(client, &handle.settings, &set.context)))
        }
        Opened::Accounts(clients) => {
            Upstream::Accounts(Box::new(AccountRelays::new(clients, &handle.settings, &set.context)))
        }
    };
    let source = ListSource { link: &link, connector: &handle.settings.name, limits };
    let lists = Box::pin(source.read()).await?;
    Ok((Arc::new(link), lists))
}

/// Opens a connection. If that starts a process, waits for a turn first. The client enforces the limit of the start,
/// because it sees whether the process works.
async fn open(set: &Arc<UpstreamSet>, handle: &Arc<ConnectorHandle>) -> Result<Opened> {
    let limits = &set.context.limits;
    let source = &handle.settings.source;
    if !handle.settings.starts_process {
        return within(limits.connect_timeout, source.open(upstream_client(&set.context))).await;
    }
    if set.context.pace.is_full() {
        show_start(set, handle, StartStatus::Queued);
    }
    let turn = Arc::new(set.context.pace.turn().await);
    show_start(set, handle, StartStatus::Running { last_line: None });
    // The connection keeps the callbacks, which must not keep the connector alive.
    let (hub, watched, watching) = (set.clone(), Arc::downgrade(handle), turn.clone());
    let (error_output, redact) = (handle.error_output.clone(), handle.settings.redact.clone());
    let client = upstream_client(&set.context)
        .start_timeout(handle.settings.start_timeout.unwrap_or(limits.start_timeout))
        .on_error_output(move |line| error_output.push(&redact(line)))
        .on_start(move |progress| {
            watching.observe(progress);
            let Some(handle) = watched.upgrade() else { return };
            let last_line = progress.last_line.as_deref().map(|line| (handle.settings.redact)(line).into());
            show_start(&hub, &handle, StartStatus::Running { last_line });
        });
    let longest = tokio::time::sleep(limits.start_turn);
    let opening = source.open(client);
    tokio::pin!(opening, longest);
    // The reports end with the first message. Then the start no longer counts.
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

/// Publishes the progress of a start.
fn show_start(set: &UpstreamSet, handle: &ConnectorHandle, starting: StartStatus) {
    if handle.set_starting(starting) {
        set.publish();
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Error::timeout(limit)))
}

/// Runs while the connection is open. Returns how it ended.
async fn serve(
    set: &Arc<UpstreamSet>,
    handle: &Arc<ConnectorHandle>,
    hints: &mut mpsc::Receiver<SupervisorHint>,
    health: &Health,
    link: Arc<Upstream>,
    lists: UpstreamLists,
) -> ConnectionEnd {
    let mut list_changes = watch_lists(&link, &lists.capabilities, &handle.settings.name).await;
    let mut lists = lists;
    if let Some(before) = handle.listed().filter(|before| before.origin != ListOrigin::EarlierConnector) {
        lists.keep_unread(&before.lists);
    }
    handle.list(lists);
    set.remember(handle);
    // When a client sees the state `up`, the tools must be listed.
    set.rebuild();
    handle.usage.touch(now());
    handle.up(link.clone());
    tracing::info!(target: STATES, connector = handle.settings.name, "the connector is up");
    show(set, handle, health);
    let mut subscriptions = ResourceSubscriptions::new(set.clone(), handle.clone(), link.clone());
    let mut wanted = handle.wanted.watch();
    subscriptions.announce_all();
    subscriptions.adjust();
    let mut rested = now();
    let why = loop {
        let next = tokio::select! {
            why = link.closed() => break ConnectionEnd::Lost(why),
            () = until_unused(set, handle) => match handle.stop() {
                true => break ConnectionEnd::Unused,
                false => continue,
            },
            change = next_change(&mut list_changes, rested) => match change {
                Some(Change::Resource(_)) | None => continue,
                Some(change) => {
                    let read = refresh(set, handle, &link, &[change]).await;
                    rested = now() + REST;
                    read
                }
            },
            Ok(()) = wanted.changed() => {
                subscriptions.adjust();
                Ok(())
            }
            Some(hint) = hints.recv() => match hint {
                SupervisorHint::Stale => refresh(set, handle, &link, &[Change::Tools, Change::Prompts, Change::Resources]).await,
                SupervisorHint::Suspect => link.probe(PROBE).await,
            },
        };
        if let Err(error) = next {
            break ConnectionEnd::Lost(error.to_string());
        }
    };
    if matches!(why, ConnectionEnd::Unused) {
        tracing::info!(target: STATES, connector = handle.settings.name, "the process was not used: stopped until it is needed");
        set.publish();
    }
    handle.gone();
    link.close().await;
    why
}

/// Waits until the process of the connector was not used for the longest time; forever if it has none.
async fn until_unused(set: &UpstreamSet, handle: &ConnectorHandle) {
    let longest = set.context.limits.process_idle;
    if !handle.settings.starts_process {
        std::future::pending::<()>().await;
    }
    loop {
        let left = handle.usage.time_left(longest, now());
        let left = if handle.wanted.is_empty() { left } else { left.or(Some(longest)) };
        let Some(left) = left else { return };
        tokio::time::sleep(left).await;
    }
}

/// Returns a stream of changes of the lists, if the upstream announces them.
async fn watch_lists(
    link: &Upstream,
    capabilities: &ServerCapabilities,
    connector: &str,
) -> Option<ChangeStream> {
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

/// Returns the next change, at `rested` or later; several changes of one list become one. If the stream has ended,
/// this never returns: the end of the connection is detected elsewhere.
async fn next_change(changes: &mut Option<ChangeStream>, rested: Instant) -> Option<Change> {
    sleep_until(rested).await;
    if let Some(watch) = changes {
        match watch.next().await {
            Some(change) => return Some(change),
            None => *changes = None,
        }
    }
    std::future::pending().await
}

/// Reads lists again.
async fn refresh(
    set: &UpstreamSet,
    handle: &ConnectorHandle,
    link: &Upstream,
    changes: &[Change],
) -> Result<()> {
    let Some(listed) = handle.listed() else { return Ok(()) };
    let mut lists = listed.lists.clone();
    let source = ListSource { link, connector: &handle.settings.name, limits: &set.context.limits };
    source.refresh(&mut lists, changes).await?;
    handle.list(lists);
    set.remember(handle);
    set.rebuild();
    set.publish();
    Ok(())
}

/// Returns a random number from 0 to 1 (exclusive).
fn spread() -> f64 {
    let mut bytes = [0u8; 4];
    // Without randomness, all hubs try again at the same time, which is acceptable.
    let _ = SystemRandom::new().fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
