//! Connectors to which everybody signs in for themselves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::join_all;
use loggia::changes::{Change, ChangeSubscription};
use loggia::client::{Client, ClientBuilder};
use loggia::exchange::Exchange;
use loggia::model::{ElicitAction, ElicitResult, Implementation, SubscriptionFilter};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Request};
use loggia::wire::{RpcError, Version};
use loggia::{Error, Service};
use loggia_hub::{
    Connector, ConnectorSetChange, ConnectorSetError, Hub, HubLimits, HubMemory, Opened, People,
};
use serde_json::json;

use crate::fixture::{ERAS, Upstream, builder, limits, pairs, text};

/// The text for a user who has not signed in, if the client cannot be asked.
const TOLD: &str = "failed: You have to sign in to \"up\" first: open https://hub.example/connect/up?for=ada in your \
    browser, sign in there, and then call this again. The link is for you alone, and works once.";

/// People, each with an account of their own at the upstream.
struct Accounts {
    version: Version,
    upstreams: HashMap<&'static str, Arc<Upstream>>,
    signed_in: Mutex<Vec<String>>,
    open: Mutex<HashMap<String, Vec<Client>>>,
    invited: AtomicUsize,
    /// True if the upstream does not answer.
    silent: AtomicBool,
}

impl Accounts {
    fn new(version: Version, signed_in: &[&str]) -> Arc<Accounts> {
        Arc::new(Accounts {
            version,
            upstreams: [("ada", Upstream::new()), ("bob", Upstream::new())].into(),
            signed_in: Mutex::new(signed_in.iter().map(|name| (*name).to_owned()).collect()),
            open: Mutex::default(),
            invited: AtomicUsize::new(0),
            silent: AtomicBool::new(false),
        })
    }

    fn signed_in(&self) -> MutexGuard<'_, Vec<String>> {
        self.signed_in.lock().expect("not poisoned")
    }

    fn calls(&self, person: &str) -> usize {
        self.upstreams[person].calls.load(Ordering::SeqCst)
    }

    /// Returns the number of connections that were opened for a user.
    fn opened(&self, person: &str) -> usize {
        self.open.lock().expect("not poisoned").get(person).map_or(0, Vec::len)
    }

    /// Returns the last connection that was opened for a user.
    fn last(&self, person: &str) -> Client {
        self.open.lock().expect("not poisoned")[person].last().expect("one was opened").clone()
    }
}

impl People for Accounts {
    fn person(&self, principal: &Principal) -> String {
        principal.subject.clone()
    }

    fn open<'a>(
        &'a self,
        client: ClientBuilder,
        person: &'a str,
    ) -> BoxFuture<'a, loggia::Result<Option<Opened>>> {
        Box::pin(async move {
            if !self.signed_in().iter().any(|known| known == person) {
                return Ok(None);
            }
            if self.silent.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            let service: Arc<dyn Service> = self.upstreams[person].clone();
            let client = client.version(self.version).connect(service).await?;
            self.open
                .lock()
                .expect("not poisoned")
                .entry(person.to_owned())
                .or_default()
                .push(client.clone());
            Ok(Some(Opened::Client(client)))
        })
    }

    fn sign_in_url<'a>(&'a self, person: &'a str) -> BoxFuture<'a, loggia::Result<String>> {
        self.invited.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(format!("https://hub.example/connect/up?for={person}")) })
    }
}

fn connector(accounts: &Arc<Accounts>) -> Connector {
    let nobody = |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        Box::pin(async { Err(Error::Connection("nobody's connection was opened".to_owned())) })
    };
    Connector::new("up", nobody).people(accounts.clone())
}

fn start(connector: Connector, limits: HubLimits) -> Arc<Hub> {
    Hub::start(Implementation::new("hub", "0"), vec![connector], limits).expect("good names")
}

/// The hub, with the principal of a user in each request.
struct As(Arc<Hub>, Option<&'static str>);

impl Service for As {
    fn describe(&self) -> Arc<Description> {
        self.0.describe()
    }

    fn call(&self, request: Request, exchange: Exchange) -> BoxFuture<'_, Outcome> {
        let principal = self.1.map(|name| Principal { subject: name.to_owned(), ..Principal::default() });
        self.0.call(Request { principal: principal.map(Arc::new), ..request }, exchange)
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        principal: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        self.0.listen(filter, principal)
    }
}

