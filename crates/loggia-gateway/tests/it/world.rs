//! A program that embeds a gateway: its folder, its configuration, and a client.

use std::path::{Path, PathBuf};

use loggia::client::{Client, ClientBuilder, Negotiation};
use loggia_gateway::{ConnectorContext, Credentials, Gateway, GatewayBuilder, GatewayConfig, Redactor};
use serde_json::json;
use tempfile::TempDir;

/// A connector that serves the folder of the program.
pub(crate) const NOTES: &str = "[connectors.notes]\nkind = \"builtin\"\nname = \"files\"\n";
/// The text of the note in that folder.
pub(crate) const NOTE: &str = "hello there";

/// The folder of the program, with one note.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("note.txt"), NOTE).expect("written");
        World { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join("loggia.toml")
    }

    /// Parses the text of a configuration in this folder.
    pub(crate) fn config(&self, text: &str) -> loggia_gateway::Result<GatewayConfig> {
        GatewayConfig::parse(text, &self.file(), &Redactor::default())
    }

    /// The credentials of one user, in a folder of their own.
    pub(crate) fn credentials(&self, user: &str) -> Credentials {
        Credentials::new(Some(self.path().join(user)), Vec::new(), Redactor::default())
    }

    /// Builds a gateway that keeps nothing outside of this folder.
    pub(crate) fn builder(&self, text: &str) -> GatewayBuilder {
        let config = self.config(text).expect("a configuration");
        Gateway::builder(config).connector_context(ConnectorContext::new(self.credentials("gateway")))
    }
}

/// Reads the note through a gateway, once in each era.
pub(crate) async fn reads_note(url: &str, change: impl Fn(ClientBuilder) -> ClientBuilder) {
    for negotiation in [Negotiation::Auto, Negotiation::Legacy] {
        let client =
            change(Client::builder().negotiation(negotiation)).connect(url).await.expect("connected");
        let result = client.call_tool("notes_read", json!({ "path": "note.txt" })).await.expect("a result");
        let text = result.content.first().and_then(|block| block.as_text()).unwrap_or_default();
        assert!(text.contains(NOTE), "{negotiation:?}: {result:?}");
        client.close().await;
    }
}
