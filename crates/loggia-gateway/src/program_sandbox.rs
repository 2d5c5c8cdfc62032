//! The programs of connectors: their command lines, and the sandboxes that they run in.
//!
//! The sandbox itself is `loggia-sandbox`, which knows no connectors. This module makes a policy from what a manifest or
//! the configuration lists. Invariant: a program whose sandbox is required starts in a complete one or not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loggia::Error;
use loggia::client::Child;
use loggia_auth::jose::sha256;
use loggia_connect::config_file::{ProgramPermissions, Stdio};
use loggia_connect::secret::Secret;
use loggia_sandbox::{HostAccess, Sandbox, SandboxLauncher, SandboxMode, SandboxPolicy};

use crate::container_runner;
use crate::program_runner::ProgramRunner;
use crate::state::StateFolder;

/// The number of characters of a digest in the name of a home.
const CHARS: usize = 8;

/// The sandbox of child processes, and the place of their homes.
#[derive(Clone)]
pub struct ChildSandbox {
    sandbox: Sandbox,
    homes: Option<PathBuf>,
    /// True if the log has the report of what is enforced.
    is_reported: Arc<AtomicBool>,
}

impl ChildSandbox {
    /// Confines child processes with this sandbox. Their homes are removed when they end, so packages are downloaded at
    /// each start.
    pub fn new(sandbox: Sandbox) -> ChildSandbox {
        ChildSandbox { sandbox, homes: None, is_reported: Arc::default() }
    }

    /// Gives each connector a home in this folder, which keeps its caches and settings.
    pub fn homes(mut self, state: &StateFolder) -> ChildSandbox {
        self.homes = state.homes().map(Path::to_owned);
        self
    }

    /// Returns the report of what this system can enforce. The first call starts a process that tries it.
    pub fn enforcement(&self) -> &loggia_sandbox::Enforcement {
        self.sandbox.enforcement()
    }

    fn home(&self, base: &Path, name: &str) -> Option<PathBuf> {
        let base = std::path::absolute(base).ok()?;
        let digest: String = sha256(base.as_os_str().as_encoded_bytes()).chars().take(CHARS).collect();
        Some(self.homes.as_ref()?.join(format!("{name}-{digest}")))
    }

    async fn launcher(
        &self,
        policy: SandboxPolicy,
        mode: SandboxMode,
    ) -> loggia::Result<Option<SandboxLauncher>> {
        let own = self.clone();
        let launcher = tokio::task::spawn_blocking(move || {
            own.report(&policy);
            own.sandbox.launcher(&policy, mode)
        });
        let launcher = launcher.await.map_err(|error| Error::Connection(error.to_string()))?;
        launcher.map_err(|error| Error::Configuration(format!("the program is not started: {error}")))
    }

    /// Logs once what is not enforced.
    fn report(&self, policy: &SandboxPolicy) {
        let gaps = self.enforcement().gaps(policy);
        if self.is_reported.swap(true, Ordering::Relaxed) {
            return;
        }
        for (part, reason) in &gaps {
            tracing::warn!("the sandbox of connectors does not hold everything here: {part}: {reason}");
        }
        if gaps.is_empty() {
            tracing::debug!("the sandbox of connectors is complete");
        }
    }
}

/// Returns the child process of the connector `name`. Relative paths start in `base`.
///
/// # Errors
///
/// [`Error::Configuration`] if the sandbox is required and cannot be complete, [`Error::Io`] if the home of the program
/// cannot be made.
pub(crate) async fn child(
    base: &Path,
    name: &str,
    stdio: &Stdio<Secret>,
    sandbox: Option<&ChildSandbox>,
    default: Option<SandboxMode>,
) -> loggia::Result<Child> {
    let mode = stdio.sandbox.mode(default);
    let cwd = stdio.cwd.as_ref().map(|cwd| base.join(cwd.expose()));
    let runner = ProgramRunner::of(stdio.command.expose());
    if mode == SandboxMode::Off || (mode == SandboxMode::On && is_unconfined(sandbox, runner)) {
        return Ok(command(stdio.command.expose(), stdio).current_dir(cwd.as_deref().unwrap_or(base)));
    }
    let Some(sandbox) = sandbox.filter(|_| !is_unconfined(sandbox, runner)) else {
        let what =
            if sandbox.is_none() { "this program has no sandbox" } else { "the container is not Loggia's" };
        return Err(Error::Configuration(format!(
            "the program is not started: its sandbox is required, and {what}"
        )));
    };
    let home = sandbox.home(base, name);
    if let Some(home) = &home {
        std::fs::create_dir_all(home)?;
    }
    let policy = policy(base, cwd.as_deref(), home.clone(), stdio, runner);
    let launcher = sandbox.launcher(policy, mode).await?;
    let child = command(&absolute_command(base, stdio.command.expose()), stdio);
    // The folder of the configuration is not readable.
    let child = child.current_dir(cwd.or(home).unwrap_or_else(|| PathBuf::from("/")));
    Ok(match launcher {
        Some(SandboxLauncher { program, args }) => child.launcher(program, args),
        None => child,
    })
}

