//! Reports in the colours of their roles, broken between words to the width of a terminal. Invariant: no line is wider than
//! the width, whatever its words.

use loggia_gateway::report_text::ReportText;

use crate::out::paint;
use crate::text::wrap_after;

/// Fewest columns for the text itself.
const NARROWEST: usize = 20;
/// Spaces before the lines after the first where a margin would leave too little room.
const SMALL_MARGIN: usize = 6;

/// Returns the text after a beginning of `margin` columns, in lines of at most `width` columns; without `width` on one
/// line. The lines after the first begin below the text.
pub(crate) fn wrapped(text: &ReportText, margin: usize, width: Option<usize>) -> String {
    let text = paint(text);
    let Some(width) = width else { return text };
    let indent = if margin + NARROWEST > width { SMALL_MARGIN } else { margin };
    let (first, indent) = (" ".repeat(margin), " ".repeat(indent));
    let mut lines = wrap_after(&first, &indent, &text, width, true);
    if let Some(line) = lines.first_mut() {
        *line = line.get(margin..).unwrap_or_default().to_owned();
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use loggia_gateway::report_text::TextRole;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn shown(margin: usize, width: Option<usize>, long: &str) -> String {
        let text = ReportText::default().words(TextRole::Bad, &format!("it ends\nwith {long}"));
        let text = text.plain("  ").with(TextRole::Warning, "(again)");
        anstream::adapter::strip_str(&wrapped(&text, margin, width)).to_string()
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
            assert_eq!(shown(margin, width, "code 7"), expected, "{margin}, {width:?}");
        }
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_is_broken() {
        for width in [30, 40, 60] {
            let shown = format!("{:26}{}", "", shown(26, Some(width), &"wörd界".repeat(30)));
            assert!(shown.lines().all(|line| line.width() <= width), "{width}: {shown}");
            let letters = shown.replace(char::is_whitespace, "");
            assert_eq!(letters, format!("itendswith{}(again)", "wörd界".repeat(30)), "{width}");
        }
    }
}
