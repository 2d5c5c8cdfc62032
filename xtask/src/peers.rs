//! The other implementations, installed below `target/` from the lock files in `interop/`. They are installed again
//! only if a lock file has changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::Run;
use crate::paths;

/// The oldest Node that the peers accept, for machines for which their own Node is not published.
const NODE_MAJOR: u32 = 22;
const INSTALL_LIMIT: Duration = Duration::from_secs(900);

/// Installs the peers from npm, with a Node of their own, and copies the drivers to them, where their imports are
/// found.
pub(crate) fn npm() -> Result<(), String> {
    let dir = npm_dir();
    npm_ci(&interop(), &dir, &[])?;
    for folder in ["browser", "clients", "servers"] {
        copy_folder(&interop().join(folder), &dir.join(folder))?;
    }
    Run::new(node(), "node-version").arg("--version").finish().and_then(|ran| {
        let version = ran.stdout.trim().trim_start_matches('v').to_owned();
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or(0);
        if major >= NODE_MAJOR {
            Ok(())
        } else {
            Err(format!("Node {NODE_MAJOR} is needed, this is {version}"))
        }
    })
}

/// Installs the peers from Python's index into an environment of their own, or into a folder if Python has no `venv`.
pub(crate) fn python() -> Result<(), String> {
    python_env(&python_dir(), &interop().join("requirements.txt"))
}

/// Installs the real servers: those from npm, and those from Python's index in two environments, because they need
/// different versions of one SDK.
pub(crate) fn real_servers() -> Result<(), String> {
    let from = interop().join("real-servers");
    npm_ci(&from, &real_servers_dir().join("npm"), &["--omit=optional"])?;
    python_env(&real_servers_dir().join("python"), &from.join("requirements.txt"))?;
    python_env(&real_servers_dir().join("redis"), &from.join("requirements-redis.txt"))
}

/// Installs the emulators and mocks of vendors from npm, and copies the scripts that start them.
pub(crate) fn vendors() -> Result<(), String> {
    let from = interop().join("vendors");
    npm_ci(&from, &vendors_dir(), &[])?;
    copy_folder(&from, &vendors_dir())?;
    copy_folder(&from.join("fakes"), &vendors_dir().join("fakes"))
}

/// Installs mcporter from npm, with a Node of its own, because it needs a newer one than the other peers.
pub(crate) fn mcporter() -> Result<(), String> {
    npm_ci(&bench_peer("mcporter"), &mcporter_dir(), &[])?;
    let (node, script) = mcporter_command();
    Run::new(node, "mcporter-version").arg(script).arg("--version").finish()?.check()
}

/// Returns the Node of mcporter, and the script of mcporter.
pub(crate) fn mcporter_command() -> (PathBuf, PathBuf) {
    let packages = mcporter_dir().join("node_modules");
    (node_of(&packages), packages.join("mcporter/dist/cli.js"))
}

/// Installs FastMCP from Python's index.
pub(crate) fn fastmcp() -> Result<(), String> {
    python_env(&fastmcp_dir(), &bench_peer("fastmcp").join("requirements.txt"))
}

