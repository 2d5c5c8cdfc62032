//! `cargo xtask bench build`: the cost of building a server, of Loggia and of the peers in Rust. Each is built in an
//! empty folder with two jobs, and again after an edit of its `main.rs`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::install;
use crate::command::Run;
use crate::outcome::Outcome;
use crate::paths;

const LIMIT: Duration = Duration::from_secs(1800);

/// A server to build.
struct Subject {
    name: &'static str,
    /// The folder of its workspace, and the folder of its sources below it.
    workspace: PathBuf,
    package: &'static str,
    source: &'static str,
    http: bool,
}

/// The result of a build.
struct Built {
    crates: usize,
    clean: Took,
    edit: Took,
    bytes: u64,
}

/// The time of a build: wall time, and CPU time of all processors.
#[derive(Clone, Copy)]
struct Took {
    real: f64,
    cpu: f64,
}

/// Builds all servers and prints the table; `--save` writes it below `bench/results/`.
pub(super) fn run(args: &[String]) -> Outcome {
    let facts = super::machine::facts();
    let mut outcome = Outcome::default();
    let mut results = Vec::new();
    println!("{:<18} {:>7} {:>26} {:>26} {:>9}", "", "crates", "clean build", "after an edit", "size");
    for subject in subjects() {
        let built = subject.build();
        match &built {
            Ok(built) => println!("{}", line(subject.name, built)),
            Err(message) => println!("{:<18} not measured: {message}", subject.name),
        }
        outcome.record(subject.name, built.as_ref().map(drop).map_err(Clone::clone));
        results.extend(built.ok().map(|built| (subject.name, built)));
    }
    let verdicts = verdicts(&results);
    verdicts.iter().for_each(|verdict| println!("{verdict}"));
    if args.iter().any(|arg| arg == "--save") {
        outcome.record("the files", save(&results, &verdicts, &facts));
    }
    outcome
}

fn subjects() -> Vec<Subject> {
    let subject = |name, workspace: &Path, package, source, http| {
        let workspace = workspace.to_path_buf();
        Subject { name, workspace, package, source, http }
    };
    let (ours, peers) = (paths::root(), install::peers_dir());
    let pair = |names: [&'static str; 2], workspace: &Path, package, source| {
        [false, true].map(|http| subject(names[usize::from(http)], workspace, package, source, http))
    };
    [
        pair(["loggia, stdio", "loggia, HTTP"], &ours, "bench-server", "bench/server/src/main.rs"),
        pair(["rmcp, stdio", "rmcp, HTTP"], &peers, "bench-rmcp", "rmcp/src/server.rs"),
        pair(["tower-mcp, stdio", "tower-mcp, HTTP"], &peers, "bench-tower-mcp", "tower-mcp/src/main.rs"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Subject {
    fn build(&self) -> Result<Built, String> {
        let target = paths::fresh("bench-build")?;
        let crates = self.crates()?;
        self.fetch()?;
        let clean = self.timed(&target)?;
        self.touch()?;
        let edit = self.timed(&target)?;
        let program = target.join("release").join(self.package);
        let bytes = std::fs::metadata(&program).map_err(|e| format!("{}: {e}", program.display()))?.len();
        std::fs::remove_dir_all(&target).map_err(|e| format!("cannot empty {}: {e}", target.display()))?;
        Ok(Built { crates, clean, edit, bytes })
    }

    fn features(&self) -> &'static [&'static str] {
        if self.http { &[] } else { &["--no-default-features"] }
    }

    /// Returns the number of packages in the build on this machine, without its own.
    fn crates(&self) -> Result<usize, String> {
        let args = ["tree", "--edges", "normal,build", "--prefix", "none", "--package", self.package];
        let run = Run::cargo("bench-tree").current_dir(&self.workspace).args(args).args(self.features());
        let ran = run.finish()?;
        ran.check()?;
        let packages =
            ran.stdout.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty());
        let others = packages.filter(|line| !line.starts_with(&format!("{} ", self.package)));
        Ok(others.map(|line| line.split(" (").next().unwrap_or(line)).collect::<HashSet<_>>().len())
    }

    fn fetch(&self) -> Result<(), String> {
        Run::cargo("bench-fetch").current_dir(&self.workspace).args(["fetch", "--locked"]).finish()?.check()
    }

    /// Sets a new time stamp, which is an edit for Cargo.
    fn touch(&self) -> Result<(), String> {
        let file = self.workspace.join(self.source);
        let text = std::fs::read(&file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
        std::fs::write(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))
    }

    fn timed(&self, target: &Path) -> Result<Took, String> {
        let script = "time -p \"$@\"";
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let run = Run::new("bash", "bench-timed").current_dir(&self.workspace).args(["-c", script, "timed"]);
        let run = run.arg(cargo).args(["build", "--release", "--quiet", "--locked", "--jobs", "2"]);
        let run = run.args(["--package", self.package, "--bin", self.package]).args(self.features());
        let ran = run.arg("--target-dir").arg(target).limit(LIMIT).finish()?;
        ran.check()?;
        let seconds = |name: &str| {
            let line = ran.stderr.lines().rev().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().parse::<f64>().ok()).ok_or(format!("no time: {}", ran.stderr))
        };
        Ok(Took { real: seconds("real")?, cpu: seconds("user")? + seconds("sys")? })
    }
}

