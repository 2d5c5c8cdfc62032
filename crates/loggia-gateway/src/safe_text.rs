//! Text from outside, safe to show: it may hold control characters that would move the cursor, rewrite earlier lines or change
//! the terminal's title, and characters that reorder or hide others. Programs that show reasons, names and results of servers
//! need it.

use std::fmt::Write;

use loggia::wire::text::{is_layout, is_unsafe};
use loggia::wire::{JsonText, RawJson};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Returns `text` of several lines without characters that a terminal obeys or that reorder or hide others; line breaks
/// and tabs stay, and so do the invisible characters that scripts and emoji are written with.
pub fn harmless(text: &str) -> String {
    let keep = |c: char| is_layout(c) || !is_unsafe(c);
    text.chars().filter(|c| *c != '\r').map(|c| if keep(c) { c } else { '\u{fffd}' }).collect()
}

/// Returns `text` harmless and on one line, to be read: line breaks are spaces.
pub fn one_line(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\t' => ' ',
        c if is_unsafe(c) => '\u{fffd}',
        c => c,
    };
    text.chars().filter(|c| *c != '\r').map(safe).collect()
}

/// Returns the JSON `text` with every unsafe character escaped as JSON does: it is the same value. In JSON such characters
/// stand inside strings only.
pub fn escape_json(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    for c in text.chars() {
        if !is_unsafe(c) || matches!(c, '\n' | '\t' | '\r') {
            json.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing into a String cannot fail.
            let _ = write!(json, "\\u{unit:04x}");
        }
    }
    json
}

/// Returns `value` with one member or item on each line, in the order and spelling that it has.
pub fn pretty_json(value: &RawJson) -> String {
    serde_json::to_string_pretty(&JsonTree(value.as_text())).expect("a value that was parsed can be written")
}

/// A JSON value whose strings and numbers are written in the spelling that they have.
struct JsonTree<'t>(JsonText<'t>);

impl Serialize for JsonTree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(object) = self.0.to_object() {
            return serializer.collect_map(object.iter().map(|(name, value)| (name, JsonTree(value))));
        }
        match self.0.items() {
            Some(items) => serializer.collect_seq(items.map(JsonTree)),
            None => serde_json::from_slice::<&RawValue>(self.0.as_bytes())
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
    }
}

/// Returns `text` of several lines such that only the first begins at the margin: no other can pass for one of ours.
pub fn indented(text: &str) -> String {
    harmless(text).trim_end().replace('\n', "\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_and_the_spelling_of_json_stay() {
        let raw = RawJson::parse(r#"{"z":1.0,"a":[1e3,{}, [] ,"\u00e9"],"m":{"k\"":null}}"#).expect("JSON");
        let expected = [
            "{",
            r#"  "z": 1.0,"#,
            r#"  "a": ["#,
            "    1e3,",
            "    {},",
            "    [],",
            r#"    "\u00e9""#,
            "  ],",
            r#"  "m": {"#,
            r#"    "k\"": null"#,
            "  }",
            "}",
        ];
        assert_eq!(pretty_json(&raw), expected.join("\n"));
    }

    #[test]
    fn control_characters_of_a_server_do_not_reach_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\r\nc\td\u{9b}"), "a\u{fffd}[2Jb\nc\td\u{fffd}");
    }

    #[test]
    fn text_from_outside_is_harmless_and_begins_no_line_of_ours() {
        for (text, line, lines) in [
            ("plain ä 漢 👍", "plain ä 漢 👍", "plain ä 漢 👍"),
            ("a\nb\tc", "a b c", "a\n  b\tc"),
            ("a\r\nerror: b\n", "a error: b ", "a\n  error: b"),
            ("\u{1b}]0;t\u{7}", "\u{fffd}]0;t\u{fffd}", "\u{fffd}]0;t\u{fffd}"),
            ("\u{202e}\u{2066}x\u{2069}", "\u{fffd}\u{fffd}x\u{fffd}", "\u{fffd}\u{fffd}x\u{fffd}"),
            ("r\u{200b}m\u{feff}", "r\u{fffd}m\u{fffd}", "r\u{fffd}m\u{fffd}"),
            ("a\u{2028}b\u{85}c", "a\u{fffd}b\u{fffd}c", "a\u{fffd}b\u{fffd}c"),
            ("\u{e0041}", "\u{fffd}", "\u{fffd}"),
            // A family, and Persian: they need a joiner where several lines are read.
            ("👩\u{200d}👧", "👩\u{fffd}👧", "👩\u{200d}👧"),
        ] {
            assert_eq!((one_line(text), indented(text)), (line.to_owned(), lines.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn json_on_a_terminal_is_the_same_value() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{9b}1A\u{1b}", "\u{e0041}", "👩\u{200d}👧 ä"] });
        let shown = escape_json(&serde_json::to_string_pretty(&value).expect("JSON"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
        assert!(
            !shown.contains(|c| is_unsafe(c) && c != '\n') && shown.contains("\\udb40\\udc41"),
            "{shown}"
        );
    }
}
