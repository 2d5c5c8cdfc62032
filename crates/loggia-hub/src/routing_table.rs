//! The merged lists of all upstreams as one immutable snapshot, built anew on each change and swapped as a whole. A
//! request looks its name up here and takes no lock.
//!
//! Order: connectors as they were given to the hub, and within one the order of its own list.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use loggia::changes::Change;
use loggia::model::{
    CacheHints, CacheScope, Implementation, JsonObject, ListCapability, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, Prompt, Resource, ResourceTemplate,
    ResourcesCapability, ServerCapabilities, ServerResult, Tool,
};
use loggia::service::{Description, EntrySources, SharedResult};
use loggia::wire::header::ParamHeaders;
use loggia::wire::text::truncated;
use loggia::wire::uri::scheme;
use loggia::wire::uri_template::UriTemplate;
use loggia::wire::{RpcError, Version};

use crate::limits::HubLimits;
use crate::list_entry::ListEntry;
use crate::names::{exposed, unprefixed};
use crate::upstream_lists::UpstreamLists;
use crate::uris::{literal_len, qualify, split_qualified};

/// The name of the sign-in tool, after the prefix.
const SIGN_IN: &str = "sign_in";

/// One connector, as the directory is made of it.
pub(crate) struct View<'a> {
    pub(crate) prefix: &'a str,
    /// Whether names are listed without the prefix, as far as they are free.
    pub(crate) unprefixed: bool,
    pub(crate) catalog: Option<&'a UpstreamLists>,
    /// Lists that are no longer shown: their URIs lead to the connector all the same.
    pub(crate) unlisted: Option<&'a UpstreamLists>,
    pub(crate) shows: &'a (dyn Fn(&str) -> bool + Send + Sync),
    /// The connector's name, where everybody signs in to it for themselves.
    pub(crate) sign_in: Option<&'a str>,
}

/// The route of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Which connector.
    pub(crate) connector: usize,
    /// The name that the connector uses.
    pub(crate) name: Arc<str>,
}

/// The route of a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UriRoute<'u> {
    /// Which connector.
    pub(crate) connector: usize,
    /// The URI that the connector uses.
    pub(crate) uri: Cow<'u, str>,
    /// The number of connectors, from the first on, that the route depends on: one of them that lists the URI itself would
    /// own it.
    pub(crate) depends_on: usize,
}

impl UriRoute<'_> {
    /// The same, with a life of its own.
    pub(crate) fn into_owned(self) -> UriRoute<'static> {
        UriRoute { uri: Cow::Owned(self.uri.into_owned()), ..self }
    }
}

struct ToolRoute {
    route: Route,
    headers: Option<Arc<ParamHeaders>>,
}

struct TemplateRoute {
    pattern: Option<UriTemplate>,
    exposed: String,
    route: Route,
}

impl TemplateRoute {
    fn matches(&self, uri: &str) -> bool {
        // Most templates differ from most URIs in the text before the first variable, which costs little to compare.
        let end = self.route.name.find(|c: char| !c.is_ascii() || matches!(c, '{' | '%'));
        let literal = &self.route.name[..end.unwrap_or(self.route.name.len())];
        let pattern = self.pattern.as_ref().filter(|_| uri.starts_with(literal));
        pattern.is_some_and(|pattern| pattern.matches(uri).is_some())
    }
}

/// The pages of one list.
type Pages = Vec<Arc<SharedResult>>;

/// The snapshot.
pub(crate) struct RoutingTable {
    tools: HashMap<String, ToolRoute>,
    prompts: HashMap<String, Route>,
    resources: HashMap<String, Route>,
    /// In the order of the connectors; of one connector the most specific first.
    templates: Vec<TemplateRoute>,
    prefixes: HashMap<String, usize>,
    /// Which connector alone has resources of a scheme; `None` where several have.
    schemes: HashMap<String, Option<usize>>,
    /// Connectors that have resources at all.
    resourceful: Vec<usize>,
    page: usize,
    tool_pages: Pages,
    prompt_pages: Pages,
    resource_pages: Pages,
    template_pages: Pages,
    description: Arc<Description>,
}

