//! Changes of the configuration while the gateway runs. Its sources are watched; when one changes, the connectors that
//! differ are added, changed or removed, and calls on the others go on.
//!
//! Invariant: a change applies as a whole or not at all. A file that cannot be read, or is wrong, changes nothing.

use std::sync::Arc;

use loggia_auth::resource::ResourceServerLayer;
use loggia_connect::config_file::ServerSection;
use loggia_hub::Hub;

use crate::auth_stack::scope_policy;
use crate::config::GatewayConfig;
use crate::config_change::{ConfigChange, ConfigSource};
use crate::config_sources::ConfigSources;
use crate::connector_factory::ConnectorFactory;
use crate::error::{GatewayError, Result};
use crate::observer::GatewayObserver;

/// Applies changes of the configuration to a running hub.
pub(crate) struct ConfigReloader {
    hub: Arc<Hub>,
    factory: Arc<ConnectorFactory>,
    /// The layer with the scopes of resources, whose spellings depend on the connectors.
    resource: Option<ResourceServerLayer>,
    /// The configuration that is served.
    config: GatewayConfig,
    /// `[server]` as the gateway was started with it.
    server: ServerSection,
    observer: Arc<dyn GatewayObserver>,
}

impl ConfigReloader {
    pub(crate) fn new(
        hub: Arc<Hub>,
        factory: Arc<ConnectorFactory>,
        resource: Option<ResourceServerLayer>,
        config: GatewayConfig,
        observer: Arc<dyn GatewayObserver>,
    ) -> ConfigReloader {
        let server = config.server.clone();
        ConfigReloader { hub, factory, resource, config, server, observer }
    }

    /// Waits for changes of `sources`, and applies each, until the future is dropped.
    pub(crate) async fn run(mut self, mut sources: ConfigSources) {
        let redactor = self.factory.context().credentials().redactor().clone();
        loop {
            let (source, next) = sources.changed(&redactor).await;
            match next.and_then(|next| self.apply(next, &source)) {
                Ok(change) => {
                    tracing::info!(%change, "the configuration was read again");
                    self.observer.config_changed(&change);
                }
                Err(error) => {
                    tracing::warn!(%error, "the changed configuration is refused; nothing has changed");
                    self.observer.config_refused(&source, &error);
                }
            }
        }
    }

    fn apply(&mut self, next: GatewayConfig, source: &ConfigSource) -> Result<ConfigChange> {
        next.check()?;
        // Until the hub has changed, rules hold for the spellings of the old and of the new connectors.
        self.set_scopes(&[&self.config, &next]);
        let (connectors, accounts) = self.factory.prepare(&next);
        let applied = self.hub.apply(connectors).map_err(GatewayError::configuration);
        if applied.is_ok() {
            self.factory.commit(accounts);
            self.config = next;
        }
        self.set_scopes(&[&self.config]);
        let needs_restart = self.config.server != self.server;
        Ok(ConfigChange { source: source.clone(), connectors: applied?, needs_restart })
    }

    /// Sets the rules of `[server.auth.scopes]`, as the gateway was started with them, for the connectors of `configs`.
    fn set_scopes(&self, configs: &[&GatewayConfig]) {
        if let Some(resource) = &self.resource {
            let scopes = self.server.auth.clone().unwrap_or_default().scopes;
            resource.replace_scopes(scope_policy(&scopes, configs));
        }
    }
}
