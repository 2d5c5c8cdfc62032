//! The state of one legacy session in this process, while the session is alive here: a few hundred bytes when
//! nothing runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use loggia_wire::jsonrpc::Id;
use loggia_wire::model::InputRequest;
use loggia_wire::{RawJson, RpcError, Version};
use tokio::sync::{Notify, oneshot};

use super::change_watch::ChangeWatch;
use super::event_log::{Carrier, EventLog};
use crate::clock::{WallClock, unix_seconds};
use crate::edge::client_requests::{self, PendingClientRequests};
use crate::edge::session::Session;
use crate::exchange::ClientPeer;
use crate::future::BoxFuture;
use crate::limits::Limits;
use crate::random::random;
use crate::service::Principal;
use crate::shutdown::Shutdown;
use crate::transport::http::server::state::EndpointState;

/// One session in this process.
pub(super) struct SessionState {
    name: SessionName,
    issued: u64,
    version: Version,
    clock: WallClock,
    seen: AtomicU64,
    state: Mutex<SessionParts>,
    over: Shutdown,
    /// The changes that the client is told of.
    pub(super) watch: ChangeWatch,
}

/// A session's id, and who it was made for.
pub(super) struct SessionName {
    id: Box<str>,
    owner: Option<SessionOwner>,
}

/// Identity of a principal.
struct SessionOwner {
    issuer: Option<Box<str>>,
    subject: Box<str>,
}

impl SessionName {
    pub(super) fn new(id: &str, principal: Option<&Principal>) -> SessionName {
        let owner = principal.map(|principal| SessionOwner {
            issuer: principal.issuer.as_deref().map(Into::into),
            subject: principal.subject.as_str().into(),
        });
        SessionName { id: id.into(), owner }
    }
}

/// The parts of a session that change.
pub(super) struct SessionParts {
    pub(super) session: Session,
    /// The requests that run, and how each is cancelled.
    pub(super) running: HashMap<Id, Arc<Notify>>,
    pub(super) pending: PendingClientRequests<AskWaiter>,
    pub(super) log: EventLog,
    next_ask: u64,
}

/// The call that waits for the answer to a question.
pub(super) struct AskWaiter {
    number: u64,
    answer: oneshot::Sender<Result<RawJson, RpcError>>,
}

impl SessionState {
    pub(super) fn new(
        name: SessionName,
        issued: u64,
        session: Session,
        clock: WallClock,
        limits: &Limits,
    ) -> SessionState {
        let version = session.version();
        let state = SessionParts {
            session,
            running: HashMap::new(),
            pending: PendingClientRequests::new(limits).starting_at(first_question()),
            log: EventLog::new(limits).starting_at(u32::from_le_bytes(random())),
            next_ask: 0,
        };
        SessionState {
            name,
            issued,
            version,
            seen: AtomicU64::new(unix_seconds(clock())),
            clock,
            state: Mutex::new(state),
            over: Shutdown::new(),
            watch: ChangeWatch::default(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.name.id
    }

    /// Returns whether the session belongs to `principal`; without one, whether it belongs to no principal.
    pub(super) fn is_of(&self, principal: Option<&Principal>) -> bool {
        match (&self.name.owner, principal) {
            (None, None) => true,
            (Some(owner), Some(principal)) => {
                *owner.subject == *principal.subject && owner.issuer.as_deref() == principal.issuer.as_deref()
            }
            _ => false,
        }
    }

    pub(super) fn issued(&self) -> u64 {
        self.issued
    }

    /// The negotiated revision.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The session was heard of, or something of it ended, just now.
    pub(super) fn touch(&self) {
        self.seen_at(self.now());
    }

    /// The session was heard of at `now`, in seconds of Unix time.
    pub(super) fn seen_at(&self, now: u64) {
        self.seen.store(now, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        unix_seconds((self.clock)())
    }

    pub(super) fn last_seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// Returns whether something runs or a connection is open: such a session does not expire.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.state();
        !state.running.is_empty() || state.log.is_carried()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, SessionParts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what runs for this session.
    pub(super) fn end(&self) {
        self.over.begin();
        // The calls that wait see the end of their channels.
        drop(self.state().pending.abandon());
    }

    /// Waits for the session's end in this process.
    pub(super) async fn ended(&self) {
        self.over.begun().await;
    }

    pub(super) fn sweep(&self, now: u64) {
        self.state().log.sweep(now);
    }

    /// Adds a message to one of the session's streams.
    pub(super) fn push(&self, stream: u64, message: Bytes, answer: bool) {
        self.state().log.push(stream, message, answer, self.now());
    }

    fn withdraw(&self, stream: u64, number: u64) {
        let mut state = self.state();
        for notice in state.pending.withdraw(|waiter| waiter.number == number) {
            state.log.push(stream, notice, false, self.now());
        }
    }
}

/// Questions are numbered from a random place, so that an answer which reaches another replica answers
/// nothing there.
fn first_question() -> i64 {
    i64::from(u32::from_le_bytes(random())) << 16
}

/// The client behind one POST, asked and told on that POST's own stream. There is none before there is
/// something to say on it.
pub(super) struct PostPeer {
    pub(super) endpoint: Arc<EndpointState>,
    pub(super) session: Arc<SessionState>,
    carrier: OnceLock<Carrier>,
}

impl ClientPeer for PostPeer {
    fn ask(&self, request: InputRequest) -> BoxFuture<'_, Result<RawJson, RpcError>> {
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            let open = self.open(answer, request)?;
            let limit = self.endpoint.limits.ask_timeout;
            match tokio::time::timeout(limit, answered).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(client_requests::unanswerable()),
                Err(_) => {
                    drop(open);
                    Err(client_requests::timed_out(limit))
                }
            }
        })
    }
}

