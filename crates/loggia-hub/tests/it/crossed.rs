//! Several calls of one legacy upstream at once, on a channel that does not say whose question is whose.

use std::sync::Arc;
use std::time::Duration;

use loggia::wire::Version;
use serde_json::json;

use crate::fixture::{ERAS, Upstream, accepted, builder, connect, hub_of, text};

const UPSTREAM: Version = Version::V2025_11_25;

#[tokio::test]
async fn calls_that_ask_at_the_same_time_all_come_to_an_end() {
    for down in ERAS {
        let hub = hub_of(&Upstream::new(), UPSTREAM).await;
        let asked = |field: &'static str| {
            builder(down).on_elicit(move |form| async move {
                let name = form.requested_schema.properties.keys().next().cloned().unwrap_or_default();
                tokio::task::yield_now().await;
                Ok(accepted(&name, field))
            })
        };
        let (one, two) = (connect(asked("one"), &hub).await, connect(asked("two"), &hub).await);
        let calls = (0..20).map(|n| {
            let client = if n % 2 == 0 { one.clone() } else { two.clone() };
            let tool = if n % 3 == 0 { "up_interview" } else { "up_ask" };
            async move { client.call_tool(tool, json!({ "n": n })).await }
        });
        for outcome in futures_util::future::join_all(calls).await {
            let result = outcome.expect("a result");
            assert!(text(&result).contains("accept"), "{down}: {result:?}");
        }
    }
}

#[tokio::test]
async fn the_question_of_a_tool_that_is_known_to_ask_is_not_put_to_another_client() {
    for down in ERAS {
        let upstream = Upstream::new();
        let hub = hub_of(&upstream, UPSTREAM).await;
        let right = builder(down).on_elicit(|_| async { Ok(accepted("name", "right")) });
        let right = connect(right, &hub).await;
        // Alone, so that it is known whose question it was.
        right.call_tool("up_ask", json!({})).await.expect("a result");
        let wrong = builder(down).on_elicit(|_| async { Ok(accepted("name", "wrong")) });
        let wrong = connect(wrong, &hub).await;
        let hanging = upstream.hanging.clone();
        let long = tokio::spawn(async move { wrong.call_tool("up_hang", json!({})).await });
        hanging.notified().await;
        let result = right.call_tool("up_ask", json!({})).await.expect("a result");
        assert!(text(&result).contains("right"), "{down}: {result:?}");
        long.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_put_to_a_call_that_ends_moves_on() {
    for down in ERAS {
        let upstream = Upstream::new();
        upstream.tools.lock().expect("not poisoned").extend(["nap".to_owned(), "late-ask".to_owned()]);
        let hub = hub_of(&upstream, UPSTREAM).await;
        // Asked by mistake, this one never answers.
        let silent = builder(down).on_elicit(|_| std::future::pending());
        let silent = connect(silent, &hub).await;
        let right = builder(down).on_elicit(|_| async { Ok(accepted("name", "right")) });
        let right = Arc::new(connect(right, &hub).await);
        let asks = tokio::spawn({
            let right = right.clone();
            async move { right.call_tool("up_late-ask", json!({})).await }
        });
        // Newer than the call that will ask, and over soon after it has asked.
        let naps = tokio::spawn(async move { silent.call_tool("up_nap", json!({})).await });
        let result =
            tokio::time::timeout(Duration::from_secs(60), asks).await.expect("in time").expect("no panic");
        assert!(text(&result.expect("a result")).contains("right"), "{down}");
        drop(naps);
    }
}
