//! Connectors that are added, changed and removed while the hub runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use loggia::Error;
use loggia::changes::Change;
use loggia::client::{ClientBuilder, Subscription};
use loggia::model::{Implementation, SubscriptionFilter};
use loggia::service::BoxFuture;
use loggia::wire::Version;
use loggia_hub::{Connector, ConnectorSetChange, Hub, Opened};
use serde_json::json;

use crate::fixture::{ERAS, Upstream, client, connector, hub, limits, pairs, switched, text};

/// The resources that mark the end of a step: a change of one of them reaches a client after the changes of lists that
/// were announced before it.
const MARKS: [&str; 10] = [
    "mark:///0",
    "mark:///1",
    "mark:///2",
    "mark:///3",
    "mark:///4",
    "mark:///5",
    "mark:///6",
    "mark:///7",
    "mark:///8",
    "mark:///9",
];

/// A client that calls the connector `good` without a pause, and notes the changes that it hears of.
struct BusyClient {
    calls: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<Change>>>,
}

impl BusyClient {
    async fn start(hub: &Arc<Hub>, version: Version, stop: Arc<AtomicBool>) -> BusyClient {
        let client = client(hub, version).await;
        let busy = BusyClient { calls: Arc::default(), failures: Arc::default(), heard: Arc::default() };
        let filter = SubscriptionFilter {
            tools_list_changed: Some(true),
            prompts_list_changed: Some(true),
            resources_list_changed: Some(true),
            resource_subscriptions: Some(MARKS.map(str::to_owned).to_vec()),
            ..SubscriptionFilter::default()
        };
        let mut subscription = client.listen(filter).await.expect("a stream");
        let heard = busy.heard.clone();
        tokio::spawn(async move {
            while let Some(change) = subscription.next().await {
                heard.lock().expect("not poisoned").push(change);
            }
        });
        let (calls, failures) = (busy.calls.clone(), busy.failures.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                let n = calls.load(Ordering::SeqCst).to_string();
                match client.call_tool("good_echo", json!({ "text": n })).await {
                    Ok(result) if text(&result) == n => {}
                    outcome => failures.lock().expect("not poisoned").push(format!("{outcome:?}")),
                }
                calls.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
        busy
    }

    fn has_heard(&self, change: &Change) -> bool {
        self.heard.lock().expect("not poisoned").contains(change)
    }

    /// Takes the changes of lists that were heard of, with their number.
    fn take_lists(&self) -> BTreeMap<Change, usize> {
        let mut counts = BTreeMap::new();
        for change in self.heard.lock().expect("not poisoned").drain(..) {
            if !matches!(change, Change::Resource(_)) {
                *counts.entry(change).or_default() += 1;
            }
        }
        counts
    }
}

/// Waits until each client has made more calls, and has heard of everything that was announced.
async fn finish_step(clients: &[BusyClient], good: &Upstream, mark: &'static str) {
    let before: Vec<usize> = clients.iter().map(|client| client.calls.load(Ordering::SeqCst)).collect();
    let mark_change = Change::Resource(mark.to_owned());
    let is_done = |(client, before): (&BusyClient, &usize)| {
        client.calls.load(Ordering::SeqCst) > before + 20 && client.has_heard(&mark_change)
    };
    while !clients.iter().zip(&before).all(is_done) {
        good.changes.resource(mark);
        tokio::task::yield_now().await;
    }
}

async fn until_up(hub: &Hub, name: &str) {
    let mut watch = hub.watch();
    let is_up = |name: &str, all: &[loggia_hub::ConnectorStatus]| {
        all.iter().any(|status| *status.name == *name && status.is_up() && !status.remembered)
    };
    watch.wait_for(|all| is_up(name, all)).await.expect("the hub lives");
}

fn upstream_with(tools: &[&str]) -> Arc<Upstream> {
    let upstream = Upstream::with_resources(vec!["extra:///one"]);
    *upstream.tools.lock().expect("not poisoned") = tools.iter().map(|tool| (*tool).to_owned()).collect();
    upstream
}

/// One change under load: its name, what is done, and the lists of which each client hears, once each.
type Step<'a> = (&'static str, Box<dyn Fn() -> Result<ConnectorSetChange, String> + 'a>, Vec<Change>);

#[tokio::test(start_paused = true)]
async fn others_are_served_and_each_client_hears_of_what_changed_for_it() {
    use Change::{Prompts, Resources, Tools};
    for up in ERAS {
        let good = Upstream::with_resources(MARKS.to_vec());
        let (good_connector, good_switch) = switched("good", &good, up);
        let hub = hub(vec![good_connector.clone()]).await;
        let stop = Arc::new(AtomicBool::new(false));
        let versions = [ERAS[0], ERAS[1], ERAS[0]];
        let clients = join_all(versions.map(|down| BusyClient::start(&hub, down, stop.clone()))).await;
        finish_step(&clients, &good, MARKS[0]).await;
        clients.iter().for_each(|client| drop(client.take_lists()));

        let (first, first_switch) = switched("extra", &upstream_with(&["a"]), up);
        let same_lists = connector("extra", &upstream_with(&["a"]), up);
        let (other_lists, other_switch) = switched("extra", &upstream_with(&["a", "b"]), up);
        let apply = |extra: Connector| {
            hub.apply(vec![good_connector.clone(), extra]).map_err(|error| error.to_string())
        };
        let steps: Vec<Step<'_>> = vec![
            (
                "added",
                Box::new(|| hub.add(first.clone()).map_err(|error| error.to_string())),
                vec![Tools, Prompts, Resources],
            ),
            ("replaced, with the same lists", Box::new(|| apply(same_lists.clone())), vec![]),
            (
                "replaced, with another tool",
                Box::new(|| hub.replace(other_lists.clone()).map_err(|error| error.to_string())),
                vec![Tools],
            ),
            ("applied again", Box::new(|| apply(other_lists.clone())), vec![]),
            ("renamed a tool", Box::new(|| apply(other_lists.clone().rename_tool("a", "z"))), vec![Tools]),
            ("hid a tool", Box::new(|| apply(other_lists.clone().shows(|tool| tool != "a"))), vec![Tools]),
            (
                "another prefix",
                Box::new(|| apply(other_lists.clone().prefix("ex"))),
                vec![Tools, Prompts, Resources],
            ),
            ("a bad set", Box::new(|| apply(good_connector.clone())), vec![]),
            (
                "removed",
                Box::new(|| hub.remove("extra").map_err(|error| error.to_string())),
                vec![Tools, Prompts, Resources],
            ),
        ];
        for ((name, change, expected), mark) in steps.into_iter().zip(&MARKS[1..]) {
            let before = hub.status();
            let outcome = change();
            assert_eq!(outcome.is_err(), name == "a bad set", "{name}: {outcome:?}");
            if name == "a bad set" {
                assert!(Arc::ptr_eq(&before, &hub.status()), "{name}: nothing changed");
                assert!(outcome.is_err_and(|error| error.contains("two connectors are called \"good\"")));
            }
            if name != "removed" {
                until_up(&hub, "extra").await;
            }
            finish_step(&clients, &good, mark).await;
            for (client, down) in clients.iter().zip(versions) {
                let expected: BTreeMap<Change, usize> =
                    expected.iter().cloned().map(|list| (list, 1)).collect();
                assert_eq!(client.take_lists(), expected, "{name}, client {down}, upstream {up}");
            }
        }
        stop.store(true, Ordering::SeqCst);
        for client in &clients {
            assert_eq!(*client.failures.lock().expect("not poisoned"), Vec::<String>::new(), "upstream {up}");
        }
        for (switch, name) in [(&good_switch, "good"), (&first_switch, "first"), (&other_switch, "other")] {
            assert_eq!(switch.attempts.load(Ordering::SeqCst), 1, "{name} was connected once, upstream {up}");
        }
        hub.close().await;
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_reports_its_effect_and_a_bad_one_changes_nothing() {
    let upstream = Upstream::new();
    let of = |name: &str| connector(name, &upstream, ERAS[0]);
    let (a, b) = (of("a"), of("b"));
    let hub = hub(vec![a.clone(), b.clone()]).await;
    let served = || hub.status().iter().map(|status| status.name.to_string()).collect::<Vec<_>>();

    let change = hub.apply(vec![of("c"), b.clone().prefix("bee"), of("a")]).expect("a good set");
    assert_eq!(change.added, names(&["c"]));
    assert_eq!(change.kept, names(&["b"]));
    assert_eq!(change.reconnected, names(&["a"]));
    assert!(change.removed.is_empty());
    assert_eq!(served(), ["c", "b", "a"]);

    for (error, part) in [
        (hub.add(of("a")).expect_err("it is there"), "two connectors are called \"a\""),
        (hub.replace(of("d")).expect_err("it is not there"), "no connector \"d\""),
        (hub.remove("d").expect_err("it is not there"), "no connector \"d\""),
        (hub.apply(vec![of("x"), of("y").prefix("x")]).expect_err("one prefix"), "the same prefix \"x\""),
    ] {
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(served(), ["c", "b", "a"]);
    }
    let change = hub.remove("c").expect("it is there");
    assert_eq!((change.removed, change.kept), (names(&["c"]), names(&["b", "a"])));
    hub.close().await;
    assert!(hub.add(of("late")).is_err());
}

/// The revision decides, where there is one.
#[tokio::test(start_paused = true)]
async fn a_connector_of_the_same_revision_keeps_its_connection() {
    let upstream = Upstream::new();
    for (revision, next, is_kept) in [
        (Some("1"), Some("1"), true),
        (Some("1"), Some("2"), false),
        (None, None, false),
        (Some("1"), None, false),
    ] {
        let with = |connector: Connector, revision: Option<&str>| match revision {
            Some(revision) => connector.revision(revision),
            None => connector,
        };
        let (first, first_switch) = switched("up", &upstream, ERAS[0]);
        let (second, second_switch) = switched("up", &upstream, ERAS[0]);
        let hub = hub(vec![with(first, revision)]).await;
        hub.apply(vec![with(second, next)]).expect("a good set");
        hub.tried().await;
        let attempts = [first_switch, second_switch].map(|switch| switch.attempts.load(Ordering::SeqCst));
        assert_eq!(attempts, [1, usize::from(!is_kept)], "{revision:?} {next:?}");
        hub.close().await;
    }
}

/// The end of the connector `up`, and a part of the error for a request that runs for too long.
const ENDS: [(&str, &str); 2] = [
    ("removed", "The connector \"up\" was removed while it processed this request"),
    ("changed", "The configuration of the connector \"up\" was changed while it processed this request"),
];

fn end(hub: &Hub, how: &str, next: &Arc<Upstream>) {
    let outcome = match how {
        "removed" => hub.remove("up"),
        _ => hub.replace(connector("up", next, ERAS[0])),
    };
    outcome.expect("a good change");
}

#[tokio::test(start_paused = true)]
async fn requests_of_a_connector_that_ends_finish_or_fail_in_time() {
    for (down, up) in pairs() {
        for (how, expected) in ENDS {
            for is_in_process in [false, true] {
                let case = format!("{how}, client {down}, upstream {up}, in this process: {is_in_process}");
                let (upstream, next) = (Upstream::new(), Upstream::new());
                upstream.tools.lock().expect("not poisoned").push("nap".to_owned());
                let (remote, switch) = switched("up", &upstream, up);
                let first = if is_in_process { Connector::builtin("up", upstream.clone()) } else { remote };
                let hub = hub(vec![first, connector("good", &Upstream::new(), up)]).await;
                let client = client(&hub, down).await;
                let call = |tool: &'static str| {
                    let client = client.clone();
                    tokio::spawn(async move { client.call_tool(tool, json!({})).await })
                };
                let (hanging, napping) = (call("up_hang"), call("up_nap"));
                while upstream.calls.load(Ordering::SeqCst) < 2 {
                    tokio::task::yield_now().await;
                }
                let begun = tokio::time::Instant::now();
                end(&hub, how, &next);

                // New requests never reach the old connector.
                let fresh = client.call_tool("up_echo", json!({ "text": "hi" })).await;
                match how {
                    "removed" => {
                        let error = fresh.expect_err("it is gone").to_string();
                        assert!(error.contains("Unknown tool: up_echo"), "{case}: {error}");
                    }
                    _ => assert_eq!(text(&fresh.expect("a result")), "hi", "{case}"),
                }
                assert_eq!(upstream.calls.load(Ordering::SeqCst), 2, "{case}");
                let good = client.call_tool("good_echo", json!({ "text": "hi" })).await.expect("a result");
                assert_eq!(text(&good), "hi", "{case}");

                let napped = napping.await.expect("no panic").expect("a result");
                assert_eq!(text(&napped), "slept", "{case}");
                let ended = hanging.await.expect("no panic").expect("a result that the model can read");
                assert!(ended.failed() && text(&ended).starts_with(expected), "{case}: {ended:?}");
                let took = begun.elapsed();
                assert!(
                    (limits().removal_timeout..Duration::from_secs(40)).contains(&took),
                    "{case}: {took:?}"
                );
                upstream.cancelled.notified().await;
                let connection = switch.open.lock().expect("not poisoned").take();
                if let Some(connection) = connection {
                    connection.closed().await;
                }
                hub.close().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_of_a_removed_connector_ends_when_its_last_request_has() {
    for up in ERAS {
        let upstream = Upstream::new();
        upstream.tools.lock().expect("not poisoned").push("nap".to_owned());
        let (connector, switch) = switched("up", &upstream, up);
        let hub = hub(vec![connector]).await;
        let client = client(&hub, ERAS[0]).await;
        let call = tokio::spawn(async move { client.call_tool("up_nap", json!({})).await });
        while upstream.calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let begun = tokio::time::Instant::now();
        hub.remove("up").expect("it is there");
        let connection = switch.open.lock().expect("not poisoned").take().expect("it is open");
        connection.closed().await;
        assert!(call.await.expect("no panic").is_ok(), "{up}");
        let took = begun.elapsed();
        assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&took), "{up}: {took:?}");
    }
}

/// A connector that never opens.
fn silent(name: &str) -> Connector {
    Connector::new(name, |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        Box::pin(std::future::pending())
    })
}

/// A request that was not sent goes to the connector that has the name now.
#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_a_connection_is_routed_again_when_the_connector_ends() {
    const REMOVED: Result<&str, &str> = Err("\"up\" was removed before");
    for (how, is_tool, expected) in [
        ("removed", false, REMOVED),
        ("removed", true, REMOVED),
        ("changed", false, Ok("says note:///one")),
        ("changed", true, Ok("hi")),
    ] {
        let hub = Hub::start(Implementation::new("hub", "0"), vec![silent("up")], limits());
        let hub = hub.expect("good names");
        let client = client(&hub, ERAS[0]).await;
        let begun = tokio::time::Instant::now();
        let request = tokio::spawn(async move {
            if is_tool {
                let result = client.call_tool("up_echo", json!({ "text": "hi" })).await?;
                let said = text(&result).to_owned();
                return if result.failed() { Ok(Err(said)) } else { Ok(Ok(said)) };
            }
            let read = client.read_resource("up+note:///one").await;
            let said = read.map(|read| format!("{:?}", read.contents));
            Ok::<_, Error>(said.map_err(|error| error.to_string()))
        });
        turns(100).await;
        // The name of a tool in no list is looked for until the hub has settled.
        if is_tool {
            tokio::time::sleep(limits().first_list_wait + Duration::from_secs(1)).await;
        }
        end(&hub, how, &Upstream::new());
        let outcome = request.await.expect("no panic").expect("an answer");
        match (&outcome, expected) {
            (Ok(said), Ok(part)) | (Err(said), Err(part)) => assert!(said.contains(part), "{how}: {said}"),
            _ => panic!("{how}, tool: {is_tool}: {outcome:?}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(12), "{how}: it waited for {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_lists_of_before_are_shown_until_the_first_attempt_ends() {
    let (upstream, next) = (Upstream::new(), upstream_with(&["a", "b"]));
    let (first, _) = switched("up", &upstream, ERAS[0]);
    // The new connector: it opens immediately, never, or fails; the number of tools that are listed then, and after a
    // day.
    for (opens, at_once, later) in [("silent", 10, 0), ("fails", 0, 0), ("opens", 2, 2)] {
        let hub = hub(vec![first.clone()]).await;
        let client = client(&hub, ERAS[0]).await;
        let (connector, switch) = switched("up", &next, ERAS[0]);
        switch.on.store(opens == "opens", Ordering::SeqCst);
        hub.replace(if opens == "silent" { silent("up") } else { connector }).expect("a good set");
        assert_eq!(hub.tool_names("up").len(), 10, "{opens}: as before");
        if opens != "silent" {
            hub.tried().await;
        }
        assert_eq!(client.list_all_tools().await.expect("tools").len(), at_once, "{opens}");
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        assert_eq!(client.list_all_tools().await.expect("tools").len(), later, "{opens}");
        hub.close().await;
    }
}

/// Announces a change of a resource until the subscription hears of it.
async fn hear(subscription: &mut Subscription, upstream: &Upstream, uri: &str) -> Option<Change> {
    let announce = async {
        loop {
            upstream.changes.resource(uri);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { change = subscription.next() => change, () = announce => None }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_outlives_the_change_of_its_connector() {
    const URIS: [&str; 2] = ["note:///one", "note:///two"];
    type HubChange = fn(&Hub, Connector);
    let changes: [(&str, HubChange); 2] = [
        ("replaced", |hub, next| drop(hub.replace(next).expect("a good set"))),
        ("removed and added", |hub, next| {
            hub.remove("up").expect("it is there");
            hub.add(next).expect("a good set");
        }),
    ];
    for (down, up) in pairs() {
        for (name, change) in changes {
            let (upstream, next) = (Upstream::new(), Upstream::new());
            let hub = hub(vec![connector("up", &upstream, up)]).await;
            let client = client(&hub, down).await;
            let filter = SubscriptionFilter {
                resource_subscriptions: Some(URIS.map(str::to_owned).to_vec()),
                ..SubscriptionFilter::default()
            };
            let mut subscription = client.listen(filter).await.expect("a stream");
            let heard = hear(&mut subscription, &upstream, URIS[0]).await;
            assert_eq!(heard, Some(Change::Resource(URIS[0].to_owned())), "{name} {down} {up}");
            change(&hub, connector("up", &next, up));
            // Each resource is announced once after the change; what comes then is from the new upstream.
            let is_second = |change: &&Change| **change == Change::Resource(URIS[1].to_owned());
            let mut heard = Vec::new();
            let all = async {
                while heard.iter().filter(is_second).count() < 2 {
                    heard.extend(hear(&mut subscription, &next, URIS[1]).await);
                }
            };
            // Announcing keeps the runtime busy: the limit counts turns, not time.
            tokio::select! {
                biased;
                () = all => {}
                () = turns(100_000) => panic!("{name} {down} {up}: the new upstream is not heard"),
            }
            hub.close().await;
        }
    }
}

async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_fails_does_not_hide_the_others_when_it_is_added() {
    let good = Upstream::new();
    let hub = hub(vec![connector("good", &good, ERAS[0])]).await;
    let client = client(&hub, ERAS[0]).await;
    let wrong = |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        Box::pin(async { Err(Error::Configuration("no such program".to_owned())) })
    };
    // In front of the others: their URIs keep their owner while it starts and when it has failed.
    for first in [silent("new"), Connector::new("new", wrong)] {
        hub.apply(vec![first, connector("good", &good, ERAS[0]).revision("1")]).expect("a good set");
        until_up(&hub, "good").await;
        for uri in ["note:///one", "note:///unlisted"] {
            assert_eq!(client.read_resource(uri).await.expect("contents").contents[0].uri, uri);
        }
        assert_eq!(client.list_all_tools().await.expect("tools").len(), 10);
    }
}
