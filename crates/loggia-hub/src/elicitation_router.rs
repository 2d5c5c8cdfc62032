//! Routes the questions of a legacy upstream. Such a server asks during a call and waits for the answer.
//!
//! Over HTTP every request has a stream, and a question comes on the stream of its call. On a shared channel (stdio)
//! a question does not name its call. The response has the id of the question, so only the client to ask must be
//! chosen:
//!
//! * While requests of several users run, no client is asked.
//! * Among the calls whose client can answer this question, the order is: a call without an open question, a call of
//!   a tool that has asked before, the newest call. Most tools ask soon after they are called.
//! * If the chosen call ends before its client has answered, it was the wrong one: another client is asked.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loggia::client::InputHandler;
use loggia::edge::capability;
use loggia::exchange::ClientPeer;
use loggia::model::{ClientCapabilities, InputRequest};
use loggia::service::{BoxFuture, Principal, Request};
use loggia::wire::{ErrorCode, RawJson, RpcError, Version};
use tokio::sync::{oneshot, watch};

use crate::question::{Question, QuestionSender};

/// The maximum number of tools that are remembered because they have asked.
const MAX_KNOWN_ASKERS: usize = 1024;

/// The destination of the questions of a call.
pub(crate) enum InputRoute {
    /// The client, immediately.
    Live(Arc<dyn ClientPeer>),
    /// The outcome of the request (`input_required`).
    Parked(QuestionSender),
    /// No destination: the call cannot ask, or its client has another channel.
    None,
}

/// The running calls of one upstream.
pub(crate) struct ElicitationRouter {
    shared_channel: bool,
    /// In the order of arrival. Used only on shared channels, because elsewhere the stream names the call.
    calls: Mutex<Vec<Arc<ActiveCall>>>,
    /// Tools that asked while theirs was the only call that could ask.
    known_askers: Mutex<HashSet<String>>,
}

/// One running call.
struct ActiveCall {
    person: Option<CallerId>,
    tool: String,
    route: InputRoute,
    version: Version,
    declared: ClientCapabilities,
    open: AtomicUsize,
    over: watch::Sender<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct CallerId {
    issuer: Option<String>,
    subject: String,
}

impl From<&Principal> for CallerId {
    fn from(principal: &Principal) -> CallerId {
        CallerId { issuer: principal.issuer.clone(), subject: principal.subject.clone() }
    }
}

/// The registration of a running call. Dropping it ends the registration.
pub(crate) struct CallGuard {
    router: Arc<ElicitationRouter>,
    call: Arc<ActiveCall>,
}

impl ElicitationRouter {
    pub(crate) fn new(shared_channel: bool) -> Arc<ElicitationRouter> {
        Arc::new(ElicitationRouter {
            shared_channel,
            calls: Mutex::default(),
            known_askers: Mutex::default(),
        })
    }

    /// Registers a request that does not ask. Returns `None` if the channel is not shared.
    pub(crate) fn count(self: &Arc<ElicitationRouter>, request: &Request) -> Option<CallGuard> {
        self.shared_channel.then(|| self.enter(request, InputRoute::None))
    }

    /// Registers a call that begins.
    pub(crate) fn enter(self: &Arc<ElicitationRouter>, request: &Request, route: InputRoute) -> CallGuard {
        let tool = if self.shared_channel { request.params.name() } else { None };
        let call = Arc::new(ActiveCall {
            person: request.principal.as_deref().map(CallerId::from),
            tool: tool.unwrap_or_default().into_owned(),
            route,
            version: request.meta.version,
            declared: request.meta.client_capabilities.clone(),
            open: AtomicUsize::new(0),
            over: watch::Sender::new(false),
        });
        if self.shared_channel {
            lock(&self.calls).push(call.clone());
        }
        CallGuard { router: self.clone(), call }
    }

    /// Returns whether all running calls belong to one user. Then a message of the upstream cannot reach another
    /// user.
    pub(crate) fn one_person(&self) -> bool {
        !self.shared_channel || is_one_person(&lock(&self.calls))
    }

    /// Asks the client that a question is meant for. The question came on the channel of the call `own`.
    async fn ask(&self, own: &Arc<ActiveCall>, question: InputRequest) -> Result<RawJson, RpcError> {
        loop {
            let call = self.choose(own, &question)?;
            if let Some(outcome) = call.put(question.clone()).await {
                return outcome;
            }
        }
    }

