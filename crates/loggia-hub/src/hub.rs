//! The hub as a service: lists come from the snapshot, everything else goes to the one upstream it names.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use loggia::changes::{Change, ChangeSubscription, Changes};
use loggia::client::EraMemory;
use loggia::exchange::Exchange;
use loggia::model::{
    CallToolResult, CompleteResult, Implementation, PageParams, ServerResult, SubscriptionFilter,
};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Reply, Request, SharedResult};
use loggia::wire::header::ParamHeaders;
use loggia::wire::{ErrorCode, Method, RpcError};
use loggia::{Error, Service, edge};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::connector::Connector;
use crate::connector_handle::{ConnectorHandle, Hint, Listed, SubscriptionGuard, now};
use crate::limits::HubLimits;
use crate::memory::HubMemory;
use crate::names::{BadName, SEPARATOR, check_connector, exposed, unprefixed};
use crate::pace::StartPace;
use crate::report::ConnectorReport;
use crate::routing_table::{Route, RoutingTable, View, is_sign_in};
use crate::shares::{CallShare, HubShares};
use crate::status::ConnectorStatus;
use crate::supervisor;
use loggia::wire::RawObject;

/// Many connectors as one server.
pub struct Hub {
    shared: Arc<Shared>,
    supervisors: Mutex<JoinSet<()>>,
}

/// The state that the service and the supervisors share.
pub(crate) struct Shared {
    pub(crate) identity: Implementation,
    pub(crate) limits: HubLimits,
    /// Which revision each upstream spoke last: one that was old is not probed again when it returns.
    pub(crate) eras: EraMemory,
    pub(crate) shares: HubShares,
    pub(crate) handles: Vec<Arc<ConnectorHandle>>,
    /// Whether each user signs in to some connector.
    personal: bool,
    pub(crate) directory: ArcSwap<RoutingTable>,
    /// Held while the directory is made anew: never by a request.
    rebuilding: Mutex<()>,
    changes: Changes,
    status: watch::Sender<Arc<Vec<ConnectorStatus>>>,
    /// Paces the starts of processes.
    pub(crate) pace: StartPace,
    pub(crate) memory: HubMemory,
    /// Told when there is something new to remember.
    pub(crate) memory_changed: Notify,
    /// Until when requests wait for connectors that were not tried yet.
    settles_at: Instant,
    settled: AtomicBool,
}

impl Hub {
    /// Starts to connect to `connectors` and returns at once. Needs a tokio runtime.
    ///
    /// Fails where two connectors share a prefix, or one has a name that cannot be a prefix.
    pub fn start(
        identity: Implementation,
        connectors: Vec<Connector>,
        limits: HubLimits,
    ) -> Result<Arc<Hub>, BadName> {
        Hub::start_with_memory(identity, connectors, limits, HubMemory::none())
    }

