//! A server that offers one of everything, for the official conformance suite and for the interoperability
//! tests: `everything-server --listen 127.0.0.1:4000` (endpoint `/mcp`) or `everything-server --stdio`.

mod asks;
mod contents;
mod fixture;
mod prompts;
mod resources;
mod rounds;

use std::sync::atomic::AtomicU64;

use loggia::prelude::*;

/// The state that the tools share.
#[derive(Debug, Default)]
struct Everything {
    /// The number of changes of the note.
    touched: AtomicU64,
    /// The number of cancelled calls of `slow`.
    cancelled: AtomicU64,
}

fn server() -> loggia::Result<Server> {
    Server::new("everything-server", env!("CARGO_PKG_VERSION"))
        .state(Everything::default())
        .tools(Everything::contents())
        .tools(Everything::asks())
        .tools(Everything::rounds())
        .tools(Everything::fixture())
        .tool(contents::json_schema())
        .prompts(Everything::prompts())
        .resources(Everything::resources())
        .build()
}

#[tokio::main]
async fn main() -> loggia::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--stdio"] => server()?.serve(stdio()).await,
        ["--listen", address] => server()?.serve(http(*address)).await,
        _ => {
            eprintln!("usage: everything-server --stdio | --listen ADDRESS");
            std::process::exit(2);
        }
    }
}
