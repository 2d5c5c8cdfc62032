//! The direct backends of the connectors against mocks of their vendors, as `cargo xtask test vendors` starts them.
//!
//! The scenarios are data, in `interop/vendors/scenarios/`. `LOGGIA_VENDORS` has the URLs of the mocks, as JSON; without
//! it, and for a mock that is not there, the tests are ignored.

#![allow(clippy::print_stderr, reason = "the harness is a program")]

mod proof;
mod run;
mod scenario;
mod sender;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use scenario::Scenario;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mocks = std::env::var("LOGGIA_VENDORS").unwrap_or_else(|_| "{}".to_owned());
    match trials(&mocks) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn trials(mocks: &str) -> Result<Vec<Trial>, String> {
    let mocks: BTreeMap<String, String> =
        serde_json::from_str(mocks).map_err(|error| format!("LOGGIA_VENDORS: {error}"))?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/vendors/scenarios");
    let mut trials = Vec::new();
    let mut scenarios = Vec::new();
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let scenario: Scenario =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        scenarios.push((name.clone(), scenario.clone()));
        let scenario = Arc::new(scenario);
        let mock = mocks.get(&scenario.mock).cloned();
        trials.push(trial(format!("{name}::calls"), &scenario, &mock, Part::Calls));
        trials.push(trial(format!("{name}::limits_and_tokens"), &scenario, &mock, Part::Faults));
        if scenario.refuses {
            trials.push(trial(format!("{name}::refusals"), &scenario, &mock, Part::Refusals));
        }
        if !scenario.pages.is_empty() {
            trials.push(trial(format!("{name}::pages"), &scenario, &mock, Part::Pages));
        }
    }
    trials.push(Trial::test("proof", move || proof::check(&scenarios).map_err(Failed::from)));
    Ok(trials)
}

/// A part of a scenario, which is one test.
#[derive(Debug, Clone, Copy)]
enum Part {
    Calls,
    Pages,
    Faults,
    Refusals,
}

fn trial(name: String, scenario: &Arc<Scenario>, mock: &Option<String>, part: Part) -> Trial {
    let (scenario, url) = (scenario.clone(), mock.clone().unwrap_or_default());
    let test = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let outcome = runtime.block_on(async {
            match part {
                Part::Calls => run::steps(&scenario, &url).await,
                Part::Pages => run::pages(&scenario, &url).await,
                Part::Faults => run::faults(&scenario, &url).await,
                Part::Refusals => run::refusals(&scenario, &url).await,
            }
        });
        outcome.map_err(Failed::from)
    };
    Trial::test(name, test).with_ignored_flag(mock.is_none())
}
