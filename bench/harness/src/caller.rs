//! The common part of the measured clients: several callers call repeatedly for a time, and the process prints the
//! cost of a call.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::process::cpu_ns;

/// The argument of every call.
pub const TEXT: &str = "0123456789abcdef0123456789abcdef";

/// The command line.
#[derive(Debug)]
pub struct Plan {
    /// The endpoint.
    pub url: String,
    /// The number of open calls.
    pub concurrency: usize,
    /// The time for calling.
    pub length: Duration,
}

impl Plan {
    /// Parses `URL CONCURRENCY SECONDS`.
    pub fn parse(arguments: &[String]) -> Option<Self> {
        let [url, concurrency, seconds] = arguments else { return None };
        let length = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
        Some(Self { url: url.clone(), concurrency: concurrency.parse().ok()?, length })
    }
}

/// Runs the plan, each caller in a task of its own, and prints the figures.
pub async fn run<T, F, Fut>(plan: &Plan, callers: Vec<T>, call: F) -> Result<(), Failure>
where
    T: Send + 'static,
    F: Fn(T) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let (callers, _) = call_all(callers, call, plan.length / 4).await?;
    let (before, begun) = (cpu_ns(std::process::id())?, Instant::now());
    let (_, calls) = call_all(callers, call, plan.length).await?;
    let (cpu, wall) = (cpu_ns(std::process::id())? - before, begun.elapsed());
    let figures = serde_json::json!({
        "cpu_us": cpu as f64 / 1e3 / calls as f64,
        "calls_s": calls as f64 / wall.as_secs_f64(),
    });
    writeln!(std::io::stdout(), "{figures}")?;
    Ok(())
}

async fn call_all<T, F, Fut>(callers: Vec<T>, call: F, length: Duration) -> Result<(Vec<T>, u64), Failure>
where
    T: Send + 'static,
    F: Fn(T) -> Fut + Copy + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let begun = Instant::now();
    let again_and_again = |mut caller: T| async move {
        let mut calls = 0;
        while begun.elapsed() < length {
            caller = call(caller).await?;
            calls += 1;
        }
        Ok::<_, Failure>((caller, calls))
    };
    let tasks: Vec<_> = callers.into_iter().map(|caller| tokio::spawn(again_and_again(caller))).collect();
    let (mut callers, mut all) = (Vec::new(), 0);
    for task in tasks {
        let (caller, calls) = task.await??;
        callers.push(caller);
        all += calls;
    }
    Ok((callers, all))
}
