//! Calls with rmcp's client: `bench-rmcp-client URL CONCURRENCY SECONDS`. Prints the cost of a call in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rmcp::model::{CallToolRequestParams, ClientConfig, ProtocolVersion};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientLifecycleMode, ClientServiceExt, Peer, RoleClient};

const TEXT: &str = "0123456789abcdef0123456789abcdef";

async fn call(peer: &Peer<RoleClient>) -> anyhow::Result<()> {
    let arguments = serde_json::json!({ "text": TEXT }).as_object().cloned().unwrap_or_default();
    let result = peer.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await?;
    let said = result.content.first().and_then(|content| content.as_text()).map(|text| text.text.as_str());
    if said == Some(TEXT) { Ok(()) } else { anyhow::bail!("wrong answer: {result:?}") }
}

async fn call_all(peer: &Peer<RoleClient>, concurrency: usize, length: Duration) -> anyhow::Result<u64> {
    let (begun, calls) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..concurrency {
        let (peer, calls) = (peer.clone(), calls.clone());
        tasks.push(tokio::spawn(async move {
            while begun.elapsed() < length {
                call(&peer).await?;
                calls.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(calls.load(Ordering::Relaxed))
}

/// Returns the CPU time of all threads of this process, in nanoseconds.
fn cpu_ns() -> std::io::Result<u64> {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += stat.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, concurrency, seconds] = arguments.as_slice() else {
        anyhow::bail!("usage: bench-rmcp-client URL CONCURRENCY SECONDS")
    };
    let (concurrency, length) = (concurrency.parse()?, Duration::from_secs_f64(seconds.parse()?));
    let transport = StreamableHttpClientTransport::from_uri(url.as_str());
    let mode = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let client = ClientConfig::default().serve_with_lifecycle(transport, mode).await?;
    call_all(client.peer(), concurrency, length / 4).await?;
    let (before, begun) = (cpu_ns()?, Instant::now());
    let calls = call_all(client.peer(), concurrency, length).await? as f64;
    let (cpu, wall) = (cpu_ns()? - before, begun.elapsed());
    let figures = serde_json::json!({
        "cpu_us": cpu as f64 / 1e3 / calls,
        "calls_s": calls / wall.as_secs_f64(),
    });
    println!("{figures}");
    Ok(())
}
