//! The builder of a server. Invariant: [`ServerBuilder::build`] reports all errors at once, so that the author corrects them
//! in one pass.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use loggia_wire::Version;
use tower_layer::Layer;

use super::completion::{Completer, CompletionRequest, IntoCompletion, completer};
use super::context::ServerContext;
use super::core::ServerCore;
use super::cx::Cx;
use super::entries::prompts::{self, PromptEntry};
use super::entries::resources::{self, AnyResource, ResourceLists};
use super::entries::tools::{self, ToolEntry};
use super::entries::{Problems, Registration};
use super::layer::{Handlers, ServerCall};
use super::list::{List, Paging};
use super::prompt::{IntoPrompt, Prompt};
use super::resource::{IntoResource, Resource};
use super::seal::{Sealer, StateKey};
use super::tool::{IntoTool, Tool};
use super::{Server, ServerInner};
use crate::changes::Changes;
use crate::clock::{WallClock, system_clock};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::model::{
    CacheHints, CacheScope, Extensions, Icon, Implementation, JsonObject, ListCapability,
    ResourcesCapability, ServerCapabilities,
};
use crate::service::{Description, Reply};
use crate::shutdown::Shutdown;
use crate::transport::Serve;

/// A builder of a server, whose state so far is an `S`. [`Server::new`] starts one.
pub struct ServerBuilder<S> {
    state: Arc<S>,
    parts: ServerParts,
}

/// All options but the state, so that their code does not depend on its type.
struct ServerParts {
    identity: Implementation,
    instructions: Option<String>,
    versions: Vec<Version>,
    extensions: Option<Extensions>,
    /// The declared kinds, also those of which nothing is registered.
    tools: Option<Registration<ToolEntry, List<ToolEntry>>>,
    prompts: Option<Registration<PromptEntry, List<PromptEntry>>>,
    resources: Option<Registration<AnyResource, ResourceLists>>,
    completer: Option<Completer<()>>,
    layers: Vec<WrapHandlers>,
    paging: Paging,
    limits: Limits,
    changes: Changes,
    clock: WallClock,
    keys: Vec<StateKey>,
    state_ttl: Duration,
}

type WrapHandlers = Box<dyn FnOnce(Handlers) -> Handlers + Send>;

impl ServerBuilder<()> {
    pub(super) fn new(name: String, version: String) -> ServerBuilder<()> {
        let parts = ServerParts {
            identity: Implementation::new(name, version),
            instructions: None,
            versions: Version::ALL.to_vec(),
            extensions: None,
            tools: None,
            prompts: None,
            resources: None,
            completer: None,
            layers: Vec::new(),
            paging: Paging { size: 250, cache: CacheHints::new(60_000, CacheScope::Private) },
            limits: Limits::default(),
            changes: Changes::new(),
            clock: system_clock(),
            keys: Vec::new(),
            state_ttl: Duration::from_secs(30 * 60),
        };
        ServerBuilder { state: Arc::new(()), parts }
    }
}

