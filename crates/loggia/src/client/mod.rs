//! The client: a program that uses MCP servers.
//!
//! ```
//! # use loggia::client::Client;
//! # async fn example() -> loggia::Result<()> {
//! let client = Client::connect("https://example.com/mcp").await?;
//! for tool in client.list_all_tools().await? {
//!     println!("{}: {}", tool.name, tool.description.unwrap_or_default());
//! }
//! let result = client.call("add").args(serde_json::json!({ "a": 1, "b": 2 })).send().await?;
//! # let _ = result;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is a handle to a task that owns one connection. The client negotiates the revision, opens a lost
//! connection again, and cancels a request when its future is dropped.
//!
//! * `era`, `negotiate`: the negotiation of the revision; `engine`: one connection as a state machine without I/O;
//! * `driver`, `link`, `target`: the task, and the transport of its messages;
//! * `direct`: requests to a modern server over HTTP, which need no task;
//! * `request`, `typed`, `lists`, `call`: requests; `cache`: cached results; `listen`: changes;
//! * `unknown_content`: results with content of unknown types; `content_file`: file names for content;
//! * `inspect`: the examination of a server;
//! * `handler`: the answers of the program to the server's questions; `form`: the fields of a form, for the user;
//! * `argument_schema`, `argument_text`, `argument_word`: the arguments of tools, for the user, from texts and from words.

mod argument_schema;
mod argument_text;
mod argument_word;
mod backoff;
mod builder;
mod cache;
mod call;
mod command;
mod content_file;
#[cfg(feature = "http-client")]
mod direct;
mod driver;
mod engine;
mod era;
mod form;
mod handler;
#[cfg(feature = "http-client")]
mod http;
mod inspect;
mod link;
mod link_event;
mod listen;
mod lists;
mod negotiate;
mod noise;
#[cfg(test)]
mod pair;
mod params;
mod request;
mod target;
mod tools;
mod typed;
mod unknown_content;

use std::collections::HashMap;
use std::ffi::OsStr;
#[cfg(feature = "http-client")]
use std::sync::RwLock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loggia_wire::model::{Implementation, LoggingLevel, ServerCapabilities};
use loggia_wire::{Method, Version};
use tokio::sync::{mpsc, oneshot, watch};

use crate::changes::{Change, Changes};
use crate::error::{Error, Result};
#[cfg(feature = "http-client")]
use crate::shutdown::Shutdown;

pub use crate::transport::child::{Child, ChildGuard, StartProgress};
pub use argument_schema::{ArgumentDescription, ArgumentSchema};
pub use argument_text::TextArguments;
pub use argument_word::{ArgumentSource, ArgumentWord};
pub use builder::ClientBuilder;
pub use call::ToolCall;
pub use command::NotificationSink;
pub use content_file::content_file_name;
pub use driver::Status;
pub use engine::RawReply;
pub use era::{EraMemory, KnownServer, Negotiation};
pub use form::{FormChoice, FormField};
pub use handler::{ClientHandler, InputHandler};
#[cfg(feature = "http-client")]
pub use http::{Authorize, Challenge};
pub use inspect::{ListReport, ServerReport};
pub use listen::Subscription;
pub use lists::{ListWarning, Listing};
pub use negotiate::ServerFacts;
pub use request::{InputPolicy, RequestOptions};
pub use target::{ConnectionHalves, IntoTarget, Target};

use builder::ClientOptions;
use cache::ReplyCache;
use command::Command;
#[cfg(feature = "http-client")]
use engine::Composer;
use engine::RequestIds;
use tools::Tools;

/// A connected client. It is cheap to clone; the connection ends when the last clone is dropped.
#[derive(Clone)]
pub struct Client(Arc<ClientHandle>);

struct ClientHandle {
    commands: mpsc::UnboundedSender<Command>,
    status: watch::Receiver<Status>,
    common: Arc<ClientState>,
}

/// State shared by the handles and the task.
pub(crate) struct ClientState {
    options: ClientOptions,
    handler: Arc<dyn ClientHandler>,
    ids: RequestIds,
    /// The span in which the client was created.
    span: tracing::Span,
    #[cfg(feature = "http-client")]
    composer: Arc<Composer>,
    /// The server, if requests can be made without the client's task.
    #[cfg(feature = "http-client")]
    direct: RwLock<Option<Arc<direct::DirectServer>>>,
    /// Given when the client's task ends; it also ends the direct requests.
    #[cfg(feature = "http-client")]
    over: Shutdown,
    /// True if arguments are mirrored into headers.
    mirrors: bool,
    cache: Mutex<ReplyCache>,
    tools: Mutex<Tools>,
    log_level: Mutex<Option<LoggingLevel>>,
    changes: Changes,
    /// The number of subscriptions to each resource of a legacy server.
    wanted: Mutex<HashMap<String, usize>>,
}

