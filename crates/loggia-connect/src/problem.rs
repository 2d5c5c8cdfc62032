//! Problems in a file that a person wrote: the place, and the correct form. The readers of `loggia.toml` and of connector
//! manifests share them.
//!
//! Invariant: the functions here quote names of keys and choices, never a value.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::secret::Location;

/// The number of characters of a name among which one may be wrong.
const CHARACTERS_PER_FAULT: usize = 5;
/// Names that are shorter are not compared, because each resembles every other short name.
const SHORTEST: usize = 3;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place; `None` if the file could not be read at all.
    pub location: Option<Location>,
    /// The problem, and the correct form.
    pub message: String,
}

/// Writes problems, one on each line.
pub(crate) fn write_problems(f: &mut fmt::Formatter<'_>, problems: &[Problem]) -> fmt::Result {
    for (n, Problem { location, message }) in problems.iter().enumerate() {
        let line_break = if n > 0 { "\n" } else { "" };
        match location {
            Some(location) => write!(f, "{line_break}{location}: {message}")?,
            None => write!(f, "{line_break}{message}")?,
        }
    }
    Ok(())
}

/// Returns the place of a part of `text`, which is the content of `file`.
pub(crate) fn locate(text: &str, file: &Arc<str>, span: &Range<usize>) -> Location {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Location {
        file: Arc::clone(file),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// Returns "did you mean 'x'?" with the one of `known` that `name` was meant to be, or else a text that lists `known`.
pub(crate) fn nearest(name: &str, known: &[&str]) -> String {
    match similar(name, known) {
        Some(known) => format!("did you mean '{known}'?"),
        None => format!("it is one of {}", known.join(", ")),
    }
}

/// Returns the one of `known` that `name` was meant to be. One character may be wrong, missing or too much, or two may be
/// swapped, for each five; or one of the two has further words at its end.
fn similar<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    if name.chars().count() < SHORTEST {
        return None;
    }
    let name = name.to_lowercase().replace('-', "_");
    let most = (name.len() / CHARACTERS_PER_FAULT).max(1);
    let scored = known.iter().map(|known| (strsim::damerau_levenshtein(&name, known), *known));
    let best = scored.filter(|(faults, _)| *faults <= most).min_by_key(|(faults, _)| *faults);
    let begins = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'));
    let mut longer = known.iter().filter(|known| begins(known, &name) || begins(&name, known));
    best.map(|(_, known)| known).or_else(|| longer.next().copied())
}

/// Keys of other programs, and ours for the same thing.
const OTHER_KEYS: [(&str, &str); 18] = [
    ("type", "kind"),
    ("transporttype", "kind"),
    ("mcpservers", "connectors"),
    ("servers", "connectors"),
    ("cmd", "command"),
    ("program", "command"),
    ("arguments", "args"),
    ("environment", "env"),
    ("envs", "env"),
    ("workingdirectory", "cwd"),
    ("directory", "cwd"),
    ("serverurl", "url"),
    ("httpurl", "url"),
    ("uri", "url"),
    ("endpoint", "url"),
    ("httpheaders", "headers"),
    ("requestinit", "headers"),
    ("disabled", "enabled"),
];

/// Returns the known key that an unknown one stands for: its name in other programs, or a similar name.
pub(crate) fn meant(unknown: &str, known: &[&str]) -> String {
    let plain = unknown.replace(['_', '-'], "").to_lowercase();
    let other = OTHER_KEYS.iter().find(|(other, key)| *other == plain && known.contains(key));
    match other {
        Some((_, key)) => format!("did you mean '{key}'?"),
        None => nearest(unknown, known),
    }
}

/// Returns the message of an error of serde or the TOML parser without Rust's types and without the value. Messages about
/// the syntax stay.
pub(crate) fn toml_message(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let names: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        if let Some((unknown, known)) = names.split_first() {
            return format!("there is no key '{unknown}' here; {}", meant(unknown, known));
        }
    }
    let invalid = message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "));
    if let Some((found, expected)) = invalid {
        return format!("this is {}, and {} is needed", toml_type(found), rust_type(expected));
    }
    message.trim_end().replace('\n', ", ")
}

fn toml_type(found: &str) -> &'static str {
    let types = [
        ("string", "a string"),
        ("integer", "a number"),
        ("float", "a number"),
        ("boolean", "true or false"),
        ("sequence", "a list"),
        ("map", "a table"),
    ];
    types.iter().find(|(serde, _)| found.starts_with(serde)).map_or("of another type", |(_, words)| words)
}

fn rust_type(expected: &str) -> &str {
    match expected {
        "a boolean" => "true or false",
        "a sequence" => "a list in square brackets",
        other if other.starts_with("struct ") => "a table in braces or under a [heading]",
        "a map" => "a table in braces or under a [heading]",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::similar;

    #[test]
    fn a_key_is_suggested_only_if_it_was_meant() {
        let connector =
            ["kind", "enabled", "prefix", "timeout", "tools", "protocol", "command", "args", "env"];
        let more = [
            "cwd",
            "start_timeout",
            "url",
            "headers",
            "transport",
            "credentials",
            "api_key",
            "issuer",
            "name",
        ];
        let known = [&connector[..], &more[..]].concat();
        for (name, expected) in [
            ("comand", Some("command")),
            ("commmand", Some("command")),
            ("Command", Some("command")),
            ("kidn", Some("kind")),
            ("arg", Some("args")),
            ("arsg", Some("args")),
            ("urls", Some("url")),
            ("uri", Some("url")),
            ("header", Some("headers")),
            ("transprot", Some("transport")),
            ("timout", Some("timeout")),
            ("start-timeout", Some("start_timeout")),
            ("starttimeout", Some("start_timeout")),
            ("start", Some("start_timeout")),
            ("apikey", Some("api_key")),
            ("tool", Some("tools")),
            ("url_template", Some("url")),
            ("enable", Some("enabled")),
            // Jaro-Winkler takes each of these for a key: they share letters and a beginning.
            ("comment", None),
            ("protect", None),
            ("transform", None),
            ("pretty", None),
            ("times", None),
            ("and", None),
            ("end", Some("env")),
            ("description", None),
            ("x", None),
            ("zz", None),
            ("", None),
        ] {
            assert_eq!(similar(name, &known), expected, "{name}");
        }
    }
}
