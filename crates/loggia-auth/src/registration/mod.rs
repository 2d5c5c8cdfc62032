//! Client registration: finds the client of this program for an authorization server, in the order of the
//! specification: a preregistered client, a Client ID Metadata Document, dynamic registration (RFC 7591).
//!
//! Authorization servers accept clients in different ways, and the sign-in needs one of them.
//!
//! Invariant: the credentials of a client are sent only to the issuer that it is registered with.

mod authentication;
mod dynamic;
mod identity;
mod preregistered;
mod registered_client;
mod registrar;

pub use authentication::{AuthMethod, ClientAuth, ClientRecord, KnownClient};
pub use identity::{ApplicationType, ClientIdentity};
pub use registered_client::RegisteredClient;
pub(crate) use registrar::Registrar;
