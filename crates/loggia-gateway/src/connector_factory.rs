//! The connectors of a gateway, made from its configuration when it starts and each time that the configuration changes.
//!
//! Invariant: a connector whose settings and secrets are the same gets the same revision and the same accounts, so that the
//! hub keeps its connections.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use loggia_auth::jose::random;
use loggia_hub::Connector;

use crate::accounts::{ConnectorAccounts, UserAccounts};
use crate::config::GatewayConfig;
use crate::connection::ConnectorContext;
use crate::connector::PersonalConnector;

/// The accounts of all connectors to which users sign in, by the connector's name.
#[derive(Clone, Default)]
pub(crate) struct AccountSet(Arc<BTreeMap<String, AccountEntry>>);

#[derive(Clone)]
struct AccountEntry {
    revision: Option<String>,
    accounts: Arc<ConnectorAccounts>,
}

/// Makes the connectors of a configuration.
pub(crate) struct ConnectorFactory {
    context: ConnectorContext,
    /// `None` where callers need not sign in: then all share one account.
    users: Option<UserAccounts>,
    /// The key of revisions. It never leaves the process.
    key: String,
    accounts: RwLock<AccountSet>,
}

impl ConnectorFactory {
    pub(crate) fn new(context: ConnectorContext, users: Option<UserAccounts>) -> ConnectorFactory {
        ConnectorFactory { context, users, key: random(32), accounts: RwLock::default() }
    }

    /// Makes the connectors. Their accounts are used after [`ConnectorFactory::commit`].
    pub(crate) fn prepare(&self, config: &GatewayConfig) -> (Vec<Connector>, AccountSet) {
        let accounts = self.account_set(config);
        let with_accounts = |connector: Connector| match accounts.get(connector.name()) {
            Some(accounts) => connector.people(accounts),
            None => connector,
        };
        let connectors = config.connectors(&self.context, &self.key);
        (connectors.into_iter().map(with_accounts).collect(), accounts)
    }

    /// Uses the accounts of connectors that are served now.
    pub(crate) fn commit(&self, accounts: AccountSet) {
        *self.accounts.write().unwrap_or_else(PoisonError::into_inner) = accounts;
    }

    /// Returns the accounts of the connectors that are served.
    pub(crate) fn accounts(&self) -> AccountSet {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the context in which connections open.
    pub(crate) fn context(&self) -> &ConnectorContext {
        &self.context
    }

    fn account_set(&self, config: &GatewayConfig) -> AccountSet {
        let Some(users) = &self.users else { return AccountSet::default() };
        let before = self.accounts();
        let entry = |connector: PersonalConnector| {
            let (name, revision) = (connector.name().to_owned(), connector.revision(&self.key));
            let same =
                before.0.get(&name).filter(|entry| entry.revision.is_some() && entry.revision == revision);
            let entry = same.cloned().unwrap_or_else(|| {
                let accounts = Arc::new(users.at(connector));
                AccountEntry { revision, accounts }
            });
            (name, entry)
        };
        AccountSet(Arc::new(config.personal().into_iter().map(entry).collect()))
    }
}

impl AccountSet {
    /// Returns the accounts of one connector.
    pub(crate) fn get(&self, connector: &str) -> Option<Arc<ConnectorAccounts>> {
        self.0.get(connector).map(|entry| entry.accounts.clone())
    }

    /// Returns the accounts of all connectors, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ConnectorAccounts> {
        self.0.values().map(|entry| &*entry.accounts)
    }
}
