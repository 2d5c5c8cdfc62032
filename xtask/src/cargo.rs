//! The stages that use Cargo: formatting, lints, documentation, tests, fuzz targets and examples.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::command::{Finished, Run, tail};
use crate::outcome::Outcome;
use crate::postgres::{self, Cluster};
use crate::{paths, peers};

/// The time of each fuzz target, in seconds.
const FUZZ_SECONDS: u64 = 10;
/// The time limit of an example.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(60);

/// The crates with a workspace of their own. They share the target directory.
const OUTSIDE: &[&str] = &["fuzz/Cargo.toml", "bench/micro/Cargo.toml"];

/// The programs that other stages start.
const PROGRAMS: &[&str] = &["loggia-cli", "everything-server", "everything-client", "interop-client"];

pub(crate) fn fmt() -> Outcome {
    one("cargo fmt", Run::cargo("fmt").args(["fmt", "--all", "--check"]))
}

/// Lints the workspace, and checks the crates outside of it, which no other quick stage compiles.
pub(crate) fn clippy() -> Outcome {
    let args = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    let mut outcome = one("cargo clippy", Run::cargo("clippy").args(args));
    for manifest in OUTSIDE {
        let name = format!("cargo check of {manifest}");
        let args =
            ["check", "--all-targets", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir"];
        let run = Run::cargo(&name).args(args).arg(paths::target());
        // Nothing is linked, so the build script of libfuzzer-sys need not compile its C++.
        outcome.add(one(&name, run.env("CUSTOM_LIBFUZZER_PATH", "/unused/libfuzzer.a")));
    }
    outcome
}

pub(crate) fn docs() -> Outcome {
    let run = Run::cargo("docs").args(["doc", "--workspace", "--no-deps", "--quiet"]);
    one("cargo doc", run.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Runs unit and integration tests, with nextest if it is installed, and the documentation's snippets.
pub(crate) fn unit() -> Outcome {
    let mut outcome = Outcome::default();
    let cluster = Cluster::start().unwrap_or_else(|message| {
        outcome.fail(format!("PostgreSQL does not start: {message}"));
        None
    });
    if cluster.is_none() {
        outcome.note("the tests on PostgreSQL are left out: there is none");
    }
    let prepared = |run: Run| match &cluster {
        Some(cluster) => run.env(postgres::VARIABLE, cluster.url()),
        None => run,
    };
    outcome.add(match has_nextest() {
        true => nextest(prepared),
        false => cargo_test("tests", &["--all-targets"], prepared),
    });
    outcome.add(cargo_test("doctests", &["--doc"], |run| run));
    outcome
}

/// Runs the tests that need the real authorization server from npm.
pub(crate) fn sign_in() -> Outcome {
    let binaries = ["--test", "client", "--test", "resource_real", "--test", "server"];
    let tests =
        [&["test", "--package", "loggia-auth", "--quiet"], &binaries[..], &["--", "real::", "a_real"]]
            .concat();
    let script = peers::npm_dir().join("servers").join("oidc-provider.mjs");
    let run = Run::cargo("sign-in").args(tests).env("LOGGIA_OIDC_PROVIDER", script);
    match run.env("LOGGIA_NODE", peers::node()).finish() {
        Ok(finished) => counted("cargo test real::", &finished, libtest_counts(&finished.stdout)),
        Err(message) => Outcome::failure(message),
    }
}

/// Runs the tests that read whole descriptions of APIs from npm. A description that is absent is a failure.
pub(crate) fn descriptions() -> Outcome {
    let args =
        ["test", "--package", "loggia-openapi", "--test", "it", "--quiet", "--", "vendors::", "curate::"];
    let run = Run::cargo("descriptions").args(args).env("LOGGIA_NPM", peers::npm_dir().join("node_modules"));
    match run.finish() {
        Ok(finished) => counted("cargo test vendors:: curate::", &finished, libtest_counts(&finished.stdout)),
        Err(message) => Outcome::failure(message),
    }
}

/// Runs the tests of the direct backends, with the URLs of the mocks of their vendors as JSON.
/// `filter` is a part of the names of the tests to run.
pub(crate) fn vendors(mocks: &str, filter: Option<&str>) -> Outcome {
    let args = ["test", "--package", "loggia-connect", "--test", "vendors", "--quiet", "--"];
    let run = Run::cargo("vendors").args(args).args(filter);
    match run.env("LOGGIA_VENDORS", mocks).finish() {
        Ok(finished) => {
            let mut outcome = counted("cargo test vendors", &finished, libtest_counts(&finished.stdout));
            if outcome.failed > 0 {
                // The tests write their reasons to the standard output.
                outcome.failures.push(tail(&finished.stdout, 40));
            }
            outcome
        }
        Err(message) => Outcome::failure(message),
    }
}

/// Builds the programs that later stages start.
pub(crate) fn release() -> Result<(), String> {
    let packages = PROGRAMS.iter().flat_map(|name| ["--package", name]);
    Run::cargo("release").args(["build", "--release", "--quiet"]).args(packages).finish()?.check()
}

/// Runs each example until it ends, which it must do itself and with success.
pub(crate) fn examples() -> Outcome {
    let packages = match members_below("examples") {
        Ok(packages) => packages,
        Err(message) => return Outcome::failure(message),
    };
    let mut outcome = Outcome::default();
    for name in packages {
        let build =
            Run::cargo(&format!("example-{name}-build")).args(["build", "--quiet", "--package", &name]);
        let run = Run::cargo(&format!("example-{name}")).args(["run", "--quiet", "--package", &name]);
        let result = build.finish().and_then(|built| built.check());
        let result = result.and_then(|()| run.limit(EXAMPLE_LIMIT).finish()).and_then(|ran| ran.check());
        outcome.record(&name, result);
    }
    outcome
}

/// Runs each fuzz target on mutated seeds, and then for a few seconds with libFuzzer. Coverage feedback needs only
/// flags of the stable compiler, so neither nightly nor cargo-fuzz is needed. libFuzzer itself needs a C++ compiler,
/// and is left out if there is none.
pub(crate) fn fuzz() -> Outcome {
    let mut outcome = fuzz_tests();
    if !Run::new("c++", "cxx-version").arg("--version").finish().is_ok_and(|ran| ran.is_ok()) {
        outcome.note("libFuzzer left out: there is no C++ compiler to build it with");
        return outcome;
    }
    let targets = match fuzz_targets() {
        Ok(targets) => targets,
        Err(message) => {
            outcome.fail(message);
            return outcome;
        }
    };
    if let Err(message) = fuzz_build().finish().and_then(|built| built.check()) {
        outcome.fail(format!("the fuzz targets do not build: {message}"));
        return outcome;
    }
    for target in targets {
        outcome.record(&target, fuzz_one(&target));
    }
    outcome
}

fn fuzz_tests() -> Outcome {
    let args = ["test", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--no-default-features", "--lib"];
    let run = Run::cargo("fuzz-tests").args(args).arg("--target-dir").arg(fuzz_target_dir());
    match run.finish() {
        Ok(finished) => counted("mutated seeds", &finished, libtest_counts(&finished.stdout)),
        Err(message) => Outcome::failure(message),
    }
}

fn fuzz_one(target: &str) -> Result<(), String> {
    let corpus = paths::work().join("fuzz").join(target);
    std::fs::create_dir_all(&corpus).map_err(|e| format!("cannot create {}: {e}", corpus.display()))?;
    let seconds = format!("-max_total_time={FUZZ_SECONDS}");
    let artifacts = format!("-artifact_prefix={}/crash-{target}-", paths::work().join("fuzz").display());
    let seeds = paths::root().join("fuzz").join("seeds").join(target);
    let built = fuzz_target_dir().join(host()).join("release").join(target);
    let run = Run::new(built, &format!("fuzz-{target}"))
        .args([&seconds, "-timeout=10", &artifacts])
        .arg(&corpus)
        .arg(seeds);
    run.limit(Duration::from_secs(FUZZ_SECONDS + 60)).finish()?.check()
}

fn fuzz_target_dir() -> PathBuf {
    paths::work().join("fuzz-target")
}

fn fuzz_build() -> Run {
    const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares";
    Run::cargo("fuzz-build")
        .args(["build", "--quiet", "--release", "--bins", "--manifest-path", "fuzz/Cargo.toml"])
        // The target is named, so that the flags below do not apply to build scripts.
        .args(["--target", &host()])
        .arg("--target-dir")
        .arg(fuzz_target_dir())
        .env("RUSTFLAGS", COVERAGE)
}

/// Returns the target triple of this machine.
fn host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Run::new(rustc, "rustc-version").arg("-vV").finish().map(|ran| ran.stdout).unwrap_or_default();
    said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned()
}

fn fuzz_targets() -> Result<Vec<String>, String> {
    let dir = paths::root().join("fuzz").join("fuzz_targets");
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("cannot list {}: {e}", dir.display()))?;
    let sources = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut names: Vec<String> = sources
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    if names.is_empty() { Err(format!("{} holds no target", dir.display())) } else { Ok(names) }
}

/// Returns the output of `cargo metadata` for the workspace, without other dependencies.
pub(crate) fn metadata() -> Result<Value, String> {
    let run = Run::cargo("metadata").args(["metadata", "--format-version", "1", "--no-deps"]).finish()?;
    run.check()?;
    serde_json::from_str(&run.stdout).map_err(|e| format!("cargo metadata: {e}"))
}

fn members_below(folder: &str) -> Result<Vec<String>, String> {
    let metadata = metadata()?;
    let below = paths::root().join(folder);
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let inside = |package: &&Value| {
        package["manifest_path"].as_str().is_some_and(|path| PathBuf::from(path).starts_with(&below))
    };
    Ok(packages
        .iter()
        .filter(inside)
        .filter_map(|package| package["name"].as_str().map(str::to_owned))
        .collect())
}

fn one(name: &str, run: Run) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.record(name, run.finish().and_then(|finished| finished.check()));
    outcome
}

fn has_nextest() -> bool {
    Run::cargo("nextest-version")
        .args(["nextest", "--version"])
        .finish()
        .is_ok_and(|finished| finished.is_ok())
}

fn nextest(prepared: impl FnOnce(Run) -> Run) -> Outcome {
    let args =
        ["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail", "--no-tests", "pass"];
    let run = Run::cargo("nextest").args(args).env("NEXTEST_PROGRESS_BAR", "none");
    match prepared(run).finish() {
        Ok(finished) => counted("cargo nextest", &finished, nextest_counts(&finished.stderr)),
        Err(message) => Outcome::failure(message),
    }
}

fn cargo_test(log: &str, what: &[&str], prepared: impl FnOnce(Run) -> Run) -> Outcome {
    let run = Run::cargo(log).args(["test", "--workspace", "--no-fail-fast", "--quiet"]).args(what);
    match prepared(run).finish() {
        Ok(finished) => counted("cargo test", &finished, libtest_counts(&finished.stdout)),
        Err(message) => Outcome::failure(message),
    }
}

/// Returns the outcome of a run whose tests were counted from its output. A failure of the run without a failed test
/// counts as one more failure.
fn counted(name: &str, finished: &Finished, (passed, failed): (usize, usize)) -> Outcome {
    let mut outcome = Outcome { passed, failed, ..Outcome::default() };
    if failed > 0 {
        outcome.failures.push(format!("{name}: {}", finished.complaint()));
    } else if let Err(message) = finished.check() {
        outcome.fail(format!("{name}: {message}"));
    }
    outcome
}

/// Returns the passed and failed tests of nextest's line `Summary [ 1.2s] 5 tests run: 3 passed, 1 failed, 1 timed
/// out, 0 skipped`.
fn nextest_counts(output: &str) -> (usize, usize) {
    let Some(line) = output.lines().rev().find(|line| line.trim_start().starts_with("Summary [")) else {
        return (0, 0);
    };
    let counts = line.rsplit_once(": ").map_or("", |(_, counts)| counts);
    let (mut passed, mut failed) = (0, 0);
    for part in counts.split(", ") {
        let mut words = part.split_whitespace();
        let (Some(Ok(number)), Some(word)) = (words.next().map(str::parse::<usize>), words.next()) else {
            continue;
        };
        match word {
            "passed" => passed += number,
            "failed" | "timed" | "exec" => failed += number,
            _ => {}
        }
    }
    (passed, failed)
}

/// Returns the sums of passed and failed tests in libtest's lines `test result: ok. 3 passed; 0 failed; …`.
fn libtest_counts(output: &str) -> (usize, usize) {
    let lines = output.lines().filter(|line| line.starts_with("test result: "));
    lines.fold((0, 0), |(passed, failed), line| {
        let number = |word: &str| {
            let before = line.split_once(word).map_or("", |(before, _)| before);
            before.split_whitespace().next_back().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0)
        };
        (passed + number(" passed;"), failed + number(" failed;"))
    })
}

#[cfg(test)]
mod tests {
    use super::{libtest_counts, nextest_counts};

    #[test]
    fn counts_are_read_from_the_summary_lines() {
        let nextest = "    Starting 5 tests\n     Summary [   0.4s] 5 tests run: 2 passed (1 slow), 1 failed, 2 timed out, 3 skipped";
        assert_eq!(nextest_counts(nextest), (2, 3));
        assert_eq!(nextest_counts("error: could not compile"), (0, 0));
        let libtest = "test result: ok. 3 passed; 0 failed; 0 ignored\ntest result: FAILED. 4 passed; 2 failed; 1 ignored";
        assert_eq!(libtest_counts(libtest), (7, 2));
    }
}
