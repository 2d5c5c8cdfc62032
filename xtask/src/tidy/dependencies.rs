//! Rules for the dependencies between crates.

use std::collections::BTreeSet;

use serde_json::Value;

use super::source::{Source, has_word};
use super::{ROOMS, Repository};

/// Crates that the protocol crate must not depend on: runtimes, sockets, clocks, randomness.
const IMPURE: &[&str] = &[
    "tokio",
    "mio",
    "smol",
    "async-std",
    "futures",
    "futures-util",
    "hyper",
    "reqwest",
    "rand",
    "getrandom",
    "chrono",
    "time",
    "uuid",
    "tracing",
    "ring",
    "rustls",
];
const IMPURE_CODE: &[&str] = &[
    "tokio",
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "std::io",
    "SystemTime",
    "Instant",
    "async",
];
const DATABASES: &[&str] =
    &["sqlx", "rusqlite", "libsqlite3-sys", "tokio-postgres", "postgres", "diesel", "async-nats", "redis"];

pub(super) fn point_downwards(repository: &Repository) -> Vec<String> {
    let height = |name: &str| ROOMS.iter().position(|room| *room == name);
    let mut complaints = Vec::new();
    for package in repository.packages() {
        let name = name(package);
        let in_crates = package["manifest_path"].as_str().is_some_and(|path| path.contains("/crates/"));
        let Some(own) = height(name) else {
            if in_crates {
                complaints.push(format!("{name} is not in the list of rooms in xtask/src/tidy/mod.rs"));
            }
            continue;
        };
        let upwards =
            shipped_dependencies(package).filter(|other| height(other).is_some_and(|height| height <= own));
        complaints.extend(upwards.map(|other| format!("{name} depends on {other}, which lies above it")));
    }
    complaints
}

pub(super) fn wire_is_pure(repository: &Repository) -> Vec<String> {
    let Some(wire) = repository.package("loggia-wire") else { return vec!["there is no loggia-wire".into()] };
    let impure = shipped_dependencies(wire).filter(|name| IMPURE.contains(name));
    let mut complaints: Vec<String> = impure.map(|name| format!("loggia-wire depends on {name}")).collect();
    for file in repository.shipped(&["loggia-wire", "loggia-json-schema"]) {
        for (line, code) in file.lines() {
            let words = IMPURE_CODE.iter().filter(|word| has_word(code, word));
            complaints.extend(words.map(|word| format!("{}: {word}", file.at(line))));
        }
    }
    complaints
}

pub(super) fn lints_are_inherited(repository: &Repository) -> Vec<String> {
    let manifests = repository.packages().filter_map(|package| package["manifest_path"].as_str());
    let inherits = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split_once("[lints]").is_some_and(|(_, rest)| rest.trim_start().starts_with("workspace = true"))
    };
    manifests
        .filter(|path| !inherits(path))
        .map(|path| format!("{path} has no `[lints] workspace = true`"))
        .collect()
}

/// Checks that only two crates use databases: `loggia-store` for our records, and `loggia-builtin`, whose connectors
/// are databases of users.
pub(super) fn databases_are_the_stores(repository: &Repository) -> Vec<String> {
    let others =
        repository.packages().filter(|package| !["loggia-store", "loggia-builtin"].contains(&name(package)));
    let of = |package| {
        shipped_dependencies(package)
            .filter(|other| DATABASES.contains(other))
            .map(move |other| (package, other))
    };
    others.flat_map(of).map(|(package, other)| format!("{} depends on {other}", name(package))).collect()
}

/// Checks that the signatures of public items of `loggia` contain no types of dependencies that are not on the list
/// in its manifest. The check is textual, which is enough because `unreachable_pub` limits `pub` to items that are
/// really public.
pub(super) fn public_api_is_allowed(repository: &Repository) -> Vec<String> {
    let Some(package) = repository.package("loggia") else { return vec!["there is no loggia".into()] };
    let allowed: BTreeSet<&str> = package["metadata"]["loggia"]["public-dependencies"]
        .as_array()
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if allowed.is_empty() {
        return vec!["crates/loggia/Cargo.toml has no [package.metadata.loggia] public-dependencies".into()];
    }
    let ours = |name: &&str| ROOMS.contains(name);
    let banned: BTreeSet<String> = shipped_dependencies(package)
        .filter(|name| !allowed.contains(name) && !ours(name))
        .map(|name| name.replace('-', "_"))
        .collect();
    let banned: Vec<String> = banned.into_iter().collect();
    repository.shipped(&["loggia"]).flat_map(|file| exposures(file, &banned)).collect()
}

