//! Who takes part: a name, what it is, the program, and what has to be there before it can run.

use std::ffi::OsString;
use std::path::Path;

use super::install::{self, Need};
use crate::{paths, peers};

/// What a contender is measured as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    /// The least that could be done: what the target is measured against.
    Floor,
    /// Another floor, to be seen beside it.
    Beside,
    Peer,
}

/// A program that takes part.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) need: Need,
    /// The program and its arguments.
    pub(super) command: Vec<OsString>,
    /// What `bench-load` has to know about it.
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

    /// Returns the same with further arguments.
    pub(super) fn with<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.command.extend(args.into_iter().map(Into::into));
        self
    }

    /// Returns the same under another name and in another role.
    pub(super) fn named(self, name: &'static str, role: Role) -> Self {
        Self { name, role, ..self }
    }

    fn loaded(mut self, load: &[&'static str]) -> Self {
        self.load.extend(load);
        self
    }
}

/// Returns the server written as our README shows one.
pub(super) fn ours() -> Contender {
    Contender::new("loggia", Role::Ours, Need::Workspace, paths::release("bench-server"))
}

/// Our client.
pub(super) fn our_client() -> Contender {
    Contender::new("loggia", Role::Ours, Need::Workspace, paths::release("bench-client"))
}

/// `loggia up` with one connector; it gives the tools of the connector names of its own.
pub(super) fn our_hub(config: &Path) -> Contender {
    let hub = Contender::new("loggia up", Role::Ours, Need::Workspace, paths::release("loggia"));
    hub.with(["up".into(), "--config".into(), config.as_os_str().to_owned()])
        .loaded(&["--tool", "bench_echo"])
}

/// Creates a bare hyper handler, beside the axum one that is the floor.
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

/// rmcp as its README has it.
pub(super) fn rmcp() -> Contender {
    Contender::new("rmcp", Role::Peer, Need::Rust, install::rust_peer("bench-rmcp"))
}

/// rmcp as fast as it goes.
pub(super) fn rmcp_tuned() -> Contender {
    Contender::new("rmcp tuned", Role::Peer, Need::Rust, install::rust_peer("bench-rmcp")).with(["--tuned"])
}

/// rmcp's client.
pub(super) fn rmcp_client() -> Contender {
    Contender::new("rmcp", Role::Peer, Need::Rust, install::rust_peer("bench-rmcp-client"))
}

/// tower-mcp, whose endpoint is the root.
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
