//! Processes that are not used: they are stopped, and started again for the next request. The clock is virtual.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use loggia_hub::{ConnectorStatus, Hub, HubLimits};
use serde_json::json;

use crate::fixture::{ERAS, Upstream, client, hub_with, limits, switched, text};

const IDLE: Duration = Duration::from_secs(1800);

fn short() -> HubLimits {
    HubLimits { process_idle: IDLE, ..limits() }
}

async fn until(hub: &Arc<Hub>, is_reached: fn(&ConnectorStatus) -> bool) {
    let mut watch = hub.watch();
    watch.wait_for(|all| all.iter().all(is_reached)).await.expect("the hub lives");
}

#[tokio::test(start_paused = true)]
async fn an_unused_process_is_stopped_and_the_next_call_starts_it() {
    for era in ERAS {
        let (connector, switch) = switched("up", &Upstream::new(), era);
        let hub = hub_with(short(), vec![connector.starts_process(true)]).await;
        let client = client(&hub, ERAS[0]).await;
        let tools = client.list_all_tools().await.expect("tools").len();
        for starts in 1..=3 {
            let called = client.call_tool("up_echo", json!({})).await.expect("a result");
            assert_eq!(text(&called), "nothing");
            assert_eq!(switch.attempts.load(Ordering::SeqCst), starts, "{era:?}");
            let before = tokio::time::Instant::now();
            until(&hub, |status| status.stopped).await;
            assert!(before.elapsed() >= IDLE, "{:?}", before.elapsed());
            assert!(hub.status()[0].is_up(), "it is there for the next request");
            assert_eq!(client.list_all_tools().await.expect("tools").len(), tools, "its tools stay listed");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_used_or_is_none_is_not_stopped() {
    for (is_process, pause, is_stopped) in
        [(true, IDLE / 2, false), (false, 3 * IDLE, false), (true, 3 * IDLE, true)]
    {
        let (connector, switch) = switched("up", &Upstream::new(), ERAS[0]);
        let hub = hub_with(short(), vec![connector.starts_process(is_process)]).await;
        let client = client(&hub, ERAS[0]).await;
        for _ in 0..5 {
            client.call_tool("up_echo", json!({})).await.expect("a result");
            tokio::time::advance(pause).await;
        }
        let attempts = switch.attempts.load(Ordering::SeqCst);
        assert_eq!(attempts > 1, is_stopped, "{is_process} {pause:?}: {attempts}");
    }
}

#[tokio::test(start_paused = true)]
async fn several_calls_start_a_stopped_process_once() {
    let (connector, switch) = switched("up", &Upstream::new(), ERAS[0]);
    let hub = hub_with(short(), vec![connector.starts_process(true)]).await;
    let client = client(&hub, ERAS[0]).await;
    until(&hub, |status| status.stopped).await;
    let call =
        || async { client.call_tool("up_echo", json!({})).await.map(|result| text(&result).to_owned()) };
    let results = tokio::join!(call(), call(), call());
    for result in [results.0, results.1, results.2] {
        assert_eq!(result.expect("a result"), "nothing");
    }
    assert_eq!(switch.attempts.load(Ordering::SeqCst), 2);
}
