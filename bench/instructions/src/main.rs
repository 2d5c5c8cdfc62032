//! Runs one path of a call a number of times, without I/O and runtime. `cargo xtask test instructions` counts it
//! under valgrind: `bench-instructions PATH COUNT`.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use loggia::Service;
use loggia::edge::connection::{Action, DuplexConnection};
use loggia::edge::run_request;
use loggia::exchange::Exchange;
use loggia::limits::Limits;
use loggia::prelude::*;
use loggia::wire::jsonrpc;
use serde_json::{Value, json};

/// Says what it is told.
#[tool(read_only)]
async fn echo(text: String) -> String {
    text
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let count: usize = arguments.next().and_then(|count| count.parse().ok()).unwrap_or_default();
    let Some(mut walk) = Walk::named(&path) else {
        eprintln!("usage: bench-instructions decode|modern|legacy|list COUNT");
        std::process::exit(2);
    };
    for _ in 0..count {
        walk.once();
    }
}

/// One path, ready to run.
struct Walk {
    frame: Bytes,
    /// The server; `None` if the message is only read.
    server: Option<Serving>,
}

struct Serving {
    machine: DuplexConnection,
    server: Server,
    limits: Limits,
}

impl Walk {
    fn named(path: &str) -> Option<Walk> {
        let (frame, server) = match path {
            "decode" => (modern("tools/call", call()), None),
            "modern" => (modern("tools/call", call()), Some(Serving::new(0))),
            "list" => (modern("tools/list", json!({})), Some(Serving::new(100))),
            "legacy" => {
                let mut serving = Serving::new(0);
                let opening = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
                    "clientInfo": { "name": "bench", "version": "1" } });
                serving.handle(request("initialize", opening));
                (request("tools/call", call()), Some(serving))
            }
            _ => return None,
        };
        Some(Walk { frame, server })
    }

    fn once(&mut self) {
        match &mut self.server {
            Some(serving) => serving.handle(self.frame.clone()),
            None => drop(black_box(jsonrpc::decode(&self.frame))),
        }
    }
}

impl Serving {
    fn new(further: usize) -> Serving {
        let tools = (0..further)
            .map(|n| Tool::build(format!("tool_{n}")).handler(|_: Arc<()>, _cx, _args| async { "done" }));
        let server = loggia::server!().tool(echo).tools(tools).build().expect("the tools are in order");
        let limits = Limits::default();
        Serving { machine: DuplexConnection::new(limits.clone()), server, limits }
    }

    /// Handles one message like a connection: reads it, runs the call, and writes the answer.
    fn handle(&mut self, frame: Bytes) {
        let description = self.server.describe();
        self.machine.handle_frame(Ok(frame), &description);
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Call { key, request, .. } => {
                    let (exchange, _outbox, _guard) = Exchange::new(None);
                    let call = run_request(&self.server, *request, exchange, &self.limits);
                    let outcome = call.now_or_never().expect("the tool waits for nothing");
                    self.machine.handle_finished(key, outcome, &description);
                }
                action => drop(black_box(action)),
            }
        }
    }
}

fn call() -> Value {
    json!({ "name": "echo", "arguments": { "text": "x".repeat(32) } })
}

fn modern(method: &str, mut params: Value) -> Bytes {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    request(method, params)
}

fn request(method: &str, params: Value) -> Bytes {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string().into()
}
