//! The resources of one connector that clients subscribe to. If the connector is changed, or removed and added again,
//! the new one takes them over, so that subscriptions continue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The number of subscriptions of each resource, by the connector's own URIs.
#[derive(Default)]
pub(crate) struct WantedResources {
    counts: Mutex<BTreeMap<String, usize>>,
    changes: watch::Sender<()>,
}

/// One subscription. Dropping it ends the subscription.
pub(crate) struct SubscriptionGuard {
    wanted: Arc<WantedResources>,
    uris: Vec<String>,
}

impl WantedResources {
    /// Subscribes to `uris`, until the result is dropped.
    pub(crate) fn subscribe(self: &Arc<WantedResources>, uris: Vec<String>) -> SubscriptionGuard {
        {
            let mut counts = self.counts();
            for uri in &uris {
                *counts.entry(uri.clone()).or_default() += 1;
            }
        }
        self.changes.send_replace(());
        SubscriptionGuard { wanted: self.clone(), uris }
    }

    /// Returns the resources that a client subscribes to.
    pub(crate) fn uris(&self) -> BTreeSet<String> {
        self.counts().keys().cloned().collect()
    }

    /// Returns whether no client subscribes.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts().is_empty()
    }

    /// Returns a receiver of changes.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SubscriptionGuard {
    fn drop(&mut self) {
        {
            let mut counts = self.wanted.counts();
            for uri in &self.uris {
                if let Some(count) = counts.get_mut(uri) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(uri);
                    }
                }
            }
        }
        self.wanted.changes.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_wanted_until_its_last_subscription_ends() {
        let wanted = Arc::new(WantedResources::default());
        let mut changes = wanted.watch();
        let uris = |uris: &[&str]| uris.iter().map(|uri| (*uri).to_owned()).collect::<Vec<_>>();
        let first = wanted.subscribe(uris(&["a", "b"]));
        let second = wanted.subscribe(uris(&["b", "c"]));
        assert!(changes.has_changed().is_ok_and(|changed| changed));
        changes.mark_unchanged();
        assert_eq!(Vec::from_iter(wanted.uris()), ["a", "b", "c"]);
        drop(first);
        assert!(changes.has_changed().is_ok_and(|changed| changed));
        assert_eq!(Vec::from_iter(wanted.uris()), ["b", "c"]);
        drop(second);
        assert!(wanted.uris().is_empty());
    }
}
