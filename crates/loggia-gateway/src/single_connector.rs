//! One connector with the settings of its tools and with its pins, as a service in the process of its caller. A command that
//! talks to a connector without a gateway uses it, so that a tool has the same name and does the same as through a gateway.
//!
//! Invariant: when the last user of the service drops it, the connections of its hub are closed.

use std::sync::Arc;

use loggia::changes::ChangeSubscription;
use loggia::exchange::Exchange;
use loggia::model::{Implementation, SubscriptionFilter};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Request};
use loggia::wire::RpcError;
use loggia::wire::header::ParamHeaders;
use loggia::{Error, Service};
use loggia_hub::{Connector, ConnectorState, Hub, HubLimits};

/// A hub of one connector that is up.
pub(crate) struct SingleConnector(Arc<Hub>);

impl SingleConnector {
    /// Connects to `connector`, whose components keep their names. Results are not cut, and deferred tools
    /// are listed.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] with the reason if it cannot be used.
    pub(crate) async fn start(connector: Connector, limits: HubLimits) -> loggia::Result<SingleConnector> {
        let identity = Implementation::new("loggia", env!("CARGO_PKG_VERSION")).title("Loggia");
        // The link to the rest of a result that was cut would end with this process.
        let connector = connector.prefix("").result_limit(None).list_deferred();
        let hub = Hub::start(identity, vec![connector], limits)
            .map_err(|error| Error::Configuration(error.to_string()))?;
        let single = SingleConnector(hub);
        single.0.tried().await;
        let status = single.0.status();
        match status.first().filter(|status| status.state != ConnectorState::Up) {
            None => Ok(single),
            Some(status) => {
                let reason = status.last_error.as_deref().unwrap_or("it does not answer");
                Err(Error::Configuration(reason.to_owned()))
            }
        }
    }
}

impl Drop for SingleConnector {
    fn drop(&mut self) {
        // Without a runtime the connections have ended with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let hub = self.0.clone();
            runtime.spawn(async move { hub.close().await });
        }
    }
}

impl Service for SingleConnector {
    fn describe(&self) -> Arc<Description> {
        self.0.describe()
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        self.0.call(request, exchange)
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        self.0.listen(filter, principal)
    }

    fn param_headers(&self, tool: &str) -> Option<Arc<ParamHeaders>> {
        self.0.param_headers(tool)
    }
}
