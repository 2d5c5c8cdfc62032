//! Users sign in to an API while its connector is added; its accounts are renewed, die and are connected again.

mod server_accounts;
mod vendor;

use std::time::Duration;

use loggia::client::Client;
use loggia_connect::manifest::ManifestDirectory;
use loggia_gateway::add::{AddAnswers, AddError, AddPlace, AddPlan, AddSource, AddedReport, ClientSecret};
use loggia_gateway::{ConnectorContext, Credentials, GatewayServer};
use serde_json::{Value, json};

use crate::world::{NOTES, World};
use vendor::{CLIENT_ID, CLIENT_SECRET, Vendor};

/// A connector of the vendor, with its own place for definitions and credentials.
struct Acme {
    world: World,
    vendor: Vendor,
    manifest: String,
}

impl Acme {
    async fn new(write_scopes: &str) -> Acme {
        let (world, vendor) = (World::new(), Vendor::start().await);
        let path = world.path().join("acme.toml");
        let address = vendor.address;
        let text = format!(
            r#"
            name = "acme"
            title = "Acme"
            version = "1.0.0"
            description = "Pages of an Acme workspace."
            [[backends]]
            name = "api"
            kind = "openapi"
            base_url = "http://{address}/v1"
            [backends.auth]
            class = "preregistered"
            authorization_endpoint = "http://{address}/authorize"
            token_endpoint = "http://{address}/token"
            authorize_params = {{ access_type = "offline" }}
            value = "Bearer ${{credential}}"
            read_scopes = ["pages.read"]
            write_scopes = [{write_scopes}]
            steps = [{{ text = "Create an OAuth client.", link = "https://acme.example/clients" }}]
            [backends.network]
            allow = ["127.0.0.1"]
            [backends.health]
            tool = "whoami"
            account = ".name"
            [[backends.tools]]
            name = "whoami"
            title = "Who am I"
            description = "Returns the user."
            class = "read"
            request = "GET /me"
            "#
        );
        std::fs::write(&path, text).expect("written");
        Acme { manifest: path.display().to_string(), world, vendor }
    }

    fn credentials(&self) -> Credentials {
        self.world.credentials("gateway")
    }

    fn context(&self) -> ConnectorContext {
        ConnectorContext::new(self.credentials())
    }

    async fn plan(&self) -> AddPlan {
        let directory = ManifestDirectory::embedded();
        let source = AddSource::parse(&self.manifest, &directory, &self.credentials()).await;
        AddPlan::new(source.expect("a source"), None, None).expect("a plan")
    }

    async fn add(&self, answers: AddAnswers, user: Option<&str>) -> Result<AddedReport, AddError> {
        let place = AddPlace::of(None, &self.credentials()).unwrap_or_else(|error| panic!("{error}"));
        let browser = self.vendor.browser(user);
        self.plan().await.finish(answers, &place, &self.context(), Some(browser)).await
    }

    /// Signs in again, or with a further account, with the client of the others.
    async fn connect(&self, account: Option<&str>, user: Option<&str>) -> Result<String, AddError> {
        let [definition] = &self.definitions().await[..] else { panic!("one definition") };
        let directory = ManifestDirectory::embedded();
        let plan = AddPlan::of_definition("acme", definition, &directory, &self.context()).await;
        let (plan, stored) = plan.expect("a plan");
        let answers = AddAnswers { account: account.map(str::to_owned), ..stored };
        plan.save_account(&answers, &self.context(), Some(self.vendor.browser(user))).await
    }

    async fn definitions(&self) -> Vec<String> {
        let place = AddPlace::of(None, &self.credentials()).unwrap_or_else(|error| panic!("{error}"));
        let added = place.database().list().await.unwrap_or_else(|error| panic!("{error}"));
        added.into_iter().map(|added| added.definition).collect()
    }

    async fn serve(&self) -> (GatewayServer, Client) {
        let [definition] = &self.definitions().await[..] else { panic!("one definition") };
        let gateway = self.world.builder(definition).serve_added(true).build().await.expect("built");
        let server = gateway.serve("127.0.0.1:0").await.expect("served");
        let client = Client::connect(server.url()).await.expect("it connects");
        (server, client)
    }
}

fn answers(secret: &str) -> AddAnswers {
    AddAnswers {
        client_id: Some(CLIENT_ID.to_owned()),
        client_secret: ClientSecret::Given(secret.parse().expect("a secret")),
        ..AddAnswers::default()
    }
}

