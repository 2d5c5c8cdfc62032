//! Upstreams whose lists, results and descriptions are broken or without end: the hub keeps what can be used, and the
//! other upstreams do not notice.

use std::sync::Arc;

use loggia::Service;
use loggia::changes::{ChangeSubscription, Changes};
use loggia::client::ClientBuilder;
use loggia::exchange::Exchange;
use loggia::limits::Limits;
use loggia::model::{
    ClientCapabilities, Implementation, ListCapability, ResourcesCapability, ServerCapabilities,
    ServerResult, SubscriptionFilter,
};
use loggia::service::{BoxFuture, Description, Outcome, Principal, Relayed, Reply, Request};
use loggia::wire::{Method, RawJson, RequestMeta, RpcError, Version};
use loggia_hub::{Connector, Hub, HubLimits, Opened};
use serde_json::{Value, json};

use crate::fixture::{ERAS, Upstream, client, connector, limits, text};

type Answer = fn(&Method, Option<usize>) -> Value;

/// A server that answers with whatever JSON a test wants: lists by the number in their cursor.
struct Raw {
    description: Arc<Description>,
    answer: Answer,
}

impl Raw {
    fn connector(name: &str, version: Version, instructions: &str, answer: Answer) -> Connector {
        let list = || Some(ListCapability::default());
        let capabilities = ServerCapabilities {
            tools: list(),
            prompts: list(),
            resources: Some(ResourcesCapability::default()),
            ..ServerCapabilities::default()
        };
        let description = Description {
            identity: Implementation::new("raw", "1"),
            capabilities,
            instructions: Some(instructions.to_owned()),
            versions: Version::ALL.to_vec(),
        };
        let service: Arc<dyn Service> = Arc::new(Raw { description: Arc::new(description), answer });
        Connector::new(name, move |builder: ClientBuilder| -> BoxFuture<'static, loggia::Result<Opened>> {
            let service = service.clone();
            Box::pin(async move { builder.version(version).connect(service).await.map(Opened::Client) })
        })
    }
}

impl Service for Raw {
    fn describe(&self) -> Arc<Description> {
        self.description.clone()
    }

    fn call(&self, request: Request, _: Exchange) -> BoxFuture<'_, Outcome> {
        let params: Value = request.params.decode().expect("the edge checked it");
        let cursor = params["cursor"].as_str().and_then(|cursor| cursor.parse().ok());
        let mut result = (self.answer)(&request.method, cursor);
        if request.meta.version.is_modern() {
            let hints = json!({ "resultType": "complete", "ttlMs": 0, "cacheScope": "private" });
            let members = hints.as_object().cloned().expect("an object");
            result.as_object_mut().expect("an object").extend(members);
        }
        let relayed = Relayed::new(request.meta.version, RawJson::from(&result));
        Box::pin(async move { Ok(Reply::from(relayed)) })
    }

    fn listen(
        &self,
        filter: SubscriptionFilter,
        _: Option<Arc<Principal>>,
    ) -> BoxFuture<'_, Result<ChangeSubscription, RpcError>> {
        Box::pin(async move { Ok(Changes::new().listen(filter)) })
    }
}

/// A page with these entries in every list.
fn page(method: &Method, names: &[String], padding: usize, next: Option<usize>) -> Value {
    let title = "x".repeat(padding);
    let schema = json!({ "type": "object" });
    let entry = |name: &String| match method {
        Method::ListTools => json!({ "name": name, "title": title, "inputSchema": schema }),
        Method::ListPrompts => json!({ "name": name, "title": title }),
        Method::ListResources => json!({ "name": name, "title": title, "uri": format!("raw:///{name}") }),
        _ => json!({ "name": name, "title": title, "uriTemplate": format!("raw:///{name}/{{x}}") }),
    };
    let member = match method {
        Method::ListTools => "tools",
        Method::ListPrompts => "prompts",
        Method::ListResources => "resources",
        Method::ListResourceTemplates => "resourceTemplates",
        _ => return json!({ "content": [{ "type": "text", "text": "called" }] }),
    };
    let mut page = json!({ member: names.iter().map(entry).collect::<Vec<Value>>() });
    if let Some(next) = next {
        page["nextCursor"] = Value::from(next.to_string());
    }
    page
}

