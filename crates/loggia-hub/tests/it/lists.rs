//! The content of the merged lists.

use std::borrow::Cow;

use loggia::changes::Change;
use loggia::model::{Implementation, SubscriptionFilter};
use loggia_hub::{ComponentKind, Connector, Hub, HubLimits, Transform, exposed};

use crate::fixture::{ERAS, Upstream, client, connector, hub, limits};

#[tokio::test]
async fn lists_are_merged_in_the_order_of_the_connectors_and_prefixed() {
    let (one, two) = (Upstream::new(), Upstream::new());
    *one.tools.lock().expect("not poisoned") = vec!["b".to_owned(), "a".to_owned()];
    *two.tools.lock().expect("not poisoned") = vec!["a".to_owned(), "white space".to_owned(), "a".to_owned()];
    let hub = hub(vec![connector("zeta", &one, ERAS[0]), connector("alpha", &two, ERAS[1])]).await;
    let client = client(&hub, ERAS[0]).await;
    let tools: Vec<String> =
        client.list_all_tools().await.expect("tools").into_iter().map(|tool| tool.name).collect();
    assert_eq!(tools, ["zeta_b", "zeta_a", "alpha_a", &exposed("alpha", "white space")]);
    let prompts: Vec<String> =
        client.list_all_prompts().await.expect("prompts").into_iter().map(|prompt| prompt.name).collect();
    assert_eq!(prompts, ["zeta_greet", "alpha_greet"]);
}

#[tokio::test]
async fn a_prefix_may_differ_from_the_name_and_tools_may_be_hidden() {
    let connector =
        connector("long-name", &Upstream::new(), ERAS[0]).prefix("ln").shows(|tool| tool.starts_with('e'));
    let client = client(&hub(vec![connector]).await, ERAS[0]).await;
    let tools: Vec<String> =
        client.list_all_tools().await.expect("tools").into_iter().map(|tool| tool.name).collect();
    assert_eq!(tools, ["ln_echo"]);
    assert!(client.call_tool("ln_fail", serde_json::json!({})).await.is_err());
}

/// Hides names that begin with a letter and puts another text before the others.
struct Letters;

impl Transform for Letters {
    fn expose<'n>(&self, _: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        (!name.starts_with('f')).then(|| format!("my-{name}").into())
    }

    fn resolve<'n>(&self, _: ComponentKind, name: Cow<'n, str>) -> Option<Cow<'n, str>> {
        name.strip_prefix("my-").map(|own| own.to_owned().into())
    }
}

#[tokio::test]
async fn tools_and_prompts_have_the_names_that_their_transforms_give_them() {
    for down in ERAS {
        let upstream = Upstream::new();
        *upstream.tools.lock().expect("not poisoned") = ["echo", "fail", "ask"].map(str::to_owned).to_vec();
        let up = connector("up", &upstream, ERAS[0])
            .rename_tool("echo", "say")
            .rename_tool("ask", "echo")
            .rename_prompt("greet", "hello")
            .transform(Letters);
        let hub = hub(vec![up]).await;
        let client = client(&hub, down).await;
        let tools: Vec<String> =
            client.list_all_tools().await.expect("tools").into_iter().map(|tool| tool.name).collect();
        assert_eq!(tools, ["up_my-say", "up_my-echo"], "{down}");
        assert_eq!(hub.tool_names("up"), tools, "{down}");
        let said =
            client.call_tool("up_my-say", serde_json::json!({ "text": "hi" })).await.expect("a result");
        assert_eq!(crate::fixture::text(&said), "hi", "{down}");
        for name in ["up_echo", "up_say", "up_my-fail", "up_fail", "up_my-ask"] {
            let refused = client.call_tool(name, serde_json::json!({})).await.expect_err("no such tool");
            assert!(refused.to_string().contains("Unknown tool"), "{down} {name}: {refused}");
        }
        let prompt = client.get_prompt("up_my-hello", [("who", "Ann")]).await.expect("a prompt");
        assert_eq!(prompt.messages[0].content.as_text(), Some("\"greet\": hello Ann"), "{down}");
        assert!(client.get_prompt("up_my-greet", [("who", "Ann")]).await.is_err(), "{down}");
    }
}

#[tokio::test]
async fn one_connector_may_have_no_prefix_and_takes_no_name_of_another() {
    let (one, two) = (Upstream::new(), Upstream::new());
    *one.tools.lock().expect("not poisoned") =
        vec!["echo".to_owned(), "two_echo".to_owned(), "ab_c".to_owned()];
    *two.tools.lock().expect("not poisoned") = vec!["echo".to_owned()];
    let connectors = || vec![connector("main", &one, ERAS[0]).prefix(""), connector("two", &two, ERAS[1])];
    let hub = hub(connectors()).await;
    let client = client(&hub, ERAS[0]).await;
    let tools: Vec<String> =
        client.list_all_tools().await.expect("tools").into_iter().map(|tool| tool.name).collect();
    assert_eq!(tools, ["echo", "main_two_echo", "ab_c", "two_echo"]);
    assert_eq!(hub.tool_names("main"), ["echo", "main_two_echo", "ab_c"]);
    for name in ["echo", "two_echo"] {
        let said = client.call_tool(name, serde_json::json!({ "text": name })).await.expect("an answer");
        assert!(!said.failed(), "{name}: {said:?}");
    }
    let twice = connectors().into_iter().map(|connector| connector.prefix("")).collect();
    assert!(Hub::start(Implementation::new("hub", "0"), twice, HubLimits::default()).is_err());
}

