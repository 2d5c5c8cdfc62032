//! Changes of the configuration file while the gateway runs and clients call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use loggia::changes::Change;
use loggia::client::{Client, Negotiation, Subscription};
use loggia::model::SubscriptionFilter;
use loggia::wire::Version;
use loggia_auth::keys::NewApiKey;
use loggia_gateway::{
    ConfigChange, ConfigSource, ConnectorContext, ConnectorDatabase, Gateway, GatewayConfig, GatewayError,
    GatewayObserver, Redactor, VaultLocation, api_keys,
};
use loggia_store::{AddedConnector, AddedConnectors};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, watch};

use crate::world::{NOTES, World};

/// The longest time for a change to arrive; reached only if the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends what the gateway reports, as text.
struct Reports(UnboundedSender<String>);

impl GatewayObserver for Reports {
    fn config_changed(&self, change: &ConfigChange) {
        let _ = self.0.send(change.to_string());
    }

    fn config_refused(&self, source: &ConfigSource, error: &GatewayError) {
        let next_step = error.next_step().map(|step| format!("; {step}")).unwrap_or_default();
        let _ = self.0.send(format!("{source} refused: {error}{next_step}"));
    }
}

/// Starts a gateway whose configuration is read from a file with this text.
async fn start(world: &World, text: &str) -> (loggia_gateway::GatewayServer, UnboundedReceiver<String>) {
    write(world, text);
    let config =
        GatewayConfig::read(&world.path().join("loggia.toml"), &Redactor::default()).expect("a file");
    let (sender, reports) = unbounded_channel();
    let gateway = Gateway::builder(config)
        .connector_context(ConnectorContext::new(world.credentials("gateway")))
        .observer(Reports(sender))
        .serve_added(true);
    let server = gateway.build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    (server, reports)
}

/// Replaces the file at once, as editors do.
fn write(world: &World, text: &str) {
    let next = world.path().join("next");
    std::fs::write(&next, text).expect("written");
    std::fs::rename(next, world.path().join("loggia.toml")).expect("renamed");
}

async fn report(world: &World, reports: &mut UnboundedReceiver<String>) -> String {
    let report = tokio::time::timeout(PATIENCE, reports.recv()).await.expect("a report").expect("a gateway");
    report.replace(&format!("{}/", world.path().display()), "")
}

/// Reads the note through each connector that stays, again and again, and counts the calls.
struct Caller {
    client: Client,
    calls: watch::Sender<usize>,
    changes: Mutex<Subscription>,
}

impl Caller {
    async fn connect(url: &str, version: Version) -> Caller {
        let client = Client::builder().negotiation(Negotiation::Fixed(version));
        let client = client.connect(url).await.expect("connected");
        let filter = SubscriptionFilter { tools_list_changed: Some(true), ..SubscriptionFilter::default() };
        let changes = Mutex::new(client.listen(filter).await.expect("a subscription"));
        Caller { client, calls: watch::Sender::new(0), changes }
    }

    async fn run(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            for tool in ["notes_read", "kept_read"] {
                let result = self.client.call_tool(tool, json!({ "path": "note.txt" })).await;
                let result = result.expect("calls on a connector that stays do not fail");
                assert_ne!(result.is_error, Some(true), "{tool}: {result:?}");
                self.calls.send_modify(|calls| *calls += 1);
            }
        }
    }

    /// Takes the changes that were heard until now.
    async fn forget_changes(&self) {
        let mut changes = self.changes.lock().await;
        while tokio::time::timeout(Duration::ZERO, changes.next()).await.is_ok() {}
    }

    /// Waits until the client has heard of a change, and until exactly these tools of `other` are listed.
    async fn hears(&self, expected: &[&str]) {
        let mut changes = self.changes.lock().await;
        loop {
            assert_eq!(changes.next().await, Some(Change::Tools));
            if self.others().await == expected {
                return;
            }
        }
    }

    /// Returns those of the tools `other_read` and `other_delete` that are listed.
    async fn others(&self) -> Vec<&'static str> {
        let tools = self.client.list_all_tools().await.expect("a list");
        let is_listed = |name: &&str| tools.iter().any(|tool| tool.name == *name);
        ["other_read", "other_delete"].into_iter().filter(is_listed).collect()
    }

    /// Waits until the client has called each connector once more: one call may have begun before.
    async fn calls_again(&self) {
        let mut calls = self.calls.subscribe();
        let goal = *calls.borrow() + 3;
        calls.wait_for(|calls| *calls >= goal).await.expect("the caller lives");
    }
}

