//! The options of a program that runs a gateway, in addition to the configuration. The default of each is safe if
//! other machines can connect. Invariant: an option of the program overrides the configuration.

use std::sync::Arc;

use loggia_auth::restricted_http::IpNetwork;
use loggia_connect::config_file::PublicUrl;

use crate::added::ConnectorDatabase;
use crate::config::GatewayConfig;
use crate::config_sources::ConfigSources;
use crate::connection::ConnectorContext;
use crate::error::Result;
use crate::gateway::Gateway;
use crate::observer::GatewayObserver;
use crate::options::GatewayOptions;
use crate::state::StateFolder;
use crate::vault::VaultLocation;

/// A builder of [`Gateway`].
pub struct GatewayBuilder {
    config: GatewayConfig,
    options: GatewayOptions,
}

impl Gateway {
    /// Creates the builder of a gateway.
    pub fn builder(config: GatewayConfig) -> GatewayBuilder {
        GatewayBuilder { config, options: GatewayOptions::new() }
    }
}

impl GatewayBuilder {
    /// Sets the context in which connections are opened: credentials, and a guard for child processes. Default: the
    /// credentials of the user who runs the program, and no guard.
    pub fn connector_context(mut self, context: ConnectorContext) -> GatewayBuilder {
        self.options.context = context;
        self
    }

    /// Sets the vault for sign-ins, API keys and credentials of users. Default: a file beside the credentials. The
    /// environment is read only with [`VaultLocation::Environment`].
    pub fn vault(mut self, location: VaultLocation) -> GatewayBuilder {
        self.options.vault = location;
        self
    }

    /// Sets the folder for remembered lists, and for the status that `loggia status` reads. Default: neither.
    pub fn state(mut self, folder: StateFolder) -> GatewayBuilder {
        self.options.state = Some(folder);
        self
    }

    /// Sets the observer.
    pub fn observer(mut self, observer: impl GatewayObserver) -> GatewayBuilder {
        self.options.observer = Arc::new(observer);
        self
    }

    /// Turns authorization on or off, and overrides the configuration. Default: the value in `[server.auth]`; without
    /// it, on if other machines can reach the gateway.
    pub fn authorization(mut self, on: bool) -> GatewayBuilder {
        self.options.authorization = Some(on);
        self
    }

    /// Sets the URL by which clients reach the gateway, without a path. Default: `server.public_url`, and without it
    /// the address of the listener.
    pub fn public_url(mut self, url: PublicUrl) -> GatewayBuilder {
        self.options.public_url = Some(url);
        self
    }

    /// Also accepts requests to these hosts, as `host` or `host:port`.
    pub fn allowed_hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> GatewayBuilder {
        self.options.allowed_hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Also accepts web pages of these origins.
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> GatewayBuilder {
        self.options.allowed_origins.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Trusts `X-Forwarded-For` of proxies in these networks, so that each client behind them has a rate limit of its
    /// own.
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = IpNetwork>) -> GatewayBuilder {
        self.options.trusted_proxies.extend(networks);
        self
    }

    /// Watches the configuration file and the manifest files of connectors, and applies their changes while the gateway runs,
    /// or does not. Default: it does; the configuration only if it was read from a file ([`GatewayConfig::read`]). Changes of `[server]` take effect at the next start.
    pub fn watch_config(mut self, watches: bool) -> GatewayBuilder {
        self.options.watches_config = watches;
        self
    }

    /// Serves the connectors that were added with `loggia add` too, and applies changes to them while the gateway runs.
    /// Without a configuration file they take the place of the folder, if there are any. Default: only the configuration.
    pub fn serve_added(mut self, serves: bool) -> GatewayBuilder {
        self.options.serves_added = serves;
        self
    }

    /// Serves the console at `/` and the admin API under `/api/v1`, or does not. They are served only where callers need not
    /// sign in and only this machine can reach the gateway. Default: not.
    pub fn console(mut self, serves: bool) -> GatewayBuilder {
        self.options.serves_console = serves;
        self
    }

    /// Checks the configuration. Nothing is started, and nothing is listened on.
    ///
    /// # Errors
    ///
    /// [`GatewayError`](crate::GatewayError) if the configuration has no connector, or its folder does not exist.
    pub async fn build(self) -> Result<Gateway> {
        let GatewayBuilder { config, options } = self;
        let credentials = options.context.credentials();
        let mut sources = ConfigSources::new(config, credentials.clone(), options.watches_config);
        let mut is_shared = false;
        if options.serves_added {
            let database = ConnectorDatabase::of(&options.vault, credentials, sources.base().file())?;
            is_shared = database.is_shared();
            sources = sources.with_added(database).await?.with_accounts().await?;
        }
        let config = sources.config(credentials.redactor())?;
        config.check()?;
        sources.watch_manifests(&config);
        let missing = if is_shared { config.without_account(credentials).await? } else { Vec::new() };
        if !missing.is_empty() {
            tracing::warn!(
                connectors = missing.join(", "),
                "added connectors are in a shared database, and their credentials are on the machine where they were added; \
                 `loggia accounts add CONNECTOR` saves one on this machine too"
            );
        }
        Ok(Gateway::new(config, sources, options))
    }
}
