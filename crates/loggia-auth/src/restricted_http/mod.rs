//! The HTTP client for URLs that another party chose.
//!
//! A server names its authorization server, which names its endpoints; a client names the document that describes it.
//! Each of these URLs could point into the private network of this machine (server-side request forgery), so all of
//! them are fetched with this client. Invariant: it sends requests only with `https` and only to public addresses,
//! which it checks after resolving the name and again after each redirect, and it bounds size, time and redirects.

mod address;
mod client;
mod connector;
mod error;
mod policy;
mod redirect;
mod request;
mod resolver;

pub use address::{IpNetwork, ParseIpNetworkError, is_public};
pub use client::RestrictedHttpClient;
pub use error::FetchError;
pub use policy::{FetchPolicy, HostRule, is_local};
pub use request::{FetchRequest, FetchResponse};
pub use resolver::{Resolver, SystemResolver};
