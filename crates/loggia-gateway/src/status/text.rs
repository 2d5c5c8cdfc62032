//! The status of a gateway in words, made of its JSON document: the document may come from another version of Loggia, so each
//! member may be absent. Invariant: what a server wrote is not shortened and not made safe here, because only the
//! front end knows how much it can show.

use serde_json::Value;

use crate::report_text::{TextRole, count, exact_duration};

/// The status of one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayStatusText {
    /// The URL of the gateway, or `stdio`.
    pub url: String,
    /// The configuration file and the process.
    pub process: String,
    /// Its connectors.
    pub connectors: Vec<ConnectorStatusText>,
}

/// The status of one connector.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectorStatusText {
    /// The name.
    pub name: String,
    /// A character that stands for the state.
    pub mark: &'static str,
    /// The role of the mark.
    pub role: TextRole,
    /// The kind, the state, the lists and the calls in one line.
    pub summary: String,
    /// The problems, and the reason why it is not up.
    pub reasons: Vec<String>,
    /// The lines of its error output if it is not up, each once and with the number of times, without those that the
    /// reason quotes.
    pub error_output: Vec<(String, usize)>,
}

impl GatewayStatusText {
    /// Reads the document of one gateway.
    pub fn of(document: &Value) -> GatewayStatusText {
        let about = &document["gateway"];
        let config = about["config"].as_str().map(|file| format!("{file}, ")).unwrap_or_default();
        let (version, up) = (text(&about["version"]), duration(&about["sinceSeconds"]));
        GatewayStatusText {
            url: text(&about["url"]),
            process: format!("{config}process {}, loggia {version}, up {up}", about["pid"]),
            connectors: items(&document["connectors"]).iter().map(ConnectorStatusText::of).collect(),
        }
    }
}

impl ConnectorStatusText {
    fn of(connector: &Value) -> ConnectorStatusText {
        let state = text(&connector["state"]);
        let (mark, role) = match &*state {
            "up" => ("✓", TextRole::Good),
            "connecting" => ("…", TextRole::Detail),
            "degraded" => ("!", TextRole::Warning),
            _ => ("✗", TextRole::Bad),
        };
        let mut reasons: Vec<String> = items(&connector["problems"]).iter().map(text).collect();
        let mut error_output = Vec::new();
        if state != "up" {
            let reason = connector["reason"].as_str();
            reasons.extend(reason.map(str::to_owned));
            error_output =
                distinct(items(&connector["errorOutput"]).iter().map(text), reason.unwrap_or_default());
        }
        let (name, summary) = (text(&connector["name"]), summary(connector, &state));
        ConnectorStatusText { name, mark, role, summary, reasons, error_output }
    }
}

fn summary(connector: &Value, state: &str) -> String {
    let since = duration(&connector["sinceSeconds"]);
    let state = match state {
        "connecting" if connector["starting"]["queued"] == true => {
            format!("waits for others to start, {since}")
        }
        "connecting" => format!("starting, {since}"),
        "down" => format!("down for {since}, tried again in {}", duration(&connector["retryInSeconds"])),
        "failed" => format!("failed {since} ago, not retried: fix the configuration and start again"),
        "degraded" => format!("up for {since}, with problems"),
        _ => format!("up for {since}"),
    };
    let amount = |key: &str| connector[key].as_u64().unwrap_or_default() as usize;
    let mut parts = vec![text(&connector["kind"]), state];
    parts.extend(connector["protocolVersion"].as_str().map(str::to_owned));
    let lists = [("tools", "tool"), ("prompts", "prompt"), ("resources", "resource")];
    let lists = lists.into_iter().filter(|(key, _)| amount(key) > 0);
    let lists: Vec<String> = lists.map(|(key, noun)| count(amount(key), noun)).collect();
    if !lists.is_empty() {
        let remembered = if connector["remembered"] == true { " (of the last run)" } else { "" };
        parts.push(format!("{}{remembered}", lists.join(", ")));
    }
    if amount("deferredTools") > 0 {
        let name = text(&connector["name"]);
        parts.push(format!("{} deferred: `loggia tools {name}` lists all", amount("deferredTools")));
    }
    if amount("calls") > 0 {
        parts.push(format!("{}, {}", count(amount("calls"), "call"), count(amount("errors"), "error")));
    }
    parts.join("; ")
}

