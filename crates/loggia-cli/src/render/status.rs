//! The status of gateways and their connectors on a terminal. Reasons and error output come from servers: each is made
//! harmless and cut to the width of the terminal.

use std::fmt::Write;

use loggia_gateway::{ConnectorStatusText, GatewayStatusText};
use unicode_width::UnicodeWidthStr;

use crate::out::{BOLD, DIM, NAME, style_of};
use crate::text::{cut, one_line, pad, words, wrap_after};

/// Columns that a name may take before it is cut, and the part of the width.
const NAMES: usize = 24;
const NAMES_PART: usize = 3;
/// Lines of error output that are shown.
const LINES: usize = 5;

/// Returns the text about one gateway.
pub(crate) fn gateway(status: &GatewayStatusText, width: usize) -> String {
    // Writing into a String cannot fail.
    let mut out = String::new();
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}", one_line(&status.url));
    block(&mut out, &status.process, 2, width);
    let names = status.connectors.iter().map(|connector| one_line(&connector.name).width());
    let column = names.max().unwrap_or(0).min(NAMES).min(width / NAMES_PART);
    for connector in &status.connectors {
        write_connector(&mut out, connector, column, width);
    }
    out
}

fn write_connector(out: &mut String, status: &ConnectorStatusText, column: usize, width: usize) {
    let (mark, style) = (status.mark, style_of(status.role));
    let name = pad(&cut(&one_line(&status.name), column), column);
    let margin = column + 6;
    let mut lines = broken(&status.summary, width.saturating_sub(margin)).into_iter();
    let first = lines.next().unwrap_or_default();
    // Writing into a String cannot fail.
    let _ = writeln!(out, "  {style}{mark}{style:#} {NAME}{name}{NAME:#}  {first}");
    for line in lines {
        let _ = writeln!(out, "{:margin$}{line}", "");
    }
    status.reasons.iter().for_each(|reason| block(out, reason, margin, width));
    let lines = &status.error_output;
    for (line, times) in &lines[lines.len().saturating_sub(LINES)..] {
        let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
        let line = cut(&one_line(line), width.saturating_sub(margin + 2 + times.width()));
        let _ = writeln!(out, "{:margin$}{DIM}| {line}{times}{DIM:#}", "");
    }
}

/// Appends `text` in lines of at most `width` columns, each after `margin` spaces.
fn block(out: &mut String, text: &str, margin: usize, width: usize) {
    for line in broken(text, width.saturating_sub(margin)) {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{:margin$}{line}", "");
    }
}

/// Returns `text` in lines of at most `width` columns: a word that is longer than that is broken, too.
fn broken(text: &str, width: usize) -> Vec<String> {
    wrap_after("", "", &words(&one_line(text)), width.max(10), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_line_fits_the_width_and_nothing_from_outside_reaches_the_terminal() {
        let long = format!("{}{}", "word ".repeat(50), "wörd".repeat(50));
        let x = "x".repeat(90);
        let lines = ["one", "two", "three", "four", "five", &format!("six {long}\u{1b}[2J")];
        let document = json!({
            "gateway": { "url": "http://127.0.0.1:4000/mcp", "config": "team.toml", "pid": 7, "version": "1.2.3" },
            "connectors": [
                { "name": "good", "kind": "stdio", "state": "up", "tools": 3, "calls": 12, "errors": 1 },
                { "name": "a".repeat(60), "kind": "stdio", "state": "down",
                  "reason": format!("{long}\u{1b}[2J\nWARN forged"), "errorOutput": lines },
                { "name": "half", "kind": "remote", "state": "degraded", "problems": [format!("the tools {long}")] },
                { "name": "twice", "kind": "stdio", "state": "failed", "errorOutput": ["npm", "npm", x, x] },
            ],
        });
        for width in [40, 60, 100, 160] {
            let shown = gateway(&GatewayStatusText::of(&document), width);
            let shown = anstream::adapter::strip_str(&shown).to_string();
            for line in shown.lines() {
                assert!(line.width() <= width, "{width}: {line:?} has {}", line.width());
            }
            assert!(!shown.contains('\u{1b}') && !shown.contains("| one"), "{shown}");
            assert!(shown.contains("| npm (2 times)\n") && shown.contains(" (2 times)\n"), "{shown}");
            assert_eq!(shown.contains("x… (2 times)"), width < 130, "{shown}");
        }
    }
}
