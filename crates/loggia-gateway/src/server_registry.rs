//! Registries of MCP servers: the `server.json` of a server by its name.
//!
//! Invariant: a registry is fetched with the restricted HTTP client, without any credential.

use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use crate::credentials::Credentials;

/// The official registry.
const OFFICIAL: &str = "https://registry.modelcontextprotocol.io";
/// The environment variable that names another registry.
const VARIABLE: &str = "LOGGIA_REGISTRY";
/// The maximum number of bytes of a response.
const MOST_RESPONSE: usize = 4 << 20;
/// The most names that are suggested.
const MOST_SUGGESTIONS: usize = 3;
/// Characters that stay in a name within a path.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A registry with the API of version 0.1
/// (<https://github.com/modelcontextprotocol/registry/blob/main/docs/reference/api/openapi.yaml>).
pub(crate) struct ServerRegistry {
    base: Url,
    policy: FetchPolicy,
}

/// The reason why a registry gives no server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RegistryError {
    /// There is no server of this name; these are the nearest.
    Unknown(Vec<String>),
    /// The registry does not answer as one.
    Unreachable(String),
}

impl ServerRegistry {
    /// Uses the registry that the environment names, or the official one.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Unreachable`] if the variable is no URL.
    pub(crate) fn of_environment(credentials: &Credentials) -> Result<ServerRegistry, RegistryError> {
        let named = std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
        let text = named.unwrap_or_else(|| OFFICIAL.to_owned());
        let base = Url::parse(&text)
            .map_err(|_| RegistryError::Unreachable(format!("{VARIABLE} is no URL: {text}")))?;
        Ok(ServerRegistry::at(base, credentials))
    }

    /// Uses the registry at `base`.
    pub(crate) fn at(base: Url, credentials: &Credentials) -> ServerRegistry {
        let policy = FetchPolicy { most_bytes: MOST_RESPONSE, ..credentials.policy(false).trusting(&base) };
        ServerRegistry { base, policy }
    }

    /// Returns the `server.json` of the newest version of a server.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] if there is no such server, or the registry does not answer.
    pub(crate) async fn newest(&self, name: &str) -> Result<String, RegistryError> {
        let path = format!("v0.1/servers/{}/versions/latest", utf8_percent_encode(name, NAME));
        let Some(document) = self.fetch(&path).await? else {
            return Err(RegistryError::Unknown(self.suggestions(name).await));
        };
        match &document["server"] {
            Value::Object(server) => Ok(Value::Object(server.clone()).to_string()),
            _ => Err(self.unreachable(&"the answer has no member `server`")),
        }
    }

    /// Searches for the last part of a name.
    async fn suggestions(&self, name: &str) -> Vec<String> {
        let word = name.rsplit('/').next().unwrap_or(name);
        let path = format!("v0.1/servers?version=latest&search={}", utf8_percent_encode(word, NAME));
        let Ok(Some(found)) = self.fetch(&path).await else { return Vec::new() };
        let servers = found["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names = servers.iter().filter_map(|one| one["server"]["name"].as_str());
        names.take(MOST_SUGGESTIONS).map(str::to_owned).collect()
    }

    /// Returns a document; `None` if there is none at the path.
    async fn fetch(&self, path: &str) -> Result<Option<Value>, RegistryError> {
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| self.unreachable(&error))?;
        let client =
            RestrictedHttpClient::new(self.policy.clone()).map_err(|error| self.unreachable(&error))?;
        let fetched = client.get(&url).await.map_err(|error| self.unreachable(&error))?;
        match fetched.status.as_u16() {
            200 => serde_json::from_slice(&fetched.body).map(Some).map_err(|error| self.unreachable(&error)),
            404 => Ok(None),
            _ => Err(self.unreachable(&format_args!("it answers {}", fetched.status))),
        }
    }

    fn unreachable(&self, reason: &dyn std::fmt::Display) -> RegistryError {
        RegistryError::Unreachable(format!("the registry {} cannot be used: {reason}", self.base))
    }
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::extract::Path;
    use axum::http::StatusCode;
    use axum::routing::get;
    use loggia_connect::manifest::import_server_json;
    use loggia_connect::redact::Redactor;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_registry_gives_servers_by_their_names() {
        let server = json!({
            "name": "io.github.acme/pages", "description": "Pages.", "version": "1.2.0",
            "remotes": [{ "type": "streamable-http", "url": "https://mcp.acme.example/mcp" }],
        });
        let entry = json!({ "server": server, "_meta": {} });
        let list = json!({ "servers": [entry.clone()], "metadata": { "count": 1 } });
        let newest = move |Path(name): Path<String>| async move {
            match name.as_str() {
                "io.github.acme/pages" => Ok(Json(entry)),
                "io.github.acme/broken" => Err(StatusCode::INTERNAL_SERVER_ERROR),
                _ => Err(StatusCode::NOT_FOUND),
            }
        };
        let routes = axum::Router::new()
            .route("/v0.1/servers/{name}/versions/latest", get(newest))
            .route("/v0.1/servers", get(async move || Json(list)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let credentials = Credentials::new(None, Vec::new(), Redactor::default());
        let registry = ServerRegistry::at(Url::parse(&base).expect("a URL"), &credentials);
        let text = registry.newest("io.github.acme/pages").await.expect("a server");
        assert_eq!(import_server_json(&text).expect("a manifest").manifest.name, "pages");
        let unknown = registry.newest("io.github.other/pages").await;
        assert_eq!(unknown, Err(RegistryError::Unknown(vec!["io.github.acme/pages".to_owned()])));
        let broken = registry.newest("io.github.acme/broken").await;
        assert!(matches!(&broken, Err(RegistryError::Unreachable(why)) if why.contains("500")), "{broken:?}");
        let nowhere = ServerRegistry::at(Url::parse("http://127.0.0.1:1").expect("a URL"), &credentials);
        assert!(matches!(nowhere.newest("a.b/c").await, Err(RegistryError::Unreachable(_))));
    }
}