    /// Starts like [`Hub::start`], with the lists of an earlier run. They are shown until a connector is connected,
    /// and replaced by what it lists then.
    pub fn start_with_memory(
        identity: Implementation,
        connectors: Vec<Connector>,
        limits: HubLimits,
        memory: HubMemory,
    ) -> Result<Arc<Hub>, BadName> {
        for (at, connector) in connectors.iter().enumerate() {
            check_connector(&connector.prefix)?;
            if connectors[..at].iter().any(|other| other.prefix == connector.prefix) {
                return Err(BadName(format!("{} (twice)", connector.prefix)));
            }
            if connector.unprefixed && connectors[..at].iter().any(|other| other.unprefixed) {
                return Err(BadName(" (twice)".to_owned()));
            }
        }
        let handle = |(index, connector): (usize, Connector)| {
            let remembered = connector.remembered(&memory);
            ConnectorHandle::new(index, connector, remembered)
        };
        let (handles, hints): (Vec<_>, Vec<_>) = connectors.into_iter().enumerate().map(handle).unzip();
        let eras = EraMemory::new();
        memory.servers().into_iter().for_each(|known| eras.restore(known));
        let directory = ArcSwap::from_pointee(Shared::merged(&handles, &identity, &limits));
        let shared = Arc::new(Shared {
            status: watch::Sender::new(Arc::new(handles.iter().map(|handle| handle.status()).collect())),
            settles_at: Instant::now() + limits.settle,
            settled: AtomicBool::new(false),
            pace: StartPace::new(limits.starts, limits.start_turn),
            memory,
            memory_changed: Notify::new(),
            personal: handles.iter().any(|handle| handle.own.is_some()),
            shares: HubShares::new(&limits, handles.len()),
            identity,
            limits,
            eras,
            handles,
            directory,
            rebuilding: Mutex::new(()),
            changes: Changes::new(),
        });
        let mut supervisors = JoinSet::new();
        for (handle, hints) in shared.handles.iter().zip(hints) {
            // Its lines in the log name the connector, whichever module writes them.
            let span = tracing::error_span!("connector", name = handle.connector.name);
            match handle.own {
                Some(_) => {
                    supervisors.spawn(supervisor::run_own(shared.clone(), handle.clone()).instrument(span))
                }
                None => {
                    supervisors.spawn(supervisor::run(shared.clone(), handle.clone(), hints).instrument(span))
                }
            };
        }
        supervisors.spawn(supervisor::remember(shared.clone()));
        Ok(Arc::new(Hub { shared, supervisors: Mutex::new(supervisors) }))
    }

    /// Returns the status of each connector.
    pub fn status(&self) -> Arc<Vec<ConnectorStatus>> {
        self.shared.status.borrow().clone()
    }

    /// Returns a receiver of the status of each connector.
    pub fn watch(&self) -> watch::Receiver<Arc<Vec<ConnectorStatus>>> {
        self.shared.status.subscribe()
    }

    /// Returns the full status of each connector for the administrator: reasons and error output may hold details that no
    /// client may see.
    pub fn report(&self) -> Vec<ConnectorReport> {
        self.shared.handles.iter().map(|handle| handle.report()).collect()
    }

    /// The tools of one connector, as they are listed.
    pub fn tool_names(&self, connector: &str) -> Vec<String> {
        let of = self.shared.handles.iter().find(|handle| handle.connector.name == connector);
        let Some((handle, listed)) = of.and_then(|handle| Some((handle, handle.listed()?))) else {
            return Vec::new();
        };
        let shown = listed.catalog.tools.iter().filter(|tool| (handle.connector.shows)(&tool.name));
        shown.map(|tool| self.shared.listed_name(handle, &tool.name)).collect()
    }

    /// A person ([`People::person`](crate::People::person)) has signed in to a connector: from now on that is
    /// what their calls go with, and those that wait for it go on.
    pub async fn signed_in(&self, connector: &str, person: &str) {
        for handle in self.shared.handles.iter().filter(|handle| handle.connector.name == connector) {
            let Some(own) = &handle.own else { continue };
            own.signed_in(person).await;
            // What is there for them now is announced as soon as it is known.
            let (shared, handle, person) = (self.shared.clone(), handle.clone(), person.to_owned());
            tokio::spawn(async move {
                if let Some(own) = &handle.own {
                    drop(own.link(&shared, &handle, &person).await);
                }
            });
        }
    }

    /// Waits until every connector has been tried once.
    pub async fn tried(&self) {
        self.shared.tried().await;
    }

    /// Ends every subscription and every connection to an upstream, and waits until they have ended.
    pub async fn close(&self) {
        self.shared.changes.close();
        let mut supervisors =
            std::mem::take(&mut *self.supervisors.lock().unwrap_or_else(PoisonError::into_inner));
        supervisors.shutdown().await;
        let links = self.shared.handles.iter().map(|handle| handle.close());
        join_all(links).await;
        self.shared.write_memory().await;
    }
}

impl Service for Hub {
    fn describe(&self) -> Arc<Description> {
        self.shared.directory.load().description().clone()
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        Box::pin(self.shared.call(request, exchange))
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        Box::pin(async move { Ok(self.shared.listen(filter)) })
    }

    fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        self.shared.directory.load().param_headers(tool)
    }
}

