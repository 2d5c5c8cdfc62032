//! Calls of a legacy upstream that wait for a modern client. Here the client is looked at in raw form,
//! round by round.

use std::sync::Arc;
use std::time::Duration;

use loggia::client::{Client, InputPolicy, RequestOptions};
use loggia::exchange::Exchange;
use loggia::model::{ClientCapabilities, ElicitationCapability};
use loggia::service::{Principal, Reply, Request};
use loggia::wire::{ErrorCode, Method, RawJson, RequestMeta, RpcError, Version};
use loggia::{Error, Service};
use loggia_hub::{Hub, HubLimits, SuspendedCallAddress};
use serde_json::{Value, json};

use crate::fixture::{Upstream, builder, connect, connector, hub_of, hub_with, limits};

const UPSTREAM: Version = Version::V2025_11_25;

/// One round of a call by a client that can show forms.
async fn round(client: &Client, params: Value) -> Result<Value, Error> {
    let options = RequestOptions { input: InputPolicy::Surface(None), ..RequestOptions::default() };
    let reply = client.request(Method::CallTool, RawJson::from(&params), options).await?;
    Ok(reply.result.decode().expect("a result is JSON"))
}

async fn asking(upstream: &std::sync::Arc<Upstream>) -> Client {
    connect(builder(Version::V2026_07_28).capabilities(forms()), &hub_of(upstream, UPSTREAM).await).await
}

fn forms() -> ClientCapabilities {
    ClientCapabilities {
        elicitation: Some(ElicitationCapability::default()),
        ..ClientCapabilities::default()
    }
}

fn code(outcome: &Result<Value, Error>) -> Option<ErrorCode> {
    match outcome {
        Err(Error::Rpc(error)) => Some(error.code),
        _ => None,
    }
}

fn question(result: &Value) -> (String, String) {
    assert_eq!(result["resultType"], "input_required", "{result}");
    let requests = result["inputRequests"].as_object().expect("questions");
    assert_eq!(requests.len(), 1, "{result}");
    let key = requests.keys().next().expect("one").clone();
    (key, result["requestState"].as_str().expect("a state").to_owned())
}

fn retry(tool: &str, key: &str, state: &str) -> Value {
    let answers = json!({ key: { "action": "accept", "content": { "name": "Ann" } } });
    json!({ "name": tool, "arguments": {}, "inputResponses": answers, "requestState": state })
}

fn principal(issuer: Option<&str>, subject: &str, scopes: &[&str]) -> Principal {
    Principal {
        subject: subject.to_owned(),
        issuer: issuer.map(str::to_owned),
        scopes: scopes.iter().map(|scope| scope.to_string()).collect(),
    }
}

/// Calls a tool as a modern client that can show forms.
async fn call_by(hub: &Hub, principal: Option<Principal>, params: Value) -> Result<Reply, RpcError> {
    let params = RawJson::from(&params).into();
    let session = Arc::new(RequestMeta {
        version: Version::V2026_07_28,
        client_info: None,
        client_capabilities: forms(),
        log_level: None,
        progress_token: None,
        extra: Default::default(),
    });
    let meta = RequestMeta::from_session(Some(&params), &session).expect("readable");
    let request = Request { method: Method::CallTool, params, meta, principal: principal.map(Arc::new) };
    hub.call(request, Exchange::new(None).0).await
}

