//! Admission of requests and streams: a bound for the endpoint, of which one caller gets a share.
//!
//! The share keeps one caller whose requests hang, or whose bodies arrive slowly, from refusing all others. Callers are
//! told apart where an authorization layer named them; all others have the bound of the endpoint alone.

use std::sync::Arc;

use http::request::Parts;
use tokio::sync::Semaphore;

use crate::budget::{Budget, ShareExceeded};
use crate::service::Principal;
use crate::transport::http::body::Admission;

/// Callers that are counted apart. With more of them, some share one count.
const CALLERS: usize = 1024;

/// The bound on one kind of work.
pub(super) struct AdmissionControl {
    /// The key of the bound in `Limits`, and what it counts.
    key: &'static str,
    what: &'static str,
    total: usize,
    room: Arc<Semaphore>,
    callers: Arc<Budget>,
}

/// The reason why a request or stream is not admitted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Overload {
    /// The endpoint is at its bound.
    Endpoint { key: &'static str, what: &'static str, total: usize },
    /// The caller is at its share.
    Caller { key: &'static str, what: &'static str, held: usize, total: usize },
    /// The client sends faster than its messages are handled.
    Backlog,
}

/// Returns the principal of a request, if a layer established one.
pub(super) fn principal(parts: &Parts) -> Option<Arc<Principal>> {
    let shared = parts.extensions.get::<Arc<Principal>>().cloned();
    shared.or_else(|| parts.extensions.get::<Principal>().cloned().map(Arc::new))
}

impl AdmissionControl {
    pub(super) fn new(key: &'static str, what: &'static str, total: usize) -> AdmissionControl {
        let total = total.min(Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(total));
        AdmissionControl { key, what, total, room, callers: Budget::new(total, CALLERS) }
    }

    /// Makes room for one more.
    pub(super) fn admit(&self, caller: Option<&Principal>) -> Result<Admission, Overload> {
        let share = caller.map(|caller| self.callers.take(self.callers.caller(caller), 1)).transpose();
        let _share = share.map_err(|ShareExceeded { held, total }| Overload::Caller {
            key: self.key,
            what: self.what,
            held,
            total,
        })?;
        match self.room.clone().try_acquire_owned() {
            Ok(_room) => Ok(Admission { _room, _share }),
            Err(_) => Err(Overload::Endpoint { key: self.key, what: self.what, total: self.total }),
        }
    }

    /// Waits until nothing is admitted any more.
    pub(super) async fn drained(&self) {
        let all = u32::try_from(self.total).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        drop(self.room.acquire_many(all).await);
    }
}

impl std::fmt::Display for Overload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Overload::Endpoint { key, what, total } => write!(
                f,
                "The server is busy: it has {total} {what}, which is its bound (`{key}`). Try again in a moment"
            ),
            Overload::Caller { key, what, held, total } => write!(
                f,
                "You have {held} {what}, which is your share of the server's {total} (`{key}`). Wait until some of \
                 them have ended"
            ),
            Overload::Backlog => f.write_str("The server is busy: try again in a moment"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(subject: &str) -> Principal {
        Principal { subject: subject.to_owned(), ..Principal::default() }
    }

    #[test]
    fn one_caller_leaves_room_for_others() {
        let control = AdmissionControl::new("requests", "requests running", 40);
        let (greedy, other) = (caller("greedy"), caller("other"));
        assert_ne!(control.callers.caller(&greedy), control.callers.caller(&other), "two counts");
        let taken: Vec<Admission> = std::iter::from_fn(|| control.admit(Some(&greedy)).ok()).collect();
        assert_eq!(taken.len(), 20);
        let why = control.admit(Some(&greedy)).err().expect("it is at its share");
        assert_eq!(
            why.to_string(),
            "You have 20 requests running, which is your share of the server's 40 (`requests`). Wait until some of \
             them have ended"
        );
        assert!(control.admit(Some(&other)).is_ok());
        drop(taken);
        assert!(control.admit(Some(&greedy)).is_ok());
    }

    #[test]
    fn callers_without_a_name_have_the_bound_of_the_endpoint() {
        let control = AdmissionControl::new("streams", "streams open", 3);
        let taken: Vec<Admission> = std::iter::from_fn(|| control.admit(None).ok()).collect();
        assert_eq!(taken.len(), 3);
        let why = control.admit(None).err().expect("it is full").to_string();
        assert!(why.contains("3 streams open") && why.contains("`streams`"), "{why}");
    }
}
