//! The URLs of the authorization server: its issuer identifier, and the endpoints below it.
//!
//! Endpoints compare origins, create links and name audiences, so all of them must derive URLs with the same rules.

use url::Url;

use super::redirect_uri;
use crate::error::AuthError;

/// The issuer identifier of an authorization server, and the URLs of its endpoints.
#[derive(Debug, Clone)]
pub(super) struct ServerUrls {
    issuer: String,
    /// Scheme, host and port of the issuer.
    origin: String,
    /// The path of the issuer, without a slash at its end.
    base_path: String,
    is_https: bool,
    port: Option<u16>,
}

impl ServerUrls {
    /// Checks an issuer identifier. Returns a configuration error if it is neither a plain `https` URL (RFC 8414,
    /// section 2) nor an `http` URL of this machine.
    pub(super) fn new(issuer: String) -> Result<ServerUrls, AuthError> {
        let wrong = |what: &str| AuthError::Configuration(what.to_owned());
        let url = Url::parse(&issuer).map_err(|_| wrong("the issuer is not a URL"))?;
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !is_plain || issuer.ends_with('/') {
            return Err(wrong("the issuer must be a URL without query, fragment or a slash at its end"));
        }
        let is_https = url.scheme() == "https";
        let is_local = url.scheme() == "http" && redirect_uri::is_local(&url);
        if !is_https && !is_local {
            return Err(wrong("the issuer must be an https URL, or an http URL of this machine alone"));
        }
        Ok(ServerUrls {
            origin: url.origin().ascii_serialization(),
            base_path: url.path().trim_end_matches('/').to_owned(),
            is_https,
            port: url.port(),
            issuer,
        })
    }

    /// Returns the issuer identifier, as the administrator wrote it.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns scheme, host and port of the server.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the path of an endpoint, such as `token`.
    pub(super) fn path(&self, endpoint: &str) -> String {
        format!("{}/oauth/{endpoint}", self.base_path)
    }

    /// Returns the URL of an endpoint, such as `token`.
    pub(super) fn url(&self, endpoint: &str) -> String {
        format!("{}{}", self.origin, self.path(endpoint))
    }

    /// Returns the path and query with which a browser continues a sign-in.
    pub(super) fn continue_path(&self, sign_in: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        format!("{}?{}", self.path("continue"), query.append_pair("request", sign_in).finish())
    }

    /// Returns the name of the endpoint at a path; `None` for a path that is not below `oauth`.
    pub(super) fn endpoint_name<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(&self.base_path)?.strip_prefix("/oauth/")
    }

    /// Returns whether the metadata is at a path (RFC 8414, section 3.1).
    pub(super) fn is_metadata_path(&self, path: &str) -> bool {
        path.strip_prefix("/.well-known/oauth-authorization-server") == Some(&self.base_path)
    }

    pub(super) fn is_https(&self) -> bool {
        self.is_https
    }

    /// Returns the port, unless it is the default one of the scheme.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_plain_urls_that_no_other_machine_can_intercept() {
        let table = [
            ("https://hub.example", true),
            ("https://hub.example/a/b", true),
            ("http://127.0.0.1:8080", true),
            ("http://localhost", true),
            ("http://hub.example", false),
            ("https://hub.example/", false),
            ("https://hub.example?a=b", false),
            ("https://hub.example#a", false),
            ("https://ada@hub.example", false),
            ("ftp://hub.example", false),
            ("hub.example", false),
        ];
        for (issuer, is_allowed) in table {
            assert_eq!(ServerUrls::new(issuer.to_owned()).is_ok(), is_allowed, "{issuer}");
        }
    }

    #[test]
    fn endpoints_are_below_the_path_of_the_issuer() {
        for (issuer, token, metadata) in [
            ("https://hub.example", "/oauth/token", "/.well-known/oauth-authorization-server"),
            ("https://hub.example/a", "/a/oauth/token", "/.well-known/oauth-authorization-server/a"),
        ] {
            let urls = ServerUrls::new(issuer.to_owned()).unwrap();
            assert_eq!(urls.path("token"), token);
            assert_eq!(urls.url("token"), format!("https://hub.example{token}"));
            assert_eq!(urls.endpoint_name(token), Some("token"));
            assert_eq!(urls.endpoint_name("/b/oauth/token"), None);
            assert!(urls.is_metadata_path(metadata) && !urls.is_metadata_path("/b"), "{metadata}");
        }
    }
}
