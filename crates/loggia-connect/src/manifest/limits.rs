//! Bounds of a backend.

use std::time::Duration;

/// Bounds of a backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendLimits {
    /// The most requests.
    pub rate: Option<RequestRate>,
    /// The time of one request.
    pub timeout: Option<Duration>,
    /// The longest result, in bytes.
    pub max_result: Option<usize>,
    /// The header that each POST gets, with a fresh value.
    pub idempotency_header: Option<String>,
}

/// A number of requests in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRate {
    /// The requests.
    pub requests: u32,
    /// The time.
    pub per: Duration,
}

impl RequestRate {
    /// Reads `3/s`, `100/min` or `1000/h`.
    pub fn read(text: &str) -> Option<RequestRate> {
        let (requests, unit) = text.split_once('/')?;
        let seconds = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return None,
        };
        let is_number = requests.bytes().all(|byte| byte.is_ascii_digit());
        let requests = requests.parse().ok().filter(|requests| is_number && *requests > 0)?;
        Some(RequestRate { requests, per: Duration::from_secs(seconds) })
    }

    /// Returns the time between two requests that are evenly spread.
    pub fn interval(self) -> Duration {
        self.per / self.requests
    }
}
