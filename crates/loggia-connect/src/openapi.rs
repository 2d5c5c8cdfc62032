//! A REST API as an MCP server: each operation of its description is a tool. It lets people connect an API that has no MCP
//! server, without code.
//!
//! Invariant: requests go to the base URL of the API alone, and the credential is in no result and no error.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use loggia::Server;
use loggia::model::CallToolResult;
use loggia::server::{Args, Cx, Tool, ToolError};
use loggia::service::BoxFuture;
use loggia_openapi::{Api, Operation, OperationClass, ResponseLimits, SecurityScheme, retry_after};

use crate::secret::Secret;

/// Longest time that a call waits when the API asks for it (429, `Retry-After`). A longer one is told to the model.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Sends HTTP requests. The program that embeds the connector decides about TLS, networks and bounds.
pub trait HttpSender: Send + Sync {
    /// Sends a request and reads the whole response. An error names the host, and no more of the URL: it may hold a
    /// credential.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, String>>;
}

/// The settings of an API that is served as tools.
#[derive(Debug, Default)]
pub struct ApiOptions {
    /// The API key, token or `user:password`, for the security scheme that each operation names.
    pub credential: Option<Secret>,
    /// Headers of each request.
    pub headers: HeaderMap,
    /// Bounds of results.
    pub limits: ResponseLimits,
}

struct ApiServer {
    api: Api,
    base_url: Uri,
    options: ApiOptions,
    sender: Arc<dyn HttpSender>,
}

/// Makes a server whose tools are the operations of `api`. Their paths are added to `base_url`.
pub fn server(
    api: Api,
    base_url: Uri,
    options: ApiOptions,
    sender: Arc<dyn HttpSender>,
) -> loggia::Result<Server> {
    for problem in api.problems() {
        tracing::warn!(operation = problem.operation, reason = problem.reason, "an operation is no tool");
    }
    let title = match api.title() {
        "" => "API".to_owned(),
        title => title.to_owned(),
    };
    let tools: Vec<Tool<ApiServer>> = api.operations().iter().enumerate().map(tool).collect();
    let instructions = instructions(&api, &title);
    let version = if api.version().is_empty() { "0" } else { api.version() }.to_owned();
    let state = ApiServer { api, base_url, options, sender };
    Server::new("api", version).title(title).instructions(instructions).state(state).tools(tools).build()
}

fn instructions(api: &Api, title: &str) -> String {
    const MAX: usize = 800;
    let description = api.description().unwrap_or_default();
    let described = loggia::wire::text::truncated(description, MAX);
    format!("The API {title}. {described}").trim_end().to_owned()
}

fn tool((place, operation): (usize, &Operation)) -> Tool<ApiServer> {
    let definition = operation.tool();
    let is_read = operation.class() == OperationClass::Read;
    let mut tool = Tool::build(definition.name)
        .description(definition.description.unwrap_or_default())
        .read_only(is_read)
        .open_world(true)
        .input_schema((*definition.input_schema).clone());
    if let Some(title) = definition.title {
        tool = tool.title(title);
    }
    if let Some(hints) = definition.annotations.filter(|_| !is_read) {
        tool = tool
            .destructive(hints.destructive_hint.unwrap_or(true))
            .idempotent(hints.idempotent_hint.unwrap_or(false));
    }
    tool.handler(move |server: Arc<ApiServer>, _: Cx, args: Args| async move {
        server.call(&server.api.operations()[place], args).await
    })
}

impl ApiServer {
    async fn call(&self, operation: &Operation, args: Args) -> Result<CallToolResult, ToolError> {
        let arguments = args.into_object();
        let say = |error: loggia_openapi::ArgumentError| ToolError::say(error.to_string());
        let mut request = operation.request(&self.base_url, &arguments).map_err(say)?;
        for (name, value) in &self.options.headers {
            request.headers_mut().insert(name, value.clone());
        }
        self.authorize(operation, &mut request).map_err(say)?;
        let response = send(self.sender.as_ref(), request).await?;
        Ok(operation.result(&arguments, &response, self.options.limits))
    }

    /// Adds the credential for the first alternative that needs one scheme. Without a requirement of the description the
    /// API's only scheme is used.
    fn authorize(
        &self,
        operation: &Operation,
        request: &mut Request<Bytes>,
    ) -> Result<(), loggia_openapi::ArgumentError> {
        let Some(credential) = &self.options.credential else { return Ok(()) };
        let named = |name: &str| {
            self.api.security_schemes().iter().find(|(known, _)| known == name).map(|(_, scheme)| scheme)
        };
        let required = operation.security().iter().filter(|alternative| alternative.len() == 1);
        let mut schemes = required.filter_map(|alternative| named(&alternative[0].scheme));
        let known = |scheme: &&SecurityScheme| !matches!(scheme, SecurityScheme::Unknown(_));
        let scheme = schemes.find(known).or_else(|| match self.api.security_schemes() {
            [(_, only)] => Some(only),
            _ => None,
        });
        scheme.unwrap_or(&SecurityScheme::Bearer).authorize(request, credential.expose())
    }
}

/// Sends a request, and once more if the API asks to wait for a moment. A request that was refused with 429 did not run, so
/// it can be sent again whatever its class.
pub(crate) async fn send(
    sender: &dyn HttpSender,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, ToolError> {
    let failed = |error: String| {
        ToolError::say(format!("The API cannot be reached: {error}. Call again later, or tell the user."))
    };
    let response = sender.send(request.clone()).await.map_err(failed)?;
    let wait = retry_after(response.headers()).filter(|wait| *wait <= MAX_WAIT);
    match wait.filter(|_| response.status() == StatusCode::TOO_MANY_REQUESTS) {
        Some(wait) => {
            tokio::time::sleep(wait).await;
            sender.send(request).await.map_err(failed)
        }
        None => Ok(response),
    }
}
