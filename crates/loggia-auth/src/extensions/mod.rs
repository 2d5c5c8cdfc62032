//! Grant types other than the authorization code: client credentials, enterprise-managed authorization (ID-JAG) and
//! workload identity federation.
//!
//! They are for programs without a user at a browser. Invariant: each grant sends its request directly to the token
//! endpoint, and its client belongs to the issuer of this endpoint.

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