/// Returns whether a program runs without a sandbox of ours: there is none, or the program starts a container, which
/// another process runs.
fn is_unconfined(sandbox: Option<&ChildSandbox>, runner: Option<ProgramRunner>) -> bool {
    sandbox.is_none() || runner.is_some_and(ProgramRunner::is_container)
}

fn command(program: &str, stdio: &Stdio<Secret>) -> Child {
    let path = std::env::var_os("PATH");
    let program = container_runner::program(program, stdio.args.first().map(Secret::expose), path.as_deref());
    let child = Child::new(program).args(stdio.args.iter().map(Secret::expose));
    stdio.env.iter().fold(child, |child, (name, value)| child.env(name, value.expose()))
}

/// Returns a program with its folder, because a confined one does not start in the folder of the configuration.
fn absolute_command(base: &Path, program: &str) -> String {
    let is_path = program.contains('/') && Path::new(program).is_relative();
    let absolute = is_path.then(|| std::path::absolute(base.join(program)).ok()).flatten();
    absolute.and_then(|path| path.to_str().map(str::to_owned)).unwrap_or_else(|| program.to_owned())
}

fn policy(
    base: &Path,
    cwd: Option<&Path>,
    home: Option<PathBuf>,
    stdio: &Stdio<Secret>,
    runner: Option<ProgramRunner>,
) -> SandboxPolicy {
    let none = ProgramPermissions::default();
    let ProgramPermissions { read, write, hosts, memory, processes } =
        stdio.sandbox.permissions.as_ref().unwrap_or(&none);
    let absolute = |path: &Path| std::path::absolute(base.join(path)).unwrap_or_else(|_| path.to_owned());
    let paths =
        |texts: &[Secret]| texts.iter().map(|text| absolute(Path::new(text.expose()))).collect::<Vec<_>>();
    let hosts = match hosts {
        HostAccess::Any => HostAccess::Any,
        HostAccess::Only(hosts) => HostAccess::Only(
            hosts.iter().cloned().chain(runner.into_iter().flat_map(ProgramRunner::hosts)).collect(),
        ),
    };
    SandboxPolicy {
        read: paths(read).into_iter().chain(cwd.map(absolute)).collect(),
        write: paths(write),
        hosts,
        memory: memory.unwrap_or(SandboxPolicy::MEMORY),
        processes: processes.unwrap_or(SandboxPolicy::PROCESSES),
        home,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use loggia_connect::config_file::ProgramSandbox;

    use super::*;

    fn stdio(command: &str, sandbox: ProgramSandbox<Secret>) -> Stdio<Secret> {
        let (args, env) = (Vec::new(), BTreeMap::new());
        Stdio { command: Secret::new(command), args, env, cwd: None, start_timeout: None, sandbox }
    }

    fn listed(hosts: &[&str]) -> ProgramSandbox<Secret> {
        let hosts = HostAccess::Only(hosts.iter().map(|host| host.parse().expect("a host")).collect());
        let read = vec![Secret::new("notes"), Secret::new("/srv")];
        ProgramSandbox {
            mode: None,
            permissions: Some(ProgramPermissions { read, hosts, ..Default::default() }),
        }
    }

    #[test]
    fn a_policy_has_what_is_listed_and_what_the_runner_needs() {
        for (command, needed) in [("npx", 1), ("/usr/bin/uvx", 2), ("server", 0)] {
            let stdio = stdio(command, listed(&["api.acme.example"]));
            let runner = ProgramRunner::of(command);
            let policy = policy(Path::new("/etc/loggia"), Some(Path::new("work")), None, &stdio, runner);
            assert_eq!(policy.read, ["/etc/loggia/notes", "/srv", "/etc/loggia/work"].map(PathBuf::from));
            let HostAccess::Only(hosts) = &policy.hosts else { panic!("any host") };
            assert!(hosts[0].allows("api.acme.example", 443), "{command}");
            assert_eq!(hosts[1..], *runner.map_or(Vec::new(), ProgramRunner::hosts), "{command}");
            assert_eq!(hosts.len(), 1 + needed, "{command}");
        }
    }

    #[tokio::test]
    async fn a_required_sandbox_is_there_or_the_program_is_not_started() {
        let cases = [
            ("server", None, true),
            ("server", Some(SandboxMode::On), true),
            ("server", Some(SandboxMode::Require), false),
            ("docker", Some(SandboxMode::Require), false),
            ("docker", Some(SandboxMode::On), true),
        ];
        for (program, mode, starts) in cases {
            let stdio = stdio(program, ProgramSandbox { mode, permissions: None });
            let child = child(Path::new("/"), "one", &stdio, None, None).await;
            assert_eq!(child.is_ok(), starts, "{program} {mode:?}");
        }
    }
}
