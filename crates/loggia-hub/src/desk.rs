//! Whose question is it? A handshake upstream asks in the middle of a call and waits for the answer.
//!
//! Where every request has a stream of its own (HTTP) the question came on the stream of its call. On a shared
//! channel (stdio) nothing tells it, while the answer finds its question whoever gave it. So what is at stake
//! is only to put each question to the right client, and that is decided here:
//!
//! * While requests of several people run, no question is put to anybody.
//! * Of the calls whose client can be asked this, one without an open question comes first, then one of a tool
//!   that is known to ask, then the newest: tools mostly ask soon after they are called.
//! * If that call ends while its client still thinks, it cannot have been the one: the question moves on.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use loggia::client::InputHandler;
use loggia::edge::capability;
use loggia::exchange::LivePeer;
use loggia::model::{ClientCapabilities, InputRequest};
use loggia::service::{BoxFuture, Principal, Request};
use loggia::wire::{ErrorCode, RawJson, RpcError, Version};
use tokio::sync::{oneshot, watch};

use crate::parking::{Question, Questions};
use loggia::wire::Members;

/// Most tools that are remembered as ones that ask.
const MOST_CURIOUS: usize = 1024;

/// Where a call's questions go.
pub(crate) enum Way {
    /// To its client, now.
    Live(Arc<dyn LivePeer>),
    /// Into the outcome of its request.
    Parked(Questions),
    /// Nowhere: nothing can be asked in the middle of it, or not over its client's connection.
    None,
}

/// The calls of one upstream that are under way.
pub(crate) struct Desk {
    shared_channel: bool,
    /// In order of arrival. Kept on shared channels only: elsewhere nothing is to be decided.
    seats: Mutex<Vec<Arc<Seat>>>,
    /// Tools that have asked while no other call could have.
    curious: Mutex<HashSet<String>>,
}

/// One call under way.
struct Seat {
    person: Option<Person>,
    tool: String,
    way: Way,
    version: Version,
    declared: ClientCapabilities,
    open: AtomicUsize,
    over: watch::Sender<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    issuer: Option<String>,
    subject: String,
}

impl From<&Principal> for Person {
    fn from(principal: &Principal) -> Person {
        Person { issuer: principal.issuer.clone(), subject: principal.subject.clone() }
    }
}

/// A call's place, for as long as it is kept.
pub(crate) struct Sitting {
    desk: Arc<Desk>,
    seat: Arc<Seat>,
}

impl Desk {
    pub(crate) fn new(shared_channel: bool) -> Arc<Desk> {
        Arc::new(Desk { shared_channel, seats: Mutex::default(), curious: Mutex::default() })
    }

    /// A request begins in the middle of which nothing is asked. `None` where nobody need be counted.
    pub(crate) fn count(self: &Arc<Desk>, request: &Request) -> Option<Sitting> {
        self.shared_channel.then(|| self.sit(request, Way::None))
    }

    /// A call begins.
    pub(crate) fn sit(self: &Arc<Desk>, request: &Request, way: Way) -> Sitting {
        let params = Members::of(&request.params).ok().filter(|_| self.shared_channel);
        let tool = params.and_then(|params| params.string("name").map(|name| name.into_owned()));
        let seat = Arc::new(Seat {
            person: request.principal.as_deref().map(Person::from),
            tool: tool.unwrap_or_default(),
            way,
            version: request.meta.version,
            declared: request.meta.client_capabilities.clone(),
            open: AtomicUsize::new(0),
            over: watch::Sender::new(false),
        });
        if self.shared_channel {
            lock(&self.seats).push(seat.clone());
        }
        Sitting { desk: self.clone(), seat }
    }

    /// Whether what the upstream asks or tells must belong to the person it is about to be put to.
    pub(crate) fn one_person(&self) -> bool {
        !self.shared_channel || is_one_person(&lock(&self.seats))
    }

