//! The protected resources for which the server issues tokens, and their scopes (RFC 8707).
//!
//! The authorization endpoint, the token endpoint and assertions select a resource by the same rules.

use url::Url;

use super::http::{OAuthError, RequestParams};

/// A protected resource for which tokens are issued.
#[derive(Debug, Clone)]
pub(super) struct ProtectedResource {
    pub(super) identifier: String,
    pub(super) scopes: Vec<String>,
}

impl ProtectedResource {
    /// Returns whether an identifier means this resource. Identifiers are compared exactly, except for the case of
    /// scheme and host, and for a slash at the end.
    pub(super) fn is_named_by(&self, identifier: &str) -> bool {
        let plain =
            |text: &str| Url::parse(text).ok().map(|url| url.as_str().trim_end_matches('/').to_owned());
        self.identifier == identifier
            || (!identifier.contains('#') && plain(&self.identifier) == plain(identifier))
    }

    /// Returns the scopes to grant: the requested ones that the resource knows, or all of its own if the client names
    /// none. Unknown scopes are left out; the response names the granted ones.
    pub(super) fn grantable_scopes(&self, requested: Option<&str>) -> Result<Vec<String>, OAuthError> {
        let Some(requested) = requested else { return Ok(self.scopes.clone()) };
        let mut scopes: Vec<String> = Vec::new();
        for scope in requested.split(' ').filter(|scope| !scope.is_empty()) {
            let is_known = scope == "offline_access" || self.scopes.iter().any(|known| known == scope);
            if is_known && !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        if scopes.is_empty() && !self.scopes.is_empty() {
            return Err(OAuthError::new("invalid_scope", "None of these scopes is known here"));
        }
        Ok(scopes)
    }
}

/// All protected resources of the server. The first one is the default.
#[derive(Debug, Clone)]
pub(super) struct ProtectedResources(Vec<ProtectedResource>);

impl ProtectedResources {
    pub(super) fn new(resources: Vec<ProtectedResource>) -> ProtectedResources {
        ProtectedResources(resources)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ProtectedResource> {
        self.0.iter()
    }

    pub(super) fn find(&self, identifier: &str) -> Option<&ProtectedResource> {
        self.0.iter().find(|resource| resource.is_named_by(identifier))
    }

    /// Returns the resource for which a token is requested: the one that the request names, or the default.
    pub(super) fn select(&self, params: &RequestParams) -> Result<&ProtectedResource, OAuthError> {
        let target = |why: &str| OAuthError::new("invalid_target", why);
        let found = match params.resources() {
            [] => self.0.first(),
            [identifier] => self.find(identifier),
            _ => return Err(target("A token is for one resource")),
        };
        found.ok_or_else(|| target("This authorization server issues no tokens for that resource"))
    }

    /// Checks the resource of a token request: it may only repeat the granted one.
    pub(super) fn check_target(&self, params: &RequestParams, granted: &str) -> Result<(), OAuthError> {
        if params.resources().is_empty() || self.select(params)?.identifier == granted {
            return Ok(());
        }
        Err(OAuthError::new("invalid_target", "The user allowed another resource"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources() -> ProtectedResources {
        let resource = |identifier: &str, scopes: &[&str]| ProtectedResource {
            identifier: identifier.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        ProtectedResources::new(vec![
            resource("https://hub.example/mcp", &["mcp", "mcp:write"]),
            resource("https://hub.example/other", &[]),
        ])
    }

    #[test]
    fn a_request_selects_one_resource() {
        let table = [
            ("", Ok("https://hub.example/mcp")),
            ("resource=https://hub.example/other", Ok("https://hub.example/other")),
            ("resource=HTTPS://HUB.example/other/", Ok("https://hub.example/other")),
            ("resource=https://hub.example/other%23a", Err("invalid_target")),
            ("resource=https://hub.example/", Err("invalid_target")),
            ("resource=https://hub.example/mcp&resource=https://hub.example/other", Err("invalid_target")),
        ];
        let resources = resources();
        for (query, expected) in table {
            let params = RequestParams::parse(query.as_bytes()).unwrap();
            let selected = resources.select(&params);
            let selected = selected.map(|resource| &*resource.identifier).map_err(|error| error.code);
            assert_eq!(selected, expected, "{query}");
        }
    }

    #[test]
    fn a_token_request_names_the_granted_resource_or_none() {
        for (query, is_allowed) in [
            ("", true),
            ("resource=https://hub.example/mcp/", true),
            ("resource=https://hub.example/other", false),
        ] {
            let params = RequestParams::parse(query.as_bytes()).unwrap();
            let checked = resources().check_target(&params, "https://hub.example/mcp");
            assert_eq!(checked.is_ok(), is_allowed, "{query}");
        }
    }

    #[test]
    fn only_known_scopes_are_granted() {
        let table = [
            (0, None, Ok("mcp mcp:write")),
            (0, Some("mcp  admin mcp"), Ok("mcp")),
            (0, Some("offline_access"), Ok("offline_access")),
            (0, Some("admin"), Err("invalid_scope")),
            (1, None, Ok("")),
            (1, Some("admin"), Ok("")),
        ];
        for (n, requested, expected) in table {
            let granted = resources().0[n].grantable_scopes(requested);
            let granted = granted.map(|scopes| scopes.join(" ")).map_err(|error| error.code);
            assert_eq!(granted, expected.map(str::to_owned), "{n} {requested:?}");
        }
    }
}