/// A change of the configuration.
enum ConfigWrite {
    /// The whole text of the file.
    File(String),
    /// A section with these options, added to the database.
    Add(&'static str),
    /// Other options of that section.
    Replace(&'static str),
    /// Removal from the database.
    Remove,
}

impl ConfigWrite {
    async fn apply(self, world: &World, added: &AddedConnectors) {
        let is_done = match self {
            ConfigWrite::File(text) => {
                write(world, &text);
                true
            }
            ConfigWrite::Add(options) => added.add("other", &other(options), None).await.expect("written"),
            ConfigWrite::Replace(options) => {
                let stored = added.get("other").await.expect("read").expect("added");
                added.replace("other", &other(options), stored.revision).await.expect("written")
            }
            ConfigWrite::Remove => added.remove("other").await.expect("written"),
        };
        assert!(is_done);
    }
}

fn other(options: &str) -> String {
    format!("[connectors.other]\nkind = \"builtin\"\nname = \"files\"\n{options}")
}

/// Each step: the change, the beginning of its report, and the tools of `other` then; `None` if no client may hear of a change.
fn steps() -> Vec<(ConfigWrite, &'static str, Option<&'static [&'static str]>)> {
    let with_other = |options: &str| ConfigWrite::File(format!("{NOTES}{}", other(options)));
    let writing = "options = { write = true }\n";
    let all: &[&str] = &["other_read", "other_delete"];
    let stays = "loggia.toml changed; the connection of each of the 2 connectors stays; [server] takes effect at the next start";
    vec![
        (with_other(""), "loggia.toml changed; added: other", Some(&["other_read"])),
        (with_other(writing), "loggia.toml changed; changed: other", Some(all)),
        (
            with_other("options = { write = true }\nkind = 1\n"),
            "loggia.toml refused: loggia.toml:8:1: ",
            None,
        ),
        (ConfigWrite::File(NOTES.to_owned()), "loggia.toml changed; removed: other", Some(&[])),
        (ConfigWrite::Add(""), "the list of added connectors changed; added: other", Some(&["other_read"])),
        (ConfigWrite::Replace(writing), "the list of added connectors changed; changed: other", Some(all)),
        (ConfigWrite::Remove, "the list of added connectors changed; removed: other", Some(&[])),
        (ConfigWrite::File(format!("[server]\npath = \"/elsewhere\"\n{NOTES}")), stays, None),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_come_change_and_go_under_load() {
    let world = World::new();
    let (server, mut reports) = start(&world, NOTES).await;
    let file = world.path().join("loggia.toml");
    let database = ConnectorDatabase::of(&VaultLocation::File, &world.credentials("gateway"), Some(&file));
    let added = database.expect("a place").open().await.expect("opened");
    let kept = "[connectors.kept]\nkind = \"builtin\"\nname = \"files\"\n";
    assert!(added.add("kept", kept, None).await.expect("written"));
    let expected = "the list of added connectors changed; added: kept";
    assert!(report(&world, &mut reports).await.starts_with(expected));
    let mut callers = Vec::new();
    for version in [Version::V2026_07_28, Version::V2025_11_25, Version::V2025_03_26] {
        callers.push(Arc::new(Caller::connect(server.url(), version).await));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = callers
        .iter()
        .map(|caller| {
            let (caller, stop) = (caller.clone(), stop.clone());
            tokio::spawn(async move { caller.run(&stop).await })
        })
        .collect();
    for (change, expected, tools) in steps() {
        for caller in &callers {
            let is_called = caller.calls_again();
            tokio::time::timeout(PATIENCE, is_called).await.expect("each client calls before the change");
            caller.forget_changes().await;
        }
        change.apply(&world, &added).await;
        let report = report(&world, &mut reports).await;
        assert!(report.starts_with(expected), "{report}");
        for caller in &callers {
            if let Some(tools) = tools {
                let is_heard = caller.hears(tools);
                tokio::time::timeout(PATIENCE, is_heard).await.expect("each client hears of the change");
            }
            let is_called = caller.calls_again();
            tokio::time::timeout(PATIENCE, is_called).await.expect("each client calls after the change");
        }
    }
    for caller in &callers {
        assert_eq!(caller.others().await, [""; 0]);
    }
    stop.store(true, Ordering::SeqCst);
    for task in load {
        task.await.expect("no call failed");
    }
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn added_connectors_are_served_beside_the_file() {
    let world = World::new();
    let (server, mut reports) = start(&world, NOTES).await;
    let file = world.path().join("loggia.toml");
    let database = ConnectorDatabase::of(&VaultLocation::File, &world.credentials("gateway"), Some(&file));
    let database = database.expect("a place");
    assert_eq!(database.list().await.expect("read"), [], "nothing was added, and nothing is created");
    let added = database.open().await.expect("opened");
    let files = "kind = \"builtin\"\nname = \"files\"\n";
    // Each step: the name, the section, and the report; an empty section removes the connector.
    let steps = [
        (
            "other",
            format!("[connectors.other]\n{files}"),
            "the list of added connectors changed; added: other",
        ),
        (
            "notes",
            format!("[connectors.notes]\n{files}"),
            "the list of added connectors refused: the connector \"notes\" is declared twice: in loggia.toml and by `loggia \
             add`; remove one of them: the section [connectors.notes] in the file, or `loggia connectors remove notes`",
        ),
        ("notes", String::new(), "the list of added connectors changed; the connection of each of the 2"),
        (
            "bad",
            "[connectors.bad]\nkind = \"bulitin\"\n".to_owned(),
            "the list of added connectors changed; added: bad",
        ),
        // It does not stand in the way of other changes.
        (
            "third",
            format!("[connectors.third]\n{files}"),
            "the list of added connectors changed; added: third",
        ),
        ("third", String::new(), "the list of added connectors changed; removed: third"),
        ("bad", String::new(), "the list of added connectors changed; removed: bad"),
        ("other", String::new(), "the list of added connectors changed; removed: other"),
    ];
    for (name, section, expected) in steps {
        match section.is_empty() {
            true => assert!(added.remove(name).await.expect("written"), "{name}"),
            false => assert!(added.add(name, &section, None).await.expect("written"), "{name}"),
        }
        let report = report(&world, &mut reports).await;
        assert!(report.starts_with(expected), "{report}");
    }
    let context = ConnectorContext::new(world.credentials("gateway"));
    let wrong = [AddedConnector {
        name: "bad".to_owned(),
        definition: "[connectors.bad]\nkind = \"bulitin\"\n".to_owned(),
        pins: None,
        revision: 1,
    }];
    let config =
        world.config(NOTES).expect("a file").with_added(&wrong, &Redactor::default()).expect("served");
    let gateway = Gateway::builder(config).connector_context(context).build().await.expect("built");
    let other = gateway.serve("127.0.0.1:0").await.expect("served");
    let mut statuses = other.hub().watch();
    let failed = loop {
        let all = statuses.borrow_and_update().clone();
        if let Some(failed) = all.iter().find(|one| one.state_name() == "failed") {
            break failed.clone();
        }
        statuses.changed().await.expect("the gateway runs");
    };
    let reason = failed.last_error.as_deref().unwrap_or_default().to_owned();
    assert!(reason.contains("the added connector bad:2:8: "), "{reason}");
    assert!(reason.ends_with("`loggia connectors remove bad` removes it"), "{reason}");
    other.stop().await.expect("stopped");
    server.stop().await.expect("stopped");
}

/// A rule for resources also holds for a connector that is added while the gateway runs.
#[tokio::test(flavor = "multi_thread")]
async fn rules_for_resources_hold_for_added_connectors() {
    let world = World::new();
    std::fs::create_dir(world.path().join("secret")).expect("created");
    std::fs::write(world.path().join("secret/plan.txt"), "between us").expect("written");
    let server = "[server.auth]\nenabled = true\n[server.auth.scopes]\nresources = { \"file:///secret/*\" = \"secret\" }\n";
    let (gateway, mut reports) = start(&world, &format!("{server}{NOTES}")).await;
    let config = world.config(&format!("{server}{NOTES}")).expect("a configuration");
    let vault = VaultLocation::File.open(&world.credentials("gateway"), &config.server().vault_key).await;
    let key = NewApiKey {
        subject: "ada".to_owned(),
        label: String::new(),
        scopes: config.server().auth.clone().unwrap_or_default().scopes.required,
        expires: None,
    };
    let (_, secret) = api_keys(&vault.expect("a vault")).create(key, SystemTime::now()).await.expect("a key");
    let value: http::HeaderValue = format!("Bearer {}", secret.expose()).parse().expect("a header");
    let client = Client::builder().header(http::header::AUTHORIZATION, value);
    let client = client.connect(gateway.url()).await.expect("connected");
    write(&world, &format!("{server}{NOTES}[connectors.other]\nkind = \"builtin\"\nname = \"files\"\n"));
    assert_eq!(report(&world, &mut reports).await, "loggia.toml changed; added: other");
    for connector in ["notes", "other"] {
        let note = client.read_resource(format!("{connector}+file:///note.txt")).await;
        assert!(note.is_ok(), "{connector}: {note:?}");
        let plan = client.read_resource(format!("{connector}+file:///secret/plan.txt")).await;
        let refused = plan.expect_err("the key lacks the scope").to_string();
        assert!(refused.contains("scope"), "{connector}: {refused}");
    }
    gateway.stop().await.expect("stopped");
}

/// A manifest changes without a change of the configuration. Each step: a change of the manifests, the report, and the title of
/// the tool then.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_manifest_is_applied() {
    let world = World::new();
    let (configured, usual) = (world.path().join("connectors"), world.path().join("gateway/connectors"));
    for folder in [&configured, &usual] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    let (file, other) = (configured.join("acme.toml"), usual.join("acme.toml"));
    let manifest = |title: &str| {
        format!(
            "name = \"acme\"\ntitle = \"Acme\"\nversion = \"1.0.0\"\ndescription = \"Files.\"\n[[backends]]\n\
             kind = \"builtin\"\nbuiltin = \"files\"\n[[backends.tools]]\nname = \"read\"\ntitle = \"{title}\"\n"
        )
    };
    let write = |path: &std::path::Path, text: String| std::fs::write(path, text).expect("written");
    write(&file, manifest("Read"));
    let config =
        "manifests = [\"./connectors\"]\n[connectors.acme]\nkind = \"manifest\"\nmanifest = \"acme\"\n";
    let (server, mut reports) = start(&world, config).await;
    let client = Client::builder().cache(false).connect(server.url()).await.expect("connected");
    let title = async || {
        let tools = client.list_all_tools().await.expect("a list");
        tools.into_iter().find(|tool| tool.name == "acme_read").expect("listed").title
    };
    assert_eq!(title().await.as_deref(), Some("Read"));
    write(&file, manifest("Open"));
    assert_eq!(report(&world, &mut reports).await, "connectors/acme.toml changed; changed: acme");
    assert_eq!(title().await.as_deref(), Some("Open"));
    write(&file, manifest("Broken").replace("title", "titel"));
    let refused = report(&world, &mut reports).await;
    assert!(refused.starts_with("connectors/acme.toml refused: ") && refused.contains("titel"), "{refused}");
    assert_eq!(title().await.as_deref(), Some("Open"), "a broken manifest changes nothing");
    write(&file, manifest("Again"));
    assert_eq!(report(&world, &mut reports).await, "connectors/acme.toml changed; changed: acme");
    assert_eq!(title().await.as_deref(), Some("Again"));
    write(&other, manifest("Other"));
    let refused = report(&world, &mut reports).await;
    let both = "connectors/acme.toml and gateway/connectors/acme.toml: rename";
    assert!(
        refused.starts_with("gateway/connectors/acme.toml refused: ") && refused.contains(both),
        "{refused}"
    );
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(report(&world, &mut reports).await, "connectors/acme.toml changed; changed: acme");
    assert_eq!(title().await.as_deref(), Some("Other"));
    server.stop().await.expect("stopped");
}
