//! Rounds of a call. Where a client cannot be asked while its request runs, a question ends the request: the
//! handler's future is dropped, the client gets every question that was open, and calls again with the
//! answers. What was answered or done in earlier rounds comes back in the sealed `requestState`, so the new
//! run of the handler gets as far as the last one and goes on.

use std::future::poll_fn;
use std::sync::Mutex;
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia_wire::shape::{Fill, Malformed, Model, Shape, View};
use loggia_wire::sorted::Named;
use loggia_wire::{ErrorCode, Members, RawJson, RpcError};
use serde_json::Value;

use super::cx::{Call, Cx, lock};
use super::error::ToolError;
use super::seal::{canonical, digest, is_sealed};
use crate::model::{InputRequest, InputRequests, InputRequired, InputResponses};
use crate::service::BoxFuture;

/// What is known of a call's questions.
#[derive(Default)]
pub(crate) struct Rounds {
    /// Apart, for most requests bring nothing.
    came: Option<Box<Came>>,
    now: Mutex<Now>,
}

/// What came with the request.
#[derive(Default)]
struct Came {
    responses: InputResponses,
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    None,
    /// Made by a handler, which is to judge it.
    Foreign(String),
    /// Made here.
    Ours(Carried),
}

/// What travels in `requestState`.
#[derive(Debug, Default, Clone, PartialEq)]
struct Carried {
    /// When it expires, in seconds since 1970.
    until: u64,
    /// How many rounds there were.
    round: usize,
    /// The questions of the last round: the digest of each, by its key.
    asked: Named<String>,
    /// The answers of the rounds before.
    kept: Named<Kept>,
    /// Results of [`Cx::once`].
    once: Named<Value>,
}

/// An answer and the digest of its question.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    digest: String,
    answer: RawJson,
}

impl Carried {
    fn write(&self) -> Result<RawJson, serde_json::Error> {
        let (until, round) = (self.until, self.round as u64);
        let members: Vec<(&str, &dyn Shape)> = vec![
            ("until", &until),
            ("round", &round),
            ("asked", &self.asked),
            ("kept", &self.kept),
            ("once", &self.once),
        ];
        RawJson::encode(&View::Entries(members))
    }

    fn read(text: &[u8]) -> Result<Carried, Malformed> {
        let members = Members::read(text).map_err(|_| Malformed::expected("an object", text))?;
        Ok(Carried {
            until: members.get("until")?,
            round: members.get::<u64>("round")?.try_into().unwrap_or(usize::MAX),
            asked: members.get("asked")?,
            kept: members.get("kept")?,
            once: members.get("once")?,
        })
    }
}

impl Shape for Kept {
    fn view(&self) -> View<'_> {
        View::Entries(vec![("digest", &self.digest), ("answer", &self.answer)])
    }
}

impl Fill for Kept {
    fn fill(&mut self, text: &[u8]) -> Result<(), Malformed> {
        let members = Members::read(text).map_err(|_| Malformed::expected("an object", text))?;
        *self = Kept { digest: members.get("digest")?, answer: members.get("answer")? };
        Ok(())
    }
}

impl Model for Kept {
    fn blank() -> Kept {
        Kept { digest: String::new(), answer: RawJson::null() }
    }
}

/// What this run has come to.
#[derive(Default)]
struct Now {
    kept: Named<Kept>,
    once: Named<Value>,
    wanted: Named<(String, InputRequest)>,
    waker: Option<Waker>,
}

