//! Putting a server together. Nothing is checked until [`ServerBuilder::build`], which then tells everything
//! that is wrong at once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use loggia_wire::Version;
use tower_layer::Layer;

use super::completion::{Completer, Completing, IntoCompletion, completer};
use super::core::{Clock, Core};
use super::cx::Cx;
use super::entries::{AnyResource, Problems, PromptEntry, ToolEntry};
use super::layer::{Call, Handlers};
use super::list::{List, Listed};
use super::prompt::{IntoPrompt, Prompt};
use super::resource::{IntoResource, Resource};
use super::seal::{Sealer, StateKey};
use super::tool::{IntoTool, Tool};
use super::{Inner, Server};
use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::model::{
    CacheHints, CacheScope, Extensions, Icon, Implementation, JsonObject, ListCapability,
    ResourcesCapability, ServerCapabilities,
};
use crate::service::{Description, Reply};
use crate::transport::{Serve, Shutdown};

/// A server in the making, whose state so far is an `S`. [`Server::new`] starts one.
pub struct ServerBuilder<S> {
    state: Arc<S>,
    parts: Parts,
}

/// Everything but the state, whose type the rest need not know.
struct Parts {
    identity: Implementation,
    instructions: Option<String>,
    versions: Vec<Version>,
    extensions: Option<Extensions>,
    /// What is declared, registered or not.
    tools: Option<Vec<Tool<()>>>,
    prompts: Option<Vec<Prompt<()>>>,
    resources: Option<Vec<Resource<()>>>,
    completer: Option<Completer<()>>,
    layers: Vec<WrapHandlers>,
    page_size: usize,
    cache: CacheHints,
    limits: Limits,
    changes: Changes,
    clock: Clock,
    keys: Vec<StateKey>,
    state_ttl: Duration,
}

type WrapHandlers = Box<dyn FnOnce(Handlers) -> Handlers + Send>;

impl ServerBuilder<()> {
    pub(super) fn new(name: String, version: String) -> ServerBuilder<()> {
        let parts = Parts {
            identity: Implementation::new(name, version),
            instructions: None,
            versions: Version::ALL.to_vec(),
            extensions: None,
            tools: None,
            prompts: None,
            resources: None,
            completer: None,
            layers: Vec::new(),
            page_size: 250,
            cache: CacheHints::new(60_000, CacheScope::Private),
            limits: Limits::default(),
            changes: Changes::new(),
            clock: Arc::new(SystemTime::now),
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
        self.parts.tools.get_or_insert_default().push(tool);
        self
    }

    /// Adds tools. An empty list declares that tools may come later, by [`Server::registry`].
    pub fn tools(mut self, tools: impl IntoIterator<Item = Tool<S>>) -> Self {
        let bound = tools.into_iter().map(|tool| tool.bind(self.state.clone()));
        self.parts.tools.get_or_insert_default().extend(bound);
        self
    }

    /// Adds one prompt: a [`Prompt`], or a function marked `#[prompt]`.
    pub fn prompt(mut self, prompt: impl IntoPrompt<S>) -> Self {
        let prompt = prompt.into_prompt().bind(self.state.clone());
        self.parts.prompts.get_or_insert_default().push(prompt);
        self
    }

    /// Adds prompts. An empty list declares that prompts may come later.
    pub fn prompts(mut self, prompts: impl IntoIterator<Item = Prompt<S>>) -> Self {
        let bound = prompts.into_iter().map(|prompt| prompt.bind(self.state.clone()));
        self.parts.prompts.get_or_insert_default().extend(bound);
        self
    }

    /// Adds one resource or template: a [`Resource`], or a function marked `#[resource("…")]`.
    pub fn resource(mut self, resource: impl IntoResource<S>) -> Self {
        let resource = resource.into_resource().bind(self.state.clone());
        self.parts.resources.get_or_insert_default().push(resource);
        self
    }

    /// Adds resources and templates. An empty list declares that resources may come later.
    pub fn resources(mut self, resources: impl IntoIterator<Item = Resource<S>>) -> Self {
        let bound = resources.into_iter().map(|resource| resource.bind(self.state.clone()));
        self.parts.resources.get_or_insert_default().extend(bound);
        self
    }

    /// Completes what has no completer of its own.
    pub fn completion<F, Fut>(mut self, complete: F) -> Self
    where
        F: Fn(Arc<S>, Cx, Completing) -> Fut + Send + Sync + 'static,
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

    /// What it does, for people who choose servers.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.parts.identity.description = Some(text.into());
        self
    }

    /// Where to read more about it.
    pub fn website(mut self, url: impl Into<String>) -> Self {
        self.parts.identity.website_url = Some(url.into());
        self
    }

    /// Its pictures.
    pub fn icons(mut self, icons: impl IntoIterator<Item = Icon>) -> Self {
        self.parts.identity.icons = Some(icons.into_iter().collect());
        self
    }

