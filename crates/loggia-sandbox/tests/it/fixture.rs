//! A confined program with its surroundings: folders inside and outside of its policy, servers and another process.

use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use loggia_sandbox::{HostAccess, Sandbox, SandboxLauncher, SandboxMode, SandboxPolicy};
use tempfile::{NamedTempFile, TempDir};

/// Returns the sandbox of the tests.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::program(env!("CARGO_BIN_EXE_sandbox-test-launcher"), ["sandbox-exec"])
}

/// Folders, servers and a process around a confined program.
pub(crate) struct Surroundings {
    folder: TempDir,
    pub(crate) victim: Child,
    pub(crate) shared_memory: NamedTempFile,
    pub(crate) tcp: u16,
    pub(crate) udp: u16,
    pub(crate) listed: u16,
    pub(crate) abstract_socket: String,
}

impl Surroundings {
    pub(crate) fn new() -> Surroundings {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            victim: Command::new("sleep").arg("1000").env_clear().env("VICTIM", "yes").spawn().unwrap(),
            shared_memory: NamedTempFile::with_prefix_in("loggia-test-", "/dev/shm").unwrap(),
            tcp: greet(TcpListener::bind("127.0.0.1:0").unwrap()),
            udp: greet_datagrams(UdpSocket::bind("127.0.0.1:0").unwrap()),
            listed: greet(TcpListener::bind("127.0.0.1:0").unwrap()),
            abstract_socket: format!("loggia-test-{}", folder.path().display()),
            folder,
        };
        surroundings.shared_memory.as_file().write_all(b"SECRET").unwrap();
        for name in ["allowed", "outside", "own", "home"] {
            std::fs::create_dir(surroundings.path(name)).unwrap();
        }
        for name in ["secret", "victim", "remove", "move"] {
            std::fs::write(surroundings.path("outside").join(name), "SECRET").unwrap();
        }
        let tool = surroundings.path("outside").join("tool");
        std::fs::write(&tool, "#!/bin/sh\nexit 0\n").unwrap();
        std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(surroundings.path("allowed").join("note"), "a note").unwrap();
        std::os::unix::fs::symlink(
            surroundings.path("outside").join("secret"),
            surroundings.path("allowed").join("link"),
        )
        .unwrap();
        greet_unix(UnixListener::bind(surroundings.path("outside").join("socket")).unwrap());
        let address = SocketAddr::from_abstract_name(&surroundings.abstract_socket).unwrap();
        greet_unix(UnixListener::bind_addr(&address).unwrap());
        surroundings
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn policy(&self) -> SandboxPolicy {
        let hosts = [format!("127.0.0.1:{}", self.listed), "listed.example".to_owned()];
        SandboxPolicy {
            read: vec![self.path("allowed")],
            write: vec![self.path("own")],
            hosts: HostAccess::Only(hosts.iter().map(|host| host.parse().unwrap()).collect()),
            memory: 512 << 20,
            processes: 100,
            home: Some(self.path("home")),
        }
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

/// Returns the command that starts a program under a policy.
pub(crate) fn confined(policy: &SandboxPolicy, program: &str) -> Command {
    let launcher = sandbox().launcher(policy, SandboxMode::On).unwrap().unwrap();
    let SandboxLauncher { program: launcher, args } = launcher;
    let mut command = Command::new(launcher);
    command.args(args).arg(program);
    clean(command)
}

/// Gives a command the environment of a server.
pub(crate) fn clean(mut command: Command) -> Command {
    command.env_clear().current_dir("/").stdin(Stdio::null());
    command.envs(["PATH", "HOME", "TMPDIR"].iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

/// Returns the output of a program as text, or fails with its error output.
pub(crate) fn output_of(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Returns a Python that is no script: a version manager's starts other programs of the user.
pub(crate) fn python() -> String {
    let mut command = Command::new("python3");
    command.args(["-c", "import sys; print(sys.executable)"]);
    output_of(&mut command).trim().to_owned()
}

/// Returns whether a process runs that was started with this argument.
pub(crate) fn runs_with_argument(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.into_iter().any(|line| line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes()))
}

fn greet(listener: TcpListener) -> u16 {
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(|mut one| drop(one.write_all(b"HELLO"))));
    port
}

fn greet_unix(listener: UnixListener) {
    thread::spawn(move || listener.incoming().flatten().for_each(|mut one| drop(one.write_all(b"HELLO"))));
}

fn greet_datagrams(socket: UdpSocket) -> u16 {
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut datagram = [0; 64];
        while let Ok((_, from)) = socket.recv_from(&mut datagram) {
            drop(socket.send_to(b"HELLO", from));
        }
    });
    port
}

/// Returns a path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
