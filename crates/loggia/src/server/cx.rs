//! The request as a handler sees it. Everything a handler may know or do beyond its arguments is a method
//! here; the revision of the protocol is not among them, because a handler cannot tell.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use loggia_wire::{Method, RawJson, RequestMeta};
use serde::Serialize;

use super::context::{ContextProvider, ServerContext};
use super::error::ToolError;
use super::input_context::InputContext;
use crate::changes::Changes;
use crate::clock::unix_seconds;
use crate::exchange::{CancelSignal, Exchange};
use crate::lock::lock;
use crate::model::{
    ClientCapabilities, Extra, Implementation, InputResponses, LogParams, LoggingLevel, Meta, ProgressParams,
    ServerNotification,
};
use crate::service::{Principal, Request};

/// One request, for its handler. Cheap to clone.
#[derive(Clone)]
pub struct Cx(Arc<CallContext>);

/// Data of one request, shared by all clones of its [`Cx`].
pub(crate) struct CallContext {
    pub(crate) server: Arc<dyn ContextProvider>,
    pub(crate) meta: Arc<RequestMeta>,
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) exchange: Exchange,
    pub(crate) subject: CallSubject,
    pub(crate) input: InputContext,
    pub(crate) progress: Mutex<Option<f64>>,
    pub(crate) logged: Mutex<LogQuota>,
}

/// Subject of a call, to which its sealed state is bound.
#[derive(Debug, Clone)]
pub(crate) struct CallSubject {
    pub(crate) method: Method,
    /// The tool's or prompt's name, or the resource's URI.
    pub(crate) name: String,
    pub(crate) arguments: RawJson,
}

/// Number of log messages sent in the current second.
#[derive(Debug, Default)]
pub(crate) struct LogQuota {
    second: u64,
    count: u32,
}

impl CallContext {
    pub(crate) fn context(&self) -> &ServerContext {
        self.server.context()
    }
}

impl Cx {
    /// Creates the context of a request to `server`. `responses` and `state` are those of an earlier round.
    pub(crate) fn new(
        server: Arc<dyn ContextProvider>,
        request: Request,
        exchange: Exchange,
        subject: CallSubject,
        (responses, state): (Option<InputResponses>, Option<String>),
    ) -> Cx {
        let input = InputContext::new(server.context(), responses, state);
        Cx(Arc::new(CallContext {
            server,
            meta: request.meta,
            principal: request.principal,
            exchange,
            subject,
            input,
            progress: Mutex::new(None),
            logged: Mutex::new(LogQuota::default()),
        }))
    }

    pub(crate) fn call(&self) -> &CallContext {
        &self.0
    }

