//! The URL of a server that a user can sign in to.
//!
//! Credentials and token sources are stored under it. Invariant: a token is sent unencrypted only on this machine.

use loggia::wire::text::redact_url;
use loggia_auth::error::AuthError;
use loggia_auth::restricted_http::is_local;
use url::Url;

/// Parses the URL of a server that a user can sign in to.
pub(crate) fn server_url(text: &str) -> Result<Url, AuthError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let wrong =
        |why: &str| AuthError::Configuration(format!("cannot sign in to {:?}: {why}", redact_url(text)));
    match url {
        Some(url) if url.scheme() == "https" || is_local(&url) => Ok(url),
        Some(_) => Err(wrong("the token would be sent unencrypted. Use https")),
        None => Err(wrong("it is not the URL of a server")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_at_urls_are_signed_in_to() {
        for (text, expected, here) in [
            ("https://Example.com", Some("https://example.com/"), false),
            ("http://127.0.0.1:4000/mcp", Some("http://127.0.0.1:4000/mcp"), true),
            ("http://[::1]/mcp", Some("http://[::1]/mcp"), true),
            ("http://localhost/mcp", Some("http://localhost/mcp"), true),
            ("http://localhost.example/mcp", None, false),
            ("http://10.0.0.1/mcp", None, false),
            ("unix:/run/s", None, false),
            ("file:///etc/passwd", None, false),
            ("files", None, false),
        ] {
            let url = server_url(text).ok();
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{text}");
            assert_eq!(url.as_ref().is_some_and(is_local), here, "{text}");
        }
    }
}
