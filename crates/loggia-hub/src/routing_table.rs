//! The merged lists of all upstreams as one immutable snapshot, which is built again on each change and replaced as a
//! whole. Requests look names up in it without a lock.
//!
//! Order: the connectors in the order of the hub, and the entries of each in the order of its own list.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use loggia::changes::Change;
use loggia::service::{Description, SharedResult};
use loggia::wire::RpcError;
use loggia::wire::header::ParamHeaders;
use loggia::wire::uri::scheme;
use loggia::wire::uri_template::UriTemplate;

use crate::tool_rewrite::ToolRewrite;
use crate::uris::{qualify, split_qualified};

/// The route of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The index of the connector.
    pub(crate) connector: usize,
    /// The name that the connector uses.
    pub(crate) name: Arc<str>,
}

/// The route of a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UriRoute<'u> {
    /// The index of the connector.
    pub(crate) connector: usize,
    /// The URI that the connector uses.
    pub(crate) uri: Cow<'u, str>,
    /// The number of connectors, from the first on, on which the route depends: if one of them lists the URI itself,
    /// it becomes the owner.
    pub(crate) depends_on: usize,
}

/// The route of a tool, the arguments that are mirrored into headers, and the transform of a tool that is rewritten.
pub(crate) struct ToolRoute {
    pub(crate) route: Route,
    pub(crate) headers: Option<Arc<ParamHeaders>>,
    pub(crate) rewrite: Option<ToolRewrite>,
}

/// The route of a resource template.
pub(crate) struct TemplateRoute {
    pub(crate) pattern: Option<UriTemplate>,
    pub(crate) exposed: String,
    pub(crate) route: Route,
}

impl TemplateRoute {
    /// Returns whether the template matches `uri`.
    pub(crate) fn matches(&self, uri: &str) -> bool {
        // Comparing the text before the first variable is cheap, and excludes most templates.
        let end = self.route.name.find(|c: char| !c.is_ascii() || matches!(c, '{' | '%'));
        let literal = &self.route.name[..end.unwrap_or(self.route.name.len())];
        let pattern = self.pattern.as_ref().filter(|_| uri.starts_with(literal));
        pattern.is_some_and(|pattern| pattern.matches(uri).is_some())
    }
}

/// The pages of one list.
pub(crate) type ListPages = Vec<Arc<SharedResult>>;

/// The routes and the pages of all lists.
pub(crate) struct RoutingTable {
    pub(crate) tools: HashMap<String, ToolRoute>,
    pub(crate) prompts: HashMap<String, Route>,
    pub(crate) resources: HashMap<String, Route>,
    /// In the order of the connectors; those of one connector with the most specific first.
    pub(crate) templates: Vec<TemplateRoute>,
    pub(crate) prefixes: HashMap<String, usize>,
    /// The only connector with resources of a scheme; `None` if several have such resources.
    pub(crate) schemes: HashMap<String, Option<usize>>,
    /// The connectors that have resources.
    pub(crate) resourceful: Vec<usize>,
    pub(crate) page: usize,
    pub(crate) tool_pages: ListPages,
    pub(crate) prompt_pages: ListPages,
    pub(crate) resource_pages: ListPages,
    pub(crate) template_pages: ListPages,
    pub(crate) description: Arc<Description>,
}

impl RoutingTable {
    /// Returns the description of the hub.
    pub(crate) fn description(&self) -> &Arc<Description> {
        &self.description
    }

    /// Returns the route of the tool `name`.
    pub(crate) fn tool(&self, name: &str) -> Option<&ToolRoute> {
        self.tools.get(name)
    }

    /// Returns the arguments of the tool `name` that are mirrored into headers.
    pub(crate) fn param_headers(&self, name: &str) -> Option<Arc<ParamHeaders>> {
        self.tools.get(name)?.headers.clone()
    }

    /// Returns the route of the prompt `name`.
    pub(crate) fn prompt(&self, name: &str) -> Option<&Route> {
        self.prompts.get(name)
    }

    /// Returns the route of `uri`. A qualified URI belongs to the connector that it names. Any other URI belongs to
    /// the first connector that lists it or has a matching template (the most specific one); otherwise to the only
    /// connector with resources of its scheme; otherwise to the only connector with resources. The order of
    /// connectors does not depend on which of them are up.
    pub(crate) fn resource<'u>(&self, uri: &'u str) -> Option<UriRoute<'u>> {
        if let Some(route) = self.resources.get(uri) {
            // If an earlier connector lists the URI, it is the owner; a qualified URI names its connector.
            let depends_on = if *route.name == *uri { route.connector } else { 0 };
            let own = Cow::Owned(route.name.to_string());
            return Some(UriRoute { connector: route.connector, uri: own, depends_on });
        }
        self.by_qualifier(uri).or_else(|| self.by_template(uri)).or_else(|| self.by_elimination(uri))
    }

    /// Returns the route of the template `uri_template` for a completion. A plain URI has the route of the resource.
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

    /// Returns the URIs under which a client may have subscribed to `uri` of `connector`.
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

    /// Returns one page of the tools.
    pub(crate) fn tool_page(&self, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        self.nth(&self.tool_pages, cursor)
    }

    /// Returns one page of the prompts.
    pub(crate) fn prompt_page(&self, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        self.nth(&self.prompt_pages, cursor)
    }

    /// Returns one page of the resources.
    pub(crate) fn resource_page(&self, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        self.nth(&self.resource_pages, cursor)
    }

    /// Returns one page of the resource templates.
    pub(crate) fn template_page(&self, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        self.nth(&self.template_pages, cursor)
    }

    fn nth(&self, pages: &ListPages, cursor: Option<&str>) -> Result<Arc<SharedResult>, RpcError> {
        let unknown =
            || RpcError::invalid_params("The cursor is not one of this list: begin again without one");
        let page = match cursor {
            None => 0,
            Some(cursor) => {
                let offset = cursor.parse::<usize>().ok().filter(|offset| offset % self.page == 0);
                offset.ok_or_else(unknown)? / self.page
            }
        };
        // If the list has become shorter since the cursor was made, the last page is returned.
        pages.get(page.min(pages.len() - 1)).cloned().ok_or_else(unknown)
    }

    /// Returns the lists in which this snapshot differs from `before`.
    pub(crate) fn changes_since(&self, before: &RoutingTable) -> Vec<Change> {
        let differ =
            |a: &ListPages, b: &ListPages| !a.iter().map(|p| p.result()).eq(b.iter().map(|p| p.result()));
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