async fn hub(connectors: Vec<Connector>, limits: HubLimits) -> Arc<Hub> {
    let hub = Hub::start(Implementation::new("hub", "0"), connectors, limits).expect("good names");
    hub.tried().await;
    hub
}

/// Counts the entries of the connector at `index`: tools, prompts, resources, templates.
fn counts(hub: &Hub, index: usize) -> [usize; 4] {
    let counts = hub.status()[index].counts;
    [counts.tools, counts.prompts, counts.resources, counts.templates]
}

#[tokio::test(start_paused = true)]
async fn lists_that_go_in_a_circle_are_shown_once() {
    let answer: Answer = |method, _| page(method, &["a".to_owned(), "b".to_owned()], 0, Some(1));
    for version in ERAS {
        let hub = hub(vec![Raw::connector("raw", version, "", answer)], limits()).await;
        assert_eq!(counts(&hub, 0), [2; 4], "{version}");
        let client = client(&hub, ERAS[0]).await;
        let tools = client.list_all_tools().await.expect("tools");
        assert_eq!(tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["raw_a", "raw_b"]);
        assert_eq!(text(&client.call_tool("raw_b", json!({})).await.expect("a result")), "called");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_entry_hides_no_other() {
    let answer: Answer = |method, _| {
        let mut page = page(method, &["a".to_owned(), "b".to_owned()], 0, None);
        for list in page.as_object_mut().expect("an object").values_mut() {
            list.as_array_mut().expect("a list").insert(1, json!({ "name": 7, "uri": 7, "uriTemplate": 7 }));
        }
        page
    };
    for version in ERAS {
        let hub = hub(vec![Raw::connector("raw", version, "", answer)], limits()).await;
        assert_eq!(counts(&hub, 0), [2; 4], "{version}");
        // The operator sees that each of the lists lacks an entry.
        let status = hub.status()[0].clone();
        assert_eq!(status.state_name(), "degraded", "{version}");
        for list in ["tools", "prompts", "resources", "resource templates"] {
            let told =
                format!("the {list} are not complete: the entry number 2 is not valid and is left out: ");
            let about_list = status.problems.iter().filter(|problem| problem.starts_with(&told));
            assert_eq!(about_list.count(), 1, "{version}: {list}: {:?}", status.problems);
        }
    }
}

/// An upstream whose lists never end, by pages that are short or long: it is read up to its bound, and the others
/// serve.
#[tokio::test(start_paused = true)]
async fn lists_without_end_are_bounded_and_the_others_do_not_notice() {
    let short: Answer = |method, cursor| {
        let next = cursor.unwrap_or(0) + 1;
        page(method, &[next.to_string()], 0, Some(next))
    };
    let long: Answer = |method, cursor| {
        let next = cursor.unwrap_or(0) + 1;
        page(method, &[next.to_string()], 20_000, Some(next))
    };
    let wide: Answer = |method, cursor| {
        let next = cursor.unwrap_or(0) + 1;
        let names: Vec<String> = (0..50).map(|entry| format!("{next}-{entry}")).collect();
        page(method, &names, 1000, Some(next))
    };
    let upstream = Limits { list_pages: 20, list_bytes: 100_000, entry_bytes: 30_000, ..Limits::default() };
    // The pages, and how many entries of each list are kept.
    let cases: [(&str, Answer, std::ops::RangeInclusive<usize>); 3] =
        [("short", short, 20..=20), ("long", long, 4..=5), ("wide", wide, 50..=100)];
    for (what, answer, kept) in cases {
        for version in ERAS {
            let limits = HubLimits { upstream: upstream.clone(), ..limits() };
            let good = connector("good", &Upstream::new(), version);
            let hub = hub(vec![Raw::connector("raw", version, "", answer), good], limits).await;
            for count in counts(&hub, 0) {
                assert!(kept.contains(&count), "{what}, {version}: {count}");
            }
            let client = client(&hub, ERAS[0]).await;
            assert_eq!(text(&client.call_tool("good_echo", json!({})).await.expect("a result")), "nothing");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_description_without_end_is_cut_or_refused() {
    let answer: Answer = |method, _| page(method, &["a".to_owned()], 0, None);
    // The length of the instructions, and whether the connector is up.
    for (length, up) in [(50_000, true), (200_000, false)] {
        let instructions = "x".repeat(length);
        let upstream = Limits { opening_bytes: 100_000, ..Limits::default() };
        let limits = HubLimits { upstream, instructions: 1000, ..limits() };
        let good = connector("good", &Upstream::new(), ERAS[0]);
        let hub = hub(vec![Raw::connector("raw", ERAS[1], &instructions, answer), good], limits).await;
        assert_eq!(hub.status().iter().map(|status| status.is_up()).collect::<Vec<_>>(), [up, true]);
        let passed_on = hub.describe().instructions.clone().unwrap_or_default();
        assert!(passed_on.len() < 2000, "{}", passed_on.len());
        assert_eq!(passed_on.contains(&"x".repeat(1000)), up);
    }
}

async fn call(hub: &Hub, subject: Option<&str>, tool: &str) -> Reply {
    let principal =
        |subject: &str| Arc::new(Principal { subject: subject.to_owned(), ..Principal::default() });
    let meta = RequestMeta {
        version: Version::LATEST,
        client_info: None,
        client_capabilities: ClientCapabilities::default(),
        log_level: None,
        progress_token: None,
        extra: Default::default(),
    };
    let request = Request {
        method: Method::CallTool,
        params: RawJson::from(&json!({ "name": tool, "arguments": {} })).into(),
        meta: Arc::new(meta),
        principal: subject.map(principal),
    };
    let (exchange, _outbox, _guard) = Exchange::new(None);
    hub.call(request, exchange).await.expect("a result")
}

/// The text of a result that the hub made itself; `None` for one of the upstream.
fn said(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::Result(ServerResult::CallTool(result)) => Some(text(result)),
        _ => None,
    }
}

const MIB: usize = 1 << 20;

#[tokio::test(start_paused = true)]
async fn results_that_clients_do_not_take_are_bounded_and_the_others_do_not_notice() {
    let big: Answer = |method, _| match method {
        Method::CallTool => json!({ "content": [{ "type": "text", "text": "x".repeat(MIB) }] }),
        _ => page(method, &["big".to_owned()], 0, None),
    };
    for version in ERAS {
        let limits = HubLimits { result_bytes: 9 * MIB, ..limits() };
        let connectors = vec![
            Raw::connector("one", version, "", big),
            Raw::connector("two", version, "", big),
            connector("good", &Upstream::new(), version),
        ];
        let hub = hub(connectors, limits).await;
        // A result that is not taken stays alive.
        let mut waiting = Vec::new();
        for _ in 0..20 {
            waiting.push(call(&hub, None, "one_big").await);
        }
        let refused: Vec<&str> = waiting.iter().filter_map(said).collect();
        assert_eq!(waiting.len() - refused.len(), 4, "{version}: half of what there is room for");
        for text in refused {
            assert!(
                text.contains("results of the connector \"one\"") && text.contains("`result_bytes`"),
                "{text}"
            );
        }
        assert!(said(&call(&hub, None, "two_big").await).is_none(), "another connector has its own share");
        let echo = client(&hub, version).await.call_tool("good_echo", json!({})).await.expect("a result");
        assert_eq!(text(&echo), "nothing");
        // Results that were taken make room.
        waiting.clear();
        assert!(said(&call(&hub, None, "one_big").await).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_takes_no_results_leaves_room_for_others() {
    let big: Answer = |method, _| match method {
        Method::CallTool => json!({ "content": [{ "type": "text", "text": "x".repeat(MIB) }] }),
        _ => page(method, &["big".to_owned()], 0, None),
    };
    let names = ["a", "b", "c", "d"];
    let connectors = names.map(|name| Raw::connector(name, ERAS[0], "", big)).into();
    let hub = hub(connectors, HubLimits { result_bytes: 9 * MIB, ..limits() }).await;
    let mut waiting = Vec::new();
    for name in names {
        waiting.push(call(&hub, Some("greedy"), &format!("{name}_big")).await);
    }
    assert!(waiting.iter().all(|reply| said(reply).is_none()));
    let refused = call(&hub, Some("greedy"), "a_big").await;
    assert!(said(&refused).is_some_and(|text| text.contains("of your results")), "{refused:?}");
    assert!(said(&call(&hub, Some("other"), "a_big").await).is_none());
}
