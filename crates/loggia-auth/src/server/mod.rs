//! An OAuth authorization server that runs inside the program it protects, so that any MCP client can sign in without
//! another product.
//!
//! It supports the authorization code grant with PKCE, refresh tokens with rotation, DPoP, and assertions of identity
//! providers. Clients are entered by an administrator, described by a document at their identifier, or registered.
//! Users sign in by a link that works once, or at their identity provider, and are asked before an unknown client
//! gets a token.
//!
//! [`AuthorizationServer::layer`] answers the requests to the server's own paths and passes all others on.
//!
//! The code consists of parts that own their fields. The router passes each request to an endpoint: token,
//! revocation, registration, authorization, or sign-in. Endpoints share the stores of clients, codes, refresh tokens,
//! sessions and consents. `composition` creates all of them.
//!
//! ```no_run
//! # async fn run(service: std::sync::Arc<dyn loggia::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use loggia::limits::Limits;
//! use loggia::transport::http::http;
//! use loggia::transport::{Serve, Shutdown};
//! use loggia_auth::store::MemoryStore;
//! use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
//! use loggia_auth::resource::{ResourceServer, ScopePolicy};
//! use loggia_auth::server::{AuthorizationServer, SignInMethod};
//!
//! let http_client = RestrictedHttpClient::new(FetchPolicy::default())?;
//! let link = SignInMethod::Link { subject: "me".into(), show: Arc::new(|link| println!("Sign in at {}", link.url())) };
//! let server = AuthorizationServer::builder("http://127.0.0.1:8080", Arc::new(MemoryStore::new()), http_client)
//!     .resource("http://127.0.0.1:8080/mcp", ["mcp"])
//!     .sign_in(link)
//!     .build()?;
//! let resource = ResourceServer::new("http://127.0.0.1:8080/mcp".parse()?)?
//!     .issuer(server.issuer())
//!     .scopes(ScopePolicy::new().always("mcp"));
//! // The layer added last sees a request first.
//! let http = http("127.0.0.1:8080").layer(resource.layer()).layer(server.layer());
//! http.serve(service, Limits::default(), Shutdown::new()).await?;
//! # Ok(())
//! # }
//! ```

mod access_tokens;
mod assertions;
mod authorization_endpoint;
mod authorization_requests;
mod authorization_server;
mod builder;
mod client_authentication;
mod client_metadata;
mod client_registry;
mod clients;
mod codes;
mod composition;
mod consents;
mod http;
mod metadata;
mod page_access;
mod pages;
mod pending;
mod pending_authorizations;
mod rate;
mod records;
mod redirect_uri;
mod refresh_tokens;
mod registration_endpoint;
mod resources;
mod return_pages;
mod revocation_endpoint;
mod revoked;
mod router;
mod session_admin;
mod sessions;
mod sign_in;
mod signing_keys;
#[cfg(test)]
mod testing;
mod token_endpoint;
mod urls;

pub use authorization_server::{AuthorizationServer, AuthorizationServerLayer, AuthorizationServerService};
pub use builder::AuthorizationServerBuilder;
pub use clients::OAuthClient;
pub use page_access::{FormFields, SignedInUser};
pub use pages::{error_page, escape, page, problem};
pub use rate::RateLimit;
pub use session_admin::SessionAdmin;
pub use sign_in::{AdmitFn, OpenIdProvider, ShowLinkFn, SignInLink, SignInMethod};
