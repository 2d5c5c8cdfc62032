//! A tool that asks the user a question during a call, and a client that answers it.
//!
//! The tool is the same for every revision. In a legacy revision the question is a request to the client. In the
//! modern revision the call ends, and the client's retry runs the tool again with the answer.

use std::io::Write;

use loggia::client::{Client, Negotiation};
use loggia::model::ElicitResult;
use loggia::prelude::*;
use loggia::server::Answer;
use loggia::wire::Version;
use serde::Deserialize;
use serde_json::json;

struct Bakery;

/// The form that the user fills in.
#[derive(Deserialize, JsonSchema)]
struct Order {
    /// How many loaves
    #[schema(min = 1, max = 20)]
    loaves: u32,
    /// Whether the bread is sliced
    sliced: bool,
}

#[tools]
impl Bakery {
    /// Orders bread.
    #[tool]
    async fn order(&self, cx: &Cx) -> Result<String, ToolError> {
        let number: u32 = cx.once("number", async || Ok(4711)).await?;
        match cx.ask::<Order>("order", "What would you like?").await? {
            Answer::Accept(order) => {
                Ok(format!("order {number}: {} loaves, sliced: {}", order.loaves, order.sliced))
            }
            Answer::Decline | Answer::Cancel => Ok("no bread today".to_owned()),
        }
    }
}

#[tokio::main]
async fn main() -> loggia::Result<()> {
    let server = loggia::server!().state(Bakery).tools(Bakery::tools()).build()?;
    for version in [Version::V2025_06_18, Version::V2025_11_25, Version::V2026_07_28] {
        let client = Client::builder()
            .negotiation(Negotiation::Fixed(version))
            .on_elicit(|_| async {
                let content = [("loaves".to_owned(), json!(2)), ("sliced".to_owned(), json!(true))];
                Ok(ElicitResult::accept(content.into()))
            })
            .connect(&server)
            .await?;
        let result = client.call_tool("order", json!({})).await?;
        let text = result.content.first().and_then(|block| block.as_text()).unwrap_or("(nothing)");
        writeln!(std::io::stdout(), "{version}: {text}")?;
    }
    Ok(())
}
