//! The reasons why a list is not complete.

use std::fmt;

use loggia_wire::text::escape_line;

/// A part of a list that was left out. Its text is one line, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListWarning {
    /// An entry is not valid: its name or its index on the page, and the reason.
    InvalidEntry(String, String),
    /// An entry is longer than this many bytes.
    EntryTooLong(String, usize),
    /// A page could not be read, for this reason. The pages after it may be missing, too.
    InvalidPage(String),
    /// The server repeats a cursor: its list has no end.
    RepeatedCursor(String),
    /// The list has more than this many pages.
    TooManyPages(usize),
    /// The list has more than this many bytes.
    TooManyBytes(usize),
    /// The list has more than this many entries.
    TooManyEntries(usize),
    /// This many further warnings.
    More(usize),
}

impl fmt::Display for ListWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListWarning::InvalidEntry(entry, why) => {
                write!(f, "{} is not valid and is left out: {}", one_line(entry), one_line(why))
            }
            ListWarning::EntryTooLong(entry, most) => {
                write!(f, "{} is longer than {most} bytes and is left out", one_line(entry))
            }
            ListWarning::InvalidPage(why) => write!(f, "a page cannot be read: {}", one_line(why)),
            ListWarning::RepeatedCursor(cursor) => {
                write!(
                    f,
                    "the server repeats the cursor {}; the rest is left out",
                    one_line(&format!("{cursor:?}"))
                )
            }
            ListWarning::TooManyPages(most) => {
                write!(f, "the list has more than {most} pages (`list_pages`); the rest is left out")
            }
            ListWarning::TooManyBytes(most) => {
                write!(f, "the list has more than {most} bytes (`list_bytes`); the rest is left out")
            }
            ListWarning::TooManyEntries(most) => {
                write!(f, "the list has more than {most} entries (`list_entries`); the rest is left out")
            }
            ListWarning::More(count) => write!(f, "{count} more warnings like these"),
        }
    }
}

/// Returns a text of the server, shortened, on one line: unsafe characters are escaped.
fn one_line(text: &str) -> String {
    const MAX: usize = 200;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => escape_line(&text[..end]) + "…",
        None => escape_line(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_one_line_whatever_the_server_wrote() {
        let reason = format!("a\nb\u{202e}c \"d\" {}", "x".repeat(1000));
        let text = ListWarning::InvalidEntry("\"e\rf\"".to_owned(), reason).to_string();
        assert!(
            text.starts_with("\"e\\rf\" is not valid and is left out: a\\nb\\u{202e}c \"d\" xx"),
            "{text}"
        );
        assert!(text.ends_with('…') && text.len() < 400, "{text}");
    }
}
