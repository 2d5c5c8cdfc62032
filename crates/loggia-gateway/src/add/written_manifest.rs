//! Sources whose manifest Loggia writes itself: servers of a registry, MCPB bundles, and GraphQL APIs. The text is kept in a
//! file beside the credentials, because the definition of a connector names a manifest.
//!
//! Invariant: the name of the file has the digest of its text, so that a manifest that is used never changes.

use std::path::{Path, PathBuf};

use loggia_auth::jose::sha256;
#[cfg(feature = "graphql")]
use loggia_auth::restricted_http::{FetchPolicy, FetchRequest, RestrictedHttpClient};
use loggia_connect::bundle::{Bundle, bundle_digest};
use loggia_connect::manifest::{
    ConnectorManifest, ImportedManifest, ManifestBackendKind, import_bundle_manifest, import_server_json,
};
use loggia_connect::pins::SourcePin;
#[cfg(feature = "graphql")]
use serde_json::json;
use url::Url;

use super::error::AddError;
use crate::bundle_store::read_bundle;
use crate::credentials::Credentials;
use crate::server_registry::{RegistryError, ServerRegistry};

/// The note of each program that strangers wrote.
pub(super) const PROGRAM_NOTE: &str =
    "It is a program that runs on this machine with your rights: add it only if you trust its author.";
/// The folder of the files.
const FOLDER: &str = "manifests";
/// Characters of a digest in the name of a file.
const CHARS: usize = 16;
/// The maximum number of bytes of a GraphQL schema.
#[cfg(feature = "graphql")]
const MOST_SCHEMA: usize = 32 << 20;
/// The query for a schema (GraphQL specification, section 4.2), with the depth of types that our reader needs.
#[cfg(feature = "graphql")]
const INTROSPECTION: &str = "query { __schema { queryType { name } mutationType { name } types { kind name description \
    fields(includeDeprecated: true) { name description isDeprecated deprecationReason args { ...Input } type { ...Type } } \
    inputFields { ...Input } interfaces { ...Type } enumValues(includeDeprecated: true) { name description } \
    possibleTypes { ...Type } } } } \
    fragment Input on __InputValue { name description type { ...Type } defaultValue } \
    fragment Type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }";

/// A manifest that was written, and the source that it describes.
#[derive(Debug)]
pub(crate) struct WrittenManifest {
    pub(super) manifest: ConnectorManifest,
    pub(crate) file: ManifestFile,
    pub(crate) source: SourcePin,
}

/// The file that keeps a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManifestFile {
    pub(crate) path: PathBuf,
    text: String,
}

impl WrittenManifest {
    /// Asks the registry for the newest version of a server.
    ///
    /// # Errors
    ///
    /// [`AddError::Unusable`] with the nearest names, or the reason.
    pub(crate) async fn of_registry(
        name: &str,
        credentials: &Credentials,
    ) -> Result<WrittenManifest, AddError> {
        let unusable = |error: RegistryError| match error {
            RegistryError::Unknown(near) => {
                let error = AddError::unusable(name, "the registry has no server of this name");
                if near.is_empty() {
                    error
                } else {
                    error.next(format!("did you mean {}?", near.join(" or ")))
                }
            }
            RegistryError::Unreachable(reason) => {
                AddError::unusable(name, reason).next("LOGGIA_REGISTRY names another registry")
            }
        };
        let registry = ServerRegistry::of_environment(credentials).map_err(unusable)?;
        let text = registry.newest(name).await.map_err(unusable)?;
        let imported = import_server_json(&text).map_err(|error| AddError::unusable(name, error))?;
        WrittenManifest::keep(imported, "registry", name, None, credentials)
    }

    /// Reads the manifest in a bundle: a file, or a URL.
    ///
    /// # Errors
    ///
    /// [`AddError::Unusable`] if it is no bundle.
    pub(super) async fn of_bundle(
        word: &str,
        credentials: &Credentials,
    ) -> Result<WrittenManifest, AddError> {
        let unusable = |error: &dyn std::fmt::Display| AddError::unusable(word, error);
        let bytes = read_bundle(word, credentials).await.map_err(|error| unusable(&error))?;
        let digest = bundle_digest(&bytes);
        let url = match Url::parse(word) {
            Ok(url) if url.scheme() == "https" => url.to_string(),
            Ok(url) if url.scheme() == "http" => {
                return Err(unusable(
                    &"a bundle is fetched with https, so that nothing between can change it",
                ));
            }
            _ => {
                let path = std::path::absolute(word).map_err(|error| unusable(&error))?;
                Url::from_file_path(path).map_err(|()| unusable(&"its path is no URL"))?.to_string()
            }
        };
        let mut bundle = Bundle::open(std::io::Cursor::new(bytes)).map_err(|error| unusable(&error))?;
        let text = bundle.manifest().map_err(|error| unusable(&error))?;
        let imported = import_bundle_manifest(&text, &url, &digest).map_err(|error| unusable(&error))?;
        WrittenManifest::keep(imported, "mcpb", &url, Some(digest), credentials)
    }

