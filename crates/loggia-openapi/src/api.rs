//! An API: its operations, servers and security schemes.

use std::collections::HashSet;
use std::sync::Arc;

use http::{Method, Uri};
use loggia_wire::RawJson;
use loggia_wire::text::redact_url;

use crate::arguments::arguments;
use crate::body::RequestBody;
use crate::class::classify;
use crate::document::{Document, Format, boolean, items, member, members, string};
use crate::error::DescriptionError;
use crate::name;
use crate::operation::{Operation, SharedParts};
use crate::paging::Paging;
use crate::parameter::{ApiParameter, Location};
use crate::security::{self, SecurityScheme};

/// The methods of a path item ("Path Item Object").
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// An API that was read from its description.
#[derive(Debug, Clone)]
pub struct Api {
    document: Arc<Document>,
    title: String,
    version: String,
    description: Option<String>,
    operations: Vec<Operation>,
    problems: Vec<Problem>,
    schemes: Vec<(String, SecurityScheme)>,
}

/// An operation that cannot be a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The operation: `GET /pets`.
    pub operation: String,
    /// The reason, and what the author of the description can do.
    pub reason: String,
}

impl Api {
    /// Reads a description: OpenAPI 3.0, OpenAPI 3.1 or Swagger 2.0, as JSON or YAML.
    pub fn read(text: &[u8]) -> Result<Api, DescriptionError> {
        let document = Arc::new(Document::read(text)?);
        let info = document.section("info").cloned();
        let text = |name: &str| info.as_ref().and_then(|info| string(info, name));
        let mut api = Api {
            title: text("title").unwrap_or_default(),
            version: text("version").unwrap_or_default(),
            description: text("description"),
            operations: Vec::new(),
            problems: Vec::new(),
            schemes: security::schemes(&document),
            document,
        };
        api.read_paths();
        Ok(api)
    }

    /// Returns the title of the API.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns the version of the API.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the description of the API.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Returns the operations, in the order of the description.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Returns the operation whose tool has this name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// Returns the operations that cannot be tools.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the security schemes, by name.
    pub fn security_schemes(&self) -> &[(String, SecurityScheme)] {
        &self.schemes
    }

    /// Returns the URL of the first server, with the default values of its variables.
    pub fn base_url(&self) -> Result<Uri, DescriptionError> {
        self.base_url_from(None)
    }

    /// Returns the URL of the first server. A relative one is resolved against the URL of the description.
    pub fn base_url_from(&self, description_url: Option<&Uri>) -> Result<Uri, DescriptionError> {
        let server = match self.document.format() {
            Format::Swagger2 => swagger_server(&self.document, description_url),
            Format::OpenApi30 | Format::OpenApi31 => self.document.section("servers").and_then(first_server),
        };
        let server = server.unwrap_or_else(|| "/".to_owned());
        let url = match (server.starts_with('/'), description_url) {
            (true, Some(base)) => match (base.scheme_str(), base.authority()) {
                (Some(scheme), Some(authority)) => format!("{scheme}://{authority}{server}"),
                _ => server,
            },
            _ => server,
        };
        let wrong = |reason: &str| DescriptionError::Server(format!("{:?} {reason}", redact_url(&url)));
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        match uri.scheme_str() {
            Some("http" | "https") if uri.authority().is_some() => Ok(uri),
            _ => Err(wrong("is not an absolute http or https URL")),
        }
    }

    /// Returns the servers of OpenAPI 3.
    #[cfg(feature = "curate")]
    pub(crate) fn servers(&self) -> Option<&RawJson> {
        self.document.section("servers")
    }

    fn read_paths(&mut self) {
        let mut read: Vec<(Operation, String)> = Vec::new();
        for (path, item) in self.document.section("paths").cloned().iter().flat_map(members) {
            if path.starts_with("x-") {
                continue;
            }
            let item = match self.document.follow(&item) {
                Ok(item) => item,
                Err(reason) => {
                    self.problems.push(Problem { operation: path, reason });
                    continue;
                }
            };
            let shared = SharedParts {
                parameters: member(&item, "parameters").iter().flat_map(items).collect(),
                security: self.document.section("security").cloned(),
                servers: member(&item, "servers"),
            };
            for (method, operation) in members(&item) {
                if !METHODS.contains(&method.as_str()) {
                    continue;
                }
                let key = format!("{} {path}", method.to_ascii_uppercase());
                match read_operation(&self.document, &method, &path, &operation, &shared) {
                    Ok(operation) => read.push((operation, key)),
                    Err(reason) => self.problems.push(Problem { operation: key, reason }),
                }
            }
        }
        let wanted: Vec<(String, String)> =
            read.iter().map(|(operation, key)| (operation.name.clone(), key.clone())).collect();
        let names = name::unique(&wanted);
        self.operations = read
            .into_iter()
            .zip(names)
            .map(|((operation, _), name)| Operation { name, ..operation })
            .collect();
    }
}

