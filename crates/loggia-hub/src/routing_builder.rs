//! Builds the routing table: the lists of all connectors, merged in the order of the connectors, and a route for each
//! entry.
//!
//! Invariant: each listed name or URI has one route, a deferred tool has a route and is not listed, and two routes never lead to the same entry of a connector.

use std::collections::HashMap;
use std::sync::Arc;

use loggia::model::{
    CacheHints, CacheScope, Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, Prompt, Resource, ResourceTemplate, ServerResult, Tool,
};
use loggia::service::{Description, EntrySources, SharedResult};
use loggia::wire::header::ParamHeaders;
use loggia::wire::uri::scheme;
use loggia::wire::uri_template::UriTemplate;

use crate::connector_view::ConnectorView;
use crate::hub_description::describe;
use crate::limits::HubLimits;
use crate::list_entry::ListEntry;
use crate::names::exposed;
use crate::routing_table::{ListPages, Route, RoutingTable, TemplateRoute, ToolRoute};
use crate::tool_review::withheld;
use crate::transform::ComponentKind;
use crate::upstream_lists::UpstreamLists;
use crate::uris::{literal_len, qualify};

/// The name of the sign-in tool, after the prefix.
const SIGN_IN: &str = "sign_in";

/// Collects the entries and routes of all connectors.
#[derive(Default)]
pub(crate) struct RoutingTableBuilder {
    tools: Vec<ListEntry<Tool>>,
    tool_routes: HashMap<String, ToolRoute>,
    prompts: Vec<ListEntry<Prompt>>,
    prompt_routes: HashMap<String, Route>,
    resources: Vec<ListEntry<Resource>>,
    resource_routes: HashMap<String, Route>,
    templates: Vec<ListEntry<ResourceTemplate>>,
    template_routes: Vec<TemplateRoute>,
    prefixes: HashMap<String, usize>,
    schemes: HashMap<String, Option<usize>>,
    resourceful: Vec<usize>,
}

