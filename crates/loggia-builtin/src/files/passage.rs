//! Finds a passage of a text and replaces it, independent of line ends.
//!
//! A model writes LF, and files have LF, CR LF, CR, or a mixture. So a passage is searched in the text with all line
//! ends as LF, and the replacement gets the line ends of its place: lines that do not change keep theirs.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use similar::{ChangeTag, TextDiff};

/// The time limit of the search for the unchanged lines in a passage with mixed line ends.
const DIFF_TIME: Duration = Duration::from_millis(200);

/// A text, with a copy in which all line ends are LF.
pub(super) struct PlainText<'t> {
    pub(super) raw: &'t str,
    pub(super) plain: Cow<'t, str>,
    /// The positions in `plain` of the line ends that are CR LF in `raw`.
    crlf: Vec<usize>,
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundPassage {
    /// The byte range in the raw text.
    pub(super) raw: Range<usize>,
    /// The position of the first byte in the plain text.
    plain: usize,
    /// True if the text ends before the last line end of the passage.
    ends_early: bool,
}

impl<'t> PlainText<'t> {
    pub(super) fn new(raw: &'t str) -> PlainText<'t> {
        if !raw.contains('\r') {
            return PlainText { raw, plain: Cow::Borrowed(raw), crlf: Vec::new() };
        }
        let mut plain = String::with_capacity(raw.len());
        let mut crlf = Vec::new();
        let mut rest = raw;
        while let Some(at) = rest.find('\r') {
            plain.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('\n') {
                crlf.push(plain.len());
                rest = after;
            }
            plain.push('\n');
        }
        plain.push_str(rest);
        PlainText { raw, plain: Cow::Owned(plain), crlf }
    }

    /// Finds every occurrence of `passage`, which is not empty.
    pub(super) fn find(&self, passage: &PlainText<'_>) -> impl Iterator<Item = FoundPassage> {
        let length = passage.plain.len();
        self.plain.match_indices(passage.plain.as_ref()).map(move |(at, _)| self.found(at, length, false))
    }

    /// Finds `passage`, which ends with a line end, at the end of a text without a last line end.
    pub(super) fn find_last(&self, passage: &PlainText<'_>) -> Option<FoundPassage> {
        let last =
            passage.plain.strip_suffix('\n').filter(|last| !last.is_empty() && !last.ends_with('\n'))?;
        let at = self.plain.strip_suffix(last)?.len();
        Some(self.found(at, last.len(), true))
    }

    /// Returns the line on which `found` begins, counted from 1.
    pub(super) fn line(&self, found: &FoundPassage) -> usize {
        self.plain[..found.plain].matches('\n').count() + 1
    }

    fn found(&self, at: usize, length: usize, ends_early: bool) -> FoundPassage {
        let raw = self.raw_position(at)..self.raw_position(at + length);
        FoundPassage { raw, plain: at, ends_early }
    }

    /// Returns the text that replaces `found`, a match of `old`.
    pub(super) fn replacement(
        &self,
        found: &FoundPassage,
        old: &PlainText<'_>,
        new: &PlainText<'_>,
    ) -> String {
        let place = &self.raw[found.raw.clone()];
        let exact = place == old.raw;
        // The texts differ only in their line ends, so the line ends are to change.
        if old.plain == new.plain {
            return new.raw.to_owned();
        }
        // If the caller's line ends are exact, those with a CR are used as they are.
        let wanted = if exact { new.raw } else { new.plain.as_ref() };
        let wanted = if found.ends_early { strip_line_end(wanted) } else { wanted };
        let ends = line_ends(place);
        let usual = ends.last().copied().or_else(|| self.neighbouring_end(&found.raw)).unwrap_or("\n");
        if ends.iter().all(|end| *end == usual) {
            return with_ends(wanted, |_| usual);
        }
        let aligned = align(&PlainText::new(place).plain, &PlainText::new(wanted).plain, &ends, usual);
        with_ends(wanted, |line| aligned.get(line).copied().unwrap_or(usual))
    }

    fn raw_position(&self, plain: usize) -> usize {
        plain + self.crlf.partition_point(|at| *at < plain)
    }

    /// Returns the line end after a place, or the one before it.
    fn neighbouring_end(&self, place: &Range<usize>) -> Option<&'t str> {
        let before = &self.raw[..place.start];
        let last = || match before.rfind(['\r', '\n']) {
            Some(at) if before[..at].ends_with('\r') && before[at..].starts_with('\n') => {
                Some(&before[at - 1..=at])
            }
            Some(at) => Some(&before[at..=at]),
            None => None,
        };
        first_line_end(&self.raw[place.end..]).map(|(_, end)| end).or_else(last)
    }
}

/// Returns the line ends of the lines of `new`. Unchanged lines have those of `old`; other lines have those of the
/// lines that they replace, or of the line before.
fn align<'e>(old: &str, new: &str, ends: &[&'e str], usual: &'e str) -> Vec<&'e str> {
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(old, new);
    let mut aligned: Vec<&'e str> = Vec::new();
    let mut free: VecDeque<&'e str> = VecDeque::new();
    let end_of = |line: Option<usize>| line.and_then(|line| ends.get(line)).copied().unwrap_or(usual);
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Delete => free.push_back(end_of(change.old_index())),
            ChangeTag::Equal => {
                free.clear();
                aligned.push(end_of(change.old_index()));
            }
            ChangeTag::Insert => {
                let before = aligned.last().copied().unwrap_or(usual);
                aligned.push(free.pop_front().unwrap_or(before));
            }
        }
    }
    aligned
}

