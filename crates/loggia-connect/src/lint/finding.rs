//! Rules, and the places where a server does not follow them.

use std::fmt;
use std::str::FromStr;

use super::document::{DocumentEntry, ServerDocument};
use super::edit::JsonEdit;

/// The weight of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LintSeverity {
    /// An improvement for some clients.
    Note,
    /// Some clients or models do worse with it.
    Warning,
    /// A directory refuses the server, or a client cannot use it.
    Error,
}

impl LintSeverity {
    /// All severities, the lightest first.
    pub const ALL: [LintSeverity; 3] = [LintSeverity::Note, LintSeverity::Warning, LintSeverity::Error];

    /// Returns the name, which is also the level of SARIF.
    pub fn as_str(self) -> &'static str {
        match self {
            LintSeverity::Note => "note",
            LintSeverity::Warning => "warning",
            LintSeverity::Error => "error",
        }
    }
}

impl fmt::Display for LintSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LintSeverity {
    type Err = String;

    fn from_str(text: &str) -> Result<LintSeverity, String> {
        let found = LintSeverity::ALL.into_iter().find(|severity| severity.as_str() == text);
        found.ok_or_else(|| "expected note, warning or error".to_owned())
    }
}

/// One rule.
#[derive(Debug)]
pub struct LintRule {
    /// The identifier, which stays.
    pub id: &'static str,
    /// The weight.
    pub severity: LintSeverity,
    /// The rule as a sentence.
    pub summary: &'static str,
    /// The reason: what happens otherwise, and to which clients.
    pub reason: &'static str,
    /// The place that states the rule.
    pub source: &'static str,
    /// The next step.
    pub fix: &'static str,
    pub(super) check: fn(&ServerDocument, &mut FindingList),
}

/// A place where the server does not follow a rule.
#[derive(Debug, Clone)]
pub struct LintFinding {
    /// The rule.
    pub rule: &'static LintRule,
    /// The entry in words, for example ``tool `search` ``.
    pub subject: String,
    /// The JSON Pointer of the place in the document.
    pub pointer: String,
    /// The finding as a sentence without its subject.
    pub message: String,
    /// The changes that fix it; empty if a person has to decide.
    pub edits: Vec<JsonEdit>,
}

/// The findings of one rule, while it is checked.
pub(super) struct FindingList {
    rule: &'static LintRule,
    findings: Vec<LintFinding>,
}

impl FindingList {
    pub(super) fn of(rule: &'static LintRule, document: &ServerDocument) -> Vec<LintFinding> {
        let mut list = FindingList { rule, findings: Vec::new() };
        (rule.check)(document, &mut list);
        list.findings
    }

    /// Adds a finding that a person has to fix, at a member of an entry; at the entry if the member is absent.
    pub(super) fn add(&mut self, entry: &DocumentEntry<'_>, member: &str, message: impl Into<String>) {
        let is_there = entry.value.get(member).is_some();
        let pointer = if is_there { entry.at(member) } else { entry.pointer.clone() };
        self.add_at(&entry.subject, pointer, message, Vec::new());
    }

    /// Adds a finding at a place, with the changes that fix it.
    pub(super) fn add_at(
        &mut self,
        subject: &str,
        pointer: String,
        message: impl Into<String>,
        edits: Vec<JsonEdit>,
    ) {
        let (rule, subject, message) = (self.rule, subject.to_owned(), message.into());
        self.findings.push(LintFinding { rule, subject, pointer, message, edits });
    }
}
