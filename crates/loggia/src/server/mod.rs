//! Servers made of tools, prompts and resources. A [`Server`] is a [`Service`]: one function from a request
//! to an outcome, the same in every revision of the protocol and over every transport.
//!
//! ```no_run
//! use loggia::prelude::*;
//!
//! struct Weather { unit: &'static str }
//!
//! #[tools]
//! impl Weather {
//!     /// The weather in a city.
//!     #[tool(read_only)]
//!     async fn now(&self, /** The city's name */ city: String) -> Result<String, ToolError> {
//!         match city.as_str() {
//!             "Oslo" => Ok(format!("-3 {} and clear", self.unit)),
//!             other => Err(ToolError::say(format!("no city {other:?}; did you mean Oslo?"))),
//!         }
//!     }
//! }
//!
//! # async fn run() -> loggia::Result<()> {
//! Server::new("weather", "1.0.0").state(Weather { unit: "°C" }).tools(Weather::tools()).serve(stdio()).await
//! # }
//! ```
//!
//! * `&self` is the server's state, `cx: &Cx` the request, everything else comes from the model.
//! * What is listed is listed in the order in which it was registered.
//! * Capabilities follow from what is registered; `.tools([])` declares tools that come later.
//! * Asking the client in the middle of a call is an ordinary await: see [`Cx::ask`].
//!
//! The macros write nothing that a person cannot write: see [`Tool::build`], [`Prompt::build`] and [`Resource::build`].

mod args;
mod argument_defaults;
mod ask;
mod builder;
mod completion;
mod context;
mod core;
mod cx;
mod entries;
mod error;
mod handlers;
mod input_context;
mod layer;
mod list;
mod output;
mod prompt;
mod registry;
mod replay;
mod resource;
mod seal;
mod tool;

use std::sync::Arc;

use loggia_wire::RpcError;
use loggia_wire::header::ParamHeaders;

pub use args::{Args, Parameter, StringArgs, parameter};
pub use ask::Answer;
pub use builder::ServerBuilder;
pub use completion::{CompletionRequest, IntoCompletion};
pub use cx::{Cx, FromRequest, Progress};
pub use error::ToolError;
pub use layer::{Handlers, ServerCall};
pub use output::{Audio, Image, IntoToolResult, Json, ToolOutput};
pub use prompt::{IntoPrompt, IntoPromptResult, Prompt, PromptBuilder, PromptOutput};
pub use registry::Registry;
pub use resource::{
    IntoResource, IntoResourceResult, Resource, ResourceBuilder, ResourceDefinition, ResourceOutput,
};
pub use seal::StateKey;
pub use tool::{IntoTool, Tool, ToolBuilder, ToolInput, TypedArgs};

use self::core::ServerCore;
use crate::changes::{ChangeSubscription, Changes};
use crate::error::Result;
use crate::exchange::Exchange;
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::model::SubscriptionFilter;
use crate::service::{Description, Outcome, Principal, Request, Service};
use crate::shutdown::Shutdown;
use crate::transport::Serve;

/// A server, ready to be served. Cheap to clone; all clones are one server.
#[derive(Clone)]
pub struct Server(Arc<ServerInner>);

struct ServerInner {
    core: Arc<ServerCore>,
    /// The layers around the core, where there are any.
    handlers: Option<Handlers>,
}

impl Server {
    /// Starts a server called `name`. [`server!`](crate::server!) takes both from the crate it is written in.
    #[allow(clippy::new_ret_no_self, reason = "a server is built, and this is where one looks for the start")]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> ServerBuilder<()> {
        ServerBuilder::new(name.into(), version.into())
    }

    /// Serves on `transport` until it ends, for example at the end of its input.
    pub async fn serve(self, transport: impl Serve) -> Result<()> {
        self.serve_until(transport, Shutdown::new()).await
    }

    /// Serves on `transport` until it ends or `shutdown` begins. Running requests are given
    /// [`Limits::drain`] to finish, and subscriptions are ended.
    pub async fn serve_until(self, transport: impl Serve, shutdown: Shutdown) -> Result<()> {
        let changes = self.changes().clone();
        let limits = self.limits().clone();
        let serving = transport.serve(Arc::new(self), limits, shutdown.clone());
        let closing = async {
            shutdown.begun().await;
            changes.close();
            std::future::pending::<std::convert::Infallible>().await
        };
        tokio::select! {
            ended = serving => ended,
            never = closing => match never {},
        }
    }

    /// Returns the registry, which changes the server's tools, prompts and resources while it runs.
    pub fn registry(&self) -> Registry {
        Registry::new(self.0.core.clone())
    }

    /// Returns the bus for announcing changes to subscribed clients.
    pub fn changes(&self) -> &Changes {
        &self.0.core.context.changes
    }

    /// Its bounds.
    pub fn limits(&self) -> &Limits {
        &self.0.core.context.limits
    }

    /// The same server as a service, for whatever serves services.
    pub fn into_service(self) -> Arc<dyn Service> {
        Arc::new(self)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.0.core.description.identity.name).finish()
    }
}

impl Service for Server {
    fn describe(&self) -> Arc<Description> {
        self.0.core.description.clone()
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        match &self.0.handlers {
            None => handlers::answer(self.0.core.clone(), request, exchange),
            Some(handlers) => {
                tower_service::Service::call(&mut handlers.clone(), ServerCall { request, exchange })
            }
        }
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, std::result::Result<ChangeSubscription, RpcError>> {
        let listening = self.0.core.listen(filter);
        Box::pin(async move { Ok(listening) })
    }

    fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        self.0.core.tools.as_ref()?.get(tool)?.param_headers.clone()
    }
}

/// Starts a [`Server`] with the name and version of the crate it is written in.
///
/// ```
/// let server = loggia::server!().build()?;
/// # Ok::<(), loggia::Error>(())
/// ```
#[macro_export]
macro_rules! server {
    () => {
        $crate::Server::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    };
}
