//! Lines, columns and amounts. Text from a server is made harmless first: it may hold control characters
//! that would move the cursor, rewrite earlier lines or change the terminal's title.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

/// `text` without control characters; line breaks and tabs stay.
pub(crate) fn harmless(text: &str) -> String {
    let keep = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(|c| *c != '\r').map(|c| if keep(c) { c } else { '\u{fffd}' }).collect()
}

/// `text` harmless and on one line.
pub(crate) fn one_line(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}

/// `text` in lines of at most `width` columns, broken between words. Its own line breaks stay.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    harmless(text).trim_end().lines().flat_map(|line| wrap_line(line.trim_end(), width.max(10))).collect()
}

fn wrap_line(line: &str, width: usize) -> Vec<String> {
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).take(width / 2).collect();
    let mut lines = Vec::new();
    let mut current = indent.clone();
    let mut empty = true;
    for word in line.split_whitespace() {
        if !empty && current.width() + 1 + word.width() > width {
            lines.push(std::mem::replace(&mut current, indent.clone()));
            empty = true;
        }
        if !empty {
            current.push(' ');
        }
        current.push_str(word);
        empty = false;
    }
    lines.push(current);
    lines
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

/// An amount of bytes for a person.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut amount = count as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
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
    fn amounts_read_well() {
        for (n, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (5 << 20, "5.0 MiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(n), text);
        }
        assert_eq!(count(1, "tool"), "1 tool");
        assert_eq!(count(0, "tool"), "0 tools");
    }
}
