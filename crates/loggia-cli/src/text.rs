//! Lines, columns and amounts. Text from outside is made harmless first: it may hold control characters that would move
//! the cursor, rewrite earlier lines or change the terminal's title, and characters that reorder or hide others.

use std::borrow::Cow;
use std::fmt::Write;

pub(crate) use loggia_gateway::report_text::count;
pub(crate) use loggia_gateway::safe_text::{escape_json, harmless, indented, one_line, pretty_json};
use textwrap::{Options, WordSplitter};
use unicode_width::UnicodeWidthStr;

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
    fn amounts_read_well() {
        for (n, text) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 20, "5.0 MiB")] {
            assert_eq!(bytes(n), text);
        }
    }
}
