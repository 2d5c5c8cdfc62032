//! Several accounts at a remote MCP server: each signs in, has a connection of its own, and is named by an argument.

use std::time::Duration;

use loggia::client::{Client, Negotiation};
use loggia_connect::manifest::ManifestDirectory;
use loggia_gateway::add::{AddAnswers, AddError, AddPlan, ClientSecret};
use loggia_gateway::{ConnectorContext, Credentials, GatewayServer, PreregisteredClient, SignInOptions};
use serde_json::{Value, json};

use super::vendor::{CLIENT_ID, CLIENT_SECRET, Vendor};
use crate::world::{NOTE, NOTES, World};

const MANIFEST: &str = r#"
    name = "notes"
    title = "Notes"
    version = "1.0.0"
    description = "Notes of a team."
    [[backends]]
    kind = "remote"
    url = "http://ADDRESS/mcp"
    [backends.auth]
    class = "preregistered"
    issuer = "http://ADDRESS"
    read_scopes = ["pages.read"]
"#;

/// A connector `notes` at a protected server, and its definition.
struct Notes {
    world: World,
    vendor: Vendor,
    definition: String,
}

impl Notes {
    async fn new(server: axum::Router, definition: &str) -> Notes {
        let (world, vendor) = (World::new(), Vendor::start_with(server).await);
        let address = vendor.address.to_string();
        let manifest = world.path().join("notes.toml");
        std::fs::write(&manifest, MANIFEST.replace("ADDRESS", &address)).expect("written");
        let definition = definition.replace("ADDRESS", &address);
        let definition = definition.replace("MANIFEST", &manifest.display().to_string());
        Notes { world, vendor, definition }
    }

    fn credentials(&self) -> Credentials {
        self.world.credentials("gateway")
    }

    /// Signs in to the URL, as `loggia auth login` does.
    async fn log_in(&self, user: &str) {
        let client = PreregisteredClient {
            id: CLIENT_ID.to_owned(),
            secret: Some(loggia_auth::secret::Secret::new(CLIENT_SECRET)),
        };
        let options = SignInOptions {
            client: Some(client),
            issuer: Some(format!("http://{}", self.vendor.address)),
            usual_scopes: ["pages.read"].into_iter().collect(),
            ..SignInOptions::default()
        };
        let url = format!("http://{}/mcp", self.vendor.address);
        let credentials = self.credentials();
        let signing_in = credentials.sign_in(&url, options, self.vendor.browser(Some(user)));
        Box::pin(signing_in).await.expect("signed in");
    }

    /// Signs in with a further account, or with a known one again.
    async fn connect(&self, account: &str, user: Option<&str>) -> Result<String, AddError> {
        let context = ConnectorContext::new(self.credentials());
        let directory = ManifestDirectory::embedded();
        let (plan, stored) =
            AddPlan::of_definition("notes", &self.definition, &directory, &context).await.expect("a plan");
        let answers = AddAnswers {
            account: Some(account.to_owned()),
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: ClientSecret::Given(CLIENT_SECRET.parse().expect("a secret")),
            ..stored
        };
        plan.save_account(&answers, &context, Some(self.vendor.browser(user))).await
    }

    /// Serves the connector, whose server is spoken to in this revision.
    async fn serve(&self, version: &str) -> GatewayServer {
        let text = self.definition.replacen("kind", &format!("protocol = \"{version}\"\nkind"), 1);
        let gateway = self.world.builder(&text).serve_added(true).build().await.expect("built");
        gateway.serve("127.0.0.1:0").await.expect("served")
    }

    /// Calls a tool, and returns the text of its result with the users at the server.
    async fn read(&self, client: &Client, account: Option<&str>) -> (String, Vec<String>) {
        self.vendor.callers();
        let mut arguments = json!({ "path": "note.txt" });
        if let Some(account) = account {
            arguments["account"] = account.into();
        }
        let result = client.call_tool("notes_notes_read", arguments).await.expect("a result");
        let text = result.content.iter().filter_map(|block| block.as_text()).collect::<Vec<_>>().join("\n");
        (text, self.vendor.callers())
    }

