//! The instructions of the paths of a call, compared with limits: a check that does not depend on the load of the
//! machine. valgrind counts two runs; their difference excludes the start of the program.

use crate::command::Run;
use crate::outcome::Outcome;
use crate::paths;

/// A path and the maximum number of instructions of one run. Each limit is about a fifth above the count when it was
/// set, because compilers differ; a path that becomes cheaper should get a lower limit.
const BOUNDS: &[(&str, u64)] = &[("decode", 6_100), ("modern", 17_500), ("legacy", 15_300), ("list", 23_000)];

const FEW: u64 = 500;
const MANY: u64 = 1500;

/// Counts each path.
pub(crate) fn run() -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(reason) = have_valgrind() {
        outcome.note(format!("left out: {reason}"));
        return outcome;
    }
    let build = Run::cargo("instructions-build");
    let build = build.args(["build", "--release", "--quiet", "--package", "bench-instructions"]);
    if let Err(message) = build.finish().and_then(|built| built.check()) {
        outcome.fail(message);
        return outcome;
    }
    for (path, most) in BOUNDS {
        match each(path) {
            Ok(count) if count <= *most => {
                println!("  {path:<12} {count:>7} instructions, at most {most}");
                outcome.pass();
            }
            Ok(count) => outcome.fail(format!("{path}: {count} instructions, at most {most}")),
            Err(message) => outcome.fail(format!("{path}: {message}")),
        }
    }
    outcome
}

/// Installs valgrind if that is possible.
fn have_valgrind() -> Result<(), String> {
    let there =
        || Run::new("valgrind", "valgrind-version").arg("--version").finish().is_ok_and(|ran| ran.is_ok());
    if there() {
        return Ok(());
    }
    let install = Run::new("apt-get", "valgrind-install").args(["install", "--yes", "--quiet", "valgrind"]);
    let installed = install.env("DEBIAN_FRONTEND", "noninteractive").finish().and_then(|ran| ran.check());
    match installed {
        Ok(()) if there() => Ok(()),
        _ => {
            Err("valgrind is not installed, and could not be: install it with your package manager"
                .to_owned())
        }
    }
}

/// Returns the number of instructions of one run of `path`.
fn each(path: &str) -> Result<u64, String> {
    Ok((total(path, MANY)? - total(path, FEW)?) / (MANY - FEW))
}

fn total(path: &str, count: u64) -> Result<u64, String> {
    let report = paths::work().join("logs").join(format!("callgrind-{path}-{count}"));
    let run = Run::new("valgrind", &format!("instructions-{path}-{count}"));
    let run = run.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", report.display()));
    run.arg(paths::release("bench-instructions")).args([path, &count.to_string()]).finish()?.check()?;
    let text = std::fs::read_to_string(&report).map_err(|e| format!("valgrind left no report: {e}"))?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.ok_or_else(|| "valgrind counted nothing".to_owned())
}
