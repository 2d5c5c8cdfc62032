//! Routes the questions of a legacy upstream, which asks in the middle of a call and waits for the answer.
//!
//! Over HTTP every request has a stream, and a question comes on the stream of its call. On a shared channel
//! (stdio) a question does not name its call. Responses match by id, so only the client that is asked has to be
//! chosen:
//!
//! * While requests of several users run, no client is asked.
//! * Of the calls whose client can be asked this, one without an open question comes first, then one of a tool
//!   that is known to ask, then the newest: tools mostly ask soon after they are called.
//! * If that call ends while its client still thinks, it cannot have been the one: the question moves on.

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

/// Most tools that are remembered as ones that ask.
const MOST_KNOWN_ASKERS: usize = 1024;

/// The destination of the questions of a call.
pub(crate) enum InputRoute {
    /// To its client, now.
    Live(Arc<dyn ClientPeer>),
    /// Into the outcome of its request.
    Parked(QuestionSender),
    /// No destination: nothing can be asked during the call, or not over the connection of its client.
    None,
}

/// The running calls of one upstream.
pub(crate) struct ElicitationRouter {
    shared_channel: bool,
    /// In order of arrival. Kept on shared channels only: elsewhere nothing is to be decided.
    calls: Mutex<Vec<Arc<ActiveCall>>>,
    /// Tools that have asked while no other call could have.
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

/// The registration of a running call, for as long as it is kept.
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

    /// Counts a request during which nothing is asked; `None` on channels where that makes no difference.
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

    /// Returns whether all running calls belong to one user, so that a message of the upstream cannot reach another.
    pub(crate) fn one_person(&self) -> bool {
        !self.shared_channel || is_one_person(&lock(&self.calls))
    }

    /// Asks the client that a question is for. It came with the call `own`.
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
            && known_askers.len() < MOST_KNOWN_ASKERS
        {
            known_askers.insert(only.tool.clone());
        }
        // Of equals the last one is taken, which is the newest.
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

/// Counts an open question while it is kept.
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
    /// Takes the questions that come with this call.
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

/// Takes the questions that come with one call.
struct CallInputHandler {
    router: Arc<ElicitationRouter>,
    call: Arc<ActiveCall>,
}

impl InputHandler for CallInputHandler {
    fn input(&self, question: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>> {
        Box::pin(self.router.ask(&self.call, question))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