    /// Reports how far the call is. Sent when the value goes out of scope, at the end of the statement as a
    /// rule, and only where the client asked for it. Never waits; a report that was not yet sent is
    /// replaced by the next; one that does not exceed the last is dropped.
    ///
    /// ```
    /// # fn example(cx: &loggia::server::Cx) {
    /// cx.progress(3.0).total(10.0).message("fetching page 3");
    /// # }
    /// ```
    pub fn progress(&self, progress: f64) -> Progress<'_> {
        Progress { cx: self, progress, total: None, message: None }
    }

    /// Sends a log message to the client, where it wants messages of this level. Never waits; more than
    /// [`Limits::logs_per_second`](crate::limits::Limits::logs_per_second) are dropped. For the program's own
    /// log use `tracing`.
    pub fn log(&self, level: LoggingLevel, data: impl Serialize) {
        if self.0.meta.log_level.is_none_or(|least| level < least) || !self.may_log() {
            return;
        }
        match RawJson::encode(&data) {
            Ok(data) => self.0.exchange.notify(ServerNotification::Log(LogParams::new(level, data))),
            Err(error) => tracing::warn!(%error, "a log message for the client could not be written"),
        }
    }

    /// Sends a log message of level `debug`; see [`Cx::log`].
    pub fn debug(&self, data: impl Serialize) {
        self.log(LoggingLevel::Debug, data);
    }

    /// Sends a log message of level `info`; see [`Cx::log`].
    pub fn info(&self, data: impl Serialize) {
        self.log(LoggingLevel::Info, data);
    }

    /// Sends a log message of level `warning`; see [`Cx::log`].
    pub fn warning(&self, data: impl Serialize) {
        self.log(LoggingLevel::Warning, data);
    }

    /// Sends a log message of level `error`; see [`Cx::log`].
    pub fn error(&self, data: impl Serialize) {
        self.log(LoggingLevel::Error, data);
    }

    /// Becomes true when the request is cancelled. A handler's future is dropped then, so only work that
    /// outlives it (a thread, a child process) needs to look.
    pub fn cancelled(&self) -> CancelSignal {
        self.0.exchange.cancelled()
    }

    /// Lets the client go for now: the result will take long, and a client that can come back for it need not
    /// hold a connection open. Where it cannot, nothing happens.
    pub fn release_client(&self) {
        self.0.exchange.release();
    }

    /// Returns the caller, if an authorization layer established one.
    pub fn principal(&self) -> Option<&Principal> {
        self.0.principal.as_deref()
    }

    /// Returns the client's name and version as it states them. For display and logs only.
    pub fn client_info(&self) -> Option<&Implementation> {
        self.0.meta.client_info.as_ref()
    }

    /// Returns the capabilities of the client.
    pub fn client_capabilities(&self) -> &ClientCapabilities {
        &self.0.meta.client_capabilities
    }

    /// The request's `_meta`, without the keys that the protocol itself defines.
    pub fn meta(&self) -> &Meta {
        &self.0.meta.extra
    }

    /// The URI that is read, in the handler of a resource.
    pub fn uri(&self) -> Option<&str> {
        (self.0.subject.method == Method::ReadResource).then_some(self.0.subject.name.as_str())
    }

    /// The time, by the server's clock.
    pub fn now(&self) -> SystemTime {
        self.0.context().now()
    }

    /// Returns the bus for announcing changes.
    pub fn changes(&self) -> &Changes {
        &self.0.context().changes
    }

    fn may_log(&self) -> bool {
        let now = unix_seconds(self.now());
        let mut logged = lock(&self.0.logged);
        if logged.second != now {
            *logged = LogQuota { second: now, count: 0 };
        }
        logged.count += 1;
        logged.count <= self.0.context().limits.logs_per_second
    }
}

/// A report of progress, sent when it is dropped.
pub struct Progress<'a> {
    cx: &'a Cx,
    progress: f64,
    total: Option<f64>,
    message: Option<String>,
}

impl Progress<'_> {
    /// Sets the value at which the work is complete.
    pub fn total(mut self, total: f64) -> Self {
        self.total = Some(total);
        self
    }

    /// Sets a text that says what is being done.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        let call = self.cx.call();
        let Some(token) = call.meta.progress_token.clone() else { return };
        let mut last = lock(&call.progress);
        if !self.progress.is_finite() || last.is_some_and(|last| self.progress <= last) {
            return;
        }
        *last = Some(self.progress);
        // Queued under the lock: reports must reach the client in order.
        call.exchange.notify(ServerNotification::Progress(ProgressParams {
            progress_token: token,
            progress: self.progress,
            total: self.total,
            message: self.message.take(),
            meta: None,
            extra: Extra::new(),
        }));
    }
}

/// A type that a handler can take from the request instead of from the caller: mark the parameter
/// `#[extract]`.
///
/// ```
/// use loggia::server::{Cx, FromRequest, ToolError};
///
/// struct Tenant(String);
///
/// impl FromRequest for Tenant {
///     async fn from_request(cx: &Cx) -> Result<Tenant, ToolError> {
///         let principal = cx.principal().ok_or_else(|| ToolError::say("sign in first"))?;
///         Ok(Tenant(principal.issuer.clone().unwrap_or_default()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken from the request",
    label = "needs `FromRequest`",
    note = "implement `loggia::server::FromRequest` for it, or remove `#[extract]` to take it from the model"
)]
pub trait FromRequest: Sized {
    /// Takes it.
    fn from_request(cx: &Cx) -> impl Future<Output = Result<Self, ToolError>> + Send;
}

/// Refuses requests of unknown callers.
impl FromRequest for Principal {
    async fn from_request(cx: &Cx) -> Result<Principal, ToolError> {
        cx.principal().cloned().ok_or_else(|| ToolError::say("This is only for callers who are signed in"))
    }
}

impl FromRequest for ClientCapabilities {
    async fn from_request(cx: &Cx) -> Result<ClientCapabilities, ToolError> {
        Ok(cx.client_capabilities().clone())
    }
}

impl<T: FromRequest> FromRequest for Option<T> {
    async fn from_request(cx: &Cx) -> Result<Option<T>, ToolError> {
        Ok(T::from_request(cx).await.ok())
    }
}
