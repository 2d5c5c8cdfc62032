//! The error of the restricted HTTP client. Its texts have no secret: URLs are shown without their query.

use std::fmt;
use std::time::Duration;

use url::Url;

/// The reason why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL may not be fetched.
    Refused {
        /// The URL without its query.
        url: String,
        /// The reason.
        why: String,
    },
    /// The host of the URL, or of a redirect, may not be reached.
    Host {
        /// The host.
        host: String,
        /// The key of the configuration that does not have it.
        rule: String,
    },
    /// The server is unreachable, or the connection failed.
    Failed {
        /// The URL without its query.
        url: String,
        /// The reason.
        why: String,
    },
    /// The response did not arrive in time.
    TimedOut {
        /// The URL without its query.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// The response is longer than the limit.
    TooLong {
        /// The URL without its query.
        url: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The configuration cannot be used.
    Configuration(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchError::Refused { url, why } => write!(f, "{url} is not fetched: {why}"),
            FetchError::Host { host, rule } => write!(f, "the host {host} is not in {rule}"),
            FetchError::Failed { url, why } => write!(f, "{url} cannot be fetched: {why}"),
            FetchError::TimedOut { url, limit } => {
                write!(f, "{url} did not answer within {} seconds", limit.as_secs_f32())
            }
            FetchError::TooLong { url, limit } => write!(f, "{url} answers with more than {limit} bytes"),
            FetchError::Configuration(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for FetchError {}

/// Returns a URL for messages, without credentials, query and fragment, which may be secret.
pub(super) fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}
