//! Sends one request to one connector, over the common connection or the connection of the user, within the shares of
//! the connector and the caller.

use std::sync::Arc;

use loggia::exchange::Exchange;
use loggia::service::{Reply, Request};

use crate::clock::now;
use crate::connector_handle::ConnectorHandle;
use crate::refusal::{Refusal, UnsentRequest};
use crate::result_limit::LinkedResults;
use crate::retirement::Retirement;
use crate::shares::CallShare;
use crate::sign_in::SignInFlow;
use crate::unanswered::unanswered;
use crate::upstream_set::UpstreamSet;

/// Sends requests to connectors.
pub(crate) struct Dispatcher {
    set: Arc<UpstreamSet>,
}

impl Dispatcher {
    /// Creates a dispatcher for the connectors of `set`.
    pub(crate) fn new(set: Arc<UpstreamSet>) -> Dispatcher {
        Dispatcher { set }
    }

    /// Returns the results that were too long for their clients.
    pub(crate) fn results(&self) -> &LinkedResults {
        &self.set.context.results
    }

    /// Sends a request and counts it. Its names must be the connector's own.
    pub(crate) async fn send(
        &self,
        handle: &ConnectorHandle,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let _use = handle.usage.begin(now);
        let reply = self.send_in_share(handle, request, exchange).await;
        handle.counts.add(reply.is_err());
        reply
    }

    /// Answers a call of the hub's sign-in tool of a connector.
    pub(crate) async fn sign_in(
        &self,
        handle: &ConnectorHandle,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let _share = self.share(handle, &request)?;
        Box::pin(
            SignInFlow::of_request(&self.set.context.limits, handle, &request)?.sign_in(request, exchange),
        )
        .await
    }

    /// Waits for a limited time until a connector is connected. Returns false if the connector was changed meanwhile,
    /// so that another connector has its name.
    pub(crate) async fn connected(
        &self,
        handle: &ConnectorHandle,
        request: &Request,
    ) -> Result<bool, Refusal> {
        let _share = self.share(handle, request)?;
        let _use = handle.usage.begin(now);
        match handle.link(self.set.context.limits.connect_wait).await {
            Ok(_) => Ok(true),
            Err(_) if handle.retirement() == Some(Retirement::Changed) => Ok(false),
            Err(why) => Err(Refusal::Unavailable(why)),
        }
    }

    async fn send_in_share(
        &self,
        handle: &ConnectorHandle,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        let _share = self.share(handle, &request)?;
        let caller = request.principal.clone();
        match self.send_over_connection(handle, request, exchange).await? {
            Reply::Raw(relayed) => {
                let (slot, name) = (&handle.slot, &handle.settings.name);
                self.set.context.shares.result(slot, name, caller.as_deref(), relayed).map(Reply::Raw)
            }
            reply => Ok(reply),
        }
    }

    async fn send_over_connection(
        &self,
        handle: &ConnectorHandle,
        request: Request,
        exchange: Exchange,
    ) -> Result<Reply, Refusal> {
        if handle.own.is_some() {
            return Box::pin(
                SignInFlow::of_request(&self.set.context.limits, handle, &request)?.relay(request, exchange),
            )
            .await;
        }
        let link = match handle.link(self.set.context.limits.connect_wait).await {
            Ok(link) => link,
            Err(why) if handle.retirement() == Some(Retirement::Changed) => {
                return Err(Refusal::Unsent(Box::new(UnsentRequest { request, exchange, why })));
            }
            Err(why) => return Err(Refusal::Unavailable(why)),
        };
        match link.call(request, exchange).await {
            Ok(outcome) => outcome.map_err(Refusal::Rpc),
            Err(error) => Err(unanswered(handle, error)),
        }
    }

    /// Takes the shares of the connector and the caller for one more request.
    fn share(&self, handle: &ConnectorHandle, request: &Request) -> Result<CallShare, Refusal> {
        self.set.context.shares.call(&handle.slot, &handle.settings.name, request.principal.as_deref())
    }
}