async fn whoami(client: &Client, arguments: Value) -> String {
    let result = client.call_tool("acme_whoami", arguments).await.expect("a result");
    result.content.iter().filter_map(|block| block.as_text()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_plan_asks_for_a_client_with_the_steps_to_it() {
    let acme = Acme::new("\"pages.write\"").await;
    let plan = acme.plan().await;
    let text = plan.to_string();
    for line in [
        "  may read      pages.read",
        "  may write     pages.write",
        "  needs         a sign-in, in your browser",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let mut answers = AddAnswers::default();
    let missing: Vec<String> = plan.missing(&answers).iter().map(ToString::to_string).collect();
    assert_eq!(
        missing,
        [
            "--client-id ID: Client ID (the redirect URL is http://127.0.0.1:14000/callback)\n  \
             1. Create an OAuth client. https://acme.example/clients",
            "--client-secret env:NAME: Client secret (empty if the client has none)",
        ]
    );
    assert_eq!(plan.redirect_port(), 14000);
    // Each answer, and the fields that are missing after it.
    for (field, text, left) in
        [("client_id", " ", 2), ("client_id", "abc", 1), ("client_secret", "", 0), ("client_secret", "s", 0)]
    {
        let answered = plan.answer(&mut answers, field, text);
        assert_eq!((answered.is_err(), plan.missing(&answers).len()), (left == 2, left), "{field} {text:?}");
    }
    assert_eq!(answers.client_secret, ClientSecret::Given("s".parse().expect("a secret")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_while_the_connector_is_added() {
    let acme = Acme::new("\"pages.write\"").await;
    let report = acme.add(answers(CLIENT_SECRET), Some("Ada")).await.expect("it is added");
    assert_eq!((report.account.as_deref(), report.is_checked), (Some("Ada"), true));
    assert_eq!(report.scopes, ["pages.read", "pages.write"]);
    let page = acme.vendor.last_page();
    assert_eq!((page["access_type"].as_str(), page["scope"].as_str()), ("offline", "pages.read pages.write"));
    let definition = acme.definitions().await.concat();
    assert!(!definition.contains(CLIENT_ID) && !definition.contains("credential"), "{definition}");

    let (server, client) = acme.serve().await;
    assert!(whoami(&client, json!({})).await.contains("Ada"));
    assert_eq!(acme.vendor.renewals(), 0);
    // A token that is revoked early is renewed once, however many calls find out.
    acme.vendor.revoke(false);
    let calls = (0..8).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { whoami(&client, json!({})).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let said = call.await.expect("it ends");
        assert!(said.contains("Ada"), "{said}");
    }
    assert_eq!(acme.vendor.renewals(), 1);
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_account_says_so_until_it_is_connected_again() {
    let acme = Acme::new("\"pages.write\"").await;
    acme.add(answers(CLIENT_SECRET), Some("Ada")).await.expect("it is added");
    let (server, client) = acme.serve().await;
    acme.vendor.revoke(true);
    for _ in 0..2 {
        let said = whoami(&client, json!({})).await;
        let expected =
            ["the account \"Ada\" of acme has ended", "`loggia accounts reconnect acme --account \"Ada\"`"];
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
    }
    assert_eq!(acme.vendor.renewals(), 1, "a dead refresh token is tried once");
    assert_eq!(acme.connect(Some("Ada"), Some("Ada")).await.expect("connected"), "Ada");
    let connected = async {
        while !whoami(&client, json!({})).await.contains("{\"name\":\"Ada\"}") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), connected).await.expect("it is used");

    acme.vendor.refuse_all();
    let said = whoami(&client, json!({})).await;
    assert!(said.contains("refuses the account \"Ada\" of acme, also with a new token"), "{said}");
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_have_tokens_of_their_own() {
    let acme = Acme::new("\"pages.write\"").await;
    acme.add(answers(CLIENT_SECRET), Some("Ada")).await.expect("it is added");
    assert_eq!(acme.connect(None, Some("Bob")).await.expect("connected"), "Bob");
    let (server, client) = acme.serve().await;
    for round in 0..2 {
        for (arguments, expected) in
            [(json!({}), "Ada"), (json!({ "account": "Ada" }), "Ada"), (json!({ "account": "Bob" }), "Bob")]
        {
            let said = whoami(&client, arguments.clone()).await;
            assert!(said.contains(&format!("{{\"name\":\"{expected}\"}}")), "{round} {arguments}: {said}");
        }
        acme.vendor.revoke(false);
    }
    assert_eq!(acme.vendor.renewals(), 2);
    assert_eq!(acme.credentials().remove_accounts("acme").await.expect("removed"), 2);
    server.stop().await.expect("stopped");
}

/// Each case: the write scopes of the manifest, the answers, the user, and parts of the error and the next step.
#[tokio::test]
async fn a_sign_in_that_fails_leaves_nothing() {
    let known = "\"pages.write\"";
    for (scopes, answers, user, expected, next) in [
        (known, answers(CLIENT_SECRET), None, "declined", ""),
        (known, answers("wrong"), Some("Ada"), "invalid_client", "compare the client ID"),
        (
            "\"pages.admin\"",
            answers(CLIENT_SECRET),
            Some("Ada"),
            "invalid_scope",
            "--read-only asks for fewer",
        ),
        (known, AddAnswers::default(), Some("Ada"), "--client-id ID", ""),
    ] {
        let acme = Acme::new(scopes).await;
        let error = acme.add(answers, user).await.map(drop).expect_err(expected);
        let step = error.next_step().unwrap_or_default();
        assert!(error.to_string().contains(expected) && step.contains(next), "{expected}: {error}; {step}");
        assert!(acme.definitions().await.is_empty(), "{expected}");
        assert!(acme.credentials().accounts(None).await.expect("read").is_empty(), "{expected}");
    }
    let acme = Acme::new("\"pages.admin\"").await;
    let read_only = AddAnswers { is_read_only: true, ..answers(CLIENT_SECRET) };
    let report = acme.add(read_only, Some("Ada")).await.expect("it is added");
    assert_eq!(
        (report.scopes, acme.vendor.last_page()["scope"].as_str()),
        (vec!["pages.read".to_owned()], "pages.read")
    );

    let acme = Acme::new(known).await;
    let place = AddPlace::of(None, &acme.credentials()).unwrap_or_else(|error| panic!("{error}"));
    let finished = acme.plan().await.finish(answers(CLIENT_SECRET), &place, &acme.context(), None).await;
    assert!(matches!(finished, Err(AddError::BrowserNeeded(_))), "{finished:?}");
}

/// The server names no authorization server, and the authorization server no registration endpoint: the manifest does. Each
/// case: the class, further keys, and the answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_to_a_server_with_the_facts_of_its_manifest() {
    let upstream = World::new();
    let gateway = upstream.builder(NOTES).authorization(false).build().await.expect("built");
    let service = gateway.into_service().await.expect("a service");
    for (class, register_at, given) in [
        ("preregistered", "", answers(CLIENT_SECRET)),
        ("dynamic_registration", "register_at = \"http://ADDRESS/register\"", AddAnswers::default()),
    ] {
        let vendor = Vendor::start_with(service.router()).await;
        let world = World::new();
        let manifest = world.path().join("notes.toml");
        let text = format!(
            r#"
            name = "notes"
            title = "Notes"
            version = "1.0.0"
            description = "Notes of a team."
            [[backends]]
            kind = "remote"
            url = "http://ADDRESS/mcp"
            [backends.auth]
            class = "{class}"
            issuer = "http://ADDRESS"
            resource = "https://notes.example/v2"
            read_scopes = ["pages.read"]
            write_scopes = ["pages.write"]
            {register_at}
            "#
        );
        let text = text.replace("ADDRESS", &vendor.address.to_string());
        std::fs::write(&manifest, text).expect("written");
        let acme = Acme { manifest: manifest.display().to_string(), world, vendor };
        assert_eq!(acme.plan().await.missing(&AddAnswers::default()).is_empty(), !register_at.is_empty());
        let report = acme.add(given, Some("Ada")).await.expect(class);
        assert_eq!(report.scopes, ["pages.read", "pages.write"], "{class}");
        assert!(report.tools.iter().any(|tool| tool == "notes_read"), "{:?}", report.tools);
        let page = acme.vendor.last_page();
        assert_eq!(
            (page["client_id"].as_str(), page["resource"].as_str()),
            (CLIENT_ID, "https://notes.example/v2")
        );
        // A token that is revoked early is renewed, although the server names no authorization server.
        let (server, client) = acme.serve().await;
        for renewals in 0..2 {
            let result = client.call_tool("notes_notes_read", json!({ "path": "note.txt" })).await;
            let result = result.expect("a result");
            assert_ne!(result.is_error, Some(true), "{class} {renewals}: {result:?}");
            assert_eq!(acme.vendor.renewals(), renewals, "{class}");
            acme.vendor.revoke(false);
        }
        server.stop().await.expect("stopped");
        assert!(acme.plan().await.missing(&AddAnswers::default()).is_empty(), "the user is signed in");
    }
    service.shut_down().await;
}

/// A token that the user enters takes the place of a sign-in, and is not renewed.
#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_can_be_entered() {
    let acme = Acme::new("\"pages.write\"").await;
    let credential = Some("token-1".parse().expect("a token"));
    let entered = AddAnswers { credential, is_checked: false, ..AddAnswers::default() };
    let report = acme.add(entered, None).await.expect("it is added");
    assert_eq!((report.account.as_deref(), report.scopes.len()), (Some("default"), 0));
    let (server, client) = acme.serve().await;
    let said = whoami(&client, json!({})).await;
    assert!(said.contains("no such token"), "{said}");
    assert_eq!(acme.vendor.renewals(), 0);
    server.stop().await.expect("stopped");
}