impl<S: Send + Sync + 'static> ServerBuilder<S> {
    /// Sets the state of what is registered from here on. Calling it again begins another group with a state
    /// of its own.
    pub fn state<T: Send + Sync + 'static>(self, state: T) -> ServerBuilder<T> {
        self.shared_state(Arc::new(state))
    }

    /// Like [`state`](ServerBuilder::state), for a state that others hold too.
    pub fn shared_state<T: Send + Sync + 'static>(self, state: Arc<T>) -> ServerBuilder<T> {
        ServerBuilder { state, parts: self.parts }
    }

    /// Adds one tool: a [`Tool`], or a function marked `#[tool]`.
    pub fn tool(mut self, tool: impl IntoTool<S>) -> Self {
        let tool = tool.into_tool().bind(self.state.clone());
        self.parts.tools().add(ToolEntry::new(tool));
        self
    }

    /// Adds tools. An empty list declares that tools may come later, by [`Server::registry`].
    pub fn tools(mut self, tools: impl IntoIterator<Item = Tool<S>>) -> Self {
        let registered = self.parts.tools();
        for tool in tools {
            registered.add(ToolEntry::new(tool.bind(self.state.clone())));
        }
        self
    }

    /// Adds one prompt: a [`Prompt`], or a function marked `#[prompt]`.
    pub fn prompt(mut self, prompt: impl IntoPrompt<S>) -> Self {
        let prompt = prompt.into_prompt().bind(self.state.clone());
        self.parts.prompts().add(PromptEntry::new(prompt));
        self
    }

    /// Adds prompts. An empty list declares that prompts may come later.
    pub fn prompts(mut self, prompts: impl IntoIterator<Item = Prompt<S>>) -> Self {
        let registered = self.parts.prompts();
        for prompt in prompts {
            registered.add(PromptEntry::new(prompt.bind(self.state.clone())));
        }
        self
    }

    /// Adds one resource or template: a [`Resource`], or a function marked `#[resource("…")]`.
    pub fn resource(mut self, resource: impl IntoResource<S>) -> Self {
        let resource = resource.into_resource().bind(self.state.clone());
        self.parts.resources().add(AnyResource::new(resource));
        self
    }

    /// Adds resources and templates. An empty list declares that resources may come later.
    pub fn resources(mut self, resources: impl IntoIterator<Item = Resource<S>>) -> Self {
        let registered = self.parts.resources();
        for resource in resources {
            registered.add(AnyResource::new(resource.bind(self.state.clone())));
        }
        self
    }

    /// Sets the completer of the arguments that have no completer of their own.
    pub fn completion<F, Fut>(mut self, complete: F) -> Self
    where
        F: Fn(Arc<S>, Cx, CompletionRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoCompletion> + Send + 'static,
    {
        let (state, complete) = (self.state.clone(), completer(complete));
        self.parts.completer = Some(Arc::new(move |_, cx, request| complete(state.clone(), cx, request)));
        self
    }

    /// Its name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.parts.identity.title = Some(title.into());
        self
    }

    /// Sets the description, for people who choose servers.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.parts.identity.description = Some(text.into());
        self
    }

    /// Sets the URL of the server's web site.
    pub fn website(mut self, url: impl Into<String>) -> Self {
        self.parts.identity.website_url = Some(url.into());
        self
    }

    /// Its pictures.
    pub fn icons(mut self, icons: impl IntoIterator<Item = Icon>) -> Self {
        self.parts.identity.icons = Some(icons.into_iter().collect());
        self
    }

    /// Sets the instructions that tell a model how to use the server.
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.parts.instructions = Some(text.into());
        self
    }

    /// Sets the revisions that it serves. Default: all.
    pub fn versions(mut self, versions: impl IntoIterator<Item = Version>) -> Self {
        let versions: Vec<Version> = versions.into_iter().collect();
        self.parts.versions = Version::ALL.into_iter().filter(|version| versions.contains(version)).collect();
        self
    }

    /// Declares an extension, with its settings.
    pub fn extension(mut self, name: impl Into<String>, settings: JsonObject) -> Self {
        self.parts.extensions.get_or_insert_default().insert(name.into(), settings);
        self
    }

    /// Wraps everything the server answers into a [`tower`](https://docs.rs/tower) layer: authorization, time
    /// limits, metrics. A layer added later is around those added before.
    ///
    /// The layer sees a [`ServerCall`] and answers with a [`Reply`]. An error that is an
    /// [`RpcError`](crate::wire::RpcError) goes to the client; any other goes to the log.
    ///
    /// ```
    /// use loggia::server::{ServerCall, Handlers};
    /// use loggia::service::{BoxFuture, Outcome, Reply};
    /// use loggia::wire::{ErrorCode, Method, RpcError};
    /// use std::task::{Context, Poll};
    ///
    /// /// Only the owner may call tools.
    /// #[derive(Clone)]
    /// struct OwnerOnly<S>(S);
    ///
    /// impl<S: tower_service::Service<ServerCall, Error = RpcError, Future = BoxFuture<'static, Outcome>>>
    ///     tower_service::Service<ServerCall> for OwnerOnly<S>
    /// {
    ///     type Response = Reply;
    ///     type Error = RpcError;
    ///     type Future = BoxFuture<'static, Outcome>;
    ///
    ///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RpcError>> {
    ///         self.0.poll_ready(cx)
    ///     }
    ///
    ///     fn call(&mut self, call: ServerCall) -> Self::Future {
    ///         let owner = call.request.principal.as_ref().is_some_and(|who| who.subject == "owner");
    ///         if call.request.method == Method::CallTool && !owner {
    ///             return Box::pin(async { Err(RpcError::new(ErrorCode::INVALID_REQUEST, "Only the owner may")) });
    ///         }
    ///         self.0.call(call)
    ///     }
    /// }
    ///
    /// #[derive(Clone)]
    /// struct OwnerOnlyLayer;
    ///
    /// impl<S> tower_layer::Layer<S> for OwnerOnlyLayer {
    ///     type Service = OwnerOnly<S>;
    ///     fn layer(&self, inner: S) -> OwnerOnly<S> {
    ///         OwnerOnly(inner)
    ///     }
    /// }
    ///
    /// let server = loggia::server!().tools([]).layer(OwnerOnlyLayer).build()?;
    /// # Ok::<(), loggia::Error>(())
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Handlers> + Send + 'static,
        L::Service: tower_service::Service<ServerCall, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as tower_service::Service<ServerCall>>::Error:
            Into<Box<dyn std::error::Error + Send + Sync>>,
        <L::Service as tower_service::Service<ServerCall>>::Future: Send + 'static,
    {
        self.parts.layers.push(Box::new(move |handlers| handlers.wrap(&layer)));
        self
    }

    /// Sets the maximum number of entries on one page of a list. Default: 250, because few clients fetch a second page.
    pub fn page_size(mut self, entries: usize) -> Self {
        self.parts.paging.size = entries.max(1);
        self
    }

    /// Sets the time for which, and the clients by which, the lists may be cached. Default: a minute, by each client for
    /// itself. Clients that listen get changes at once. Each resource sets the time for its contents.
    pub fn cache(mut self, ttl: Duration, scope: CacheScope) -> Self {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.parts.paging.cache = CacheHints::new(ttl, scope);
        self
    }

    /// Sets the bounds.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.parts.limits = limits;
        self
    }

    /// Announces changes on `changes`, which may be shared with other servers.
    pub fn with_changes(mut self, changes: Changes) -> Self {
        self.parts.changes = changes;
        self
    }

    /// Returns the bus on which changes are announced. Keep it to announce changes later.
    pub fn changes(&self) -> Changes {
        self.parts.changes.clone()
    }

    /// Adds a key for the state that travels through clients between the rounds of a call. The first seals,
    /// all open: to rotate, put the new key first. Without one, a random key lives as long as the process;
    /// replicas need the same.
    pub fn state_key(mut self, key: StateKey) -> Self {
        self.parts.keys.push(key);
        self
    }

    /// Sets the time within which a client must retry with answers. Default: half an hour.
    pub fn state_ttl(mut self, ttl: Duration) -> Self {
        self.parts.state_ttl = ttl;
        self
    }

    /// Sets the clock, for tests.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.parts.clock = Arc::new(now);
        self
    }

    /// Makes the server. The error lists all faults of the registered entries: names that occur twice, values that are no
    /// JSON schemas, `x-mcp-header` annotations that break a rule.
    pub fn build(self) -> Result<Server> {
        self.parts.build()
    }

    /// Builds the server and serves it on `transport` until the transport ends, for example at the end of its input.
    pub async fn serve(self, transport: impl Serve) -> Result<()> {
        self.build()?.serve(transport).await
    }

    /// Builds the server and serves it until `shutdown` begins; see [`Server::serve_until`].
    pub async fn serve_until(self, transport: impl Serve, shutdown: Shutdown) -> Result<()> {
        self.build()?.serve_until(transport, shutdown).await
    }
}

