//! The connectors of a hub at one moment, each with the names of its exposed components.
//!
//! A list of providers is immutable: a change of the hub's connectors creates another one.

use std::collections::BTreeSet;
use std::sync::Arc;

use loggia::changes::Change;
use loggia::model::{Implementation, Tool};

use crate::connector::Exposure;
use crate::connector_handle::ConnectorHandle;
use crate::connector_view::ConnectorView;
use crate::limits::HubLimits;
use crate::list_entry::ListEntry;
use crate::list_snapshot::ListSnapshot;
use crate::report::ConnectorReport;
use crate::routing_builder::{RoutingTableBuilder, is_sign_in};
use crate::routing_table::RoutingTable;
use crate::status::ConnectorStatus;
use crate::tool_review::{ToolReview, withheld};
use crate::tool_rewrite::{ToolRewrite, ToolTransformMap};
use crate::transform::{ComponentKind, PrefixTransform, Transform, TransformChain};
use crate::upstream_lists::UpstreamLists;

/// One connector of the hub.
pub(crate) struct Provider {
    pub(crate) handle: Arc<ConnectorHandle>,
    pub(crate) prefix: Arc<str>,
    unprefixed: bool,
    /// The names under which its tools and prompts are exposed.
    pub(crate) chain: TransformChain,
    /// The transforms of its tools.
    pub(crate) tool_transforms: ToolTransformMap,
    /// The review of its tools.
    pub(crate) review: Option<Arc<dyn ToolReview>>,
}

/// The connectors of a hub, in their order.
pub(crate) struct ProviderList(Vec<Provider>);

/// A component of a connector whose lists are not known, or differ by user.
pub(crate) struct UnlistedComponent<'m> {
    pub(crate) provider: &'m Provider,
    /// The possible name in the connector; `None` for the hub's own sign-in tool.
    pub(crate) name: Option<String>,
}

impl Provider {
    /// Returns the status of the connector.
    pub(crate) fn status(&self) -> ConnectorStatus {
        let mut status = ConnectorStatus { prefix: self.prefix.clone(), ..self.handle.status() };
        if let Some(review) = &self.review
            && let Some(listed) = self.handle.listed()
        {
            let tools: Vec<&Tool> = listed.lists.tools.iter().map(|tool| &tool.value).collect();
            status.problems.extend(review.problem(&tools).map(Arc::from));
        }
        status
    }

    /// Returns the full status of the connector, for the administrator.
    pub(crate) fn report(&self) -> ConnectorReport {
        let deferred_tools = self.handle.listed().map_or(0, |listed| self.deferred(&listed.lists));
        ConnectorReport { status: self.status(), deferred_tools, ..self.handle.report() }
    }

    /// Returns the names of the listed tools.
    pub(crate) fn tool_names(&self) -> Vec<String> {
        let Some(listed) = self.handle.listed() else { return Vec::new() };
        let is_listed = |tool: &&ListEntry<Tool>| {
            self.withheld(tool).is_none() && !self.tool_transforms.is_deferred(&tool.name)
        };
        let names = listed
            .lists
            .tools
            .iter()
            .filter(is_listed)
            .map(|tool| self.chain.expose(ComponentKind::Tool, &tool.name));
        names.flatten().collect()
    }

    /// Returns the number of the tools in `lists` that can be called and are not listed.
    fn deferred(&self, lists: &UpstreamLists) -> usize {
        let is_deferred = |tool: &&ListEntry<Tool>| {
            self.tool_transforms.is_deferred(&tool.name)
                && self.withheld(tool).is_none()
                && self.chain.expose(ComponentKind::Tool, &tool.name).is_some()
        };
        lists.tools.iter().filter(is_deferred).count()
    }

    /// Returns the rewriting of a tool that is held back; `None` for a tool that is served.
    pub(crate) fn withheld(&self, tool: &Tool) -> Option<ToolRewrite> {
        withheld(self.review.as_ref()?, tool)
    }

    /// Returns the listed tools, with their definitions as clients see them.
    pub(crate) fn tools(&self) -> Vec<Tool> {
        let Some(listed) = self.handle.listed() else { return Vec::new() };
        let exposed = listed.lists.tools.iter().filter_map(|tool| {
            let name = self.chain.expose(ComponentKind::Tool, &tool.name)?;
            let definition = self.tool_transforms.definition(tool).unwrap_or_else(|| Tool::clone(tool));
            Some(Tool { name, ..definition })
        });
        exposed.collect()
    }

    /// Returns the lists that change for a user with these lists when `next` replaces this provider; `None` for a
    /// connector without a connection of the user.
    pub(crate) fn changes_to(&self, next: Option<&Provider>, lists: &UpstreamLists) -> Vec<Change> {
        let tools = lists.tools.iter().map(|tool| (ComponentKind::Tool, &*tool.name));
        let prompts = lists.prompts.iter().map(|prompt| (ComponentKind::Prompt, &*prompt.name));
        let changed = tools.chain(prompts).filter(|(kind, name)| {
            let after = next.and_then(|next| next.chain.expose(*kind, name));
            self.chain.expose(*kind, name) != after
        });
        let is_rewritten = lists.tools.iter().any(|tool| {
            let after = next.and_then(|next| next.tool_transforms.definition(tool));
            let is_served = next.is_none_or(|next| next.withheld(tool).is_none());
            let is_deferred = next.is_some_and(|next| next.tool_transforms.is_deferred(&tool.name));
            let was_deferred = self.tool_transforms.is_deferred(&tool.name);
            self.tool_transforms.definition(tool) != after
                || (next.is_some() && was_deferred != is_deferred)
                || self.withheld(tool).is_none() != is_served
        });
        let has_resources = !lists.resources.is_empty() || !lists.templates.is_empty();
        let resources = has_resources && next.is_none_or(|next| next.prefix != self.prefix);
        let named = changed.map(|(kind, _)| match kind {
            ComponentKind::Tool => Change::Tools,
            ComponentKind::Prompt => Change::Prompts,
        });
        let rewritten = is_rewritten.then_some(Change::Tools);
        named.chain(rewritten).chain(resources.then_some(Change::Resources)).collect()
    }

