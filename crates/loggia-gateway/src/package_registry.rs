//! Registries of packages: the newest version of a package that is an MCP server. They are asked only when the user asks.
//!
//! Invariant: a registry is fetched with the restricted HTTP client, without any credential.

use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use crate::add::PackageKind;
use crate::credentials::Credentials;
use crate::error::{GatewayError, Result};

/// The registry of npm, unless the environment of npm names another.
const NPM: &str = "https://registry.npmjs.org/";
/// The variables by which npm itself is told another registry.
const NPM_VARIABLES: [&str; 2] = ["npm_config_registry", "NPM_CONFIG_REGISTRY"];
/// The index of PyPI, unless the environment of uv names another.
const PYPI: &str = "https://pypi.org/simple";
/// The variables by which uv itself is told another index.
const PYPI_VARIABLES: [&str; 2] = ["UV_DEFAULT_INDEX", "UV_INDEX_URL"];
/// The maximum number of bytes of a response. PyPI describes all releases of a package.
const MOST_RESPONSE: usize = 16 << 20;
/// Characters that stay in the name of a package. The slash of a scope is encoded.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The registries that a user's package runners use.
pub(crate) struct PackageRegistries {
    npm: Url,
    pypi: Url,
    policy: FetchPolicy,
}

/// A version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageVersion {
    pub(crate) version: String,
    /// The digest that the registry tells.
    pub(crate) digest: Option<String>,
}

impl PackageRegistries {
    /// Finds the registries as npm and uv find them.
    ///
    /// # Errors
    ///
    /// [`GatewayError::Configuration`] if a variable is no URL.
    pub(crate) fn of_environment(credentials: &Credentials) -> Result<PackageRegistries> {
        let find = |names: [&str; 2], default: &str| {
            let set =
                names.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty());
            let text = set.unwrap_or_else(|| default.to_owned());
            Url::parse(&text)
                .map_err(|_| GatewayError::Configuration(format!("{} is no URL: {text}", names[0])))
        };
        Ok(PackageRegistries {
            npm: find(NPM_VARIABLES, NPM)?,
            pypi: find(PYPI_VARIABLES, PYPI)?,
            policy: credentials.policy(false),
        })
    }

    /// Uses these registries.
    #[cfg(test)]
    pub(crate) fn at(npm: Url, pypi: Url) -> PackageRegistries {
        PackageRegistries { npm, pypi, policy: FetchPolicy::default() }
    }

    /// Returns the newest version of a package; `None` for images, whose registries have no newest version.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] if the registry does not answer, or has no such package.
    pub(crate) async fn newest(&self, kind: PackageKind, name: &str) -> Result<Option<PackageVersion>> {
        match kind {
            PackageKind::Npm => self.newest_of_npm(name).await.map(Some),
            PackageKind::PyPi => self.newest_of_pypi(name).await.map(Some),
            PackageKind::Oci => Ok(None),
        }
    }

    /// Reads the version with the tag `latest`
    /// (<https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md>).
    async fn newest_of_npm(&self, name: &str) -> Result<PackageVersion> {
        let path = format!("{}/{}", trimmed(&self.npm), utf8_percent_encode(name, NAME));
        let package = self.fetch(&path, name).await?;
        let version = package["dist-tags"]["latest"].as_str().ok_or_else(|| odd(name))?;
        let digest = package["versions"][version]["dist"]["integrity"].as_str();
        Ok(PackageVersion { version: version.to_owned(), digest: digest.map(str::to_owned) })
    }

    /// Reads the newest stable version (<https://docs.pypi.org/api/json/>).
    async fn newest_of_pypi(&self, name: &str) -> Result<PackageVersion> {
        let index = trimmed(&self.pypi);
        let root = index.strip_suffix("/simple").unwrap_or(&index);
        let bare = name.split('[').next().unwrap_or(name);
        let path = format!("{root}/pypi/{}/json", utf8_percent_encode(bare, NAME));
        let package = self.fetch(&path, name).await?;
        let version = package["info"]["version"].as_str().ok_or_else(|| odd(name))?;
        let files = package["urls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let wheel = files.iter().find(|file| file["packagetype"] == "bdist_wheel").or(files.first());
        let digest = wheel.and_then(|file| file["digests"]["sha256"].as_str());
        Ok(PackageVersion {
            version: version.to_owned(),
            digest: digest.map(|digest| format!("sha256:{digest}")),
        })
    }

    async fn fetch(&self, url: &str, name: &str) -> Result<Value> {
        let failed = |reason: &dyn std::fmt::Display| {
            GatewayError::Configuration(format!(
                "the registry of the package {name} cannot be asked: {reason}"
            ))
        };
        let url = Url::parse(url).map_err(|error| failed(&error))?;
        let policy = FetchPolicy { most_bytes: MOST_RESPONSE, ..self.policy.clone().trusting(&url) };
        let client = RestrictedHttpClient::new(policy).map_err(|error| failed(&error))?;
        let fetched = client.get(&url).await.map_err(|error| failed(&error))?;
        match fetched.status.as_u16() {
            200 => serde_json::from_slice(&fetched.body).map_err(|error| failed(&error)),
            404 => Err(failed(&"it has no such package")),
            _ => Err(failed(&format_args!("it answers {}", fetched.status))),
        }
    }
}