    fn choose(&self, own: &Arc<ActiveCall>, question: &InputRequest) -> Result<Arc<ActiveCall>, RpcError> {
        if !self.shared_channel {
            return own.admit(question).map(|()| own.clone());
        }
        let calls = lock(&self.calls);
        if !is_one_person(&calls) {
            return Err(refused("Requests of several people run, and nothing tells whose this question is"));
        }
        let mut known_askers = lock(&self.known_askers);
        let mut can_ask = calls.iter().filter(|call| !matches!(call.route, InputRoute::None));
        if let (Some(only), None) = (can_ask.next(), can_ask.next())
            && known_askers.len() < MAX_KNOWN_ASKERS
        {
            known_askers.insert(only.tool.clone());
        }
        // If several calls are equal, the last one is taken, which is the newest.
        let rank = |call: &&Arc<ActiveCall>| {
            (call.open.load(Ordering::Relaxed) == 0, known_askers.contains(&call.tool))
        };
        let best = calls.iter().filter(|call| call.admit(question).is_ok()).max_by_key(rank);
        best.cloned().ok_or_else(|| own.admit(question).err().unwrap_or_else(|| refused(GONE)))
    }
}

fn is_one_person(calls: &[Arc<ActiveCall>]) -> bool {
    calls.iter().all(|call| call.person == calls[0].person)
}

const GONE: &str = "The client that made this call is gone";

fn refused(why: &'static str) -> RpcError {
    RpcError::new(ErrorCode::INTERNAL_ERROR, why)
}

impl ActiveCall {
    /// Returns an error if the client of this call cannot be asked this question.
    fn admit(&self, question: &InputRequest) -> Result<(), RpcError> {
        if *self.over.borrow() {
            return Err(refused(GONE));
        }
        capability::check(question, self.version, &self.declared).map_err(|_| {
            let method = question.method();
            let why = format!("The client that made this call does not support {method} in this form");
            RpcError::new(ErrorCode::METHOD_NOT_FOUND, why)
        })?;
        match self.route {
            InputRoute::None => {
                Err(refused("The client that made this call cannot be asked over its connection"))
            }
            InputRoute::Live(_) | InputRoute::Parked(_) => Ok(()),
        }
    }

    /// Asks the client. `None` if the call ended before the client answered.
    async fn put(&self, question: InputRequest) -> Option<Result<RawJson, RpcError>> {
        let _open = OpenQuestionGuard::new(&self.open);
        let mut over = self.over.subscribe();
        let answered = async {
            match &self.route {
                InputRoute::Live(live) => Some(live.ask(question).await),
                InputRoute::Parked(questions) => park(questions, question).await,
                InputRoute::None => None,
            }
        };
        tokio::select! {
            biased;
            answer = answered => answer,
            _ = over.wait_for(|over| *over) => None,
        }
    }
}

async fn park(questions: &QuestionSender, request: InputRequest) -> Option<Result<RawJson, RpcError>> {
    let (answer, answered) = oneshot::channel();
    questions.send(Question { request, answer }).await.ok()?;
    answered.await.ok()
}

/// Counts an open question until it is dropped.
struct OpenQuestionGuard<'a>(&'a AtomicUsize);

impl<'a> OpenQuestionGuard<'a> {
    fn new(count: &'a AtomicUsize) -> OpenQuestionGuard<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        OpenQuestionGuard(count)
    }
}

impl Drop for OpenQuestionGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CallGuard {
    /// Returns the handler for the questions of this call.
    pub(crate) fn handler(&self) -> Arc<dyn InputHandler> {
        Arc::new(CallInputHandler { router: self.router.clone(), call: self.call.clone() })
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        lock(&self.router.calls).retain(|call| !Arc::ptr_eq(call, &self.call));
        self.call.over.send_replace(true);
    }
}

/// Handles the questions of one call.
struct CallInputHandler {
    router: Arc<ElicitationRouter>,
    call: Arc<ActiveCall>,
}

impl InputHandler for CallInputHandler {
    fn answer(&self, question: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>> {
        Box::pin(self.router.ask(&self.call, question))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
