//! One tool of an API: the request of a call, and the result of its response.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use loggia::model::{CallToolResult, ContentBlock, TextContent, Tool};
use loggia::server::ToolError;
use loggia::wire::JsonObject;
use loggia_openapi::graphql::GraphqlResponse;
use loggia_openapi::{Api, Operation};
use serde_json::{Map, Value, json};

use super::arguments::{complete, set_nested};
use super::definition::{CURSOR, definition};
use super::description::{WireParameter, api, is_multipart};
use super::paging::{PageRequest, native_value, next};
use super::{ApiConnection, raw};
use crate::filter::{FilterRunner, JsonFilter};
use crate::manifest::{
    ConnectorValues, GraphQlRequest, InputPlace, ManifestTool, ToolOutput, ToolRequest, path_variables,
};

/// A tool of an API.
pub(super) struct ApiTool {
    tool: ManifestTool,
    request: ToolRequest,
    api: Api,
    fixed: Map<String, Value>,
    defaults: Map<String, Value>,
}

impl ApiTool {
    pub(super) fn new(tool: &ManifestTool, values: &ConnectorValues) -> Result<ApiTool, String> {
        let fill = |members| values.object(members).map_err(|missing| missing.to_string());
        let (fixed, defaults) = (fill(&tool.fixed)?, fill(&tool.defaults)?);
        let request = match (&tool.request, &tool.graphql) {
            (Some(request), _) => request.clone(),
            (None, Some(_)) => graphql_request(),
            (None, None) => return Err("it has no request".to_owned()),
        };
        let parameters = parameters(tool, &request, &fixed);
        let has_body = takes_body(&request.method);
        let api = api(tool, &request, &parameters, has_body)?;
        if api.operations().len() != 1 {
            return Err("its request is no operation".to_owned());
        }
        Ok(ApiTool { tool: tool.clone(), request, api, fixed, defaults })
    }

    pub(super) fn name(&self) -> &str {
        &self.tool.name
    }

    pub(super) fn definition(&self) -> Tool {
        definition(&self.tool)
    }

    fn operation(&self) -> &Operation {
        &self.api.operations()[0]
    }

    pub(super) async fn call(
        &self,
        connection: &ApiConnection,
        arguments: &JsonObject,
    ) -> Result<CallToolResult, ToolError> {
        let (request, page) = self.request(connection, arguments).await.map_err(ToolError::say)?;
        let response = connection.send(request).await?;
        let limits = connection.limits;
        if let Some(said) = self.graphql_errors(&response) {
            return Err(ToolError::say(said));
        }
        if !response.status().is_success() {
            return Ok(self.operation().result(&JsonObject::default(), &response, limits));
        }
        let filters = &connection.filters;
        let cursor = match &self.tool.paging {
            Some(paging) => next(paging, &page, response.headers(), response.body(), filters).await,
            None => None,
        };
        let shaped = self.shaped(response, filters).await.map_err(ToolError::say)?;
        let mut result = self.operation().result(&JsonObject::default(), &shaped, limits);
        if let Some(cursor) = cursor {
            let text = format!("There are more results: call again with cursor {cursor:?}.");
            result.content.push(ContentBlock::Text(TextContent::new(text)));
        }
        Ok(result)
    }

    /// Returns the JSON of the result.
    pub(super) async fn json(
        &self,
        connection: &ApiConnection,
        arguments: &JsonObject,
    ) -> Result<Bytes, ToolError> {
        let (request, _) = self.request(connection, arguments).await.map_err(ToolError::say)?;
        let response = connection.send(request).await?;
        if let Some(said) = self.graphql_errors(&response) {
            return Err(ToolError::say(said));
        }
        if !response.status().is_success() {
            let result = self.operation().result(&JsonObject::default(), &response, connection.limits);
            return Err(ToolError::result(result));
        }
        Ok(self.shaped(response, &connection.filters).await.map_err(ToolError::say)?.into_body())
    }

