//! The hub: a service, and an object whose connectors can be changed while it runs.

use std::sync::Arc;

use loggia::Service;
use loggia::changes::ChangeSubscription;
use loggia::exchange::Exchange;
use loggia::model::{Implementation, SubscriptionFilter, Tool};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Request};
use loggia::wire::RpcError;
use loggia::wire::header::ParamHeaders;
use tokio::sync::watch;

use crate::connector::Connector;
use crate::connector_manager::ConnectorManager;
use crate::connector_set::{ConnectorSetChange, ConnectorSetError};
use crate::limits::HubLimits;
use crate::memory::HubMemory;
use crate::report::ConnectorReport;
use crate::router::Router;
use crate::status::ConnectorStatus;
use crate::suspended_address::ReplicaId;
use crate::upstream_context::UpstreamContext;
use crate::upstream_set::UpstreamSet;

/// Many connectors as one server.
///
/// Connectors can be added, replaced and removed while the hub runs. A change applies as a whole or not at all, and
/// does not affect requests to other connectors. Clients are notified of the lists that changed. Running requests to
/// a removed or changed connector may continue for [`HubLimits::removal_timeout`]; then they fail with an error that names
/// the connector, and its connections, processes and sessions end.
pub struct Hub {
    set: Arc<UpstreamSet>,
    router: Router,
    manager: ConnectorManager,
}

impl Hub {
    /// Starts to connect to `connectors` and returns at once. Needs a tokio runtime.
    ///
    /// Fails if names or prefixes are not valid or not unique.
    pub fn start(
        identity: Implementation,
        connectors: Vec<Connector>,
        limits: HubLimits,
    ) -> Result<Arc<Hub>, ConnectorSetError> {
        Hub::start_with_memory(identity, connectors, limits, HubMemory::none())
    }

    /// Starts like [`Hub::start`], with the lists of an earlier run. They are shown until a connector is connected,
    /// and are then replaced by its current lists.
    pub fn start_with_memory(
        identity: Implementation,
        connectors: Vec<Connector>,
        limits: HubLimits,
        memory: HubMemory,
    ) -> Result<Arc<Hub>, ConnectorSetError> {
        let context = UpstreamContext::new(identity, limits, memory, ReplicaId::random());
        let set = Arc::new(UpstreamSet::new(context));
        let manager = ConnectorManager::new(set.clone());
        manager.apply(connectors)?;
        Ok(Arc::new(Hub { router: Router::new(set.clone()), set, manager }))
    }

    /// Replaces the connectors by `connectors`. A connector with the same settings for connecting keeps its
    /// connection, process, lists and suspended calls ([`Connector::revision`]), also if its prefix, names or filter
    /// change.
    ///
    /// If these settings changed, the earlier lists are shown until the first attempt to connect ends.
    ///
    /// Changes nothing and returns the reason if names or prefixes are not valid or not unique. Needs a tokio runtime.
    pub fn apply(&self, connectors: Vec<Connector>) -> Result<ConnectorSetChange, ConnectorSetError> {
        self.manager.apply(connectors)
    }

    /// Adds a connector, after the others. Fails like [`Hub::apply`].
    pub fn add(&self, connector: Connector) -> Result<ConnectorSetChange, ConnectorSetError> {
        self.manager.edit(|connectors| {
            connectors.push(connector);
            Ok(())
        })
    }

    /// Replaces the connector with the same name. Fails like [`Hub::apply`], and if there is none.
    pub fn replace(&self, connector: Connector) -> Result<ConnectorSetChange, ConnectorSetError> {
        self.manager.edit(|connectors| {
            match connectors.iter_mut().find(|present| present.name() == connector.name()) {
                Some(present) => *present = connector,
                None => return Err(ConnectorSetError::UnknownConnector(connector.name().to_owned())),
            }
            Ok(())
        })
    }

    /// Removes the connector `name`. Fails if there is none.
    pub fn remove(&self, name: &str) -> Result<ConnectorSetChange, ConnectorSetError> {
        self.manager.edit(|connectors| {
            let present = connectors.iter().position(|present| present.name() == name);
            connectors.remove(present.ok_or_else(|| ConnectorSetError::UnknownConnector(name.to_owned()))?);
            Ok(())
        })
    }

    /// Returns the id of this replica. The address of each call that it suspends begins with this id
    /// ([`SuspendedCallAddress`](crate::SuspendedCallAddress)).
    pub fn replica_id(&self) -> ReplicaId {
        self.set.context.replica
    }

    /// Returns the status of each connector.
    pub fn status(&self) -> Arc<Vec<ConnectorStatus>> {
        self.set.status()
    }

    /// Returns a receiver of the status of each connector.
    pub fn watch(&self) -> watch::Receiver<Arc<Vec<ConnectorStatus>>> {
        self.set.watch()
    }

    /// Returns the full status of each connector, for the administrator. Do not show it to clients, because reasons
    /// and error output may contain secrets.
    pub fn report(&self) -> Vec<ConnectorReport> {
        self.set.composition().providers.iter().map(|provider| provider.report()).collect()
    }

    /// Returns the names under which the tools of one connector are listed.
    pub fn tool_names(&self, connector: &str) -> Vec<String> {
        let composition = self.set.composition();
        composition.providers.named(connector).map(|provider| provider.tool_names()).unwrap_or_default()
    }

    /// Returns the listed tools of one connector as clients see them.
    pub fn tools(&self, connector: &str) -> Vec<Tool> {
        let composition = self.set.composition();
        composition.providers.named(connector).map(|provider| provider.tools()).unwrap_or_default()
    }

    /// Records that a user ([`People::person`](crate::People::person)) has signed in to a connector. Later calls use
    /// the new credential, and calls that wait for the sign-in continue.
    pub async fn signed_in(&self, connector: &str, person: &str) {
        let composition = self.set.composition_full();
        let Some(provider) = composition.providers.named(connector) else { return };
        let Some(own) = &provider.handle.own else { return };
        own.signed_in(person).await;
        // The lists of the user are announced when they are known.
        let (own, person) = (own.clone(), person.to_owned());
        tokio::spawn(async move { drop(own.link(&person).await) });
    }

    /// Waits until the hub has tried to connect to every connector.
    pub async fn tried(&self) {
        self.set.tried().await;
    }

    /// Ends every subscription and every connection to an upstream, and waits until they have ended. Changes of
    /// connectors are refused afterwards.
    pub async fn close(&self) {
        self.set.end_subscriptions();
        self.manager.close().await;
    }
}

impl Service for Hub {
    fn describe(&self) -> Arc<Description> {
        self.set.composition().table.description().clone()
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        Box::pin(self.router.call(request, exchange))
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        Box::pin(async move { Ok(self.router.resources.listen(filter)) })
    }

    fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        self.set.composition().table.param_headers(tool)
    }
}
