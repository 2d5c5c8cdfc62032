//! A PostgreSQL server for the tests: Debian's, with a cluster of its own on a free port of the loopback address, in
//! a temporary folder that is deleted with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command::{Daemon, Run, free_port};
use crate::debian;

/// The variable with the URL of the server, for the tests. If it is set already, that server is used.
pub(crate) const VARIABLE: &str = "LOGGIA_TEST_POSTGRES";
const LIMIT: Duration = Duration::from_secs(60);

/// A running server. Dropping it ends the server, unless it existed before.
pub(crate) struct Cluster {
    url: String,
    _own: Option<(Daemon, Folder)>,
}

impl Cluster {
    /// Returns the server to test with; `None` if there is none.
    pub(crate) fn start() -> Result<Option<Self>, String> {
        if let Some(url) = given() {
            return Ok(Some(Self { url, _own: None }));
        }
        programs().map(|programs| Self::start_own(&programs)).transpose()
    }

    fn start_own(programs: &Path) -> Result<Self, String> {
        let folder = Folder::new()?;
        let user = User::for_server();
        user.own(&folder.0)?;
        let data = folder.0.join("data");
        let made = user.run(&programs.join("initdb"), "initdb", &folder.0);
        let made = made.args(["-U", "loggia", "--auth=trust", "--no-sync", "-E", "UTF8", "-D"]).arg(&data);
        made.limit(LIMIT).finish()?.check()?;
        let port = free_port()?;
        let server = user.run(&programs.join("postgres"), "postgres", &folder.0).arg("-D").arg(&data);
        // The data need not survive a crash of the machine.
        let server = server.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F"]);
        let mut server = server.args(["-c", "unix_socket_directories="]).start()?;
        server.wait_for_port(SocketAddr::from(([127, 0, 0, 1], port)), LIMIT)?;
        let url = format!("postgres://loggia@127.0.0.1:{port}/postgres");
        Ok(Self { url, _own: Some((server, folder)) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Installs it if that is possible and no server is named.
pub(crate) fn install() -> Result<(), String> {
    debian::install("postgresql", given().is_some() || programs().is_some())
}

fn given() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Returns the folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<PathBuf> = versions.flatten().map(|version| version.path()).collect();
    found.retain(|version| version.join("bin/initdb").exists());
    found.into_iter().max_by_key(number).map(|version| version.join("bin"))
}

/// The user of the server: it refuses to run as root, and its package creates a user for it.
struct User {
    is_root: bool,
}

impl User {
    fn for_server() -> Self {
        Self { is_root: debian::is_root() }
    }

    fn run(&self, program: &Path, log: &str, folder: &Path) -> Run {
        if !self.is_root {
            return Run::new(program, log).current_dir(folder);
        }
        let other = Run::new("setpriv", log).args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        other.arg("--").arg(program).current_dir(folder)
    }

    fn own(&self, folder: &Path) -> Result<(), String> {
        match self.is_root {
            true => Run::new("chown", "chown").arg("postgres").arg(folder).finish()?.check(),
            false => Ok(()),
        }
    }
}

/// A temporary folder. It is not below `target/`, because the server's user may not have access there.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("loggia-postgres-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|e| format!("cannot create {}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
