//! Starts a server, loads it and prints what each call cost it, as one line of JSON:
//! `bench-load http|stdio CONCURRENCY CALLS [--pin CORE] -- PROGRAM [ARGUMENTS]`. For `http` the program gets
//! `--listen ADDR`, for `stdio` it gets `--stdio`.

use std::io;
use std::net::TcpListener as StdListener;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bench_harness::{cpu_ns, modern_call, rss_kib};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

struct Plan {
    concurrency: usize,
    calls: usize,
    pin: Option<String>,
    program: Vec<String>,
}

struct Measured {
    calls: usize,
    cpu: u64,
    wall: Duration,
    latencies: Vec<Duration>,
    rss_kib: u64,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn plan(arguments: &[String]) -> Option<(String, Plan)> {
    let split = arguments.iter().position(|a| a == "--")?;
    let (options, program) = (&arguments[..split], arguments[split + 1..].to_vec());
    let pin = options.iter().position(|a| a == "--pin").and_then(|at| options.get(at + 1)).cloned();
    let plan = Plan {
        concurrency: options.get(1)?.parse().ok()?,
        calls: options.get(2)?.parse().ok()?,
        pin,
        program,
    };
    Some((options.first()?.clone(), plan))
}

impl Plan {
    fn command(&self) -> Command {
        let mut words = self.program.clone();
        if let Some(core) = &self.pin {
            words.splice(0..0, ["taskset".to_owned(), "-c".to_owned(), core.clone()]);
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).kill_on_drop(true);
        command
    }

    fn warm_up(&self) -> usize {
        (self.calls / 10).max(self.concurrency)
    }
}

fn pid(child: &Child) -> Result<u32, Failure> {
    child.id().ok_or_else(|| "the server has exited".into())
}

async fn http(plan: &Plan) -> Result<Measured, Failure> {
    let address = StdListener::bind("127.0.0.1:0")?.local_addr()?;
    let child = plan.command().args(["--listen", &address.to_string()]).stdout(Stdio::null()).spawn()?;
    let mut connections = Vec::new();
    for _ in 0..plan.concurrency {
        connections.push(connect(&address.to_string()).await?);
    }
    run_http(&mut connections, plan.warm_up()).await?;
    let (before, start) = (cpu_ns(pid(&child)?)?, Instant::now());
    let latencies = run_http(&mut connections, plan.calls).await?;
    let (cpu, wall) = (cpu_ns(pid(&child)?)? - before, start.elapsed());
    Ok(Measured { calls: plan.calls, cpu, wall, latencies, rss_kib: rss_kib(pid(&child)?)? })
}

/// The server needs a moment to listen: try again until it does, for at most ten seconds.
async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let stream = loop {
        match TcpStream::connect(address).await {
            Ok(stream) => break stream,
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn run_http(
    connections: &mut Vec<SendRequest<Full<Bytes>>>,
    calls: usize,
) -> Result<Vec<Duration>, Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = connections
        .drain(..)
        .map(|mut sender| {
            let next = next.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if id >= calls {
                        return Ok::<_, Failure>((sender, latencies));
                    }
                    let start = Instant::now();
                    call_http(&mut sender, id).await?;
                    latencies.push(start.elapsed());
                }
            })
        })
        .collect();
    let mut all = Vec::with_capacity(calls);
    for task in tasks {
        let (sender, latencies) = task.await??;
        connections.push(sender);
        all.extend(latencies);
    }
    Ok(all)
}

async fn call_http(sender: &mut SendRequest<Full<Bytes>>, id: usize) -> Result<(), Failure> {
    let request = Request::post("/mcp")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "echo")
        .body(Full::new(modern_call(id).into()))?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() || !body.windows(32).any(|w| w == bench_harness::TEXT.as_bytes()) {
        return Err(format!("wrong answer: {status} {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(())
}

async fn stdio(plan: &Plan) -> Result<Measured, Failure> {
    let mut child = plan
        .command()
        .arg("--stdio")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no stdin")?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
    run_stdio(&mut input, &mut output, plan.warm_up(), plan.concurrency).await?;
    let (before, start) = (cpu_ns(pid(&child)?)?, Instant::now());
    run_stdio(&mut input, &mut output, plan.calls, plan.concurrency).await?;
    let (cpu, wall) = (cpu_ns(pid(&child)?)? - before, start.elapsed());
    Ok(Measured { calls: plan.calls, cpu, wall, latencies: Vec::new(), rss_kib: rss_kib(pid(&child)?)? })
}

async fn run_stdio(
    input: &mut tokio::process::ChildStdin,
    output: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    calls: usize,
    in_flight: usize,
) -> Result<(), Failure> {
    let room = Semaphore::new(in_flight);
    let send = async {
        for id in 0..calls {
            room.acquire().await?.forget();
            input.write_all((modern_call(id) + "\n").as_bytes()).await?;
        }
        Ok::<_, Failure>(())
    };
    let receive = async {
        for _ in 0..calls {
            let line = output.next_line().await?.ok_or("the server closed its output")?;
            if !line.contains(bench_harness::TEXT) {
                return Err(format!("wrong answer: {line}").into());
            }
            room.add_permits(1);
        }
        Ok::<_, Failure>(())
    };
    tokio::try_join!(send, receive).map(drop)
}

fn report(mut measured: Measured) -> String {
    measured.latencies.sort();
    let at = |share: f64| {
        let last = measured.latencies.len().checked_sub(1)?;
        measured.latencies.get((last as f64 * share) as usize).map(|d| d.as_secs_f64() * 1e6)
    };
    serde_json::json!({
        "cpu_us_per_call": measured.cpu as f64 / 1e3 / measured.calls as f64,
        "calls_per_second": measured.calls as f64 / measured.wall.as_secs_f64(),
        "p50_us": at(0.5),
        "p99_us": at(0.99),
        "rss_kib": measured.rss_kib,
    })
    .to_string()
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: bench-load http|stdio CONCURRENCY CALLS [--pin CORE] -- PROGRAM [ARGUMENTS]";
    let measured = match plan(&arguments) {
        Some((kind, plan)) if kind == "http" => http(&plan).await?,
        Some((kind, plan)) if kind == "stdio" => stdio(&plan).await?,
        _ => return Err(usage.into()),
    };
    use io::Write;
    writeln!(io::stdout(), "{}", report(measured))?;
    Ok(())
}
