//! Tools whose definitions, arguments and results are rewritten, and tools that the user has to allow.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use loggia::client::{Client, InputPolicy, RequestOptions};
use loggia::model::{
    CallToolResult, ClientCapabilities, ContentBlock, ElicitationCapability, JsonObject, ResourceBody, Tool,
};
use loggia::service::BoxFuture;
use loggia::wire::{Method, RawJson, Version};
use loggia_hub::{Connector, Hub, ResultLimit, ToolReview, ToolTransform};
use serde_json::{Value, json};

use crate::fixture::{ERAS, Upstream, builder, client, connect, connector, hub, pairs, text};

/// Renames the argument `text` to `say`, and shapes the text of results. `CONFIRM` asks the user first.
struct Polite<const CONFIRM: bool>;

impl<const CONFIRM: bool> ToolTransform for Polite<CONFIRM> {
    fn definition(&self, tool: &Tool) -> Tool {
        Tool { description: Some("Says it politely.".to_owned()), ..tool.clone() }
    }

    fn changes_arguments(&self) -> bool {
        true
    }

    fn arguments(&self, given: &JsonObject) -> Result<JsonObject, String> {
        let said = given.get("say").and_then(|value| value.as_str().map(|text| text.into_owned()));
        let said = said.ok_or("say something")?;
        Ok(JsonObject::from_iter([("text", format!("please {said}").as_str())]))
    }

    fn changes_result(&self) -> bool {
        true
    }

    fn result(&self, result: CallToolResult) -> BoxFuture<'_, CallToolResult> {
        let shaped = CallToolResult::text(format!("{}!", text(&result)));
        Box::pin(std::future::ready(shaped))
    }

    fn needs_confirmation(&self) -> bool {
        CONFIRM
    }
}

/// Changes nothing but asks the user.
struct Asked;

impl ToolTransform for Asked {
    fn needs_confirmation(&self) -> bool {
        true
    }
}

fn polite(upstream: &Arc<Upstream>, version: Version) -> Connector {
    let up = connector("up", upstream, version).rename_tool("echo", "say");
    up.transform_tool("echo", Polite::<false>).transform_tool("ask", Polite::<false>)
}

#[tokio::test]
async fn a_tool_with_a_transform_is_rewritten_and_others_are_not() {
    for (down, version) in pairs() {
        let upstream = Upstream::new();
        let client = client(&hub(vec![polite(&upstream, version)]).await, down).await;
        let tools = client.list_all_tools().await.expect("tools");
        let described = |name: &str| {
            let tool = tools.iter().find(|tool| tool.name == name).expect("listed");
            tool.description.clone()
        };
        assert_eq!(described("up_say").as_deref(), Some("Says it politely."), "{down} {version}");
        assert_eq!(described("up_fail"), None, "{down} {version}");
        // Each case: a tool, its arguments, and the text of the result.
        for (tool, arguments, expected) in [
            ("up_say", json!({ "say": "hi" }), "please hi!"),
            ("up_say", json!({ "text": "hi" }), "say something"),
            ("up_fail", json!({}), "it broke"),
            ("up_log", json!({}), "logged"),
        ] {
            let result = client.call_tool(tool, arguments.clone()).await.expect("a result");
            assert_eq!(text(&result), expected, "{down} {version} {tool} {arguments}");
        }
        assert_eq!(
            upstream.calls.load(Ordering::SeqCst),
            3,
            "{down} {version}: wrong arguments are not sent"
        );
    }
}