    /// Asks a GraphQL API for its schema, and writes tools that read and write its main objects.
    ///
    /// # Errors
    ///
    /// [`AddError::Unusable`] if the API does not tell its schema.
    #[cfg(feature = "graphql")]
    pub(super) async fn of_graphql(
        endpoint: &Url,
        credentials: &Credentials,
    ) -> Result<WrittenManifest, AddError> {
        let shown = endpoint.as_str();
        let unusable = |error: &dyn std::fmt::Display| {
            AddError::unusable(shown, error).next(format!(
                "`loggia add graphql:SCHEMA --set url={shown}` adds it with a schema in a file"
            ))
        };
        let policy = FetchPolicy { most_bytes: MOST_SCHEMA, ..credentials.policy(false).trusting(endpoint) };
        let client = RestrictedHttpClient::new(policy).map_err(|error| unusable(&error))?;
        let query = json!({ "query": INTROSPECTION }).to_string();
        let fetched = client.send(FetchRequest::json(endpoint.clone(), query)).await;
        let fetched = fetched.map_err(|error| unusable(&error))?;
        if !fetched.status.is_success() {
            return Err(unusable(&format_args!(
                "it does not tell its schema: it answers {}",
                fetched.status
            )));
        }
        let title = endpoint.host_str().unwrap_or("API").trim_start_matches("api.").to_owned();
        let url: http::Uri = shown.parse().map_err(|error| unusable(&error))?;
        let text = graphql_tools(fetched.body, title, url).await.map_err(|error| unusable(&error))?;
        let manifest = ConnectorManifest::parse(&text, shown).map_err(|error| unusable(&error))?;
        let imported = ImportedManifest { manifest, text, notes: Vec::new() };
        WrittenManifest::keep(imported, "graphql", shown, None, credentials)
    }

    /// Writes tools that read and write the main objects of a schema in the file `path`. The user gives the URL of the API as
    /// the value `url`.
    ///
    /// # Errors
    ///
    /// [`AddError::Unusable`] if the text is no schema.
    #[cfg(feature = "graphql")]
    pub(super) async fn of_graphql_schema(
        schema: bytes::Bytes,
        path: &Path,
        credentials: &Credentials,
    ) -> Result<WrittenManifest, AddError> {
        let shown = path.display().to_string();
        let unusable = |error: &dyn std::fmt::Display| AddError::unusable(&shown, error);
        let title = path.file_stem().map_or_else(|| "API".into(), |stem| stem.to_string_lossy());
        // The user says later which one it is.
        let url = http::Uri::from_static("https://api.invalid/");
        let text = graphql_tools(schema, title.into_owned(), url).await;
        let text = text.and_then(|text| with_url_of_user(&text)).map_err(|error| unusable(&error))?;
        let manifest = ConnectorManifest::parse(&text, &shown).map_err(|error| unusable(&error))?;
        let imported = ImportedManifest { manifest, text, notes: Vec::new() };
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        WrittenManifest::keep(imported, "graphql", &absolute.display().to_string(), None, credentials)
    }

    fn keep(
        imported: ImportedManifest,
        kind: &str,
        name: &str,
        digest: Option<String>,
        credentials: &Credentials,
    ) -> Result<WrittenManifest, AddError> {
        let ImportedManifest { mut manifest, text, notes } = imported;
        for backend in &mut manifest.backends {
            let is_program = backend.kind() == ManifestBackendKind::Stdio;
            backend.notes.extend(is_program.then(|| PROGRAM_NOTE.to_owned()));
            backend.notes.extend(notes.iter().cloned());
        }
        let chars: String = sha256(&text).chars().take(CHARS).collect();
        let path = credentials.path()?.join(FOLDER).join(format!("{}-{chars}.toml", manifest.name));
        let path = std::path::absolute(&path).unwrap_or(path);
        let version = Some(manifest.version.clone());
        let source = SourcePin { kind: kind.to_owned(), name: name.to_owned(), version, digest };
        Ok(WrittenManifest { manifest, file: ManifestFile { path, text }, source })
    }
}

impl ManifestFile {
    /// Writes the file, if it is not there.
    ///
    /// # Errors
    ///
    /// [`AddError::Unusable`] if it cannot be written.
    pub(crate) fn store(&self) -> Result<(), AddError> {
        write_new(&self.path, &self.text)
            .map_err(|error| AddError::unusable(self.path.display().to_string(), error))
    }
}

