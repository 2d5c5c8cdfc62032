//! Programs that come from Debian's archive, for the stages that can do with less where they are missing: a
//! machine that is not Debian's, or somebody who may not install there, loses those checks and nothing else.

use std::path::Path;
use std::time::Duration;

use crate::command::Run;

const LIMIT: Duration = Duration::from_secs(900);

/// Installs `package` unless `is_there`; or says why it cannot.
pub(crate) fn install(package: &str, is_there: bool) -> Result<(), String> {
    if is_there {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!("{package} is not installed, and there is no apt-get to install it with"));
    }
    if !is_root() {
        return Err(format!("{package} is not installed; `apt-get install {package}` as root would"));
    }
    let install = || apt(&["install", "-y", "--no-install-recommends", package]);
    // A machine that is new has no lists of packages yet, or has old ones.
    install().or_else(|_| apt(&["update"]).and_then(|()| install()))
}

/// Returns whether this program runs as root.
pub(crate) fn is_root() -> bool {
    Run::new("id", "id").arg("-u").finish().is_ok_and(|ran| ran.stdout.trim() == "0")
}

fn apt(args: &[&str]) -> Result<(), String> {
    let run = Run::new("apt-get", "apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(args);
    run.limit(LIMIT).finish()?.check()
}
