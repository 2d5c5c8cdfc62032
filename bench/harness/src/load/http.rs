//! Calls over keep-alive connections. Each connection sends its next request when it has the answer.

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bench_harness::Failure;
use bench_harness::message::Question;
use bench_harness::process::{self, command, pid};
use tokio::process::Child;
use tokio::task::LocalSet;

use crate::exchange::{Connection, connect};
use crate::options::{Length, Options};
use crate::sample::{Meter, Sample};

/// The pause between two attempts to connect to a starting program.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) async fn run(options: &Options) -> Result<Sample, Failure> {
    let question = Rc::new(options.question()?);
    let (child, address) = start(options)?;
    let mut connections = Vec::new();
    for _ in 0..options.number("--connections", 1)? {
        let mut connection = connect(address, options.path(), PAUSE).await?;
        connection.open(question.era).await?;
        connections.push(connection);
    }
    let length = options.length()?;
    let (mut connections, _) = ask_all(connections, &question, length.warm_up()).await?;
    if let Some(file) = options.value("--save") {
        connections[0].ask(&question, 1).await?;
        std::fs::write(file, connections[0].last_body()?)?;
    }
    let meter = Meter::start(pid(&child)?)?;
    let (_connections, latencies) = ask_all(connections, &question, length).await?;
    let sample = meter.read(latencies)?;
    if options.ends() {
        process::end(child).await?;
    }
    Ok(sample)
}

/// Starts the program with an address to listen on.
pub(crate) fn start(options: &Options) -> Result<(Child, SocketAddr), Failure> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = command(&options.program, options.pin());
    Ok((command.args(["--listen", &address.to_string()]).spawn()?, address))
}

/// Sends requests on every connection until the length is reached. Returns the connections, and the latency of each
/// call.
async fn ask_all(
    connections: Vec<Connection>,
    question: &Rc<Question>,
    length: Length,
) -> Result<(Vec<Connection>, Vec<Duration>), Failure> {
    let next = Rc::new(Cell::new(0));
    let begun = Instant::now();
    let tasks = LocalSet::new();
    let spawned: Vec<_> = connections
        .into_iter()
        .map(|connection| {
            let (next, question) = (next.clone(), question.clone());
            tasks.spawn_local(ask_on(connection, question, next, begun, length))
        })
        .collect();
    tasks
        .run_until(async {
            let (mut connections, mut all) = (Vec::new(), Vec::new());
            for task in spawned {
                let (connection, latencies) = task.await??;
                connections.push(connection);
                all.extend(latencies);
            }
            Ok((connections, all))
        })
        .await
}

async fn ask_on(
    mut connection: Connection,
    question: Rc<Question>,
    next: Rc<Cell<u64>>,
    begun: Instant,
    length: Length,
) -> Result<(Connection, Vec<Duration>), Failure> {
    let mut latencies = Vec::new();
    loop {
        let id = next.replace(next.get() + 1);
        let start = Instant::now();
        let is_over = match length {
            Length::Time(time) => start - begun > time,
            Length::Calls(calls) => id >= calls,
        };
        if is_over {
            return Ok((connection, latencies));
        }
        connection.ask(&question, id).await?;
        latencies.push(start.elapsed());
    }
}
