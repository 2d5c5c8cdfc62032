//! One measurement, in the form that the harness reads.

use std::time::{Duration, Instant};

use bench_harness::Failure;
use bench_harness::process::{cpu_ns, peak_kib, rss_kib};
use serde_json::{Map, Value};

/// Named figures.
#[derive(Default)]
pub(crate) struct Sample(Map<String, Value>);

/// The use of a server at the beginning of the measurement.
pub(crate) struct Meter {
    pid: u32,
    cpu: u64,
    begun: Instant,
}

impl Sample {
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

impl Meter {
    pub(crate) fn start(pid: u32) -> Result<Self, Failure> {
        Ok(Self { pid, cpu: cpu_ns(pid)?, begun: Instant::now() })
    }

    /// Returns the cost of the calls since then. There is one latency for each call.
    pub(crate) fn read(&self, mut latencies: Vec<Duration>) -> Result<Sample, Failure> {
        let (cpu, wall) = (cpu_ns(self.pid)? - self.cpu, self.begun.elapsed());
        let calls = latencies.len() as f64;
        if latencies.is_empty() {
            return Err("no call was answered in time".into());
        }
        latencies.sort_unstable();
        let micros = |share: f64| latencies[((calls - 1.0) * share) as usize].as_secs_f64() * 1e6;
        let mut sample = Sample::default();
        sample.set("cpu_us", cpu as f64 / 1e3 / calls);
        sample.set("calls_s", calls / wall.as_secs_f64());
        sample.set("p50_us", micros(0.5));
        sample.set("p99_us", micros(0.99));
        sample.set("rss_kib", rss_kib(self.pid)? as f64);
        sample.set("peak_kib", peak_kib(self.pid)? as f64);
        Ok(sample)
    }
}