/// Returns the program and the first arguments of FastMCP's command line.
pub(crate) fn fastmcp_command() -> (PathBuf, [&'static str; 2]) {
    (existing_python(&fastmcp_dir()), ["-m", "fastmcp.cli"])
}

fn mcporter_dir() -> PathBuf {
    paths::work().join("mcporter")
}

fn fastmcp_dir() -> PathBuf {
    paths::work().join("fastmcp")
}

/// Returns the folder of the lock file of a peer that only the bench needs.
fn bench_peer(name: &str) -> PathBuf {
    paths::root().join("bench").join("peers").join(name)
}

/// Returns the folder of the emulators and mocks of vendors.
pub(crate) fn vendors_dir() -> PathBuf {
    paths::work().join("vendors")
}

/// Returns the file `path` of a real server from npm.
pub(crate) fn real_server_file(path: &str) -> PathBuf {
    real_servers_dir().join("npm/node_modules").join(path)
}

/// Returns the Python of the environment `name` of real servers.
pub(crate) fn real_server_python(name: &str) -> PathBuf {
    existing_python(&real_servers_dir().join(name))
}

/// Returns the folder of the packages of the environment `name`, if it is only a folder.
pub(crate) fn real_server_python_packages(name: &str) -> PathBuf {
    packages_of(&real_servers_dir().join(name))
}

fn npm_ci(from: &Path, dir: &Path, options: &[&str]) -> Result<(), String> {
    unless_installed(dir, &from.join("package-lock.json"), || {
        for name in ["package.json", "package-lock.json"] {
            copy(&from.join(name), &dir.join(name))?;
        }
        let args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"];
        let run = Run::new(npm_program(), "npm-ci").args(args).args(options).current_dir(dir);
        run.limit(INSTALL_LIMIT).finish()?.check()
    })
}

fn python_env(dir: &Path, lock: &Path) -> Result<(), String> {
    unless_installed(dir, lock, || {
        let venv = Run::new("python3", "venv").args(["-m", "venv"]).arg(dir).finish();
        let pip = if venv.is_ok_and(|made| made.is_ok()) {
            Run::new(python_of(dir), "pip").args(["-m", "pip", "install", "--quiet", "-r"]).arg(lock)
        } else {
            let plain = Run::new("python3", "pip").args(["-m", "pip", "install", "--quiet", "-r"]).arg(lock);
            plain.arg("--target").arg(packages_of(dir))
        };
        pip.limit(INSTALL_LIMIT).finish()?.check()
    })
}

/// Creates a run of a driver or server of this repository in JavaScript.
pub(crate) fn node_script(script: &str, log: &str) -> Run {
    Run::new(node(), log).arg(npm_dir().join(script)).current_dir(&npm_dir())
}

/// Creates a run of a driver or server of this repository in Python.
pub(crate) fn python_script(script: &str, log: &str) -> Run {
    let (program, args) = python_command(script);
    Run::new(program, log).args(args).env("PYTHONPATH", python_packages())
}

/// Returns the folder of Python's packages, if the peers have no environment of their own.
pub(crate) fn python_packages() -> PathBuf {
    packages_of(&python_dir())
}

/// Returns the program and the arguments that run a Python script.
pub(crate) fn python_command(script: &str) -> (PathBuf, Vec<PathBuf>) {
    (existing_python(&python_dir()), vec![interop().join(script)])
}

/// Returns the entry point of an npm package's program, to be run by [`node`].
pub(crate) fn npm_file(path: &str) -> PathBuf {
    npm_dir().join("node_modules").join(path)
}

/// Returns the folder with the npm peers and our drivers for them.
pub(crate) fn npm_dir() -> PathBuf {
    paths::work().join("npm")
}

/// Returns the peers' Node, or the machine's if theirs is not published for it.
pub(crate) fn node() -> PathBuf {
    node_of(&npm_dir().join("node_modules"))
}

/// Returns the Node among `packages`, or the machine's if there is none for it.
fn node_of(packages: &Path) -> PathBuf {
    let (system, architecture) = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", arch) => ("darwin", arch),
        ("windows", arch) => ("win", arch),
        other => other,
    };
    let architecture = match architecture {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let own = packages.join(format!("node-{system}-{architecture}/bin/node{}", std::env::consts::EXE_SUFFIX));
    if own.exists() { own } else { "node".into() }
}

fn python_dir() -> PathBuf {
    paths::work().join("python")
}

fn real_servers_dir() -> PathBuf {
    paths::work().join("real-servers-install")
}

/// Returns the folder of the drivers, the fakes and the lock files.
pub(crate) fn interop() -> PathBuf {
    paths::root().join("interop")
}

fn packages_of(dir: &Path) -> PathBuf {
    dir.join("packages")
}

/// Returns the Python of an environment, or the machine's if it has no `venv`.
fn existing_python(dir: &Path) -> PathBuf {
    let own = python_of(dir);
    if own.exists() { own } else { "python3".into() }
}

fn python_of(dir: &Path) -> PathBuf {
    dir.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

fn npm_program() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

fn unless_installed(
    dir: &Path,
    lock: &Path,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let stamp = dir.join(".installed");
    let wanted = std::fs::read(lock).map_err(|e| format!("cannot read {}: {e}", lock.display()))?;
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(|e| format!("cannot remove {}: {e}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).map_err(|e| format!("cannot create {}: {e}", dir.display()))?;
    install()?;
    std::fs::write(&stamp, wanted).map_err(|e| format!("cannot write {}: {e}", stamp.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    std::fs::create_dir_all(to).map_err(|e| format!("cannot create {}: {e}", to.display()))?;
    let entries = std::fs::read_dir(from).map_err(|e| format!("cannot list {}: {e}", from.display()))?;
    for entry in entries.filter_map(Result::ok).filter(|entry| entry.path().is_file()) {
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    std::fs::copy(from, to)
        .map(drop)
        .map_err(|e| format!("cannot copy {} to {}: {e}", from.display(), to.display()))
}