impl ServerParts {
    fn tools(&mut self) -> &mut Registration<ToolEntry, List<ToolEntry>> {
        self.tools.get_or_insert_with(tools::registered)
    }

    fn prompts(&mut self) -> &mut Registration<PromptEntry, List<PromptEntry>> {
        self.prompts.get_or_insert_with(prompts::registered)
    }

    fn resources(&mut self) -> &mut Registration<AnyResource, ResourceLists> {
        self.resources.get_or_insert_with(resources::registered)
    }

    fn build(mut self) -> Result<Server> {
        let problems = self.problems();
        if !problems.is_empty() {
            let list = problems.join("\n  - ");
            return Err(Error::Configuration(format!("the server cannot be built:\n  - {list}")));
        }
        Ok(self.assemble())
    }

    fn problems(&mut self) -> Problems {
        let mut problems = Problems::new();
        if self.identity.name.is_empty() || self.versions.is_empty() {
            problems.push("a server has a name and serves at least one version".to_owned());
        }
        problems.extend(self.tools.as_mut().map(Registration::take_problems).unwrap_or_default());
        problems.extend(self.prompts.as_mut().map(Registration::take_problems).unwrap_or_default());
        problems.extend(self.resources.as_mut().map(Registration::take_problems).unwrap_or_default());
        problems
    }

