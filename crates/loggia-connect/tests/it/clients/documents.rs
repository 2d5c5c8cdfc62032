//! Layouts of documents: each with the entry that is added.

use std::fmt::Write as _;

use loggia_connect::clients::{ConfigDocument, ConfigFormat, DocumentValue, EntryPlace};

/// Layouts: the format, the member of a list, and the text.
const LAYOUTS: &[(&str, ConfigFormat, Option<&str>, &str)] = &[
    ("nothing", ConfigFormat::Json, None, ""),
    ("a comment alone", ConfigFormat::Json, None, "// mine\n"),
    ("braces", ConfigFormat::Json, None, "{}"),
    ("braces on two lines", ConfigFormat::Json, None, "{\n}\n"),
    ("a comment in braces", ConfigFormat::Json, None, "{\n  // mine\n}\n"),
    ("a block comment in braces", ConfigFormat::Json, None, "{ /* mine */ }"),
    ("compact", ConfigFormat::Json, None, "{\"a\":1,\"s\":{\"b\":{}}}"),
    ("compact, with spaces", ConfigFormat::Json, None, "{ \"s\": { \"b\": {} } }"),
    ("compact, with a trailing comma", ConfigFormat::Json, None, "{ \"s\": { \"b\": {}, } }"),
    (
        "servers on one line of many",
        ConfigFormat::Json,
        None,
        "{\n    \"a\": 1,\n    \"s\": {\"b\": {}},\n    \"c\": 2\n}\n",
    ),
    (
        "a comma on the next line",
        ConfigFormat::Json,
        None,
        "{\n  \"s\": {\n    \"b\": {} // b\n    , // comma\n  }\n}\n",
    ),
    (
        "a comment with a brace",
        ConfigFormat::Json,
        None,
        "{\n  \"s\": {\n    \"b\": {} /* } , */ // {\n  }\n}\n",
    ),
    ("nothing, in TOML", ConfigFormat::Toml, None, ""),
    ("no line ending", ConfigFormat::Toml, None, "a = 1"),
    ("a table of servers", ConfigFormat::Toml, None, "[s]\nb = { url = \"x\" } # b\n\n[t]\n"),
    ("dotted keys", ConfigFormat::Toml, None, "s.b.url = \"x\"\n"),
    ("a text with brackets", ConfigFormat::Toml, None, "a = '''\n[s.loggia]\n'''\n"),
    ("a list of tables", ConfigFormat::Toml, Some("name"), "[[s]]\nname = \"b\"\n"),
    ("nothing, in YAML", ConfigFormat::Yaml, None, ""),
    ("a comment alone, in YAML", ConfigFormat::Yaml, None, "# mine\n"),
    ("no value", ConfigFormat::Yaml, None, "a: 1\ns: # none yet\nb: 2\n"),
    ("braces, in YAML", ConfigFormat::Yaml, None, "s: {}\nb: 2\n"),
    ("a member in braces", ConfigFormat::Yaml, None, "s: {b: {url: x}} # b\n"),
    ("a member in braces over lines", ConfigFormat::Yaml, None, "s: {\n  b: {url: x},\n}\n"),
    (
        "a text that keeps its blank lines",
        ConfigFormat::Yaml,
        None,
        "s:\n  b:\n    t: |+\n      x\n\n\nc: 1\n",
    ),
    ("a block text at the end", ConfigFormat::Yaml, None, "s:\n  b:\n    t: >-\n      x\n      y\n"),
    ("an end of the document", ConfigFormat::Yaml, None, "---\na: 1\n...\n"),
    ("an anchor", ConfigFormat::Yaml, None, "d: &d\n  x: 1\ns:\n  b:\n    <<: *d\n"),
    ("a list with dashes below the key", ConfigFormat::Yaml, Some("name"), "s:\n- name: b\n  url: x\nc: 1\n"),
    ("a list in brackets", ConfigFormat::Yaml, Some("name"), "s: [{name: b}]\n"),
    ("an empty list", ConfigFormat::Yaml, Some("name"), "s: []\n"),
    ("no list", ConfigFormat::Yaml, Some("name"), "a: 1\n"),
];

#[test]
fn an_entry_is_laid_out_as_its_neighbours() {
    let member = |key: &str, value: DocumentValue| (key.to_owned(), value);
    let text = |text: &str| DocumentValue::Text(text.to_owned());
    let entry = DocumentValue::Map(vec![
        member("url", text("http://h/mcp")),
        member("tools", DocumentValue::List(vec![text("*")])),
    ]);
    let keys = ["s".to_owned()];
    let mut shown = String::new();
    for (what, format, list, before) in LAYOUTS {
        let document = ConfigDocument::parse(*format, before).expect(what);
        let place = EntryPlace { keys: &keys, list: *list, name: "loggia" };
        writeln!(shown, "##### {what}").unwrap();
        match document.with_entry(&place, &entry) {
            Ok(edited) => {
                writeln!(shown, "{}", edited.to_text()).unwrap();
                // It is replaced where it is, and removed again.
                let other = DocumentValue::Map(vec![member("url", text("https://other/mcp"))]);
                let replaced =
                    edited.with_entry(&place, &other).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(replaced.to_text().contains("https://other/mcp"), "{what}");
                assert!(!replaced.to_text().contains("http://h/mcp"), "{what}");
                for edited in [edited, replaced] {
                    let removed =
                        edited.without_entry(&place, 0).unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert!(removed.entry(&place).is_none(), "{what}");
                    assert!(!removed.to_text().contains("loggia") || before.contains("loggia"), "{what}");
                }
            }
            Err(error) => writeln!(shown, "refused: {error}").unwrap(),
        }
    }
    insta::assert_snapshot!(shown);
}
