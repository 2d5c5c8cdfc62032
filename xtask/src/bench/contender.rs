//! Who takes part: a name, what it is, and the program.

use std::path::PathBuf;

use crate::paths;

/// What a contender is measured as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Ours,
    /// The least that could be done.
    Floor,
    Peer,
}

/// A program that takes part.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
}

impl Contender {
    pub(super) fn is_peer(&self) -> bool {
        self.role == Role::Peer
    }

    /// The same with further arguments.
    pub(super) fn with(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }
}

/// The server written as our README shows one.
pub(super) fn ours() -> Contender {
    let program = paths::release("bench-server");
    Contender { name: "loggia", role: Role::Ours, program, args: Vec::new() }
}

/// A bare hyper handler, or a loop on standard streams.
pub(super) fn floor() -> Contender {
    let program = paths::release("bench-floor");
    Contender { name: "floor", role: Role::Floor, program, args: Vec::new() }
}
