//! The questions and answers of one call: those that came with the request, and those of this run.

use std::sync::{Mutex, OnceLock};
use std::task::Waker;
use std::time::SystemTime;

use loggia_wire::json::{FromJson, ToJson};
use loggia_wire::{RawJson, RpcError, VecMap};

use super::context::ServerContext;
use crate::lock::lock;
use crate::model::{InputRequest, InputResponses};

/// The questions of a call and their answers, of this run and of earlier ones.
pub(crate) struct InputContext {
    /// Boxed, because most requests have neither answers nor state.
    pub(super) retry: Option<Box<RetryInput>>,
    pub(super) pending: Mutex<PendingInput>,
}

/// The answers and the state that came with the request.
pub(super) struct RetryInput {
    pub(super) responses: InputResponses,
    pub(super) state: Option<String>,
    /// The time when it came: work of a handler before its first question does not count.
    pub(super) at: SystemTime,
    /// The state, opened when a handler first needs it.
    pub(super) opened: OnceLock<Result<RequestState, RpcError>>,
}

/// Content of `requestState`.
#[derive(Debug, Default, Clone, PartialEq, ToJson, FromJson)]
pub(super) struct RequestState {
    /// When it expires, in seconds since 1970.
    pub(super) until: u64,
    /// Number of rounds so far.
    pub(super) round: u64,
    /// The questions of the last round: the digest of each, by its key.
    pub(super) asked: VecMap<String, String>,
    /// The answers of the rounds before.
    pub(super) kept: VecMap<String, RecordedAnswer>,
    /// Results of [`Cx::once`].
    pub(super) once: VecMap<String, RawJson>,
}

/// An answer and the digest of its question.
#[derive(Debug, Clone, PartialEq, ToJson, FromJson)]
pub(super) struct RecordedAnswer {
    pub(super) digest: String,
    pub(super) answer: RawJson,
}

/// Questions and results of this run.
#[derive(Default)]
pub(super) struct PendingInput {
    pub(super) kept: VecMap<String, RecordedAnswer>,
    pub(super) once: VecMap<String, RawJson>,
    pub(super) wanted: VecMap<String, (String, InputRequest)>,
    /// True if a question waits for an answer that only another round can bring.
    is_suspended: bool,
    waker: Option<Waker>,
}

impl InputContext {
    /// Creates the context from the answers and the state of a request.
    pub(crate) fn new(
        server: &ServerContext,
        responses: Option<InputResponses>,
        state: Option<String>,
    ) -> InputContext {
        let nothing = responses.is_none() && state.is_none();
        let retry = (!nothing).then(|| {
            let responses = responses.unwrap_or_default();
            Box::new(RetryInput { responses, state, at: server.now(), opened: OnceLock::new() })
        });
        InputContext { retry, pending: Mutex::default() }
    }

    /// Remembers an answer that was used.
    pub(crate) fn keep(&self, key: &str, digest: String, answer: RawJson) {
        lock(&self.pending).kept.insert(key.to_owned(), RecordedAnswer { digest, answer });
    }

    /// Records a question for the client, and never returns: the run ends here.
    pub(crate) async fn want(&self, key: &str, digest: String, request: InputRequest) -> RawJson {
        let waker = {
            let mut pending = lock(&self.pending);
            pending.wanted.insert(key.to_owned(), (digest, request));
            pending.is_suspended = true;
            pending.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        std::future::pending().await
    }

    pub(crate) fn keep_once(&self, key: &str, value: RawJson) {
        lock(&self.pending).once.insert(key.to_owned(), value);
    }

    pub(crate) fn responses(&self) -> InputResponses {
        self.retry.as_ref().map(|retry| retry.responses.clone()).unwrap_or_default()
    }

    /// Returns whether the run waits for answers. If it does not, `waker` is woken as soon as it does.
    pub(super) fn is_suspended(&self, waker: &Waker) -> bool {
        let mut pending = lock(&self.pending);
        if !pending.is_suspended {
            pending.waker = Some(waker.clone());
        }
        pending.is_suspended
    }
}
