//! The source of a connector that a person names with one word: a name of the directory, a URL, a file or a package.
//!
//! Invariant: a URL is fetched with the restricted HTTP client, within bounds, and without any credential.

use std::path::Path;
use std::time::Duration;

use loggia_auth::restricted_http::FetchPolicy;
use loggia_connect::manifest::{
    AuthClass, ConnectorManifest, ManifestBackend, ManifestDirectory, ManifestTransport,
};
use loggia_openapi::{Api, DescriptionError};
use url::Url;

use super::error::AddError;
use super::written_manifest::WrittenManifest;
use crate::api;
use crate::credentials::Credentials;
use crate::server_url::server_url;

/// The time for a look at a URL: an MCP server may keep the response open.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Ends of the paths of MCP servers.
const SERVER_PATHS: [&str; 2] = ["/mcp", "/sse"];
/// Ends of the names of descriptions.
const DESCRIPTION_NAMES: [&str; 5] = [".json", ".yaml", ".yml", ".graphql", ".gql"];

/// The start of a word that names a server in a registry.
const REGISTRY: &str = "registry:";
/// The start of a word that names a GraphQL API.
const GRAPHQL: &str = "graphql:";

/// The source of a connector.
#[derive(Debug)]
pub struct AddSource {
    pub(super) kind: SourceKind,
    pub(super) signed_in: SignedInServers,
}

/// The URLs of the MCP servers to which the user is signed in.
#[derive(Debug, Default)]
pub(super) struct SignedInServers(Vec<String>);

/// The kinds of sources, with their content.
#[derive(Debug)]
pub(super) enum SourceKind {
    /// A manifest: the text that names it in a configuration, and its content.
    Manifest { reference: String, manifest: Box<ConnectorManifest> },
    /// A manifest that Loggia wrote.
    Written(Box<WrittenManifest>),
    /// An MCP server.
    Server(Url),
    /// An API, with the path or the URL of its description, and the URL of the API if that is known.
    Api { description: String, api: Box<Api>, base_url: Option<http::Uri> },
    /// A package that is an MCP server.
    Package { registry: PackageKind, package: String, version: Option<String> },
}

/// A registry of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageKind {
    /// npm.
    Npm,
    /// PyPI.
    PyPi,
    /// Container images.
    Oci,
}

const REGISTRIES: [(&str, PackageKind); 3] =
    [("npm:", PackageKind::Npm), ("pypi:", PackageKind::PyPi), ("oci:", PackageKind::Oci)];

impl AddSource {
    /// Finds out what a word names: looks into files, and fetches a URL that may be a description.
    ///
    /// # Errors
    ///
    /// [`AddError::Unknown`] with suggestions, [`AddError::Unusable`] where the source cannot be read or used.
    pub async fn parse(
        word: &str,
        directory: &ManifestDirectory,
        credentials: &Credentials,
    ) -> Result<AddSource, AddError> {
        let word = word.trim();
        let kind = if let Some((registry, rest)) = package_of(word) {
            package(registry, rest).map_err(|reason| AddError::unusable(word, reason))?
        } else if let Some(name) = word.strip_prefix(REGISTRY) {
            SourceKind::Written(Box::new(WrittenManifest::of_registry(name, credentials).await?))
        } else if let Some(endpoint) = word.strip_prefix(GRAPHQL) {
            graphql(endpoint, credentials).await?
        } else if is_bundle(word) {
            SourceKind::Written(Box::new(WrittenManifest::of_bundle(word, credentials).await?))
        } else if let Ok(url) = Url::parse(word)
            && matches!(url.scheme(), "http" | "https")
        {
            url_source(word, url, credentials).await?
        } else if let Some(entry) = directory.get(word) {
            if let Some(duplicate) = directory.duplicate(&entry.name) {
                return Err(AddError::unusable(word, duplicate));
            }
            let manifest = entry.manifest().map_err(|error| AddError::unusable(word, error))?;
            SourceKind::Manifest { reference: entry.name.clone(), manifest: Box::new(manifest) }
        } else if is_server_name(word) && !Path::new(word).exists() {
            SourceKind::Written(Box::new(WrittenManifest::of_registry(word, credentials).await?))
        } else if Path::new(word).is_file() || looks_like_file(word) {
            file_source(Path::new(word)).await?
        } else {
            let suggestions = directory.suggestions(word).into_iter().map(str::to_owned).collect();
            return Err(AddError::Unknown { word: word.to_owned(), suggestions });
        };
        Ok(AddSource { kind, signed_in: SignedInServers(credentials.servers().await.unwrap_or_default()) })
    }
}