    /// Calls a tool until this user's token is used.
    async fn read_by(&self, client: &Client, account: Option<&str>, user: &str) {
        let read = async {
            loop {
                let (text, users) = self.read(client, account).await;
                if text.contains(NOTE) && users == [user] {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), read).await.expect(user);
    }
}

/// Returns the description of the argument `account` of a tool; `None` if it has none.
async fn account_argument(client: &Client) -> Option<String> {
    let tools = client.list_all_tools().await.expect("tools");
    let tool = tools.iter().find(|tool| tool.name == "notes_notes_read").expect("listed");
    let schema: Value = serde_json::from_str(tool.input_schema.as_str()).expect("a schema");
    schema["properties"]["account"]["description"].as_str().map(str::to_owned)
}

async fn client(server: &GatewayServer, negotiation: Negotiation) -> Client {
    Client::builder().negotiation(negotiation).cache(false).connect(server.url()).await.expect("connected")
}

/// Each case: the definition of the connector.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_a_remote_server_have_connections_of_their_own() {
    let upstream = World::new();
    let gateway = upstream.builder(NOTES).authorization(false).build().await.expect("built");
    let service = gateway.into_service().await.expect("a service");
    for definition in [
        "[connectors.notes]\nkind = \"manifest\"\nmanifest = \"MANIFEST\"\n",
        "[connectors.notes]\nkind = \"remote\"\nurl = \"http://ADDRESS/mcp\"\nissuer = \"http://ADDRESS\"\n",
    ] {
        let notes = Notes::new(service.router(), definition).await;
        notes.log_in("Ada").await;
        let declined = notes.connect("home", None).await.expect_err("the user declines");
        assert!(matches!(declined, AddError::SignIn { .. }), "{declined}");
        assert!(notes.credentials().accounts(None).await.expect("read").is_empty(), "{definition}");
        assert_eq!(notes.connect("home", Some("Bob")).await.expect("connected"), "home");
        let accounts = notes.credentials().accounts(Some("notes")).await.expect("read");
        let accounts: Vec<(&str, bool)> =
            accounts.iter().map(|account| (account.name.as_str(), account.is_default)).collect();
        assert_eq!(accounts, [("default", true), ("home", false)], "{definition}");

        for version in ["2026-07-28", "2025-11-25"] {
            let server = notes.serve(version).await;
            for negotiation in [Negotiation::Auto, Negotiation::Legacy] {
                let client = client(&server, negotiation).await;
                let described = account_argument(&client).await;
                let expected = "The account to use: default (default), home";
                assert_eq!(described.as_deref(), Some(expected), "{version}");
                // Each case: the account, a part of the result, and the user at the server.
                for (account, expected, user) in [
                    (None, NOTE, Some("Ada")),
                    (Some("home"), NOTE, Some("Bob")),
                    (Some("default"), NOTE, Some("Ada")),
                    (Some("work"), "The accounts are: default, home.", None),
                ] {
                    let (text, users) = notes.read(&client, account).await;
                    assert!(text.contains(expected), "{version} {account:?}: {text}");
                    assert_eq!(users, Vec::from_iter(user), "{version} {account:?}");
                }
                client.close().await;
            }
            server.stop().await.expect("stopped");
        }
    }
    service.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_a_remote_server_dies_is_connected_again_and_removed() {
    let upstream = World::new();
    let gateway = upstream.builder(NOTES).authorization(false).build().await.expect("built");
    let service = gateway.into_service().await.expect("a service");
    let definition = "[connectors.notes]\nkind = \"manifest\"\nmanifest = \"MANIFEST\"\n";
    let notes = Notes::new(service.router(), definition).await;
    notes.log_in("Ada").await;
    notes.connect("home", Some("Bob")).await.expect("connected");
    let server = notes.serve("2026-07-28").await;
    let client = client(&server, Negotiation::Auto).await;
    notes.read_by(&client, Some("home"), "Bob").await;

    notes.vendor.revoke_user("Bob");
    for _ in 0..2 {
        let (text, users) = notes.read(&client, Some("home")).await;
        assert!(text.contains("The account \"home\" of \"notes\" cannot be used"), "{text}");
        assert!(users.is_empty(), "another account was used: {users:?}");
    }
    let (text, _) = notes.read(&client, Some("home")).await;
    assert!(text.contains("`loggia accounts reconnect notes --account \"home\"` signs in again"), "{text}");
    notes.read_by(&client, None, "Ada").await;

    assert_eq!(notes.connect("home", Some("Bob")).await.expect("connected"), "home");
    notes.read_by(&client, Some("home"), "Bob").await;
    notes.credentials().set_default_account("notes", "home").await.expect("set");
    notes.read_by(&client, None, "Bob").await;
    notes.credentials().rename_account("notes", "default", "work").await.expect("renamed");
    notes.read_by(&client, Some("work"), "Ada").await;
    assert!(notes.credentials().remove_account("notes", "home").await.expect("removed"));
    notes.read_by(&client, None, "Ada").await;
    assert_eq!(account_argument(&client).await, None, "there is one account");
    server.stop().await.expect("stopped");
    service.shut_down().await;
}
