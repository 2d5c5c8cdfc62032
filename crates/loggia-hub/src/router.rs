//! Routes requests: lists come from the snapshot, other requests go to the connector that their name or URI belongs
//! to.

use std::sync::Arc;

use futures_util::future::join_all;
use loggia::exchange::Exchange;
use loggia::model::{CallToolResult, CompleteResult, PageParams, ServerResult};
use loggia::service::{Outcome, Principal, Reply, Request, SharedResult};
use loggia::wire::{Method, RawObject, RpcError};

use crate::composition::ComponentTarget;
use crate::dispatcher::Dispatcher;
use crate::list_snapshot::ListSnapshot;
use crate::providers::UnlistedComponent;
use crate::refusal::{MAX_ROUTINGS, Refusal};
use crate::request_params::{invalid_params, required_text};
use crate::resource_router::ResourceRouter;
use crate::routing_table::RoutingTable;
use crate::transform::ComponentKind;
use crate::transformed_call::TransformedCall;
use crate::upstream_set::UpstreamSet;

/// Routes the requests of clients to the connectors of a hub.
pub(crate) struct Router {
    set: Arc<UpstreamSet>,
    dispatcher: Arc<Dispatcher>,
    pub(crate) resources: ResourceRouter,
}

/// The decision for a request by name.
enum ComponentRoute {
    /// A component of a connector.
    Component(ComponentTarget),
    /// The hub's own sign-in tool for a connector.
    SignIn(ComponentTarget),
}

impl Router {
    /// Creates a router for the connectors of `set`.
    pub(crate) fn new(set: Arc<UpstreamSet>) -> Router {
        let dispatcher = Arc::new(Dispatcher::new(set.clone()));
        Router { resources: ResourceRouter::new(set.clone(), dispatcher.clone()), set, dispatcher }
    }

    /// Answers one request.
    pub(crate) async fn call(&self, request: Request, exchange: Exchange) -> Outcome {
        match &request.method {
            Method::ListTools => self.page(&request, RoutingTable::tool_page).await,
            Method::ListPrompts => self.page(&request, RoutingTable::prompt_page).await,
            Method::ListResources => self.page(&request, RoutingTable::resource_page).await,
            Method::ListResourceTemplates => self.page(&request, RoutingTable::template_page).await,
            Method::CallTool => self.call_tool(request, exchange).await,
            Method::GetPrompt => {
                self.call_component(ComponentKind::Prompt, request, exchange).await.map_err(RpcError::from)
            }
            Method::ReadResource => self.resources.read(request, exchange).await,
            Method::Complete => self.complete(request, exchange).await,
            other => Err(RpcError::method_not_found(other.as_str())),
        }
    }

    async fn page(
        &self,
        request: &Request,
        page: fn(&RoutingTable, Option<&str>) -> Result<Arc<SharedResult>, RpcError>,
    ) -> Outcome {
        let params: PageParams = request.params.decode().map_err(invalid_params)?;
        self.set.settle().await;
        self.set.refresh_old_lists();
        let has_user_lists = self.set.composition().providers.has_user_connections();
        if let Some(principal) = request.principal.as_ref().filter(|_| has_user_lists)
            && let Some(table) = Box::pin(self.table_of_user(principal)).await
        {
            return page(&table, params.cursor.as_deref()).map(Reply::Shared);
        }
        page(&self.set.composition().table, params.cursor.as_deref()).map(Reply::Shared)
    }

    /// Returns the routing table with the lists of a user's own connections; `None` if the user has only the common
    /// lists.
    async fn table_of_user(&self, principal: &Principal) -> Option<RoutingTable> {
        let composition = self.set.composition_full();
        let reads = composition.providers.iter().map(|provider| async {
            let own = provider.handle.own.as_ref()?;
            own.listed(&own.people.person(principal)).await
        });
        let own: Vec<Option<Arc<ListSnapshot>>> = join_all(reads).await;
        if own.iter().all(Option::is_none) {
            return None;
        }
        let common = composition.providers.iter();
        let listed: Vec<_> =
            common.zip(own).map(|(provider, own)| own.or_else(|| provider.handle.listed())).collect();
        let context = &self.set.context;
        Some(composition.providers.table(&listed, &context.identity, &context.limits))
    }

    async fn call_tool(&self, request: Request, exchange: Exchange) -> Outcome {
        match self.call_component(ComponentKind::Tool, request, exchange).await {
            Err(Refusal::Unavailable(why)) => Ok(unavailable(why)),
            Err(Refusal::Unsent(unsent)) => Ok(unavailable(unsent.why)),
            Err(Refusal::Rpc(error)) => Err(error),
            Ok(reply) => Ok(reply),
        }
    }

    async fn call_component(
        &self,
        kind: ComponentKind,
        mut request: Request,
        mut exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let name = required_text(request.params.name(), "name")?.into_owned();
        let mut routings = 0;
        loop {
            routings += 1;
            match self.route_component(kind, &name, request, exchange).await {
                Err(Refusal::Unsent(unsent)) if routings < MAX_ROUTINGS => {
                    (request, exchange) = (unsent.request, unsent.exchange);
                }
                outcome => return outcome,
            }
        }
    }

