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

/// Builds a [`Client`]. The handlers decide which capabilities the client declares.
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

    /// Sets the client's name and version. The default is the SDK's; use `Implementation::new(env!("CARGO_PKG_NAME"),
    /// env!("CARGO_PKG_VERSION"))` for those of your program.
    pub fn identity(mut self, identity: Implementation) -> Self {
        self.options.identity = identity;
        self
    }

    /// Sets the declared capabilities, instead of those that follow from the handlers. For gateways and extensions.
    pub fn capabilities(mut self, capabilities: ClientCapabilities) -> Self {
        self.options.capabilities = Some(capabilities);
        self
    }

    /// Sets how the revision is negotiated.
    pub fn negotiation(mut self, negotiation: Negotiation) -> Self {
        self.options.negotiation = negotiation;
        self
    }

    /// Accepts only this revision.
    pub fn version(self, version: Version) -> Self {
        self.negotiation(Negotiation::Fixed(version))
    }

    /// Sets the memory of the revisions of servers. By default each client has its own.
    pub fn era_memory(mut self, memory: EraMemory) -> Self {
        self.options.memory = memory;
        self
    }

    /// Sets the time for an unknown server to answer `server/discover`; without an answer it counts as a legacy
    /// server. Five seconds by default. For a child process the time begins when it has read the request, and starts
    /// again while the process works.
    pub fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.options.probe_timeout = timeout;
        self
    }

    /// Sets the time that a server that is started as a child process may show no sign of work before its first
    /// message. Five minutes by default. A process that works (uses the processor, reads, writes) may take up to
    /// twelve times as long.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.options.start_timeout = timeout;
        self
    }

    /// Sets a function that gets the progress of the start of a child process, twice a second until its first
    /// message. It runs in the connection's task, so it must not block.
    pub fn on_start(mut self, f: impl Fn(&StartProgress) + Send + Sync + 'static) -> Self {
        self.options.start_progress = Some(Arc::new(f));
        self
    }

    /// Sets a function that gets each line that a child process writes to its error output. It runs in a task of its
    /// own and must not block.
    pub fn on_error_output(mut self, f: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.options.error_output = Some(Arc::new(f));
        self
    }

    /// Sets the time for opening a connection, and for each step of the opening. Thirty seconds by default. The start
    /// of a child process has [a limit of its own](ClientBuilder::start_timeout).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// Sets the time that a server may be silent during a request. One minute by default; each progress notification
    /// starts it again.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Sets the time of a whole request, with all progress. Ten minutes by default.
    pub fn max_timeout(mut self, timeout: Duration) -> Self {
        self.options.max_timeout = timeout;
        self
    }

    /// Sets the bounds on the data of the server.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Sets the least level of log messages. By default the server sends none.
    pub fn log_level(mut self, level: LoggingLevel) -> Self {
        self.options.log_level = Some(level);
        self
    }

    /// Sets whether results are cached for as long as the server allows. On by default.
    pub fn cache(mut self, on: bool) -> Self {
        self.options.cache = on;
        self
    }

    /// Sets whether the structured result of a tool must match the tool's output schema; otherwise the call fails. On
    /// by default, for tools that have been listed.
    pub fn validate_output(mut self, on: bool) -> Self {
        self.options.validate_output = on;
        self
    }

    /// Sets whether a lost connection is opened again, and an ended child is started again. On by default.
    pub fn reconnect(mut self, on: bool) -> Self {
        self.options.reconnect = on;
        self
    }

    /// Sets the randomness of the pauses between attempts: a number between 0 and 1. For tests.
    pub fn jitter(mut self, jitter: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.options.jitter = Arc::new(jitter);
        self
    }

    /// Sets a handler for the server's questions and notifications. Closures that are given to this builder are
    /// called instead of its methods.
    pub fn handler(mut self, handler: impl ClientHandler) -> Self {
        self.handlers.set_base(Arc::new(handler));
        self
    }

    /// Sets a function that asks the user to fill in a form of the server. Missing fields get the defaults of the
    /// form.
    pub fn on_elicit<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(ElicitFormParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ElicitResult, RpcError>> + Send + 'static,
    {
        self.handlers.set_form(f);
        self
    }

    /// Sets a function that asks the user to open a URL of the server.
    pub fn on_elicit_url<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(ElicitUrlParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ElicitResult, RpcError>> + Send + 'static,
    {
        self.handlers.set_url(f);
        self
    }

    /// Sets a function that asks the model for the server.
    pub fn on_sample<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn(CreateMessageParams) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<CreateMessageResult, RpcError>> + Send + 'static,
    {
        self.handlers.set_sample(f);
        self
    }

    /// Sets the client's folders. For folders that change see [`on_roots`](ClientBuilder::on_roots).
    pub fn roots(self, roots: impl IntoIterator<Item = Root>) -> Self {
        let result = ListRootsResult { roots: roots.into_iter().collect(), ..ListRootsResult::default() };
        self.on_roots(move || std::future::ready(Ok(result.clone())))
    }

    /// Sets a function that returns the client's folders each time that the server asks.
    pub fn on_roots<F, Fut>(mut self, f: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ListRootsResult, RpcError>> + Send + 'static,
    {
        self.handlers.set_roots(f);
        self
    }

    /// Sets a function that gets the server's log messages. It runs in the connection's task, so it must not block.
    pub fn on_log(mut self, f: impl Fn(&LogParams) + Send + Sync + 'static) -> Self {
        self.handlers.hear(move |notification| {
            if let ServerNotification::Log(params) = notification {
                f(params);
            }
        });
        self
    }

    /// Sets a function that gets every change that the server announces. It runs in the connection's task, so it must
    /// not block.
    pub fn on_change(mut self, f: impl Fn(&Change) + Send + Sync + 'static) -> Self {
        self.handlers.hear(move |notification| {
            if let Some(change) = change_of(notification) {
                f(&change);
            }
        });
        self
    }

    /// Sets a function that gets every notification. It runs in the connection's task, so it must not block.
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
        // The handle is kept while this waits, because the task ends without handles.
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

        /// Sets the authorization of HTTP requests. It is also asked when the server refuses a request.
        pub fn authorize(mut self, authorize: impl Authorize) -> Self {
            self.options.http.authorize = Some(Arc::new(authorize));
            self
        }

        /// Sets whether the client tries HTTP+SSE, the transport of 2024-11-05. On by default.
        pub fn legacy_sse(mut self, on: bool) -> Self {
            self.options.http.legacy_sse = on;
            self
        }

        /// Trusts these certificates (PEM) in addition to the usual authorities.
        #[cfg(feature = "tls")]
        pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
            self.options.http.roots.push(pem.into());
            self
        }
    }
}
