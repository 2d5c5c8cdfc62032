//! The clients that take part: for each how it is started, which era it asks for, and what it cannot do.

use crate::command::Run;
use crate::{paths, peers};

/// A client in one mode.
pub(crate) struct Client {
    /// What the table calls it.
    pub(crate) name: &'static str,
    driver: Driver,
    /// The word its driver knows the era by.
    pub(crate) era: &'static str,
    /// True if it would speak the modern revision to a server that does.
    pub(crate) prefers_modern: bool,
    /// True if it refuses to speak anything else.
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

/// What a client cannot do, by the beginning of its name and of the operation's, and why.
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
    /// Returns whether it is the one in this repository.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.driver, Driver::Ours)
    }

    /// Why it cannot do `op`, if it cannot.
    pub(crate) fn cannot(&self, op: &str) -> Option<&'static str> {
        let applies =
            |(client, start, _): &&(&str, &str, &str)| self.name.starts_with(client) && op.starts_with(start);
        CANNOT.iter().find(applies).map(|(_, _, reason)| *reason)
    }

    /// Its driver, about to be started.
    pub(crate) fn driver(&self, log: &str) -> Run {
        match self.driver {
            Driver::Node(script) => peers::node_script(script, log),
            Driver::Python(script) => peers::python_script(script, log),
            Driver::Ours => Run::new(paths::release("interop-client"), log),
        }
    }
}
