//! Measures the time and the memory of a description: `cargo run --release -p loggia-openapi --example measure -- FILE`.
//!
//! Each phase is printed with its time, and with the most memory that the process had so far (Linux alone). The text of the
//! file is part of it.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use loggia_openapi::Api;
use loggia_openapi::graphql::{GraphqlSchema, SelectionLimits};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a file: an OpenAPI description or a GraphQL schema")?;
    let (text, time) = timed(|| std::fs::read(&path));
    let text = text?;
    report(&format!("{} bytes of text", text.len()), time)?;
    if path.ends_with(".graphql") {
        let (schema, time) = timed(|| GraphqlSchema::read(&text));
        let schema = schema?;
        report("schema read", time)?;
        let (operations, time) = timed(|| schema.operations(SelectionLimits::default()));
        report(&format!("{} operations", operations.len()), time)?;
        let (bytes, time) =
            timed(|| operations.iter().map(|one| one.tool().input_schema.as_str().len()).sum::<usize>());
        return report(&format!("{bytes} bytes of input schemas"), time);
    }
    let (api, time) = timed(|| Api::read(&text));
    let api = api?;
    drop(text);
    report(&format!("{} operations, {} problems", api.operations().len(), api.problems().len()), time)?;
    let operations = api.operations();
    let (bytes, time) =
        timed(|| operations.iter().map(|one| one.tool().input_schema.as_str().len()).sum::<usize>());
    report(&format!("{bytes} bytes of input schemas"), time)
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = run();
    (value, start.elapsed())
}

fn report(phase: &str, time: Duration) -> Result<(), Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim();
    writeln!(std::io::stdout(), "{phase}: {} ms, peak {peak}", time.as_millis())?;
    Ok(())
}