impl RoutingTable {
    /// Merges `views`.
    pub(crate) fn of(views: &[View<'_>], identity: &Implementation, limits: &HubLimits) -> RoutingTable {
        let mut builder = Builder::default();
        for (connector, view) in views.iter().enumerate() {
            builder.prefixes.insert(view.prefix.to_owned(), connector);
        }
        for (connector, view) in views.iter().enumerate() {
            if let Some(catalog) = view.catalog {
                builder.add(connector, view, catalog);
            } else if let Some(catalog) = view.unlisted {
                builder.claim(connector, view, catalog);
            }
            if let Some(name) = view.sign_in {
                builder.add_sign_in(view.prefix, name);
            }
        }
        builder.finish(describe(views, identity, limits), limits)
    }

    /// Returns the description of the hub.
    pub(crate) fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// Returns the route of the tool `name`.
    pub(crate) fn tool(&self, name: &str) -> Option<&Route> {
        self.tools.get(name).map(|tool| &tool.route)
    }

    /// Which arguments of the tool `name` are mirrored into headers.
    pub(crate) fn param_headers(&self, name: &str) -> Option<Arc<ParamHeaders>> {
        self.tools.get(name)?.headers.clone()
    }

    /// Returns the route of the prompt `name`.
    pub(crate) fn prompt(&self, name: &str) -> Option<&Route> {
        self.prompts.get(name)
    }

    /// Returns the route of `uri`: for a qualified URI to the connector it names; else to the first connector that lists it
    /// or has a template for it (its most specific one); else to the only connector with resources of its scheme;
    /// else to the only one with resources. First means the order of the connectors, whichever of them are up.
    pub(crate) fn resource<'u>(&self, uri: &'u str) -> Option<UriRoute<'u>> {
        if let Some(route) = self.resources.get(uri) {
            // An earlier connector that lists the same is the owner; a qualified form names its connector.
            let depends_on = if *route.name == *uri { route.connector } else { 0 };
            let own = Cow::Owned(route.name.to_string());
            return Some(UriRoute { connector: route.connector, uri: own, depends_on });
        }
        self.by_qualifier(uri).or_else(|| self.by_template(uri)).or_else(|| self.by_elimination(uri))
    }

    /// Returns the route of the template `uri_template`, as completion names it; a plain URI leads where reading it
    /// would.
    pub(crate) fn template<'u>(&self, uri_template: &'u str) -> Option<UriRoute<'u>> {
        let listed = self.templates.iter().find(|template| template.exposed == uri_template);
        match listed {
            Some(found) => Some(UriRoute {
                connector: found.route.connector,
                uri: Cow::Owned(found.route.name.to_string()),
                depends_on: if *found.route.name == *uri_template { found.route.connector } else { 0 },
            }),
            None => self.resource(uri_template),
        }
    }

    /// The names under which `uri` of `connector` may have been subscribed to.
    pub(crate) fn names_of(&self, connector: usize, prefix: &str, uri: &str) -> Vec<String> {
        let plain = self.resource(uri).is_some_and(|route| route.connector == connector && route.uri == uri);
        plain.then(|| uri.to_owned()).into_iter().chain([qualify(prefix, uri)]).collect()
    }

    fn by_qualifier<'u>(&self, uri: &'u str) -> Option<UriRoute<'u>> {
        let (prefix, rest) = split_qualified(uri)?;
        let connector = *self.prefixes.get(prefix)?;
        Some(UriRoute { connector, uri: Cow::Borrowed(rest), depends_on: 0 })
    }

    fn by_template<'u>(&self, uri: &'u str) -> Option<UriRoute<'u>> {
        let found = self.templates.iter().find(|template| template.matches(uri))?;
        let depends_on = found.route.connector;
        Some(UriRoute { connector: found.route.connector, uri: Cow::Borrowed(uri), depends_on })
    }

    fn by_elimination<'u>(&self, uri: &'u str) -> Option<UriRoute<'u>> {
        let connector = match self.schemes.get(scheme(uri)?) {
            Some(owner) => (*owner)?,
            None => match self.resourceful[..] {
                [only] => only,
                _ => return None,
            },
        };
        Some(UriRoute { connector, uri: Cow::Borrowed(uri), depends_on: self.prefixes.len() })
    }

    /// One page of the tools.
    pub(crate) fn tool_page(&self, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        self.nth(&self.tool_pages, cursor)
    }

    /// One page of the prompts.
    pub(crate) fn prompt_page(&self, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        self.nth(&self.prompt_pages, cursor)
    }

    /// One page of the resources.
    pub(crate) fn resource_page(&self, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        self.nth(&self.resource_pages, cursor)
    }

    /// One page of the resource templates.
    pub(crate) fn template_page(&self, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        self.nth(&self.template_pages, cursor)
    }

    fn nth(&self, pages: &Pages, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        let unknown =
            || RpcError::invalid_params("The cursor is not one of this list: begin again without one");
        let page = match cursor {
            None => 0,
            Some(cursor) => {
                let offset = cursor.parse::<usize>().ok().filter(|offset| offset % self.page == 0);
                offset.ok_or_else(unknown)? / self.page
            }
        };
        // A list that has become shorter since the cursor was given ends earlier.
        pages.get(page.min(pages.len() - 1)).cloned().ok_or_else(unknown)
    }

    /// The lists in which this snapshot differs from `before`.
    pub(crate) fn changes_since(&self, before: &RoutingTable) -> Vec<Change> {
        let differ = |a: &Pages, b: &Pages| !a.iter().map(|p| p.result()).eq(b.iter().map(|p| p.result()));
        let resources = differ(&self.resource_pages, &before.resource_pages)
            || differ(&self.template_pages, &before.template_pages);
        let lists = [
            (differ(&self.tool_pages, &before.tool_pages), Change::Tools),
            (differ(&self.prompt_pages, &before.prompt_pages), Change::Prompts),
            (resources, Change::Resources),
        ];
        lists.into_iter().filter_map(|(differs, change)| differs.then_some(change)).collect()
    }
}

