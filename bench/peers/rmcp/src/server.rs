//! A server with rmcp. Without `--tuned` it is written as the README and the examples show: handlers and their router
//! are created for each request, with the default configuration and `axum::serve` on a plain listener. With `--tuned`
//! the router is created once, answers are plain JSON if possible, and sockets have TCP_NODELAY.

use std::os::fd::AsFd;
use std::sync::Arc;

use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, ProgressNotificationParam, Tool};
use rmcp::service::RequestContext;
use rmcp::transport::stdio;
use rmcp::{
    ErrorData, Json, RoleServer, ServerHandler, ServiceExt, schemars, tool, tool_handler, tool_router,
};
use tokio::net::unix::pipe::{Receiver, Sender};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Text {
    text: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Pair {
    a: f64,
    b: f64,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Sum {
    /// The sum
    sum: f64,
}

#[derive(Clone)]
struct Bench {
    tool_router: Arc<ToolRouter<Bench>>,
}

#[tool_router]
impl Bench {
    fn new(further: usize) -> Self {
        let mut router = Self::tool_router();
        for n in 0..further {
            let tool = Tool::new(format!("tool_{n}"), "One of many.", Arc::new(JsonObject::new()));
            router.add_route(ToolRoute::new_dyn(tool, |_: ToolCallContext<'_, Bench>| {
                Box::pin(async { Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into()) })
            }));
        }
        Self { tool_router: Arc::new(router) }
    }

    #[tool(description = "Says what it is told.")]
    async fn echo(&self, Parameters(Text { text }): Parameters<Text>) -> String {
        text
    }

    #[tool(description = "Adds two numbers.")]
    async fn add(&self, Parameters(Pair { a, b }): Parameters<Pair>) -> Json<Sum> {
        Json(Sum { sum: a + b })
    }

    #[tool(description = "Says what it is told, and before that how far it is.")]
    async fn progress(
        &self,
        Parameters(Text { text }): Parameters<Text>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        if let Some(token) = context.meta.get_progress_token() {
            let sent = context.peer.notify_progress(ProgressNotificationParam::new(token, 0.5)).await;
            sent.map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
        }
        Ok(text)
    }

    #[tool(description = "Says what it is told, and tells everyone that the list of tools has changed.")]
    async fn touch(
        &self,
        Parameters(Text { text }): Parameters<Text>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        let sent = context.peer.notify_tool_list_changed().await;
        sent.map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
        Ok(text)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Bench {}

fn value_of<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tuned = arguments.iter().any(|word| word == "--tuned");
    if tuned && arguments.iter().any(|word| word == "--stdio") { tuned_stdio() } else { serve(&arguments) }
}

/// Serves on plain pipes with one thread, instead of the threads behind `tokio::io::stdin`.
#[tokio::main(flavor = "current_thread")]
async fn tuned_stdio() -> anyhow::Result<()> {
    let input = Receiver::from_owned_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    let output = Sender::from_owned_fd(std::io::stdout().as_fd().try_clone_to_owned()?)?;
    Bench::new(0).serve((input, output)).await?.waiting().await?;
    Ok(())
}

#[tokio::main]
async fn serve(arguments: &[String]) -> anyhow::Result<()> {
    let further: usize = value_of(arguments, "--tools").and_then(|count| count.parse().ok()).unwrap_or(0);
    match value_of(arguments, "--listen") {
        None => Bench::new(further).serve(stdio()).await?.waiting().await.map(drop).map_err(Into::into),
        Some(address) if arguments.iter().any(|word| word == "--tuned") => {
            http::tuned(address, further).await
        }
        Some(address) => http::as_shown(address, further).await,
    }
}

#[cfg(not(feature = "http"))]
mod http {
    pub(crate) async fn as_shown(_address: &str, _further: usize) -> anyhow::Result<()> {
        anyhow::bail!("built without HTTP")
    }

    pub(crate) async fn tuned(_address: &str, _further: usize) -> anyhow::Result<()> {
        anyhow::bail!("built without HTTP")
    }
}

#[cfg(feature = "http")]
mod http {
    use axum::serve::ListenerExt;
    use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
    use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
    use tokio::net::TcpListener;

    use super::Bench;

    pub(crate) async fn as_shown(address: &str, further: usize) -> anyhow::Result<()> {
        let service = StreamableHttpService::new(
            move || Ok(Bench::new(further)),
            LocalSessionManager::default().into(),
            StreamableHttpServerConfig::default(),
        );
        let router = axum::Router::new().nest_service("/mcp", service);
        axum::serve(TcpListener::bind(address).await?, router).await?;
        Ok(())
    }

    pub(crate) async fn tuned(address: &str, further: usize) -> anyhow::Result<()> {
        let bench = Bench::new(further);
        let service = StreamableHttpService::new(
            move || Ok(bench.clone()),
            LocalSessionManager::default().into(),
            StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true),
        );
        let router = axum::Router::new().nest_service("/mcp", service);
        let listener = TcpListener::bind(address).await?.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    }
}