async fn client_of(hub: &Arc<Hub>, person: Option<&'static str>, builder: ClientBuilder) -> Client {
    let service: Arc<dyn Service> = Arc::new(As(hub.clone(), person));
    builder.connect(service).await.expect("connects")
}

async fn tools(client: &Client) -> Vec<String> {
    client.list_all_tools().await.expect("a list").into_iter().map(|tool| tool.name).collect()
}

async fn said(client: &Client, tool: &str) -> String {
    match client.call_tool(tool, json!({ "text": "hi" })).await {
        Ok(result) => format!("{}{}", if result.failed() { "failed: " } else { "" }, text(&result)),
        Err(error) => format!("refused: {error}"),
    }
}

#[tokio::test]
async fn everybody_calls_over_a_connection_of_their_own() {
    for (down, up) in pairs() {
        let accounts = Accounts::new(up, &["ada", "bob"]);
        let hub = start(connector(&accounts), limits());
        let ada = client_of(&hub, Some("ada"), builder(down)).await;
        let bob = client_of(&hub, Some("bob"), builder(down)).await;
        // Twenty at once open one connection, before any list was read.
        let all = join_all((0..20).map(|_| said(&ada, "up_echo"))).await;
        assert!(all.iter().all(|said| said == "hi"), "{down} {up}: {all:?}");
        assert_eq!((accounts.calls("ada"), accounts.calls("bob")), (20, 0), "{down} {up}");
        assert_eq!(said(&bob, "up_echo").await, "hi");
        assert_eq!((accounts.calls("ada"), accounts.calls("bob")), (20, 1), "{down} {up}");
        assert_eq!((accounts.opened("ada"), accounts.opened("bob")), (1, 1), "{down} {up}");
        hub.close().await;
    }
}

/// A rule of the gateway judges the name of a tool, so only the name that is listed leads to it. Each line: the
/// prefix, a name, and whether it leads to the tool `echo`.
#[tokio::test]
async fn a_tool_is_reached_only_under_the_name_that_is_listed() {
    for (prefix, name, is_reached) in [
        ("up", "up_echo", true),
        ("up", "echo", false),
        ("docs", "docs_echo", true),
        ("docs", "up_echo", false),
        ("", "echo", true),
        ("", "up_echo", false),
        ("", "sign_in", false),
    ] {
        let accounts = Accounts::new(Version::V2026_07_28, &["ada"]);
        let hub = start(connector(&accounts).prefix(prefix), limits());
        let ada = client_of(&hub, Some("ada"), builder(Version::V2026_07_28)).await;
        let said = said(&ada, name).await;
        assert_eq!(said == "hi", is_reached, "{prefix:?} {name}: {said}");
        assert!(!said.contains("You are signed in"), "{prefix:?} {name}: {said}");
        let sign_in =
            ada.call_tool(if prefix == "docs" { "docs_sign_in" } else { "up_sign_in" }, json!({})).await;
        assert!(sign_in.is_ok_and(|result| text(&result).contains("You are signed in")), "{prefix:?}");
        hub.close().await;
    }
}

