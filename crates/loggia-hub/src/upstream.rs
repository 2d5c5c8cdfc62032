//! One open upstream, in this process or in another.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use loggia::changes::{Change, ChangeSubscription};
use loggia::client::{Listing, ServerFacts, Subscription};
use loggia::exchange::Exchange;
use loggia::model::{
    Implementation, Prompt, Resource, ResourceTemplate, ServerCapabilities, SubscriptionFilter, Tool,
};
use loggia::service::{Outcome, Request};
use loggia::wire::{Method, Version};
use loggia::{Error, Result, Service};
use tokio::sync::watch;

use crate::account_upstream::AccountRelays;
use crate::listing;
use crate::relay::Relay;

/// One open upstream.
pub(crate) enum Upstream {
    /// A server in another process or on another machine.
    Client(Box<Relay>),
    /// A server at which several accounts are used.
    Accounts(Box<AccountRelays>),
    /// A server in this process.
    Service(InProcessServer),
}

/// A server in this process. After it is closed, its calls end with an error.
pub(crate) struct InProcessServer {
    service: Arc<dyn Service>,
    closed: watch::Sender<bool>,
}

impl InProcessServer {
    /// Creates an open server.
    pub(crate) fn new(service: Arc<dyn Service>) -> InProcessServer {
        InProcessServer { service, closed: watch::Sender::new(false) }
    }

    async fn call(&self, request: Request, exchange: Exchange) -> Result<Outcome> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            // A call that returns immediately is not interrupted by the end.
            biased;
            outcome = self.service.call(request, exchange) => Ok(outcome),
            _ = closed.wait_for(|closed| *closed) => Err(Error::Connection("the server was closed".to_owned())),
        }
    }
}

impl Deref for InProcessServer {
    type Target = Arc<dyn Service>;

    fn deref(&self) -> &Arc<dyn Service> {
        &self.service
    }
}

/// The description that an upstream reports about itself.
pub(crate) struct UpstreamDescription {
    pub(crate) version: Option<Version>,
    pub(crate) identity: Option<Implementation>,
    pub(crate) capabilities: ServerCapabilities,
    pub(crate) instructions: Option<String>,
}

/// A stream of changes of one upstream.
pub(crate) enum ChangeStream {
    Client(Subscription),
    Service(ChangeSubscription),
}

impl ChangeStream {
    /// Returns the next change; `None` if there will be none.
    pub(crate) async fn next(&mut self) -> Option<Change> {
        match self {
            ChangeStream::Client(subscription) => subscription.next().await,
            ChangeStream::Service(listening) => listening.next().await,
        }
    }
}

impl Upstream {
    /// Returns the connection to a server that is not in this process; that of the default account if it has several.
    fn relay(&self) -> Option<&Relay> {
        match self {
            Upstream::Client(relay) => Some(relay),
            Upstream::Accounts(relays) => Some(relays.default_relay()),
            Upstream::Service(_) => None,
        }
    }

    pub(crate) async fn about(&self) -> Result<UpstreamDescription> {
        Ok(match self {
            Upstream::Client(relay) => UpstreamDescription::from(&*relay.client().server().await?),
            Upstream::Accounts(relays) => {
                UpstreamDescription::from(&*relays.default_relay().client().server().await?)
            }
            Upstream::Service(service) => {
                let description = service.describe();
                UpstreamDescription {
                    version: None,
                    identity: Some(description.identity.clone()),
                    capabilities: description.capabilities.clone(),
                    instructions: description.instructions.clone(),
                }
            }
        })
    }

    /// Runs one request. Its names must be the upstream's own.
    pub(crate) async fn call(&self, request: Request, exchange: Exchange) -> Result<Outcome> {
        match self {
            Upstream::Client(relay) => relay.call(request, exchange).await,
            Upstream::Accounts(relays) => relays.call(request, exchange).await,
            Upstream::Service(service) => service.call(request, exchange).await,
        }
    }

    pub(crate) async fn tools(&self, most_pages: usize) -> Result<Listing<Tool>> {
        match self {
            Upstream::Client(relay) => relay.client().read_tool_list().await,
            Upstream::Accounts(relays) => relays.default_relay().client().read_tool_list().await,
            Upstream::Service(service) => {
                listing::all(&***service, Method::ListTools, listing::tools, most_pages).await
            }
        }
    }

    pub(crate) async fn prompts(&self, most_pages: usize) -> Result<Listing<Prompt>> {
        match self {
            Upstream::Client(relay) => relay.client().read_prompt_list().await,
            Upstream::Accounts(relays) => relays.default_relay().client().read_prompt_list().await,
            Upstream::Service(service) => {
                listing::all(&***service, Method::ListPrompts, listing::prompts, most_pages).await
            }
        }
    }

    pub(crate) async fn resources(&self, most_pages: usize) -> Result<Listing<Resource>> {
        match self {
            Upstream::Client(relay) => relay.client().read_resource_list().await,
            Upstream::Accounts(relays) => relays.default_relay().client().read_resource_list().await,
            Upstream::Service(service) => {
                listing::all(&***service, Method::ListResources, listing::resources, most_pages).await
            }
        }
    }

    pub(crate) async fn templates(&self, most_pages: usize) -> Result<Listing<ResourceTemplate>> {
        match self {
            Upstream::Client(relay) => relay.client().read_resource_template_list().await,
            Upstream::Accounts(relays) => relays.default_relay().client().read_resource_template_list().await,
            Upstream::Service(service) => {
                listing::all(&***service, Method::ListResourceTemplates, listing::templates, most_pages).await
            }
        }
    }

    /// Subscribes to changes, until the result is dropped.
    pub(crate) async fn watch(&self, filter: SubscriptionFilter) -> Result<ChangeStream> {
        match self {
            Upstream::Client(relay) => relay.client().listen(filter).await.map(ChangeStream::Client),
            Upstream::Accounts(relays) => {
                relays.default_relay().client().listen(filter).await.map(ChangeStream::Client)
            }
            Upstream::Service(service) => {
                service.listen(filter, None).await.map(ChangeStream::Service).map_err(Error::Rpc)
            }
        }
    }

    /// Checks that it still answers. Every answer counts, also an error.
    pub(crate) async fn probe(&self, limit: Duration) -> Result<()> {
        let Some(relay) = self.relay() else { return Ok(()) };
        match tokio::time::timeout(limit, relay.client().ping()).await {
            Ok(Ok(()) | Err(Error::Rpc(_) | Error::Protocol(_) | Error::TooLarge(_))) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::timeout(limit)),
        }
    }

    /// Waits until the connection has ended, and returns the reason.
    pub(crate) async fn closed(&self) -> String {
        match self {
            Upstream::Client(relay) => relay.client().closed().await,
            Upstream::Accounts(relays) => relays.default_relay().client().closed().await,
            Upstream::Service(_) => std::future::pending().await,
        }
    }

    /// Closes the connection. Its running requests fail.
    pub(crate) async fn close(&self) {
        match self {
            Upstream::Client(relay) => relay.close().await,
            Upstream::Accounts(relays) => relays.close().await,
            Upstream::Service(service) => drop(service.closed.send_replace(true)),
        }
    }
}

impl From<&ServerFacts> for UpstreamDescription {
    fn from(facts: &ServerFacts) -> UpstreamDescription {
        UpstreamDescription {
            version: Some(facts.version),
            identity: facts.identity.clone(),
            capabilities: facts.capabilities.clone(),
            instructions: facts.instructions.clone(),
        }
    }
}
