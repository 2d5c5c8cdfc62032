//! Errors of a configuration file, for its author: the place, the problem, and the correct form. A message never quotes a value,
//! because the value may be a secret in the wrong place.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::raw::Texts;
use crate::secret::{Location, MissingVariable, Template};

/// Characters of a name for which one may be wrong.
const CHARACTERS_PER_FAULT: usize = 5;
/// Length of a name below which it resembles every other short one.
const SHORTEST: usize = 3;

/// A configuration file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFileError {
    /// The problems, in order of place; at least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place; `None` if the file could not be read at all.
    pub location: Option<Location>,
    /// The problem, and the correct form.
    pub message: String,
}

/// Why a connector cannot be started from what the configuration file and the environment say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveError {
    /// A variable is not set.
    Missing(MissingVariable),
    /// With the variables filled in, the value is not what it must be.
    Bad {
        /// The place of the value.
        location: Location,
        /// The requirement that the value violates.
        reason: &'static str,
    },
}

impl ConfigFileError {
    pub(super) fn unreadable(file: &Path, reason: &dyn fmt::Display) -> ConfigFileError {
        let message = format!("the configuration file {} cannot be read: {reason}", file.display());
        ConfigFileError { problems: vec![Problem { location: None, message }] }
    }
}

impl std::error::Error for ConfigFileError {}

impl fmt::Display for ConfigFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, Problem { location, message }) in self.problems.iter().enumerate() {
            let line_break = if n > 0 { "\n" } else { "" };
            match location {
                Some(location) => write!(f, "{line_break}{location}: {message}")?,
                None => write!(f, "{line_break}{message}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ResolveError {}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Missing(missing) => missing.fmt(f),
            ResolveError::Bad { location, reason } => write!(f, "{location}: {reason}"),
        }
    }
}

impl From<MissingVariable> for ResolveError {
    fn from(missing: MissingVariable) -> ResolveError {
        ResolveError::Missing(missing)
    }
}

/// The findings of reading one text: problems, and the templates in it.
pub(super) struct Problems<'t> {
    text: &'t str,
    file: Arc<str>,
    pub(super) templates: Vec<Template>,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str, file: &str) -> Problems<'t> {
        Problems { text, file: file.into(), templates: Vec::new(), found: Vec::new() }
    }

    /// Notes a problem, and gives nothing, which is what there is to go on with.
    pub(super) fn add<T>(&mut self, span: Range<usize>, message: impl Into<String>) -> Option<T> {
        let location = Some(self.location(span));
        self.found.push(Problem { location, message: message.into() });
        None
    }

    /// Adds an error of serde or of the TOML parser.
    pub(super) fn add_toml(&mut self, error: &toml::de::Error, span: Option<Range<usize>>) {
        let span = error.span().or(span).unwrap_or(0..0);
        self.add::<()>(span, in_our_words(error.message()));
    }

    /// Parses a template and keeps it; a text that is none is a problem.
    pub(super) fn template(&mut self, text: Spanned<String>) -> Option<Template> {
        let span = text.span();
        match Template::parse(text.into_inner(), self.location(span.clone())) {
            Ok(template) => {
                self.templates.push(template.clone());
                Some(template)
            }
            Err(message) => self.add(span, message),
        }
    }

    /// Reads the texts of a table as templates. A text that is no template is a problem, and is left out.
    pub(super) fn templates(&mut self, texts: Texts) -> BTreeMap<String, Template> {
        let named = texts.into_iter();
        named.filter_map(|(name, text)| Some((name.into_inner(), self.template(text)?))).collect()
    }

    pub(super) fn location(&self, span: Range<usize>) -> Location {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Location {
            file: Arc::clone(&self.file),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// `value`, if nothing is wrong.
    pub(super) fn unless_any<T>(mut self, value: T) -> Result<T, ConfigFileError> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by(|a, b| a.location.cmp(&b.location));
        Err(ConfigFileError { problems: self.found })
    }
}

/// Returns "did you mean 'x'?" with the one of `known` that `name` was meant to be, or else a text that lists `known`.
pub(super) fn nearest(name: &str, known: &[&str]) -> String {
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

/// The key that is meant by one that is unknown: by its name in other programs, or by its looks.
fn meant(unknown: &str, known: &[&str]) -> String {
    let plain = unknown.replace(['_', '-'], "").to_lowercase();
    let other = OTHER_KEYS.iter().find(|(other, key)| *other == plain && known.contains(key));
    match other {
        Some((_, key)) => format!("did you mean '{key}'?"),
        None => nearest(unknown, known),
    }
}

/// serde's sentences name Rust's types and quote the value; these do not. Others are the TOML parser's own,
/// about the syntax, and stay.
fn in_our_words(message: &str) -> String {
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
