//! APIs whose tools a manifest writes: each tool is a request to a REST or GraphQL API.
//!
//! A manifest selects few tools and describes them for a model, which the operations of a vendor's description are not.
//! The requests and results themselves are those of `loggia-openapi`: each tool becomes a small OpenAPI description.
//! Invariant: requests go to the base URL alone, and the credential is in no result and no error.

mod access_token;
mod accounts;
mod arguments;
mod authorize;
mod definition;
mod description;
mod pace;
mod paging;
mod tool;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use loggia::Server;
use loggia::model::CallToolResult;
use loggia::server::{Args, Cx, Tool, ToolError};
use loggia::wire::{JsonObject, RawJson};
use loggia_openapi::{OperationClass, ResponseLimits};

use crate::filter::{FilterRunner, JsonFilter};
use crate::manifest::{
    BackendValueError, ConnectorManifest, ConnectorValues, HealthCall, HealthCheck, ManifestBackend,
    ManifestTransport, MissingValue, resolved_url,
};
use crate::openapi::{HttpSender, send};

pub use access_token::AccessTokenSource;
pub use accounts::AccountApis;
use authorize::RequestCredential;
use pace::RequestPace;
use tool::ApiTool;

/// The API of a direct backend, with its tools.
pub struct ManifestApi {
    connection: ApiConnection,
    tools: Vec<ApiTool>,
    health: Option<HealthCheck>,
}

/// The part of a direct backend that all its tools share.
struct ApiConnection {
    base_url: Uri,
    headers: HeaderMap,
    credential: Option<RequestCredential>,
    idempotency_header: Option<HeaderName>,
    pace: Option<RequestPace>,
    timeout: Option<Duration>,
    limits: ResponseLimits,
    failure: Option<JsonFilter>,
    filters: FilterRunner,
    sender: Arc<dyn HttpSender>,
}

/// The reason why a direct backend cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestApiError {
    /// The backend is an MCP server.
    NotDirect,
    /// A value is missing, or does not fit.
    Value(BackendValueError),
    /// A tool cannot be served.
    Tool {
        /// Its name.
        name: String,
        /// The reason.
        reason: String,
    },
}

impl From<MissingValue> for ManifestApiError {
    fn from(missing: MissingValue) -> ManifestApiError {
        ManifestApiError::Value(missing.into())
    }
}

impl From<BackendValueError> for ManifestApiError {
    fn from(error: BackendValueError) -> ManifestApiError {
        ManifestApiError::Value(error)
    }
}

impl ManifestApi {
    /// Opens a backend of kind `openapi` or `graphql`.
    pub fn new(
        backend: &ManifestBackend,
        values: &ConnectorValues,
        sender: Arc<dyn HttpSender>,
    ) -> Result<ManifestApi, ManifestApiError> {
        let credential = RequestCredential::of(backend, values)?;
        ManifestApi::open(backend, values, sender, credential)
    }

    /// Opens a backend whose requests have an access token of `tokens`.
    ///
    /// # Errors
    ///
    /// The errors of [`ManifestApi::new`].
    pub fn with_tokens(
        backend: &ManifestBackend,
        values: &ConnectorValues,
        sender: Arc<dyn HttpSender>,
        tokens: Arc<dyn AccessTokenSource>,
    ) -> Result<ManifestApi, ManifestApiError> {
        let credential = RequestCredential::renewed(backend, values, tokens);
        ManifestApi::open(backend, values, sender, Some(credential))
    }

