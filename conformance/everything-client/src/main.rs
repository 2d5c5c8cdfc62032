//! The client that the official conformance suite runs: `everything-client URL`. The suite names the scenario in
//! `MCP_CONFORMANCE_SCENARIO`, the revision to speak in `MCP_CONFORMANCE_PROTOCOL_VERSION`, and what else the
//! scenario needs in `MCP_CONFORMANCE_CONTEXT`. The last line printed says that the client did all it had to.

#![allow(clippy::print_stdout, reason = "the harness reads the last line")]

mod auth;

use std::error::Error;
use std::process::ExitCode;

use loggia::client::{Client, Negotiation};
use loggia::model::{CreateMessageResult, ElicitFormParams, ElicitResult, Implementation, Root};
use loggia::wire::Version;
use serde::Deserialize;
use serde_json::{Map, Value, json};

type Outcome = Result<(), Box<dyn Error>>;

/// Further values of the suite, beside the scenario's name.
#[derive(Debug, Deserialize)]
struct Context {
    #[serde(rename = "toolCalls")]
    tool_calls: Vec<Call>,
}

#[derive(Debug, Deserialize)]
struct Call {
    name: String,
    arguments: Map<String, Value>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: everything-client URL");
        return ExitCode::from(2);
    };
    let scenario = std::env::var("MCP_CONFORMANCE_SCENARIO").unwrap_or_default();
    match run(&scenario, &url).await {
        Ok(()) => {
            println!("everything-client: done");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("everything-client: {scenario}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(scenario: &str, url: &str) -> Outcome {
    if scenario.starts_with("sep-2640") {
        return Err("skills are not there yet".into());
    }
    if REFUSALS.contains(&scenario) {
        return refused(scenario, url).await;
    }
    let client = connect(scenario, url).await?;
    match scenario {
        "tools_call" => add_numbers(&client).await?,
        "elicitation-sep1034-client-defaults" => {
            call(&client, "test_client_elicitation_defaults", json!({})).await?
        }
        "sse-retry" => call(&client, "test_reconnection", json!({})).await?,
        "sep-2322-client-request-state" => rounds(&client).await?,
        "http-standard-headers" => everything_once(&client).await?,
        "http-custom-headers" => custom_headers(&client).await?,
        "http-invalid-tool-headers" => call_all_tools(&client).await?,
        "json-schema-2020-12-preservation" => echo_schema(&client).await?,
        _ if scenario.starts_with("auth/") => call_all_tools(&client).await?,
        _ => drop(client.list_all_tools().await?),
    }
    client.close().await;
    Ok(())
}

/// The scenarios in which a client that gets through has done something wrong.
const REFUSALS: &[&str] = &[
    "auth/iss-normalized",
    "auth/iss-supported-missing",
    "auth/iss-unexpected",
    "auth/iss-wrong-issuer",
    "auth/metadata-issuer-mismatch",
    "auth/resource-mismatch",
    "auth/scope-retry-limit",
];

async fn refused(scenario: &str, url: &str) -> Outcome {
    let outcome = match connect(scenario, url).await {
        Ok(client) => client.list_all_tools().await.map(drop),
        Err(error) => Err(error),
    };
    match outcome {
        Err(loggia::Error::Unauthorized(_)) => Ok(()),
        Err(other) => Err(format!("it failed, but not for want of authorization: {other}").into()),
        Ok(()) => Err("it was let in".into()),
    }
}

async fn connect(scenario: &str, url: &str) -> loggia::Result<Client> {
    let modern = std::env::var("MCP_CONFORMANCE_PROTOCOL_VERSION")
        .ok()
        .and_then(|version| version.parse::<Version>().ok())
        .is_none_or(Version::is_modern);
    let builder = match scenario.starts_with("auth/") {
        true => {
            let oauth = auth::oauth(scenario, url);
            Client::builder()
                .authorize(oauth.map_err(|error| loggia::Error::Configuration(error.to_string()))?)
        }
        false => Client::builder(),
    };
    builder
        .identity(Implementation::new("everything-client", env!("CARGO_PKG_VERSION")))
        .negotiation(if modern { Negotiation::Fixed(Version::LATEST) } else { Negotiation::Legacy })
        .on_elicit(|form| async move { Ok(agree(&form)) })
        .on_sample(|_| async { Ok(CreateMessageResult::text("everything-client", "Paris")) })
        .roots([Root::new("file:///project")])
        .connect(url)
        .await
}

/// Agrees, leaving every field that has a default to the SDK.
fn agree(form: &ElicitFormParams) -> ElicitResult {
    let confirms = form.requested_schema.properties.contains_key("confirmed");
    ElicitResult::accept(confirms.then(|| ("confirmed".to_owned(), json!(true))).into_iter().collect())
}

async fn call(client: &Client, tool: &str, arguments: Value) -> Outcome {
    client.list_all_tools().await?;
    let result = client.call_tool(tool, arguments).await?;
    if result.failed() { Err(format!("{tool} failed: {result:?}").into()) } else { Ok(()) }
}

async fn add_numbers(client: &Client) -> Outcome {
    call(client, "add_numbers", json!({ "a": 5, "b": 3 })).await
}

/// A call in rounds, and another in the middle of it; then calls whose answers lack what is optional.
async fn rounds(client: &Client) -> Outcome {
    client.list_all_tools().await?;
    let (echoed, unrelated) = tokio::join!(
        client.call_tool("test_mrtr_echo_state", json!({})),
        client.call_tool("test_mrtr_unrelated", json!({})),
    );
    echoed?;
    unrelated?;
    client.call_tool("test_mrtr_no_state", json!({})).await?;
    client.call_tool("test_mrtr_no_result_type", json!({})).await?;
    Ok(())
}

async fn everything_once(client: &Client) -> Outcome {
    call_all_tools(client).await?;
    for resource in client.list_all_resources().await? {
        client.read_resource(resource.uri).await?;
    }
    for prompt in client.list_all_prompts().await? {
        client.get_prompt(prompt.name, [] as [(String, String); 0]).await?;
    }
    Ok(())
}

async fn call_all_tools(client: &Client) -> Outcome {
    for tool in client.list_all_tools().await? {
        client.call_tool(tool.name, json!({ "region": "us-west1" })).await?;
    }
    Ok(())
}

async fn custom_headers(client: &Client) -> Outcome {
    client.list_all_tools().await?;
    let context: Context = serde_json::from_str(&std::env::var("MCP_CONFORMANCE_CONTEXT")?)?;
    for call in context.tool_calls {
        client.call_tool(call.name, call.arguments).await?;
    }
    Ok(())
}

/// Sends a tool's schema back as it came.
async fn echo_schema(client: &Client) -> Outcome {
    let tools = client.list_all_tools().await?;
    let tool =
        tools.iter().find(|tool| tool.name == "json_schema_2020_12_tool").ok_or("the tool is not listed")?;
    call(client, "json_schema_echo", json!({ "schema": *tool.input_schema })).await
}