/// A bound applies to each tool of its connector, after the transform, and to no tool of another connector.
#[tokio::test]
async fn results_beyond_the_bound_of_a_connector_are_linked() {
    for (down, version) in pairs() {
        let upstream = Upstream::new();
        let limit = ResultLimit { text: 20, binary: 20 };
        let bounded = polite(&upstream, version).result_limit(Some(limit));
        let other = connector("other", &upstream, version);
        let client = client(&hub(vec![bounded, other]).await, down).await;
        let long = "x".repeat(100);
        // Each case: a tool, its arguments, the begin of the text, and the whole result where it is linked.
        let said = format!("please {long}!");
        for (tool, arguments, begin, linked) in [
            ("up_say", json!({ "say": long }), &said[..20], Some(&said)),
            ("up_say", json!({ "say": "hi" }), "please hi!", None),
            ("up_fail", json!({}), "it broke", None),
            ("other_echo", json!({ "text": long }), &long, None),
        ] {
            let result = client.call_tool(tool, arguments).await.expect("a result");
            assert!(text(&result).starts_with(begin), "{down} {version} {tool}: {result:?}");
            let uri = result.content.iter().find_map(|block| match block {
                ContentBlock::ResourceLink(link) => Some(link.uri.clone()),
                _ => None,
            });
            // Older revisions have no links: the text names the resource.
            let words = text(&result).split([' ', '?']);
            let named = words.map(str::to_owned).find(|word| word.starts_with("loggia://"));
            assert_eq!(named.is_some(), linked.is_some(), "{down} {version} {tool}: {result:?}");
            assert!(uri.is_none() || uri == named, "{down} {version} {tool}");
            let (Some(uri), Some(linked)) = (named, linked) else { continue };
            let read = client.read_resource(uri).await.expect("the whole result");
            assert_eq!(read.contents[0].body, ResourceBody::Text(linked.clone()), "{down} {version}");
        }
    }
}