impl Client {
    /// Connects to a server: a URL, a [`Child`] to start, or a server in this program.
    pub async fn connect(target: impl IntoTarget) -> Result<Client> {
        Client::builder().connect(target).await
    }

    /// Starts `program` and connects to its standard streams. For its environment and folder see [`Child`].
    pub async fn spawn(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Client> {
        Client::connect(Child::new(program).args(args)).await
    }

    /// Returns a builder for a client with other options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// Returns the state of the connection.
    pub fn status(&self) -> Status {
        self.0.status.borrow().clone()
    }

    /// Returns the server's description of itself. Waits while the connection is being opened again.
    pub async fn server(&self) -> Result<Arc<ServerFacts>> {
        if let Some(facts) = self.facts() {
            return Ok(facts);
        }
        let mut status = self.0.status.clone();
        loop {
            match &*status.borrow_and_update() {
                Status::Ready(facts) => return Ok(facts.clone()),
                Status::Closed(reason) => return Err(Error::Connection(reason.clone())),
                Status::Connecting | Status::Down(_) => {}
            }
            status.changed().await.map_err(|_| self.gone())?;
        }
    }

    /// Returns the revision in use; `None` while there is no connection.
    pub fn version(&self) -> Option<Version> {
        self.facts().map(|facts| facts.version)
    }

    /// Returns the server's name and version, as the server reports them. For display only.
    pub fn server_info(&self) -> Option<Implementation> {
        self.facts()?.identity.clone()
    }

    /// Returns the server's capabilities; `None` while there is no connection.
    pub fn capabilities(&self) -> Option<ServerCapabilities> {
        self.facts().map(|facts| facts.capabilities.clone())
    }

    /// Returns the server's instructions for a model.
    pub fn instructions(&self) -> Option<String> {
        self.facts()?.instructions.clone()
    }

    /// Returns the bus of all changes that the server announces.
    ///
    /// Legacy servers announce changes of their lists without a request. All other changes are those that a
    /// [`Client::listen`] of this client asked for.
    pub fn changes(&self) -> &Changes {
        &self.common().changes
    }

    /// Waits until the connection has ended and will not be opened again. Returns the reason.
    pub async fn closed(&self) -> String {
        let mut status = self.0.status.clone();
        let ended = status.wait_for(|status| matches!(status, Status::Closed(_))).await;
        match ended.as_deref() {
            Ok(Status::Closed(reason)) => reason.clone(),
            _ => "the client's task is gone".to_owned(),
        }
    }

    /// Tells the server that the roots have changed (legacy revisions; modern servers ask when they need them).
    pub fn roots_changed(&self) -> Result<()> {
        self.send(Command::Notify(Method::RootsListChanged))
    }

    /// Ends the connection, for all clones, and waits until it has ended: the session is deleted, the child has
    /// exited. Pending requests fail.
    pub async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.send(Command::Close(done)).is_ok() {
            // An error means that the task has ended already.
            let _ = ended.await;
        }
    }

    fn facts(&self) -> Option<Arc<ServerFacts>> {
        match &*self.0.status.borrow() {
            Status::Ready(facts) => Some(facts.clone()),
            _ => None,
        }
    }

    fn common(&self) -> &ClientState {
        &self.0.common
    }

    fn send(&self, command: Command) -> Result<()> {
        self.0.commands.send(command).map_err(|_| self.gone())
    }

    /// Returns the error for a request after the end of the connection.
    fn gone(&self) -> Error {
        match &*self.0.status.borrow() {
            Status::Closed(reason) => Error::Connection(reason.clone()),
            _ => Error::Connection("the client's task is gone".to_owned()),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl ClientState {
    fn cache(&self) -> MutexGuard<'_, ReplyCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tools(&self) -> MutexGuard<'_, Tools> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wanted(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_level(&self) -> Option<LoggingLevel> {
        *self.log_level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_log_level(&self, level: LoggingLevel) {
        *self.log_level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
    }

    /// Handles a change that the server announced.
    fn changed(&self, change: Change) {
        self.cache().invalidate(&change);
        self.changes.announce(change);
    }

    fn forget_everything(&self) {
        self.cache().clear();
        self.tools().clear();
    }

    /// Returns a name for this client's authorization.
    fn context(&self) -> Option<String> {
        #[cfg(feature = "http-client")]
        if let Some(authorize) = &self.options.http.authorize {
            return authorize.context();
        }
        None
    }
}