/// Returns `text` with each LF replaced by the line end that `end` returns for its line. Other line ends are
/// unchanged.
fn with_ends<'e>(text: &str, end: impl Fn(usize) -> &'e str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    let mut line = 0;
    while let Some((at, found)) = first_line_end(rest) {
        written.push_str(&rest[..at]);
        written.push_str(if found == "\n" { end(line) } else { found });
        rest = &rest[at + found.len()..];
        line += 1;
    }
    written.push_str(rest);
    written
}

fn line_ends(text: &str) -> Vec<&str> {
    let mut ends = Vec::new();
    let mut rest = text;
    while let Some((at, end)) = first_line_end(rest) {
        ends.push(end);
        rest = &rest[at + end.len()..];
    }
    ends
}

/// Returns the first line end of `text`, and its position.
fn first_line_end(text: &str) -> Option<(usize, &str)> {
    let at = text.find(['\r', '\n'])?;
    let length = if text[at..].starts_with("\r\n") { 2 } else { 1 };
    Some((at, &text[at..at + length]))
}

fn strip_line_end(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix(['\r', '\n'])).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str, old: &str, new: &str) -> Option<String> {
        let (plain, old, new) = (PlainText::new(text), PlainText::new(old), PlainText::new(new));
        let found = plain.find(&old).next().or_else(|| plain.find_last(&old))?;
        let after = plain.replacement(&found, &old, &new);
        Some(format!("{}{after}{}", &text[..found.raw.start], &text[found.raw.end..]))
    }

    #[test]
    fn line_ends_stay_as_they_are_at_the_place() {
        // text, old, new, what becomes of it
        let table = [
            // CR LF with one bare LF, and any other mixture.
            ("a\r\nb\r\nc\nd\r\n", "a\nb", "1\n2", "1\r\n2\r\nc\nd\r\n"),
            ("a\r\nb\r\nc\nd\r\n", "b\nc\nd", "2\n3\n4", "a\r\n2\r\n3\n4\r\n"),
            ("a\r\nb\nc\r\n", "b\nc\n", "2\nx\nc\n", "a\r\n2\nx\nc\r\n"),
            ("a\r\nb\nc\r\n", "a\nb\nc\n", "b\nc\n", "b\nc\r\n"),
            ("a\r\nb\nc\rd", "a\nb\nc\nd", "a\nb\nnew\nc\nd", "a\r\nb\nnew\nc\rd"),
            ("a\r\nb\nc\r\n", "b", "2\n3", "a\r\n2\n3\nc\r\n"),
            // The line ends of the passage do not matter either.
            ("a\nb\nc\n", "a\r\nb", "1\r\n2", "1\n2\nc\n"),
            ("a\r\nb\n", "a\nb\r\n", "1\n2\r\n", "1\r\n2\n"),
            // One kind.
            ("a\r\nb\r\n", "a\nb", "1\n2\n3", "1\r\n2\r\n3\r\n"),
            ("a\r\nb\r\n", "a\r\nb", "1\n2\r\n3", "1\r\n2\r\n3\r\n"),
            ("a\rb\rc", "a\nb", "1\n2\n3", "1\r2\r3\rc"),
            ("a\r\nb", "b", "2\n3", "a\r\n2\r\n3"),
            ("a\rb", "b", "2\n3", "a\r2\r3"),
            ("ab", "b", "2\n3", "a2\n3"),
            ("a\r\n\r\nb", "b", "2\n3", "a\r\n\r\n2\r\n3"),
            // A CR LF is never cut in two.
            ("a\r\nb\r\n", "\nb", "b", "ab\r\n"),
            ("a\r\nb\r\n", "a\r", "a ", "a b\r\n"),
            // The caller's line ends are used if they are exact and have a CR, or if only they change.
            ("a\nb\n", "a", "1\r\n2", "1\r\n2\nb\n"),
            ("a\r\nb\r\n", "a\r\nb", "a\nb", "a\nb\r\n"),
            ("a\nb\n", "a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n"),
            // The last line without a line end, and a byte order mark.
            ("a\nb", "a\nb\n", "1\n2\n", "1\n2"),
            ("a\r\nb", "b\n", "2\n3\n", "a\r\n2\r\n3"),
            ("a\r\nb", "b\n", "", "a\r\n"),
            ("\u{feff}a\r\nb\r\n", "a\nb\n", "1\n2\n", "\u{feff}1\r\n2\r\n"),
            ("\u{feff}a\r\nb\n", "\u{feff}a\nb", "\u{feff}1\n2", "\u{feff}1\r\n2\n"),
        ];
        for (text, old, new, expected) in table {
            assert_eq!(replaced(text, old, new).as_deref(), Some(expected), "{text:?}: {old:?} -> {new:?}");
        }
        for (text, old) in [("a\nb", "\n\n"), ("a\nb", "x\n"), ("", "\n"), ("a\nb\n", "b\n\n")] {
            assert_eq!(replaced(text, old, "new"), None, "{text:?}: {old:?}");
        }
    }
}
