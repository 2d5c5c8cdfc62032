//! Lists and what is kept of them; results that must fit a schema; changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use loggia::changes::Change;
use loggia::client::{Client, ClientBuilder, IntoTarget};
use loggia::error::Error;
use loggia::model::SubscriptionFilter;
use serde_json::{Value, json};

use crate::client_peer::{Peer, pass};

pub async fn open(builder: ClientBuilder, modern: bool) -> (Client, Peer) {
    open_at(builder, Peer::pair(), modern).await
}

/// Connects to `target`, where `peer` serves.
pub async fn open_at<T: IntoTarget>(
    builder: ClientBuilder,
    (target, mut peer): (T, Peer),
    modern: bool,
) -> (Client, Peer) {
    let open = async { if modern { peer.open_modern().await } else { peer.open_legacy().await } };
    let (client, ()) = tokio::join!(builder.connect(target), open);
    (client.expect("it opens"), peer)
}

fn page(names: &[&str], next: Option<&str>, ttl: u64) -> Value {
    let tools: Vec<Value> =
        names.iter().map(|name| json!({ "name": name, "inputSchema": { "type": "object" } })).collect();
    let mut page = json!({ "resultType": "complete", "tools": tools, "ttlMs": ttl, "cacheScope": "private" });
    if let Some(next) = next {
        page["nextCursor"] = next.into();
    }
    page
}

/// Answers every `tools/list` with what `pages` says for its cursor; counts them.
pub fn serve(
    mut peer: Peer,
    pages: impl Fn(&Value) -> Result<Value, i64> + Send + 'static,
) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    tokio::spawn(async move {
        while let Some(text) = peer.0.next().await {
            let request: Value = serde_json::from_slice(&text).expect("JSON");
            counter.fetch_add(1, SeqCst);
            match pages(&request["params"]["cursor"]) {
                Ok(page) => peer.result(&request, page).await,
                Err(code) => peer.error(&request, code, Value::Null).await,
            }
        }
    });
    count
}

async fn names(client: &Client) -> Result<Vec<String>, Error> {
    Ok(client.list_all_tools().await?.into_iter().map(|tool| tool.name).collect())
}

