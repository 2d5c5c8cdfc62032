//! Lines, columns and amounts. Text from outside is made harmless first: it may hold control characters that would move
//! the cursor, rewrite earlier lines or change the terminal's title, and characters that reorder or hide others.

use std::borrow::Cow;
use std::fmt::Write;

use loggia::wire::text::{is_layout, is_unsafe};
use textwrap::{Options, WordSplitter};
use unicode_width::UnicodeWidthStr;

/// Returns `text` of several lines without characters that a terminal obeys or that reorder or hide others; line breaks
/// and tabs stay, and so do the invisible characters that scripts and emoji are written with.
pub(crate) fn harmless(text: &str) -> String {
    let keep = |c: char| is_layout(c) || !is_unsafe(c);
    text.chars().filter(|c| *c != '\r').map(|c| if keep(c) { c } else { '\u{fffd}' }).collect()
}

/// Returns `text` harmless and on one line, to be read: line breaks are spaces.
pub(crate) fn one_line(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\t' => ' ',
        c if is_unsafe(c) => '\u{fffd}',
        c => c,
    };
    text.chars().filter(|c| *c != '\r').map(safe).collect()
}

/// Returns the JSON `text` with every unsafe character escaped as JSON does: it is the same value. In JSON such characters
/// stand inside strings only.
pub(crate) fn escape_json(text: &str) -> String {
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

/// Returns `text` of several lines such that only the first begins at the margin: no other can pass for one of ours.
pub(crate) fn indented(text: &str) -> String {
    harmless(text).trim_end().replace('\n', "\n  ")
}

/// Returns `text` in lines of at most `width` columns, broken between words. Its own line breaks and indents stay, and so
/// does a word that is longer than a line: it can be copied whole.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(10);
    let wrap_line = |line: &str| {
        let indent: String = line.chars().take_while(|c| c.is_whitespace()).take(width / 2).collect();
        wrap_after(&indent, &indent, &words(line), width, false)
    };
    harmless(text).trim_end().lines().flat_map(wrap_line).collect()
}

/// Returns the words of one line of text, one space apart.
pub(crate) fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns one line of text, which may have styles, in lines of at most `width` columns. The first begins with `first`, the
/// others with `indent`. With `breaks`, a word that is longer than a line is broken too.
pub(crate) fn wrap_after(first: &str, indent: &str, line: &str, width: usize, breaks: bool) -> Vec<String> {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(indent)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(breaks);
    textwrap::wrap(line, options).into_iter().map(Cow::into_owned).collect()
}

/// Appends `text`, wrapped, with `margin` spaces before each line.
pub(crate) fn paragraph(out: &mut String, text: &str, margin: usize, width: usize) {
    for line in wrap(text, width.saturating_sub(margin)) {
        // Writing into a String cannot fail.
        let _ = match line.is_empty() {
            true => writeln!(out),
            false => writeln!(out, "{:margin$}{line}", ""),
        };
    }
}

/// The first paragraph of a description: what a table has room for.
pub(crate) fn first_paragraph(text: &str) -> String {
    let lines = text.trim().lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// `text` filled up with spaces to `width` columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// `text` in at most `width` columns; `…` stands for what is left out.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    for c in text.chars() {
        let mut next = shown.clone();
        next.push(c);
        if next.width() >= width {
            break;
        }
        shown = next;
    }
    shown.push('…');
    shown
}

/// Returns an amount of bytes for a person.
pub(crate) fn bytes(count: u64) -> String {
    bytesize::ByteSize(count).to_string()
}

/// `1 tool`, `2 tools`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_keep_their_indent() {
        assert_eq!(wrap("one two three", 10), ["one two", "three"]);
        assert_eq!(wrap("  - aaaa bbbb", 10), ["  - aaaa", "  bbbb"]);
        assert_eq!(wrap("a\n\nb\n", 10), ["a", "", "b"]);
        assert_eq!(wrap("averyveryverylongword x", 10), ["averyveryverylongword", "x"]);
        assert!(wrap("", 10).is_empty());
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

    #[test]
    fn amounts_read_well() {
        for (n, text) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB")] {
            assert_eq!(bytes(n), text);
        }
        assert_eq!(count(1, "tool"), "1 tool");
        assert_eq!(count(0, "tool"), "0 tools");
    }
}
