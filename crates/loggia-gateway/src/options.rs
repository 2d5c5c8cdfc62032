//! The options of a program that runs a gateway, with their defaults.
//!
//! The builder sets them; the gateway and its authorization read them. Invariant: each default is safe if other
//! machines can connect.

use std::sync::Arc;

use loggia_auth::restricted_http::IpNetwork;
use loggia_connect::config_file::PublicUrl;
use loggia_connect::redact::Redactor;

use crate::connection::ConnectorContext;
use crate::credentials::Credentials;
use crate::observer::{GatewayObserver, SilentObserver};
use crate::state::StateFolder;
use crate::vault::VaultLocation;

/// The options of a program.
pub(crate) struct GatewayOptions {
    pub(crate) context: ConnectorContext,
    pub(crate) vault: VaultLocation,
    pub(crate) state: Option<StateFolder>,
    pub(crate) observer: Arc<dyn GatewayObserver>,
    pub(crate) authorization: Option<bool>,
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) trusted_proxies: Vec<IpNetwork>,
    pub(crate) watches_config: bool,
    pub(crate) serves_added: bool,
    pub(crate) serves_console: bool,
}

impl GatewayOptions {
    /// Returns the defaults: the credentials of the user who runs the program, and a vault beside them.
    pub(crate) fn new() -> GatewayOptions {
        GatewayOptions {
            context: ConnectorContext::new(Credentials::new(None, Vec::new(), Redactor::default())),
            vault: VaultLocation::File,
            state: None,
            observer: Arc::new(SilentObserver),
            authorization: None,
            public_url: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            watches_config: true,
            serves_added: false,
            serves_console: false,
        }
    }
}
