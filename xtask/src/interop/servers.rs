//! The servers, and the command of each on each transport.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::{Daemon, Run, free_port};
use crate::{paths, peers};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our everything-server.
    Ours,
    /// The fixture on the TypeScript SDK 2.4.
    Ts24,
    /// The fixture on the Python SDK 2.3.
    Py23,
    /// `@modelcontextprotocol/server-everything`.
    Everything,
    /// `@modelcontextprotocol/server-filesystem`.
    Filesystem,
    /// `@modelcontextprotocol/server-memory`.
    Memory,
    /// `loggia up` with all the others behind it.
    Hub,
}

/// The transport between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Stdio,
    Http,
}

pub(crate) const OURS: &[(Kind, Wire)] = &[(Kind::Ours, Wire::Stdio), (Kind::Ours, Wire::Http)];
pub(crate) const THEIRS: &[(Kind, Wire)] = &[
    (Kind::Ts24, Wire::Stdio),
    (Kind::Ts24, Wire::Http),
    (Kind::Py23, Wire::Stdio),
    (Kind::Py23, Wire::Http),
    (Kind::Everything, Wire::Stdio),
    (Kind::Everything, Wire::Http),
    (Kind::Filesystem, Wire::Stdio),
    (Kind::Memory, Wire::Stdio),
];
pub(crate) const HUB: &[(Kind, Wire)] = &[(Kind::Hub, Wire::Stdio), (Kind::Hub, Wire::Http)];

/// The connectors of `loggia up`: their names, and the server of each.
pub(crate) const CONNECTORS: &[(&str, Kind)] = &[
    ("everything", Kind::Everything),
    ("remote", Kind::Everything),
    ("filesystem", Kind::Filesystem),
    ("memory", Kind::Memory),
    ("python", Kind::Py23),
    ("typescript", Kind::Ts24),
];
/// Five of them, which serve several clients at the same time.
pub(crate) const FIVE: &[(&str, Kind)] = CONNECTORS.split_at(5).0;
/// The connectors over HTTP; `loggia up` starts the others.
const REMOTE: &[&str] = &["remote", "typescript"];

/// A running server for a client. Its processes end when this value is dropped.
pub(crate) struct Running {
    /// `{"url"}` or `{"command"}`, for the drivers.
    pub(crate) target: Value,
    daemons: Vec<Daemon>,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "loggia",
            Self::Ts24 => "ts-2.4",
            Self::Py23 => "python-2.3",
            Self::Everything => "everything",
            Self::Filesystem => "filesystem",
            Self::Memory => "memory",
            Self::Hub => "loggia up",
        }
    }

    /// Returns the name of its plan in `interop/plans.json`.
    pub(crate) fn plan(self) -> &'static str {
        match self {
            Self::Everything | Self::Filesystem | Self::Memory => self.name(),
            Self::Ours | Self::Ts24 | Self::Py23 | Self::Hub => "fixture",
        }
    }

    /// Returns whether it supports the modern revision.
    pub(crate) fn is_modern(self) -> bool {
        !matches!(self, Self::Everything | Self::Filesystem | Self::Memory)
    }

    /// Returns the command that serves it over stdio.
    fn command(self) -> Vec<PathBuf> {
        let npm = |path: &str| vec![peers::node(), peers::npm_file(&format!("@modelcontextprotocol/{path}"))];
        match self {
            Self::Ours => vec![paths::release("everything-server"), "--stdio".into()],
            Self::Ts24 => vec![peers::node(), peers::npm_dir().join("servers/ts24.mjs")],
            Self::Py23 => {
                let (program, arguments) = peers::python_command("servers/py23.py");
                std::iter::once(program).chain(arguments).collect()
            }
            Self::Everything => npm("server-everything/dist/index.js"),
            Self::Filesystem => {
                npm("server-filesystem/dist/index.js").into_iter().chain([files_dir()]).collect()
            }
            Self::Memory => npm("server-memory/dist/index.js"),
            Self::Hub => vec![paths::release("loggia"), "up".into(), "--stdio".into()],
        }
    }

    fn serve_http(self, port: u16, log: &str) -> Result<Daemon, String> {
        let mut command = self.command();
        if matches!(self, Self::Ours) {
            command.pop();
            command.extend(["--listen".into(), format!("127.0.0.1:{port}").into()]);
        } else if matches!(self, Self::Everything) {
            command.push("streamableHttp".into());
        } else {
            command.push(port.to_string().into());
        }
        let run = Run::new(&command[0], &format!("{log}-{}", self.name())).args(&command[1..]);
        let mut daemon = run.env("PORT", port.to_string()).start()?;
        daemon.wait_for_port(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), START_LIMIT)?;
        Ok(daemon)
    }
}

