//! The state of gateways and their connectors as text. Reasons and error output come from servers: each is made harmless and cut
//! to the width of the terminal.

use std::fmt::Write;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::out::{BAD, BOLD, DIM, GOOD, NAME, WARN};
use crate::text::{count, cut, one_line, pad, words, wrap_after};

/// Columns that a name may take before it is cut, and the part of the width.
const NAMES: usize = 24;
const NAMES_PART: usize = 3;
/// Lines of error output that are shown.
const LINES: usize = 5;

/// All gateways, one below the other.
pub(crate) fn gateways(all: &[Value], width: usize) -> String {
    let texts: Vec<String> = all.iter().map(|one| gateway(one, width)).collect();
    texts.join("\n")
}

fn gateway(told: &Value, width: usize) -> String {
    let mut out = String::new();
    let about = &told["gateway"];
    let config = about["config"].as_str().map(|file| format!("{}, ", one_line(file))).unwrap_or_default();
    let process = format!(
        "{config}process {}, loggia {}, up {}",
        about["pid"],
        text(&about["version"]),
        span(&about["sinceSeconds"])
    );
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}", one_line(&text(&about["url"])));
    block(&mut out, &process, 2, width);
    let connectors = told["connectors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names = connectors.iter().map(|connector| one_line(&text(&connector["name"])).width());
    let column = names.max().unwrap_or(0).min(NAMES).min(width / NAMES_PART);
    for told in connectors {
        connector(&mut out, told, column, width);
    }
    out
}

fn connector(out: &mut String, told: &Value, column: usize, width: usize) {
    let (mark, style) = match &*text(&told["state"]) {
        "up" => ("✓", GOOD),
        "connecting" => ("…", DIM),
        "degraded" => ("!", WARN),
        _ => ("✗", BAD),
    };
    let name = cut(&one_line(&text(&told["name"])), column);
    let head = column + 4;
    let mut lines = broken(&summary(told), width.saturating_sub(head + 2)).into_iter();
    let first = lines.next().unwrap_or_default();
    // Writing into a String cannot fail.
    let _ = writeln!(out, "  {style}{mark}{style:#} {NAME}{}{NAME:#}  {first}", pad(&name, column));
    for line in lines {
        let _ = writeln!(out, "{:1$}{line}", "", head + 2);
    }
    for problem in told["problems"].as_array().into_iter().flatten() {
        block(out, &text(problem), head + 2, width);
    }
    if told["state"] == "up" {
        return;
    }
    if let Some(reason) = told["reason"].as_str() {
        block(out, reason, head + 2, width);
    }
    let lines = different(told["errorOutput"].as_array().into_iter().flatten(), &text(&told["reason"]));
    for (line, times) in &lines[lines.len().saturating_sub(LINES)..] {
        let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
        let line = cut(&one_line(line), width.saturating_sub(head + 4 + times.width()));
        let _ = writeln!(out, "{:1$}{DIM}| {line}{times}{DIM:#}", "", head + 2);
    }
}

/// Returns each line of error output once, with the number of times, at the place of the last one: a process that is
/// started again and again repeats its lines. Lines that the reason quotes are left out.
fn different<'v>(lines: impl Iterator<Item = &'v Value>, reason: &str) -> Vec<(String, usize)> {
    let mut different: Vec<(String, usize)> = Vec::new();
    for line in lines.map(text) {
        if quotes(reason, line.trim()) {
            continue;
        }
        let before = different.iter().position(|(other, _)| *other == line);
        let times = before.map_or(0, |at| different.remove(at).1);
        different.push((line, times + 1));
    }
    different
}

