//! Properties of edits, on random documents with comments: the entry is the only change of the value, no byte between is
//! lost, and the removal gives the old value back.

use std::fmt::Write as _;

use loggia_connect::clients::{ConfigDocument, ConfigFormat, DocumentValue, EntryPlace};
use proptest::prelude::*;
use proptest::sample::select;

/// Returns members of JSON without names: white space, comments and values.
fn json_members() -> impl Strategy<Value = Vec<(&'static str, &'static str, &'static str, &'static str)>> {
    let space =
        || select(vec!["", " ", "\n", "\n  ", "\r\n\t", " // c0 ,{\n", " /* c1 } */ ", "\n\n  // c2\n  "]);
    let values = vec![
        "1",
        "-2.5e3",
        "true",
        "null",
        "\"a\"",
        "\"c3, } // ]\"",
        "[1, 2 /* c4 */]",
        "{}",
        "{ \"x\": [] }",
    ];
    prop::collection::vec((space(), select(values), space(), space()), 0..4)
}

/// Writes an object. `servers` is a member `s`.
fn json_object(
    members: &[(&str, &str, &str, &str)],
    servers: Option<String>,
    has_comma: bool,
    end: &str,
) -> String {
    let member =
        |(n, (a, value, b, c)): (usize, &(&str, &str, &str, &str))| format!("{a}\"k{n}\":{b}{value}{c}");
    let mut parts: Vec<String> = members.iter().enumerate().map(member).collect();
    parts.extend(servers);
    let comma = if has_comma && !parts.is_empty() { "," } else { "" };
    format!("{{{}{comma}{end}}}", parts.join(","))
}

fn json() -> impl Strategy<Value = String> {
    let end = || select(vec!["", "\n", " ", " // c5\n", "\r\n/* c6 */"]);
    let servers = prop::option::of((json_members(), any::<bool>(), end(), end()));
    (json_members(), servers, any::<bool>(), end(), end()).prop_map(
        |(members, servers, has_comma, inner, after)| {
            let servers = servers.map(|(members, has_comma, before, inner)| {
                format!("{before}\"s\": {}", json_object(&members, None, has_comma, inner))
            });
            json_object(&members, servers, has_comma, inner) + after
        },
    )
}

fn toml() -> impl Strategy<Value = String> {
    let line = || {
        select(vec![
            ("k", " = 1 # c0"),
            ("k", " = '''\n[s.loggia]\n# no c\n'''"),
            ("k", " = [\n  1, # c1\n  2,\n]"),
            ("k", " = { a = 1, b.c = \"x # y\" }"),
            ("# c2 ", ""),
            ("k", ".a.b = 2024-01-02T03:04:05Z"),
            ("", ""),
        ])
    };
    let section =
        (select(vec!["t", "s.t", "\"q .\"", "t.u"]), any::<bool>(), prop::collection::vec(line(), 0..4));
    let sections = prop::collection::vec(section, 0..4);
    (prop::collection::vec(line(), 0..4), sections, select(vec!["\n", "\r\n"]), any::<bool>()).prop_map(
        |(root, sections, eol, ends)| {
            let mut text = String::new();
            let lines = |text: &mut String, lines: &[(&str, &str)]| {
                for (n, (start, rest)) in lines.iter().enumerate() {
                    let number = if start.is_empty() { String::new() } else { n.to_string() };
                    writeln!(text, "{start}{number}{rest}").unwrap();
                }
            };
            lines(&mut text, &root);
            for (n, (name, is_list, body)) in sections.iter().enumerate() {
                let is_list = *is_list && *name == "t.u";
                let (open, close) = if is_list { ("[[", "]]") } else { ("[", "]") };
                let name = match name.strip_suffix('"') {
                    Some(name) => format!("{name}{n}\""),
                    None => format!("{name}{n}"),
                };
                writeln!(text, "\n# c3 {n}\n{open}{name}{close} # c4").unwrap();
                lines(&mut text, body);
            }
            let text = if ends { text } else { text.trim_end().to_owned() };
            text.replace('\n', eol)
        },
    )
}

