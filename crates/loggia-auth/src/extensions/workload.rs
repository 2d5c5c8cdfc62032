//! Workload identity federation: the platform that runs a program says who it is, and the authorization
//! server takes its word for it (the JWT bearer grant of RFC 7523).

use std::fmt;
use std::sync::Arc;

use super::{Asking, AssertionSource, JWT_BEARER, Prepared};
use crate::client::AuthError;
use crate::registration::RegisteredClient;

/// A program that its platform vouches for.
#[derive(Clone)]
pub struct Workload {
    /// The client that the authorization server knows it as.
    pub client: RegisteredClient,
    /// What the platform says, such as an [`AssertionFile`](super::AssertionFile).
    pub assertion: Arc<dyn AssertionSource>,
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workload").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Workload {
    pub(crate) async fn prepare(&self, asking: &Asking<'_>) -> Result<Prepared, AuthError> {
        let server = &asking.discovered.server;
        Ok(Prepared {
            client: self.client.known_to(server),
            grant_type: JWT_BEARER,
            assertion: Some(self.assertion.assertion(&server.issuer).await?),
            scope: asking.scopes.to_string(),
        })
    }
}