#[tokio::test]
async fn who_has_not_signed_in_is_told_where() {
    for (down, up) in pairs() {
        let accounts = Accounts::new(up, &["bob"]);
        let hub = start(connector(&accounts), limits());
        let ada = client_of(&hub, Some("ada"), builder(down)).await;
        for tool in ["up_echo", "up_sign_in"] {
            let said = said(&ada, tool).await;
            assert_eq!(said, TOLD);
        }
        let prompt = ada.get_prompt("up_greet", [("who", "me")]).await;
        assert!(matches!(&prompt, Err(Error::Rpc(e)) if e.message.contains("?for=ada")), "{prompt:?}");
        let nobody = client_of(&hub, None, builder(down)).await;
        assert!(said(&nobody, "up_echo").await.contains("it is not known who you are"));
        assert_eq!(accounts.calls("bob"), 0, "{down} {up}");
        accounts.signed_in().push("ada".to_owned());
        assert_eq!(said(&ada, "up_echo").await, "hi");
        assert_eq!(said(&ada, "up_sign_in").await, "You are signed in to \"up\".");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_can_open_pages_goes_on_when_its_person_has_signed_in() {
    // The columns: the answer of the user; the user then signs in; the result of the call.
    let table = [
        (ElicitAction::Accept, true, "hi"),
        (
            ElicitAction::Accept,
            false,
            "failed: The sign-in to \"up\" is not finished yet. Once it is, call this again.",
        ),
        (ElicitAction::Decline, false, TOLD),
        (ElicitAction::Cancel, false, TOLD),
    ];
    for (down, up) in pairs() {
        for (action, signs_in, expected) in table {
            let accounts = Accounts::new(up, &[]);
            let hub = start(connector(&accounts), limits());
            let (browser, page) = (accounts.clone(), hub.clone());
            let builder = builder(down).on_elicit_url(move |params| {
                assert_eq!(params.url, "https://hub.example/connect/up?for=ada");
                let (browser, page, action) = (browser.clone(), page.clone(), action);
                async move {
                    if signs_in {
                        tokio::spawn(async move {
                            tokio::time::sleep(Duration::from_secs(1)).await;
                            browser.signed_in().push("ada".to_owned());
                            page.signed_in("up", "ada").await;
                        });
                    }
                    Ok(ElicitResult::without_content(action))
                }
            });
            let ada = client_of(&hub, Some("ada"), builder).await;
            assert_eq!(said(&ada, "up_echo").await, expected, "{down} {up}");
            let again = usize::from(expected == TOLD);
            assert_eq!(accounts.invited.load(Ordering::SeqCst), 1 + again, "{down} {up}");
        }
    }
}

/// Lists that depend on the user are not written: the file has only connectors with shared credentials.
#[tokio::test]
async fn lists_of_one_person_are_not_written() {
    let folder = std::env::temp_dir().join(format!("loggia-hub-persons-{}", std::process::id()));
    for version in ERAS {
        let accounts = Accounts::new(version, &["ada"]);
        accounts.upstreams["ada"].tools.lock().expect("not poisoned").push("adas".to_owned());
        let everybodys = crate::fixture::connector("all", &Upstream::new(), version).fingerprint("x");
        let connectors = vec![connector(&accounts).fingerprint("y"), everybodys];
        let (identity, memory) = (Implementation::new("hub", "0"), HubMemory::at(folder.join("lists.json")));
        let hub = Hub::start_with_memory(identity, connectors, limits(), memory).expect("good names");
        hub.tried().await;
        let ada = client_of(&hub, Some("ada"), builder(version)).await;
        assert!(tools(&ada).await.contains(&"up_adas".to_owned()));
        hub.close().await;
        let text = std::fs::read_to_string(folder.join("lists.json")).expect("text");
        assert!(text.contains("\"echo\"") && !text.contains("adas"), "{text}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn everybody_sees_what_is_there_for_them_and_nothing_of_others() {
    for version in ERAS {
        let accounts = Accounts::new(version, &["ada"]);
        accounts.upstreams["bob"].tools.lock().expect("not poisoned").push("bobs".to_owned());
        let hub = start(connector(&accounts).shows(|tool| tool != "fail"), limits());
        let ada = client_of(&hub, Some("ada"), builder(version)).await;
        let bob = client_of(&hub, Some("bob"), builder(version)).await;
        let of_ada = tools(&ada).await;
        for (tool, listed) in
            [("up_echo", true), ("up_sign_in", true), ("up_fail", false), ("up_bobs", false)]
        {
            assert_eq!(of_ada.contains(&tool.to_owned()), listed, "{tool}: {of_ada:?}");
        }
        let prompts = ada.list_all_prompts().await.expect("a list");
        assert_eq!(prompts.iter().map(|prompt| &*prompt.name).collect::<Vec<_>>(), ["up_greet"]);
        let prompt = ada.get_prompt("up_greet", [("who", "me")]).await.expect("a prompt");
        assert!(format!("{prompt:?}").contains("hello me"), "{prompt:?}");
        let resources = ada.list_all_resources().await.expect("a list");
        let uris: Vec<&str> = resources.iter().map(|resource| &*resource.uri).collect();
        assert_eq!(uris, ["up+note:///one", "up+note:///two"]);
        let templates = ada.list_all_resource_templates().await.expect("a list");
        assert_eq!(templates[0].uri_template, "up+note:///by/{name}");
        for uri in ["up+note:///one", "up+note:///by/ada"] {
            let read = ada.read_resource(uri).await.expect("contents");
            assert_eq!(read.contents[0].uri, uri);
        }

        assert_eq!(tools(&bob).await, ["up_sign_in"], "who has not signed in");
        assert!(bob.list_all_prompts().await.expect("a list").is_empty());
        assert!(bob.list_all_resources().await.expect("a list").is_empty());
        assert!(said(&bob, "up_echo").await.contains("?for=bob"));
        assert!(said(&ada, "up_fail").await.contains("Unknown tool: up_fail"));
        let filter = SubscriptionFilter { tools_list_changed: Some(true), ..SubscriptionFilter::default() };
        let mut changes = bob.listen(filter).await.expect("a stream");
        accounts.signed_in().push("bob".to_owned());
        hub.signed_in("up", "bob").await;
        assert_eq!(changes.next().await, Some(Change::Tools));
        let of_bob = tools(&bob).await;
        assert!(
            of_bob.contains(&"up_bobs".to_owned()) && of_bob.contains(&"up_sign_in".to_owned()),
            "{of_bob:?}"
        );
        assert_eq!(tools(&ada).await, of_ada);
    }
}

#[tokio::test(start_paused = true)]
async fn connections_end_when_they_rest_and_when_there_are_too_many() {
    let accounts = Accounts::new(ERAS[0], &["ada", "bob"]);
    let limits = HubLimits { user_connections: 1, ..limits() };
    let hub = start(connector(&accounts), limits.clone());
    let ada = client_of(&hub, Some("ada"), builder(ERAS[0])).await;
    let bob = client_of(&hub, Some("bob"), builder(ERAS[0])).await;
    assert_eq!(said(&ada, "up_echo").await, "hi");
    let first = accounts.last("ada");
    tokio::time::sleep(limits.user_connection_idle / 2).await;
    assert_eq!(said(&ada, "up_echo").await, "hi");
    tokio::time::sleep(limits.user_connection_idle / 2).await;
    assert_eq!((said(&ada, "up_echo").await.as_str(), accounts.opened("ada")), ("hi", 1), "it was used");
    tokio::time::sleep(limits.user_connection_idle * 2).await;
    first.closed().await;
    assert_eq!((said(&ada, "up_echo").await.as_str(), accounts.opened("ada")), ("hi", 2), "it had rested");

    let second = accounts.last("ada");
    assert_eq!(said(&bob, "up_echo").await, "hi");
    second.closed().await;
    let hanging = tokio::spawn(async move { said(&bob, "up_hang").await });
    accounts.upstreams["bob"].hanging.notified().await;
    assert!(said(&ada, "up_echo").await.contains("Too many people"), "the only place is in use");
    hub.close().await;
    hanging.abort();
}

#[tokio::test]
async fn who_signs_in_anew_has_another_connection() {
    let accounts = Accounts::new(ERAS[1], &["ada", "bob"]);
    let hub = start(connector(&accounts), limits());
    let ada = client_of(&hub, Some("ada"), builder(ERAS[1])).await;
    assert_eq!(said(&ada, "up_echo").await, "hi");
    let before = accounts.last("ada");
    hub.signed_in("up", "bob").await;
    hub.signed_in("elsewhere", "ada").await;
    assert_eq!((said(&ada, "up_echo").await.as_str(), accounts.opened("ada")), ("hi", 1));
    hub.signed_in("up", "ada").await;
    before.closed().await;
    assert_eq!((said(&ada, "up_echo").await.as_str(), accounts.opened("ada")), ("hi", 2));
    // A connection that the upstream ended is opened again, too.
    accounts.last("ada").close().await;
    while accounts.opened("ada") == 2 {
        said(&ada, "up_echo").await;
    }
    assert_eq!(said(&ada, "up_echo").await, "hi");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_does_not_answer_delays_one_list_and_hides_nothing() {
    let accounts = Accounts::new(ERAS[0], &["ada"]);
    accounts.silent.store(true, Ordering::SeqCst);
    let other = Connector::builtin("other", Upstream::new());
    let hub = Hub::start(Implementation::new("hub", "0"), vec![connector(&accounts), other], limits());
    let hub = hub.expect("good names");
    let ada = client_of(&hub, Some("ada"), builder(ERAS[0])).await;
    for waits in [10, 0, 0] {
        let begun = tokio::time::Instant::now();
        let tools = tools(&ada).await;
        assert_eq!(begun.elapsed().as_secs(), waits);
        assert!(
            tools.contains(&"other_echo".to_owned()) && tools.contains(&"up_sign_in".to_owned()),
            "{tools:?}"
        );
        assert!(!tools.contains(&"up_echo".to_owned()), "{tools:?}");
    }
    accounts.silent.store(false, Ordering::SeqCst);
    assert_eq!(said(&ada, "up_echo").await, "hi", "a call tries at once");
    assert!(tools(&ada).await.contains(&"up_echo".to_owned()));
}

/// Everything that changes for a user whose lists are in no common list.
#[tokio::test(start_paused = true)]
async fn who_uses_a_connector_hears_that_it_was_changed_or_removed() {
    use Change::{Prompts, Resources, Tools};
    for version in ERAS {
        let accounts = Accounts::new(version, &["ada"]);
        let up = connector(&accounts);
        let hub = start(up.clone(), limits());
        let ada = client_of(&hub, Some("ada"), builder(version)).await;
        assert_eq!(said(&ada, "up_echo").await, "hi");
        let first = accounts.last("ada");
        let filter = SubscriptionFilter {
            tools_list_changed: Some(true),
            prompts_list_changed: Some(true),
            resources_list_changed: Some(true),
            ..SubscriptionFilter::default()
        };
        let mut changes = ada.listen(filter).await.expect("a stream");
        let steps: [(&str, ConnectorEdit<'_>, &[Change]); 4] = [
            ("the same", &|hub| hub.apply(vec![up.clone()]), &[]),
            ("hides a tool", &|hub| hub.apply(vec![up.clone().shows(|tool| tool != "fail")]), &[Tools]),
            ("another prefix", &|hub| hub.apply(vec![up.clone().prefix("on")]), &[Tools, Prompts, Resources]),
            ("removed", &|hub| hub.remove("up"), &[Tools, Prompts, Resources]),
        ];
        for (name, edit, expected) in steps {
            edit(&hub).expect("a good set");
            let mut heard = Vec::new();
            // No time passes while there is something to do.
            while let Ok(change) = tokio::time::timeout(Duration::from_millis(1), changes.next()).await {
                heard.extend(change);
            }
            assert_eq!(heard, expected, "{name} {version}");
        }
        first.closed().await;
        assert_eq!((accounts.opened("ada"), accounts.calls("ada")), (1, 1), "{version}: one connection");
        assert!(said(&ada, "up_echo").await.contains("Unknown tool: up_echo"));
        assert!(said(&ada, "up_sign_in").await.contains("Unknown tool: up_sign_in"));
        hub.close().await;
    }
}

/// A change of the connectors of a hub.
type ConnectorEdit<'a> = &'a dyn Fn(&Hub) -> Result<ConnectorSetChange, ConnectorSetError>;

#[tokio::test(start_paused = true)]
async fn a_call_of_a_user_ends_with_its_connector_and_opens_no_connection_afterwards() {
    for version in ERAS {
        let accounts = Accounts::new(version, &["ada"]);
        let hub = start(connector(&accounts), limits());
        let ada = client_of(&hub, Some("ada"), builder(version)).await;
        let hanging = tokio::spawn({
            let ada = ada.clone();
            async move { said(&ada, "up_hang").await }
        });
        accounts.upstreams["ada"].hanging.notified().await;
        hub.remove("up").expect("it is there");
        let said = hanging.await.expect("no panic");
        assert!(said.contains("\"up\" was removed while it processed this request"), "{version}: {said}");
        accounts.last("ada").closed().await;
        assert_eq!(accounts.opened("ada"), 1, "{version}");
    }
}