/// Runs a handler until it ends, or until it waits for an answer that only another round can bring (`None`).
pub(crate) async fn run<T>(cx: &Cx, mut handler: BoxFuture<'static, T>) -> Option<T> {
    poll_fn(|task| match handler.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if cx.call().rounds.has_questions(task.waker()) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

impl Rounds {
    /// Reads what came with a request. State that was sealed here and does not open is refused.
    pub(crate) fn open(
        call: &Call,
        responses: Option<InputResponses>,
        state: Option<String>,
    ) -> Result<Rounds, RpcError> {
        if responses.is_none() && state.is_none() {
            return Ok(Rounds::default());
        }
        let state = match state {
            None => State::None,
            Some(text) if is_sealed(&text) => State::Ours(unseal(call, &text)?),
            Some(text) => State::Foreign(text),
        };
        let came = Came { responses: responses.unwrap_or_default(), state };
        Ok(Rounds { came: Some(Box::new(came)), now: Mutex::default() })
    }

    /// The answer to `key`, where there is one.
    pub(crate) fn lookup(&self, key: &str, digest: &str) -> Result<Option<RawJson>, ToolError> {
        let now = lock(&self.now);
        if let Some(kept) = now.kept.get(key) {
            return if kept.digest == digest { Ok(Some(kept.answer.clone())) } else { Err(reused(key)) };
        }
        if now.wanted.get(key).is_some_and(|(other, _)| other != digest) {
            return Err(reused(key));
        }
        let carried = self.carried()?;
        let earlier = carried.and_then(|carried| carried.kept.get(key)).filter(|kept| kept.digest == digest);
        if let Some(kept) = earlier {
            return Ok(Some(kept.answer.clone()));
        }
        // Without state there was no earlier round to compare with: the client answers unasked.
        let fits = carried.is_none_or(|carried| carried.asked.get(key).is_some_and(|asked| asked == digest));
        let response = self.came.as_ref().and_then(|came| came.responses.get(key));
        Ok(response.filter(|_| fits).cloned())
    }

    /// Remembers an answer that was used.
    pub(crate) fn keep(&self, key: &str, digest: String, answer: RawJson) {
        lock(&self.now).kept.insert(key.to_owned(), Kept { digest, answer });
    }

    /// Records a question for the client and waits for ever: the call ends here.
    pub(crate) async fn want(&self, key: &str, digest: String, request: InputRequest) -> RawJson {
        let waker = {
            let mut now = lock(&self.now);
            now.wanted.insert(key.to_owned(), (digest, request));
            now.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        std::future::pending().await
    }

    pub(crate) fn kept_once(&self, key: &str) -> Result<Option<Value>, ToolError> {
        let now = lock(&self.now);
        if let Some(value) = now.once.get(key) {
            return Ok(Some(value.clone()));
        }
        Ok(self.carried()?.and_then(|carried| carried.once.get(key)).cloned())
    }

    pub(crate) fn keep_once(&self, key: &str, value: Value) {
        lock(&self.now).once.insert(key.to_owned(), value);
    }

    pub(crate) fn responses(&self) -> InputResponses {
        self.came.as_ref().map(|came| came.responses.clone()).unwrap_or_default()
    }

    pub(crate) fn foreign_state(&self) -> Option<String> {
        match self.state() {
            State::Foreign(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// What to answer when the handler waits for answers.
    pub(crate) fn input_required(&self, call: &Call) -> Result<InputRequired, RpcError> {
        let mut now = lock(&self.now);
        let mut carried = match self.state() {
            State::Ours(carried) => carried.clone(),
            _ => Carried::default(),
        };
        carried.round += 1;
        let most = call.core.limits.input_rounds;
        if carried.round > most {
            return Err(RpcError::new(
                ErrorCode::INTERNAL_ERROR,
                format!("This call asked for input more than {most} times: start it again"),
            ));
        }
        carried.until = seconds(call.core.now() + call.core.state_ttl);
        carried.kept.extend(std::mem::take(&mut now.kept));
        carried.once.extend(std::mem::take(&mut now.once));
        let wanted = std::mem::take(&mut now.wanted);
        carried.asked = wanted.iter().map(|(key, (digest, _))| (key.clone(), digest.clone())).collect();
        let requests: InputRequests = wanted.into_iter().map(|(key, (_, request))| (key, request)).collect();
        let request_state = Some(seal(call, &carried)?);
        Ok(InputRequired { input_requests: Some(requests), request_state, ..InputRequired::default() })
    }

    /// Whether the run waits for answers. If not, `waker` is woken as soon as it does.
    fn has_questions(&self, waker: &Waker) -> bool {
        let mut now = lock(&self.now);
        if now.wanted.is_empty() {
            now.waker = Some(waker.clone());
            return false;
        }
        true
    }

    fn state(&self) -> &State {
        self.came.as_ref().map_or(&State::None, |came| &came.state)
    }

    /// What earlier rounds left. State that was not made here is an error for whoever needs it.
    fn carried(&self) -> Result<Option<&Carried>, ToolError> {
        match self.state() {
            State::None => Ok(None),
            State::Ours(carried) => Ok(Some(carried)),
            State::Foreign(_) => Err(ToolError::rpc(refused())),
        }
    }
}

/// A short digest of a question: an answer counts only for the very question it was given to.
pub(crate) fn question_digest(request: &InputRequest) -> String {
    let text = RawJson::encode(&request.view()).ok().and_then(|raw| raw.read::<Value>().ok());
    let text = text.map(|value| canonical(&value)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&digest([&text[..]])[..16])
}

/// What sealed state is bound to: who calls what with which arguments.
pub(crate) fn context(call: &Call) -> [u8; 32] {
    let subject = &call.subject;
    let arguments = subject.arguments.read::<Value>().map(|value| canonical(&value)).unwrap_or_default();
    let (who, issuer) = match &call.principal {
        Some(principal) => (principal.subject.as_str(), principal.issuer.as_deref()),
        None => ("", None),
    };
    let known = [u8::from(call.principal.is_some()), u8::from(issuer.is_some())];
    digest([
        &known[..],
        who.as_bytes(),
        issuer.unwrap_or_default().as_bytes(),
        subject.method.as_str().as_bytes(),
        subject.name.as_bytes(),
        &arguments,
    ])
}

fn seal(call: &Call, carried: &Carried) -> Result<String, RpcError> {
    let fault = |reason: &str| {
        let reference = crate::edge::correlation_id();
        tracing::error!(reference, reason, "the state of a call could not be sealed");
        RpcError::internal(&reference)
    };
    let plain = carried.write().map_err(|error| fault(&error.to_string()))?;
    let plain = plain.as_bytes();
    let most = call.core.limits.request_state_bytes;
    if plain.len() > most {
        return Err(fault(&format!("it is larger than {most} bytes: keep less in once(), or ask for less")));
    }
    call.core.sealer.seal(&context(call), plain).ok_or_else(|| fault("there is no randomness"))
}

fn unseal(call: &Call, text: &str) -> Result<Carried, RpcError> {
    // Encryption and base64 add little over a third.
    if text.len() > call.core.limits.request_state_bytes * 2 {
        return Err(refused());
    }
    let plain = call.core.sealer.open(&context(call), text).ok_or_else(refused)?;
    let carried = Carried::read(&plain).map_err(|_| refused())?;
    if carried.until < seconds(call.core.now()) {
        return Err(RpcError::invalid_params(
            "The requestState has expired: start the call again without it",
        ));
    }
    Ok(carried)
}

fn refused() -> RpcError {
    RpcError::invalid_params(
        "The requestState does not belong to this call, or was changed: start the call again without it",
    )
}

fn reused(key: &str) -> ToolError {
    ToolError::internal(format!("two different questions were asked under the key {key:?}"))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
