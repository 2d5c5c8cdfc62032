//! The snapshot that every request reads: the connectors of the hub, and the routes that were built from their lists.
//!
//! Invariant: routes and connectors are of the same moment. An index in a route is valid only in the composition of
//! the route.

use std::sync::Arc;

use loggia::model::Implementation;

use crate::connector_handle::ConnectorHandle;
use crate::limits::HubLimits;
use crate::providers::ProviderList;
use crate::routing_table::{Route, RoutingTable, ToolRoute};
use crate::tool_rewrite::ToolRewrite;
use crate::transform::ComponentKind;

/// The connectors of the hub and their routes.
pub(crate) struct Composition {
    pub(crate) providers: Arc<ProviderList>,
    pub(crate) table: RoutingTable,
}

/// A component of a connector: the target of a request by name.
pub(crate) struct ComponentTarget {
    pub(crate) handle: Arc<ConnectorHandle>,
    /// The name that the connector uses.
    pub(crate) name: Arc<str>,
    /// The rewriting of a tool; `None` for a tool that is relayed as bytes.
    pub(crate) rewrite: Option<ToolRewrite>,
}

impl Composition {
    /// Creates a composition: builds the routes of `providers` from their common lists.
    pub(crate) fn new(
        providers: Arc<ProviderList>,
        identity: &Implementation,
        limits: &HubLimits,
    ) -> Composition {
        let table = providers.common_table(identity, limits);
        Composition { providers, table }
    }

    /// Returns the component that is listed as `name`.
    pub(crate) fn target(&self, kind: ComponentKind, name: &str) -> Option<ComponentTarget> {
        let (Route { connector, name }, rewrite) = match kind {
            ComponentKind::Tool => {
                let ToolRoute { route, rewrite, .. } = self.table.tool(name)?;
                (route, rewrite.clone())
            }
            ComponentKind::Prompt => (self.table.prompt(name)?, None),
        };
        Some(ComponentTarget { handle: self.handle(*connector).clone(), name: name.clone(), rewrite })
    }

    /// Returns the connector with the index of a route.
    pub(crate) fn handle(&self, connector: usize) -> &Arc<ConnectorHandle> {
        &self.providers.at(connector).handle
    }
}