impl SignedInServers {
    /// Returns whether users of an MCP server sign in with a client that they registered, and this user is not signed in yet.
    pub(super) fn needs_client(&self, backend: &ManifestBackend) -> bool {
        let ManifestTransport::Remote(server) = &backend.transport else { return false };
        let url = server.url.as_plain().and_then(|url| server_url(url).ok());
        let is_signed_in = url.is_some_and(|url| self.0.iter().any(|known| known == url.as_str()));
        backend.auth.class == AuthClass::Preregistered && !is_signed_in
    }
}

/// Returns whether a word can only be the name of a server in a registry: a reversed domain, a slash and a name.
fn is_server_name(word: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    match word.split_once('/') {
        Some((domain, name)) => {
            domain.contains('.') && is_part(domain) && is_part(name) && !has_file_end(name)
        }
        None => false,
    }
}

fn is_bundle(word: &str) -> bool {
    word.split(['?', '#']).next().unwrap_or(word).ends_with(".mcpb")
}

async fn graphql(endpoint: &str, credentials: &Credentials) -> Result<SourceKind, AddError> {
    let url = Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let file = Path::new(endpoint);
    if url.is_none() && !file.is_file() {
        let reason = "after graphql: stands the URL of a GraphQL API, or the file with its schema";
        return Err(AddError::unusable(endpoint, reason));
    }
    #[cfg(feature = "graphql")]
    return Ok(SourceKind::Written(Box::new(match url {
        Some(url) => WrittenManifest::of_graphql(&url, credentials).await?,
        None => {
            let read = api::read_description(Path::new("."), endpoint, &FetchPolicy::default()).await;
            let (schema, _) = read.map_err(|error| AddError::unusable(endpoint, reason_of(error)))?;
            WrittenManifest::of_graphql_schema(schema, file, credentials).await?
        }
    })));
    #[cfg(not(feature = "graphql"))]
    {
        let _ = credentials;
        Err(AddError::unusable(endpoint, "this program was built without GraphQL"))
    }
}

fn has_file_end(word: &str) -> bool {
    let has_end = |ends: &[&str]| ends.iter().any(|end| word.ends_with(end));
    has_end(&DESCRIPTION_NAMES) || has_end(&[".toml", ".mcpb"])
}

fn package_of(word: &str) -> Option<(PackageKind, &str)> {
    REGISTRIES.iter().find_map(|(prefix, registry)| Some((*registry, word.strip_prefix(prefix)?)))
}

fn looks_like_file(word: &str) -> bool {
    word.contains('/') || has_file_end(word)
}

/// Reads `name@version`, `name==version` or an image.
fn package(registry: PackageKind, text: &str) -> Result<SourceKind, &'static str> {
    let (name, version) = match registry {
        // A scope begins with the same character.
        PackageKind::Npm => match text.char_indices().rfind(|(at, c)| *c == '@' && *at > 0) {
            Some((at, _)) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        },
        PackageKind::PyPi => match text.split_once("==").or_else(|| text.split_once('@')) {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        },
        PackageKind::Oci => (text, None),
    };
    let is_word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if !is_word(name) || !version.is_none_or(is_word) {
        return Err("write npm:NAME@VERSION, pypi:NAME==VERSION or oci:IMAGE");
    }
    Ok(SourceKind::Package { registry, package: name.to_owned(), version: version.map(str::to_owned) })
}

