//! The console in the browser: types, the client that is generated from the admin API's description, and its tests.

use std::path::Path;
use std::time::Duration;

use crate::command::Run;
use crate::outcome::Outcome;
use crate::paths;

const INSTALL_LIMIT: Duration = Duration::from_secs(600);

pub(crate) fn run() -> Outcome {
    let folder = paths::root().join("console");
    let mut outcome = Outcome::default();
    if let Err(message) = install(&folder) {
        outcome.fail(message);
        return outcome;
    }
    for (name, script, args) in [
        ("types", "typescript/bin/tsc", &["--noEmit"][..]),
        ("tests", "vitest/vitest.mjs", &["run", "--no-color"]),
    ] {
        let run = node(&folder, script, &format!("console-{name}")).args(args);
        outcome.record(name, run.finish().and_then(|ran| ran.check()));
    }
    outcome.record("client", generated_client(&folder));
    outcome
}

/// Installs the packages, unless the build script of `loggia-console` has done it.
fn install(folder: &Path) -> Result<(), String> {
    let text = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
    if text("node_modules/.loggia-lock").is_some_and(|lock| Some(lock) == text("package-lock.json")) {
        return Ok(());
    }
    let args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"];
    Run::new("npm", "console-npm").args(args).current_dir(folder).limit(INSTALL_LIMIT).finish()?.check()
}

/// Checks that the client is the one that the description generates.
fn generated_client(folder: &Path) -> Result<(), String> {
    let kept =
        std::fs::read_to_string(folder.join("src/api/schema.d.ts")).map_err(|error| error.to_string())?;
    let made = paths::fresh("console")?.join("schema.d.ts");
    let run = node(folder, "openapi-typescript/bin/cli.js", "console-client");
    run.arg("src/api/openapi.json").arg("-o").arg(&made).finish()?.check()?;
    let made = std::fs::read_to_string(&made).map_err(|error| error.to_string())?;
    if made == kept {
        Ok(())
    } else {
        Err("console/src/api/schema.d.ts is old: npm run api in console/".to_owned())
    }
}

fn node(folder: &Path, script: &str, log: &str) -> Run {
    Run::new("node", log).arg(folder.join("node_modules").join(script)).current_dir(folder)
}