/// Returns each line once, with the number of times, at the place of the last one: a process that is started again and
/// again repeats its lines. Lines that the reason quotes are left out.
fn distinct(lines: impl Iterator<Item = String>, reason: &str) -> Vec<(String, usize)> {
    let mut distinct: Vec<(String, usize)> = Vec::new();
    for line in lines.filter(|line| !quotes(reason, line.trim())) {
        let before = distinct.iter().position(|(other, _)| *other == line);
        let times = before.map_or(0, |at| distinct.remove(at).1);
        distinct.push((line, times + 1));
    }
    distinct
}

/// Returns whether `reason` has the whole of `line`, and not as a part of a longer word.
fn quotes(reason: &str, line: &str) -> bool {
    let is_apart = |(at, line): (usize, &str)| {
        let (before, after) = (&reason[..at], &reason[at + line.len()..]);
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    };
    !line.is_empty() && reason.match_indices(line).any(is_apart)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn duration(seconds: &Value) -> String {
    exact_duration(seconds.as_u64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_told_in_words() {
        for (connector, mark, summary, reasons) in [
            (
                json!({ "kind": "stdio", "state": "up", "sinceSeconds": 61, "tools": 3, "prompts": 1, "calls": 12,
                        "errors": 1, "protocolVersion": "2026-07-28", "reason": "an old one" }),
                "✓",
                "stdio; up for 1 min 1 s; 2026-07-28; 3 tools, 1 prompt; 12 calls, 1 error",
                &[][..],
            ),
            (
                json!({ "name": "acme", "kind": "stdio", "state": "up", "sinceSeconds": 5, "tools": 3, "deferredTools": 2 }),
                "✓",
                "stdio; up for 5 s; 3 tools; 2 deferred: `loggia tools acme` lists all",
                &[],
            ),
            (
                json!({ "kind": "stdio", "state": "down", "sinceSeconds": 5, "retryInSeconds": 8, "reason": "r" }),
                "✗",
                "stdio; down for 5 s, tried again in 8 s",
                &["r"],
            ),
            (
                json!({ "kind": "remote", "state": "degraded", "problems": ["the tools", "the prompts"] }),
                "!",
                "remote; up for 0 s, with problems",
                &["the tools", "the prompts"],
            ),
            (
                json!({ "kind": "remote", "state": "failed", "sinceSeconds": 61 }),
                "✗",
                "remote; failed 1 min 1 s ago, not retried: fix the configuration and start again",
                &[],
            ),
            (
                json!({ "kind": "stdio", "state": "connecting", "sinceSeconds": 90, "remembered": true, "tools": 9,
                        "starting": { "queued": false, "lastLine": "npm" } }),
                "…",
                "stdio; starting, 1 min 30 s; 9 tools (of the last run)",
                &[],
            ),
            (
                json!({ "kind": "stdio", "state": "connecting", "starting": { "queued": true } }),
                "…",
                "stdio; waits for others to start, 0 s",
                &[],
            ),
        ] {
            let shown = ConnectorStatusText::of(&connector);
            assert_eq!((shown.mark, &*shown.summary), (mark, summary));
            assert_eq!(shown.reasons, reasons, "{summary}");
        }
        let about = json!({ "url": "http://127.0.0.1:4000/mcp", "config": "team.toml", "pid": 7,
                            "version": "1.2.3", "sinceSeconds": 3723 });
        let shown = GatewayStatusText::of(&json!({ "gateway": about }));
        assert_eq!(shown.process, "team.toml, process 7, loggia 1.2.3, up 1 h 2 min");
    }

    #[test]
    fn a_line_of_error_output_is_told_once() {
        type Case = (&'static [&'static str], &'static str, &'static [(&'static str, usize)]);
        let cases: [Case; 5] = [
            (&["a", "b"], "", &[("a", 1), ("b", 1)]),
            (&["a", "b", "a", "b", "a"], "", &[("b", 2), ("a", 3)]),
            (&["npm ERR! 404", "b"], "it ended with code 1: npm ERR! 404", &[("b", 1)]),
            (&["", "a", ""], "reason", &[("a", 1), ("", 2)]),
            (&[], "reason", &[]),
        ];
        for (lines, reason, expected) in cases {
            let shown = distinct(lines.iter().map(|line| (*line).to_owned()), reason);
            let shown: Vec<(&str, usize)> = shown.iter().map(|(line, times)| (&**line, *times)).collect();
            assert_eq!(shown, expected, "{lines:?}, {reason}");
        }
    }
}
