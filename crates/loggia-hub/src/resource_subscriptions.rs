//! The open subscriptions of one connection: one for each resource that a client of the hub subscribes to.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use loggia::changes::Change;
use loggia::model::SubscriptionFilter;
use tokio::task::AbortHandle;

use crate::connector_handle::ConnectorHandle;
use crate::upstream::Upstream;
use crate::upstream_set::UpstreamSet;

/// The first and the longest pause before a refused subscription is tried again.
const FIRST_RESUBSCRIBE: Duration = Duration::from_secs(1);
const LONGEST_RESUBSCRIBE: Duration = Duration::from_secs(10 * 60);

/// The resources of one upstream with subscriptions.
pub(crate) struct ResourceSubscriptions {
    set: Arc<UpstreamSet>,
    handle: Arc<ConnectorHandle>,
    link: Arc<Upstream>,
    open: HashMap<String, AbortHandle>,
}

impl ResourceSubscriptions {
    /// Creates subscriptions over `link`; none is open.
    pub(crate) fn new(
        set: Arc<UpstreamSet>,
        handle: Arc<ConnectorHandle>,
        link: Arc<Upstream>,
    ) -> ResourceSubscriptions {
        ResourceSubscriptions { set, handle, link, open: HashMap::new() }
    }

    /// Announces a change of each wanted resource, because it may have changed while there was no connection.
    pub(crate) fn announce_all(&self) {
        for uri in self.handle.wanted.uris() {
            self.set.resource_changed(&self.handle, &uri);
        }
    }

    /// Opens a subscription for each wanted resource and closes the others.
    pub(crate) fn adjust(&mut self) {
        let wanted = self.handle.wanted.uris();
        self.open.retain(|uri, task| {
            let keep = wanted.contains(uri);
            if !keep {
                task.abort();
            }
            keep
        });
        let missing: BTreeSet<String> =
            wanted.into_iter().filter(|uri| !self.open.contains_key(uri)).collect();
        for uri in missing {
            if self.open.len() >= self.set.context.limits.subscriptions {
                return tracing::warn!(
                    connector = self.handle.settings.name,
                    "too many subscriptions: some are left out"
                );
            }
            let task = relay_changes(self.set.clone(), self.handle.clone(), self.link.clone(), uri.clone());
            self.open.insert(uri, tokio::spawn(task).abort_handle());
        }
    }
}

impl Drop for ResourceSubscriptions {
    fn drop(&mut self) {
        self.open.values().for_each(AbortHandle::abort);
    }
}

/// Relays the changes of one resource. If the upstream refuses the subscription, tries again after growing pauses,
/// because the reason may be temporary.
async fn relay_changes(
    set: Arc<UpstreamSet>,
    handle: Arc<ConnectorHandle>,
    link: Arc<Upstream>,
    uri: String,
) {
    let filter = SubscriptionFilter {
        resource_subscriptions: Some(vec![uri.clone()]),
        ..SubscriptionFilter::default()
    };
    let mut wait = FIRST_RESUBSCRIBE;
    loop {
        match link.watch(filter.clone()).await {
            Ok(mut watch) => {
                while let Some(change) = watch.next().await {
                    if let Change::Resource(uri) = change {
                        set.resource_changed(&handle, &uri);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(connector = handle.settings.name, uri, %error, ?wait, "cannot subscribe");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_RESUBSCRIBE);
    }
}
