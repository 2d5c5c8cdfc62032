//! A server with tower-mcp, written as its README shows. Its endpoint over HTTP is `/`.

use schemars::JsonSchema;
use serde::Deserialize;
use tower_mcp::extract::{Context, Json};
use tower_mcp::{BoxError, CallToolResult, McpRouter, StdioTransport, ToolBuilder};

#[derive(Debug, Deserialize, JsonSchema)]
struct Text {
    text: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Pair {
    a: f64,
    b: f64,
}

fn router(further: usize) -> McpRouter {
    let echo = ToolBuilder::new("echo")
        .description("Says what it is told.")
        .read_only()
        .handler(|input: Text| async move { Ok(CallToolResult::text(input.text)) })
        .build();
    let add = ToolBuilder::new("add")
        .description("Adds two numbers.")
        .read_only()
        .handler(|input: Pair| async move { Ok(CallToolResult::text((input.a + input.b).to_string())) })
        .build();
    let progress = ToolBuilder::new("progress")
        .description("Says what it is told, and before that how far it is.")
        .extractor_handler((), |context: Context, Json(input): Json<Text>| async move {
            context.report_progress(0.5, None, None).await;
            Ok(CallToolResult::text(input.text))
        })
        .build();
    let tools = (0..further).map(|n| {
        ToolBuilder::new(format!("tool_{n}"))
            .description("One of many.")
            .handler(|_: Text| async { Ok(CallToolResult::text("done")) })
            .build()
    });
    McpRouter::new().server_info("bench", "1.0.0").tool(echo).tool(add).tool(progress).tools(tools)
}

fn value_of<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let further: usize = value_of(&arguments, "--tools").and_then(|count| count.parse().ok()).unwrap_or(0);
    match value_of(&arguments, "--listen") {
        #[cfg(feature = "http")]
        Some(address) => tower_mcp::HttpTransport::new(router(further)).serve(address).await?,
        _ => StdioTransport::new(router(further)).run().await?,
    }
    Ok(())
}