#[derive(Default)]
struct Builder {
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

impl Builder {
    fn add(&mut self, connector: usize, view: &View<'_>, catalog: &UpstreamLists) {
        for tool in catalog.tools.iter().filter(|tool| (view.shows)(&tool.name)) {
            self.add_tool(connector, view, tool);
        }
        for prompt in &catalog.prompts {
            self.add_prompt(connector, view, prompt);
        }
        let personal = view.sign_in.is_some();
        for resource in &catalog.resources {
            self.add_resource(connector, view.prefix, resource, personal);
        }
        for template in &catalog.templates {
            self.add_template(connector, view.prefix, template, personal);
        }
        if catalog.capabilities.resources.is_some() {
            self.resourceful.push(connector);
        }
    }

    /// Keeps the URIs of a connector its own without listing them.
    fn claim(&mut self, connector: usize, view: &View<'_>, catalog: &UpstreamLists) {
        let (resources, templates) = (self.resources.len(), self.templates.len());
        let only_uris = UpstreamLists { tools: Vec::new(), prompts: Vec::new(), ..catalog.clone() };
        self.add(connector, view, &only_uris);
        self.resources.truncate(resources);
        self.templates.truncate(templates);
    }

    /// The name under which `name` of a connector is listed.
    fn listed_name(&self, connector: usize, view: &View<'_>, name: &str) -> String {
        if !view.unprefixed {
            return exposed(view.prefix, name);
        }
        let is_others = |prefix: &str| self.prefixes.get(prefix).is_some_and(|other| *other != connector);
        let listed = unprefixed(view.prefix, name, is_others);
        if listed != name {
            tracing::debug!(
                connector = view.prefix,
                name,
                listed,
                "listed with a prefix: the name alone would be taken for one of another connector, or clients refuse it"
            );
        }
        listed
    }