impl Shared {
    /// The routing table without connections of single users.
    fn merged(
        handles: &[Arc<ConnectorHandle>],
        identity: &Implementation,
        limits: &HubLimits,
    ) -> RoutingTable {
        let listed: Vec<_> = handles.iter().map(|handle| handle.listed()).collect();
        Shared::merge(handles, &listed, identity, limits)
    }

    fn merge(
        handles: &[Arc<ConnectorHandle>],
        listed: &[Option<Arc<Listed>>],
        identity: &Implementation,
        limits: &HubLimits,
    ) -> RoutingTable {
        let unlisted: Vec<_> = handles.iter().map(|handle| handle.last_listed()).collect();
        let views: Vec<View<'_>> = handles
            .iter()
            .zip(listed)
            .zip(&unlisted)
            .map(|((handle, listed), unlisted)| View {
                prefix: &handle.connector.prefix,
                unprefixed: handle.connector.unprefixed,
                catalog: listed.as_ref().map(|listed| &listed.catalog),
                unlisted: unlisted.as_ref().map(|listed| &listed.catalog),
                shows: &*handle.connector.shows,
                sign_in: handle.own.is_some().then_some(&*handle.connector.name),
            })
            .collect();
        RoutingTable::of(&views, identity, limits)
    }

    async fn tried(&self) {
        let mut status = self.status.subscribe();
        // An error would mean that the hub is gone.
        let _ = status.wait_for(|all| all.iter().all(|status| status.tried)).await;
    }

    /// Waits for the connectors of which nothing is known yet, for a short while after the start.
    pub(crate) async fn settle(&self) {
        if !self.settled.load(Ordering::Relaxed) {
            let mut status = self.status.subscribe();
            let known = status.wait_for(|all| all.iter().all(|status| status.tried || status.remembered));
            // Running out of time is an end like the other.
            let _ = tokio::time::timeout_at(self.settles_at, known).await;
            self.settled.store(true, Ordering::Relaxed);
        }
    }

    /// Looks something up; where it is not there yet, again when the hub has settled.
    pub(crate) async fn find<T>(&self, find: impl Fn(&RoutingTable) -> Option<T>) -> Option<T> {
        if let Some(found) = find(&self.directory.load()) {
            return Some(found);
        }
        self.settle().await;
        find(&self.directory.load())
    }

    /// Makes the directory anew and announces the lists that changed with it.
    pub(crate) fn rebuild(&self) {
        let _alone = self.rebuilding.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Arc::new(Shared::merged(&self.handles, &self.identity, &self.limits));
        let before = self.directory.swap(next.clone());
        next.changes_since(&before).into_iter().for_each(|change| self.changes.announce(change));
    }

    /// Lists have changed for somebody.
    pub(crate) fn announce(&self, change: Change) {
        self.changes.announce(change);
    }

    /// Makes the state of the connectors visible.
    pub(crate) fn publish(&self) {
        let all: Vec<ConnectorStatus> = self.handles.iter().map(|handle| handle.status()).collect();
        self.status.send_if_modified(|shown| {
            let changed = **shown != all;
            if changed {
                *shown = Arc::new(all);
            }
            changed
        });
    }

    /// A connector announced that one of its resources changed.
    pub(crate) fn resource_changed(&self, handle: &ConnectorHandle, uri: &str) {
        let directory = self.directory.load();
        for name in directory.names_of(handle.index, &handle.connector.prefix, uri) {
            self.changes.resource(name);
        }
    }