impl Wire {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
        }
    }
}

/// Starts `kind`, which is not `loggia up`, or returns the command with which a client starts it.
pub(crate) fn start(kind: Kind, wire: Wire, log: &str) -> Result<Running, String> {
    prepare_files()?;
    if wire == Wire::Stdio {
        return Ok(Running { target: json!({ "command": kind.command() }), daemons: Vec::new() });
    }
    let port = free_port()?;
    let daemon = kind.serve_http(port, log)?;
    Ok(Running { target: json!({ "url": endpoint(port) }), daemons: vec![daemon] })
}

/// Starts `loggia up` with `connectors` behind it.
pub(crate) fn start_hub(wire: Wire, connectors: &[(&str, Kind)], log: &str) -> Result<Running, String> {
    prepare_files()?;
    let mut daemons = Vec::new();
    let mut config = String::new();
    for (name, kind) in connectors {
        let entry = if REMOTE.contains(name) {
            let port = free_port()?;
            daemons.push(kind.serve_http(port, log)?);
            json!({ "kind": "remote", "url": endpoint(port) })
        } else {
            let command = kind.command();
            json!({ "kind": "stdio", "command": command[0], "args": command[1..] })
        };
        write_connector(&mut config, name, &entry);
    }
    if wire == Wire::Stdio {
        let mut command = Kind::Hub.command();
        command.extend(["--config".into(), config_file(log, &config)?]);
        return Ok(Running { target: json!({ "command": command }), daemons });
    }
    let (daemon, address) = start_gateway(&config, log, &[])?;
    daemons.push(daemon);
    Ok(Running { target: json!({ "url": endpoint(address.port()) }), daemons })
}

/// Starts `loggia up` with the text of a `loggia.toml`, waits until it has tried every connector, and returns its
/// address.
pub(crate) fn start_gateway(
    config: &str,
    log: &str,
    env: &[(&str, String)],
) -> Result<(Daemon, SocketAddr), String> {
    let file = config_file(log, config)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let run = Run::new(paths::release("loggia"), &format!("{log}-up")).args(["up", "--listen"]);
    let run = run.arg(address.to_string()).arg("--config").arg(file);
    let mut daemon = env.iter().fold(run, |run, (name, value)| run.env(name, value)).start()?;
    daemon.wait_for_port(address, START_LIMIT)?;
    wait_until_ready(address)?;
    Ok((daemon, address))
}

/// Waits until `loggia up` has tried every connector.
fn wait_until_ready(address: SocketAddr) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let status = get(address, "/readyz").unwrap_or_default();
        if status.contains(" 200 ") {
            return Ok(());
        }
        if begun.elapsed() > START_LIMIT {
            return Err(format!("loggia up is not ready after {} s: {status}", START_LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns the status line of an answer.
fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

/// Writes a table of TOML. Its strings and lists of strings are written as JSON, which is valid TOML.
fn write_connector(config: &mut String, name: &str, entry: &Value) {
    let _ = writeln!(config, "[connectors.{name}]");
    for (key, value) in entry.as_object().into_iter().flatten() {
        let _ = writeln!(config, "{key} = {value}");
    }
}

fn config_file(log: &str, config: &str) -> Result<PathBuf, String> {
    let file = paths::work().join("logs").join(format!("{log}.toml"));
    std::fs::create_dir_all(paths::work().join("logs"))
        .map_err(|e| format!("cannot create the log folder: {e}"))?;
    std::fs::write(&file, config).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    Ok(file)
}

/// Returns the folder that `server-filesystem` serves.
pub(crate) fn files_dir() -> PathBuf {
    paths::work().join("files")
}

fn prepare_files() -> Result<(), String> {
    let dir = files_dir();
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("hello.txt"), "hello from a file\n")
    };
    write().map_err(|e| format!("cannot write {}: {e}", dir.display()))
}

fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}/mcp")
}

impl Running {
    /// Returns the reason if a started server has ended.
    pub(crate) fn complaint(&mut self) -> Option<String> {
        self.daemons
            .iter_mut()
            .find_map(|daemon| daemon.is_over().then(|| format!("a server died: {}", daemon.tail())))
    }
}
