//! The time from adding a server to the first call of its tool, by the commands that a user types.
//!
//! Each run has an empty home folder, so that no command finds the server of the run before.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bench_harness::Failure;
use bench_harness::process::{command, ended_children_cpu};

use crate::options::Options;
use crate::sample::Sample;

/// Separates the commands.
const THEN: &str = "--then";
/// The text that the last command sends and prints.
const TEXT: &str = "hello-from-the-bench";

pub(crate) async fn run(options: &Options) -> Result<Sample, Failure> {
    let times = options.number("--times", 1)?.max(1);
    let commands: Vec<Vec<String>> = options.program.split(|word| word == THEN).map(with_text).collect();
    let before = ended_children_cpu()?;
    let mut durations = Vec::new();
    for time in 0..times {
        let home = EmptyFolder::create(time)?;
        durations.push(run_all(&commands, options.pin(), &home.0).await?);
    }
    let cpu = ended_children_cpu()? - before;
    durations.sort_unstable();
    let mut sample = Sample::default();
    sample.set("add_ms", durations[durations.len() / 2].as_secs_f64() * 1e3);
    sample.set("cpu_ms", cpu.as_secs_f64() * 1e3 / times as f64);
    Ok(sample)
}

fn with_text(words: &[String]) -> Vec<String> {
    words.iter().map(|word| word.replace("{text}", TEXT)).collect()
}

/// Runs the commands one after the other. Each must succeed, and the last one must print the text.
async fn run_all(commands: &[Vec<String>], pin: Option<&str>, home: &Path) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let mut printed = String::new();
    for words in commands {
        let mut command = command(words, pin);
        command.current_dir(home).env("HOME", home).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"] {
            command.env_remove(name);
        }
        let output = command.output().await?;
        if !output.status.success() {
            return Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)).into());
        }
        printed = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    let time = begun.elapsed();
    if printed.contains(TEXT) { Ok(time) } else { Err(format!("the tool did not answer: {printed}").into()) }
}

/// An empty folder that is removed at the end.
struct EmptyFolder(PathBuf);

impl EmptyFolder {
    fn create(number: usize) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("bench-add-{}-{number}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for EmptyFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
