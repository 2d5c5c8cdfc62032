//! The clients: the command of each, its era, and the operations that it does not support.

use crate::command::Run;
use crate::{paths, peers};

/// A client in one mode.
pub(crate) struct Client {
    /// Its name in the table.
    pub(crate) name: &'static str,
    driver: Driver,
    /// The name of the era for its driver.
    pub(crate) era: &'static str,
    /// True if it uses the modern revision with a server that supports it.
    pub(crate) prefers_modern: bool,
    /// True if it supports only the modern revision.
    pub(crate) only_modern: bool,
}

enum Driver {
    Node(&'static str),
    Python(&'static str),
    Ours,
}

pub(crate) const CLIENTS: &[Client] = &[
    client("ts-2.4 default", Driver::Node("clients/ts24.mjs"), "default", false),
    client("ts-2.4 auto", Driver::Node("clients/ts24.mjs"), "auto", true),
    pinned("ts-2.4 pinned", Driver::Node("clients/ts24.mjs")),
    client("ts-1.32", Driver::Node("clients/ts132.mjs"), "legacy", false),
    client("python-2.3 auto", Driver::Python("clients/py23.py"), "auto", true),
    client("python-2.3 legacy", Driver::Python("clients/py23.py"), "legacy", false),
    pinned("python-2.3 pinned", Driver::Python("clients/py23.py")),
    client("inspector legacy", Driver::Node("clients/inspector.mjs"), "legacy", false),
    client("inspector auto", Driver::Node("clients/inspector.mjs"), "auto", true),
    pinned("inspector modern", Driver::Node("clients/inspector.mjs")),
    client("loggia auto", Driver::Ours, "auto", true),
    client("loggia legacy", Driver::Ours, "legacy", false),
    pinned("loggia modern", Driver::Ours),
];

/// The operations that a client does not support, by the beginning of both names, with the reason.
const CANNOT: &[(&str, &str, &str)] = &[
    ("inspector", "progress", "its command line shows no progress"),
    ("inspector", "cancel", "its command line cannot cancel a call"),
    ("inspector", "elicit", "its command line declares no elicitation"),
    ("inspector", "sample", "its command line declares no sampling"),
    ("inspector", "subscribe", "its command line has no method for it"),
    ("inspector", "complete", "its command line has no method for it"),
];

const fn client(name: &'static str, driver: Driver, era: &'static str, prefers_modern: bool) -> Client {
    Client { name, driver, era, prefers_modern, only_modern: false }
}

const fn pinned(name: &'static str, driver: Driver) -> Client {
    Client { name, driver, era: "modern", prefers_modern: true, only_modern: true }
}

impl Client {
    /// Returns whether it is the client of this repository.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.driver, Driver::Ours)
    }

    /// Returns the reason why it does not support `op`, if so.
    pub(crate) fn cannot(&self, op: &str) -> Option<&'static str> {
        let applies =
            |(client, start, _): &&(&str, &str, &str)| self.name.starts_with(client) && op.starts_with(start);
        CANNOT.iter().find(applies).map(|(_, _, reason)| *reason)
    }

    /// Returns the command of its driver.
    pub(crate) fn driver(&self, log: &str) -> Run {
        match self.driver {
            Driver::Node(script) => peers::node_script(script, log),
            Driver::Python(script) => peers::python_script(script, log),
            Driver::Ours => Run::new(paths::release("interop-client"), log),
        }
    }
}