    fn listen(&self, filter: SubscriptionFilter) -> ChangeSubscription {
        let directory = self.directory.load_full();
        let mut by_slot: Vec<Vec<String>> = vec![Vec::new(); self.handles.len()];
        let accepted: Vec<String> = filter
            .resource_subscriptions
            .into_iter()
            .flatten()
            .filter(|uri| match directory.resource(uri) {
                Some(route)
                    if self.subscribable(route.connector)
                        && self.starting_before(route.depends_on).is_none() =>
                {
                    by_slot[route.connector].push(route.uri.into_owned());
                    true
                }
                _ => false,
            })
            .collect();
        let wants: Vec<SubscriptionGuard> = self
            .handles
            .iter()
            .zip(by_slot)
            .filter(|(_, uris)| !uris.is_empty())
            .map(|(handle, uris)| handle.want(uris))
            .collect();
        let accepted = SubscriptionFilter {
            tools_list_changed: filter.tools_list_changed,
            prompts_list_changed: filter.prompts_list_changed,
            resources_list_changed: filter.resources_list_changed,
            resource_subscriptions: (!accepted.is_empty()).then_some(accepted),
            ..SubscriptionFilter::default()
        };
        self.changes.listen(accepted).keeping(wants)
    }

    fn subscribable(&self, connector: usize) -> bool {
        let capabilities = self.handles[connector].capabilities();
        capabilities.and_then(|c| c.resources).is_some_and(|resources| resources.subscribe == Some(true))
    }

    async fn call(&self, request: Request, exchange: Exchange) -> Outcome {
        match &request.method {
            Method::ListTools => self.page(&request, RoutingTable::tool_page).await,
            Method::ListPrompts => self.page(&request, RoutingTable::prompt_page).await,
            Method::ListResources => self.page(&request, RoutingTable::resource_page).await,
            Method::ListResourceTemplates => self.page(&request, RoutingTable::template_page).await,
            Method::CallTool => self.call_tool(request, exchange).await,
            Method::GetPrompt => self.get_prompt(request, exchange).await,
            Method::ReadResource => self.read_resource(request, exchange).await,
            Method::Complete => self.complete(request, exchange).await,
            other => Err(RpcError::method_not_found(other.as_str())),
        }
    }

    async fn page(
        &self,
        request: &Request,
        page: fn(&RoutingTable, Option<&str>) -> Result<Arc<SharedResult>, RpcError>,
    ) -> Outcome {
        let params: PageParams = request.params.decode().map_err(invalid)?;
        self.settle().await;
        self.look_again();
        if let Some(principal) = request.principal.as_ref().filter(|_| self.personal)
            && let Some(directory) = Box::pin(self.seen_by(principal)).await
        {
            return page(&directory, params.cursor.as_deref()).map(Reply::Shared);
        }
        page(&self.directory.load(), params.cursor.as_deref()).map(Reply::Shared)
    }

    /// Lists of upstreams that announce no changes are read again when somebody asks and they are old. Who
    /// asks gets what is known, and is told when it changes.
    fn look_again(&self) {
        for handle in &self.handles {
            let Some(listed) = handle.listed() else { continue };
            let age = now().saturating_duration_since(listed.read_at);
            if age >= self.limits.refresh_after && !listed.catalog.announces() {
                handle.hint(Hint::Stale);
            }
        }
    }

    /// The directory with what somebody has for themselves, read over their own connections; `None` where they
    /// have nothing else than everybody.
    async fn seen_by(&self, principal: &Principal) -> Option<RoutingTable> {
        let looks = self.handles.iter().map(|handle| async move {
            let own = handle.own.as_ref()?;
            own.listed(self, handle, &own.people.person(principal)).await
        });
        let own: Vec<Option<Arc<Listed>>> = join_all(looks).await;
        if own.iter().all(Option::is_none) {
            return None;
        }
        let listed: Vec<_> =
            self.handles.iter().zip(own).map(|(handle, own)| own.or_else(|| handle.listed())).collect();
        Some(Shared::merge(&self.handles, &listed, &self.identity, &self.limits))
    }

    async fn call_tool(&self, request: Request, exchange: Exchange) -> Outcome {
        match self.call_named(request, exchange, "tool", RoutingTable::tool).await {
            // The model can read this, and tell the person.
            Err(Refusal::Unavailable(why)) => Ok(Reply::from(ServerResult::from(CallToolResult::error(why)))),
            Err(Refusal::Rpc(error)) => Err(error),
            Ok(reply) => Ok(reply),
        }
    }

