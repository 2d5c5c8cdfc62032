//! Options of a client, set before it connects.

use std::collections::HashMap;
use std::future::Future;
#[cfg(feature = "http-client")]
use std::sync::RwLock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia_wire::model::{
    ClientCapabilities, CreateMessageParams, CreateMessageResult, ElicitFormParams, ElicitResult,
    ElicitUrlParams, Implementation, ListRootsResult, LogParams, LoggingLevel, Root, ServerNotification,
};
use loggia_wire::{RpcError, Version};
use tokio::sync::{mpsc, oneshot, watch};

use crate::changes::{Change, Changes};
use crate::client::cache::ReplyCache;
use crate::client::driver::{ClientDriver, Status, change_of};
use crate::client::engine::{Engine, EngineSettings, RequestIds};
use crate::client::era::{EraMemory, Negotiation};
use crate::client::handler::{ClientHandler, HandlerClosures};
use crate::client::negotiate::OpeningTimeouts;
use crate::client::target::{IntoTarget, TargetConnector};
use crate::client::tools::Tools;
use crate::client::{Client, ClientHandle, ClientState, backoff};
use crate::error::{Error, Result};
use crate::limits::Limits;
#[cfg(feature = "http-client")]
use crate::shutdown::Shutdown;
use crate::transport::child::ErrorOutputHook;
use crate::transport::child::{StartHook, StartProgress};

/// Options of a client.
#[derive(Clone)]
pub(crate) struct ClientOptions {
    pub identity: Implementation,
    pub capabilities: Option<ClientCapabilities>,
    pub negotiation: Negotiation,
    pub memory: EraMemory,
    pub probe_timeout: Duration,
    pub start_timeout: Duration,
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub max_timeout: Duration,
    pub limits: Limits,
    pub log_level: Option<LoggingLevel>,
    pub cache: bool,
    pub validate_output: bool,
    pub reconnect: bool,
    pub jitter: Arc<dyn Fn() -> f64 + Send + Sync>,
    pub error_output: Option<ErrorOutputHook>,
    pub start_progress: Option<StartHook>,
    #[cfg(feature = "http-client")]
    pub http: crate::client::http::HttpOptions,
}

/// Builds a [`Client`]. Handlers given here decide what the client declares it can do.
#[derive(Clone)]
pub struct ClientBuilder {
    options: ClientOptions,
    handlers: HandlerClosures,
}

impl ClientBuilder {
    pub(crate) fn new() -> ClientBuilder {
        ClientBuilder {
            options: ClientOptions {
                identity: Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
                capabilities: None,
                negotiation: Negotiation::Auto,
                memory: EraMemory::new(),
                probe_timeout: Duration::from_secs(5),
                start_timeout: Duration::from_secs(5 * 60),
                connect_timeout: Duration::from_secs(30),
                timeout: Duration::from_secs(60),
                max_timeout: Duration::from_secs(10 * 60),
                limits: Limits::default(),
                log_level: None,
                cache: true,
                validate_output: true,
                reconnect: true,
                jitter: Arc::new(backoff::random),
                error_output: None,
                start_progress: None,
                #[cfg(feature = "http-client")]
                http: Default::default(),
            },
            handlers: HandlerClosures::default(),
        }
    }

    /// Sets the client's name and version. Default: the SDK's; pass `Implementation::new(env!("CARGO_PKG_NAME"),
    /// env!("CARGO_PKG_VERSION"))` to be your own program.
    pub fn identity(mut self, identity: Implementation) -> Self {
        self.options.identity = identity;
        self
    }

    /// Sets the declared capabilities, in place of those that the handlers imply: for gateways and extensions.
    pub fn capabilities(mut self, capabilities: ClientCapabilities) -> Self {
        self.options.capabilities = Some(capabilities);
        self
    }

    /// Sets how the revision is found.
    pub fn negotiation(mut self, negotiation: Negotiation) -> Self {
        self.options.negotiation = negotiation;
        self
    }

    /// Speaks this revision or none.
    pub fn version(self, version: Version) -> Self {
        self.negotiation(Negotiation::Fixed(version))
    }

    /// Sets the memory of each server's revision. By default each client has its own.
    pub fn era_memory(mut self, memory: EraMemory) -> Self {
        self.options.memory = memory;
        self
    }

