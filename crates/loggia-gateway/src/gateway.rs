//! A configured gateway: starts the hub and its surroundings, and serves it over HTTP or on standard streams.
//! Invariant: the access rule is decided for the address that is really used, before anything starts.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use loggia::client::ChildGuard;
use loggia::model::Implementation;
use loggia::transport::http::{Http, http};
use loggia::transport::stdio::stdio;
use loggia::transport::{Serve, Shutdown};
use loggia_auth::resource::ResourceServerLayer;
use loggia_connect::config_file::Listen;
use loggia_console::console_router;
use loggia_hub::{Hub, HubMemory};
use tokio::net::TcpListener;
use tower_layer::{Identity, Stack};

use crate::access::{GatewayAccess, ListenAddress};
use crate::administration::GatewayAdministration;
use crate::auth_stack::AuthStack;
use crate::config::GatewayConfig;
use crate::config_sources::ConfigSources;
use crate::connection::ConnectorContext;
use crate::connector_factory::ConnectorFactory;
use crate::error::{GatewayError, Result};
use crate::http::{GatewayLayer, SignInParts};
use crate::hub_limits::hub_limits;
use crate::options::GatewayOptions;
use crate::reload::ConfigReloader;
use crate::server::{BackgroundTask, GatewayServer};
use crate::service::GatewayService;
use crate::status::{StatusReporter, StatusSocket};
use crate::vault;

/// The address on which a gateway listens by default.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:4000";

/// A gateway that is configured but not started.
pub struct Gateway {
    config: GatewayConfig,
    /// Taken by the task that watches them.
    sources: Option<ConfigSources>,
    options: GatewayOptions,
}

/// The place where a gateway listens: an address, also as text (`HOST:PORT`, `:PORT` or `PORT`; port 0 means any free
/// port), or a listener.
pub struct ListenOn(Result<ListenPlace>);

enum ListenPlace {
    Address(Listen),
    Listener(TcpListener),
}

/// A started hub with its surroundings.
struct StartedHub {
    hub: Arc<Hub>,
    /// The HTTP endpoint with the gateway's layer.
    http: Http<Stack<Identity, GatewayLayer>>,
    shutdown: Shutdown,
    /// The URL; `None` if only the embedding program knows it.
    url: Option<String>,
    /// The URL of the console, if it is served.
    console_url: Option<String>,
    tasks: Vec<BackgroundTask>,
}

impl Gateway {
    pub(crate) fn new(config: GatewayConfig, sources: ConfigSources, options: GatewayOptions) -> Gateway {
        Gateway { config, sources: Some(sources), options }
    }

    /// Returns the address of the configuration; without one, port 4000 of this machine.
    pub fn listen(&self) -> Listen {
        let default = || DEFAULT_LISTEN.parse().expect("it is an address");
        self.config.server.listen.clone().unwrap_or_else(default)
    }

    /// Listens, starts the connectors and serves them over HTTP. Returns when clients can connect. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if the address, the authorization or a connector cannot be used. Nothing is left running then.
    pub async fn serve(mut self, on: impl Into<ListenOn>) -> Result<GatewayServer> {
        let place = on.into().0?;
        let access = self.decide(Some(&place.address()?))?;
        // The address comes first: a gateway that cannot listen must not start anything.
        let listener = place.bind().await?;
        let address = listener.local_addr().map_err(loggia::Error::from)?;
        let StartedHub { hub, http, shutdown, url, console_url, tasks } =
            self.start(&access, Some(address)).await?;
        let http = http.listener(listener.into_std().map_err(loggia::Error::from)?);
        let url = url.unwrap_or_default();
        let status = self.report(|file| StatusReporter::http(hub.clone(), url.clone(), address, file));
        let serving = http.serve(hub.clone(), self.config.server.limits.clone(), shutdown.clone());
        let server =
            GatewayServer::start(hub, shutdown, serving).at(address, url, access).with_console(console_url);
        Ok(server.keeping(status, tasks))
    }

    /// Starts the connectors and serves them on standard input and output, which then belong to the protocol. It ends
    /// on the signals that end a process, like [`stdio`]. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if a connector cannot be used.
    pub async fn serve_stdio(mut self) -> Result<GatewayServer> {
        let limits = self.config.server.limits.clone();
        // There is one connection: what it runs at once is all that runs.
        let factory = ConnectorFactory::new(self.context(), None);
        let (hub, factory) = self.start_hub(factory, limits.requests.min(limits.requests_per_connection))?;
        let tasks = Vec::from_iter(self.watch(&hub, factory, None));
        let status = self.report(|file| StatusReporter::stdio(hub.clone(), file));
        let shutdown = Shutdown::new();
        let serving = stdio().serve(hub.clone(), limits, shutdown.clone());
        Ok(GatewayServer::start(hub, shutdown, serving).keeping(status, tasks))
    }