fn yaml() -> impl Strategy<Value = String> {
    let value = || {
        select(vec![
            " 1",
            " plain text # c0",
            " \"q: # no\"",
            " {a: 1, b: [x, y]} # c1",
            " []",
            "\n    - x # c2\n    - y: 1\n      z: 2",
            " |\n    text\n\n    # no c",
            " >-\n    folded\n    text",
            "\n    # c3\n    a: 1\n    b:\n      c: ~",
            "",
        ])
    };
    let comment = || select(vec!["", "# c4\n", "\n", "\n  # c5\n"]);
    let members = || prop::collection::vec((comment(), value()), 0..4);
    let servers = prop::option::of((members(), select(vec!["", " # c6", " {}"])));
    let after = select(vec!["", "\n", "# c7\n", "...\n"]);
    (members(), servers, any::<bool>(), after, select(vec!["\n", "\r\n"])).prop_map(
        |(members, servers, is_first, after, eol)| {
            let mut root = String::new();
            for (n, (comment, value)) in members.iter().enumerate() {
                // One level higher than the servers.
                writeln!(root, "{comment}k{n}:{}", value.replace("\n  ", "\n")).unwrap();
            }
            let mut block = String::new();
            if let Some((servers, start)) = servers {
                let is_empty = servers.is_empty();
                writeln!(block, "s:{}", if is_empty { start } else { start.trim_end_matches("{}") }).unwrap();
                for (n, (comment, value)) in servers.iter().enumerate() {
                    writeln!(block, "{comment}  m{n}:{value}").unwrap();
                }
            }
            let text = if is_first { block + &root } else { root + &block } + after;
            text.replace('\n', eol)
        },
    )
}

/// Returns whether `text` has all characters of `before` in their order.
fn contains_all(before: &str, text: &str) -> bool {
    let mut rest = text.chars();
    before.chars().all(|c| rest.any(|other| other == c))
}

fn check(format: ConfigFormat, text: &str) -> Result<(), TestCaseError> {
    let Ok(document) = ConfigDocument::parse(format, text) else {
        return Err(TestCaseError::fail(format!("the document of the test is wrong: {text:?}")));
    };
    let url = DocumentValue::Text("http://127.0.0.1:4000/mcp".to_owned());
    let entry = DocumentValue::Map(vec![("url".to_owned(), url)]);
    let keys = ["s".to_owned()];
    let place = EntryPlace { keys: &keys, list: None, name: "loggia" };
    let edited = match document.with_entry(&place, &entry) {
        Ok(edited) => edited,
        Err(error) => return Err(TestCaseError::fail(format!("{error}: {text:?}"))),
    };
    let after = edited.to_text();
    prop_assert!(contains_all(text, &after), "{:?}\n{:?}", text, after);
    prop_assert_eq!(edited.entry(&place), Some(&entry));
    let created = usize::from(document.value().get("s").is_none());
    let removed = edited.without_entry(&place, created);
    let removed = removed.map_err(|error| TestCaseError::fail(format!("{error}: {after:?}")))?;
    let members = document.value().get("s").and_then(DocumentValue::members).unwrap_or_default();
    if members.is_empty() {
        let json = |document: &ConfigDocument| {
            let mut json = document.value().to_json();
            let is_empty =
                json.get("s").is_none_or(|s| s.is_null() || s.as_object().is_some_and(|s| s.is_empty()));
            json.as_object_mut().filter(|_| is_empty).map(|json| json.remove("s"));
            if json.is_null() { serde_json::json!({}) } else { json }
        };
        prop_assert_eq!(json(&removed), json(&document));
    } else {
        prop_assert_eq!(removed.to_text(), text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_keeps_everything_else(text in json()) {
        check(ConfigFormat::Json, &text)?;
    }

    #[test]
    fn toml_keeps_everything_else(text in toml()) {
        check(ConfigFormat::Toml, &text)?;
    }

    #[test]
    fn yaml_keeps_everything_else(text in yaml()) {
        check(ConfigFormat::Yaml, &text)?;
    }
}
