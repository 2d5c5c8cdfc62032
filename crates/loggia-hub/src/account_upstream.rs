//! The connections of a connector with several accounts: the connection of the default account is open as long as the
//! connector is up, and each other one is opened for the first call that names its account.
//!
//! Lists, resources and changes come from the default account. Invariant: a call is sent with the credential of the account
//! that it names, or not at all.

use std::sync::Arc;

use loggia::exchange::Exchange;
use loggia::model::{CallToolResult, ServerResult};
use loggia::service::{Outcome, Reply, Request};
use loggia::{Error, Result};

use crate::account_argument::take_account;
use crate::account_clients::{AccountClients, OpenAccount};
use crate::connector::UpstreamSettings;
use crate::relay::Relay;
use crate::upstream_context::UpstreamContext;

/// The connections of one connector, by account.
pub(crate) struct AccountRelays {
    /// The name of the default account.
    name: String,
    default: Relay,
    others: Vec<AccountRelay>,
    settings: UpstreamSettings,
    context: Arc<UpstreamContext>,
}

/// The connection of an account that is not the default.
struct AccountRelay {
    account: String,
    open: OpenAccount,
    /// The connection; it is locked while it is opened, so that only one is opened.
    relay: tokio::sync::Mutex<Option<Arc<Relay>>>,
}

impl AccountRelays {
    /// Creates the connections; only that of the default account is open.
    pub(crate) fn new(
        clients: AccountClients,
        settings: &UpstreamSettings,
        context: &Arc<UpstreamContext>,
    ) -> AccountRelays {
        let AccountClients { name, default, others } = clients;
        let relay = |(account, open)| AccountRelay { account, open, relay: tokio::sync::Mutex::default() };
        AccountRelays {
            name,
            default: Relay::new(default, settings, context),
            others: others.into_iter().map(relay).collect(),
            settings: settings.clone(),
            context: context.clone(),
        }
    }

    /// Returns the connection of the default account.
    pub(crate) fn default_relay(&self) -> &Relay {
        &self.default
    }

    /// Runs one request with the account that it selects. The outer error means that the upstream of the default account did
    /// not answer.
    pub(crate) async fn call(&self, request: Request, exchange: Exchange) -> Result<Outcome> {
        let (request, account) = match take_account(request) {
            Ok(taken) => taken,
            Err(error) => return Ok(Err(error)),
        };
        let Some(account) = account.filter(|account| *account != self.name) else {
            return self.default.call(request, exchange).await;
        };
        let Some(other) = self.others.iter().find(|other| other.account == account) else {
            // The accounts have changed, and the tools with the new ones are not listed yet.
            let text = format!("The account {account:?} is not connected yet. Call again later.");
            return Ok(Ok(Reply::from(ServerResult::from(CallToolResult::error(text)))));
        };
        match self.call_other(other, request, exchange).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => Ok(Ok(self.failed(other, &error))),
        }
    }

    async fn call_other(
        &self,
        other: &AccountRelay,
        request: Request,
        exchange: Exchange,
    ) -> Result<Outcome> {
        let relay = self.open(other).await?;
        let outcome = relay.call(request, exchange).await;
        if matches!(outcome, Err(Error::Connection(_) | Error::Unauthorized(_))) {
            let mut open = other.relay.lock().await;
            // Another call may have opened the next one.
            open.take_if(|open| Arc::ptr_eq(open, &relay));
        }
        outcome
    }

    async fn open(&self, other: &AccountRelay) -> Result<Arc<Relay>> {
        let mut open = other.relay.lock().await;
        if let Some(relay) = &*open {
            return Ok(relay.clone());
        }
        let limit = self.context.limits.connect_timeout;
        let opened = tokio::time::timeout(limit, (other.open)()).await;
        let client = opened.unwrap_or(Err(Error::timeout(limit)))?;
        let relay = Arc::new(Relay::new(client, &self.settings, &self.context));
        *open = Some(relay.clone());
        Ok(relay)
    }

    /// Returns the result of a call whose account did not answer, as a text that the model can read.
    fn failed(&self, other: &AccountRelay, error: &Error) -> Reply {
        let (name, account) = (&self.settings.name, &other.account);
        let text = match error {
            Error::Unauthorized(why) => {
                format!(
                    "The account {account:?} of {name:?} cannot be used: {}.",
                    (self.settings.redact)(why)
                )
            }
            error => {
                let reference = loggia::edge::correlation_id();
                let error = (self.settings.redact)(&error.to_string());
                tracing::warn!(connector = name, account, %error, reference, "an account did not answer");
                format!(
                    "The account {account:?} of {name:?} cannot be reached now (reference {reference} in Loggia's \
                     log). Try again later."
                )
            }
        };
        Reply::from(ServerResult::from(CallToolResult::error(text)))
    }

    /// Closes all connections. Their running requests fail.
    pub(crate) async fn close(&self) {
        self.default.close().await;
        for other in &self.others {
            if let Some(relay) = other.relay.lock().await.take() {
                relay.close().await;
            }
        }
    }
}
