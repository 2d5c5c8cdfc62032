//! The tools of a backend.

use std::collections::BTreeMap;

use http::Method;
use loggia_openapi::OperationClass;
use serde_json::{Map, Value};

use crate::filter::JsonFilter;
use crate::secret::Location;

/// A tool of a direct backend, or the settings of a server's tool.
#[derive(Debug, Clone)]
pub struct ManifestTool {
    /// The name that clients see.
    pub name: String,
    /// The name that the server gives it.
    pub from: String,
    /// The name for people.
    pub title: Option<String>,
    /// The description for a model.
    pub description: Option<String>,
    /// The effect of a call.
    pub class: Option<OperationClass>,
    /// True if it is served.
    pub is_enabled: bool,
    /// True if the user is asked before each call.
    pub needs_confirmation: bool,
    /// True if it is left out of the list of tools.
    pub is_deferred: bool,
    /// Arguments that callers neither see nor set; texts in them may have placeholders.
    pub fixed: Map<String, Value>,
    /// The server's names of arguments, by the caller's.
    pub rename: BTreeMap<String, String>,
    /// Arguments where the caller gives none.
    pub defaults: Map<String, Value>,
    /// The filter over the JSON result.
    pub result: Option<JsonFilter>,
    /// The request of a tool of a REST API.
    pub request: Option<ToolRequest>,
    /// The request of a tool of a GraphQL API.
    pub graphql: Option<GraphQlRequest>,
    /// The paging.
    pub paging: Option<ToolPaging>,
    /// The arguments of a tool of a direct backend, in order.
    pub inputs: Vec<ToolInput>,
    /// The place in the manifest.
    pub location: Location,
}

/// The HTTP request of a tool.
#[derive(Debug, Clone)]
pub struct ToolRequest {
    /// The vendor's `operationId`.
    pub operation: Option<String>,
    /// The method.
    pub method: Method,
    /// The path template.
    pub path: String,
    /// The `Accept` header.
    pub accept: Option<String>,
    /// The filter from the arguments to the body.
    pub body: Option<JsonFilter>,
    /// The media type of the body.
    pub content_type: String,
    /// The form of the response.
    pub output: ToolOutput,
}

/// A form of responses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolOutput {
    /// JSON.
    #[default]
    Json,
    /// Text.
    Text,
    /// A resource with its media type.
    Binary,
}

/// The GraphQL request of a tool.
#[derive(Debug, Clone)]
pub struct GraphQlRequest {
    /// The document.
    pub document: String,
    /// The filter from the arguments to the variables.
    pub variables: Option<JsonFilter>,
}

/// The paging of a tool.
#[derive(Debug, Clone)]
pub struct ToolPaging {
    /// The style.
    pub style: PagingStyle,
    /// The wire's name of the parameter, body member or variable that takes the cursor.
    pub cursor: String,
    /// The filter over the whole result that gives the next cursor.
    pub next: Option<JsonFilter>,
    /// The wire's name of the page size.
    pub size: Option<String>,
    /// The page size that is sent.
    pub default_size: Option<u64>,
    /// The greatest page size.
    pub max_size: Option<u64>,
}

/// A style of paging.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PagingStyle {
    /// The result names the next cursor.
    #[default]
    Cursor,
    /// The `Link` header (RFC 8288).
    Link,
    /// A page's number, from 1.
    Page,
    /// A number of items.
    Offset,
}

/// An argument of a tool of a direct backend.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolInput {
    /// The name that callers use.
    pub name: String,
    /// The JSON Schema, with its description.
    pub schema: Value,
    /// True if callers must give it.
    pub is_required: bool,
    /// The part of the request.
    pub place: InputPlace,
    /// The wire's name; dots nest inside a body.
    pub wire_name: String,
}

/// A part of a request that an argument goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InputPlace {
    /// The path.
    Path,
    /// The query.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// The body.
    Body,
    /// A variable of a GraphQL document.
    Variable,
}

impl ManifestTool {
    /// Returns the arguments that callers give: those that are not fixed.
    pub fn open_inputs(&self) -> impl Iterator<Item = &ToolInput> {
        self.inputs.iter().filter(|input| !self.fixed.contains_key(&input.name))
    }
}

impl InputPlace {
    pub(super) fn from_name(name: &str) -> Option<InputPlace> {
        let places =
            [InputPlace::Path, InputPlace::Query, InputPlace::Header, InputPlace::Cookie, InputPlace::Body];
        places.into_iter().find(|place| place.as_str() == name)
    }

    /// Returns the name in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            InputPlace::Path => "path",
            InputPlace::Query => "query",
            InputPlace::Header => "header",
            InputPlace::Cookie => "cookie",
            InputPlace::Body => "body",
            InputPlace::Variable => "variable",
        }
    }
}

/// Returns the variables of a path template.
pub(crate) fn path_variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
}