/// Finds out whether a URL is that of a description. Everything else is an MCP server.
async fn url_source(word: &str, url: Url, credentials: &Credentials) -> Result<SourceKind, AddError> {
    let is_description = DESCRIPTION_NAMES.iter().any(|end| url.path().ends_with(end));
    if SERVER_PATHS.iter().any(|end| url.path().trim_end_matches('/').ends_with(end)) {
        return Ok(SourceKind::Server(url));
    }
    let policy = credentials.policy(false);
    let fetched = tokio::time::timeout(LOOK_TIMEOUT, api::read_description(Path::new("."), word, &policy));
    let (text, from) = match fetched.await {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(error)) if is_description => return Err(AddError::unusable(word, reason_of(error))),
        Err(_) if is_description => {
            return Err(AddError::unusable(word, "the server does not answer in time"));
        }
        _ => return Ok(SourceKind::Server(url)),
    };
    match read_api(word, text.to_vec()).await {
        Ok(api) => {
            let base_url = api.base_url_from(from.as_ref()).ok();
            Ok(SourceKind::Api { description: word.to_owned(), api: Box::new(api), base_url })
        }
        Err(error) if is_description => Err(error),
        Err(_) => Ok(SourceKind::Server(url)),
    }
}

async fn file_source(path: &Path) -> Result<SourceKind, AddError> {
    let shown = path.display().to_string();
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let reference = absolute.display().to_string();
    if path.extension().is_some_and(|extension| extension == "toml") {
        let text = manifest_text(path).map_err(|error| AddError::unusable(&shown, error))?;
        let manifest = ConnectorManifest::parse(&text, &shown)
            .map_err(|error| AddError::unusable(&shown, format!("it is no connector manifest\n{error}")))?;
        return Ok(SourceKind::Manifest { reference, manifest: Box::new(manifest) });
    }
    let read = api::read_description(Path::new("."), &shown, &FetchPolicy::default()).await;
    let (text, _) = read.map_err(|error| AddError::unusable(&shown, reason_of(error)))?;
    let api = read_api(&shown, text.to_vec()).await?;
    let base_url = api.base_url().ok();
    Ok(SourceKind::Api { description: reference, api: Box::new(api), base_url })
}

/// Returns the reason of an error without the words that blame the configuration.
fn reason_of(error: loggia::Error) -> String {
    match error {
        loggia::Error::Configuration(reason) => reason,
        other => other.to_string(),
    }
}

fn manifest_text(path: &Path) -> std::io::Result<String> {
    loggia_connect::import::bounded_text(std::fs::File::open(path)?)
}

async fn read_api(shown: &str, text: Vec<u8>) -> Result<Api, AddError> {
    let is_graphql = is_graphql(&text);
    let read = tokio::task::spawn_blocking(move || Api::read(&text)).await;
    let read = read.unwrap_or_else(|error| Err(DescriptionError::Syntax(error.to_string())));
    match read {
        Ok(api) if api.operations().is_empty() => Err(AddError::unusable(shown, "it has no operation")),
        Ok(api) => Ok(api),
        Err(_) if is_graphql => Err(AddError::unusable(
            shown,
            "it is a GraphQL schema, which names neither the endpoint of the API nor its credential",
        )
        .next(format!("`loggia add graphql:{shown} --set url=URL` says which API it is"))),
        Err(error) => Err(AddError::unusable(shown, error)),
    }
}

/// Returns whether a text is a schema of GraphQL, or the result of an introspection.
fn is_graphql(text: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&text[..text.len().min(64 << 10)]);
    start.contains("\"__schema\"")
        || ["type Query", "schema {", "extend type"].iter().any(|part| start.contains(part))
}

impl PackageKind {
    /// Returns the name of the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            PackageKind::Npm => "npm",
            PackageKind::PyPi => "PyPI",
            PackageKind::Oci => "OCI",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use loggia_connect::redact::Redactor;

    use super::*;