    /// Puts a question that came with `own`'s call to whoever it is for.
    async fn ask(&self, own: &Arc<Seat>, question: InputRequest) -> Result<RawJson, RpcError> {
        loop {
            let seat = self.choose(own, &question)?;
            if let Some(outcome) = seat.put(question.clone()).await {
                return outcome;
            }
        }
    }

    fn choose(&self, own: &Arc<Seat>, question: &InputRequest) -> Result<Arc<Seat>, RpcError> {
        if !self.shared_channel {
            return own.admit(question).map(|()| own.clone());
        }
        let seats = lock(&self.seats);
        if !is_one_person(&seats) {
            return Err(refused("Requests of several people run, and nothing tells whose this question is"));
        }
        let mut curious = lock(&self.curious);
        let mut can_ask = seats.iter().filter(|seat| !matches!(seat.way, Way::None));
        if let (Some(only), None) = (can_ask.next(), can_ask.next())
            && curious.len() < MOST_CURIOUS
        {
            curious.insert(only.tool.clone());
        }
        // Of equals the last one is taken, which is the newest.
        let rank = |seat: &&Arc<Seat>| (seat.open.load(Ordering::Relaxed) == 0, curious.contains(&seat.tool));
        let best = seats.iter().filter(|seat| seat.admit(question).is_ok()).max_by_key(rank);
        best.cloned().ok_or_else(|| own.admit(question).err().unwrap_or_else(|| refused(GONE)))
    }
}

fn is_one_person(seats: &[Arc<Seat>]) -> bool {
    seats.iter().all(|seat| seat.person == seats[0].person)
}

const GONE: &str = "The client that made this call is gone";

fn refused(why: &'static str) -> RpcError {
    RpcError::new(ErrorCode::INTERNAL_ERROR, why)
}

impl Seat {
    /// Whether the client of this call can be asked this.
    fn admit(&self, question: &InputRequest) -> Result<(), RpcError> {
        if *self.over.borrow() {
            return Err(refused(GONE));
        }
        capability::check(question, self.version, &self.declared).map_err(|_| {
            let method = question.method();
            let why = format!("The client that made this call does not support {method} in this form");
            RpcError::new(ErrorCode::METHOD_NOT_FOUND, why)
        })?;
        match self.way {
            Way::None => Err(refused("The client that made this call cannot be asked over its connection")),
            Way::Live(_) | Way::Parked(_) => Ok(()),
        }
    }

    /// Asks the client. `None` where the call ended before the client answered.
    async fn put(&self, question: InputRequest) -> Option<Result<RawJson, RpcError>> {
        let _open = Open::new(&self.open);
        let mut over = self.over.subscribe();
        let answered = async {
            match &self.way {
                Way::Live(live) => Some(live.ask(question).await),
                Way::Parked(questions) => park(questions, question).await,
                Way::None => None,
            }
        };
        tokio::select! {
            biased;
            answer = answered => answer,
            _ = over.wait_for(|over| *over) => None,
        }
    }
}

async fn park(questions: &Questions, request: InputRequest) -> Option<Result<RawJson, RpcError>> {
    let (answer, answered) = oneshot::channel();
    questions.send(Question { request, answer }).await.ok()?;
    answered.await.ok()
}

/// Counts an open question for as long as it is kept.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn new(count: &'a AtomicUsize) -> Open<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Open(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sitting {
    /// Takes the questions that come with this call.
    pub(crate) fn handler(&self) -> Arc<dyn InputHandler> {
        Arc::new(Asker { desk: self.desk.clone(), seat: self.seat.clone() })
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        lock(&self.desk.seats).retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        self.seat.over.send_replace(true);
    }
}

/// Takes the questions that come with one call.
struct Asker {
    desk: Arc<Desk>,
    seat: Arc<Seat>,
}

impl InputHandler for Asker {
    fn input(&self, question: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>> {
        Box::pin(self.desk.ask(&self.seat, question))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
