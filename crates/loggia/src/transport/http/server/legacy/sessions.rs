//! The legacy sessions this process knows. A session lives in its id (see [`super::seal`]); here is only
//! what a process adds to it: when it was last heard of, what runs, what is open. An id that this process
//! does not know is good for as long as a session may be idle, so another replica's sessions, and those of
//! before a restart, are taken up; after that it has expired, unless it was heard of here since.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{WallClock, unix_seconds};
use crate::edge::session::Session;
use crate::limits::Limits;
use crate::service::Principal;

use super::seal::{SessionContent, SessionKey};
use super::session_state::{SessionName, SessionState};

/// Every session of one endpoint.
pub(super) struct Sessions {
    key: SessionKey,
    clock: WallClock,
    limits: Limits,
    shards: [Mutex<Shard>; SHARDS],
    swept: AtomicU64,
}

/// A session is looked up at each of its requests, so the table is in pieces that do not wait for each other.
const SHARDS: usize = 16;

/// By their ids: one that is here was opened before and need not be opened again.
type Shard = HashMap<Box<str>, SessionEntry>;

enum SessionEntry {
    Open(Arc<SessionState>),
    /// Closed by its client. Kept until its id expires.
    Closed {
        until: u64,
    },
}

impl Sessions {
    pub(super) fn new(key: SessionKey, clock: WallClock, limits: Limits) -> Sessions {
        Sessions { key, clock, limits, shards: Default::default(), swept: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        unix_seconds((self.clock)())
    }

    /// The id of a session that begins. `None` where what the client said of itself is too long to travel.
    pub(super) fn mint(&self, session: &Session, principal: Option<&Principal>) -> Option<String> {
        let sealed = SessionContent { issued: self.now(), session: session.to_bytes() };
        self.key.seal(&sealed, principal)
    }

    /// The session that `id` names, heard of now. `None` where there is none, or none any more, or it is
    /// another principal's.
    pub(super) fn find(&self, id: &str, principal: Option<&Principal>) -> Option<Arc<SessionState>> {
        let now = self.now();
        self.sweep_sometimes(now);
        if let Some(known) = self.known(&mut self.shard(id), id, principal, now) {
            return known;
        }
        let sealed = self.key.open(id, principal)?;
        self.take_up(id, principal, &sealed, now)
    }

    /// Returns the entry of `id` in this process; the inner `None` is a session that is over, or of another principal.
    fn known(
        &self,
        shard: &mut Shard,
        id: &str,
        principal: Option<&Principal>,
        now: u64,
    ) -> Option<Option<Arc<SessionState>>> {
        let SessionEntry::Open(session) = shard.get(id)? else { return Some(None) };
        if !session.is_of(principal) {
            return Some(None);
        }
        if self.is_over(session, now) {
            session.end();
            shard.remove(id);
            return Some(None);
        }
        session.seen_at(now);
        Some(Some(session.clone()))
    }

    fn take_up(
        &self,
        id: &str,
        principal: Option<&Principal>,
        sealed: &SessionContent,
        now: u64,
    ) -> Option<Arc<SessionState>> {
        if now.saturating_sub(sealed.issued) > self.idle() {
            return None;
        }
        let session = Session::from_bytes(&sealed.session)?;
        let mut shard = self.shard(id);
        // Another request of the session may have been first.
        if let Some(known) = self.known(&mut shard, id, principal, now) {
            return known;
        }
        if shard.len() >= self.limits.sessions.div_ceil(SHARDS) {
            make_room(&mut shard);
        }
        let name = SessionName::new(id, principal);
        let session =
            Arc::new(SessionState::new(name, sealed.issued, session, self.clock.clone(), &self.limits));
        shard.insert(id.into(), SessionEntry::Open(session.clone()));
        Some(session)
    }

    /// Ends a session; its id is refused from now on.
    pub(super) fn close(&self, session: &SessionState) {
        let until = session.issued().saturating_add(self.idle());
        self.shard(session.id()).insert(session.id().into(), SessionEntry::Closed { until });
        session.end();
    }

    /// Ends what every session runs here. Their ids stay good.
    pub(super) fn end_all(&self) {
        for shard in &self.shards {
            for (_, entry) in lock(shard).drain() {
                if let SessionEntry::Open(session) = entry {
                    session.end();
                }
            }
        }
    }

    /// Lets go of what expired. Called now and then.
    pub(super) fn sweep(&self) {
        let now = self.now();
        self.swept.store(now, Ordering::Relaxed);
        for shard in &self.shards {
            lock(shard).retain(|_, entry| match entry {
                SessionEntry::Closed { until } => *until >= now,
                SessionEntry::Open(session) if self.is_over(session, now) => {
                    session.end();
                    false
                }
                SessionEntry::Open(session) => {
                    session.sweep(now);
                    true
                }
            });
        }
    }

    fn sweep_sometimes(&self, now: u64) {
        let pause = (self.limits.resume_window.as_secs() / 2).max(1);
        let swept = self.swept.load(Ordering::Relaxed);
        let due = now.saturating_sub(swept) >= pause;
        if due && self.swept.compare_exchange(swept, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.sweep();
        }
    }

    fn is_over(&self, session: &SessionState, now: u64) -> bool {
        now.saturating_sub(session.last_seen()) > self.idle() && !session.is_busy()
    }

    fn idle(&self) -> u64 {
        self.limits.session_idle.as_secs()
    }

    /// An id ends with its authentication tag, which is as good as random. Its very last character has fewer
    /// bits than the others.
    fn shard(&self, id: &str) -> MutexGuard<'_, Shard> {
        let byte = id.as_bytes().iter().nth_back(1).copied().unwrap_or_default();
        lock(&self.shards[usize::from(byte) % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets the eighth of the sessions that was not heard of for longest. A forgotten session whose id is young
/// comes back with its next request; another starts anew.
fn make_room(shard: &mut Shard) {
    let seen = |entry: &SessionEntry| match entry {
        SessionEntry::Closed { until } => *until,
        SessionEntry::Open(session) if session.is_busy() => u64::MAX,
        SessionEntry::Open(session) => session.last_seen(),
    };
    let mut times: Vec<u64> = shard.values().map(seen).collect();
    let eighth = times.len() / 8;
    let (_, limit, _) = times.select_nth_unstable(eighth);
    let limit = *limit;
    let mut room = eighth + 1;
    shard.retain(|_, entry| {
        let goes = room > 0 && seen(entry) <= limit;
        if goes {
            room -= 1;
            if let SessionEntry::Open(session) = entry {
                session.end();
            }
        }
        !goes
    });
}
