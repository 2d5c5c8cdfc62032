//! Bounds that connectors and callers share: one that hangs does not refuse the others.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use loggia::exchange::Exchange;
use loggia::model::{ClientCapabilities, Implementation};
use loggia::service::{Outcome, Principal, Reply, Request};
use loggia::wire::{Method, RawJson, RequestMeta, Version};
use loggia::{Service, model::ServerResult};
use loggia_hub::{Hub, HubLimits};
use serde_json::json;

use crate::fixture::{Upstream, client, connector, limits, pairs, text};

async fn hub(requests: usize, upstreams: &[(&str, &Arc<Upstream>, Version)]) -> Arc<Hub> {
    let connectors = upstreams.iter().map(|(name, upstream, version)| connector(name, upstream, *version));
    let limits = HubLimits { requests, ..limits() };
    let hub = Hub::start(Implementation::new("hub", "0"), connectors.collect(), limits).expect("good names");
    hub.tried().await;
    hub
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_hangs_is_refused_at_its_share_and_others_are_served() {
    const CALLS: usize = 40;
    for (down, up) in pairs() {
        let (slow, good) = (Upstream::new(), Upstream::new());
        let hub = hub(CALLS, &[("slow", &slow, up), ("good", &good, up)]).await;
        let client = client(&hub, down).await;
        let mut hanging = tokio::task::JoinSet::new();
        for _ in 0..CALLS {
            let client = client.clone();
            hanging.spawn(async move { client.call_tool("slow_hang", json!({})).await });
        }
        // Those beyond the share are answered at once.
        for _ in 0..CALLS / 2 {
            let refused = hanging.join_next().await.expect("it runs").expect("no panic").expect("a result");
            let said = text(&refused).to_owned();
            assert!(refused.failed() && said.contains("\"slow\" already runs 20 requests"), "{said}");
            assert!(said.contains("`requests`") && said.contains("Try again"), "{said}");
        }
        assert_eq!(hanging.len(), CALLS / 2);
        for _ in 0..CALLS {
            let answered = client.call_tool("good_echo", json!({ "text": "hi" })).await.expect("a result");
            assert_eq!(text(&answered), "hi", "{down} to {up}");
        }
        client.read_resource("good+note:///one").await.expect("a resource of the other");
        // The used shares are returned.
        hanging.shutdown().await;
        let echo = async {
            loop {
                let answered = client.call_tool("slow_echo", json!({})).await.expect("a result");
                if !answered.failed() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), echo).await.expect("the share is free again");
        hub.close().await;
    }
}

fn request(subject: &str, tool: &str) -> Request {
    let meta = RequestMeta {
        version: Version::LATEST,
        client_info: None,
        client_capabilities: ClientCapabilities::default(),
        log_level: None,
        progress_token: None,
        extra: Default::default(),
    };
    let principal = Principal { subject: subject.to_owned(), ..Principal::default() };
    Request {
        method: Method::CallTool,
        params: RawJson::from(&json!({ "name": tool, "arguments": {} })).into(),
        meta: Arc::new(meta),
        principal: Some(Arc::new(principal)),
    }
}

async fn call(hub: &Hub, subject: &str, tool: &str) -> Outcome {
    let (exchange, _outbox, _guard) = Exchange::new(None);
    hub.call(request(subject, tool), exchange).await
}

fn said(outcome: Outcome) -> String {
    match outcome.expect("a result") {
        Reply::Result(ServerResult::CallTool(result)) => text(&result).to_owned(),
        Reply::Raw(relayed) => match relayed.decode(&Method::CallTool).expect("it reads") {
            ServerResult::CallTool(result) => text(&result).to_owned(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_calls_hang_is_refused_at_its_share_and_others_are_served() {
    let (one, two) = (Upstream::new(), Upstream::new());
    let hub = hub(8, &[("one", &one, Version::LATEST), ("two", &two, Version::LATEST)]).await;
    let mut hanging = tokio::task::JoinSet::new();
    // Two each: no connector is at its share.
    for tool in ["one_hang", "two_hang", "one_hang", "two_hang"] {
        let hub = hub.clone();
        hanging.spawn(async move { call(&hub, "greedy", tool).await });
    }
    let begun = [&one, &two].map(|upstream| async move {
        while upstream.calls.load(std::sync::atomic::Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    });
    tokio::time::timeout(Duration::from_secs(60), join_all(begun)).await.expect("they run");
    let refused = said(call(&hub, "greedy", "one_echo").await);
    assert!(refused.contains("You already run 4 requests, which is your share of the 8"), "{refused}");
    assert_eq!(said(call(&hub, "other", "one_echo").await), "nothing");
}
