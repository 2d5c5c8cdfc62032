//! Rules for the text of code.

use super::source::{Source, has_word};
use super::{ROOMS, Repository};

const VENDORS: &[&str] = &[
    "notion",
    "linear",
    "stripe",
    "figma",
    "asana",
    "sentry",
    "slack",
    "jira",
    "atlassian",
    "confluence",
    "gitlab",
    "hubspot",
    "salesforce",
    "zendesk",
    "airtable",
    "dropbox",
    "trello",
    "datadog",
    "pagerduty",
    "shopify",
    "intercom",
];
const SQL: &[&str] = &[
    "select ",
    "insert into ",
    "delete from ",
    "create table",
    "alter table ",
    "drop table ",
    "create index",
    "pragma ",
    "update ",
];
const AMBIENT: &[&str] = &["task_local!", "thread_local!", "lazy_static!", "static mut"];
const SHARED_STATICS: &[&str] = &["Mutex", "RwLock", "OnceLock", "OnceCell", "Atomic"];
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!"];

pub(super) fn no_untagged(repository: &Repository) -> Vec<String> {
    let crates = ["loggia-wire", "loggia", "loggia-hub", "loggia-macros"];
    let mut complaints = Vec::new();
    for file in repository.shipped(&crates) {
        let lines: Vec<&str> = file.code.lines().collect();
        let untagged = file.lines().filter(|(_, code)| has_word(code, "untagged"));
        let from_wire = untagged.filter(|(line, _)| {
            let derive = derive_of(&lines, line - 1);
            derive.contains("Deserialize") || derive.contains("FromJson")
        });
        complaints.extend(from_wire.map(|(line, _)| file.at(line)));
    }
    complaints
}

/// Returns the `derive` that belongs to the attribute at `at`: in the same block of attributes, or the nearest above.
fn derive_of<'a>(lines: &[&'a str], at: usize) -> &'a str {
    let below = lines[at..].iter().take_while(|line| line.trim_start().starts_with("#["));
    let above = lines[..at].iter().rev();
    below.chain(above).find(|line| line.contains("derive(")).copied().unwrap_or("")
}

pub(super) fn no_vendors(repository: &Repository) -> Vec<String> {
    let crates = [
        "loggia-gateway",
        "loggia-hub",
        "loggia-connect",
        "loggia-openapi",
        "loggia-builtin",
        "loggia-sandbox",
        "loggia-json-schema",
        "loggia-wire",
        "loggia",
        "loggia-store",
        "loggia-auth",
    ];
    let vendor = |text: &str| {
        let text = text.to_lowercase();
        VENDORS.iter().find(|vendor| has_word(&text, vendor)).copied()
    };
    let mut complaints = Vec::new();
    for file in repository.shipped(&crates) {
        let texts = file.lines().chain(file.shipped_strings());
        let found = texts.filter_map(|(line, text)| vendor(text).map(|vendor| (line, vendor)));
        complaints.extend(found.map(|(line, vendor)| format!("{}: {vendor}", file.at(line))));
    }
    complaints
}

/// Checks that only two crates contain SQL: `loggia-store` for our records, and `loggia-builtin`, whose connectors are
/// databases.
pub(super) fn no_sql(repository: &Repository) -> Vec<String> {
    let has_sql = ["loggia-store", "loggia-builtin"];
    let others: Vec<&str> = ROOMS.iter().copied().filter(|room| !has_sql.contains(room)).collect();
    let is_sql = |text: &str| {
        let text = text.trim_start().to_lowercase();
        SQL.iter().any(|start| text.starts_with(start))
            && (!text.starts_with("update ") || text.contains(" set "))
            && (!text.starts_with("select ") || text.contains(" from "))
    };
    let in_file = |file: &Source| -> Vec<String> {
        file.shipped_strings().filter(|(_, text)| is_sql(text)).map(|(line, _)| file.at(line)).collect()
    };
    repository.shipped(&others).flat_map(in_file).collect()
}

/// Checks that the date of a revision is a string only where it is parsed.
pub(super) fn no_version_strings(repository: &Repository) -> Vec<String> {
    const DATES: &[&str] = &["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
    let shipped = repository.shipped(ROOMS).filter(|file| file.path != "crates/loggia-wire/src/version.rs");
    let in_file = |file: &Source| -> Vec<String> {
        let dates = file.shipped_strings().filter(|(_, text)| DATES.contains(text));
        dates.map(|(line, text)| format!("{}: {text}", file.at(line))).collect()
    };
    shipped.flat_map(in_file).collect()
}

pub(super) fn nothing_ambient(repository: &Repository) -> Vec<String> {
    let ambient = |code: &str| {
        let shared = code.trim_start().trim_start_matches("pub ").starts_with("static ")
            && SHARED_STATICS.iter().any(|kind| code.contains(kind));
        shared || AMBIENT.iter().any(|word| code.contains(word))
    };
    lines_where(repository.shipped(ROOMS), ambient)
}

pub(super) fn no_unsafe(repository: &Repository) -> Vec<String> {
    let rust = repository.files.iter().filter(|file| file.is_rust());
    lines_where(rust, |code| has_word(code, "unsafe") || code.contains("allow(unsafe_code"))
}

pub(super) fn nothing_unfinished(repository: &Repository) -> Vec<String> {
    let rust = repository.files.iter().filter(|file| file.is_rust());
    lines_where(rust, |code| {
        UNFINISHED.iter().any(|name| has_word(code, name.trim_end_matches('!')) && code.contains(name))
    })
}

pub(super) fn tests_are_real(repository: &Repository) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in repository.files.iter().filter(|file| file.is_rust() && file.path.starts_with("crates/")) {
        let virtual_time = has_virtual_time(repository, file);
        for (n, code) in file.code.lines().enumerate() {
            let ignored = code.contains("#[ignore") || code.contains(", ignore)");
            let sleeps = n + 1 >= file.tests_from
                && (code.contains("thread::sleep") || (code.contains("time::sleep(") && !virtual_time));
            if ignored || sleeps {
                complaints.push(format!("{}: {}", file.at(n + 1), code.trim()));
            }
        }
    }
    complaints
}

/// Returns whether the tests of a folder pause the clock. Then a sleep only moves the clock.
fn has_virtual_time(repository: &Repository, file: &Source) -> bool {
    let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let neighbours = repository.files.iter().filter(|other| folder(&other.path) == folder(&file.path));
    neighbours.into_iter().any(|other| other.code.contains("start_paused = true"))
}

fn lines_where<'a>(files: impl Iterator<Item = &'a Source>, wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let found = file.lines().filter(|(_, code)| wrong(code));
        complaints.extend(found.map(|(line, code)| format!("{}: {}", file.at(line), code.trim())));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::derive_of;

    #[test]
    fn the_derive_of_an_attribute_is_found() {
        let after = ["#[serde(untagged)]", "#[derive(Deserialize)]", "enum A {}"];
        assert!(derive_of(&after, 0).contains("Deserialize"));
        let variant = ["#[derive(Serialize)]", "enum A {", "    B,", "    #[serde(untagged)]", "    C(u8),"];
        assert_eq!(derive_of(&variant, 3), "#[derive(Serialize)]");
    }
}