impl PostPeer {
    pub(super) fn new(endpoint: &Arc<EndpointState>, session: &Arc<SessionState>) -> PostPeer {
        PostPeer { endpoint: endpoint.clone(), session: session.clone(), carrier: OnceLock::new() }
    }

    /// Returns whether something was said.
    pub(super) fn has_stream(&self) -> bool {
        self.carrier.get().is_some()
    }

    /// The stream, opened if it is not.
    pub(super) fn carrier(&self) -> Carrier {
        self.carrier_in(&mut self.session.state())
    }

    fn carrier_in(&self, state: &mut SessionParts) -> Carrier {
        *self.carrier.get_or_init(|| state.log.open())
    }

    fn open(
        &self,
        answer: oneshot::Sender<Result<RawJson, RpcError>>,
        request: InputRequest,
    ) -> Result<AskGuard<'_>, RpcError> {
        let mut state = self.session.state();
        let state = &mut *state;
        let stream = self.carrier_in(state).stream;
        let number = state.next_ask;
        state.next_ask += 1;
        let message = state.pending.open(
            AskWaiter { number, answer },
            request,
            state.session.meta(),
            Instant::now(),
        )?;
        state.log.push(stream, message, false, self.session.now());
        Ok(AskGuard { session: &self.session, stream, number })
    }
}

/// Withdraws its question when the call stops waiting; an answered one is gone already.
struct AskGuard<'a> {
    session: &'a SessionState,
    stream: u64,
    number: u64,
}

impl Drop for AskGuard<'_> {
    fn drop(&mut self) {
        self.session.withdraw(self.stream, self.number);
    }
}

impl AskWaiter {
    /// Gives the client's answer to the call that waits.
    pub(super) fn answer(self, outcome: Result<RawJson, RpcError>) {
        // The call may have stopped waiting at this very moment.
        let _ = self.answer.send(outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use loggia_wire::model::{Implementation, ServerCapabilities};

    use super::*;
    use crate::service::Description;

    /// An idle session costs this, one allocation of the signal in it, and what its client said of
    /// itself, which the seal bounds.
    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<SessionState>() <= 1536, "{}", size_of::<SessionState>());
        let server = Description {
            identity: Implementation::new("s", "1"),
            capabilities: ServerCapabilities::default(),
            instructions: None,
            versions: Version::ALL.to_vec(),
        };
        let params = serde_json::json!({ "protocolVersion": "2025-11-25", "capabilities": {} });
        let (session, _) = Session::initialize(Some(&RawJson::from(&params)), &server).expect("a session");
        let session = SessionState::new(
            SessionName::new("", None),
            0,
            session,
            Arc::new(SystemTime::now),
            &Limits::default(),
        );
        assert!(!session.is_busy());
        let state = session.state();
        assert_eq!((state.running.capacity(), state.pending.is_empty()), (0, true));
    }
}