#[tokio::test(start_paused = true)]
async fn all_pages() {
    let (client, peer) = open(Client::builder(), true).await;
    // An empty cursor is a cursor.
    let count = serve(peer, |cursor| match cursor.as_str() {
        None => Ok(page(&["a"], Some(""), 0)),
        Some("") => Ok(page(&["b", "c"], Some("x"), 0)),
        Some(_) => Ok(page(&["d"], None, 0)),
    });
    assert_eq!(names(&client).await.expect("it lists"), ["a", "b", "c", "d"]);
    assert_eq!(count.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_is_no_longer_known_begins_the_list_anew_once() {
    let (client, peer) = open(Client::builder(), true).await;
    let refused = AtomicUsize::new(0);
    let count = serve(peer, move |cursor| match cursor.as_str() {
        None => Ok(page(&["a"], Some("x"), 60_000)),
        Some(_) if refused.fetch_add(1, SeqCst) == 0 => Err(-32602),
        Some(_) => Ok(page(&["b"], None, 60_000)),
    });
    assert_eq!(names(&client).await.expect("the second time"), ["a", "b"]);
    assert_eq!(count.load(SeqCst), 4, "the first page is fetched again, though it was fresh");

    let (client, peer) = open(Client::builder(), true).await;
    serve(peer, |cursor| if cursor.is_null() { Ok(page(&["a"], Some("x"), 0)) } else { Err(-32602) });
    assert_eq!(names(&client).await.expect("the first page"), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_fresh_is_not_asked_for_again() {
    let (client, mut peer) = open(Client::builder(), true).await;
    let (other, quiet) = open(Client::builder().cache(false), true).await;
    let uncached = serve(quiet, |_| Ok(page(&["a"], None, 60_000)));
    names(&other).await.expect("it lists");
    names(&other).await.expect("it lists");
    assert_eq!(uncached.load(SeqCst), 2);

    let answer = |peer: Peer, tool: &'static str| async move {
        let mut peer = peer;
        let request = peer.expect("tools/list").await;
        peer.result(&request, page(&[tool], None, 60_000)).await;
        peer
    };
    let (first, back) = tokio::join!(names(&client), answer(peer, "a"));
    peer = back;
    assert_eq!(first.expect("it lists"), ["a"]);
    assert_eq!(names(&client).await.expect("kept"), ["a"]);
    tokio::time::advance(Duration::from_secs(61)).await;
    let (stale, back) = tokio::join!(names(&client), answer(peer, "b"));
    peer = back;
    assert_eq!(stale.expect("it lists"), ["b"]);
    peer.notify("notifications/tools/list_changed", json!({})).await;
    pass(Duration::from_millis(1)).await;
    let (changed, _) = tokio::join!(names(&client), answer(peer, "c"));
    assert_eq!(changed.expect("it lists"), ["c"]);
}

#[tokio::test(start_paused = true)]
async fn results_must_fit_their_schema() {
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    let cases = [
        ("fits", schema.clone(), json!({ "structuredContent": { "n": 1 }, "content": [] }), Ok(())),
        (
            "does not",
            schema.clone(),
            json!({ "structuredContent": { "n": "1" }, "content": [] }),
            Err("at $.n"),
        ),
        ("has none", schema.clone(), json!({ "content": [] }), Err("it has none")),
        ("failed", schema, json!({ "content": [], "isError": true }), Ok(())),
        (
            "unusable schema",
            json!({ "type": "object", "$ref": "https://example.com/s" }),
            json!({ "content": [] }),
            Err("was not called"),
        ),
    ];
    for validate in [true, false] {
        for (name, schema, result, expected) in cases.clone() {
            let (client, mut peer) = open(Client::builder().validate_output(validate), true).await;
            let tool = json!({ "name": "t", "inputSchema": { "type": "object" }, "outputSchema": schema });
            let server = tokio::spawn(async move {
                while let Some(text) = peer.0.next().await {
                    let request: Value = serde_json::from_slice(&text).expect("JSON");
                    match request["method"].as_str() {
                        Some("tools/list") => peer.result(&request, json!({ "tools": [tool.clone()] })).await,
                        _ => peer.result(&request, result.clone()).await,
                    }
                }
            });
            client.list_all_tools().await.expect("it lists");
            let outcome = client.call_tool("t", json!({})).await;
            match expected {
                Err(part) if validate => {
                    let error = outcome.expect_err(name).to_string();
                    assert!(error.contains(part), "{name}: {error}");
                }
                _ => assert!(outcome.is_ok(), "{name}: {outcome:?}"),
            }
            server.abort();
        }
    }
}

// Changes -----------------------------------------------------------------------------------------------

fn filter() -> SubscriptionFilter {
    SubscriptionFilter {
        tools_list_changed: Some(true),
        prompts_list_changed: Some(true),
        resource_subscriptions: Some(vec!["a".to_owned()]),
        ..SubscriptionFilter::default()
    }
}

/// Accepts a `subscriptions/listen` request, without the prompts.
async fn accept(peer: &mut Peer) -> Value {
    let request = peer.expect("subscriptions/listen").await;
    assert_eq!(
        request["params"]["notifications"],
        json!({ "toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": ["a"] })
    );
    let accepted = json!({ "toolsListChanged": true, "resourceSubscriptions": ["a"] });
    let params = json!({ "notifications": accepted, "_meta": tag(&request) });
    peer.notify("notifications/subscriptions/acknowledged", params).await;
    request
}

fn tag(request: &Value) -> Value {
    json!({ "io.modelcontextprotocol/subscriptionId": request["id"] })
}

#[tokio::test(start_paused = true)]
async fn a_modern_subscription() {
    let (client, mut peer) = open(Client::builder(), true).await;
    let (subscription, request) = tokio::join!(client.listen(filter()), accept(&mut peer));
    let mut subscription = subscription.expect("it is accepted");
    assert_eq!(subscription.accepted().prompts_list_changed, None);
    assert_eq!(subscription.accepted().tools_list_changed, Some(true));
    peer.notify("notifications/tools/list_changed", json!({ "_meta": tag(&request) })).await;
    assert_eq!(subscription.next().await, Some(Change::Tools));
    peer.notify("notifications/resources/updated", json!({ "uri": "a", "_meta": tag(&request) })).await;
    assert_eq!(subscription.next().await, Some(Change::Resource("a".to_owned())));
    // It is quiet for longer than any request may take.
    assert!(tokio::time::timeout(Duration::from_secs(3600), subscription.next()).await.is_err());
    drop(subscription);
    let cancelled = peer.expect("notifications/cancelled").await;
    assert_eq!(cancelled["params"]["requestId"], request["id"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_refused() {
    let (client, mut peer) = open(Client::builder(), true).await;
    let refuse = async {
        let request = peer.expect("subscriptions/listen").await;
        peer.error(&request, -32603, Value::Null).await;
    };
    let (subscription, ()) = tokio::join!(client.listen(filter()), refuse);
    assert!(matches!(subscription.err(), Some(Error::Rpc(_))));
}

/// However a subscription is lost, it is opened again, and what may have been missed is told.
#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_lost_is_opened_again() {
    let (client, mut peer) = open(Client::builder(), true).await;
    let (subscription, mut request) = tokio::join!(client.listen(filter()), accept(&mut peer));
    let mut subscription = subscription.expect("it is accepted");
    for lost in ["gracefully", "cancelled", "failed"] {
        match lost {
            "gracefully" => {
                peer.result(&request, json!({ "resultType": "complete", "_meta": tag(&request) })).await
            }
            "cancelled" => {
                peer.notify("notifications/cancelled", json!({ "requestId": request["id"] })).await
            }
            _ => peer.error(&request, -32603, Value::Null).await,
        }
        let again = accept(&mut peer).await;
        assert_ne!(again["id"], request["id"], "{lost}");
        request = again;
        assert_eq!(subscription.next().await, Some(Change::Tools), "{lost}");
        assert_eq!(subscription.next().await, Some(Change::Resource("a".to_owned())), "{lost}");
    }
    client.close().await;
    assert_eq!(subscription.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_legacy_subscription() {
    let (client, mut peer) = open(Client::builder(), false).await;
    let subscribe = async {
        let request = peer.expect("resources/subscribe").await;
        assert_eq!(request["params"], json!({ "uri": "a" }));
        peer.result(&request, json!({})).await;
    };
    let (subscription, ()) = tokio::join!(client.listen(filter()), subscribe);
    let mut subscription = subscription.expect("it is accepted");
    // The server announces no changes of its prompts.
    assert_eq!(subscription.accepted().prompts_list_changed, None);
    peer.notify("notifications/resources/updated", json!({ "uri": "b" })).await;
    peer.notify("notifications/resources/updated", json!({ "uri": "a" })).await;
    peer.notify("notifications/tools/list_changed", json!({})).await;
    let told = [subscription.next().await, subscription.next().await];
    assert_eq!(told, [Some(Change::Tools), Some(Change::Resource("a".to_owned()))]);

    // The resource is unsubscribed when no subscription uses it.
    let (second, ()) = tokio::join!(client.listen(filter()), async {
        let request = peer.expect("resources/subscribe").await;
        peer.result(&request, json!({})).await;
    });
    drop(subscription);
    assert!(tokio::time::timeout(Duration::from_secs(1), peer.hear()).await.is_err());
    drop(second);
    assert_eq!(peer.expect("resources/unsubscribe").await["params"], json!({ "uri": "a" }));
}

#[tokio::test(start_paused = true)]
async fn subscriptions_outlive_the_connection() {
    for modern in [true, false] {
        let (target, peers) = Peer::series(2);
        let mut peers = peers.into_iter();
        let (mut first, mut second) = (peers.next().expect("two"), peers.next().expect("two"));
        let (client, ()) = tokio::join!(Client::connect(target), async {
            if modern { first.open_modern().await } else { first.open_legacy().await }
        });
        let client = client.expect("it opens");
        let subscribe = async |peer: &mut Peer| {
            if modern {
                accept(peer).await;
            } else {
                let request = peer.expect("resources/subscribe").await;
                peer.result(&request, json!({})).await;
            }
        };
        let (subscription, ()) = tokio::join!(client.listen(filter()), subscribe(&mut first));
        let mut subscription = subscription.expect("it is accepted");
        drop(first);
        if modern {
            second.open_modern().await
        } else {
            second.initialize("2025-11-25").await
        }
        subscribe(&mut second).await;
        let told = [subscription.next().await, subscription.next().await];
        assert_eq!(told, [Some(Change::Tools), Some(Change::Resource("a".to_owned()))], "modern: {modern}");
    }
}