#[tokio::test]
async fn a_question_of_the_upstream_is_passed_on_and_its_result_is_rewritten() {
    for (down, version) in pairs() {
        let upstream = Upstream::new();
        let hub = hub(vec![polite(&upstream, version)]).await;
        let builder = builder(down).on_elicit(|_| async { Ok(crate::fixture::accepted("name", "Ann")) });
        let client = connect(builder, &hub).await;
        let result = client.call_tool("up_ask", json!({ "say": "x" })).await.expect("a result");
        assert!(
            text(&result).contains("Ann") && text(&result).ends_with('!'),
            "{down} {version}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_transform_that_comes_or_goes_changes_the_list_and_keeps_the_connection() {
    let upstream = Upstream::new();
    let (plain, switch) = crate::fixture::switched("up", &upstream, ERAS[0]);
    let hub = hub(vec![plain.clone()]).await;
    let client = client(&hub, ERAS[0]).await;
    let described = async || {
        let tools = client.list_all_tools().await.expect("tools");
        tools.into_iter().find(|tool| tool.name == "up_echo").expect("listed").description
    };
    assert_eq!(described().await, None);
    hub.apply(vec![plain.clone().transform_tool("echo", Polite::<false>)]).expect("a good set");
    assert_eq!(described().await.as_deref(), Some("Says it politely."));
    hub.apply(vec![plain]).expect("a good set");
    assert_eq!(described().await, None);
    assert_eq!(switch.attempts.load(Ordering::SeqCst), 1);
}

/// Approves each tool but one.
struct AllBut(&'static str);

impl ToolReview for AllBut {
    fn refusal(&self, tool: &Tool) -> Option<String> {
        (tool.name == self.0).then(|| format!("{} is not approved", tool.name))
    }
}

#[tokio::test]
async fn a_tool_that_is_held_back_is_not_listed_and_says_why() {
    for (down, version) in pairs() {
        let upstream = Upstream::new();
        let (plain, switch) = crate::fixture::switched("up", &upstream, version);
        let reviewed = |tool| plain.clone().rename_tool("echo", "say").review(AllBut(tool));
        let hub = hub(vec![reviewed("echo")]).await;
        let client = client(&hub, down).await;
        let place = format!("{down} {version}");
        let is_listed = async || {
            let tools = client.list_all_tools().await.expect("tools");
            tools.iter().any(|tool| tool.name == "up_say")
        };
        let said = async || {
            let result = client.call_tool("up_say", json!({ "text": "hi" })).await.expect("a result");
            text(&result).to_owned()
        };
        assert!(!is_listed().await, "{place}");
        assert_eq!(said().await, "echo is not approved", "{place}");
        assert_eq!(upstream.calls.load(Ordering::SeqCst), 0, "{place}");
        let status = hub.status()[0].clone();
        let problems: Vec<&str> = status.problems.iter().map(|problem| &**problem).collect();
        assert_eq!((status.state_name(), &problems[..]), ("degraded", &["held back: echo"][..]), "{place}");

        hub.apply(vec![reviewed("none")]).expect("a good set");
        assert!(is_listed().await, "{place}");
        assert_eq!(said().await, "hi", "{place}");
        assert_eq!(hub.status()[0].state_name(), "up", "{place}");
        assert_eq!(switch.attempts.load(Ordering::SeqCst), 1, "{place}: the connection stays");
    }
}

fn confirming(upstream: &Arc<Upstream>, version: Version) -> Connector {
    connector("up", upstream, version).transform_tool("echo", Polite::<true>).transform_tool("ask", Asked)
}

#[tokio::test]
async fn a_call_that_needs_the_users_agreement_asks_first() {
    for (down, version) in pairs() {
        // Each case: the user's answer, the text of the result, and the calls of the upstream.
        for (accepts, expected, calls) in [
            (Some(true), "please hi!", 1),
            (Some(false), "The user did not allow the call of up_echo of up. Nothing was done.", 0),
            (None, "this client cannot ask", 0),
        ] {
            let upstream = Upstream::new();
            let hub = hub(vec![confirming(&upstream, version)]).await;
            let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
            let builder = match accepts {
                None => builder(down),
                Some(accepts) => {
                    let asked = asked.clone();
                    builder(down).on_elicit(move |question| {
                        let said = serde_json::to_value(&question).expect("JSON")["message"].clone();
                        asked.lock().expect("not poisoned").push(said);
                        async move {
                            Ok(match accepts {
                                true => loggia::model::ElicitResult::accept(Default::default()),
                                false => loggia::model::ElicitResult::decline(),
                            })
                        }
                    })
                }
            };
            let client = connect(builder, &hub).await;
            let result = client.call_tool("up_echo", json!({ "say": "hi" })).await.expect("a result");
            let place = format!("{down} {version} {accepts:?}");
            assert!(text(&result).contains(expected), "{place}: {result:?}");
            assert_eq!(upstream.calls.load(Ordering::SeqCst), calls, "{place}");
            let question = "Allow up_echo of up with these arguments?\n{\"say\":\"hi\"}";
            let questions = vec![json!(question); usize::from(accepts.is_some())];
            assert_eq!(*asked.lock().expect("not poisoned"), questions, "{place}");
        }
    }
}

/// One round of a call by a client that can show forms.
async fn round(hub: &Arc<Hub>, params: Value) -> Value {
    let forms = ClientCapabilities {
        elicitation: Some(ElicitationCapability::default()),
        ..ClientCapabilities::default()
    };
    let client: Client = connect(builder(ERAS[0]).capabilities(forms), hub).await;
    let options = RequestOptions { input: InputPolicy::Surface(None), ..RequestOptions::default() };
    let reply = client.request(Method::CallTool, RawJson::from(&params), options).await.expect("a round");
    reply.result.decode().expect("JSON")
}

#[tokio::test]
async fn the_user_is_asked_once_if_the_upstream_asks_too() {
    for version in ERAS {
        let upstream = Upstream::new();
        let hub = hub(vec![confirming(&upstream, version)]).await;
        let first = round(&hub, json!({ "name": "up_ask", "arguments": {} })).await;
        assert!(first["inputRequests"]["loggia-confirm"].is_object(), "{version}: {first}");
        let answers = json!({ "loggia-confirm": { "action": "accept", "content": {} } });
        let second =
            round(&hub, json!({ "name": "up_ask", "arguments": {}, "inputResponses": answers })).await;
        let questions = second["inputRequests"].as_object().unwrap_or_else(|| panic!("{version}: {second}"));
        let key = questions.keys().next().expect("a question");
        assert_ne!(key, "loggia-confirm", "{version}: {second}");
        let answers = json!({ key: { "action": "accept", "content": { "name": "Ann" } } });
        let params = json!({
            "name": "up_ask", "arguments": {}, "inputResponses": answers, "requestState": second["requestState"],
        });
        let third = round(&hub, params).await;
        assert!(third["content"][0]["text"].as_str().is_some_and(|text| text.contains("Ann")), "{third}");
    }
}
