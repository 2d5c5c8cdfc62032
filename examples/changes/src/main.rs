//! A server whose list of tools changes while it runs, and a client that is told of the change.

use std::io::Write;

use loggia::changes::Change;
use loggia::client::Client;
use loggia::model::SubscriptionFilter;
use loggia::prelude::*;

/// Adds two numbers.
#[tool(read_only)]
fn add(a: f64, b: f64) -> f64 {
    a + b
}

/// Multiplies two numbers.
#[tool(read_only)]
fn multiply(a: f64, b: f64) -> f64 {
    a * b
}

#[tokio::main]
async fn main() -> loggia::Result<()> {
    let server = loggia::server!().tool(add).build()?;
    let client = Client::connect(&server).await?;
    let filter = SubscriptionFilter { tools_list_changed: Some(true), ..SubscriptionFilter::default() };
    let mut changes = client.listen(filter).await?;

    server.registry().add_tool(multiply)?;

    let change = changes.next().await;
    assert_eq!(change, Some(Change::Tools));
    let names: Vec<String> = client.list_all_tools().await?.into_iter().map(|tool| tool.name).collect();
    writeln!(std::io::stdout(), "the tools are now {}", names.join(" and "))?;
    Ok(())
}
