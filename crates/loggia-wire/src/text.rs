//! Text from outside, made safe to show on a terminal, in a log or in an error.
//!
//! Names, messages and error output come from peers and may contain characters that move the cursor, reorder or hide
//! other text. One function decides which characters these are, for all crates.

/// Returns whether a character can change more than its own place in a line: control characters (C0, C1), bidirectional
/// controls, line separators, invisible characters and tags.
///
/// ```
/// use loggia_wire::text::is_unsafe;
/// assert!(is_unsafe('\u{1b}') && is_unsafe('\n') && is_unsafe('\u{202e}') && is_unsafe('\u{200b}'));
/// assert!(!is_unsafe('a') && !is_unsafe('ä') && !is_unsafe(' '));
/// ```
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Returns whether an unsafe character belongs to a text of several lines: line breaks, tabs, and the invisible
/// characters that scripts and emoji are written with.
pub fn is_layout(c: char) -> bool {
    matches!(c, '\n' | '\t' | '\u{200c}'..='\u{200f}' | '\u{61c}' | '\u{e0100}'..='\u{e01ef}')
}

/// Returns the beginning of `text`: whole characters, at most `most` bytes.
pub fn truncated(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    &text[..end]
}

/// Returns a URL without user information, query and fragment, which may be secret. The text need not be a correct URL.
///
/// ```
/// use loggia_wire::text::redact_url;
/// assert_eq!(redact_url("https://ada:pw@example.com/mcp?key=1#x"), "https://example.com/mcp");
/// ```
pub fn redact_url(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '\\']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// Returns `text` on one line: every unsafe character is written as its escape (`\n`, `\u{202e}`).
pub fn escape_line(text: &str) -> String {
    escape_except(text, |_| false)
}

/// Returns `text` with every unsafe character that `keep` does not keep written as its escape.
pub fn escape_except(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match is_unsafe(c) && !keep(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_has_no_secret_parts() {
        for (url, expected) in [
            ("https://example.com", "https://example.com"),
            ("https://example.com:8443/a/b", "https://example.com:8443/a/b"),
            ("https://ada:s3cret@example.com/a", "https://example.com/a"),
            ("https://a@b@example.com", "https://example.com"),
            ("https://example.com/a@b", "https://example.com/a@b"),
            ("https://example.com?key=s3cret", "https://example.com"),
            ("https://example.com/#key=s3cret", "https://example.com/"),
            ("https://example.com/a?x=http://b@c/d", "https://example.com/a"),
            ("htps:/example.com/?key=s3cret", "htps:/example.com/"),
            ("./a#b.yaml", "./a#b.yaml"),
            ("", ""),
        ] {
            assert_eq!(redact_url(url), expected, "{url}");
        }
    }

    #[test]
    fn unsafe_characters_are_escaped_and_others_stay() {
        for (text, line, lines) in [
            ("plain \"ä\" 漢 \\ 👍 €", "plain \"ä\" 漢 \\ 👍 €", "plain \"ä\" 漢 \\ 👍 €"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd", "a\nb\tc\\rd"),
            (
                "\u{0}\u{1b}[2J\u{7f}\u{9b}1A",
                "\\u{0}\\u{1b}[2J\\u{7f}\\u{9b}1A",
                "\\u{0}\\u{1b}[2J\\u{7f}\\u{9b}1A",
            ),
            (
                "\u{202a}\u{202e}\u{2066}\u{2069}",
                "\\u{202a}\\u{202e}\\u{2066}\\u{2069}",
                "\\u{202a}\\u{202e}\\u{2066}\\u{2069}",
            ),
            (
                "\u{200b}\u{2060}\u{feff}\u{180e}",
                "\\u{200b}\\u{2060}\\u{feff}\\u{180e}",
                "\\u{200b}\\u{2060}\\u{feff}\\u{180e}",
            ),
            ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}", "\\u{2028}\\u{2029}\\u{85}"),
            ("\u{e0041}", "\\u{e0041}", "\\u{e0041}"),
            // A family, and a mark that Persian and Hebrew are written with.
            ("👩\u{200d}👧\u{200f}", "👩\\u{200d}👧\\u{200f}", "👩\u{200d}👧\u{200f}"),
        ] {
            assert_eq!(escape_line(text), line, "{text:?}");
            assert_eq!(escape_except(text, is_layout), lines, "{text:?}");
        }
    }
}
