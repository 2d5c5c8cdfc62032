//! Pages of the web as Markdown, for a language model.
//!
//! Each URL comes from a model, so it is fetched with the restricted HTTP client: only public addresses, which are
//! checked after the name is resolved and after each redirect. The server's `robots.txt` is obeyed. Invariant: a page
//! is bounded in bytes, time and depth before it is converted.

mod content;
mod document_cache;
mod error;
mod robots;
mod serve;

use std::time::Duration;

use loggia_auth::restricted_http::{FetchPolicy, IpNetwork};
use url::Url;

pub use error::WebError;
pub use serve::server;

/// The permissions and limits of the connector.
#[derive(Debug, Clone)]
pub struct WebOptions {
    /// True if `robots.txt` is obeyed.
    pub robots: bool,
    /// Networks that are not public but allowed, with `https`.
    pub networks: Vec<IpNetwork>,
    /// Servers that are allowed at any address, also with `http`.
    pub servers: Vec<Url>,
    /// True if loopback addresses are allowed, also with `http`. For development and tests.
    pub loopback: bool,
    /// The bounds.
    pub limits: WebLimits,
}

/// The bounds of one call.
#[derive(Debug, Clone)]
pub struct WebLimits {
    /// The maximum number of bytes of a document (4 MiB).
    pub document: usize,
    /// The time limit of a request with its redirects (20 s).
    pub time: Duration,
    /// The maximum number of redirects (5).
    pub redirects: usize,
    /// The number of characters that a call returns by default (20 000).
    pub page_default: usize,
    /// The maximum number of characters that a call returns (200 000).
    pub page_max: usize,
    /// The maximum number of running calls (8).
    pub running: usize,
    /// The maximum number of waiting calls; further ones are refused (64).
    pub waiting: usize,
}

impl Default for WebLimits {
    fn default() -> WebLimits {
        WebLimits {
            document: 4 << 20,
            time: Duration::from_secs(20),
            redirects: 5,
            page_default: 20_000,
            page_max: 200_000,
            running: 8,
            waiting: 64,
        }
    }
}

impl Default for WebOptions {
    fn default() -> WebOptions {
        WebOptions {
            robots: true,
            networks: Vec::new(),
            servers: Vec::new(),
            loopback: false,
            limits: WebLimits::default(),
        }
    }
}

impl WebOptions {
    /// Adds what an administrator allows: a network such as `10.1.0.0/16`, or the URL of a server.
    ///
    /// # Errors
    ///
    /// A text that says how to write it.
    pub fn allow(mut self, text: &str) -> Result<WebOptions, String> {
        if let Ok(network) = text.parse() {
            self.networks.push(network);
            return Ok(self);
        }
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => {
                self.servers.push(url);
                Ok(self)
            }
            _ => Err(format!(
                "{text:?} is no network and no URL: write 10.1.0.0/16 or https://wiki.example.com"
            )),
        }
    }

    fn policy(&self) -> FetchPolicy {
        FetchPolicy {
            loopback: self.loopback,
            networks: self.networks.clone(),
            hosts: None,
            trusted: self.servers.clone(),
            most_bytes: self.limits.document,
            timeout: self.limits.time,
            redirects: self.limits.redirects,
            roots: Vec::new(),
        }
    }
}