    /// Starts the connectors and returns a service with all paths of the gateway, for a program with its own HTTP
    /// server. Mount it at the root of its host, because its paths begin with `/`. Needs a tokio runtime.
    ///
    /// Requests may come from any listener of the program. So authorization is on unless the program or the
    /// configuration turns it off, or the public URL is one of this machine. Without a public URL or allowed hosts,
    /// the service accepts only loopback names.
    ///
    /// # Errors
    ///
    /// [`GatewayError::NoPublicUrl`] if authorization is on and the public URL is not known; and the errors of
    /// [`Gateway::serve`].
    pub async fn into_service(mut self) -> Result<GatewayService> {
        let access = self.decide(None)?;
        let StartedHub { hub, http, shutdown, url, tasks, .. } = self.start(&access, None).await?;
        let service = http.into_service(hub.clone(), self.config.server.limits.clone(), shutdown);
        Ok(GatewayService::new(service, hub, url, tasks))
    }

    fn decide(&self, address: Option<&ListenAddress>) -> Result<GatewayAccess> {
        let GatewayOptions { authorization, public_url, .. } = &self.options;
        GatewayAccess::decide(*authorization, public_url.as_ref(), &self.config.server, address)
    }

    /// Starts the hub and prepares HTTP. Authorization comes first: if it cannot be used, nothing is started.
    async fn start(&mut self, access: &GatewayAccess, address: Option<SocketAddr>) -> Result<StartedHub> {
        let server = self.config.server.clone();
        let base = access.base(address);
        let url = base.as_ref().map(|base| format!("{base}{}", server.path));
        let auth = match (access.is_protected(), &base, &url) {
            (true, Some(base), Some(url)) => Some(self.open_auth(base, url).await?),
            (true, ..) => return Err(GatewayError::NoPublicUrl(None)),
            (false, ..) => None,
        };
        let users = auth.as_ref().map(|auth| auth.accounts.clone());
        let factory = ConnectorFactory::new(self.context(), users);
        let (hub, factory) = self.start_hub(factory, server.limits.requests)?;
        let resource = auth.as_ref().map(|auth| auth.resource.clone());
        let mut tasks = Vec::from_iter(self.watch(&hub, factory.clone(), resource));
        let shutdown = Shutdown::new();
        let mut http = self.http(access, address);
        let mut sign_in = None;
        if let Some(AuthStack { resource, server, vault, sessions, .. }) = auth {
            http = http.with_peer_addr(true).session_key(sessions);
            tasks.push(BackgroundTask::spawn(vault::purge_expired(vault)));
            sign_in = Some(SignInParts { resource, server, factory });
        }
        let path = server.path.clone();
        let is_open = sign_in.is_none() && access.is_local();
        let console = (self.options.serves_console && is_open).then(|| {
            let config = self.config.file.clone();
            let context = self.options.context.clone();
            Arc::new(GatewayAdministration::new(hub.clone(), shutdown.clone(), context, url.clone(), config))
        });
        let console_url = console.as_ref().and(base.as_ref()).map(|base| format!("{base}/"));
        let console = console.map(|admin| console_router(admin, self.options.allowed_hosts.clone()));
        let layer = GatewayLayer { hub: hub.clone(), shutdown: shutdown.clone(), path, sign_in, console };
        Ok(StartedHub { hub, http: http.layer(layer), shutdown, url, console_url, tasks })
    }

    /// Returns the context in which connections open, with the settings of the configuration.
    fn context(&self) -> ConnectorContext {
        self.options.context.clone().sandbox_mode(self.config.server.sandbox)
    }

    async fn open_auth(&self, base: &str, url: &str) -> Result<AuthStack> {
        AuthStack::open(base, url, &self.config, &self.options).await
    }

    /// Applies changes of the configuration's sources.
    fn watch(
        &mut self,
        hub: &Arc<Hub>,
        factory: Arc<ConnectorFactory>,
        resource: Option<ResourceServerLayer>,
    ) -> Option<BackgroundTask> {
        let sources = self.sources.take()?;
        let (config, observer) = (self.config.clone(), self.options.observer.clone());
        let reloader = ConfigReloader::new(hub.clone(), factory, resource, config, observer);
        Some(BackgroundTask::spawn(reloader.run(sources)))
    }