    fn open(
        backend: &ManifestBackend,
        values: &ConnectorValues,
        sender: Arc<dyn HttpSender>,
        credential: Option<RequestCredential>,
    ) -> Result<ManifestApi, ManifestApiError> {
        let (url, headers, failure) = match &backend.transport {
            ManifestTransport::OpenApi(api) => (api.base_url.as_ref(), &api.headers, api.failure.clone()),
            ManifestTransport::GraphQl(api) => (Some(&api.url), &api.headers, None),
            _ => return Err(ManifestApiError::NotDirect),
        };
        backend.check_credential(values)?;
        let wrong = |key: &str, reason| BackendValueError::Key { key: key.to_owned(), reason };
        let url = url.ok_or_else(|| wrong("base_url", "it is missing"))?;
        let base_url = resolved_url(url, "base_url", values)?;
        backend.check_host(base_url.expose(), "base_url", values)?;
        let base_url: Uri = base_url.expose().parse().map_err(|_| wrong("base_url", "it is no URL"))?;
        let mut all = HeaderMap::new();
        for (name, value) in headers.iter().filter(|(_, value)| !values.is_absent(value)) {
            let key = format!("headers.{name}");
            let mut header = HeaderValue::from_str(values.text(value)?.expose())
                .map_err(|_| wrong(&key, "it has characters that no header can hold"))?;
            header.set_sensitive(value.as_plain().is_none());
            let name =
                HeaderName::try_from(name.as_str()).map_err(|_| wrong(&key, "it is no name of a header"))?;
            all.insert(name, header);
        }
        let default = ResponseLimits::default();
        let connection = ApiConnection {
            base_url,
            headers: all,
            credential,
            idempotency_header: backend
                .limits
                .idempotency_header
                .as_deref()
                .and_then(|name| name.parse().ok()),
            pace: backend.limits.rate.map(RequestPace::new),
            timeout: backend.limits.timeout,
            limits: ResponseLimits { text: backend.limits.max_result.unwrap_or(default.text), ..default },
            failure,
            filters: FilterRunner::default(),
            sender,
        };
        let enabled = backend.tools.iter().filter(|tool| tool.is_enabled);
        let tools = enabled.map(|tool| {
            ApiTool::new(tool, values)
                .map_err(|reason| ManifestApiError::Tool { name: tool.name.clone(), reason })
        });
        Ok(ManifestApi {
            connection,
            tools: tools.collect::<Result<_, _>>()?,
            health: backend.health.clone(),
        })
    }

    /// Returns results as a whole, whatever `max_result` of the manifest is: the caller bounds them.
    pub fn whole_results(mut self) -> ManifestApi {
        self.connection.limits = ResponseLimits { text: usize::MAX, binary: usize::MAX };
        self
    }

    /// Runs the filters of the manifest with `filters`. Without it the API has a runner of its own.
    pub fn filter_runner(mut self, filters: FilterRunner) -> ManifestApi {
        self.connection.filters = filters;
        self
    }

    /// Returns the definitions of the tools, in the order of the manifest.
    pub fn tools(&self) -> impl Iterator<Item = loggia::model::Tool> {
        self.tools.iter().map(ApiTool::definition)
    }

    /// Calls a tool.
    pub async fn call(&self, name: &str, arguments: &JsonObject) -> Result<CallToolResult, ToolError> {
        match self.tools.iter().find(|tool| tool.name() == name) {
            Some(tool) => tool.call(&self.connection, arguments).await,
            None => Err(ToolError::say(format!("there is no tool {name}"))),
        }
    }

    /// Calls the health check. Returns the name of the account, if the manifest tells how to get it. The error is what the
    /// API says, for the user.
    pub async fn check_health(&self) -> Result<Option<String>, String> {
        let Some(health) = &self.health else { return Ok(None) };
        let text = match &health.call {
            HealthCall::Tool { name, arguments } => {
                let arguments: JsonObject = serde_json::to_string(arguments)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or_default();
                let tool = self.tools.iter().find(|tool| tool.name() == name);
                let tool = tool.ok_or_else(|| format!("the tool {name} is not enabled"))?;
                tool.json(&self.connection, &arguments).await.map_err(|error| said(&error))?
            }
            HealthCall::Request { method, path } => self.connection.get(method, path).await?,
        };
        Ok(health.account_of(text, &self.connection.filters).await)
    }

    /// Makes an MCP server of the tools.
    pub fn into_server(self, manifest: &ConnectorManifest) -> loggia::Result<Server> {
        let definitions: Vec<loggia::model::Tool> = self.tools().collect();
        let tools = definitions.into_iter().enumerate().map(|(place, definition)| served(place, definition));
        let tools: Vec<Tool<ManifestApi>> = tools.collect();
        server(self, tools, manifest)
    }
}

/// Makes an MCP server of a manifest's tools.
fn server<S: Send + Sync + 'static>(
    state: S,
    tools: Vec<Tool<S>>,
    manifest: &ConnectorManifest,
) -> loggia::Result<Server> {
    Server::new(manifest.name.clone(), manifest.version.clone())
        .title(manifest.title.clone())
        .description(manifest.description.clone())
        .state(state)
        .tools(tools)
        .build()
}

fn served(place: usize, definition: loggia::model::Tool) -> Tool<ManifestApi> {
    let schema = (*definition.input_schema).clone();
    let tool = Tool::build(definition.name.clone()).input_schema(schema);
    let handler = tool.handler(move |api: Arc<ManifestApi>, _: Cx, args: Args| async move {
        api.tools[place].call(&api.connection, &args.into_object()).await
    });
    handler.map(move |own| *own = definition)
}