fn read_operation(
    document: &Arc<Document>,
    method: &str,
    path: &str,
    operation: &RawJson,
    shared: &SharedParts,
) -> Result<Operation, String> {
    if !operation.is_object() {
        return Err("it is not an object".to_owned());
    }
    let own: Vec<RawJson> = member(operation, "parameters").iter().flat_map(items).collect();
    let mut parameters: Vec<ApiParameter> = Vec::new();
    // A parameter of the operation replaces that of the path.
    for parameter in own.iter().chain(&shared.parameters) {
        if let Some(parameter) = ApiParameter::read(document, parameter)? {
            let is_known =
                |known: &ApiParameter| known.name == parameter.name && known.location == parameter.location;
            if !parameters.iter().any(is_known) {
                parameters.push(parameter);
            }
        }
    }
    let body = RequestBody::read(document, operation, &[own, shared.parameters.clone()].concat())?;
    check_path(path, &parameters)?;
    let method_name = method.to_ascii_uppercase();
    let name = match string(operation, "operationId").map(|id| name::snake_case(&id)) {
        Some(name) if !name.is_empty() => name,
        _ => name::from_path(&method_name, path),
    };
    let method: Method = method_name.parse().map_err(|_| format!("{method_name} is not an HTTP method"))?;
    let arguments = arguments(&parameters, body.as_ref());
    let security = member(operation, "security").or_else(|| shared.security.clone());
    Ok(Operation {
        document: document.clone(),
        class: classify(&method, &name),
        name,
        method,
        path: path.to_owned(),
        summary: string(operation, "summary"),
        description: string(operation, "description"),
        tags: member(operation, "tags")
            .iter()
            .flat_map(items)
            .filter_map(|tag| Some(tag.as_text().as_str()?.into_owned()))
            .collect(),
        is_deprecated: boolean(operation, "deprecated") == Some(true),
        // A description that a program wrote may do the paging itself.
        paging: Paging::recognise(&arguments)
            .filter(|_| boolean(operation, "x-loggia-paging") != Some(false)),
        accept: accept(document, operation),
        server: member(operation, "servers")
            .or_else(|| shared.servers.clone())
            .as_ref()
            .and_then(first_server),
        parameters,
        body,
        arguments,
        security: security.as_ref().map(security::requirements).unwrap_or_default(),
    })
}

/// Checks that each variable of the path has a parameter.
fn check_path(path: &str, parameters: &[ApiParameter]) -> Result<(), String> {
    let variables: Vec<&str> =
        path.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect();
    let named: HashSet<&str> = parameters
        .iter()
        .filter(|parameter| parameter.location == Location::Path)
        .map(|parameter| parameter.name.as_str())
        .collect();
    match variables.iter().find(|variable| !named.contains(**variable)) {
        Some(missing) => {
            Err(format!("the path has {{{missing}}}, which no parameter describes: add one with in: path"))
        }
        None => Ok(()),
    }
}

/// Returns the `Accept` header: the media types of successful responses, JSON first.
fn accept(document: &Document, operation: &RawJson) -> String {
    let mut types: Vec<String> = Vec::new();
    let produces = member(operation, "produces").or_else(|| document.section("produces").cloned());
    types.extend(
        produces.iter().flat_map(items).filter_map(|name| Some(name.as_text().as_str()?.into_owned())),
    );
    for (status, response) in member(operation, "responses").iter().flat_map(members) {
        let is_success = status.starts_with('2') || status == "default";
        if let Some(content) = document
            .follow(&response)
            .ok()
            .filter(|_| is_success)
            .and_then(|response| member(&response, "content"))
        {
            types.extend(members(&content).into_iter().map(|(name, _)| name));
        }
    }
    let mut distinct: Vec<String> = Vec::new();
    for name in types {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct.sort_by_key(|name| !name.contains("json"));
    match distinct.is_empty() {
        true => "application/json, */*;q=0.5".to_owned(),
        false => distinct.join(", "),
    }
}

/// Returns the URL of the first of `servers`, with the default values of its variables.
fn first_server(servers: &RawJson) -> Option<String> {
    let server = items(servers).into_iter().next()?;
    let mut url = string(&server, "url")?;
    for (name, variable) in member(&server, "variables").iter().flat_map(members) {
        let value = string(&variable, "default").unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), &value);
    }
    Some(url)
}

fn swagger_server(document: &Document, description_url: Option<&Uri>) -> Option<String> {
    let text = |name: &str| document.section(name)?.as_text().as_str().map(|text| text.into_owned());
    let path = text("basePath").unwrap_or_default();
    let Some(host) = text("host") else { return (!path.is_empty()).then_some(path) };
    let schemes: Vec<String> = document
        .section("schemes")
        .into_iter()
        .flat_map(items)
        .filter_map(|name| Some(name.as_text().as_str()?.into_owned()))
        .collect();
    let scheme = match schemes.iter().any(|scheme| scheme == "https") || schemes.is_empty() {
        true => description_url
            .filter(|_| schemes.is_empty())
            .and_then(Uri::scheme_str)
            .unwrap_or("https")
            .to_owned(),
        false => schemes[0].clone(),
    };
    Some(format!("{scheme}://{host}{path}"))
}