/// Writes the manifest of a GraphQL schema.
#[cfg(feature = "graphql")]
async fn graphql_tools(schema: bytes::Bytes, title: String, url: http::Uri) -> Result<String, String> {
    use loggia_openapi::graphql::{GraphqlSchema, SelectionLimits};
    let written = tokio::task::spawn_blocking(move || {
        let schema = GraphqlSchema::read(&schema)?;
        loggia_openapi::curate_graphql(&schema, &title, &url, &[], SelectionLimits::default())
    });
    written.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Makes the URL of a manifest a value that the user gives. The host is known only then, so the manifest allows that of the URL.
#[cfg(feature = "graphql")]
fn with_url_of_user(manifest: &str) -> Result<String, String> {
    use toml_edit::{DocumentMut, Item, Table, value};
    let mut document: DocumentMut =
        manifest.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    let backends = document.get_mut("backends").and_then(Item::as_array_of_tables_mut);
    let backend = backends.and_then(|backends| backends.get_mut(0)).ok_or("it has no backend")?;
    backend["url"] = value("${config.url}");
    backend.remove("network");
    let mut url = Table::new();
    url["type"] = value("string");
    url["title"] = value("URL of the API");
    url["required"] = value(true);
    let mut config = Table::new();
    config.set_implicit(true);
    config["url"] = Item::Table(url);
    document["config"] = Item::Table(config);
    Ok(document.to_string())
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if path.is_file() {
        return Ok(());
    }
    let folder = path.parent().ok_or_else(|| std::io::Error::other("it has no folder"))?;
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.persist(path).map_err(|error| error.error).map(drop)
}

#[cfg(all(test, feature = "graphql"))]
mod tests {
    use axum::Json;
    use axum::http::StatusCode;
    use axum::routing::post;
    use loggia_connect::redact::Redactor;
    use serde_json::Value;

    use super::*;

    fn schema() -> Value {
        let named = |kind: &str, name: &str| json!({ "kind": kind, "name": name, "ofType": null });
        let field = |name: &str, args: Value, kind: Value| json!({ "name": name, "args": args, "type": kind, "isDeprecated": false });
        let id = json!({ "kind": "NON_NULL", "ofType": named("SCALAR", "ID") });
        let object = |name: &str, fields: Value| json!({ "kind": "OBJECT", "name": name, "fields": fields, "interfaces": [] });
        let scalar = |name: &str| json!({ "kind": "SCALAR", "name": name });
        json!({ "data": { "__schema": {
            "queryType": { "name": "Query" },
            "types": [
                object("Query", json!([field("page", json!([{ "name": "id", "type": id }]), named("OBJECT", "Page"))])),
                object("Page", json!([field("title", json!([]), named("SCALAR", "String"))])),
                scalar("ID"), scalar("String"), scalar("Boolean"),
            ],
        } } })
    }

    #[tokio::test]
    async fn a_schema_in_a_file_leaves_the_url_to_the_user() {
        let folder = tempfile::tempdir().expect("a folder");
        let credentials = Credentials::new(Some(folder.path().to_owned()), Vec::new(), Redactor::default());
        let read = async |text: &'static str| {
            let path = Path::new("shop.graphql");
            WrittenManifest::of_graphql_schema(text.into(), path, &credentials).await
        };
        let written = read("type Query { page(id: ID!): Page } type Page { title: String }").await;
        let WrittenManifest { manifest, .. } = written.expect("a manifest");
        let config: Vec<&str> = manifest.config.iter().map(|field| field.name.as_str()).collect();
        assert_eq!((manifest.name.as_str(), config), ("shop", vec!["url"]));
        assert_eq!(manifest.backends[0].tools[0].name, "page");
        let given = json!({ "url": "https://api.example/graphql" });
        let values = manifest.values(given.as_object().expect("an object"), None).expect("values");
        let loggia_connect::manifest::ManifestTransport::GraphQl(api) = &manifest.backends[0].transport
        else {
            panic!("{manifest:?}")
        };
        assert_eq!(values.text(&api.url).expect("a URL").expose(), "https://api.example/graphql");
        let error = read("type Query {").await.expect_err("no schema");
        assert!(error.to_string().contains("shop.graphql cannot be added"), "{error}");
    }

    #[tokio::test]
    async fn a_graphql_api_tells_its_schema() {
        let answer = async move |Json(body): Json<Value>| {
            assert!(body["query"].as_str().is_some_and(|query| query.contains("__schema")), "{body}");
            Json(schema())
        };
        let refused = async || StatusCode::UNAUTHORIZED;
        let routes = axum::Router::new().route("/graphql", post(answer)).route("/closed", post(refused));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let folder = tempfile::tempdir().expect("a folder");
        let credentials = Credentials::new(Some(folder.path().to_owned()), Vec::new(), Redactor::default());
        let url = |path: &str| Url::parse(&format!("{base}{path}")).expect("a URL");
        let written = WrittenManifest::of_graphql(&url("/graphql"), &credentials).await.expect("a manifest");
        let tools: Vec<&str> =
            written.manifest.backends[0].tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(tools, ["page"]);
        assert!(!written.file.path.exists(), "nothing is stored before the proof");
        written.file.store().expect("stored");
        let text = std::fs::read_to_string(&written.file.path).expect("a file");
        assert!(text.contains("kind = \"graphql\""), "{text}");
        let error =
            WrittenManifest::of_graphql(&url("/closed"), &credentials).await.expect_err("it is closed");
        assert!(error.to_string().contains("it answers 401"), "{error}");
        assert!(
            error.next_step().is_some_and(|step| step.contains("graphql:SCHEMA --set url=")),
            "{error:?}"
        );
    }
}
