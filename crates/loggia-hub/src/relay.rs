//! Relays one request to an upstream in another process, and its result back.
//!
//! For every combination of eras, the bytes of the request and of the result are passed on unchanged, notifications
//! are relayed while the request runs, and dropping the future cancels it. Only questions of the upstream are treated
//! differently:
//!
//! | client \ upstream | modern | legacy |
//! |---|---|---|
//! | modern | its `input_required` is passed on | the call is suspended, the client gets `input_required` |
//! | legacy | the edge asks the client and calls again | the client is asked live |

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loggia::client::{Client, ClientHandler, InputPolicy, RequestOptions};
use loggia::exchange::Exchange;
use loggia::model::{
    ClientCapabilities, ElicitationCapability, JsonObject, ListRootsResult, LoggingLevel, RootsCapability,
    SamplingCapability, ServerResult, SetLevelParams,
};
use loggia::service::{self, BoxFuture, Outcome, Reply, Request};
use loggia::wire::{ErrorCode, Method, Params, RawJson, RawObject, RpcError};
use loggia::{Error, Result};

use crate::connector::UpstreamSettings;
use crate::elicitation_router::{ElicitationRouter, InputRoute};
use crate::notification_router::NotificationRouter;
use crate::suspendable_call::{CallProgress, SuspendableCall};
use crate::suspended_calls::SuspendedCalls;
use crate::upstream_context::UpstreamContext;
use crate::url_error;

type CallResult = Result<Outcome>;

/// A connection to an upstream, for relaying.
pub(crate) struct Relay {
    client: Client,
    options: RequestOptions,
    suspended: SuspendedCalls<CallResult>,
    router: Arc<ElicitationRouter>,
    /// The log level that was requested from a legacy upstream.
    log_level: Arc<LogLevel>,
}

impl Relay {
    /// Creates a relay over `client`.
    pub(crate) fn new(client: Client, settings: &UpstreamSettings, context: &UpstreamContext) -> Relay {
        let limits = &context.limits;
        let timeout = settings.timeout.unwrap_or(limits.timeout);
        Relay {
            client,
            options: RequestOptions {
                timeout: Some(timeout),
                max_timeout: Some(limits.max_timeout.max(timeout)),
                ..RequestOptions::default()
            },
            suspended: SuspendedCalls::new(
                context.replica,
                limits.suspended_calls,
                limits.suspended_call_timeout,
            ),
            router: ElicitationRouter::new(settings.shared_channel),
            log_level: Arc::default(),
        }
    }

    /// Cancels the suspended calls and closes the connection.
    pub(crate) async fn close(&self) {
        self.suspended.cancel_all();
        self.client.close().await;
    }

    /// Returns the client.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs one request. The outer error means that the upstream did not answer.
    pub(crate) async fn call(&self, request: Request, exchange: Exchange) -> CallResult {
        let version = self.client.server().await?.version;
        if version.is_modern() {
            self.modern(request, exchange).await
        } else if request.method.may_require_input() {
            self.legacy(request, exchange).await
        } else {
            self.plain(request, exchange).await
        }
    }

    fn notifications(&self, request: &Request, exchange: Exchange) -> Arc<NotificationRouter> {
        NotificationRouter::new(&self.router, request, exchange)
    }

    /// Sends a request to a modern upstream, whose questions are part of its results.
    async fn modern(&self, request: Request, exchange: Exchange) -> CallResult {
        let _counted = self.router.count(&request);
        let options = RequestOptions {
            capabilities: Some(relayable(&request.meta.client_capabilities)),
            log_level: request.meta.log_level,
            on_notification: self.notifications(&request, exchange).sink(),
            input: InputPolicy::Surface(None),
            ..self.options.clone()
        };
        let reply = self.client.request(request.method.clone(), request.params, options).await;
        let outcome = outcome(reply)?;
        Ok(outcome.map_err(|error| neutral(&request.method, error)))
    }

    /// Sends a request to a legacy upstream that cannot ask during it.
    async fn plain(&self, request: Request, exchange: Exchange) -> CallResult {
        let _counted = self.router.count(&request);
        let options = RequestOptions {
            log_level: request.meta.log_level,
            on_notification: self.notifications(&request, exchange).sink(),
            input: InputPolicy::Surface(None),
            ..self.options.clone()
        };
        let reply = self.client.request(request.method, request.params, options).await;
        outcome(reply)
    }

    /// Sends a request to a legacy upstream that may ask during it.
    async fn legacy(&self, request: Request, exchange: Exchange) -> CallResult {
        if !request.meta.version.is_modern() {
            let route = exchange.client().cloned().map_or(InputRoute::None, InputRoute::Live);
            return self.start(&request, self.notifications(&request, exchange), route).await;
        }
        let mut running = match self.suspended.resume(&request).await {
            Err(refused) => return Ok(Err(refused)),
            Ok(Some(running)) => {
                running.notifications.moved(&request, exchange);
                running
            }
            Ok(None) => self.run(&request, exchange),
        };
        match running.advance().await {
            CallProgress::Finished(Ok(Err(error))) => Ok(match url_error::questions(&error, &request) {
                Some(asked) => Ok(Reply::from(ServerResult::from(asked))),
                None => Err(error),
            }),
            CallProgress::Finished(outcome) => outcome,
            CallProgress::NeedsInput => {
                running.notifications.gone();
                Ok(self
                    .suspended
                    .suspend(running, &request)
                    .map(|asked| Reply::from(ServerResult::from(asked))))
            }
        }
    }

