//! The time from the start of a program to its first answer, and its memory at that time.

use std::time::{Duration, Instant};

use bench_harness::Failure;
use bench_harness::process::{pid, rss_kib};

use crate::options::{Length, Options};
use crate::sample::Sample;
use crate::{exchange, http, stdio};

/// The pause between two attempts to connect. It is short, because it is a part of the measurement.
const PAUSE: Duration = Duration::from_micros(200);

pub(crate) async fn run(options: &Options) -> Result<Sample, Failure> {
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..options.number("--times", 1)?.max(1) {
        let (time, kib) = match options.value("--transport") {
            Some("stdio") => over_stdio(options).await?,
            _ => over_http(options).await?,
        };
        times.push(time);
        memory.push(kib);
    }
    times.sort_unstable();
    memory.sort_unstable();
    let mut sample = Sample::default();
    sample.set("start_ms", times[times.len() / 2].as_secs_f64() * 1e3);
    sample.set("idle_kib", memory[memory.len() / 2] as f64);
    Ok(sample)
}

async fn over_stdio(options: &Options) -> Result<(Duration, u64), Failure> {
    let question = options.question()?;
    let begun = Instant::now();
    let (child, mut pipe) = stdio::start(options)?;
    pipe.open(question.era).await?;
    pipe.ask_many(&question, 1, Length::Calls(1)).await?;
    let time = begun.elapsed();
    Ok((time, rss_kib(pid(&child)?)?))
}

async fn over_http(options: &Options) -> Result<(Duration, u64), Failure> {
    let question = options.question()?;
    let begun = Instant::now();
    let (child, address) = http::start(options)?;
    let mut connection = exchange::connect(address, options.path(), PAUSE).await?;
    connection.open(question.era).await?;
    connection.ask(&question, 1).await?;
    let time = begun.elapsed();
    Ok((time, rss_kib(pid(&child)?)?))
}
