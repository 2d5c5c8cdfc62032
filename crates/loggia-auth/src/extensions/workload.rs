//! Workload identity federation: the JWT bearer grant (RFC 7523) with an assertion of the platform that runs a program.
//!
//! Such a program needs no secret of its own. Invariant: the assertion is fetched for each request.

use std::fmt;
use std::sync::Arc;

use super::assertion::AssertionSource;
use super::grant_request::{GrantContext, GrantRequest, JWT_BEARER};
use crate::error::AuthError;
use crate::registration::RegisteredClient;

/// The grant for a program for which its platform issues assertions.
#[derive(Clone)]
pub struct WorkloadGrant {
    /// The client of the authorization server.
    pub client: RegisteredClient,
    /// The assertions of the platform, such as an [`AssertionFile`](super::AssertionFile).
    pub assertion: Arc<dyn AssertionSource>,
}

impl fmt::Debug for WorkloadGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workload").field("client", &self.client).finish_non_exhaustive()
    }
}

impl WorkloadGrant {
    pub(crate) async fn prepare(&self, context: &GrantContext<'_>) -> Result<GrantRequest, AuthError> {
        let server = &context.discovered.server;
        Ok(GrantRequest {
            client: self.client.to_client_of(server),
            grant_type: JWT_BEARER,
            assertion: Some(self.assertion.assertion(&server.issuer).await?),
            scope: context.scopes.to_string(),
        })
    }
}
