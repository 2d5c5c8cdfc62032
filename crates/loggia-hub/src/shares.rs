//! Bounds that all connectors and callers share: running calls, and bytes of results that clients have not taken.
//!
//! A connector that hangs or sends more than clients read, and a caller with too many requests, use up only their own
//! share ([`Budget`]). Others still find room.

use std::sync::{Arc, Mutex, PoisonError};

use loggia::budget::{Budget, Share, ShareExceeded};
use loggia::service::{Principal, Relayed};

use crate::limits::HubLimits;
use crate::refusal::Refusal;

/// The number of callers that are counted separately. If there are more, some share one count.
const CALLERS: usize = 1024;

/// The number of connectors that are counted separately. If there are more, some share one count.
const CONNECTORS: usize = 1024;

/// The shortest result that is counted, in bytes. For shorter results, the bound on requests is enough.
const COUNTED: usize = 16 << 10;

/// The shared bounds of one hub.
pub(crate) struct HubShares {
    running: SharedBound,
    results: SharedBound,
    /// The number of connectors that use each slot.
    slots: Arc<Mutex<Vec<usize>>>,
}

/// The slot that counts a connector. Dropping it frees the slot.
pub(crate) struct ShareSlot {
    index: usize,
    slots: Arc<Mutex<Vec<usize>>>,
}

/// One bound, with a share for each connector and for each caller.
struct SharedBound {
    connectors: Arc<Budget>,
    callers: Arc<Budget>,
}

/// The part of the shared bounds that a call uses. Dropping it returns the part.
pub(crate) struct CallShare {
    _connector: Share,
    _caller: Option<Share>,
}

/// The holder of a share that is used up.
enum ShareHolder {
    Connector(ShareExceeded),
    Caller(ShareExceeded),
}

impl HubShares {
    pub(crate) fn new(limits: &HubLimits) -> HubShares {
        HubShares {
            running: SharedBound::new(limits.requests),
            results: SharedBound::new(limits.result_bytes),
            slots: Arc::new(Mutex::new(vec![0; CONNECTORS])),
        }
    }

    /// Returns a slot for one more connector: the one that the fewest connectors use.
    pub(crate) fn slot(&self) -> ShareSlot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let index = (0..slots.len()).min_by_key(|index| slots[*index]).unwrap_or_default();
        slots[index] += 1;
        ShareSlot { index, slots: self.slots.clone() }
    }

    /// Takes a share for one more call to the connector of `slot`.
    pub(crate) fn call(
        &self,
        slot: &ShareSlot,
        name: &str,
        caller: Option<&Principal>,
    ) -> Result<CallShare, Refusal> {
        self.running.take(slot.index, caller, 1).map_err(|exceeded| {
            Refusal::Unavailable(match exceeded {
                ShareHolder::Connector(ShareExceeded { held, total }) => format!(
                    "The connector {name:?} already runs {held} requests, which is its share of the {total} that may \
                     run at once (`requests` in [server.limits]). Other connectors can be used. Try again when some of \
                     its requests have ended."
                ),
                ShareHolder::Caller(ShareExceeded { held, total }) => format!(
                    "You already run {held} requests, which is your share of the {total} that may run at once \
                     (`requests` in [server.limits]). Try again when some of them have ended."
                ),
            })
        })
    }

    /// Counts a result until its client has taken it. Drops a result for which there is no room.
    pub(crate) fn result(
        &self,
        slot: &ShareSlot,
        name: &str,
        caller: Option<&Principal>,
        result: Relayed,
    ) -> Result<Relayed, Refusal> {
        let bytes = result.raw().as_bytes().len();
        if bytes < COUNTED {
            return Ok(result);
        }
        match self.results.take(slot.index, caller, bytes) {
            Ok(share) => Ok(result.with_guard(share)),
            Err(exceeded) => {
                let (whose, ShareExceeded { held, total }) = match exceeded {
                    ShareHolder::Connector(exceeded) => {
                        (format!("results of the connector {name:?}"), exceeded)
                    }
                    ShareHolder::Caller(exceeded) => ("your results".to_owned(), exceeded),
                };
                tracing::warn!(
                    connector = name,
                    bytes,
                    held,
                    total,
                    "a result was dropped: clients do not take theirs"
                );
                Err(Refusal::Unavailable(format!(
                    "The connector {name:?} ran the request, but its result of {bytes} bytes was dropped: {held} bytes \
                     of {whose} wait to be taken by clients, and with it they would exceed their share of {total} \
                     (`result_bytes` in [server.limits]). Read the results that wait, then ask for less at once."
                )))
            }
        }
    }
}

impl Drop for ShareSlot {
    fn drop(&mut self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)[self.index] -= 1;
    }
}

impl SharedBound {
    fn new(total: usize) -> SharedBound {
        SharedBound { connectors: Budget::new(total, CONNECTORS), callers: Budget::new(total, CALLERS) }
    }

    fn take(
        &self,
        connector: usize,
        caller: Option<&Principal>,
        amount: usize,
    ) -> Result<CallShare, ShareHolder> {
        let of_connector = self.connectors.take(connector, amount).map_err(ShareHolder::Connector)?;
        let of_caller = caller.map(|caller| self.callers.take(self.callers.caller(caller), amount));
        Ok(CallShare {
            _connector: of_connector,
            _caller: of_caller.transpose().map_err(ShareHolder::Caller)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connectors_are_counted_apart_and_a_slot_is_used_again() {
        let shares = HubShares::new(&HubLimits::default());
        let first = shares.slot();
        let second = shares.slot();
        assert_ne!(first.index, second.index);
        let freed = first.index;
        drop(first);
        assert_eq!(shares.slot().index, freed);
        let all: Vec<ShareSlot> = (0..CONNECTORS).map(|_| shares.slot()).collect();
        let shared = all.iter().filter(|slot| slot.index == second.index).count();
        assert_eq!(shared, 0, "the fullest slot is not chosen while others are free");
        assert_eq!(
            all.iter().filter(|slot| slot.index == freed).count(),
            2,
            "beyond the last slot they share"
        );
    }
}