    fn assemble(self) -> Server {
        let capabilities = self.capabilities();
        let core = Arc::new(ServerCore {
            tools: self.tools.map(|tools| tools.into_list(self.paging)),
            prompts: self.prompts.map(|prompts| prompts.into_list(self.paging)),
            resources: self.resources.map(|resources| resources.into_list(self.paging)),
            has_completions: capabilities.completions.is_some(),
            completer: self.completer,
            description: Arc::new(Description {
                identity: self.identity,
                capabilities,
                instructions: self.instructions,
                versions: self.versions,
            }),
            context: ServerContext {
                changes: self.changes,
                limits: self.limits,
                clock: self.clock,
                sealer: Sealer::new(self.keys),
                state_ttl: self.state_ttl,
            },
            no_state: Arc::new(()),
        });
        let wrapped = self
            .layers
            .into_iter()
            .fold(None, |inner, wrap| Some(wrap(inner.unwrap_or_else(|| Handlers::new(core.clone())))));
        Server(Arc::new(ServerInner { core, handlers: wrapped }))
    }

    /// Returns the capabilities that follow from the registered entries.
    fn capabilities(&self) -> ServerCapabilities {
        let list = |declared: bool| {
            declared.then(|| ListCapability { list_changed: Some(true), ..ListCapability::default() })
        };
        let completes = self.completer.is_some()
            || self.prompts.iter().flat_map(Registration::entries).any(PromptEntry::completes)
            || self.resources.iter().flat_map(Registration::entries).any(AnyResource::completes);
        let anything = self.tools.is_some() || self.prompts.is_some() || self.resources.is_some();
        ServerCapabilities {
            tools: list(self.tools.is_some()),
            prompts: list(self.prompts.is_some()),
            resources: self.resources.is_some().then(|| ResourcesCapability {
                subscribe: Some(true),
                list_changed: Some(true),
                ..ResourcesCapability::default()
            }),
            completions: completes.then(JsonObject::new),
            // Any handler can log.
            logging: anything.then(JsonObject::new),
            extensions: self.extensions.clone(),
            ..ServerCapabilities::default()
        }
    }
}
