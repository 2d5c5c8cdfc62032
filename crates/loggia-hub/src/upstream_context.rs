//! The parts of a hub that all its upstreams share: bounds, shares, the number of starts, and the memory.

use std::sync::Arc;

use loggia::client::EraMemory;
use loggia::model::Implementation;
use loggia_store::MemoryResults;
use tokio::sync::Notify;

use crate::limits::HubLimits;
use crate::memory::HubMemory;
use crate::pace::StartPace;
use crate::result_limit::LinkedResults;
use crate::shares::HubShares;
use crate::suspended_address::ReplicaId;

/// The parts of a hub that all its upstreams share and that never change.
pub(crate) struct UpstreamContext {
    pub(crate) identity: Implementation,
    pub(crate) limits: HubLimits,
    /// The last revision of each upstream. A legacy upstream is not probed again when it returns.
    pub(crate) eras: EraMemory,
    pub(crate) shares: HubShares,
    /// Paces the starts of processes.
    pub(crate) pace: StartPace,
    pub(crate) memory: HubMemory,
    /// Notified when the memory has to be written.
    pub(crate) memory_changed: Notify,
    pub(crate) replica: ReplicaId,
    /// The results that were too long for their clients.
    pub(crate) results: LinkedResults,
}

impl UpstreamContext {
    /// Returns the context of a hub with this identity, these bounds and these lists of an earlier run.
    pub(crate) fn new(
        identity: Implementation,
        limits: HubLimits,
        memory: HubMemory,
        replica: ReplicaId,
    ) -> UpstreamContext {
        let eras = EraMemory::new();
        memory.servers().into_iter().for_each(|known| eras.restore(known));
        UpstreamContext {
            shares: HubShares::new(&limits),
            pace: StartPace::new(limits.starts, limits.start_turn),
            identity,
            eras,
            memory,
            memory_changed: Notify::new(),
            results: LinkedResults::new(Arc::new(MemoryResults::new(limits.stored_results))),
            replica,
            limits,
        }
    }
}
