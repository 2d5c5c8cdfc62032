//! The reports of a gateway to the program that runs it. The gateway prints nothing: the program decides what to
//! print or show. The state of connectors is in the hub ([`GatewayServer::hub`]).
//!
//! [`GatewayServer::hub`]: crate::GatewayServer::hub

use loggia_auth::server::SignInLink;

use crate::config_change::{ConfigChange, ConfigSource};
use crate::error::GatewayError;

/// The receiver of what a gateway reports. Each method does nothing unless it is implemented.
pub trait GatewayObserver: Send + Sync + 'static {
    /// Receives a link with which the user of this machine signs in, once. It must be shown only to this user.
    fn sign_in_link(&self, link: &SignInLink) {
        let _ = link;
    }

    /// Receives the effect of a changed configuration.
    fn config_changed(&self, change: &ConfigChange) {
        let _ = change;
    }

    /// Receives the reason that a changed configuration is refused. The gateway goes on with the configuration of
    /// before.
    fn config_refused(&self, source: &ConfigSource, error: &GatewayError) {
        let _ = (source, error);
    }
}

/// An observer that ignores everything.
pub(crate) struct SilentObserver;

impl GatewayObserver for SilentObserver {}
