//! Calls of a legacy upstream that wait for a modern client.
//!
//! A legacy server asks its question in the middle of a call and waits. A modern client gets
//! `input_required`, and sends the answers in a new request. In between the call stays here, under a random handle
//! that only its client knows. The handle is bound to the caller and the request and counts once. A client that
//! does not return costs one entry for a bounded time; then the call is cancelled at the upstream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use loggia::budget::{Budget, Share, ShareExceeded};
use loggia::edge::correlation_id;
use loggia::model::{InputRequest, InputRequests, InputRequired};
use loggia::service::{BoxFuture, Principal, Request};
use loggia::wire::{ErrorCode, Method, RawJson, RpcError};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::notification_router::NotificationRouter;
use loggia::wire::RawObject;

/// What a handle begins with: tells ours from the state of another server.
const HANDLE: &str = "loggia-parked-";
/// Most questions of one call that wait at once.
const MOST_QUESTIONS: usize = 64;
/// Callers that are counted apart. With more of them, some share one count.
const CALLERS: usize = 64;

/// A question of the upstream's, and the way back for its answer.
pub(crate) struct Question {
    pub(crate) request: InputRequest,
    pub(crate) answer: oneshot::Sender<Result<RawJson, RpcError>>,
}

/// Where a running call's questions go.
pub(crate) type Questions = mpsc::Sender<Question>;

/// A call that runs at the upstream.
pub(crate) struct Running<T> {
    call: Option<BoxFuture<'static, T>>,
    finished: Option<T>,
    questions: mpsc::Receiver<Question>,
    pending: Vec<(String, Question)>,
    asked: u32,
    /// Where its notifications go.
    pub(crate) notifications: Arc<NotificationRouter>,
}

/// Where a running call has got to.
pub(crate) enum Step<T> {
    /// It is over.
    Finished(T),
    /// It waits for answers.
    Asks,
}

impl<T> Running<T> {
    /// The sending end for questions, and what makes a [`Running`] of the call that asks them.
    pub(crate) fn channel() -> (Questions, mpsc::Receiver<Question>) {
        mpsc::channel(MOST_QUESTIONS)
    }

    pub(crate) fn new(
        call: BoxFuture<'static, T>,
        questions: mpsc::Receiver<Question>,
        notifications: Arc<NotificationRouter>,
    ) -> Running<T> {
        Running { call: Some(call), finished: None, questions, pending: Vec::new(), asked: 0, notifications }
    }

    /// Goes on until the call is over or asks something.
    pub(crate) async fn advance(&mut self) -> Step<T> {
        loop {
            if let Some(outcome) = self.finished.take() {
                return Step::Finished(outcome);
            }
            // A question that the upstream took back has nobody to answer to.
            self.pending.retain(|(_, question)| !question.answer.is_closed());
            if !self.pending.is_empty() && self.questions.is_empty() {
                return Step::Asks;
            }
            self.step().await;
        }
    }

    /// Keeps the call alive while nobody waits for it. Never returns.
    async fn idle(&mut self) {
        loop {
            self.step().await;
        }
    }

    /// Waits for the next thing that happens to the call, and notes it.
    async fn step(&mut self) {
        let call = async {
            match &mut self.call {
                Some(call) => call.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(question) = self.questions.recv() => {
                self.asked += 1;
                self.pending.push((format!("question-{}", self.asked), question));
            }
            outcome = call => {
                self.call = None;
                self.finished = Some(outcome);
            }
        }
    }

    /// The questions that wait.
    fn requests(&self) -> InputRequests {
        self.pending.iter().map(|(key, question)| (key.clone(), question.request.clone())).collect()
    }

    /// Hands the answers that came to the questions they belong to. What is missing is asked again; what
    /// was never asked is ignored (MRTR, "Error Handling").
    fn answer(&mut self, responses: &RawObject<'_>) {
        for (key, question) in std::mem::take(&mut self.pending) {
            match responses.value(&key) {
                // The upstream may have stopped waiting.
                Some(answer) => drop(question.answer.send(Ok(answer))),
                None => self.pending.push((key, question)),
            }
        }
    }
}

/// Who may take a parked call up again, and with which request.
#[derive(PartialEq)]
struct Binding {
    /// The issuer and the subject. What else is known of a person may change between two requests.
    principal: Option<(Option<String>, String)>,
    method: Method,
    /// Of everything in the params that makes the request what it is.
    digest: [u8; 32],
}

struct Entry<T> {
    binding: Binding,
    wake: oneshot::Sender<()>,
    keeper: JoinHandle<Option<Running<T>>>,
    _share: Option<Share>,
}

type Table<T> = Arc<Mutex<HashMap<String, Entry<T>>>>;

/// The parked calls of one upstream.
pub(crate) struct SuspendedCalls<T> {
    table: Table<T>,
    most: usize,
    /// A share of `most` for each caller.
    callers: Arc<Budget>,
    stay: Duration,
}

impl<T: Send + 'static> SuspendedCalls<T> {
    /// Room for `most` calls, each for at most `stay`.
    pub(crate) fn new(most: usize, stay: Duration) -> SuspendedCalls<T> {
        SuspendedCalls { table: Table::default(), most, callers: Budget::new(most, CALLERS), stay }
    }

