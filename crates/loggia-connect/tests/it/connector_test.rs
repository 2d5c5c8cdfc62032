//! The tests of a manifest: what passes, and each reason why one fails.

use loggia::model::CallToolResult;
use loggia::service::BoxFuture;
use loggia::wire::JsonObject;
use loggia_connect::connector_test::{TestOutcome, TestReport, ToolCaller, run_live, run_recorded};
use loggia_connect::manifest::{ConnectorManifest, embedded};

const SHOP: &str = r#"
name = "shop"
title = "Shop"
version = "1.0.0"
description = "Orders."

[config.region]
type = "string"
title = "Region"
required = true
pattern = "^[a-z]{2}$"

[[backends]]
name = "api"
kind = "openapi"
base_url = "https://${config.region}.shop.example/v1"
auth = { class = "api_key", in = "header", name = "X-Key", value = "${credential}", credential = { title = "Key", pattern = "^sk_" } }
[[backends.tools]]
name = "list_orders"
description = "Lists."
class = "read"
request = "GET /orders"
result = "[.orders[].id]"
[backends.tools.input.state]
type = "string"
description = "State."
[[backends.tools]]
name = "add_order"
description = "Adds."
class = "write"
enabled = false
request = "POST /orders"
[backends.tools.input.name]
type = "string"
description = "Name."

[[backends]]
name = "graph"
kind = "graphql"
url = "https://shop.example/graphql"
auth = { class = "none" }
[[backends.tools]]
name = "whoami"
description = "Who."
class = "read"
document = "query { viewer { id } }"
result = ".data.viewer"
"#;

fn manifest(tests: &str) -> ConnectorManifest {
    ConnectorManifest::parse(&format!("{SHOP}{tests}"), "shop.toml").unwrap_or_else(|error| panic!("{error}"))
}

fn outcomes(report: &TestReport) -> Vec<String> {
    let outcomes = report.records.iter().map(|record| match &record.outcome {
        TestOutcome::Passed => "passed".to_owned(),
        TestOutcome::Failed(reason) => format!("failed: {reason}"),
        TestOutcome::Skipped(reason) => format!("skipped: {reason}"),
    });
    outcomes.collect()
}

#[tokio::test]
async fn recorded_exchanges_answer_calls() {
    let list = "tool = \"list_orders\"\narguments = { state = \"open & new\" }\n";
    let add = "tool = \"add_order\"\narguments = { name = \"Lamp\" }\n";
    let orders = "response = { orders = [{ id = 1 }, { id = 2 }] }\n";
    let get = "[[tests.exchanges]]\nrequest = \"GET /orders\"\n";
    let post = "[[tests.exchanges]]\nrequest = \"POST /orders\"\n";
    for (test, expected) in [
        (format!("{list}expect = \". == [1, 2]\"\n{get}{orders}"), "passed"),
        (format!("{list}expect = \". == [1]\"\n{get}{orders}"), "failed: expect gives false, not true, for [1,2]"),
        (format!("{list}expect = \"empty\"\n{get}{orders}"), "failed: expect gives nothing, not true, for [1,2]"),
        (
            format!("{list}expect = \"true\"\n{}{orders}", get.replace("/orders", "/orders?state=open%20%26%20new")),
            "passed",
        ),
        (
            format!("{list}expect = \"true\"\n{}{orders}", get.replace("/orders", "/orders?state=closed")),
            "failed: the call sends GET /orders?state=open%20%26%20new, not GET /orders?state=closed",
        ),
        (
            format!("{list}expect = \"true\"\n{get}{orders}{get}{orders}"),
            "failed: the call does not send GET /orders",
        ),
        // The call waits and is sent again.
        (
            format!("{list}expect = \"true\"\n{get}status = 429\nheaders = {{ retry-after = \"0\" }}\n{get}{orders}"),
            "passed",
        ),
        (
            format!("{list}expect = \"true\"\n{get}status = 429\nheaders = {{ retry-after = \"0\" }}\n"),
            "failed: the call sends one request more than recorded: GET /orders?state=open%20%26%20new",
        ),
        (format!("{list}fails = \"connect the account again\"\n{get}status = 401\nresponse = \"\"\n"), "passed"),
        (
            format!("{list}fails = \"no such state\"\n{get}{orders}"),
            "failed: the error \"no such state\" is missing: [1,2]",
        ),
        // A tool that is off, and its body.
        (format!("{add}expect = \"true\"\n{post}body = {{ name = \"Lamp\" }}\nstatus = 201\n"), "passed"),
        (
            format!("{add}expect = \"true\"\n{post}body = {{ name = \"Desk\" }}\n"),
            "failed: the call sends the body {\"name\":\"Lamp\"}, not {\"name\":\"Desk\"}",
        ),
        (
            "tool = \"whoami\"\nexpect = '.id == \"1\"'\n[[tests.exchanges]]\nrequest = \"POST /\"\nresponse = { data = { viewer = { id = \"1\" } } }\n"
                .to_owned(),
            "passed",
        ),
        (
            "tool = \"list_orders\"\nexpect = \"true\"\n".to_owned(),
            "skipped: it has no recorded exchange: run it with --live",
        ),
        (
            format!("{list}backend = \"graph\"\nexpect = \"true\"\n{get}{orders}"),
            "skipped: no API backend that was chosen has the tool",
        ),
    ] {
        let report = run_recorded(&manifest(&format!("\n[[tests]]\n{test}")), None).await;
        let [outcome] = &outcomes(&report)[..] else { panic!("{report}") };
        assert_eq!(outcome, expected, "{test}");
        assert_eq!(report.is_ok(), expected == "passed");
    }
}