/// Returns whether `reason` has the whole of `line`, and not as a part of a longer word.
fn quotes(reason: &str, line: &str) -> bool {
    let is_apart = |(at, line): (usize, &str)| {
        let (before, after) = (&reason[..at], &reason[at + line.len()..]);
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    };
    !line.is_empty() && reason.match_indices(line).any(is_apart)
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

/// Kind, state, lists and calls in one line.
fn summary(told: &Value) -> String {
    let since = span(&told["sinceSeconds"]);
    let state = match &*text(&told["state"]) {
        "connecting" if told["starting"]["queued"] == true => format!("waits for others to start, {since}"),
        "connecting" => format!("starting, {since}"),
        "down" => format!("down for {since}, tried again in {}", span(&told["retryInSeconds"])),
        "failed" => format!("failed {since} ago, not retried: fix the configuration and start again"),
        "degraded" => format!("up for {since}, with problems"),
        _ => format!("up for {since}"),
    };
    let mut parts = vec![text(&told["kind"]), state];
    parts.extend(told["protocolVersion"].as_str().map(str::to_owned));
    let lists = [("tools", "tool"), ("prompts", "prompt"), ("resources", "resource")];
    let lists = lists.iter().filter_map(|(key, noun)| {
        let entries = told[*key].as_u64().filter(|entries| *entries > 0)?;
        Some(count(entries as usize, noun))
    });
    let lists: Vec<String> = lists.collect();
    if !lists.is_empty() {
        let remembered = if told["remembered"] == true { " (of the last run)" } else { "" };
        parts.push(format!("{}{remembered}", lists.join(", ")));
    }
    let amount = |key: &str| told[key].as_u64().unwrap_or_default() as usize;
    if amount("calls") > 0 {
        parts.push(format!("{}, {}", count(amount("calls"), "call"), count(amount("errors"), "error")));
    }
    one_line(&parts.join("; "))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn span(seconds: &Value) -> String {
    let seconds = seconds.as_u64().unwrap_or_default();
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
    use serde_json::json;

    fn gateway_of(connectors: &Value) -> Value {
        json!({
            "gateway": { "url": "http://127.0.0.1:4000/mcp", "config": "team.toml", "pid": 7, "version": "1.2.3",
                         "sinceSeconds": 3723 },
            "connectors": connectors,
        })
    }

    #[test]
    fn every_line_fits_the_width_and_nothing_from_outside_reaches_the_terminal() {
        let long = format!("{}{}", "word ".repeat(50), "wörd".repeat(50));
        let connectors = json!([
            { "name": "good", "kind": "stdio", "state": "up", "sinceSeconds": 61, "tools": 3, "prompts": 1,
              "calls": 12, "errors": 1, "protocolVersion": "2026-07-28" },
            { "name": "a".repeat(60), "kind": "stdio", "state": "down", "sinceSeconds": 5, "retryInSeconds": 8,
              "reason": format!("{long}\u{1b}[2J\nWARN forged"),
              "errorOutput": ["one", "two", "three", "four", "five", format!("six {long}\u{1b}[2J")] },
            { "name": "half", "kind": "remote", "state": "degraded", "problems": [format!("the tools {long}")] },
            { "name": "never", "kind": "remote", "state": "failed", "sinceSeconds": 61,
              "reason": "a header cannot carry this" },
            { "name": "slow", "kind": "stdio", "state": "connecting", "sinceSeconds": 90, "remembered": true,
              "tools": 9, "starting": { "queued": false, "lastLine": "npm" }, "errorOutput": ["npm"] },
            { "name": "next", "kind": "stdio", "state": "connecting", "starting": { "queued": true } },
        ]);
        for width in [40, 60, 100, 160] {
            let shown =
                anstream::adapter::strip_str(&gateways(&[gateway_of(&connectors)], width)).to_string();
            for line in shown.lines() {
                assert!(line.width() <= width, "{width}: {line:?} has {}", line.width());
            }
            assert!(!shown.contains('\u{1b}') && !shown.contains("| one"), "{shown}");
        }
        let shown = anstream::adapter::strip_str(&gateways(&[gateway_of(&connectors)], 160)).to_string();
        for part in [
            "team.toml, process 7, loggia 1.2.3, up 1 h 2 min",
            "stdio; up for 1 min 1 s; 2026-07-28; 3 tools, 1 prompt; 12 calls, 1 error",
            "stdio; down for 5 s, tried again in 8 s",
            "remote; up for 0 s, with problems",
            "remote; failed 1 min 1 s ago, not retried: fix the configuration and start again",
            "stdio; starting, 1 min 30 s; 9 tools (of the last run)",
            "| npm",
            "stdio; waits for others to start, 0 s",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    #[test]
    fn a_line_of_error_output_is_shown_once() {
        type Case = (&'static [&'static str], &'static str, &'static [(&'static str, usize)]);
        let cases: [Case; 5] = [
            (&["a", "b"], "", &[("a", 1), ("b", 1)]),
            (&["a", "b", "a", "b", "a"], "", &[("b", 2), ("a", 3)]),
            (&["npm ERR! 404", "b"], "it ended with code 1: npm ERR! 404", &[("b", 1)]),
            (&["", "a", ""], "reason", &[("a", 1), ("", 2)]),
            (&[], "reason", &[]),
        ];
        for (lines, reason, expected) in cases {
            let lines: Vec<Value> = lines.iter().map(|line| Value::from(*line)).collect();
            let shown = different(lines.iter(), reason);
            let shown: Vec<(&str, usize)> = shown.iter().map(|(line, times)| (&**line, *times)).collect();
            assert_eq!(shown, expected, "{lines:?}, {reason}");
        }
        let connectors = json!([{ "name": "a", "kind": "stdio", "state": "down",
            "errorOutput": ["one", "two", "one", "two", "three", "x".repeat(90), "x".repeat(90)] }]);
        let shown = anstream::adapter::strip_str(&gateways(&[gateway_of(&connectors)], 60)).to_string();
        let lines: Vec<&str> =
            shown.lines().filter_map(|line| line.trim_start().strip_prefix("| ")).collect();
        assert_eq!(lines[..3], ["one (2 times)", "two (2 times)", "three"], "{shown}");
        assert!(lines[3].ends_with("… (2 times)") && shown.lines().all(|line| line.width() <= 60), "{shown}");
    }
}
