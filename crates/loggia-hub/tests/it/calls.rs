//! The messages that are relayed while a request runs, for every pair of client and upstream.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loggia::changes::Change;
use loggia::exchange::Exchange;
use loggia::model::{
    ClientCapabilities, CompleteParams, CreateMessageResult, ElicitAction, ElicitResult, LoggingLevel, Root,
    SubscriptionFilter,
};
use loggia::service::{Principal, Request};
use loggia::wire::{ErrorCode, Method, RawJson, RequestMeta, Version};
use loggia::{Error, Service};
use serde_json::{Value, json};

use crate::fixture::{ERAS, Upstream, accepted, builder, client, connect, hub_of, pairs, text};

#[tokio::test]
async fn a_call_reaches_its_upstream_and_its_result_comes_back() {
    for (down, up) in pairs() {
        let client = client(&hub_of(&Upstream::new(), up).await, down).await;
        let result = client.call_tool("up_echo", json!({ "text": "h\u{e9}\n" })).await.expect("a result");
        assert_eq!(text(&result), "h\u{e9}\n", "{down} {up}");
    }
}

#[tokio::test]
async fn a_failed_tool_and_a_refused_call_stay_what_they_are() {
    for (down, up) in pairs() {
        let client = client(&hub_of(&Upstream::new(), up).await, down).await;
        let failed = client.call_tool("up_fail", json!({})).await.expect("a result");
        assert!(failed.failed() && text(&failed) == "it broke", "{down} {up}");
        let refused = client.call_tool("up_refuse", json!({})).await;
        assert!(
            matches!(&refused, Err(Error::Rpc(e)) if e.code == ErrorCode(-32050) && e.message == "not today"
                && e.data == Some(json!({ "why": "rain" }).into())),
            "{down} {up}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_is_refused() {
    let client = client(&hub_of(&Upstream::new(), ERAS[0]).await, ERAS[0]).await;
    for name in ["echo", "up_nothing", "other_echo", ""] {
        let refused = client.call_tool(name, json!({})).await;
        assert!(
            matches!(&refused, Err(Error::Rpc(e)) if e.code == ErrorCode::INVALID_PARAMS),
            "{name}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn progress_carries_the_clients_own_token() {
    for (down, up) in pairs() {
        let client = client(&hub_of(&Upstream::new(), up).await, down).await;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sink = heard.clone();
        let call = client.call("up_steps").on_progress(move |p| sink.lock().expect("not poisoned").push(p));
        let result = call.send().await.expect("a result");
        assert_eq!(text(&result), "done", "{down} {up}");
        let heard: Vec<_> = std::mem::take(&mut *heard.lock().expect("not poisoned"));
        let said: Vec<_> = heard.iter().map(|p| (p.progress, p.total, p.message.as_deref())).collect();
        assert_eq!(said, [(0.5, Some(1.0), Some("half"))], "{down} {up}");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_upstream() {
    for (down, up) in pairs() {
        let upstream = Upstream::new();
        let client = client(&hub_of(&upstream, up).await, down).await;
        let (hanging, cancelled) = (upstream.hanging.clone(), upstream.cancelled.clone());
        let call = tokio::spawn(async move { client.call_tool("up_hang", json!({})).await });
        hanging.notified().await;
        call.abort();
        // Comes only if the cancellation arrives.
        cancelled.notified().await;
    }
}

#[tokio::test]
async fn a_question_to_the_person_is_relayed_with_each_of_its_answers() {
    for (down, up) in pairs() {
        for (answer, expected) in [
            (accepted("name", "Ann"), json!([{ "action": "accept", "content": { "name": "Ann" } }])),
            (ElicitResult::decline(), json!([{ "action": "decline" }])),
            (ElicitResult::cancel(), json!([{ "action": "cancel" }])),
        ] {
            let hub = hub_of(&Upstream::new(), up).await;
            let builder = builder(down).on_elicit(move |form| {
                assert_eq!(form.message, "Who?");
                let answer = answer.clone();
                async move { Ok(answer) }
            });
            let result = connect(builder, &hub).await.call_tool("up_ask", json!({})).await.expect("a result");
            assert_eq!(serde_json::from_str::<Value>(text(&result)).expect("JSON"), expected, "{down} {up}");
        }
    }
}

#[tokio::test]
async fn questions_one_after_the_other_are_rounds_or_live() {
    for (down, up) in pairs() {
        let upstream = Upstream::new();
        let hub = hub_of(&upstream, up).await;
        let builder = builder(down).on_elicit(|form| async move {
            let field = form.requested_schema.properties.keys().next().cloned().unwrap_or_default();
            Ok(accepted(&field, &form.message))
        });
        let result =
            connect(builder, &hub).await.call_tool("up_interview", json!({})).await.expect("a result");
        let expected = json!([
            { "action": "accept", "content": { "name": "Who?" } },
            { "action": "accept", "content": { "age": "How old?" } },
        ]);
        assert_eq!(serde_json::from_str::<Value>(text(&result)).expect("JSON"), expected, "{down} {up}");
        if !up.is_modern() {
            let calls = upstream.calls.load(std::sync::atomic::Ordering::SeqCst);
            assert_eq!(calls, 1, "{down} {up}: a legacy upstream runs the call once");
        }
    }
}

#[tokio::test]
async fn the_model_and_the_roots_are_asked_for() {
    for (down, up) in pairs() {
        let hub = hub_of(&Upstream::new(), up).await;
        let builder = builder(down)
            .on_sample(|params| async move {
                assert_eq!(params.max_tokens, 9);
                Ok(CreateMessageResult::text("m-1", "Hello"))
            })
            .roots([Root { uri: "file:///work".to_owned(), ..Root::default() }]);
        let client = connect(builder, &hub).await;
        let sampled = client.call_tool("up_sample", json!({})).await.expect("a result");
        assert!(text(&sampled).contains("\"Hello\"") && text(&sampled).contains("\"m-1\""), "{down} {up}");
        let roots = client.call_tool("up_roots", json!({})).await.expect("a result");
        assert!(text(&roots).contains("file:///work"), "{down} {up}: {}", text(&roots));
    }
}

#[tokio::test]
async fn a_client_that_cannot_be_asked_is_not_asked() {
    for (down, up) in pairs() {
        let client = client(&hub_of(&Upstream::new(), up).await, down).await;
        let refused = client.call_tool("up_ask", json!({})).await;
        let said = match &refused {
            Err(Error::Rpc(error)) => error.message.to_string(),
            Ok(result) if result.failed() => text(result).to_owned(),
            other => panic!("{down} {up}: {other:?}"),
        };
        assert!(!said.is_empty(), "{down} {up}");
    }
}

#[tokio::test]
async fn log_messages_come_from_the_wanted_level_on() {
    for (down, up) in pairs() {
        for (level, expected) in [
            (Some(LoggingLevel::Debug), vec!["detail", "trouble"]),
            (Some(LoggingLevel::Warning), vec!["trouble"]),
            // A legacy session has a level from the beginning.
            (None, if down.is_modern() { vec![] } else { vec!["trouble"] }),
        ] {
            let hub = hub_of(&Upstream::new(), up).await;
            let heard = Arc::new(Mutex::new(Vec::new()));
            let sink = heard.clone();
            let builder =
                builder(down).on_log(move |log| sink.lock().expect("not poisoned").push(log.data.clone()));
            let client = connect(builder, &hub).await;
            if let Some(level) = level {
                client.set_log_level(level).await.expect("taken");
            }
            client.call_tool("up_log", json!({})).await.expect("a result");
            let heard: Vec<RawJson> = heard.lock().expect("not poisoned").clone();
            assert_eq!(json!(heard), json!(expected), "{down} {up} {level:?}");
        }
    }
}

#[tokio::test]
async fn log_messages_do_not_reach_another_person() {
    for (down, up) in pairs() {
        for (other, expected) in [("ann", 1), ("bob", 0)] {
            let upstream = Upstream::new();
            let hub = hub_of(&upstream, up).await;
            let (waits, heard_by_waiting, _guard) = Exchange::new(None);
            let hangs = tokio::spawn({
                let hub = hub.clone();
                async move { hub.call(call_of(down, "up_hang", "ann"), waits).await }
            });
            upstream.hanging.notified().await;
            let (exchange, heard, _guard) = Exchange::new(None);
            hub.call(call_of(down, "up_log", other), exchange).await.expect("a result");
            // The channel does not tell which of the two calls a message is about.
            let count =
                [heard_by_waiting, heard].map(|outbox| std::iter::from_fn(|| outbox.try_next()).count());
            assert_eq!(count.iter().sum::<usize>(), expected, "{down} {up} {other}");
            hangs.abort();
        }
    }
}

/// Returns a call of a client that wants log messages of errors.
fn call_of(version: Version, tool: &str, subject: &str) -> Request {
    let params = RawJson::from(&json!({ "name": tool, "arguments": {} })).into();
    let session = Arc::new(RequestMeta {
        version,
        client_info: None,
        client_capabilities: ClientCapabilities::default(),
        log_level: Some(LoggingLevel::Error),
        progress_token: None,
        extra: Default::default(),
    });
    let meta = RequestMeta::from_session(Some(&params), &session).expect("readable");
    let principal = Principal { subject: subject.to_owned(), ..Principal::default() };
    Request { method: Method::CallTool, params, meta, principal: Some(Arc::new(principal)) }
}

#[tokio::test]
async fn prompts_resources_and_completions_are_routed() {
    for (down, up) in pairs() {
        let client = client(&hub_of(&Upstream::new(), up).await, down).await;
        let prompt = client.get_prompt("up_greet", [("who", "Ann")]).await.expect("a prompt");
        assert_eq!(prompt.messages[0].content.as_text(), Some("\"greet\": hello Ann"), "{down} {up}");
        for uri in ["note:///two", "note:///by/ann", "up+note:///one", "note:///unlisted"] {
            let read = client.read_resource(uri).await.expect("contents");
            assert_eq!(read.contents[0].uri, uri, "{down} {up}");
        }
        let missing = client.read_resource("note:///missing").await;
        let code = if down.is_modern() { ErrorCode::INVALID_PARAMS } else { ErrorCode::RESOURCE_NOT_FOUND };
        assert!(matches!(&missing, Err(Error::Rpc(e)) if e.code == code), "{down} {up}: {missing:?}");
        for (reference, own) in [
            (
                json!({ "type": "ref/prompt", "name": "up_greet" }),
                json!({ "type": "ref/prompt", "name": "greet" }),
            ),
            (
                json!({ "type": "ref/resource", "uri": "note:///by/{name}" }),
                json!({ "type": "ref/resource", "uri": "note:///by/{name}" }),
            ),
        ] {
            let params = json!({ "ref": reference, "argument": { "name": "who", "value": "A" } });
            let params: CompleteParams = serde_json::from_value(params).expect("params");
            let completed = client.complete(params).await.expect("completions");
            assert_eq!(completed.completion.values, [own.to_string(), "\"A\"".to_owned()], "{down} {up}");
        }
    }
}

#[tokio::test]
async fn a_resource_that_is_subscribed_to_is_heard_of_and_no_other() {
    for (down, up) in pairs() {
        let upstream = Upstream::new();
        let client = client(&hub_of(&upstream, up).await, down).await;
        let filter = SubscriptionFilter {
            resource_subscriptions: Some(vec!["note:///two".to_owned(), "no-uri".to_owned()]),
            ..SubscriptionFilter::default()
        };
        let mut subscription = match client.listen(filter.clone()).await {
            Ok(subscription) => {
                assert!(down.is_modern(), "a legacy client learns of the URI that nobody has");
                assert_eq!(
                    subscription.accepted().resource_subscriptions,
                    Some(vec!["note:///two".to_owned()])
                );
                subscription
            }
            Err(_) => {
                let filter = SubscriptionFilter {
                    resource_subscriptions: Some(vec!["note:///two".to_owned()]),
                    ..SubscriptionFilter::default()
                };
                client.listen(filter).await.expect("a stream")
            }
        };
        // The upstream is subscribed to in the background: announce until it is heard.
        let announce = async {
            loop {
                upstream.changes.resource("note:///one");
                upstream.changes.resource("note:///two");
                tokio::task::yield_now().await;
            }
        };
        let change = tokio::select! { change = subscription.next() => change, () = announce => None };
        assert_eq!(change, Some(Change::Resource("note:///two".to_owned())), "{down} {up}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_refuses_a_subscription_is_asked_again() {
    for up in ERAS {
        let upstream = Upstream::new();
        upstream.refusals.store(3, Ordering::SeqCst);
        let client = client(&hub_of(&upstream, up).await, ERAS[0]).await;
        let filter = SubscriptionFilter {
            resource_subscriptions: Some(vec!["note:///two".to_owned()]),
            ..SubscriptionFilter::default()
        };
        let mut subscription = client.listen(filter).await.expect("a stream");
        let announce = async {
            loop {
                upstream.changes.resource("note:///two");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let change = tokio::select! { change = subscription.next() => change, () = announce => None };
        assert_eq!(change, Some(Change::Resource("note:///two".to_owned())), "{up}");
        assert_eq!(upstream.refusals.load(Ordering::SeqCst), 0, "{up}");
    }
}

#[tokio::test]
async fn a_change_of_an_upstreams_tools_is_announced_and_seen() {
    for (down, up) in pairs() {
        let upstream = Upstream::new();
        let client = client(&hub_of(&upstream, up).await, down).await;
        let filter = SubscriptionFilter { tools_list_changed: Some(true), ..SubscriptionFilter::default() };
        let mut subscription = client.listen(filter).await.expect("a stream");
        upstream.tools.lock().expect("not poisoned").push("brand-new".to_owned());
        upstream.changes.tools();
        assert_eq!(subscription.next().await, Some(Change::Tools), "{down} {up}");
        let tools = client.list_all_tools().await.expect("tools");
        assert!(tools.iter().any(|tool| tool.name == "up_brand-new"), "{down} {up}");
    }
}

#[tokio::test]
async fn an_error_that_wants_a_url_opened_is_a_question_to_a_modern_client() {
    for (answer, open_meanwhile, expected) in [
        (ElicitAction::Accept, true, Ok("inside")),
        (ElicitAction::Accept, false, Err(())),
        (ElicitAction::Decline, false, Err(())),
    ] {
        let upstream = Upstream::new();
        let hub = hub_of(&upstream, ERAS[1]).await;
        let gate = upstream.clone();
        let builder = builder(ERAS[0]).on_elicit_url(move |params| {
            assert_eq!(params.url, "https://gate.example");
            gate.gate_open.store(open_meanwhile, std::sync::atomic::Ordering::SeqCst);
            async move { Ok(ElicitResult::without_content(answer)) }
        });
        upstream.tools.lock().expect("not poisoned").push("gated".to_owned());
        let client = connect(builder, &hub).await;
        upstream.changes.tools();
        let outcome = loop {
            match client.call_tool("up_gated", json!({})).await {
                Err(Error::Rpc(error)) if error.message.starts_with("Unknown tool") => {
                    tokio::task::yield_now().await
                }
                outcome => break outcome,
            }
        };
        assert_eq!(outcome.as_ref().map(text).map_err(|_| ()), expected, "{answer:?}: {outcome:?}");
    }
}
