//! The whole test run: the table of stages in their order, the needs of each, and the summary. If a stage fails, the
//! next ones still run. If something cannot be built or installed, the stages that need it count as failed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::outcome::Outcome;
use crate::{
    browser, cargo, conformance, console, features, instructions, interop, peers, postgres, real_servers,
    tidy, vendors,
};

/// The need of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Need {
    /// The programs of this repository, in the release profile.
    Release,
    /// The peers from npm.
    Npm,
    /// The peers from Python's index.
    Python,
    /// The real servers from npm and from Python's index.
    RealServers,
    /// The emulators and mocks of vendors from npm.
    Vendors,
    /// PostgreSQL, if it can be installed.
    Postgres,
    /// Chromium, if it can be installed.
    Chromium,
}

struct Stage {
    name: &'static str,
    about: &'static str,
    needs: &'static [Need],
    run: fn() -> Outcome,
}

const STAGES: &[Stage] = &[
    Stage { name: "fmt", about: "the sources are formatted", needs: &[], run: cargo::fmt },
    Stage { name: "tidy", about: "the structural rules hold", needs: &[], run: tidy::run },
    Stage {
        name: "clippy",
        about: "no lint complains, and the crates outside the workspace compile",
        needs: &[],
        run: cargo::clippy,
    },
    Stage {
        name: "features",
        about: "each combination of features compiles without a warning",
        needs: &[],
        run: features::run,
    },
    Stage {
        name: "docs",
        about: "the API documentation builds without a warning",
        needs: &[],
        run: cargo::docs,
    },
    Stage {
        name: "unit",
        about: "unit and integration tests, and every documented snippet",
        needs: &[Need::Postgres],
        run: cargo::unit,
    },
    Stage {
        name: "console",
        about: "the console's types, its client and its tests",
        needs: &[],
        run: console::run,
    },
    Stage { name: "fuzz", about: "each fuzz target for a few seconds", needs: &[], run: cargo::fuzz },
    Stage {
        name: "instructions",
        about: "the paths of a call take no more instructions than stated",
        needs: &[],
        run: instructions::run,
    },
    Stage { name: "examples", about: "each example runs", needs: &[], run: cargo::examples },
    Stage {
        name: "conformance",
        about: "the official suite, both sides, both eras",
        needs: &[Need::Release, Need::Npm],
        run: conformance::all,
    },
    Stage {
        name: "descriptions",
        about: "each operation of GitHub's REST and GraphQL APIs is a tool that strict clients accept",
        needs: &[Need::Npm],
        run: cargo::descriptions,
    },
    Stage {
        name: "sign-in",
        about: "sign-in and tokens of a real authorization server, for our client and our protected server",
        needs: &[Need::Npm],
        run: cargo::sign_in,
    },
    Stage {
        name: "browser",
        about: "a browser and three other clients sign in at `loggia up`, and it at a vendor for them",
        needs: &[Need::Release, Need::Npm, Need::Python, Need::Chromium],
        run: browser::run,
    },
    Stage {
        name: "interop",
        about: "our server, our client and `loggia up` against other implementations",
        needs: &[Need::Release, Need::Npm, Need::Python],
        run: interop::all,
    },
    Stage {
        name: "five",
        about: "five real servers behind one `loggia up`, for three clients at once",
        needs: &[Need::Release, Need::Npm, Need::Python],
        run: interop::five,
    },
    Stage {
        name: "servers",
        about: "ten real servers, byte by byte with and without `loggia up`, in every pair of revisions",
        needs: &[Need::Release, Need::Npm, Need::RealServers],
        run: || real_servers::run(&[]),
    },
    Stage {
        name: "vendors",
        about: "the connectors against emulators and mocks of their vendors, and an agent over two of them",
        needs: &[Need::Release, Need::Npm, Need::Vendors],
        run: || vendors::run(&[]),
    },
];

/// Runs `cargo xtask test`: the stages in `args`, or all of them.
pub(crate) fn test(args: &[String]) -> Result<Outcome, String> {
    if args.iter().any(|arg| arg == "--list") {
        for stage in STAGES {
            println!("{:<12} {}", stage.name, stage.about);
        }
        return Ok(Outcome::default());
    }
    let stages = select(args)?;
    let start = Instant::now();
    let mut prepared = HashMap::new();
    let mut results = Vec::new();
    for stage in stages {
        let begun = Instant::now();
        println!("▶ {} — {}", stage.name, stage.about);
        let outcome = run_stage(stage, &mut prepared);
        let time = begun.elapsed();
        print_outcome(stage.name, &outcome, time);
        results.push((stage.name, outcome, time));
    }
    Ok(summary(results, start.elapsed()))
}