    /// Starts the hub, in which at most `requests` run at once.
    fn start_hub(
        &self,
        factory: ConnectorFactory,
        requests: usize,
    ) -> Result<(Arc<Hub>, Arc<ConnectorFactory>)> {
        if self.options.context.guards_children() {
            end_leftovers();
        }
        let identity = Implementation::new("loggia", env!("CARGO_PKG_VERSION")).title("Loggia");
        let (connectors, accounts) = factory.prepare(&self.config);
        let limits = hub_limits(&self.config.server, requests);
        let lists = |file: &Path| self.options.state.as_ref()?.lists(file);
        let memory = self.config.file().and_then(lists).map_or_else(HubMemory::none, HubMemory::at);
        let hub = Hub::start_with_memory(identity, connectors, limits, memory);
        let hub = hub.map_err(GatewayError::configuration)?;
        factory.commit(accounts);
        Ok((hub, Arc::new(factory)))
    }

    /// Returns the endpoint of the configuration, without layers.
    fn http(&self, access: &GatewayAccess, address: Option<SocketAddr>) -> Http {
        let (server, options) = (&self.config.server, &self.options);
        let nested = if access.is_local() { "127.0.0.1:0" } else { "0.0.0.0:0" };
        let address = address.map_or_else(|| nested.to_owned(), |address| address.to_string());
        let hosts_are_named = !server.allowed_hosts.is_empty() || !options.allowed_hosts.is_empty();
        http(address)
            .path(server.path.clone())
            .allowed_hosts(server.allowed_hosts.iter().chain(&options.allowed_hosts))
            .allowed_hosts(access.host(hosts_are_named))
            .allowed_origins(server.allowed_origins.iter().chain(&options.allowed_origins))
            .allowed_origins(access.origin())
    }

    /// Opens the socket of the status, if the program has a folder for it.
    fn report(
        &self,
        reporter: impl FnOnce(Option<std::path::PathBuf>) -> StatusReporter,
    ) -> Option<StatusSocket> {
        reporter(self.config.file.clone()).listen(self.options.state.as_ref()?)
    }
}

/// Ends the child processes of gateways that were killed together with the guards of their children.
fn end_leftovers() {
    let ended = ChildGuard::end_leftovers();
    if !ended.is_empty() {
        tracing::warn!(processes = ?ended, "ended server processes of a gateway that was killed");
    }
}

impl ListenPlace {
    fn address(&self) -> Result<ListenAddress> {
        Ok(match self {
            ListenPlace::Address(listen) => {
                ListenAddress { text: listen.to_string(), is_local: listen.is_local() }
            }
            ListenPlace::Listener(listener) => {
                let address = listener.local_addr().map_err(loggia::Error::from)?;
                ListenAddress { text: address.to_string(), is_local: address.ip().is_loopback() }
            }
        })
    }

    async fn bind(self) -> Result<TcpListener> {
        match self {
            ListenPlace::Listener(listener) => Ok(listener),
            ListenPlace::Address(listen) => TcpListener::bind((listen.host.as_str(), listen.port))
                .await
                .map_err(|source| GatewayError::bind(listen, source)),
        }
    }
}

impl From<&str> for ListenOn {
    fn from(text: &str) -> ListenOn {
        let listen = text.parse().map_err(|why| GatewayError::Configuration(format!("{text}: {why}")));
        ListenOn(listen.map(ListenPlace::Address))
    }
}

impl From<Listen> for ListenOn {
    fn from(listen: Listen) -> ListenOn {
        ListenOn(Ok(ListenPlace::Address(listen)))
    }
}

impl From<SocketAddr> for ListenOn {
    fn from(address: SocketAddr) -> ListenOn {
        Listen { host: address.ip().to_string(), port: address.port() }.into()
    }
}

impl From<TcpListener> for ListenOn {
    fn from(listener: TcpListener) -> ListenOn {
        ListenOn(Ok(ListenPlace::Listener(listener)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_reach_it_only_by_an_address_that_says_so() {
        for (address, is_local) in [
            (DEFAULT_LISTEN, true),
            (":4000", true),
            ("4000", true),
            ("localhost:4000", true),
            ("[::1]:4000", true),
            ("0.0.0.0:4000", false),
            ("[::]:4000", false),
            ("192.168.1.2:4000", false),
            ("box.lan:4000", false),
        ] {
            let listen: Listen = address.parse().expect("an address");
            assert_eq!(listen.is_local(), is_local, "{address}");
        }
    }
}
