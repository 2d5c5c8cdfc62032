//! Real configuration files: the entry is added, and removed again, and every other byte stays.

use std::fs;

use loggia_connect::clients::{ConfigDocument, DocumentValue, EntryPlace};

use super::machine::{Machine, fixture, with_files};

/// Forms of a file that editors and systems produce.
fn variants(text: &str) -> Vec<(&'static str, String)> {
    let trimmed = text.trim_end_matches('\n');
    vec![
        ("as it is", text.to_owned()),
        ("CRLF", text.replace('\n', "\r\n")),
        ("a byte order mark", format!("\u{feff}{text}")),
        ("no line ending at the end", trimmed.to_owned()),
        ("blank lines at the end", format!("{trimmed}\n\n\n")),
    ]
}

#[test]
fn an_installation_that_is_removed_leaves_the_bytes_of_the_file() {
    for client in with_files() {
        for (variant, text) in variants(&fixture(&client)) {
            let context = format!("{}, {variant}", client.name);
            let machine = Machine::new();
            let file = machine.write(&client, text.as_bytes());
            machine.install(&client).unwrap_or_else(|error| panic!("{context}: {error}"));
            let installed = fs::read_to_string(&file).unwrap();
            assert_ne!(installed, text, "{context}");
            assert_eq!(installed.starts_with('\u{feff}'), text.starts_with('\u{feff}'), "{context}");
            if variant == "CRLF" && !text.is_empty() {
                assert_eq!(installed.matches('\n').count(), installed.matches("\r\n").count(), "{context}");
            }
            // Once more changes nothing.
            assert_eq!(machine.install(&client).unwrap(), "", "{context}");
            assert_eq!(fs::read_to_string(&file).unwrap(), installed, "{context}");
            assert!(machine.uninstall(&client).unwrap(), "{context}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text, "{context}");
            assert_eq!(fs::read_dir(machine.path("records")).unwrap().count(), 0, "{context}");
        }
    }
}

/// Returns the lines of `before` that are not in `after`, in their order.
fn lost_lines<'t>(before: &'t str, after: &str) -> Vec<&'t str> {
    let mut rest = after.lines();
    before
        .lines()
        .filter(|line| !rest.clone().any(|other| other == *line) || !rest.any(|other| other == *line))
        .collect()
}

#[test]
fn every_line_of_a_file_stays_in_its_place() {
    for client in with_files() {
        let machine = Machine::new();
        let text = fixture(&client);
        let file = machine.write(&client, text.as_bytes());
        machine.install(&client).unwrap();
        let installed = fs::read_to_string(file).unwrap();
        let lost = lost_lines(&text, &installed);
        // A comma after the entry before ours, or ours within the braces of one line.
        let common = |one: &mut dyn Iterator<Item = u8>, other: &mut dyn Iterator<Item = u8>| {
            one.zip(other).take_while(|(one, other)| one == other).count()
        };
        let is_expected = |line: &&str| {
            let opened = line.strip_suffix('}').is_some_and(|open| installed.contains(open));
            opened
                || installed.lines().any(|other| {
                    let start = common(&mut line.bytes(), &mut other.bytes());
                    let end = common(&mut line.bytes().rev(), &mut other.bytes().rev());
                    start > 0 && start + end >= line.len()
                })
        };
        assert!(lost.len() <= 1 && lost.iter().all(is_expected), "{}: {lost:?}\n{installed}", client.name);
    }
}

#[test]
fn without_the_record_the_entry_alone_is_cut_out() {
    let entry = DocumentValue::Map(vec![("url".to_owned(), DocumentValue::Text("http://h/mcp".to_owned()))]);
    for client in with_files() {
        for (variant, text) in variants(&fixture(&client)) {
            let context = format!("{}, {variant}", client.name);
            let document = ConfigDocument::parse(client.format.unwrap(), &text).unwrap();
            let place = EntryPlace { keys: &client.keys, list: client.list.as_deref(), name: "loggia" };
            if document.servers(&client.keys, client.list.as_deref()).is_empty() {
                // An empty object is laid out anew.
                continue;
            }
            let edited = document.with_entry(&place, &entry).unwrap();
            let removed =
                edited.without_entry(&place, 0).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(removed.to_text(), text, "{context}");
        }
    }
}