    /// Writes the request of a call.
    async fn request(
        &self,
        connection: &ApiConnection,
        arguments: &JsonObject,
    ) -> Result<(Request<Bytes>, PageRequest), String> {
        let mut given = arguments.to_map();
        let cursor = match given.remove(CURSOR) {
            Some(Value::String(cursor)) if self.tool.paging.is_some() => Some(cursor),
            Some(other) => {
                given.insert(CURSOR.to_owned(), other);
                None
            }
            None => None,
        };
        let arguments = complete(&self.tool, given, &self.defaults, &self.fixed)?;
        let mut page = PageRequest { cursor: cursor.filter(|cursor| !cursor.is_empty()), size: None };
        let mut wire: Vec<(InputPlace, String, Value)> = Vec::new();
        for input in &self.tool.inputs {
            if let Some(value) = arguments.get(&input.name) {
                wire.push((input.place, input.wire_name.clone(), value.clone()));
            }
        }
        let has_input = |name: &str| self.tool.inputs.iter().any(|input| input.name == name);
        for (name, value) in self.fixed.iter().filter(|(name, _)| !has_input(name)) {
            wire.push((default_place(&self.request, name), name.clone(), value.clone()));
        }
        self.add_page(&mut wire, &mut page);
        let wire_arguments = self.wire_arguments(&arguments, wire, &connection.filters).await?;
        let mut request = self
            .operation()
            .request(&connection.base_url, &wire_arguments)
            .map_err(|error| error.to_string())?;
        if self.tool.graphql.is_some() {
            // The endpoint itself has no path below it.
            *request.uri_mut() = connection.base_url.clone();
        }
        Ok((request, page))
    }

    /// Adds the cursor and the page size.
    fn add_page(&self, wire: &mut Vec<(InputPlace, String, Value)>, page: &mut PageRequest) {
        let Some(paging) = &self.tool.paging else { return };
        if let Some(cursor) = &page.cursor {
            let place = self.place_of(&paging.cursor);
            wire.push((place, paging.cursor.clone(), native_value(paging, cursor)));
        }
        let Some(size) = &paging.size else { return };
        let given = wire.iter_mut().find(|(_, name, _)| name == size);
        let most = paging.max_size.unwrap_or(u64::MAX);
        match given {
            Some((_, _, value)) => {
                page.size = value.as_u64().map(|size| size.min(most));
                if let Some(size) = page.size {
                    *value = Value::from(size);
                }
            }
            None => {
                page.size = paging.default_size;
                wire.extend(page.size.map(|value| (self.place_of(size), size.clone(), Value::from(value))));
            }
        }
    }

    /// Returns the place of a parameter by its name in the API.
    fn place_of(&self, name: &str) -> InputPlace {
        let input = self.tool.inputs.iter().find(|input| input.wire_name == name);
        match (input, &self.tool.graphql) {
            (Some(input), _) => input.place,
            (None, Some(_)) => InputPlace::Variable,
            (None, None) => default_place(&self.request, name),
        }
    }

    /// Returns the arguments of the operation: parameters, and the body.
    async fn wire_arguments(
        &self,
        arguments: &Map<String, Value>,
        wire: Vec<(InputPlace, String, Value)>,
        filters: &FilterRunner,
    ) -> Result<JsonObject, String> {
        let operation = self.operation();
        let mut out = JsonObject::default();
        let mut body = Map::new();
        if let Some(filter) = self.body_filter() {
            let input = Value::Object(arguments.clone()).to_string();
            let value = filters.first(filter, input.into()).await;
            match value.map_err(|error| error.to_string())?.map(|value| value.to_value()) {
                Some(Value::Object(members)) => body = members,
                Some(other) if wire.iter().all(|(place, ..)| *place != InputPlace::Body) => {
                    insert(&mut out, operation, "body", "body", &other);
                }
                _ => return Err(format!("{}: the arguments make no body", self.tool.name)),
            }
        }
        let has_filter = self.body_filter().is_some();
        let paging = self.tool.paging.as_ref();
        let is_page = |name: &str| {
            paging.is_some_and(|paging| paging.cursor == name || paging.size.as_deref() == Some(name))
        };
        for (place, name, value) in wire {
            match place {
                // A filter has put the arguments of the caller where they belong.
                InputPlace::Body | InputPlace::Variable if has_filter && !is_page(&name) => {}
                InputPlace::Body | InputPlace::Variable => set_nested(&mut body, &name, value),
                place => insert(&mut out, operation, place.as_str(), &name, &value),
            }
        }
        if let Some(GraphQlRequest { document, .. }) = &self.tool.graphql {
            let variables = std::mem::take(&mut body);
            body.insert("query".to_owned(), json!(document));
            body.insert("variables".to_owned(), Value::Object(variables));
        }
        if is_multipart(&self.request) {
            for (name, value) in &body {
                insert(&mut out, operation, "body", name, value);
            }
        } else if !body.is_empty() || (has_filter && out.get("body").is_none()) {
            insert(&mut out, operation, "body", "body", &Value::Object(body));
        }
        Ok(out)
    }