/// Runs only the stage `name` with `args`, after providing its needs. With `--built` in `args`, the programs of the
/// last build are used.
pub(crate) fn with_needs(
    name: &str,
    args: &[String],
    run: fn(&[String]) -> Outcome,
) -> Result<Outcome, String> {
    let stage = STAGES.iter().find(|stage| stage.name == name).expect("callers name a stage");
    let built = args.iter().any(|arg| arg == "--built");
    let needs = stage.needs.iter().filter(|need| !(built && **need == Need::Release));
    needs.copied().try_for_each(prepare)?;
    Ok(alone(name, || run(args)))
}

/// Runs only one stage, as `cargo xtask tidy` does.
pub(crate) fn alone(name: &str, run: impl FnOnce() -> Outcome) -> Outcome {
    let start = Instant::now();
    let outcome = run();
    print_outcome(name, &outcome, start.elapsed());
    println!("{} passed, {} failed", outcome.passed, outcome.failed);
    outcome
}

fn select(names: &[String]) -> Result<Vec<&'static Stage>, String> {
    if names.is_empty() {
        return Ok(STAGES.iter().collect());
    }
    if let Some(unknown) = names.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name)) {
        return Err(format!("there is no stage '{unknown}'; `cargo xtask test --list` shows them"));
    }
    Ok(STAGES.iter().filter(|stage| names.iter().any(|name| name == stage.name)).collect())
}

fn run_stage(stage: &Stage, prepared: &mut HashMap<Need, Result<(), String>>) -> Outcome {
    for need in stage.needs {
        let result = prepared.entry(*need).or_insert_with(|| prepare(*need));
        if let Err(message) = result {
            return Outcome::failure(format!("not run, because {need:?} could not be prepared: {message}"));
        }
    }
    (stage.run)()
}

fn prepare(need: Need) -> Result<(), String> {
    let start = Instant::now();
    let (what, result) = match need {
        Need::Release => ("built the release programs", cargo::release()),
        Need::Npm => ("installed the peers from npm", peers::npm()),
        Need::Python => ("installed the peers from Python's index", peers::python()),
        Need::RealServers => ("installed the real servers", peers::real_servers()),
        Need::Vendors => ("installed the mocks of vendors", peers::vendors()),
        Need::Postgres => ("installed PostgreSQL", or_left_out(postgres::install())),
        Need::Chromium => ("installed Chromium", or_left_out(browser::install())),
    };
    println!("  {what}: {} ({})", if result.is_ok() { "done" } else { "FAILED" }, seconds(start.elapsed()));
    result
}

/// Reports what could not be installed; the stage runs without it.
fn or_left_out(installed: Result<(), String>) -> Result<(), String> {
    if let Err(why) = installed {
        println!("  left out: {why}");
    }
    Ok(())
}

fn print_outcome(name: &str, outcome: &Outcome, time: Duration) {
    for note in &outcome.notes {
        println!("  note: {}", indent(note));
    }
    for failure in &outcome.failures {
        println!("  FAILED: {}", indent(failure));
    }
    let mark = if outcome.is_ok() { "✔" } else { "✘" };
    println!("{mark} {name}: {} passed, {} failed ({})\n", outcome.passed, outcome.failed, seconds(time));
}

fn summary(results: Vec<(&str, Outcome, Duration)>, time: Duration) -> Outcome {
    println!("{:<12} {:>8} {:>8} {:>9}", "stage", "passed", "failed", "time");
    let mut total = Outcome::default();
    for (name, outcome, time) in results {
        println!("{name:<12} {:>8} {:>8} {:>9}", outcome.passed, outcome.failed, seconds(time));
        total.add(outcome);
    }
    println!("{:<12} {:>8} {:>8} {:>9}\n", "all", total.passed, total.failed, seconds(time));
    println!("{} passed, {} failed", total.passed, total.failed);
    total
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n    ")
}
