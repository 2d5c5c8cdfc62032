//! Programs from Debian's archive, for stages that can run without them. On a machine without Debian, or for a user
//! who may not install, only these checks are missing.

use std::path::Path;
use std::time::Duration;

use crate::command::Run;

const LIMIT: Duration = Duration::from_secs(900);

/// Installs `package` unless `is_there`. The error says why it cannot be installed.
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
    // A new machine may have no package lists, or old ones.
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
