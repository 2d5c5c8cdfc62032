//! Upstreams that are dead, slow, or come back. The clock is virtual: no test waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use loggia::changes::Change;
use loggia::client::ClientBuilder;
use loggia::model::{Implementation, SubscriptionFilter};
use loggia::service::BoxFuture;
use loggia_hub::{Connector, ConnectorState, Hub, Opened};
use serde_json::json;

use crate::fixture::{ERAS, Upstream, client, connector, hub, limits, switched, text};

/// A connector that never opens.
fn silent(name: &str) -> Connector {
    Connector::new(name, |_: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
        Box::pin(std::future::pending())
    })
}

async fn until(hub: &Arc<Hub>, name: &str, state: fn(&ConnectorState) -> bool) {
    let mut watch = hub.watch();
    let reached = watch.wait_for(|all| all.iter().any(|s| *s.name == *name && state(&s.state))).await;
    reached.expect("the hub lives");
}

const UP: fn(&ConnectorState) -> bool = |state| matches!(state, ConnectorState::Up);
const DOWN: fn(&ConnectorState) -> bool = |state| matches!(state, ConnectorState::Down { .. });

#[tokio::test(start_paused = true)]
async fn a_dead_and_a_silent_upstream_hide_nobody() {
    let (dead, switch) = switched("dead", &Upstream::new(), ERAS[1]);
    switch.on.store(false, Ordering::SeqCst);
    let connectors = vec![dead, silent("silent"), connector("good", &Upstream::new(), ERAS[0])];
    let hub = Hub::start(Implementation::new("hub", "0"), connectors, limits()).expect("good names");
    until(&hub, "good", UP).await;
    let client = client(&hub, ERAS[0]).await;
    let tools = client.list_all_tools().await.expect("tools");
    assert!(tools.len() == 10 && tools.iter().all(|tool| tool.name.starts_with("good_")));
    assert_eq!(text(&client.call_tool("good_echo", json!({})).await.expect("a result")), "nothing");
    let states: Vec<_> =
        hub.status().iter().map(|status| (status.name.to_string(), status.is_up())).collect();
    assert_eq!(states, [("dead".to_owned(), false), ("silent".to_owned(), false), ("good".to_owned(), true)]);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_was_never_there_comes_by_itself_and_is_announced() {
    for down in ERAS {
        let (late, switch) = switched("late", &Upstream::new(), ERAS[1]);
        switch.on.store(false, Ordering::SeqCst);
        let hub = hub(vec![late]).await;
        let client = client(&hub, down).await;
        assert!(client.list_all_tools().await.expect("tools").is_empty());
        let filter = SubscriptionFilter { tools_list_changed: Some(true), ..SubscriptionFilter::default() };
        let mut subscription = client.listen(filter).await.expect("a stream");
        tokio::time::sleep(Duration::from_secs(600)).await;
        let attempts = switch.attempts.load(Ordering::SeqCst);
        assert!((10..40).contains(&attempts), "{attempts} attempts in ten minutes");
        switch.turn_on();
        assert_eq!(subscription.next().await, Some(Change::Tools), "{down}");
        assert_eq!(client.list_all_tools().await.expect("tools").len(), 10, "{down}");
    }
}

#[tokio::test(start_paused = true)]
async fn tools_of_an_upstream_that_died_stay_listed_and_calls_explain() {
    let (mortal, switch) = switched("mortal", &Upstream::new(), ERAS[0]);
    let hub = hub(vec![mortal]).await;
    let client = client(&hub, ERAS[0]).await;
    switch.turn_off().await;
    until(&hub, "mortal", DOWN).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    until(&hub, "mortal", DOWN).await;
    assert_eq!(client.list_all_tools().await.expect("tools").len(), 10);
    let result = client.call_tool("mortal_echo", json!({})).await.expect("a result that the model can read");
    assert!(result.failed());
    let said = text(&result);
    for part in ["\"mortal\"", "down for 1 min", "tries it again in"] {
        assert!(said.contains(part), "{said}");
    }
    let refused = client.read_resource("note:///one").await.expect_err("an error");
    assert!(refused.to_string().contains("\"mortal\" has been down"), "{refused}");

    switch.turn_on();
    until(&hub, "mortal", UP).await;
    assert_eq!(text(&client.call_tool("mortal_echo", json!({})).await.expect("a result")), "nothing");
}

#[tokio::test(start_paused = true)]
async fn after_a_documented_time_they_are_no_longer_listed() {
    let (mortal, switch) = switched("mortal", &Upstream::new(), ERAS[0]);
    let hub = hub(vec![mortal, connector("good", &Upstream::new(), ERAS[0])]).await;
    let client = client(&hub, ERAS[0]).await;
    switch.turn_off().await;
    until(&hub, "mortal", DOWN).await;
    for (after, expected) in [(500, 20), (200, 10)] {
        tokio::time::sleep(Duration::from_secs(after)).await;
        assert_eq!(client.list_all_tools().await.expect("tools").len(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_a_little_for_an_upstream_that_is_just_starting() {
    let upstream = Upstream::new();
    let slow = {
        let upstream = upstream.clone();
        Connector::new("slow", move |builder: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
            let service: Arc<dyn loggia::Service> = upstream.clone();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok(Opened::Client(builder.connect(service).await?))
            })
        })
    };
    let hub = Hub::start(Implementation::new("hub", "0"), vec![slow], limits()).expect("good names");
    let client = client(&hub, ERAS[0]).await;
    // Resources are found by the qualified form even before anything is listed.
    let read = client.read_resource("slow+note:///one").await.expect("contents");
    assert_eq!(read.contents[0].uri, "slow+note:///one");
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_when_the_connection_is_lost_is_told_so() {
    for down in ERAS {
        let upstream = Upstream::new();
        let (mortal, switch) = switched("mortal", &upstream, ERAS[1]);
        let hub = hub(vec![mortal]).await;
        let client = client(&hub, down).await;
        let call = tokio::spawn({
            let client = client.clone();
            async move { client.call_tool("mortal_hang", json!({})).await }
        });
        upstream.hanging.notified().await;
        switch.turn_off().await;
        let result = call.await.expect("no panic").expect("a result that the model can read");
        assert!(
            result.failed() && text(&result).contains("whether it had an effect is not known"),
            "{result:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_subscribed_to_is_reported_once_when_the_upstream_returns() {
    let upstream = Upstream::new();
    let (mortal, switch) = switched("mortal", &upstream, ERAS[1]);
    let hub = hub(vec![mortal]).await;
    let client = client(&hub, ERAS[0]).await;
    let filter = SubscriptionFilter {
        resource_subscriptions: Some(vec!["note:///one".to_owned()]),
        ..SubscriptionFilter::default()
    };
    let mut subscription = client.listen(filter).await.expect("a stream");
    switch.turn_off().await;
    until(&hub, "mortal", DOWN).await;
    switch.turn_on();
    assert_eq!(subscription.next().await, Some(Change::Resource("note:///one".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn who_asks_at_once_waits_for_connectors_that_were_not_tried_yet() {
    let upstream = Upstream::new();
    let connectors = vec![connector("up", &upstream, ERAS[1])];
    let hub = Hub::start(Implementation::new("hub", "0"), connectors, limits()).expect("good names");
    let client = client(&hub, ERAS[0]).await;
    assert_eq!(text(&client.call_tool("up_echo", json!({})).await.expect("a result")), "nothing");
    let connectors = vec![connector("up", &upstream, ERAS[1])];
    let hub = Hub::start(Implementation::new("hub", "0"), connectors, limits()).expect("good names");
    let client = crate::fixture::client(&hub, ERAS[0]).await;
    assert_eq!(client.list_all_tools().await.expect("tools").len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_tool_of_a_connector_that_was_never_there_is_not_called_unknown() {
    let (dead, switch) = switched("dead", &Upstream::new(), ERAS[1]);
    switch.on.store(false, Ordering::SeqCst);
    let hub = hub(vec![dead]).await;
    let client = client(&hub, ERAS[0]).await;
    let result = client.call_tool("dead_echo", json!({})).await.expect("a result that the model can read");
    assert!(result.failed() && text(&result).contains("\"dead\" has been down"), "{result:?}");
    let refused = client.get_prompt("dead_greet", [("who", "x")]).await.expect_err("an error");
    assert!(refused.to_string().contains("\"dead\" has been down"), "{refused}");
    // Of another prefix, and of one that only begins alike.
    for name in ["alive_echo", "deadly_echo", "dead"] {
        assert!(client.call_tool(name, json!({})).await.is_err(), "{name}");
    }
}