    async fn get_prompt(&self, request: Request, exchange: Exchange) -> Outcome {
        self.call_named(request, exchange, "prompt", RoutingTable::prompt).await.map_err(RpcError::from)
    }

    async fn call_named(
        &self,
        request: Request,
        exchange: Exchange,
        what: &str,
        find: for<'d> fn(&'d RoutingTable, &str) -> Option<&'d Route>,
    ) -> Result<Reply, Refusal> {
        let name = required(request.params.name(), "name")?.into_owned();
        let found = |directory: &RoutingTable| find(directory, &name).cloned();
        let mut route = self.find(found).await;
        if route.is_none()
            && let Some((handle, own_name)) = self.unlisted(&name)
        {
            if let Some(own) = &handle.own {
                let is_sign_in = what == "tool" && is_sign_in(&handle.connector.prefix, &name);
                let may = what != "tool" || is_sign_in || (handle.connector.shows)(own_name);
                return match is_sign_in {
                    _ if !may => Err(RpcError::invalid_params(format!("Unknown {what}: {name}")).into()),
                    true => {
                        let _share = self.share(handle, &request)?;
                        Box::pin(self.sign_in(handle, own, request, exchange)).await
                    }
                    // Each user may have tools that are not in the common list.
                    false => self.relay(handle.index, renamed(request, own_name)?, exchange).await,
                };
            }
            // It may have the thing, and is just being connected to.
            let _share = self.share(handle, &request)?;
            handle.link(self.limits.patience).await.map_err(Refusal::Unavailable)?;
            route = found(&self.directory.load());
        }
        let route = route.ok_or_else(|| RpcError::invalid_params(format!("Unknown {what}: {name}")))?;
        let request = renamed(request, &route.name)?;
        self.relay(route.connector, request, exchange).await
    }

    /// Returns the connector that may list `name`, where its lists are not known or differ by user, and the name there.
    /// A tool has no other name than the listed one, which access rules judge.
    fn unlisted<'n>(&self, name: &'n str) -> Option<(&Arc<ConnectorHandle>, &'n str)> {
        let prefixed =
            |handle: &ConnectorHandle| name.strip_prefix(&*handle.connector.prefix)?.strip_prefix(SEPARATOR);
        let prefixed = self.handles.iter().filter_map(|handle| Some((handle, prefixed(handle)?)));
        let unprefixed =
            self.handles.iter().filter(|handle| handle.connector.unprefixed).map(|handle| (handle, name));
        let is_listed = |(handle, own_name): &(&Arc<ConnectorHandle>, &str)| {
            is_sign_in(&handle.connector.prefix, name) || self.listed_name(handle, own_name) == name
        };
        let (handle, own_name) = prefixed.chain(unprefixed).find(is_listed)?;
        let unknown = handle.own.is_some() || handle.listed().is_none_or(|listed| listed.remembered);
        unknown.then_some((handle, own_name))
    }

    /// The name under which `name` of a connector is listed.
    fn listed_name(&self, handle: &ConnectorHandle, name: &str) -> String {
        let prefix = &handle.connector.prefix;
        let is_others = |first: &str| {
            self.handles.iter().any(|other| other.index != handle.index && other.connector.prefix == first)
        };
        match handle.connector.unprefixed {
            true => unprefixed(prefix, name, is_others),
            false => exposed(prefix, name),
        }
    }

    async fn complete(&self, request: Request, exchange: Exchange) -> Outcome {
        let members = RawObject::of(&request.params).map_err(invalid)?;
        let reference =
            members.value("ref").ok_or_else(|| RpcError::invalid_params("params.ref is missing"))?;
        let directory = self.directory.load_full();
        let (connector, reference) = self.completion_route(&directory, &reference)?;
        let params = members.replaced("ref", reference.as_bytes());
        let completes = self.handles[connector].capabilities().is_some_and(|c| c.completions.is_some());
        if !completes && self.handles[connector].status().is_up() {
            return Ok(Reply::from(ServerResult::from(CompleteResult::default())));
        }
        let request = Request { params: params.into(), ..request };
        self.relay(connector, request, exchange).await.map_err(RpcError::from)
    }

    /// Sends a request to one upstream.
    pub(crate) async fn relay(
        &self,
        connector: usize,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let handle = &self.handles[connector];
        let reply = self.send_in_share(handle, request, exchange).await;
        handle.counts.add(reply.is_err());
        reply
    }

    /// Sends a request to one upstream within the shares of the connector and the caller.
    async fn send_in_share(
        &self,
        handle: &ConnectorHandle,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let _share = self.share(handle, &request)?;
        let caller = request.principal.clone();
        match self.send(handle, request, exchange).await? {
            Reply::Raw(relayed) => {
                let (index, name) = (handle.index, &handle.connector.name);
                self.shares.result(index, name, caller.as_deref(), relayed).map(Reply::Raw)
            }
            reply => Ok(reply),
        }
    }

    async fn send(
        &self,
        handle: &ConnectorHandle,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        if let Some(own) = &handle.own {
            return Box::pin(self.relay_own(handle, own, request, exchange)).await;
        }
        let link = handle.link(self.limits.patience).await.map_err(Refusal::Unavailable)?;
        match link.call(request, exchange).await {
            Ok(outcome) => outcome.map_err(Refusal::Rpc),
            Err(error) => Err(refusal(handle, error)),
        }
    }

    /// Makes room for one more call to a connector, among those of others.
    fn share(&self, handle: &ConnectorHandle, request: &Request) -> Result<CallShare, Refusal> {
        self.shares.call(handle.index, &handle.connector.name, request.principal.as_deref())
    }
}

