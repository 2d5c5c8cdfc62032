//! An OAuth 2.1 resource server as a `tower` layer around an HTTP endpoint of the SDK.
//!
//! The layer verifies the access token of each request, adds a [`Principal`](loggia::service::Principal) for handlers
//! (`cx.principal()`), checks the scopes that the operation needs, publishes the metadata that tells clients the
//! authorization servers (RFC 9728), and refuses requests with challenges that tell clients how to get access (RFC
//! 6750, RFC 9449).
//!
//! The token ends at this layer: no service behind it sees the token, so none can pass it on.
//!
//! ```no_run
//! # async fn run(service: std::sync::Arc<dyn loggia::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use loggia::limits::Limits;
//! use loggia::transport::http::http;
//! use loggia::transport::{Serve, Shutdown};
//! use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
//! use loggia_auth::jose::RemoteKeys;
//! use loggia_auth::resource::{ResourceServer, ScopePolicy, TrustedIssuer};
//!
//! let http_client = RestrictedHttpClient::new(FetchPolicy::default())?;
//! let keys = RemoteKeys::new("https://id.example.com/jwks".parse()?, http_client);
//! let resource = ResourceServer::new("https://mcp.example.com/mcp".parse()?)?
//!     .issuer(TrustedIssuer::signing("https://id.example.com", Arc::new(keys)))
//!     .scopes(ScopePolicy::new().always("mcp").tool("delete_*", "mcp:write"));
//! http("0.0.0.0:8080").layer(resource.layer()).serve(service, Limits::default(), Shutdown::new()).await?;
//! # Ok(())
//! # }
//! ```

mod api_key_grant;
mod challenge;
mod completion;
mod dpop;
mod introspection;
mod issuer;
mod layer;
mod metadata;
mod operation;
mod resource_server;
mod scopes;
mod target;
mod token;
mod uri_rules;

pub use dpop::{DpopPolicy, DpopProof, NonceKey, PROOF_ALGORITHMS, ProofError, ProofVerifier};
pub use introspection::IntrospectionEndpoint;
pub use issuer::{RevocationCheck, TOKEN_ALGORITHMS, TrustedIssuer};
pub use layer::{ProtectedService, ResourceServerLayer};
pub use resource_server::{ResourceServer, ResourceUriError};
pub use scopes::ScopePolicy;
// The name in the module of API keys.
pub(crate) use token::VerifiedToken as Grant;
pub use token::{TokenError, VerifiedToken};
