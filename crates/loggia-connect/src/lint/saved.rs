//! Documents of files: saved lists, and manifests whose tools Loggia serves.

use loggia::wire::RawJson;
use serde_json::{Value, json};

use super::document::ServerDocument;
use crate::manifest::ConnectorManifest;

impl ServerDocument {
    /// Parses a file: a manifest if its name ends with `.toml`, saved lists otherwise. The error is a sentence.
    pub fn parse_file(text: &str, name: &str) -> Result<ServerDocument, String> {
        if !name.ends_with(".toml") {
            return ServerDocument::parse(text).map_err(|error| format!("cannot read {name}: {error}"));
        }
        let manifest = ConnectorManifest::parse(text, name).map_err(|error| error.to_string())?;
        ServerDocument::of_manifest(&manifest)
    }

    /// Returns the tools that a manifest writes over an API. The error says that it has none: its tools come from a server.
    pub fn of_manifest(manifest: &ConnectorManifest) -> Result<ServerDocument, String> {
        let direct = manifest.backends.iter().find(|backend| backend.kind().is_direct());
        let Some(backend) = direct else {
            return Err(format!("the tools of {} come from a server: check the server", manifest.title));
        };
        let tool = |raw: RawJson| serde_json::from_slice(raw.as_bytes()).unwrap_or(Value::Null);
        let tools: Vec<Value> =
            backend.tools.iter().map(|one| tool(RawJson::of(&one.definition()))).collect();
        ServerDocument::new(json!({ "tools": tools }))
    }
}