/// Returns whether `version` has a higher number than `before`. Labels after the numbers (`-beta.1`, `rc1`) count less than
/// none.
pub(crate) fn is_newer(version: &str, before: &str) -> bool {
    let parts = |text: &str| -> (Vec<u64>, bool) {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers: Vec<u64> = text[..end].split('.').filter_map(|part| part.parse().ok()).collect();
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        (numbers, end == text.len())
    };
    parts(version) > parts(before)
}

fn trimmed(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

fn odd(name: &str) -> GatewayError {
    GatewayError::Configuration(format!("the registry of the package {name} names no newest version"))
}

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::extract::Path;
    use axum::http::StatusCode;
    use axum::routing::get;
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, before, expected) in [
            ("1.3.0", "1.2.9", true),
            ("1.10", "1.9", true),
            ("1.2.9", "1.10.0", false),
            ("1.2", "1.2.0", false),
            ("2.0.0", "2.0.0-beta.1", true),
            ("2.0.0-beta.1", "2.0.0", false),
            ("2.0rc1", "1.9", true),
        ] {
            assert_eq!(is_newer(version, before), expected, "{version} after {before}");
        }
    }

    #[tokio::test]
    async fn registries_tell_the_newest_version() {
        let npm = async |Path(name): Path<String>| match name.as_str() {
            "@acme/mcp" => Ok(Json(json!({
                "dist-tags": { "latest": "1.3.0", "next": "2.0.0" },
                "versions": { "1.3.0": { "dist": { "integrity": "sha512-abc" } } },
            }))),
            "odd" => Ok(Json(json!({}))),
            _ => Err(StatusCode::NOT_FOUND),
        };
        let pypi = async |Path(name): Path<String>| {
            let files = json!([
                { "packagetype": "sdist", "digests": { "sha256": "00" } },
                { "packagetype": "bdist_wheel", "digests": { "sha256": "ab" } },
            ]);
            Json(json!({ "info": { "name": name, "version": "0.4" }, "urls": files }))
        };
        let routes = axum::Router::new().route("/npm/{name}", get(npm)).route("/pypi/{name}/json", get(pypi));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let url = |path: &str| Url::parse(&format!("{base}{path}")).expect("a URL");
        let registries = PackageRegistries::at(url("/npm/"), url("/simple"));
        for (kind, name, expected) in [
            (PackageKind::Npm, "@acme/mcp", Ok(Some(("1.3.0", Some("sha512-abc"))))),
            (PackageKind::PyPi, "acme-mcp[http]", Ok(Some(("0.4", Some("sha256:ab"))))),
            (PackageKind::Oci, "ghcr.io/acme/mcp", Ok(None)),
            (PackageKind::Npm, "none", Err("it has no such package")),
            (PackageKind::Npm, "odd", Err("names no newest version")),
        ] {
            match (registries.newest(kind, name).await, expected) {
                (Ok(found), Ok(expected)) => {
                    let found = found.as_ref().map(|found| (found.version.as_str(), found.digest.as_deref()));
                    assert_eq!(found, expected, "{name}");
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
                (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
            }
        }
    }
}
