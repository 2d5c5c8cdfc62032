//! Calls with Loggia's client: `bench-client URL CONCURRENCY SECONDS`. Prints the cost of a call in this process.

use bench_harness::Failure;
use bench_harness::caller::{self, TEXT};
use loggia::client::Client;
use serde_json::json;

async fn call(client: Client) -> Result<Client, Failure> {
    let result = client.call("echo").args(json!({ "text": TEXT })).send().await?;
    let said = result.content.first().and_then(|content| content.as_text());
    if said == Some(TEXT) { Ok(client) } else { Err(format!("wrong answer: {result:?}").into()) }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let plan = caller::Plan::parse(&arguments).ok_or("usage: bench-client URL CONCURRENCY SECONDS")?;
    let client = Client::connect(plan.url.as_str()).await?;
    let callers = vec![client; plan.concurrency];
    caller::run(&plan, callers, call).await
}