    fn unlisted(&self, kind: ComponentKind, name: &str) -> Option<UnlistedComponent<'_>> {
        let differs_by_user = self.handle.own.is_some();
        if !differs_by_user && self.handle.listed().is_some_and(|listed| !listed.is_provisional()) {
            return None;
        }
        if differs_by_user && kind == ComponentKind::Tool && is_sign_in(&self.prefix, name) {
            return Some(UnlistedComponent { provider: self, name: None });
        }
        let own_name = self.chain.resolve(kind, name)?;
        Some(UnlistedComponent { provider: self, name: Some(own_name) })
    }
}

impl ProviderList {
    /// Creates a list from handles and exposures, in the order of their connectors.
    pub(crate) fn new(connectors: Vec<(Arc<ConnectorHandle>, Exposure)>) -> ProviderList {
        let prefixes: BTreeSet<Arc<str>> =
            connectors.iter().map(|(_, exposure)| exposure.prefix.clone()).collect();
        let provider = |(handle, exposure): (Arc<ConnectorHandle>, Exposure)| {
            let Exposure { prefix, unprefixed, filter, renames, transforms, tool_transforms, review } =
                exposure;
            let naming = match unprefixed {
                true => {
                    let mut others = prefixes.clone();
                    others.remove(&prefix);
                    PrefixTransform::where_taken(prefix.clone(), others)
                }
                false => PrefixTransform::always(prefix.clone()),
            };
            let first: [Arc<dyn Transform>; 2] = [Arc::new(filter), Arc::new(renames)];
            let last: [Arc<dyn Transform>; 1] = [Arc::new(naming)];
            let chain = TransformChain::new(first.into_iter().chain(transforms).chain(last).collect());
            Provider { handle, prefix, unprefixed, chain, tool_transforms, review }
        };
        ProviderList(connectors.into_iter().map(provider).collect())
    }

    /// Returns the providers in their order.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Provider> {
        self.0.iter()
    }

    /// Returns the number of providers.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the provider at `index`, which a route of these providers contains.
    pub(crate) fn at(&self, index: usize) -> &Provider {
        &self.0[index]
    }

    /// Returns the provider that serves the connector `name`.
    pub(crate) fn named(&self, name: &str) -> Option<&Provider> {
        self.iter().find(|provider| provider.handle.settings.name == name)
    }

    /// Returns the index of the provider that serves `handle`.
    pub(crate) fn position(&self, handle: &ConnectorHandle) -> Option<usize> {
        self.iter().position(|provider| std::ptr::eq(&*provider.handle, handle))
    }

    /// Returns whether there is a connector to which each user signs in.
    pub(crate) fn has_user_connections(&self) -> bool {
        self.iter().any(|provider| provider.handle.own.is_some())
    }

    /// Returns the component that a connector whose lists are unknown, or differ by user, may list as `name`. Access
    /// rules check the listed name, so a component is reached only under this name.
    pub(crate) fn unlisted(&self, kind: ComponentKind, name: &str) -> Option<UnlistedComponent<'_>> {
        // A name with the prefix of a connector does not belong to the connector without a prefix.
        let prefixed = self.iter().filter(|provider| !provider.unprefixed);
        let others = self.iter().filter(|provider| provider.unprefixed);
        prefixed.chain(others).find_map(|provider| provider.unlisted(kind, name))
    }

    /// Returns the first connector before `end` whose URIs are not known yet.
    pub(crate) fn starting_before(&self, end: usize) -> Option<&Provider> {
        self.0.iter().take(end).find(|provider| !provider.handle.has_settled())
    }

    /// Merges the common lists of all connectors.
    pub(crate) fn common_table(&self, identity: &Implementation, limits: &HubLimits) -> RoutingTable {
        let listed: Vec<_> = self.iter().map(|provider| provider.handle.listed()).collect();
        self.table(&listed, identity, limits)
    }

    /// Merges `listed`, which has the lists of each connector.
    pub(crate) fn table(
        &self,
        listed: &[Option<Arc<ListSnapshot>>],
        identity: &Implementation,
        limits: &HubLimits,
    ) -> RoutingTable {
        let unlisted: Vec<_> = self.iter().map(|provider| provider.handle.last_listed()).collect();
        let views: Vec<ConnectorView<'_>> = self
            .iter()
            .zip(listed)
            .zip(&unlisted)
            .map(|((provider, listed), unlisted)| ConnectorView {
                prefix: &provider.prefix,
                unprefixed: provider.unprefixed,
                lists: listed.as_ref().map(|listed| &listed.lists),
                unlisted: unlisted.as_ref().map(|listed| &listed.lists),
                chain: &provider.chain,
                tool_transforms: Some(&provider.tool_transforms),
                review: provider.review.as_ref(),
                sign_in: provider.handle.own.is_some().then_some(&*provider.handle.settings.name),
            })
            .collect();
        RoutingTableBuilder::build(&views, identity, limits)
    }
}