    fn body_filter(&self) -> Option<&JsonFilter> {
        match &self.tool.graphql {
            Some(graphql) => graphql.variables.as_ref(),
            None => self.request.body.as_ref(),
        }
    }

    /// Returns the response with its body as the manifest shapes it.
    async fn shaped(
        &self,
        response: Response<Bytes>,
        filters: &FilterRunner,
    ) -> Result<Response<Bytes>, String> {
        let (mut parts, body) = response.into_parts();
        if self.request.output == ToolOutput::Text {
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            return Ok(Response::from_parts(parts, body));
        }
        let Some(filter) = self.tool.result.as_ref().filter(|_| self.request.output == ToolOutput::Json)
        else {
            return Ok(Response::from_parts(parts, body));
        };
        let mut values = filters.all(filter, body).await.map_err(|error| {
            format!("{} succeeded, but its result cannot be shown: {error}", self.tool.name)
        })?;
        let shaped = match values.len() {
            1 => values.remove(0).into_bytes(),
            _ => {
                let texts: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
                Bytes::from([b"[".as_slice(), &texts.join(&b','), b"]"].concat())
            }
        };
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Response::from_parts(parts, shaped))
    }

    /// Returns the errors of a GraphQL response, whatever its status, for the model. A response with data and errors is an error too: a part of
    /// the data would be missing without a word.
    fn graphql_errors(&self, response: &Response<Bytes>) -> Option<String> {
        self.tool.graphql.as_ref()?;
        let read = GraphqlResponse::read(response).filter(GraphqlResponse::has_errors)?;
        Some(format!("{} failed. {}", self.tool.name, read.errors_text()))
    }
}

fn insert(out: &mut JsonObject, operation: &Operation, place: &str, name: &str, value: &Value) {
    if let Some(argument) = operation.argument(place, name) {
        out.insert(argument, raw(value));
    }
}

fn takes_body(method: &Method) -> bool {
    ![Method::GET, Method::HEAD].contains(method)
}

/// Returns the place of a parameter that no input describes.
fn default_place(request: &ToolRequest, name: &str) -> InputPlace {
    match request.method {
        _ if path_variables(&request.path).any(|variable| variable == name) => InputPlace::Path,
        Method::GET | Method::HEAD | Method::DELETE => InputPlace::Query,
        _ => InputPlace::Body,
    }
}

/// Returns the parameters of the request: those of the inputs, the fixed ones, and those of the paging.
fn parameters(tool: &ManifestTool, request: &ToolRequest, fixed: &Map<String, Value>) -> Vec<WireParameter> {
    let mut parameters: Vec<WireParameter> = tool
        .inputs
        .iter()
        .filter(|input| input.place != InputPlace::Variable)
        .map(|input| WireParameter {
            place: input.place,
            name: input.wire_name.clone(),
            schema: input.schema.clone(),
        })
        .collect();
    let paging = tool.paging.iter().flat_map(|paging| std::iter::once(&paging.cursor).chain(&paging.size));
    let fixed = fixed.keys().filter(|name| !tool.inputs.iter().any(|input| input.name == **name));
    for name in fixed.chain(paging).filter(|_| tool.graphql.is_none()) {
        if !parameters.iter().any(|known| known.name == *name) {
            parameters.push(WireParameter {
                place: default_place(request, name),
                name: name.clone(),
                schema: json!({}),
            });
        }
    }
    parameters
}

/// Returns the request of every GraphQL tool.
fn graphql_request() -> ToolRequest {
    ToolRequest {
        operation: None,
        method: Method::POST,
        path: "/".to_owned(),
        accept: None,
        body: None,
        content_type: "application/json".to_owned(),
        output: ToolOutput::Json,
    }
}