#[tokio::test(start_paused = true)]
async fn each_question_is_a_round_and_the_call_runs_once() {
    let upstream = Upstream::new();
    let client = asking(&upstream).await;
    let first = round(&client, json!({ "name": "up_interview", "arguments": {} })).await.expect("a round");
    let (key, state) = question(&first);
    let second = round(&client, retry("up_interview", &key, &state)).await.expect("a round");
    let (next_key, next_state) = question(&second);
    assert!(next_key != key && next_state != state);
    let last = round(&client, retry("up_interview", &next_key, &next_state)).await.expect("a result");
    assert_eq!(last["resultType"], "complete", "{last}");
    assert_eq!(upstream.calls.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_missing_is_asked_for_again() {
    let client = asking(&Upstream::new()).await;
    let first = round(&client, json!({ "name": "up_ask", "arguments": {} })).await.expect("a round");
    let (key, state) = question(&first);
    let again = round(&client, retry("up_ask", "something-else", &state)).await.expect("a round");
    let (same_key, state) = question(&again);
    assert_eq!(same_key, key);
    let last = round(&client, retry("up_ask", &key, &state)).await.expect("a result");
    assert_eq!(last["resultType"], "complete", "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_state_is_good_once_and_for_its_own_request_alone() {
    let client = asking(&Upstream::new()).await;
    let first = round(&client, json!({ "name": "up_ask", "arguments": {} })).await.expect("a round");
    let (key, state) = question(&first);
    let mut other_arguments = retry("up_ask", &key, &state);
    other_arguments["arguments"] = json!({ "more": 1 });
    for wrong in [
        retry("up_interview", &key, &state),
        other_arguments,
        retry("up_ask", &key, "loggia-parked-00000000000000000000000000000000"),
        retry("up_ask", &key, &state.replace(|c: char| c.is_ascii_hexdigit(), "0")),
        retry("up_ask", &key, "of-somebody-else"),
    ] {
        let refused = round(&client, wrong.clone()).await;
        assert_eq!(code(&refused), Some(ErrorCode::INVALID_PARAMS), "{wrong}");
    }
    // None of that has spoilt it.
    assert!(round(&client, retry("up_ask", &key, &state)).await.is_ok());
    let replayed = round(&client, retry("up_ask", &key, &state)).await;
    assert_eq!(code(&replayed), Some(ErrorCode::INVALID_PARAMS));
}

#[tokio::test(start_paused = true)]
async fn a_parked_call_is_for_whoever_made_it_whatever_else_they_may_do_now() {
    let hub = hub_of(&Upstream::new(), UPSTREAM).await;
    let by = async |principal, params| call_by(&hub, principal, params).await;
    let of = principal;
    let asked = by(Some(of(Some("i"), "ann", &["a"])), json!({ "name": "up_ask", "arguments": {} })).await;
    let asked = asked.expect("a round").input_required().expect("a question").clone();
    let key = asked.input_requests.expect("one").into_keys().next().expect("one");
    let retry = retry("up_ask", &key, &asked.request_state.expect("a state"));
    for other in [None, Some(of(Some("i"), "bob", &["a"])), Some(of(None, "ann", &["a"]))] {
        let refused = by(other.clone(), retry.clone()).await.expect_err("not theirs");
        assert_eq!(refused.code, ErrorCode::INVALID_PARAMS, "{other:?}");
    }
    by(Some(of(Some("i"), "ann", &["a", "b"])), retry).await.expect("a result");
}

/// With room for two calls, one user has one of them, and gets it back with the answer. `Budget`'s tests show that the
/// rest is free for others.
#[tokio::test(start_paused = true)]
async fn one_user_cannot_take_all_the_room_for_calls_that_wait() {
    let limits = HubLimits { suspended_calls: 2, ..limits() };
    let hub = hub_with(limits, vec![connector("up", &Upstream::new(), UPSTREAM)]).await;
    let ask = async |params: Value| {
        let outcome = call_by(&hub, Some(principal(None, "ann", &[])), params).await;
        outcome.map(|reply| reply.input_required().cloned())
    };
    let call = || json!({ "name": "up_ask", "arguments": {} });
    let asked = ask(call()).await.expect("a round").expect("a question");
    let refused = ask(call()).await.expect_err("her share is used up");
    assert!(refused.message.contains("your share of the 2"), "{}", refused.message);
    let key = asked.input_requests.expect("one").into_keys().next().expect("one");
    let answer = retry("up_ask", &key, &asked.request_state.expect("a state"));
    assert!(ask(answer).await.expect("a result").is_none());
    assert!(ask(call()).await.expect("a round").is_some());
}

#[tokio::test(start_paused = true)]
async fn when_its_time_is_over_the_call_is_cancelled_upstream() {
    let upstream = Upstream::new();
    upstream.tools.lock().expect("not poisoned").push("ask-and-tell".to_owned());
    let client = asking(&upstream).await;
    let first = round(&client, json!({ "name": "up_ask-and-tell", "arguments": {} })).await.expect("a round");
    question(&first);
    let started = tokio::time::Instant::now();
    let over = tokio::time::timeout(Duration::from_secs(400), upstream.cancelled.notified()).await;
    assert!(over.is_ok(), "the upstream still waits");
    assert!(started.elapsed() >= Duration::from_secs(300), "it was cancelled too early");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_returns_costs_a_bounded_time() {
    let upstream = Upstream::new();
    let client = asking(&upstream).await;
    let first = round(&client, json!({ "name": "up_ask", "arguments": {} })).await.expect("a round");
    let (key, state) = question(&first);
    tokio::time::sleep(Duration::from_secs(299)).await;
    let in_time = round(&client, retry("up_ask", "none", &state)).await.expect("still there");
    let (_, state) = question(&in_time);
    tokio::time::sleep(Duration::from_secs(301)).await;
    let late = round(&client, retry("up_ask", &key, &state)).await;
    assert_eq!(code(&late), Some(ErrorCode::INVALID_PARAMS));
}

/// Two hubs stand for two replicas of a gateway.
#[tokio::test(start_paused = true)]
async fn a_state_names_its_replica_and_another_replica_says_so() {
    let upstream = Upstream::new();
    let (this, other) = (hub_of(&upstream, UPSTREAM).await, hub_of(&upstream, UPSTREAM).await);
    assert_ne!(this.replica_id(), other.replica_id());
    let client =
        async |hub: &Arc<Hub>| connect(builder(Version::V2026_07_28).capabilities(forms()), hub).await;
    let (here, there) = (client(&this).await, client(&other).await);
    let first = round(&here, json!({ "name": "up_ask", "arguments": {} })).await.expect("a round");
    let (key, state) = question(&first);
    let address: SuspendedCallAddress = state.parse().expect("an address");
    assert_eq!(address.replica(), this.replica_id());
    let refused = round(&there, retry("up_ask", &key, &state)).await;
    let Err(Error::Rpc(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
    for part in [this.replica_id(), other.replica_id()] {
        assert!(error.message.contains(&format!("replica {part}")), "{}", error.message);
    }
    round(&here, retry("up_ask", &key, &state)).await.expect("a result here");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_call_outlives_a_change_that_leaves_its_connector_alone() {
    // The change while the client thinks, and a part of the error; `None` if the call continues.
    for (change, expected) in [
        ("another is added", None),
        ("a tool is renamed", None),
        ("it is changed", Some("no longer open")),
        ("it is removed", Some("Unknown tool: up_ask")),
    ] {
        let upstream = Upstream::new();
        upstream.tools.lock().expect("not poisoned").push("ask-and-tell".to_owned());
        let up = connector("up", &upstream, UPSTREAM);
        let hub = hub_with(limits(), vec![up.clone()]).await;
        let client = connect(builder(Version::V2026_07_28).capabilities(forms()), &hub).await;
        let asked = |tool: &'static str| round(&client, json!({ "name": tool, "arguments": {} }));
        let (key, state) = question(&asked("up_ask").await.expect("a round"));
        question(&asked("up_ask-and-tell").await.expect("a round"));
        let outcome = match change {
            "another is added" => hub.add(connector("more", &upstream, UPSTREAM)),
            "a tool is renamed" => hub.apply(vec![up.rename_tool("echo", "say")]),
            "it is changed" => hub.replace(connector("up", &upstream, UPSTREAM)),
            _ => hub.remove("up"),
        };
        outcome.expect("a good set");
        if expected.is_some() {
            // The calls that wait are cancelled at once: no request can answer them.
            let begun = tokio::time::Instant::now();
            upstream.cancelled.notified().await;
            assert!(begun.elapsed() < Duration::from_secs(1), "{change}: after {:?}", begun.elapsed());
        }
        let outcome = round(&client, retry("up_ask", &key, &state)).await;
        match (expected, outcome) {
            (None, Ok(result)) => assert_eq!(result["resultType"], "complete", "{change}: {result}"),
            (Some(part), Err(Error::Rpc(error))) => {
                assert!(error.message.contains(part), "{change}: {}", error.message);
            }
            (_, outcome) => panic!("{change}: {outcome:?}"),
        }
    }
}
