//! URLs of the configuration. Sections share one check, so that each of them accepts the same.

use http::Uri;

/// The next step after a text that is no URL.
pub(super) const URL: &str = "write a whole URL, for example \"https://example.com/mcp\"";

/// Returns whether a text is a whole URL of HTTP, with a host.
pub(crate) fn is_url(text: &str) -> bool {
    let scheme = text.starts_with("https://") || text.starts_with("http://");
    scheme && text.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::is_url;

    #[test]
    fn a_url_has_a_scheme_of_http_and_a_host() {
        for (text, expected) in [
            ("https://example.com/mcp", true),
            ("http://127.0.0.1:4000", true),
            ("https://", false),
            ("https:///mcp", false),
            ("example.com/mcp", false),
            ("wss://example.com/mcp", false),
            ("https://exa mple.com", false),
            ("", false),
        ] {
            assert_eq!(is_url(text), expected, "{text}");
        }
    }
}
