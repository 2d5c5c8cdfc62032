//! Connector manifests with a selection of an API's operations. An API has hundreds of operations, and a model works best
//! with few tools: the written manifest is the draft that a person edits.
//!
//! Invariant: the text obeys the format of connector manifests, and what it leaves out stands in a comment.

#[cfg(feature = "graphql")]
mod graphql;
mod input;
mod selection;
mod server;

#[cfg(feature = "graphql")]
pub use graphql::curate_graphql;
use http::Uri;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

use crate::api::Api;
use crate::arguments::Destination;
use crate::document::{items, member, members, string};
use crate::error::DescriptionError;
use crate::media_type::MediaKind;
use crate::name::snake_case;
use crate::operation::{Operation, one_line};
use crate::paging::{NEXT, Paging, PagingKind};
use crate::security::{CredentialPlace, SecurityScheme};
use input::{ToolInputs, sort};
use server::ServerAddress;

/// Longest description of a tool, in bytes.
const MAX_DESCRIPTION: usize = 600;
/// Longest description of the connector, in bytes.
const MAX_SUMMARY: usize = 200;
/// The keys of a tool, in the order of the format.
const TOOL_KEYS: [&str; 12] = [
    "name",
    "title",
    "description",
    "class",
    "operation",
    "request",
    "accept",
    "body",
    "content_type",
    "output",
    "document",
    "paging",
];
/// Items of a page.
const PAGE_ITEMS: i64 = 25;

/// Writes a connector manifest whose tools are operations of `api`. `selection` has the names of tools; an empty one stands
/// for at most 15 that read and write the main objects of the API. Variables of the server become values that the user gives.
///
/// Fails if a name is unknown, or if an operation has a body that manifests cannot describe.
pub fn curate(api: &Api, base_url: &Uri, selection: &[&str]) -> Result<String, DescriptionError> {
    let chosen: Vec<&Operation> = match selection {
        [] => selection::defaults(api),
        names => names.iter().map(|name| selection::named(api, name)).collect::<Result<_, _>>()?,
    };
    if chosen.is_empty() {
        return Err(DescriptionError::Operation(
            "the API has no operation that a manifest can describe".to_owned(),
        ));
    }
    let mut document = DocumentMut::new();
    let title = if api.title().is_empty() { "API" } else { api.title() };
    document["name"] = value(connector_name(title));
    document["title"] = value(one_line(title, 80));
    document["version"] = value("1.0.0");
    document["description"] = value(summary(api, title));
    let address = address(api, base_url);
    if let Some(config) = address.config {
        document["config"] = Item::Table(config);
    }
    let mut backend = Table::new();
    backend["name"] = value("api");
    backend["kind"] = value("openapi");
    backend["base_url"] = value(address.base_url);
    backend["auth"] = Item::Table(auth(api, &chosen));
    let mut network = Table::new();
    network["allow"] = value(Array::from_iter([address.host]));
    backend["network"] = Item::Table(network);
    let tools: ArrayOfTables = chosen.iter().map(|operation| tool(operation)).collect();
    backend["tools"] = Item::ArrayOfTables(tools);
    document["backends"] = Item::ArrayOfTables([backend].into_iter().collect());
    Ok(format!("#:schema ./connector.schema.json\n{document}"))
}

/// Returns the address of the backend: with the variables of the description's server, unless the caller chose another URL.
fn address(api: &Api, base_url: &Uri) -> ServerAddress {
    let is_default = api.base_url().is_ok_and(|url| url == *base_url);
    let servers = api.servers().filter(|_| is_default);
    servers
        .and_then(ServerAddress::with_variables)
        .unwrap_or_else(|| ServerAddress::fixed(&base_url.to_string()))
}

/// Returns the name of a connector: small letters, digits and `-`.
fn connector_name(title: &str) -> String {
    let name = snake_case(title).replace('_', "-");
    let name = name.strip_suffix("-api").unwrap_or(&name).trim_matches('-');
    let name: String = name.chars().take(64).collect();
    if name.is_empty() { "api".to_owned() } else { name.trim_end_matches('-').to_owned() }
}

fn summary(api: &Api, title: &str) -> String {
    let text = api.description().unwrap_or_default();
    let first = text.split("\n\n").next().unwrap_or_default();
    let sentence = first.split_inclusive(". ").next().unwrap_or_default();
    match one_line(sentence, MAX_SUMMARY) {
        text if text.is_empty() => format!("{}.", one_line(title, 80)),
        text => format!("{text}."),
    }
}

/// Describes the credential by the first known scheme that the operations name, or the first of the API.
fn auth(api: &Api, chosen: &[&Operation]) -> Table {
    let is_known = |scheme: &SecurityScheme| !matches!(scheme, SecurityScheme::Unknown(_));
    let named =
        |name: &str| api.security_schemes().iter().find(|(known, _)| known == name).map(|(_, scheme)| scheme);
    let required = chosen.iter().flat_map(|operation| operation.security()).filter(|all| all.len() == 1);
    let scheme = required
        .filter_map(|all| named(&all[0].scheme))
        .chain(api.security_schemes().iter().map(|(_, scheme)| scheme))
        .find(|scheme| is_known(scheme));
    let mut auth = Table::new();
    let Some(scheme) = scheme else {
        auth["class"] = value("none");
        return auth;
    };
    auth["class"] = value(if *scheme == SecurityScheme::Basic { "basic" } else { "api_key" });
    let place = match scheme {
        SecurityScheme::ApiKey(CredentialPlace::Header(name)) => Some(("header", name)),
        SecurityScheme::ApiKey(CredentialPlace::Query(name)) => Some(("query", name)),
        SecurityScheme::ApiKey(CredentialPlace::Cookie(name)) => Some(("cookie", name)),
        _ => None,
    };
    if let Some((place, name)) = place {
        auth["in"] = value(place);
        auth["name"] = value(name);
        auth["value"] = value("${credential}");
    }
    let label = match scheme {
        SecurityScheme::Basic => "User and password, as user:password",
        SecurityScheme::ApiKey(_) => "API key",
        _ => "Access token",
    };
    auth["credential"] = value(InlineTable::from_iter([("title", label)]));
    auth
}

