//! The choices of a program that runs a gateway, beside the configuration. Each has a default that is safe where other
//! machines can connect. Invariant: a choice of the program counts more than the configuration.

use std::sync::Arc;

use loggia_auth::restricted_http::IpNetwork;
use loggia_connect::config_file::PublicUrl;

use crate::config::GatewayConfig;
use crate::connector::ConnectorContext;
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
    /// Begins to build a gateway.
    pub fn builder(config: GatewayConfig) -> GatewayBuilder {
        GatewayBuilder { config, options: GatewayOptions::new() }
    }
}

impl GatewayBuilder {
    /// Opens connections with these credentials, and child processes under the guard of this context. Default: the
    /// credentials of the user who runs the program, and no guard.
    pub fn connector_context(mut self, context: ConnectorContext) -> GatewayBuilder {
        self.options.context = context;
        self
    }

    /// Keeps sign-ins, API keys and credentials of users in this vault. Default: a file beside the credentials. The
    /// environment is not read unless [`VaultLocation::Environment`] says so.
    pub fn vault(mut self, location: VaultLocation) -> GatewayBuilder {
        self.options.vault = location;
        self
    }

    /// Remembers lists in this folder, and reports the status there, for `loggia status`. Default: neither.
    pub fn state(mut self, folder: StateFolder) -> GatewayBuilder {
        self.options.state = Some(folder);
        self
    }

    /// Reports to this observer.
    pub fn observer(mut self, observer: impl GatewayObserver) -> GatewayBuilder {
        self.options.observer = Arc::new(observer);
        self
    }

    /// Turns authorization on or off, whatever the configuration says. Default: as `[server.auth]` says, and without it on
    /// where other machines can reach the gateway.
    pub fn authorization(mut self, on: bool) -> GatewayBuilder {
        self.options.authorization = Some(on);
        self
    }

    /// Sets the URL by which clients reach the gateway, without a path. Default: `server.public_url`, and without it the
    /// address that is listened on.
    pub fn public_url(mut self, url: PublicUrl) -> GatewayBuilder {
        self.options.public_url = Some(url);
        self
    }

    /// Also answers requests to these hosts, as `host` or `host:port`.
    pub fn allowed_hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> GatewayBuilder {
        self.options.allowed_hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Also answers web pages of these origins.
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = impl Into<String>>) -> GatewayBuilder {
        self.options.allowed_origins.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Trusts `X-Forwarded-For` of proxies in these networks, so that each client behind them has a rate limit of its own.
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = IpNetwork>) -> GatewayBuilder {
        self.options.trusted_proxies.extend(networks);
        self
    }

    /// Watches the configuration file and applies its changes while the gateway runs, or does not. Default: it does, if the
    /// configuration was read from a file ([`GatewayConfig::read`]). Changes of `[server]` take effect at the next start.
    pub fn watch_config(mut self, watches: bool) -> GatewayBuilder {
        self.options.watches_config = watches;
        self
    }

    /// Checks the configuration. Nothing is started, and nothing is listened on.
    ///
    /// # Errors
    ///
    /// [`GatewayError`](crate::GatewayError) where the configuration has no connector, or its folder does not exist.
    pub async fn build(self) -> Result<Gateway> {
        self.config.check()?;
        Ok(Gateway::new(self.config, self.options))
    }
}
