//! The memory of idle connections: keep-alive ones after a call, and open streams of changes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bench_harness::Failure;
use bench_harness::message::{Question, listen as listen_message};
use bench_harness::process::{peak_kib, pid, rss_kib};
use futures_util::future::try_join_all;

use crate::exchange::{Connection, connect};
use crate::http;
use crate::options::Options;
use crate::sample::Sample;

const PAUSE: Duration = Duration::from_millis(5);
/// The time for a change to reach all streams.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn idle(options: &Options) -> Result<Sample, Failure> {
    let question = options.question()?;
    let (child, address) = http::start(options)?;
    let pid = pid(&child)?;
    let _first = one_call(address, options, &question).await?;
    let alone = rss_kib(pid)?;
    let count = options.number("--connections", 1000)?;
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(one_call(address, options, &question).await?);
    }
    let mut sample = Sample::default();
    sample.set("idle_kib", alone as f64);
    sample.set("kib_per_connection", (rss_kib(pid)?.saturating_sub(alone)) as f64 / count as f64);
    Ok(sample)
}

async fn one_call(
    address: SocketAddr,
    options: &Options,
    question: &Question,
) -> Result<Connection, Failure> {
    let mut connection = connect(address, options.path(), PAUSE).await?;
    connection.open(question.era).await?;
    connection.ask(question, 1).await?;
    Ok(connection)
}

/// Opens the streams, makes the server change its list of tools, and waits until every stream has the notification.
pub(crate) async fn listen(options: &Options) -> Result<Sample, Failure> {
    let touch = options.question()?.called("touch");
    let (child, address) = http::start(options)?;
    let mut caller = connect(address, options.path(), PAUSE).await?;
    let mut streams = Vec::new();
    for id in 0..options.number("--connections", 10_000)? as u64 {
        let mut stream = connect(address, options.path(), PAUSE).await?;
        stream.send("subscriptions/listen", &listen_message(id)).await?;
        stream.read_until(b"notifications/subscriptions/acknowledged").await?;
        stream.rest();
        streams.push(stream);
    }
    let pid = pid(&child)?;
    let mut sample = Sample::default();
    sample.set("rss_mib", rss_kib(pid)? as f64 / 1024.0);
    let begun = Instant::now();
    caller.ask(&touch, 1).await?;
    let heard = streams.iter_mut().map(|stream| stream.read_until(b"notifications/tools/list_changed"));
    tokio::time::timeout(PATIENCE, try_join_all(heard)).await.map_err(|_| "not everybody heard of it")??;
    sample.set("reached_ms", begun.elapsed().as_secs_f64() * 1e3);
    sample.set("peak_mib", peak_kib(pid)? as f64 / 1024.0);
    Ok(sample)
}