fn exposures(file: &Source, banned: &[String]) -> Vec<String> {
    let imported: Vec<(String, &String)> = banned.iter().flat_map(|name| imports(file, name)).collect();
    let mut complaints = Vec::new();
    for (line, signature) in signatures(file) {
        for name in banned.iter().filter(|name| begins_path(&signature, name)) {
            complaints.push(format!("{}: a public signature names {name}", file.at(line)));
        }
        for (import, name) in imported.iter().filter(|(import, _)| has_word(&signature, import)) {
            complaints.push(format!("{}: a public signature names {import} of {name}", file.at(line)));
        }
    }
    complaints
}

/// Returns whether a path of crate `name` occurs in `text`.
fn begins_path(text: &str, name: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let path = format!("{name}::");
    text.match_indices(&path).any(|(at, _)| !text[..at].chars().next_back().is_some_and(inside))
}

/// Returns the names that `use krate::…;` brings into the file.
fn imports<'a>(file: &Source, krate: &'a String) -> Vec<(String, &'a String)> {
    let code: String = file.lines().map(|(_, line)| format!("{line}\n")).collect();
    let mut names = Vec::new();
    for statement in code.split("use ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(used, _)| used)
    {
        if !statement.trim_start().starts_with(&format!("{krate}::")) {
            continue;
        }
        for leaf in statement.split(['{', '}', ',']) {
            let leaf = leaf.split_whitespace().next_back().unwrap_or("");
            let name = leaf.rsplit("::").next().unwrap_or("");
            if !name.is_empty() && name != "self" && name != "_" && name != "*" {
                names.push((name.to_owned(), krate));
            }
        }
    }
    names
}

/// Returns each public item up to its body, with the line it starts on.
fn signatures(file: &Source) -> Vec<(usize, String)> {
    let lines: Vec<(usize, &str)> = file.lines().collect();
    let mut found = Vec::new();
    for (at, (line, code)) in lines.iter().enumerate() {
        if !code.trim_start().starts_with("pub ") {
            continue;
        }
        let mut signature = String::new();
        for (_, part) in &lines[at..lines.len().min(at + 25)] {
            signature.push_str(part);
            signature.push(' ');
            if part.contains(['{', ';']) || part.trim_end().ends_with(',') && !code.contains("fn ") {
                break;
            }
        }
        let end = signature
            .find('{')
            .filter(|_| !code.trim_start().starts_with("pub use "))
            .unwrap_or(signature.len());
        signature.truncate(end);
        if code.trim_start().starts_with("pub struct ") {
            signature = public_fields(&signature);
        }
        found.push((*line, signature));
    }
    found
}

/// Returns the public fields of a tuple struct's signature.
fn public_fields(signature: &str) -> String {
    let fields = signature.split_once('(').map_or("", |(_, fields)| fields);
    fields.split(',').filter(|field| field.trim_start().starts_with("pub ")).collect()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap_or("")
}

/// Returns the dependencies of the built crate, without those of tests.
fn shipped_dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter(|dependency| dependency["kind"] != "dev").filter_map(|dependency| dependency["name"].as_str())
}

#[cfg(test)]
mod tests {
    use super::{Source, exposures};

    #[test]
    fn exposed_dependencies_are_found() {
        let text = "\
use hyper::body::{Body, Incoming as In};
use http::Request;
pub fn fine(request: Request<()>) {}
fn private(body: In) {}
pub fn long(
    body: In,
) -> u8 {
    0
}
pub struct S {
    pub x: hyper::Error,
}
pub use hyper::Method;
pub struct Hidden(hyper::Error);
pub struct Shown(pub hyper::Error);
";
        let file = Source::new("crates/loggia/src/lib.rs".into(), "lib.rs".into(), text.into());
        let found = exposures(&file, &["hyper".to_owned()]);
        let mut lines: Vec<&str> =
            found.iter().map(|complaint| complaint.split(": ").next().expect("a place")).collect();
        lines.dedup();
        assert_eq!(
            lines,
            [
                "crates/loggia/src/lib.rs:5",
                "crates/loggia/src/lib.rs:11",
                "crates/loggia/src/lib.rs:13",
                "crates/loggia/src/lib.rs:15"
            ]
        );
    }
}