#[tokio::test]
async fn a_uri_that_two_have_belongs_to_the_first_and_is_qualified_for_the_second() {
    let one = Upstream::with_resources(vec!["note:///same", "note:///only-one"]);
    let two = Upstream::with_resources(vec!["note:///same", "note:///only-two"]);
    let hub = hub(vec![connector("one", &one, ERAS[0]), connector("two", &two, ERAS[1])]).await;
    let client = client(&hub, ERAS[0]).await;
    let uris: Vec<String> = client
        .list_all_resources()
        .await
        .expect("resources")
        .into_iter()
        .map(|resource| resource.uri)
        .collect();
    assert_eq!(uris, ["note:///same", "note:///only-one", "two+note:///same", "note:///only-two"]);
    let templates: Vec<String> = client
        .list_all_resource_templates()
        .await
        .expect("templates")
        .into_iter()
        .map(|template| template.uri_template)
        .collect();
    assert_eq!(templates, ["note:///by/{name}", "two+note:///by/{name}"]);
    let two_says = client.read_resource("two+note:///same").await.expect("contents");
    assert_eq!(two_says.contents[0].uri, "two+note:///same");
    let by = client.read_resource("two+note:///by/ann").await.expect("contents");
    assert_eq!(by.contents[0].uri, "two+note:///by/ann");
    // No connector lists it, and several could own it.
    assert!(client.read_resource("note:///unlisted").await.is_err());
}

#[tokio::test]
async fn a_subscription_to_a_qualified_uri_hears_of_that_connector_alone() {
    let one = Upstream::with_resources(vec!["note:///same"]);
    let two = Upstream::with_resources(vec!["note:///same"]);
    let hub = hub(vec![connector("one", &one, ERAS[0]), connector("two", &two, ERAS[1])]).await;
    let client = client(&hub, ERAS[0]).await;
    let filter = SubscriptionFilter {
        resource_subscriptions: Some(vec!["two+note:///same".to_owned()]),
        ..SubscriptionFilter::default()
    };
    let mut subscription = client.listen(filter).await.expect("a stream");
    let announce = |upstream: std::sync::Arc<Upstream>, times: usize| async move {
        for _ in 0..times {
            upstream.changes.resource("note:///same");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        change = subscription.next() => panic!("heard of the other connector: {change:?}"),
        () = announce(one, 1000) => {}
    }
    let change =
        tokio::select! { change = subscription.next() => change, () = announce(two, usize::MAX) => None };
    assert_eq!(change, Some(Change::Resource("two+note:///same".to_owned())));
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let upstream = Upstream::new();
    *upstream.tools.lock().expect("not poisoned") = (0..25).map(|n| format!("t{n}")).collect();
    let limits = HubLimits { page: 10, ..limits() };
    let connectors = vec![connector("up", &upstream, ERAS[0])];
    let hub = Hub::start(Implementation::new("hub", "0"), connectors, limits).expect("good names");
    hub.tried().await;
    let client = client(&hub, ERAS[0]).await;
    let mut sizes = Vec::new();
    let mut cursor = None;
    loop {
        let page = client.list_tools(cursor).await.expect("a page");
        sizes.push(page.tools.len());
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(client.list_all_tools().await.expect("tools").len(), 25);
    for bad in ["x", "7", "-10", ""] {
        assert!(client.list_tools(Some(bad.to_owned())).await.is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn more_entries_than_allowed_are_left_out() {
    let upstream = Upstream::new();
    let limits = HubLimits { list_entries: 3, ..limits() };
    let connectors = vec![connector("up", &upstream, ERAS[0])];
    let hub = Hub::start(Implementation::new("hub", "0"), connectors, limits).expect("good names");
    hub.tried().await;
    assert_eq!(client(&hub, ERAS[0]).await.list_all_tools().await.expect("tools").len(), 3);
}

#[tokio::test]
async fn names_that_could_be_confused_are_refused() {
    let of = |names: &[&str]| -> Vec<Connector> {
        names.iter().map(|name| connector(name, &Upstream::new(), ERAS[0])).collect()
    };
    for bad in [of(&["same", "same"]), of(&["under_score"]), of(&["Caps"]), of(&[""])] {
        assert!(Hub::start(Implementation::new("hub", "0"), bad, limits()).is_err());
    }
}

#[tokio::test]
async fn a_server_of_this_process_needs_no_connection() {
    for down in ERAS {
        let upstream = Upstream::new();
        let hub = hub(vec![Connector::builtin("up", upstream.clone())]).await;
        let client = client(&hub, down).await;
        let result =
            client.call_tool("up_echo", serde_json::json!({ "text": "hi" })).await.expect("a result");
        assert_eq!(crate::fixture::text(&result), "hi", "{down}");
        assert_eq!(client.list_all_tools().await.expect("tools").len(), 10, "{down}");
    }
}

#[tokio::test]
async fn instructions_of_the_upstreams_are_passed_on() {
    let hub = hub(vec![connector("up", &Upstream::new(), ERAS[0])]).await;
    let client = client(&hub, ERAS[0]).await;
    let instructions = client.instructions().expect("instructions");
    assert!(instructions.contains("# up\n\nBe kind to it."), "{instructions}");
}