/// Why a relayed request has no result.
pub(crate) enum Refusal {
    /// The upstream says so.
    Rpc(RpcError),
    /// The upstream says nothing.
    Unavailable(String),
}

impl From<RpcError> for Refusal {
    fn from(error: RpcError) -> Refusal {
        Refusal::Rpc(error)
    }
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> RpcError {
        match refusal {
            Refusal::Rpc(error) => error,
            Refusal::Unavailable(why) => RpcError::new(ErrorCode::INTERNAL_ERROR, why),
        }
    }
}

/// Returns the error for a client whose upstream gave no answer. The detail goes to the log.
pub(crate) fn refusal(handle: &ConnectorHandle, error: Error) -> Refusal {
    let name = &handle.connector.name;
    let reference = edge::correlation_id();
    tracing::warn!(connector = name, %error, reference, "a request to the connector failed");
    Refusal::Unavailable(match error {
        Error::Timeout(details) => format!(
            "The connector {name:?} gave no answer within {} s. It may still be working on the request.",
            details.after.as_secs()
        ),
        Error::TooLarge(most) => format!(
            "The connector {name:?} answered with more than {most} bytes, the limit (reply_bytes). Ask for less."
        ),
        Error::Unauthorized(_) => format!(
            "The connector {name:?} is not authorized at its service: its credentials in Loggia's configuration are \
             missing, wrong or expired."
        ),
        Error::Protocol(_) | Error::Configuration(_) | Error::NoCommonVersion { .. } => {
            format!(
                "The connector {name:?} gave an answer that makes no sense (reference {reference} in Loggia's log)."
            )
        }
        _ => {
            handle.hint(Hint::Suspect);
            format!(
                "The connection to the connector {name:?} failed during this request; whether it had an effect is not \
                 known. Loggia connects again by itself (reference {reference} in its log)."
            )
        }
    })
}

pub(crate) fn invalid(error: serde_json::Error) -> RpcError {
    RpcError::invalid_params(format!("Invalid params: {error}"))
}

/// A text that every request of its kind has.
pub(crate) fn required<'p>(text: Option<Cow<'p, str>>, name: &str) -> Result<Cow<'p, str>, RpcError> {
    text.ok_or_else(|| RpcError::invalid_params(format!("params.{name} must be a string")))
}

/// The same request for the upstream's own name of the thing.
fn renamed(request: Request, own: &str) -> Result<Request, RpcError> {
    let params = request.params.with_name(own).map_err(invalid)?;
    Ok(Request { params, ..request })
}