    /// Parks `running`, which asks something, and gives the answer for its client.
    pub(crate) fn park(&self, running: Running<T>, request: &Request) -> Result<InputRequired, RpcError> {
        let binding = Binding::of(request)?;
        let handle = handle()?;
        let asked = InputRequired {
            input_requests: Some(running.requests()),
            request_state: Some(handle.clone()),
            ..InputRequired::default()
        };
        let share = self.share_of(request)?;
        let mut table = lock(&self.table);
        if table.len() >= self.most {
            return Err(RpcError::new(
                ErrorCode::INTERNAL_ERROR,
                "Too many calls wait for an answer of their clients: try again later",
            ));
        }
        let (wake, woken) = oneshot::channel();
        let keeper = tokio::spawn(keep(running, woken, self.stay, self.table.clone(), handle.clone()));
        table.insert(handle, Entry { binding, wake, keeper, _share: share });
        Ok(asked)
    }

    fn share_of(&self, request: &Request) -> Result<Option<Share>, RpcError> {
        let Some(principal) = request.principal.as_deref() else { return Ok(None) };
        let share = self.callers.take(self.callers.caller(principal), 1);
        share.map(Some).map_err(|ShareExceeded { held, total }| {
            RpcError::new(
                ErrorCode::INTERNAL_ERROR,
                format!(
                    "{held} of your calls wait for an answer of their clients, which is your share of the {total} that \
                     may wait at once: answer some of them, or try again later"
                ),
            )
        })
    }

    /// The parked call that `request` brings answers for; `None` where it is a request of its own.
    pub(crate) async fn take_up(&self, request: &Request) -> Result<Option<Running<T>>, RpcError> {
        let Some(handle) = state_of(request)? else { return Ok(None) };
        let responses = responses_of(request)?;
        let entry = self.claim(&handle, request)?;
        drop(entry.wake);
        let running = entry.keeper.await.ok().flatten();
        let mut running = running.ok_or_else(expired)?;
        let empty = RawJson::empty_object();
        let members = RawObject::of(responses.as_ref().unwrap_or(&empty));
        running.answer(&members.map_err(|_| RpcError::invalid_params("inputResponses must be an object"))?);
        Ok(Some(running))
    }

    fn claim(&self, handle: &str, request: &Request) -> Result<Entry<T>, RpcError> {
        let binding = Binding::of(request)?;
        let mut table = lock(&self.table);
        match table.get(handle) {
            // Whoever shows a handle with another request learns nothing and breaks nothing.
            Some(entry) if entry.binding == binding => table.remove(handle).ok_or_else(expired),
            Some(_) => Err(RpcError::invalid_params("This requestState belongs to another request")),
            None => Err(expired()),
        }
    }
}

/// Nobody can take the calls up again: the upstream is told that they are cancelled.
impl<T> Drop for SuspendedCalls<T> {
    fn drop(&mut self) {
        for (_, entry) in lock(&self.table).drain() {
            entry.keeper.abort();
        }
    }
}

/// Keeps a parked call until it is claimed; after `stay` it is dropped, which cancels it upstream.
async fn keep<T: Send + 'static>(
    mut running: Running<T>,
    woken: oneshot::Receiver<()>,
    stay: Duration,
    table: Table<T>,
    handle: String,
) -> Option<Running<T>> {
    tokio::select! {
        biased;
        _ = woken => return Some(running),
        () = tokio::time::sleep(stay) => {}
        () = running.idle() => {}
    }
    lock(&table).remove(&handle);
    tracing::info!("a call was cancelled: its client never came back with the answer to a question");
    None
}

fn lock<T>(table: &Mutex<HashMap<String, Entry<T>>>) -> MutexGuard<'_, HashMap<String, Entry<T>>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn expired() -> RpcError {
    RpcError::invalid_params(
        "The question that this answers is no longer open: it was answered already, its time ran out, or the server \
         was restarted. Make the call again without requestState",
    )
}

fn handle() -> Result<String, RpcError> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        let reference = correlation_id();
        tracing::error!(reference, "a call cannot be suspended: the operating system gives no randomness");
        RpcError::internal(&reference)
    })?;
    let hex = bytes.iter().map(|byte| format!("{byte:02x}"));
    Ok(std::iter::once(HANDLE.to_owned()).chain(hex).collect())
}

/// The handle that a request brings.
fn state_of(request: &Request) -> Result<Option<String>, RpcError> {
    if request.params.routing().is_some_and(|routing| !routing.again) {
        return Ok(None);
    }
    let members = read(&request.params)?;
    match members.raw("requestState") {
        None => Ok(None),
        Some(_) => match members.string("requestState") {
            Some(state) if state.starts_with(HANDLE) => Ok(Some(state.into_owned())),
            _ => Err(RpcError::invalid_params("This requestState was not given by this server")),
        },
    }
}

fn responses_of(request: &Request) -> Result<Option<RawJson>, RpcError> {
    Ok(read(&request.params)?.value("inputResponses"))
}

fn read(params: &RawJson) -> Result<RawObject<'_>, RpcError> {
    RawObject::of(params).map_err(|error| RpcError::invalid_params(format!("Invalid params: {error}")))
}

impl Binding {
    fn of(request: &Request) -> Result<Binding, RpcError> {
        // Canonical: a client may write the same request with its members in another order.
        let mut params: Value = request
            .params
            .decode()
            .map_err(|error| RpcError::invalid_params(format!("Invalid params: {error}")))?;
        if let Some(members) = params.as_object_mut() {
            ["_meta", "inputResponses", "requestState"].iter().for_each(|name| drop(members.remove(*name)));
        }
        params.sort_all_objects();
        let digest = digest::digest(&digest::SHA256, params.to_string().as_bytes());
        let mut bytes = [0u8; 32];
        bytes.copy_from_slice(digest.as_ref());
        let person = |principal: &Arc<Principal>| (principal.issuer.clone(), principal.subject.clone());
        let principal = request.principal.as_ref().map(person);
        Ok(Binding { principal, method: request.method.clone(), digest: bytes })
    }
}
