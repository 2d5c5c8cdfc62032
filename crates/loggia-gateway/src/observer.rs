//! The report of a gateway to the program that runs it. The gateway prints nothing; a command line prints, and an embedding
//! program shows what it wants. The state of connectors is read from the hub ([`GatewayServer::hub`]).
//!
//! [`GatewayServer::hub`]: crate::GatewayServer::hub

use loggia_auth::server::SignInLink;

/// The receiver of what a gateway reports. Each method does nothing unless it is implemented.
pub trait GatewayObserver: Send + Sync + 'static {
    /// Receives a link by which the user of this machine signs in, once. Only that user may see it.
    fn sign_in_link(&self, link: &SignInLink) {
        let _ = link;
    }
}

/// An observer that ignores everything.
pub(crate) struct SilentObserver;

impl GatewayObserver for SilentObserver {}