    async fn route_component(
        &self,
        kind: ComponentKind,
        name: &str,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let listed = self.set.find(|composition| composition.target(kind, name)).await;
        let route = match listed {
            Some(target) => ComponentRoute::Component(target),
            // The future is boxed, so that a call of a listed component does not contain its state.
            None => Box::pin(self.route_unlisted(kind, name, &request)).await?,
        };
        match route {
            ComponentRoute::Component(ComponentTarget { handle, name, rewrite: None }) => {
                self.dispatcher.send(&handle, renamed(request, &name)?, exchange).await
            }
            // Boxed, so that a call of another tool does not contain its state.
            ComponentRoute::Component(ComponentTarget { handle, name: own, rewrite: Some(rewrite) }) => {
                let call = TransformedCall::new(&self.dispatcher, &handle, rewrite, name);
                Box::pin(call.run(renamed(request, &own)?, exchange)).await
            }
            ComponentRoute::SignIn(target) => {
                self.dispatcher.sign_in(&target.handle, request, exchange).await
            }
        }
    }

    /// Routes a name that is in no list. If a connector that is being connected may list it, waits for this
    /// connector. If lists differ by user, the connector decides.
    async fn route_unlisted(
        &self,
        kind: ComponentKind,
        name: &str,
        request: &Request,
    ) -> Result<ComponentRoute, Refusal> {
        for _ in 0..MAX_ROUTINGS {
            match self.unlisted(kind, name) {
                Some((target, true)) => return Ok(ComponentRoute::SignIn(target)),
                Some((target, false)) if target.handle.own.is_some() => {
                    return Ok(ComponentRoute::Component(self.reviewed(kind, target, request).await));
                }
                Some((target, false)) if !self.dispatcher.connected(&target.handle, request).await? => {}
                Some(_) | None => break,
            }
        }
        let listed = self.set.composition().target(kind, name);
        let unknown = || RpcError::invalid_params(format!("Unknown {kind}: {name}")).into();
        listed.map(ComponentRoute::Component).ok_or_else(unknown)
    }

    /// Holds a tool of a user's own connection back, if the review of its connector does not approve its definition.
    async fn reviewed(
        &self,
        kind: ComponentKind,
        target: ComponentTarget,
        request: &Request,
    ) -> ComponentTarget {
        let composition = self.set.composition_full();
        let provider = composition.providers.named(&target.handle.settings.name);
        let provider = provider.filter(|provider| kind == ComponentKind::Tool && provider.review.is_some());
        let (Some(provider), Some(own), Some(principal)) = (provider, &target.handle.own, &request.principal)
        else {
            return target;
        };
        let listed = own.listed(&own.people.person(principal)).await;
        let tools = listed.as_ref().map(|listed| listed.lists.tools.as_slice()).unwrap_or_default();
        let tool = tools.iter().find(|tool| *tool.name == *target.name);
        match tool.and_then(|tool| provider.withheld(tool)) {
            Some(refusing) => ComponentTarget { rewrite: Some(refusing), ..target },
            None => target,
        }
    }

    /// Returns the component that may be listed as `name`, and whether it is the hub's own sign-in tool.
    fn unlisted(&self, kind: ComponentKind, name: &str) -> Option<(ComponentTarget, bool)> {
        let composition = self.set.composition();
        let UnlistedComponent { provider, name } = composition.providers.unlisted(kind, name)?;
        let is_sign_in = name.is_none();
        let name = name.unwrap_or_default();
        let rewrite = match kind {
            ComponentKind::Tool => provider.tool_transforms.get(&name),
            ComponentKind::Prompt => None,
        };
        let name = name.as_str().into();
        Some((ComponentTarget { handle: provider.handle.clone(), name, rewrite }, is_sign_in))
    }

    async fn complete(&self, request: Request, exchange: Exchange) -> Outcome {
        let members = RawObject::of(&request.params).map_err(invalid_params)?;
        let reference =
            members.value("ref").ok_or_else(|| RpcError::invalid_params("params.ref is missing"))?;
        let (handle, reference) = self.resources.completion_target(&reference)?;
        let params = members.replaced("ref", reference.as_bytes());
        let completes = handle.capabilities().is_some_and(|c| c.completions.is_some());
        if !completes && handle.status().is_up() {
            return Ok(Reply::from(ServerResult::from(CompleteResult::default())));
        }
        let request = Request { params: params.into(), ..request };
        self.dispatcher.send(&handle, request, exchange).await.map_err(RpcError::from)
    }
}

/// Returns the result of a tool that is not available, as text that the model can read and tell the user.
fn unavailable(why: String) -> Reply {
    Reply::from(ServerResult::from(CallToolResult::error(why)))
}

/// Returns the request with the connector's own name of the component.
fn renamed(request: Request, own: &str) -> Result<Request, RpcError> {
    let params = request.params.with_name(own).map_err(invalid_params)?;
    Ok(Request { params, ..request })
}
