//! Text of several styles, broken between words to the width of a terminal. A line with escape sequences in it cannot be
//! wrapped afterwards, so the parts are kept apart until it is shown. Invariant: no line is wider than the width, whatever
//! its words.

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text::one_line;

/// Fewest columns for the text itself.
const NARROWEST: usize = 20;
/// Spaces before the lines after the first where a margin would leave too little room.
const SMALL_MARGIN: usize = 6;

/// Words, each with its style and the number of spaces before it.
#[derive(Debug, Default)]
pub(crate) struct StyledText(Vec<StyledWord>);

#[derive(Debug)]
struct StyledWord {
    gap: usize,
    style: Style,
    text: String,
}

impl StyledText {
    /// Appends the words of `text`, after one space.
    pub(crate) fn with(self, style: Style, text: &str) -> StyledText {
        self.after(1, style, text)
    }

    /// Appends the words of `text`, after `gap` spaces.
    pub(crate) fn after(mut self, gap: usize, style: Style, text: &str) -> StyledText {
        let text = one_line(text);
        for (n, word) in text.split(' ').filter(|word| !word.is_empty()).enumerate() {
            let gap = if n == 0 { gap } else { 1 };
            self.0.push(StyledWord { gap, style, text: word.to_owned() });
        }
        self
    }

    /// Returns the text after a beginning of `margin` columns, in lines of at most `width` columns; without
    /// `width` on one line. The lines after the first begin below the text.
    pub(crate) fn wrapped(&self, margin: usize, width: Option<usize>) -> String {
        let width = width.unwrap_or(usize::MAX);
        let indent = if margin + NARROWEST > width { SMALL_MARGIN } else { margin };
        let mut lines = StyledLines { text: String::new(), column: margin, is_empty: true, indent, width };
        self.0.iter().for_each(|word| lines.push(word));
        lines.text
    }
}

/// Lines that are being filled.
struct StyledLines {
    text: String,
    /// The columns of the last line that are taken.
    column: usize,
    /// Whether the last line has no word yet.
    is_empty: bool,
    /// Spaces before each line after the first.
    indent: usize,
    width: usize,
}

impl StyledLines {
    fn push(&mut self, word: &StyledWord) {
        let StyledWord { gap, style, text } = word;
        let gap = if self.is_empty { 0 } else { *gap };
        if self.column + gap + text.width() <= self.width {
            return self.append(gap, *style, text);
        }
        if !self.is_empty || self.column > self.indent {
            self.next_line();
        }
        // A word that is longer than a line is broken, too.
        let mut part = String::new();
        for c in text.chars() {
            let wide = c.width().unwrap_or(0);
            if !part.is_empty() && self.column + part.width() + wide > self.width {
                self.append(0, *style, &std::mem::take(&mut part));
                self.next_line();
            }
            part.push(c);
        }
        self.append(0, *style, &part);
    }

    fn append(&mut self, gap: usize, style: Style, text: &str) {
        self.text.push_str(&" ".repeat(gap));
        self.text.push_str(&format!("{style}{text}{style:#}"));
        self.column += gap + text.width();
        self.is_empty = false;
    }

    fn next_line(&mut self) {
        self.text.push('\n');
        self.text.push_str(&" ".repeat(self.indent));
        self.column = self.indent;
        self.is_empty = true;
    }
}

#[cfg(test)]
mod tests {
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
