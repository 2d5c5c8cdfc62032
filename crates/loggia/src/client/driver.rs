//! The task of a client: it runs the [`Engine`] on a connection, opens the connection again when it is lost, and
//! passes answers, notifications and questions to the program.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use loggia_wire::jsonrpc::Id;
use loggia_wire::model::{InputRequest, ServerNotification, SetLevelParams};
use loggia_wire::{Method, RawJson, RpcError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::changes::Change;
use crate::client::ClientState;
use crate::client::backoff::Backoff;
use crate::client::command::{CallReceiver, Command, InputSource, NotificationSink, ask};
use crate::client::engine::{CallTiming, Engine, EngineOutput, OutgoingCall};
use crate::client::era::Negotiation;
use crate::client::link::Link;
use crate::client::link_event::LinkEvent;
use crate::client::negotiate::ServerFacts;
use crate::client::target::TargetConnector;
use crate::clock::runtime_now;
use crate::error::{Error, Result, TimeoutDetails};
use crate::future::BoxFuture;

/// The state of the connection.
#[derive(Debug, Clone)]
pub enum Status {
    /// It is being opened.
    Connecting,
    /// Requests can be sent.
    Ready(Arc<ServerFacts>),
    /// It was lost, for this reason, and will be opened again.
    Down(String),
    /// It ended, for this reason, and will not be opened again.
    Closed(String),
}

/// The time after which a connection counts as stable, so that the pauses start from the shortest one after it is
/// lost.
const STABLE: Duration = Duration::from_secs(60);
/// The number of queued messages at which reading stops: the client does not read from a peer that does not read.
const ENOUGH_TRANSMITS: usize = 256;

pub(crate) struct ClientDriver {
    engine: Engine,
    connector: Arc<TargetConnector>,
    common: Arc<ClientState>,
    commands: mpsc::UnboundedReceiver<Command>,
    status: watch::Sender<Status>,
    /// Notified of the outcome of the first connection.
    first: Option<oneshot::Sender<Result<()>>>,
    callers: HashMap<i64, CallReceiver>,
    asks: JoinSet<(Id, Result<RawJson, RpcError>)>,
    answering: HashMap<Id, AbortHandle>,
    link: Option<Link>,
    opening: Option<BoxFuture<'static, Result<Link>>>,
    backoff: Backoff,
    ready_at: Option<Instant>,
    over: Option<String>,
}

impl ClientDriver {
    pub(crate) fn new(
        engine: Engine,
        connector: Arc<TargetConnector>,
        common: Arc<ClientState>,
        commands: mpsc::UnboundedReceiver<Command>,
        status: watch::Sender<Status>,
        first: oneshot::Sender<Result<()>>,
    ) -> ClientDriver {
        ClientDriver {
            engine,
            connector,
            common,
            commands,
            status,
            first: Some(first),
            callers: HashMap::new(),
            asks: JoinSet::new(),
            answering: HashMap::new(),
            link: None,
            opening: None,
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(30)),
            ready_at: None,
            over: None,
        }
    }

    /// Runs until the last handle is dropped, the client is closed, or a connection is lost that cannot be opened
    /// again.
    pub(crate) async fn run(mut self) {
        self.open(Duration::ZERO);
        let mut closed = None;
        while self.over.is_none() {
            let deadline = self.engine.deadline();
            let read = self.engine.transmits() < ENOUGH_TRANSMITS;
            tokio::select! {
                opened = opened(&mut self.opening) => self.opened(opened),
                event = next_event(&mut self.link, read) => {
                    if let Some(event) = event {
                        self.report_start(&event);
                        self.engine.handle(runtime_now(), event);
                    }
                }
                command = self.commands.recv() => match command {
                    Some(Command::Close(done)) => {
                        self.over = Some("the client was closed".to_owned());
                        closed = Some(done);
                    }
                    Some(command) => self.command(command),
                    None => self.over = Some("the client is gone".to_owned()),
                },
                Some(answered) = self.asks.join_next() => self.answered(answered),
                () = sleep_until(deadline) => self.engine.handle_timeout(runtime_now()),
            }
            self.carry_out();
        }
        self.finish().await;
        if let Some(done) = closed {
            // The caller of `close` may have stopped waiting.
            let _ = done.send(());
        }
    }

    /// Reports the progress of a start to the program.
    fn report_start(&self, event: &LinkEvent) {
        if let (LinkEvent::Starting(sign), Some(hear)) = (event, &self.common.options.start_progress)
            && catch_unwind(AssertUnwindSafe(|| hear(&sign.progress))).is_err()
        {
            tracing::error!("the program's handler of a start panicked");
        }
    }

    async fn finish(mut self) {
        let reason = self.over.take().unwrap_or_default();
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Start { caller, .. } = command {
                let _ = caller.reply.send(Err(Error::Connection(reason.clone())));
            }
        }
        for (_, caller) in self.callers.drain() {
            let _ = caller.reply.send(Err(Error::Connection(reason.clone())));
        }
        self.status.send_replace(Status::Closed(reason));
        #[cfg(feature = "http-client")]
        self.common.end_direct();
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }

    /// Starts to open a connection after a pause.
    fn open(&mut self, wait: Duration) {
        let connector = self.connector.clone();
        self.opening = Some(Box::pin(async move {
            tokio::time::sleep(wait).await;
            connector.open().await
        }));
    }

    fn opened(&mut self, outcome: Result<Link>) {
        self.opening = None;
        match outcome {
            Ok(link) => {
                self.link = Some(link);
                self.engine.opened(runtime_now());
            }
            Err(error) => {
                self.engine.unreachable(&error);
                self.refused(error);
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Start { id, call, caller } => {
                self.callers.insert(id, caller);
                self.engine.start(runtime_now(), id, *call);
            }
            Command::Cancel(id) => {
                // If there is no caller, the answer came before the cancellation.
                if self.callers.remove(&id).is_some() {
                    self.engine.cancel(id);
                }
            }
            Command::Notify(method) => self.engine.notify(method, None),
            Command::Close(_) => {}
        }
    }

    fn answered(&mut self, answered: Result<(Id, Result<RawJson, RpcError>), tokio::task::JoinError>) {
        // An aborted task was removed before.
        if let Ok((id, outcome)) = answered {
            self.answering.remove(&id);
            self.engine.answer(runtime_now(), &id, outcome);
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.engine.poll() {
            self.output(output);
        }
        if let Some(link) = &mut self.link {
            while link.has_room()
                && let Some(outgoing) = self.engine.poll_transmit()
            {
                link.send(outgoing);
            }
        }
    }

    fn output(&mut self, output: EngineOutput) {
        match output {
            EngineOutput::Finished { id, outcome } => {
                if let Some(caller) = self.callers.remove(&id) {
                    let _ = caller.reply.send(outcome.map_err(|error| self.with_server_output(error)));
                }
            }
            EngineOutput::Notification { call, method, params } => {
                self.notified(call, &method, params.as_ref())
            }
            EngineOutput::Ask { id, call, method, params } => self.asked(id, call, &method, params.as_ref()),
            EngineOutput::DropAsk(id) => {
                if let Some(task) = self.answering.remove(&id) {
                    task.abort();
                }
            }
            EngineOutput::Ready(facts) => self.ready(facts),
            EngineOutput::Refused(error) => self.refused(self.with_server_output(error)),
            EngineOutput::Reopen => {
                self.drop_link();
                self.open(Duration::ZERO);
            }
            EngineOutput::OpenSse => self.with_link(Link::open_sse),
            EngineOutput::Abandon(id) => self.with_link(|link| link.abandon(id)),
            EngineOutput::Lost(reason) => self.lost(reason),
        }
    }

    /// Adds the error output of the server to an error, because it often contains the reason.
    fn with_server_output(&self, error: Error) -> Error {
        match error {
            Error::Timeout(TimeoutDetails { after, .. }) => {
                let server_output = self.link.as_ref().map(Link::server_output).unwrap_or_default();
                Error::Timeout(TimeoutDetails { after, server_output })
            }
            other => other,
        }
    }

    fn with_link(&mut self, act: impl FnOnce(&mut Link)) {
        if let Some(link) = &mut self.link {
            act(link);
        }
    }

    fn ready(&mut self, facts: Arc<ServerFacts>) {
        // A fixed version does not show what the server would have negotiated.
        let negotiated = self.common.options.negotiation == Negotiation::Auto;
        if let Some(key) = self.connector.key().filter(|_| negotiated) {
            self.common.options.memory.opened(&key, facts.version, facts.identity.as_ref());
        }
        // There may be another server at the same address, so cached results are removed.
        self.common.forget_everything();
        self.ready_at = Some(Instant::now());
        #[cfg(feature = "http-client")]
        self.common.set_direct(self.link.as_ref().and_then(Link::remote), &facts);
        self.announce_log_level(&facts);
        self.status.send_replace(Status::Ready(facts));
        if let Some(first) = self.first.take() {
            let _ = first.send(Ok(()));
        }
    }

    /// Sets the log level of a new legacy session, because it belongs to one session.
    fn announce_log_level(&mut self, facts: &ServerFacts) {
        let wanted = self.common.log_level().filter(|_| facts.capabilities.logging.is_some());
        if let Some(level) = wanted.filter(|_| !facts.version.is_modern()) {
            let params = RawJson::of(&SetLevelParams { level, meta: None, extra: Default::default() });
            let timing = CallTiming { idle: Some(self.common.options.timeout), total: None };
            let call =
                OutgoingCall { params: params.into(), timing, ..OutgoingCall::bare(Method::SetLogLevel) };
            // No caller waits for it, so a refusal is ignored.
            self.engine.start(runtime_now(), self.common.ids.next(), call);
        }
    }

    /// Handles a failed opening.
    fn refused(&mut self, error: Error) {
        self.drop_link();
        match self.first.take() {
            Some(first) => {
                self.over = Some(error.to_string());
                let _ = first.send(Err(error));
            }
            None => self.open_again(error.to_string()),
        }
    }

    fn lost(&mut self, reason: String) {
        self.drop_link();
        if self.ready_at.take().is_some_and(|at| at.elapsed() >= STABLE) {
            self.backoff.reset();
        }
        self.open_again(reason);
    }

    fn open_again(&mut self, reason: String) {
        if !self.common.options.reconnect || !self.connector.reopens() {
            self.over = Some(reason);
            return;
        }
        let wait = self.backoff.next((self.common.options.jitter)());
        tracing::warn!(reason, ?wait, "the connection to the server was lost; it is opened again");
        self.status.send_replace(Status::Down(reason));
        self.open(wait);
    }

    fn drop_link(&mut self) {
        #[cfg(feature = "http-client")]
        self.common.forget_direct();
        if let Some(link) = self.link.take() {
            tokio::spawn(link.close());
        }
    }

    fn notified(&self, call: Option<i64>, method: &Method, params: Option<&RawJson>) {
        let caller = call.and_then(|call| self.callers.get(&call));
        self.common.notified(caller.and_then(|caller| caller.sink.as_ref()), method, params);
    }

    fn asked(&mut self, id: Id, call: Option<i64>, method: &Method, params: Option<&RawJson>) {
        let request = match InputRequest::decode(method, params) {
            Ok(request) => request,
            Err(reason) => {
                return self.engine.answer(runtime_now(), &id, Err(RpcError::invalid_params(reason)));
            }
        };
        let input = call
            .and_then(|call| self.callers.get(&call))
            .map_or(InputSource::Client, |caller| caller.input.clone());
        let (common, asked) = (self.common.clone(), id.clone());
        let task = async move { (asked, ask(&common, &input, request).await) };
        let handle = self.asks.spawn(task);
        self.answering.insert(id, handle);
    }
}

impl ClientState {
    /// Passes a notification to the program, and to the `sink` of its request.
    pub(crate) fn notified(
        &self,
        sink: Option<&NotificationSink>,
        method: &Method,
        params: Option<&RawJson>,
    ) {
        let notification = match ServerNotification::decode(method, params) {
            Ok(notification) => notification,
            Err(error) => {
                return self.span.in_scope(|| tracing::warn!(%error, "a notification that cannot be read"));
            }
        };
        if let Some(change) = change_of(&notification) {
            self.changed(change);
        }
        let told = catch_unwind(AssertUnwindSafe(|| {
            self.handler.handle_notification(&notification);
            if let Some(sink) = sink {
                sink(notification);
            }
        }));
        if told.is_err() {
            tracing::error!(%method, "the program's handler of a notification panicked");
        }
    }
}

/// Returns the change that a notification announces.
pub(crate) fn change_of(notification: &ServerNotification) -> Option<Change> {
    match notification {
        ServerNotification::ToolsListChanged(_) => Some(Change::Tools),
        ServerNotification::PromptsListChanged(_) => Some(Change::Prompts),
        ServerNotification::ResourcesListChanged(_) => Some(Change::Resources),
        ServerNotification::ResourceUpdated(params) => Some(Change::Resource(params.uri.clone())),
        _ => None,
    }
}

async fn opened(opening: &mut Option<BoxFuture<'static, Result<Link>>>) -> Result<Link> {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

async fn next_event(link: &mut Option<Link>, read: bool) -> Option<LinkEvent> {
    match link {
        Some(link) => link.next(read).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(Instant::from_std(deadline)).await,
        None => std::future::pending().await,
    }
}
