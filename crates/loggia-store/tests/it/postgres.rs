//! A PostgreSQL of the tests' own: one server for the test binary, on a free port of the loopback, in a
//! temporary folder; one database for each test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::Folder;

/// A server that runs as long as somebody holds it.
pub(crate) struct Server {
    child: Child,
    port: u16,
    programs: PathBuf,
    databases: AtomicUsize,
    _folder: Folder,
}

/// The server of the tests that run now.
static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// A server and the URL of a new database in it; `None` where there is no PostgreSQL.
pub(crate) async fn database(test: &str) -> Option<(Arc<Server>, String)> {
    if cfg!(not(feature = "postgres")) {
        return None;
    }
    let test = test.to_owned();
    tokio::task::spawn_blocking(move || Server::shared(&test)).await.unwrap()
}

impl Server {
    fn shared(test: &str) -> Option<(Arc<Server>, String)> {
        let mut running = RUNNING.lock().unwrap();
        let server = match running.upgrade() {
            Some(server) => server,
            None => Arc::new(Server::start()?),
        };
        *running = Arc::downgrade(&server);
        let name = format!("{test}_{}", server.databases.fetch_add(1, Ordering::SeqCst));
        server.sql(&format!("CREATE DATABASE {name}"));
        let url = format!("postgres://loggia@127.0.0.1:{}/{name}", server.port);
        Some((server, url))
    }

    fn start() -> Option<Server> {
        let Some(programs) = programs() else {
            println!("PostgreSQL is not installed here: its tests are left out");
            return None;
        };
        let folder = Folder::new("postgres");
        let data = folder.file("data");
        own(folder.path());
        let made = as_user(&programs.join("initdb"))
            .args(["-U", "loggia", "--auth=trust", "--no-sync", "-E", "UTF8", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = as_user(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F", "-c", "unix_socket_directories="])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, port, programs, databases: AtomicUsize::new(0), _folder: folder };
        server.wait();
        Some(server)
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.ready() {
            assert!(Instant::now() < until, "PostgreSQL did not start");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn ready(&self) -> bool {
        let asked = Command::new(self.programs.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-U", "loggia", "-p", &self.port.to_string()])
            .status();
        asked.is_ok_and(|status| status.success())
    }

    fn sql(&self, statement: &str) {
        let done = Command::new(self.programs.join("psql"))
            .args([
                "-q",
                "-h",
                "127.0.0.1",
                "-U",
                "loggia",
                "-d",
                "postgres",
                "-p",
                &self.port.to_string(),
                "-c",
                statement,
            ])
            .status()
            .unwrap();
        assert!(done.success(), "{statement}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.flatten().map(|version| version.path().join("bin")).collect();
    found.retain(|programs| programs.join("initdb").exists() && programs.join("psql").exists());
    found.sort();
    found.pop()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// PostgreSQL does not run as root; its package made a user for it.
fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command.current_dir("/");
    command
}

fn own(folder: &Path) {
    if is_root() {
        assert!(Command::new("chown").arg("postgres").arg(folder).status().unwrap().success());
    }
}