    /// How a model should use it as a whole.
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.parts.instructions = Some(text.into());
        self
    }

    /// The revisions it serves. All, unless said otherwise.
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
    /// The layer sees a [`Call`] and answers with a [`Reply`]. An error that is an
    /// [`RpcError`](crate::wire::RpcError) goes to the client; any other goes to the log.
    ///
    /// ```
    /// use loggia::server::{Call, Handlers};
    /// use loggia::service::{BoxFuture, Outcome, Reply};
    /// use loggia::wire::{ErrorCode, Method, RpcError};
    /// use std::task::{Context, Poll};
    ///
    /// /// Only the owner may call tools.
    /// #[derive(Clone)]
    /// struct OwnerOnly<S>(S);
    ///
    /// impl<S: tower_service::Service<Call, Error = RpcError, Future = BoxFuture<'static, Outcome>>>
    ///     tower_service::Service<Call> for OwnerOnly<S>
    /// {
    ///     type Response = Reply;
    ///     type Error = RpcError;
    ///     type Future = BoxFuture<'static, Outcome>;
    ///
    ///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), RpcError>> {
    ///         self.0.poll_ready(cx)
    ///     }
    ///
    ///     fn call(&mut self, call: Call) -> Self::Future {
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
        L::Service: tower_service::Service<Call, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as tower_service::Service<Call>>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        <L::Service as tower_service::Service<Call>>::Future: Send + 'static,
    {
        self.parts.layers.push(Box::new(move |handlers| handlers.wrap(&layer)));
        self
    }

    /// Most entries on one page of a list. 250, unless said otherwise: few clients fetch a second page.
    pub fn page_size(mut self, entries: usize) -> Self {
        self.parts.page_size = entries.max(1);
        self
    }

    /// How long, and by whom, the lists may be kept by clients. A minute and by nobody else, unless said
    /// otherwise; clients that listen hear of changes at once. Resources say it for themselves.
    pub fn cache(mut self, ttl: Duration, scope: CacheScope) -> Self {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.parts.cache = CacheHints::new(ttl, scope);
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

    /// Where changes are announced: to be kept by whatever will announce them.
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

    /// How long a client may take to come back with answers. Half an hour, unless said otherwise.
    pub fn state_ttl(mut self, ttl: Duration) -> Self {
        self.parts.state_ttl = ttl;
        self
    }

    /// Sets the clock, for tests.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.parts.clock = Arc::new(now);
        self
    }

    /// Checks everything and makes the server. The error lists all that is wrong: names that occur twice,
    /// schemas that are not schemas, `x-mcp-header` annotations that break a rule.
    pub fn build(self) -> Result<Server> {
        self.parts.build()
    }

    /// Builds the server and serves it on `transport` until that ends by itself: end of input, say.
    pub async fn serve(self, transport: impl Serve) -> Result<()> {
        self.build()?.serve(transport).await
    }

    /// Builds the server and serves it until `shutdown` begins; see [`Server::serve_until`].
    pub async fn serve_until(self, transport: impl Serve, shutdown: Shutdown) -> Result<()> {
        self.build()?.serve_until(transport, shutdown).await
    }
}

impl Parts {
    fn build(mut self) -> Result<Server> {
        let mut problems = Problems::new();
        if self.identity.name.is_empty() || self.versions.is_empty() {
            problems.push("a server has a name and serves at least one version".to_owned());
        }
        let capabilities = self.capabilities();
        let tools = checked("tool", self.tools.take(), ToolEntry::new, ToolEntry::key, &mut problems);
        let prompts =
            checked("prompt", self.prompts.take(), PromptEntry::new, PromptEntry::key, &mut problems);
        let resources =
            checked("resource", self.resources.take(), AnyResource::new, AnyResource::uri, &mut problems);
        if !problems.is_empty() {
            let list = problems.join("\n  - ");
            return Err(Error::Configuration(format!("the server cannot be built:\n  - {list}")));
        }
        Ok(self.assemble(capabilities, tools, prompts, resources))
    }

    fn assemble(
        self,
        capabilities: ServerCapabilities,
        tools: Vec<ToolEntry>,
        prompts: Vec<PromptEntry>,
        all_resources: Vec<AnyResource>,
    ) -> Server {
        let (mut resources, mut templates) = (Vec::new(), Vec::new());
        for resource in all_resources {
            match resource {
                AnyResource::One(entry) => resources.push(entry),
                AnyResource::Template(entry) => templates.push(entry),
            }
        }
        let (page_size, cache) = (self.page_size, self.cache);
        let core = Arc::new(Core {
            description: Arc::new(Description {
                identity: self.identity,
                capabilities,
                instructions: self.instructions,
                versions: self.versions,
            }),
            tools: List::new(tools, page_size, cache),
            prompts: List::new(prompts, page_size, cache),
            resources: List::new(resources, page_size, cache),
            templates: List::new(templates, page_size, cache),
            completer: self.completer,
            changes: self.changes,
            limits: self.limits,
            clock: self.clock,
            sealer: Sealer::new(self.keys),
            state_ttl: self.state_ttl,
            no_state: Arc::new(()),
        });
        let wrapped = self
            .layers
            .into_iter()
            .fold(None, |inner, wrap| Some(wrap(inner.unwrap_or_else(|| Handlers::new(core.clone())))));
        Server(Arc::new(Inner { core, handlers: wrapped }))
    }

    /// What follows from what is registered.
    fn capabilities(&self) -> ServerCapabilities {
        let list = |declared: bool| {
            declared.then(|| ListCapability { list_changed: Some(true), ..ListCapability::default() })
        };
        let completes = self.completer.is_some()
            || self.prompts.iter().flatten().any(|prompt| !prompt.completers.is_empty())
            || self.resources.iter().flatten().any(|resource| !resource.completers.is_empty());
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

/// Checks each of `things` and that no two have one key.
fn checked<T, E>(
    what: &str,
    things: Option<Vec<T>>,
    check: impl Fn(T) -> std::result::Result<E, Problems>,
    key: impl Fn(&E) -> &str,
    problems: &mut Problems,
) -> Vec<E> {
    // Of the same type as the map of a list, and so compiled once.
    let mut keys: HashMap<String, usize> = HashMap::new();
    let mut entries = Vec::new();
    for thing in things.unwrap_or_default() {
        match check(thing) {
            Ok(entry) if keys.insert(key(&entry).to_owned(), entries.len()).is_some() => {
                problems.push(format!("{what} {:?} is registered twice", key(&entry)));
            }
            Ok(entry) => entries.push(entry),
            Err(more) => problems.extend(more),
        }
    }
    entries
}