impl RoutingTableBuilder {
    /// Merges `views`.
    pub(crate) fn build(
        views: &[ConnectorView<'_>],
        identity: &Implementation,
        limits: &HubLimits,
    ) -> RoutingTable {
        let mut builder = RoutingTableBuilder::default();
        for (connector, view) in views.iter().enumerate() {
            builder.prefixes.insert(view.prefix.to_owned(), connector);
        }
        for (connector, view) in views.iter().enumerate() {
            if let Some(lists) = view.lists {
                builder.add(connector, view, lists);
            } else if let Some(lists) = view.unlisted {
                builder.claim(connector, view, lists);
            }
            if let Some(name) = view.sign_in {
                builder.add_sign_in(view.prefix, name);
            }
        }
        builder.finish(describe(views, identity, limits), limits)
    }

    fn add(&mut self, connector: usize, view: &ConnectorView<'_>, lists: &UpstreamLists) {
        for tool in &lists.tools {
            self.add_tool(connector, view, tool);
        }
        for prompt in &lists.prompts {
            self.add_prompt(connector, view, prompt);
        }
        let personal = view.sign_in.is_some();
        for resource in &lists.resources {
            self.add_resource(connector, view.prefix, resource, personal);
        }
        for template in &lists.templates {
            self.add_template(connector, view.prefix, template, personal);
        }
        if lists.capabilities.resources.is_some() {
            self.resourceful.push(connector);
        }
    }

    /// Reserves the URIs of a connector without listing them.
    fn claim(&mut self, connector: usize, view: &ConnectorView<'_>, lists: &UpstreamLists) {
        let (resources, templates) = (self.resources.len(), self.templates.len());
        let only_uris = UpstreamLists { tools: Vec::new(), prompts: Vec::new(), ..lists.clone() };
        self.add(connector, view, &only_uris);
        self.resources.truncate(resources);
        self.templates.truncate(templates);
    }

    /// Returns the name under which `name` of a connector is listed; `None` if it is hidden.
    fn listed_name(view: &ConnectorView<'_>, kind: ComponentKind, name: &str) -> Option<String> {
        let listed = view.chain.expose(kind, name)?;
        if view.unprefixed && listed.starts_with(view.prefix) && !name.starts_with(view.prefix) {
            tracing::debug!(
                connector = view.prefix,
                name,
                listed,
                "listed with a prefix: the name alone would be taken for one of another connector, or clients refuse it"
            );
        }
        Some(listed)
    }

    fn add_tool(&mut self, connector: usize, view: &ConnectorView<'_>, tool: &ListEntry<Tool>) {
        let listed = RoutingTableBuilder::listed_name(view, ComponentKind::Tool, &tool.name);
        let Some(name) = listed else { return };
        if self.tool_routes.contains_key(&name) {
            let prefix = view.prefix;
            return tracing::warn!(prefix, tool = tool.name, "left out: the connector lists this tool twice");
        }
        let route = Route { connector, name: tool.name.as_str().into() };
        if let Some(refusing) = view.review.and_then(|review| withheld(review, tool)) {
            tracing::warn!(
                connector = view.prefix,
                tool = tool.name,
                "held back: its definition is not approved"
            );
            let route = ToolRoute { route, headers: None, rewrite: Some(refusing) };
            self.tool_routes.insert(name, route);
            return;
        }
        let rewrite = view.tool_transforms.and_then(|transforms| transforms.get(&tool.name));
        let definition = match &rewrite {
            Some(rewrite) => rewrite.definition(&tool.value),
            None => tool.value.clone(),
        };
        let headers =
            ParamHeaders::from_schema(&definition.input_schema).ok().filter(|headers| !headers.is_empty());
        let route = ToolRoute { route, headers: headers.map(Arc::new), rewrite };
        self.tool_routes.insert(name.clone(), route);
        if view.tool_transforms.is_some_and(|transforms| transforms.is_deferred(&tool.name)) {
            return;
        }
        let value = Tool { name, ..definition };
        self.tools.push(ListEntry { value, source: tool.source.clone() });
    }

    /// Adds the sign-in tool. It is always listed, also after the user has signed in, so that the names that a model
    /// has learned stay valid. It replaces a tool of the upstream with the same name.
    fn add_sign_in(&mut self, prefix: &str, connector_name: &str) {
        let name = exposed(prefix, SIGN_IN);
        self.tools.retain(|tool| tool.name != name);
        let schema = JsonObject::from_iter([("type", "object")]);
        let about = format!(
            "Signs the person you work for in to {connector_name}, or says that they are. Its other tools ask for that \
             by themselves, and some may be listed only afterwards."
        );
        self.tools.push(Tool { description: Some(about), ..Tool::new(name, schema) }.into());
    }

    fn add_prompt(&mut self, connector: usize, view: &ConnectorView<'_>, prompt: &ListEntry<Prompt>) {
        let listed = RoutingTableBuilder::listed_name(view, ComponentKind::Prompt, &prompt.name);
        let Some(name) = listed else { return };
        if self.prompt_routes.contains_key(&name) {
            return tracing::warn!(
                prefix = view.prefix,
                prompt = prompt.name,
                "left out: the connector lists this prompt twice"
            );
        }
        self.prompt_routes.insert(name.clone(), Route { connector, name: prompt.name.as_str().into() });
        let value = Prompt { name, ..prompt.value.clone() };
        self.prompts.push(ListEntry { value, source: prompt.source.clone() });
    }

    /// Adds a resource. A `personal` resource always has its qualified URI, so it can be reached even if another
    /// connector has the plain URI.
    fn add_resource(
        &mut self,
        connector: usize,
        prefix: &str,
        resource: &ListEntry<Resource>,
        personal: bool,
    ) {
        let uri = match personal {
            true => {
                Some(qualify(prefix, &resource.uri)).filter(|uri| !self.resource_routes.contains_key(uri))
            }
            false => self.free_uri(connector, prefix, &resource.uri),
        };
        let Some(uri) = uri else { return };
        self.own_scheme(connector, &resource.uri);
        self.resource_routes.insert(uri.clone(), Route { connector, name: resource.uri.as_str().into() });
        let value = Resource { uri, ..resource.value.clone() };
        self.resources.push(ListEntry { value, source: resource.source.clone() });
    }

    /// Returns `uri`, or its qualified form if another connector has the URI already; `None` if this connector lists
    /// it twice.
    fn free_uri(&self, connector: usize, prefix: &str, uri: &str) -> Option<String> {
        match self.resource_routes.get(uri) {
            None if self.matches_earlier(connector, uri) => {
                Some(qualify(prefix, uri)).filter(|uri| !self.resource_routes.contains_key(uri))
            }
            None => Some(uri.to_owned()),
            Some(taken) if taken.connector == connector => {
                tracing::debug!(prefix, uri, "left out: the connector lists this resource twice");
                None
            }
            Some(_) => Some(qualify(prefix, uri)).filter(|uri| !self.resource_routes.contains_key(uri)),
        }
    }

    /// Returns whether an earlier connector has a template for `uri`, and so owns it.
    fn matches_earlier(&self, connector: usize, uri: &str) -> bool {
        self.template_routes
            .iter()
            .any(|template| template.route.connector < connector && template.matches(uri))
    }

    fn add_template(
        &mut self,
        connector: usize,
        prefix: &str,
        template: &ListEntry<ResourceTemplate>,
        personal: bool,
    ) {
        let plain = &template.uri_template;
        let taken = self.template_routes.iter().find(|other| other.exposed == *plain);
        let exposed = match taken {
            None if personal => qualify(prefix, plain),
            None => plain.clone(),
            Some(other) if other.route.connector == connector => {
                return tracing::debug!(prefix, plain, "left out: the connector lists this template twice");
            }
            Some(_) => qualify(prefix, plain),
        };
        self.own_scheme(connector, plain);
        // A template in qualified form is found by its prefix.
        let pattern = if exposed == *plain { UriTemplate::parse(plain).ok() } else { None };
        let route = Route { connector, name: plain.as_str().into() };
        self.template_routes.push(TemplateRoute { pattern, exposed: exposed.clone(), route });
        let value = ResourceTemplate { uri_template: exposed, ..template.value.clone() };
        self.templates.push(ListEntry { value, source: template.source.clone() });
    }

    fn own_scheme(&mut self, connector: usize, uri: &str) {
        let Some(scheme) = scheme(uri) else { return };
        let owner = self.schemes.entry(scheme.to_owned()).or_insert(Some(connector));
        if *owner != Some(connector) {
            *owner = None;
        }
    }

    fn finish(mut self, description: Description, limits: &HubLimits) -> RoutingTable {
        // A URI belongs to the first connector that matches it. Within this connector, the most specific template is
        // used.
        let order = |template: &TemplateRoute| {
            (template.route.connector, std::cmp::Reverse(literal_len(&template.route.name)))
        };
        self.template_routes.sort_by_key(order);
        let page = limits.page.max(1);
        let cache = CacheHints::new(limits.list_ttl.as_millis() as u64, CacheScope::Private);
        RoutingTable {
            tools: self.tool_routes,
            prompts: self.prompt_routes,
            resources: self.resource_routes,
            templates: self.template_routes,
            prefixes: self.prefixes,
            schemes: self.schemes,
            resourceful: self.resourceful,
            page,
            tool_pages: paginate("tools", &self.tools, page, |tools, next_cursor| {
                ListToolsResult { tools, next_cursor, cache, ..ListToolsResult::default() }.into()
            }),
            prompt_pages: paginate("prompts", &self.prompts, page, |prompts, next_cursor| {
                ListPromptsResult { prompts, next_cursor, cache, ..ListPromptsResult::default() }.into()
            }),
            resource_pages: paginate("resources", &self.resources, page, |resources, next_cursor| {
                ListResourcesResult { resources, next_cursor, cache, ..ListResourcesResult::default() }.into()
            }),
            template_pages: paginate(
                "resourceTemplates",
                &self.templates,
                page,
                |resource_templates, next_cursor| {
                    ListResourceTemplatesResult {
                        resource_templates,
                        next_cursor,
                        cache,
                        ..Default::default()
                    }
                    .into()
                },
            ),
            description: Arc::new(description),
        }
    }
}

/// Splits `entries` into pages of `page` entries; an empty list has one empty page. The cursor of a page is the
/// position of its first entry.
fn paginate<T: Clone>(
    member: &'static str,
    entries: &[ListEntry<T>],
    page: usize,
    result: impl Fn(Vec<T>, Option<String>) -> ServerResult,
) -> ListPages {
    let pages = entries.len().div_ceil(page).max(1);
    let nth = |n: usize| {
        let end = entries.len().min((n + 1) * page);
        let next = (end < entries.len()).then(|| end.to_string());
        let (values, texts) =
            entries[n * page..end].iter().cloned().map(|entry| (entry.value, entry.source)).unzip();
        Arc::new(SharedResult::new(result(values, next)).with_sources(EntrySources { member, texts }))
    };
    (0..pages).map(nth).collect()
}

/// Returns whether `name` is the listed name of the sign-in tool of the connector with this prefix.
pub(crate) fn is_sign_in(prefix: &str, name: &str) -> bool {
    name == exposed(prefix, SIGN_IN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::testing::{chain_spec, name};
    use crate::transform::{PrefixTransform, TransformChain};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn lists(tools: &[String]) -> UpstreamLists {
        let tool = |name: &String| Tool::new(name.clone(), JsonObject::from([("type", "object")])).into();
        UpstreamLists { tools: tools.iter().map(tool).collect(), ..UpstreamLists::default() }
    }

    fn view<'a>(prefix: &'a str, lists: &'a UpstreamLists, chain: &'a TransformChain) -> ConnectorView<'a> {
        let lists = Some(lists);
        ConnectorView {
            prefix,
            unprefixed: false,
            lists,
            unlisted: None,
            chain,
            tool_transforms: None,
            review: None,
            sign_in: None,
        }
    }

