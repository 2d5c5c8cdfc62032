//! The measured server, written as the README shows: `--listen ADDR` or `--stdio`, and `--tools N` for N further
//! tools. All contenders have the same tools.

use loggia::prelude::*;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct Sum {
    /// The sum
    sum: f64,
}

/// Says what it is told.
#[tool(read_only)]
async fn echo(text: String) -> String {
    text
}

/// Adds two numbers.
#[tool(read_only)]
async fn add(a: f64, b: f64) -> Json<Sum> {
    Json(Sum { sum: a + b })
}

/// Says what it is told, and before that how far it is.
#[tool(read_only)]
async fn progress(cx: &Cx, text: String) -> String {
    cx.progress(0.5);
    text
}

/// Says what it is told, and tells everyone who listens that the list of tools has changed.
#[tool]
async fn touch(cx: &Cx, text: String) -> String {
    cx.changes().tools();
    text
}

fn value_of<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).map(String::as_str)
}

#[tokio::main]
async fn main() -> loggia::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let further: usize = value_of(&arguments, "--tools").and_then(|count| count.parse().ok()).unwrap_or(0);
    let tools = (0..further).map(|n| {
        Tool::build(format!("tool_{n}"))
            .description("One of many.")
            .handler(|_: Arc<()>, _cx, _args| async { "done" })
    });
    let server = loggia::server!().tool(echo).tool(add).tool(progress).tool(touch).tools(tools);
    match value_of(&arguments, "--listen") {
        #[cfg(feature = "http")]
        Some(address) => server.serve(loggia::transport::http::http(address)).await,
        _ => server.serve(stdio()).await,
    }
}
