//! The contenders: the name, role and program of each, and what it needs before it can run.

use std::ffi::OsString;
use std::path::Path;

use super::install::{self, Need};
use crate::{paths, peers};

/// The role of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    /// The floor: the lowest possible cost, to which the limits refer.
    Floor,
    /// Another floor, which is only shown.
    Beside,
    Peer,
}

/// A program that is measured.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) need: Need,
    /// The program and its arguments.
    pub(super) command: Vec<OsString>,
    /// Further arguments of `bench-load` for it.
    pub(super) load: Vec<&'static str>,
}

impl Contender {
    fn new(name: &'static str, role: Role, need: Need, program: impl AsRef<Path>) -> Self {
        let command = vec![program.as_ref().as_os_str().to_owned()];
        Self { name, role, need, command, load: Vec::new() }
    }

    pub(super) fn is_peer(&self) -> bool {
        self.role == Role::Peer
    }

    /// Returns it with further arguments.
    pub(super) fn with<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.command.extend(args.into_iter().map(Into::into));
        self
    }

    /// Returns it under another name and in another role.
    pub(super) fn named(self, name: &'static str, role: Role) -> Self {
        Self { name, role, ..self }
    }

    fn loaded(mut self, load: &[&'static str]) -> Self {
        self.load.extend(load);
        self
    }
}

/// Returns the server that is written as the README shows.
pub(super) fn ours() -> Contender {
    Contender::new("loggia", Role::Ours, Need::Workspace, paths::release("bench-server"))
}

/// Returns Loggia's client.
pub(super) fn our_client() -> Contender {
    Contender::new("loggia", Role::Ours, Need::Workspace, paths::release("bench-client"))
}

/// Returns `loggia up` with one connector, which adds its prefix to the names of tools.
pub(super) fn our_hub(config: &Path) -> Contender {
    let hub = Contender::new("loggia up", Role::Ours, Need::Workspace, paths::release("loggia"));
    hub.with(["up".into(), "--config".into(), config.as_os_str().to_owned()])
        .loaded(&["--tool", "bench_echo"])
}

/// Returns the commands that add a server to Loggia and call its tool.
pub(super) fn our_add(url: &str) -> Contender {
    let program = paths::release("loggia").into_os_string();
    let add = Contender::new("loggia", Role::Ours, Need::Workspace, &program);
    let add = add.with(["add", url, "--name", "bench", "--yes", "--then"]).with([program]);
    add.with(["call", "bench", "echo", "text={text}"])
}

/// Returns the commands that add a server to mcporter and call its tool.
pub(super) fn mcporter_add(url: &str) -> Contender {
    let (node, script) = peers::mcporter_command();
    let add = Contender::new("mcporter", Role::Peer, Need::Mcporter, &node).with([&script]);
    let add = add.with(["config", "add", "bench", url, "--then"]).with([node, script]);
    add.with(["call", "bench.echo", "text={text}"])
}

/// Returns FastMCP's call of a tool. FastMCP has no command that adds a server, so the call names the URL.
pub(super) fn fastmcp_call(url: &str) -> Contender {
    let (program, args) = peers::fastmcp_command();
    let call = Contender::new("fastmcp", Role::Peer, Need::FastMcp, program).with(args);
    call.with(["call", url, "echo", "text={text}"])
}

/// Creates a bare hyper handler, in addition to the axum handler that is the floor.
pub(super) fn hyper() -> Contender {
    floor("hyper").named("hyper", Role::Beside)
}

/// Creates a bare hyper handler, a loop on standard streams, a client or a reverse proxy, as its arguments say.
pub(super) fn floor(name: &'static str) -> Contender {
    Contender::new(name, Role::Floor, Need::Workspace, paths::release("bench-floor"))
}

/// Creates a bare axum handler.
pub(super) fn axum() -> Contender {
    Contender::new("axum", Role::Floor, Need::Floors, install::rust_peer("bench-axum"))
}

/// Returns rmcp as its README shows it.
pub(super) fn rmcp() -> Contender {
    Contender::new("rmcp", Role::Peer, Need::Rust, install::rust_peer("bench-rmcp"))
}

/// Returns rmcp with all settings for speed.
pub(super) fn rmcp_tuned() -> Contender {
    Contender::new("rmcp tuned", Role::Peer, Need::Rust, install::rust_peer("bench-rmcp")).with(["--tuned"])
}

/// Returns rmcp's client.
pub(super) fn rmcp_client() -> Contender {
    Contender::new("rmcp", Role::Peer, Need::Rust, install::rust_peer("bench-rmcp-client"))
}

/// Returns tower-mcp, whose endpoint is the root.
pub(super) fn tower_mcp() -> Contender {
    let server = Contender::new("tower-mcp", Role::Peer, Need::Rust, install::rust_peer("bench-tower-mcp"));
    server.loaded(&["--path", "/"])
}

/// Returns the TypeScript SDK.
pub(super) fn typescript() -> Contender {
    Contender::new("TypeScript", Role::Peer, Need::Npm, peers::node())
        .with([peers::npm_dir().join("bench").join("server.mjs")])
}

/// Returns the TypeScript SDK's client.
pub(super) fn typescript_client() -> Contender {
    Contender::new("TypeScript", Role::Peer, Need::Npm, peers::node())
        .with([peers::npm_dir().join("bench").join("client.mjs")])
}

/// Returns the Python SDK.
pub(super) fn python() -> Contender {
    let (program, _) = peers::python_command("servers/py23.py");
    Contender::new("Python", Role::Peer, Need::Python, program)
        .with([install::peers_dir().join("python").join("server.py")])
}

/// Returns every peer that is a server.
pub(super) fn servers() -> Vec<Contender> {
    vec![rmcp(), rmcp_tuned(), tower_mcp(), typescript(), python()]
}