fn line(name: &str, built: &Built) -> String {
    let took = |took: Took| format!("{:.1} s ({:.1} s CPU)", took.real, took.cpu);
    let size = format!("{:.2} MB", built.bytes as f64 / 1e6);
    format!("{name:<18} {:>7} {:>26} {:>26} {size:>9}", built.crates, took(built.clean), took(built.edit))
}

/// Compares the results with Loggia's limits: the number of crates and megabytes, half of rmcp's clean build, a third
/// of its second build.
fn verdicts(results: &[(&str, Built)]) -> Vec<String> {
    const BOUNDS: &[(&str, &str, f64, f64)] =
        &[("loggia, stdio", "rmcp, stdio", 45.0, 2.5), ("loggia, HTTP", "rmcp, HTTP", 70.0, 3.0)];
    let find = |name: &str| results.iter().find(|(found, _)| *found == name).map(|(_, built)| built);
    let mut lines = Vec::new();
    for (name, peer, crates, megabytes) in BOUNDS {
        let Some(ours) = find(name) else { continue };
        let mut judge = |what: &str, value: f64, most: f64| {
            let word = if value <= most { "met" } else { "missed" };
            lines.push(format!("{name}: {what} {value:.2}, at most {most:.2}: {word}"));
        };
        judge("crates", ours.crates as f64, *crates);
        judge("MB", ours.bytes as f64 / 1e6, *megabytes);
        if let Some(peer) = find(peer) {
            judge("CPU of a clean build, of rmcp's,", ours.clean.cpu / peer.clean.cpu, 0.5);
            judge("CPU after an edit, of rmcp's,", ours.edit.cpu / peer.edit.cpu, 1.0 / 3.0);
        }
    }
    lines
}

fn save(results: &[(&str, Built)], verdicts: &[String], facts: &Value) -> Result<(), String> {
    let text = |key: &str| facts[key].as_str().unwrap_or_default().to_owned();
    let rows: Vec<Value> = results
        .iter()
        .map(|(name, built)| {
            json!({
                "name": name, "crates": built.crates, "bytes": built.bytes,
                "clean_s": built.clean.real, "clean_cpu_s": built.clean.cpu,
                "edit_s": built.edit.real, "edit_cpu_s": built.edit.cpu,
            })
        })
        .collect();
    let json = serde_json::to_string_pretty(&json!({ "machine": facts, "rows": rows }));
    let json = json.map_err(|e| e.to_string())? + "\n";
    let lines: String = results
        .iter()
        .map(|(name, b)| {
            format!(
                "| {name} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} |\n",
                b.crates,
                b.clean.real,
                b.clean.cpu,
                b.edit.real,
                b.edit.cpu,
                b.bytes as f64 / 1e6
            )
        })
        .collect();
    let markdown = format!(
        "# Build, {}, commit {}\n\n{}, {} cores, {}. Release profile, two jobs, stripped. CPU is added up over all \
         processors and says more than the clock where the machine has other work; load average when it began: {}.\n\n\
         | | crates | clean, s | clean, s of CPU | after an edit, s | of CPU | MB |\n|---|---|---|---|---|---|---|\n{lines}\n\
         ## What ours has to reach\n\n- {}\n",
        text("date"),
        text("commit"),
        text("cpu"),
        facts["cores"],
        text("rustc"),
        text("load average"),
        verdicts.join("\n- "),
    );
    super::report::write_pair(&format!("build-{}-{}", text("date"), text("commit")), json, markdown)
}
