//! Reports for people as text whose parts have roles, such as the name of a thing or a warning. A terminal shows the roles as
//! colours and a page as classes, so that a report is written once for all of them. Invariant: a part is safe to show and
//! ends no line, whatever server it quotes.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use crate::safe_text::one_line;

/// The role of a part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRole {
    /// No role of its own.
    Plain,
    /// The name of a thing.
    Name,
    /// The title of what follows.
    Heading,
    /// Less important text.
    Detail,
    /// Success.
    Good,
    /// A warning.
    Warning,
    /// A failure.
    Bad,
}

/// Text of several lines. [`Display`](fmt::Display) writes it without the roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportText(Vec<(TextRole, String)>);

impl ReportText {
    /// Appends `text`.
    #[must_use]
    pub fn with(mut self, role: TextRole, text: &str) -> ReportText {
        if !text.is_empty() {
            self.0.push((role, one_line(text)));
        }
        self
    }

    /// Appends `text` without a role.
    #[must_use]
    pub fn plain(self, text: &str) -> ReportText {
        self.with(TextRole::Plain, text)
    }

    /// Appends `text`, filled up with spaces to `width` columns.
    #[must_use]
    pub fn column(self, role: TextRole, text: &str, width: usize) -> ReportText {
        let text = one_line(text);
        let missing = width.saturating_sub(text.width());
        self.with(role, &format!("{text}{:missing$}", ""))
    }

    /// Appends the words of `text`, one space apart.
    #[must_use]
    pub fn words(self, role: TextRole, text: &str) -> ReportText {
        self.with(role, &text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Ends the line.
    #[must_use]
    pub fn end_line(mut self) -> ReportText {
        self.0.push((TextRole::Plain, "\n".to_owned()));
        self
    }

    /// Returns the parts; the end of a line is a part of its own.
    pub fn parts(&self) -> impl Iterator<Item = (TextRole, &str)> {
        self.0.iter().map(|(role, text)| (*role, &**text))
    }
}

impl Extend<ReportText> for ReportText {
    fn extend<I: IntoIterator<Item = ReportText>>(&mut self, texts: I) {
        self.0.extend(texts.into_iter().flat_map(|text| text.0));
    }
}

impl FromIterator<ReportText> for ReportText {
    fn from_iter<I: IntoIterator<Item = ReportText>>(texts: I) -> ReportText {
        let mut all = ReportText::default();
        all.extend(texts);
        all
    }
}

impl fmt::Display for ReportText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().try_for_each(|(_, text)| f.write_str(text))
    }
}

/// Returns a number of things: `1 tool`, `2 tools`.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Returns a length of time in one unit: `90 s`, `15 min`, `3 days`.
pub fn rough_duration(seconds: u64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Returns a length of time in its two largest units: `1 h 2 min`.
pub fn exact_duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_ends_a_line_or_moves_the_cursor() {
        let text = ReportText::default().column(TextRole::Name, "ä\n漢", 6).with(TextRole::Bad, "\u{1b}[2J");
        let text: ReportText = [text.end_line(), ReportText::default().plain("x")].into_iter().collect();
        assert_eq!(text.to_string(), "ä 漢  \u{fffd}[2J\nx");
        assert_eq!(text.parts().next(), Some((TextRole::Name, "ä 漢  ")));
    }

    #[test]
    fn amounts_read_well() {
        assert_eq!([count(0, "tool"), count(1, "tool")], ["0 tools", "1 tool"]);
        for (seconds, rough, exact) in [
            (0, "0 s", "0 s"),
            (119, "119 s", "1 min 59 s"),
            (120, "2 min", "2 min 0 s"),
            (7199, "119 min", "1 h 59 min"),
            (7200, "2 h", "2 h 0 min"),
            (172_799, "47 h", "1 d 23 h"),
            (172_800, "2 days", "2 d 0 h"),
        ] {
            assert_eq!([rough_duration(seconds), exact_duration(seconds)], [rough, exact], "{seconds}");
        }
    }
}
