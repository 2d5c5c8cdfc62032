//! Text of several styles, broken between words to the width of a terminal. Invariant: no line is wider than the width,
//! whatever its words.

use anstyle::Style;

use crate::text::{one_line, words, wrap_after};

/// Fewest columns for the text itself.
const NARROWEST: usize = 20;
/// Spaces before the lines after the first where a margin would leave too little room.
const SMALL_MARGIN: usize = 6;

/// One line of words, some of them with a style.
#[derive(Debug, Default)]
pub(crate) struct StyledText(String);

impl StyledText {
    /// Appends the words of `text`, after one space.
    pub(crate) fn with(self, style: Style, text: &str) -> StyledText {
        self.after(1, style, text)
    }

    /// Appends the words of `text`, after `gap` spaces.
    pub(crate) fn after(mut self, gap: usize, style: Style, text: &str) -> StyledText {
        let words = words(&one_line(text));
        if !words.is_empty() {
            let gap = if self.0.is_empty() { 0 } else { gap };
            self.0.push_str(&format!("{:gap$}{style}{words}{style:#}", ""));
        }
        self
    }

    /// Returns the text after a beginning of `margin` columns, in lines of at most `width` columns; without
    /// `width` on one line. The lines after the first begin below the text.
    pub(crate) fn wrapped(&self, margin: usize, width: Option<usize>) -> String {
        let Some(width) = width else { return self.0.clone() };
        let indent = if margin + NARROWEST > width { SMALL_MARGIN } else { margin };
        let (first, indent) = (" ".repeat(margin), " ".repeat(indent));
        let mut lines = wrap_after(&first, &indent, &self.0, width, true);
        if let Some(line) = lines.first_mut() {
            *line = line.get(margin..).unwrap_or_default().to_owned();
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::out::{BAD, WARN};

    fn wrapped(margin: usize, width: Option<usize>, long: &str) -> String {
        let text =
            StyledText::default().with(BAD, &format!("it ends\nwith {long}")).after(2, WARN, "(again)");
        anstream::adapter::strip_str(&text.wrapped(margin, width)).to_string()
    }

    #[test]
    fn lines_end_between_words_and_begin_below_the_text() {
        for (margin, width, expected) in [
            (0, None, "it ends with code 7  (again)"),
            (4, None, "it ends with code 7  (again)"),
            (4, Some(32), "it ends with code 7  (again)"),
            (4, Some(31), "it ends with code 7\n    (again)"),
            (4, Some(24), "it ends with code 7\n    (again)"),
            (4, Some(15), "it ends\n      with code\n      7\n      (again)"),
            (12, Some(15), "it\n      ends with\n      code 7\n      (again)"),
            (13, Some(14), "\n      it ends\n      with\n      code 7\n      (again)"),
        ] {
            assert_eq!(wrapped(margin, width, "code 7"), expected, "{margin}, {width:?}");
        }
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_is_broken() {
        for width in [30, 40, 60] {
            let shown = format!("{:26}{}", "", wrapped(26, Some(width), &"wörd界".repeat(30)));
            assert!(shown.lines().all(|line| line.width() <= width), "{width}: {shown}");
            let letters = shown.replace(char::is_whitespace, "");
            assert_eq!(letters, format!("itendswith{}(again)", "wörd界".repeat(30)), "{width}");
        }
    }
}