    fn add_tool(&mut self, connector: usize, view: &View<'_>, tool: &ListEntry<Tool>) {
        let (name, prefix) = (self.listed_name(connector, view, &tool.name), view.prefix);
        if self.tool_routes.contains_key(&name) {
            return tracing::warn!(prefix, tool = tool.name, "left out: the connector lists this tool twice");
        }
        let headers =
            ParamHeaders::from_schema(&tool.input_schema).ok().filter(|headers| !headers.is_empty());
        let route = Route { connector, name: tool.name.as_str().into() };
        self.tool_routes.insert(name.clone(), ToolRoute { route, headers: headers.map(Arc::new) });
        let value = Tool { name, ..tool.value.clone() };
        self.tools.push(ListEntry { value, source: tool.source.clone() });
    }

    /// A tool that is always there, whoever has signed in: what a model has learned stays true. It stands before
    /// one of the upstream's that has this name.
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

    fn add_prompt(&mut self, connector: usize, view: &View<'_>, prompt: &ListEntry<Prompt>) {
        let (name, prefix) = (self.listed_name(connector, view, &prompt.name), view.prefix);
        if self.prompt_routes.contains_key(&name) {
            return tracing::warn!(
                prefix,
                prompt = prompt.name,
                "left out: the connector lists this prompt twice"
            );
        }
        self.prompt_routes.insert(name.clone(), Route { connector, name: prompt.name.as_str().into() });
        let value = Prompt { name, ..prompt.value.clone() };
        self.prompts.push(ListEntry { value, source: prompt.source.clone() });
    }

    /// A `personal` resource always has its qualified URI, which leads to it also if another connector has the plain one.
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

    /// `uri`, or its qualified form where another connector has it already; `None` where this connector
    /// lists it twice.
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
        // The first connector owns a URI; within it the most specific template counts.
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

/// Pages of `page` entries; one empty page where there are none. The cursor of a page is where it begins.
fn paginate<T: Clone>(
    member: &'static str,
    entries: &[ListEntry<T>],
    page: usize,
    result: impl Fn(Vec<T>, Option<String>) -> ServerResult,
) -> Pages {
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

/// Everything is always declared: a legacy client fixes what it believes of a server for a whole session,
/// and the upstream that brings the first prompt may come up in the middle of it.
fn describe(views: &[View<'_>], identity: &Implementation, limits: &HubLimits) -> Description {
    let list = || Some(ListCapability { list_changed: Some(true), ..ListCapability::default() });
    let resources = ResourcesCapability {
        subscribe: Some(true),
        list_changed: Some(true),
        ..ResourcesCapability::default()
    };
    Description {
        identity: identity.clone(),
        capabilities: ServerCapabilities {
            tools: list(),
            prompts: list(),
            resources: Some(resources),
            completions: Some(JsonObject::new()),
            logging: Some(JsonObject::new()),
            ..ServerCapabilities::default()
        },
        instructions: Some(instructions(views, limits)),
        versions: Version::ALL.to_vec(),
    }
}

/// Returns whether `name` is the listed name of the sign-in tool of the connector with this prefix.
pub(crate) fn is_sign_in(prefix: &str, name: &str) -> bool {
    name == exposed(prefix, SIGN_IN)
}

fn instructions(views: &[View<'_>], limits: &HubLimits) -> String {
    let mut text =
        "This server joins several systems. The name of each tool and prompt begins with the system it \
                    belongs to, then an underscore."
            .to_owned();
    if let Some(view) = views.iter().find(|view| view.unprefixed) {
        // Writing into a String cannot fail.
        let _ = write!(text, " Other names belong to {}.", view.prefix);
    }
    for view in views {
        let own = view
            .catalog
            .and_then(|catalog| catalog.instructions.as_deref())
            .map(str::trim)
            .unwrap_or_default();
        if !own.is_empty() {
            // Writing into a String cannot fail.
            let _ = write!(text, "\n\n# {}\n\n{}", view.prefix, truncated(own, limits.instructions));
        }
    }
    text
}