impl HealthCheck {
    /// Returns the name of the account that a result shows.
    pub async fn account_of(&self, result: Bytes, filters: &FilterRunner) -> Option<String> {
        let value = filters.first(self.account.as_ref()?, result).await.ok()??.to_value();
        match value {
            serde_json::Value::String(name) => Some(name),
            serde_json::Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

impl ApiConnection {
    /// Adds headers and the credential, and sends a request. If the API refuses an access token, sends it again with another.
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, ToolError> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        if let Some(name) = self.idempotency_header.as_ref().filter(|_| request.method() == Method::POST) {
            request.headers_mut().insert(name, fresh_value()?);
        }
        let Some(credential) = &self.credential else { return self.attempt(request).await };
        let mut first = request.clone();
        let token = credential.add_to(&mut first).await?;
        let response = self.attempt(first).await?;
        let Some(token) = token.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(response);
        };
        // A token that was revoked before its end is renewed once.
        if !credential.replace_in(&mut request, &token).await? {
            return Ok(response);
        }
        let response = self.attempt(request).await?;
        match credential.refusal().filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
            Some(refusal) => Err(ToolError::say(refusal)),
            None => Ok(response),
        }
    }

    /// Sends a complete request at the pace of the API.
    async fn attempt(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ToolError> {
        if let Some(pace) = &self.pace {
            pace.wait().await.map_err(ToolError::say)?;
        }
        let sent = send(self.sender.as_ref(), request);
        let mut response = match self.timeout {
            Some(timeout) => tokio::time::timeout(timeout, sent).await.unwrap_or_else(|_| {
                let seconds = timeout.as_secs_f32();
                Err(ToolError::say(format!("The API did not answer in {seconds} s. Call again later.")))
            }),
            None => sent.await,
        }?;
        if let Some(status) = self.failure_status(&response).await {
            *response.status_mut() = status;
        }
        Ok(response)
    }

    /// Returns the status of a failure that the API reports as a success, or of a lost token that it reports as another
    /// refusal.
    async fn failure_status(&self, response: &Response<Bytes>) -> Option<StatusCode> {
        let own = response.status();
        let is_limit = own == StatusCode::TOO_MANY_REQUESTS;
        let can_differ = own.is_success() || (own.is_client_error() && !is_limit);
        let filter = self.failure.as_ref().filter(|_| can_differ)?;
        let status = self.filters.first(filter, response.body().clone()).await.ok()??.to_value().as_u64()?;
        let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
        let is_failure = status.is_client_error() || status.is_server_error();
        (is_failure && (own.is_success() || status == StatusCode::UNAUTHORIZED)).then_some(status)
    }

    /// Sends the request of a health check.
    async fn get(&self, method: &Method, path: &str) -> Result<Bytes, String> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method.clone();
        let url = format!("{}{path}", self.base_url.to_string().trim_end_matches('/'));
        *request.uri_mut() =
            url.parse().map_err(|_| "the path of the health check makes no URL".to_owned())?;
        request.headers_mut().insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.send(request).await.map_err(|error| said(&error))?;
        match response.status() {
            status if status.is_success() => Ok(response.into_body()),
            status => Err(format!("the API refuses the credential: {status}")),
        }
    }
}

fn said(error: &ToolError) -> String {
    error.to_string()
}

/// Returns a fresh value for an idempotency header: 128 random bits.
fn fresh_value() -> Result<HeaderValue, ToolError> {
    let mut bytes = [0u8; 16];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| ToolError::say("The machine gives no random numbers."))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&text).map_err(ToolError::internal)
}

/// Returns the text of a JSON value for a request.
fn raw(value: &serde_json::Value) -> RawJson {
    RawJson::from_written(value.to_string().into_bytes())
}

fn is_read(class: Option<OperationClass>) -> bool {
    class == Some(OperationClass::Read)
}

impl fmt::Debug for ManifestApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManifestApi").field("tools", &self.tools.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for ManifestApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestApiError::NotDirect => {
                f.write_str("the backend is an MCP server, which has its own tools")
            }
            ManifestApiError::Value(error) => error.fmt(f),
            ManifestApiError::Tool { name, reason } => {
                write!(f, "the tool {name} cannot be served: {reason}")
            }
        }
    }
}

impl std::error::Error for ManifestApiError {}