    /// Starts a call that may outlive the request that started it.
    fn run(&self, request: &Request, exchange: Exchange) -> SuspendableCall<CallResult> {
        let (questions, asked) = SuspendableCall::<CallResult>::channel();
        let notifications = self.notifications(request, exchange);
        let call = self.start(request, notifications.clone(), InputRoute::Parked(questions));
        SuspendableCall::new(call, asked, notifications)
    }

    fn start(
        &self,
        request: &Request,
        notifications: Arc<NotificationRouter>,
        route: InputRoute,
    ) -> BoxFuture<'static, CallResult> {
        let guard = self.router.enter(request, route);
        let options = RequestOptions {
            log_level: request.meta.log_level,
            on_notification: notifications.sink(),
            // A call whose client cannot be asked must not get the questions for other clients.
            input: InputPolicy::Surface(
                can_be_asked(&request.meta.client_capabilities).then(|| guard.handler()),
            ),
            ..self.options.clone()
        };
        let (client, method) = (self.client.clone(), request.method.clone());
        let params = first_round(&request.params);
        let (log_level, wanted) = (self.log_level.clone(), request.meta.log_level);
        Box::pin(async move {
            let _guard = guard;
            if let Some(level) = wanted {
                log_level.want(&client, level).await;
            }
            outcome(client.request(method, params, options).await)
        })
    }
}

/// The log level of a legacy upstream. It is the same for all clients: the least severe level that a client wants. A
/// client gets no messages below its own level.
#[derive(Default)]
struct LogLevel(Mutex<Option<LoggingLevel>>);

impl LogLevel {
    /// Asks the upstream for messages of this level, unless it was asked before. If this fails, the next call tries
    /// again.
    async fn want(&self, client: &Client, level: LoggingLevel) {
        let before = *lock(&self.0);
        let enough = before.is_some_and(|told| told <= level);
        if enough || client.capabilities().is_none_or(|capabilities| capabilities.logging.is_none()) {
            return;
        }
        // Concurrent calls need not ask, too.
        *lock(&self.0) = Some(level);
        let params = SetLevelParams { level, meta: None, extra: JsonObject::new() };
        let params = RawJson::of(&params);
        if let Err(error) = client.request(Method::SetLogLevel, params, RequestOptions::default()).await {
            tracing::debug!(%error, "the upstream does not take a log level");
            let mut told = lock(&self.0);
            if *told == Some(level) {
                *told = before;
            }
        }
    }
}

fn outcome(reply: Result<loggia::client::RawReply>) -> CallResult {
    match reply {
        Ok(reply) => Ok(Ok(service::Relayed::new(reply.version, reply.result).into())),
        Err(Error::Rpc(error)) => Ok(Err(error)),
        Err(error) => Err(error),
    }
}

/// Translates an error of the modern era into the core's form. A missing resource has a code of its own in the legacy
/// era. In the modern era only `data` identifies it ("Error Handling" of resources).
fn neutral(method: &Method, error: RpcError) -> RpcError {
    let names_uri = error.data.as_ref().is_some_and(|data| data.member("uri").is_some());
    if *method == Method::ReadResource && error.code == ErrorCode::INVALID_PARAMS && names_uri {
        return RpcError { code: ErrorCode::RESOURCE_NOT_FOUND, ..error };
    }
    error
}

/// Returns the params without the members that only a later round of a modern request has.
fn first_round(params: &Params) -> Params {
    if params.routing().is_some_and(|routing| !routing.again) {
        return params.clone();
    }
    match RawObject::of(params) {
        Ok(members) if members.raw("inputResponses").is_some() || members.raw("requestState").is_some() => {
            members.rewrite(&[], &["inputResponses", "requestState"]).into()
        }
        _ => params.clone(),
    }
}

fn can_be_asked(client: &ClientCapabilities) -> bool {
    client.elicitation.is_some() || client.sampling.is_some() || client.roots.is_some()
}

/// Returns the capabilities of a client that the hub can relay.
fn relayable(client: &ClientCapabilities) -> ClientCapabilities {
    ClientCapabilities {
        roots: client.roots.as_ref().map(|_| RootsCapability::default()),
        sampling: client.sampling.clone(),
        elicitation: client.elicitation.clone(),
        ..ClientCapabilities::default()
    }
}

/// Returns the capabilities that the hub declares to a legacy upstream: everything that it can pass on, because the
/// upstream learns them once for all clients. A question that a client does not support is refused when it comes.
pub(crate) fn declared() -> ClientCapabilities {
    let yes = || Some(JsonObject::new());
    ClientCapabilities {
        roots: Some(RootsCapability::default()),
        sampling: Some(SamplingCapability { context: yes(), tools: yes(), ..SamplingCapability::default() }),
        elicitation: Some(ElicitationCapability {
            form: yes(),
            url: yes(),
            ..ElicitationCapability::default()
        }),
        ..ClientCapabilities::default()
    }
}

/// Handles questions of an upstream that belong to no running request.
pub(crate) struct UnroutedInputHandler;

impl ClientHandler for UnroutedInputHandler {
    fn capabilities(&self) -> ClientCapabilities {
        declared()
    }

    /// Many servers ask for the roots immediately after the connection. The answer is empty, because the clients have
    /// no common roots.
    fn list_roots(&self) -> BoxFuture<'_, Result<ListRootsResult, RpcError>> {
        Box::pin(async { Ok(ListRootsResult::default()) })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