/// A connection that returns the arguments.
struct EchoCaller;

impl ToolCaller for EchoCaller {
    fn call(&self, tool: &str, arguments: &JsonObject) -> BoxFuture<'_, Result<CallToolResult, String>> {
        let result = match tool {
            "whoami" => Err("the session ended".to_owned()),
            _ => Ok(CallToolResult::text(loggia::wire::RawJson::of(arguments).to_value().to_string())),
        };
        Box::pin(std::future::ready(result))
    }
}

#[tokio::test]
async fn live_tests_only_read() {
    let tests = r#"
[[tests]]
tool = "list_orders"
arguments = { state = "open" }
expect = '.state == "open"'
[[tests]]
tool = "add_order"
expect = "true"
[[tests]]
tool = "whoami"
expect = "true"
"#;
    let report = run_live(&manifest(tests), &EchoCaller).await;
    assert_eq!(
        report.to_string(),
        "passed   1 list_orders\nskipped  2 add_order: its tool does not only read\nfailed   3 whoami: the session ended\n"
    );
    assert!(!report.is_ok());
    insta::assert_snapshot!(report.to_json());
}

#[test]
fn a_test_says_what_it_expects() {
    for (test, expected) in [
        ("tool = \"list_orders\"\n", "a test needs 'expect' or 'fails', and not both"),
        (
            "tool = \"list_orders\"\nexpect = \"true\"\nfails = \"x\"\n",
            "a test needs 'expect' or 'fails', and not both",
        ),
        (
            "tool = \"list_orders\"\nexpect = \"true\"\nexchanges = [{ request = \"GET /orders\", status = 20 }]\n",
            "the status is a number from 100 to 999",
        ),
        (
            "tool = \"list_orders\"\nexpect = \"true\"\nexchanges = [{ request = \"GET /orders\", headers = { \"a b\" = \"c\" } }]\n",
            "a b is no header",
        ),
    ] {
        let error =
            ConnectorManifest::parse(&format!("{SHOP}\n[[tests]]\n{test}"), "shop.toml").expect_err(test);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// The recorded tests of the manifests that are compiled in.
#[tokio::test]
async fn recorded_tests_of_the_directory_pass() {
    for (name, text) in embedded() {
        let manifest = ConnectorManifest::parse(text, name).unwrap();
        let report = run_recorded(&manifest, None).await;
        let failed = report.records.iter().find(|record| matches!(record.outcome, TestOutcome::Failed(_)));
        assert_eq!(failed, None, "{name}");
    }
}