    /// Sets the time after which an unknown server that does not answer `server/discover` is taken for a legacy one.
    /// Five seconds by default. For a child process the time begins when it has read the question, and starts
    /// anew while the process works.
    pub fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.options.probe_timeout = timeout;
        self
    }

    /// Sets how long a server that is started as a child process may show no sign of work before its first
    /// message. Five minutes by default. A process that works (uses the processor, reads, writes) is waited
    /// for up to twelve times as long.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.options.start_timeout = timeout;
        self
    }

    /// Hears how the start of a child process goes on, twice a second until its first message. Called on the
    /// connection's own task: return at once.
    pub fn on_start(mut self, f: impl Fn(&StartProgress) + Send + Sync + 'static) -> Self {
        self.options.start_progress = Some(Arc::new(f));
        self
    }

    /// Hears each line that a child process writes to its error output. Called on a task of its own: return
    /// at once.
    pub fn on_error_output(mut self, f: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.options.error_output = Some(Arc::new(f));
        self
    }

    /// Sets how long opening a connection may take, and each step of the opening. Thirty seconds by default. The
    /// start of a child process has [a limit of its own](ClientBuilder::start_timeout).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// Sets the time for which a server may be silent during a request. Default: one minute; progress starts it anew.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Sets the time that a request may take in all, whatever progress it makes. Default: ten minutes.
    pub fn max_timeout(mut self, timeout: Duration) -> Self {
        self.options.max_timeout = timeout;
        self
    }

    /// Sets the bounds on what the server sends.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Sets the least level of log messages. Default: none are sent.
    pub fn log_level(mut self, level: LoggingLevel) -> Self {
        self.options.log_level = Some(level);
        self
    }

    /// Sets whether results are kept for as long as the server says. On by default.
    pub fn cache(mut self, on: bool) -> Self {
        self.options.cache = on;
        self
    }

    /// Sets whether a tool's structured result must match its output schema; one that does not is an error. On
    /// by default, for tools that have been listed.
    pub fn validate_output(mut self, on: bool) -> Self {
        self.options.validate_output = on;
        self
    }

    /// Sets whether a connection that was lost is opened again, a dead child started again. On by default.
    pub fn reconnect(mut self, on: bool) -> Self {
        self.options.reconnect = on;
        self
    }

    /// Sets the randomness of the waits between attempts: a number between 0 and 1. For tests.
    pub fn jitter(mut self, jitter: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.options.jitter = Arc::new(jitter);
        self
    }

    /// Answers the server's questions and hears its notifications. Closures given to this builder come
    /// before it.
    pub fn handler(mut self, handler: impl ClientHandler) -> Self {
        self.handlers.set_base(Arc::new(handler));
        self
    }

    /// Asks the user, when the server wants a form filled in. Fields left out are filled with the form's
    /// defaults.
    pub fn on_elicit<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(ElicitFormParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ElicitResult, RpcError>> + Send + 'static,
    {
        self.handlers.set_form(f);
        self
    }

    /// Asks the user, when the server wants a URL opened.
    pub fn on_elicit_url<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(ElicitUrlParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ElicitResult, RpcError>> + Send + 'static,
    {
        self.handlers.set_url(f);
        self
    }

    /// Asks the model, when the server wants it.
    pub fn on_sample<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(CreateMessageParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<CreateMessageResult, RpcError>> + Send + 'static,
    {
        self.handlers.set_sample(f);
        self
    }

    /// Returns the folders that matter. For folders that change see [`on_roots`](ClientBuilder::on_roots).
    pub fn roots(self, roots: impl IntoIterator<Item = Root>) -> Self {
        let result = ListRootsResult { roots: roots.into_iter().collect(), ..ListRootsResult::default() };
        self.on_roots(move || std::future::ready(Ok(result.clone())))
    }

    /// Says which folders matter, each time the server asks.
    pub fn on_roots<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ListRootsResult, RpcError>> + Send + 'static,
    {
        self.handlers.set_roots(f);
        self
    }

    /// Hears the server's log messages. Called on the connection's own task: return at once.
    pub fn on_log(mut self, f: impl Fn(&LogParams) + Send + Sync + 'static) -> Self {
        self.handlers.hear(move |notification| {
            if let ServerNotification::Log(params) = notification {
                f(params);
            }
        });
        self
    }

    /// Hears of everything that changes. Called on the connection's own task: return at once.
    pub fn on_change(mut self, f: impl Fn(&Change) + Send + Sync + 'static) -> Self {
        self.handlers.hear(move |notification| {
            if let Some(change) = change_of(notification) {
                f(&change);
            }
        });
        self
    }

    /// Hears every notification. Called on the connection's own task: return at once.
    pub fn on_notification(mut self, f: impl Fn(&ServerNotification) + Send + Sync + 'static) -> Self {
        self.handlers.hear(f);
        self
    }

    /// Connects.
    pub async fn connect(self, target: impl IntoTarget) -> Result<Client> {
        let ClientBuilder { options, handlers } = self;
        let connector = Arc::new(TargetConnector {
            target: target.into_target()?,
            limits: options.limits.clone(),
            connect_timeout: options.connect_timeout,
            error_output: options.error_output.clone(),
            #[cfg(feature = "http-client")]
            http: options.http.clone(),
        });
        let settings = settings(&options, &handlers, &connector);
        let known = connector.key().and_then(|key| options.memory.get(&key));
        let ids = RequestIds::new();
        let engine = Engine::new(settings, ids.clone(), known);
        let common = Arc::new(ClientState {
            mirrors: connector.own_streams(),
            cache: Mutex::new(ReplyCache::new(options.limits.cache_entries, options.limits.cache_bytes)),
            tools: Mutex::new(Tools::default()),
            log_level: Mutex::new(options.log_level),
            changes: Changes::new(),
            wanted: Mutex::new(HashMap::new()),
            handler: Arc::new(handlers),
            ids,
            options,
            span: tracing::Span::current(),
            #[cfg(feature = "http-client")]
            composer: engine.composer(),
            #[cfg(feature = "http-client")]
            direct: RwLock::default(),
            #[cfg(feature = "http-client")]
            over: Shutdown::new(),
        });
        let (commands, received) = mpsc::unbounded_channel();
        let (status_sender, status) = watch::channel(Status::Connecting);
        let (first, connected) = oneshot::channel();
        tokio::spawn(
            ClientDriver::new(engine, connector, common.clone(), received, status_sender, first).run(),
        );
        // Held while we wait: without a handle the task would end at once.
        let client = Client(Arc::new(ClientHandle { commands, status, common }));
        connected.await.unwrap_or_else(|_| Err(Error::Connection("the client's task is gone".to_owned())))?;
        Ok(client)
    }
}

fn settings(
    options: &ClientOptions,
    handlers: &HandlerClosures,
    connector: &TargetConnector,
) -> EngineSettings {
    EngineSettings {
        identity: options.identity.clone(),
        capabilities: options.capabilities.clone().unwrap_or_else(|| handlers.capabilities()),
        negotiation: options.negotiation,
        patience: OpeningTimeouts { probe: options.probe_timeout, legacy: options.connect_timeout },
        start_limit: connector.starts_process().then_some(options.start_timeout),
        own_streams: connector.own_streams(),
        reopens: connector.reopens(),
        #[cfg(feature = "http-client")]
        sse_allowed: connector.own_streams() && options.http.legacy_sse,
        #[cfg(not(feature = "http-client"))]
        sse_allowed: false,
        most_asks: options.limits.asks,
        most_noise: options.limits.malformed,
        span: tracing::Span::current(),
        most_opening: options.limits.opening_bytes,
    }
}

#[cfg(feature = "http-client")]
mod http {
    use std::sync::Arc;

    use super::ClientBuilder;
    use crate::client::http::Authorize;

    /// Options of connections over HTTP.
    impl ClientBuilder {
        /// Adds a header to every HTTP request.
        pub fn header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
            self.options.http.headers.append(name, value);
            self
        }

        /// Gives every HTTP request its authorization, and hears when the server wants another.
        pub fn authorize(mut self, authorize: impl Authorize) -> Self {
            self.options.http.authorize = Some(Arc::new(authorize));
            self
        }

        /// Sets whether a server that speaks only HTTP+SSE, the transport of 2024-11-05, is tried. On by default.
        pub fn legacy_sse(mut self, on: bool) -> Self {
            self.options.http.legacy_sse = on;
            self
        }

        /// Trusts these certificates (PEM) beside the usual authorities.
        #[cfg(feature = "tls")]
        pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
            self.options.http.roots.push(pem.into());
            self
        }
    }
}
