//! Grant types beside the authorization code: client credentials, enterprise-managed authorization (ID-JAG) and workload
//! identity federation.
//!
//! Programs that run without a user at a browser get tokens by them. Invariant: each sends its request to the token
//! endpoint directly, and its client belongs to the issuer of that endpoint.

mod assertion;
mod client_credentials;
mod enterprise;
mod grant_request;
mod grant_type;
mod single_sign_on;
mod workload;

pub use assertion::{AssertionFile, AssertionSource, FixedAssertion};
pub use client_credentials::ClientCredentialsGrant;
pub use enterprise::{EnterpriseGrant, IdentityProvider, SubjectTokenType};
pub(crate) use grant_request::GrantContext;
pub use grant_type::GrantType;
pub use single_sign_on::SingleSignOn;
pub use workload::WorkloadGrant;