    async fn parsed(word: &str) -> Result<String, AddError> {
        let folder = tempfile::tempdir().expect("a folder");
        let credentials = Credentials::new(Some(folder.path().to_owned()), Vec::new(), Redactor::default());
        let source = AddSource::parse(word, &ManifestDirectory::embedded(), &credentials).await?;
        Ok(match source.kind {
            SourceKind::Manifest { reference, .. } => format!("manifest {reference}"),
            SourceKind::Written(written) => format!("written {}", written.source.name),
            SourceKind::Server(url) => format!("server {url}"),
            SourceKind::Api { description, .. } => format!("api {description}"),
            SourceKind::Package { registry, package, version } => {
                format!("{} {package} {}", registry.as_str(), version.unwrap_or_default())
            }
        })
    }

    #[tokio::test]
    async fn a_word_names_a_source() {
        for (word, expected) in [
            ("linear", "manifest linear"),
            ("Linear ", "manifest linear"),
            ("https://acme.example/mcp", "server https://acme.example/mcp"),
            ("https://acme.example/v1/mcp/", "server https://acme.example/v1/mcp/"),
            ("npm:@acme/mcp@1.2.3", "npm @acme/mcp 1.2.3"),
            ("npm:acme", "npm acme "),
            ("pypi:acme-mcp==0.2", "PyPI acme-mcp 0.2"),
            ("oci:ghcr.io/acme/mcp:1.2", "OCI ghcr.io/acme/mcp:1.2 "),
        ] {
            assert_eq!(parsed(word).await.expect(word), expected, "{word}");
        }
    }

    /// Each case: a word, and a part of the error with the next step.
    #[tokio::test]
    async fn a_word_that_names_nothing_is_explained() {
        for (word, expected) in [
            ("liner", "did you mean linear"),
            ("qqqqqqq", "`loggia connectors search WORDS`"),
            ("none.yaml", "none.yaml cannot be added: "),
            ("none.toml", "none.toml cannot be added: "),
            ("acme.mcpb", "acme.mcpb cannot be added: "),
            ("graphql:acme", "stands the URL of a GraphQL API"),
            ("npm:", "write npm:NAME@VERSION"),
            ("npm:-x", "write npm:NAME@VERSION"),
            ("pypi:a b", "write npm:NAME@VERSION"),
        ] {
            let error = parsed(word).await.expect_err(word);
            let said = format!("{error}; {}", error.next_step().unwrap_or_default());
            assert!(said.contains(expected), "{word}: {said}");
        }
    }

    #[test]
    fn a_name_of_a_registry_has_a_domain() {
        for (word, expected) in [
            ("io.github.acme/pages", true),
            ("com.acme/mcp-server", true),
            ("acme/pages", false),
            ("./acme.d/pages", false),
            ("folder.d/openapi.yaml", false),
            ("io.github.acme/pages/more", false),
            ("linear", false),
        ] {
            assert_eq!(is_server_name(word), expected, "{word}");
        }
    }

    #[tokio::test]
    async fn the_content_of_a_file_decides() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let openapi = r#"{"openapi": "3.1.0", "info": {"title": "A", "version": "1"},
            "paths": {"/a": {"get": {"operationId": "a", "responses": {}}}}}"#;
        let manifest = "name = \"acme\"\ntitle = \"Acme\"\nversion = \"1.0.0\"\ndescription = \"Pages.\"\n\
            [[backends]]\nkind = \"remote\"\nurl = \"https://acme.example/mcp\"\n";
        for (path, expected) in [
            (write("a.json", openapi), Ok("api ")),
            (write("acme.toml", manifest), Ok("manifest ")),
            (write("a.graphql", "type Query { a: Int }"), Err("it is a GraphQL schema")),
            (write("bad.toml", "name = 1"), Err("it is no connector manifest")),
            (write("bad.json", "{}"), Err("OpenAPI")),
        ] {
            let word = path.display().to_string();
            match (parsed(&word).await, expected) {
                (Ok(found), Ok(kind)) => assert_eq!(found, format!("{kind}{word}")),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{word}: {error}"),
                (found, expected) => panic!("{word}: {found:?}, not {expected:?}"),
            }
        }
    }
}