fn tool(operation: &Operation) -> Table {
    let definition = operation.tool();
    let inputs = ToolInputs::of(operation);
    let mut tool = Table::new();
    if let Some(comment) = inputs.comment() {
        tool.decor_mut().set_prefix(format!("\n# {comment}\n"));
    }
    tool["name"] = value(operation.name());
    if let Some(title) = &definition.title {
        tool["title"] = value(title);
    }
    let text = definition.description.as_deref().unwrap_or_default();
    tool["description"] = value(one_line(text, MAX_DESCRIPTION));
    tool["class"] = value(operation.class().to_string());
    if let Some(id) =
        operation.description_json().as_ref().and_then(|described| string(described, "operationId"))
    {
        tool["operation"] = value(id);
    }
    tool["request"] = value(format!("{} {}", operation.method, operation.path));
    write_media_types(operation, &mut tool);
    if operation.arguments.iter().any(|argument| argument.destination == Destination::Body) {
        tool["body"] = value(".body");
    }
    if let Some(paging) = &operation.paging {
        tool["paging"] = value(paging_table(operation, paging));
    }
    sort(&mut tool, &TOOL_KEYS);
    if let Some(table) = inputs.table() {
        tool["input"] = Item::Table(table);
    }
    tool
}

fn write_media_types(operation: &Operation, tool: &mut Table) {
    match operation.body.as_ref().map(|body| body.kind()) {
        Some(MediaKind::Form) => tool["content_type"] = value("application/x-www-form-urlencoded"),
        Some(MediaKind::Multipart) => tool["content_type"] = value("multipart/form-data"),
        _ => {}
    }
    let first = operation.accept.split([',', ';']).next().unwrap_or_default().trim();
    if first.contains("json") {
        if first != "application/json" {
            tool["accept"] = value(first);
        }
    } else {
        tool["output"] = value(if first.starts_with("text/") { "text" } else { "binary" });
        if !first.contains('*') {
            tool["accept"] = value(first);
        }
    }
}

fn paging_table(operation: &Operation, paging: &Paging) -> InlineTable {
    let mut table = InlineTable::new();
    let response = success(operation);
    let has_link = response
        .as_ref()
        .and_then(|response| member(response, "headers"))
        .is_some_and(|headers| members(&headers).iter().any(|(name, _)| name.eq_ignore_ascii_case("link")));
    let kind = match paging.kind {
        _ if has_link => Some("link"),
        PagingKind::Cursor | PagingKind::LastItem => None,
        PagingKind::Page => Some("page"),
        PagingKind::Offset => Some("offset"),
    };
    if let Some(kind) = kind {
        table.insert("kind", kind.into());
    }
    table.insert("cursor", paging.native.as_str().into());
    match paging.kind {
        PagingKind::LastItem if !has_link => {
            table.insert("next", "if .has_more then .data[-1].id else null end".into());
        }
        PagingKind::Cursor if !has_link => {
            table.insert("next", next_filter(operation, response.as_ref()).into());
        }
        _ => {}
    }
    let size = paging
        .size
        .as_ref()
        .and_then(|name| operation.arguments.iter().find(|argument| argument.name == *name));
    if let Some(size) = size {
        let most = size.maximum().unwrap_or(PAGE_ITEMS);
        table.insert("size", size.api_name.as_str().into());
        table.insert("default_size", PAGE_ITEMS.min(most).into());
        if size.maximum().is_some() {
            table.insert("max_size", most.into());
        }
    }
    table
}

/// Returns the jq filter for the next cursor: the member that the response describes, or else the common ones.
fn next_filter(operation: &Operation, response: Option<&loggia_wire::RawJson>) -> String {
    let content = response.and_then(|response| member(response, "content"));
    let schema = match content {
        Some(content) => members(&content).into_iter().next().and_then(|(_, media)| member(&media, "schema")),
        None => response.and_then(|response| member(response, "schema")),
    };
    let described = NEXT.iter().find(|path| {
        let mut at = schema.clone();
        for name in **path {
            at = at.and_then(|schema| operation.document.follow(&schema).ok()).and_then(|schema| {
                let parts = member(&schema, "allOf").map(|all| items(&all)).unwrap_or_default();
                let mut own = std::iter::once(schema).chain(parts);
                own.find_map(|part| {
                    let part = operation.document.follow(&part).ok()?;
                    member(&member(&part, "properties")?, name)
                })
            });
        }
        at.is_some()
    });
    match described {
        Some(path) => format!(".{}", path.join(".")),
        None => ".next_cursor // .nextCursor // .next_page_token // .nextPageToken".to_owned(),
    }
}

/// Returns the first successful response of an operation.
fn success(operation: &Operation) -> Option<loggia_wire::RawJson> {
    let responses = member(&operation.description_json()?, "responses")?;
    let (_, response) = members(&responses).into_iter().find(|(status, _)| status.starts_with('2'))?;
    operation.document.follow(&response).ok()
}