    fn listed(table: &RoutingTable) -> Vec<String> {
        let page = |page: &Arc<SharedResult>| match page.result() {
            ServerResult::ListTools(page) => {
                page.tools.iter().map(|tool| tool.name.clone()).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        table.tool_pages.iter().flat_map(page).collect()
    }

    proptest! {
        /// Each listed name has one upstream name and the other way round, and a hidden component has no route.
        #[test]
        fn each_listed_tool_has_one_route_and_each_route_one_tool(
            spec in chain_spec(),
            main in proptest::collection::vec(name(), 0..8),
            other in proptest::collection::vec(name(), 0..4),
        ) {
            let chains = [spec.chain(), TransformChain::new(vec![Arc::new(PrefixTransform::always("other".into()))])];
            let upstreams = [lists(&main), lists(&other)];
            let views = [view("main", &upstreams[0], &chains[0]), view("other", &upstreams[1], &chains[1])];
            let limits = HubLimits { page: 3, ..HubLimits::default() };
            let table = RoutingTableBuilder::build(&views, &Implementation::new("hub", "0"), &limits);
            let listed = listed(&table);
            let names: BTreeSet<&String> = listed.iter().collect();
            prop_assert_eq!(names.len(), listed.len(), "a name is listed twice: {:?}", listed);
            prop_assert_eq!(&names, &table.tools.keys().collect::<BTreeSet<_>>());
            let mut targets = BTreeSet::new();
            for name in &listed {
                let Route { connector, name: own } = table.tool(name).expect("listed").route.clone();
                let exposed = chains[connector].expose(ComponentKind::Tool, &own);
                prop_assert_eq!(exposed.as_ref(), Some(name));
                prop_assert!([&main, &other][connector].iter().any(|tool| **tool == *own));
                prop_assert!(connector != 0 || !spec.hidden.contains(&*own), "{} is hidden", own);
                prop_assert!(targets.insert((connector, own)), "two names lead to one tool");
            }
            for (connector, tools) in [&main, &other].into_iter().enumerate() {
                for tool in tools {
                    let exposed = chains[connector].expose(ComponentKind::Tool, tool);
                    let is_listed = exposed.as_ref().is_none_or(|exposed| names.contains(exposed));
                    prop_assert!(is_listed, "{tool} is exposed as {exposed:?} and not listed");
                }
            }
        }
    }
}
