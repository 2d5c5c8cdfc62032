//! The findings of a server, as text and as JSON, and the rules as text.

use std::fmt::{self, Write as _};

use loggia::wire::text::escape_line;
use serde_json::{Value, json};

use super::document::ServerDocument;
use super::finding::{FindingList, LintFinding, LintRule, LintSeverity};
use super::rules::{LINT_RULES, rule};
use super::sarif;

/// The findings of one rule that the text shows.
const MAX_SHOWN: usize = 10;

/// The rules that are checked.
#[derive(Debug, Clone, Default)]
pub struct LintFilter {
    only: Vec<&'static str>,
    ignored: Vec<&'static str>,
    severity: Option<LintSeverity>,
}

impl LintFilter {
    /// Creates a filter: only the rules `only`, all if it is empty; none of `ignored`; none below `severity`. The error
    /// names an unknown rule.
    pub fn new(
        only: &[String],
        ignored: &[String],
        severity: Option<LintSeverity>,
    ) -> Result<LintFilter, String> {
        let ids = |names: &[String]| -> Result<Vec<&'static str>, String> {
            let id = |name: &String| {
                rule(name).map(|rule| rule.id).ok_or_else(|| format!("there is no rule {name:?}"))
            };
            names.iter().map(id).collect()
        };
        Ok(LintFilter { only: ids(only)?, ignored: ids(ignored)?, severity })
    }

    fn includes(&self, rule: &LintRule) -> bool {
        (self.only.is_empty() || self.only.contains(&rule.id))
            && !self.ignored.contains(&rule.id)
            && self.severity.is_none_or(|least| rule.severity >= least)
    }
}

/// The findings of a server, in the order of the rules.
#[derive(Debug, Clone, Default)]
pub struct LintReport {
    findings: Vec<LintFinding>,
}

/// Checks the rules that `filter` includes.
pub fn lint(document: &ServerDocument, filter: &LintFilter) -> LintReport {
    let rules = LINT_RULES.iter().filter(|rule| filter.includes(rule));
    LintReport { findings: rules.flat_map(|rule| FindingList::of(rule, document)).collect() }
}

impl LintReport {
    /// Returns the findings.
    pub fn findings(&self) -> &[LintFinding] {
        &self.findings
    }

    /// Returns `document` with the fixes of the findings that have one.
    pub fn fixed(&self, document: &ServerDocument) -> ServerDocument {
        document.edited(self.findings.iter().flat_map(|finding| &finding.edits))
    }

    /// Returns whether a finding is at least as severe as `least`.
    pub fn has(&self, least: LintSeverity) -> bool {
        self.findings.iter().any(|finding| finding.rule.severity >= least)
    }

    /// Returns the number of findings of each rule that has some, in the order of the rules.
    pub fn counts(&self) -> Vec<(&'static LintRule, usize)> {
        let mut counts: Vec<(&'static LintRule, usize)> = Vec::new();
        for finding in &self.findings {
            match counts.last_mut() {
                Some((rule, count)) if rule.id == finding.rule.id => *count += 1,
                _ => counts.push((finding.rule, 1)),
            }
        }
        counts
    }

    /// Returns the report as JSON.
    pub fn to_json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| {
            json!({
                "rule": finding.rule.id, "severity": finding.rule.severity.as_str(), "subject": finding.subject,
                "pointer": finding.pointer, "message": finding.message, "reason": finding.rule.reason,
                "source": finding.rule.source, "fix": finding.rule.fix, "isFixable": !finding.edits.is_empty(),
            })
        });
        let of = |severity| self.findings.iter().filter(|finding| finding.rule.severity == severity).count();
        json!({
            "findings": findings.collect::<Vec<_>>(),
            "errors": of(LintSeverity::Error), "warnings": of(LintSeverity::Warning), "notes": of(LintSeverity::Note),
        })
    }

    /// Returns the report as a SARIF 2.1.0 log. `target` is the checked file or server, as a URI.
    pub fn to_sarif(&self, target: &str) -> Value {
        sarif::log(&self.findings, target)
    }
}

impl fmt::Display for LintReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = self.counts();
        counts.sort_by_key(|(rule, _)| std::cmp::Reverse(rule.severity));
        for (rule, count) in &counts {
            writeln!(f, "{} {}: {}", rule.severity, rule.id, rule.summary)?;
            let places = self.findings.iter().filter(|finding| finding.rule.id == rule.id);
            for finding in places.take(MAX_SHOWN) {
                writeln!(f, "  {}: {}", escape_line(&finding.subject), escape_line(&finding.message))?;
            }
            if *count > MAX_SHOWN {
                writeln!(f, "  and {} more", count - MAX_SHOWN)?;
            }
            writeln!(f, "  Why: {}", rule.reason)?;
            writeln!(f, "  Fix: {}\n", rule.fix)?;
        }
        let of = |severity| self.findings.iter().filter(|finding| finding.rule.severity == severity).count();
        let (errors, warnings, notes) =
            (of(LintSeverity::Error), of(LintSeverity::Warning), of(LintSeverity::Note));
        writeln!(f, "errors: {errors}, warnings: {warnings}, notes: {notes}")
    }
}

/// Returns the table of all rules in Markdown, as the documentation has it.
pub fn rule_table() -> String {
    let mut table = String::from("| rule | severity | demand | reason | source |\n|---|---|---|---|---|\n");
    let cell = |text: &str| text.replace('|', "\\|");
    for rule in LINT_RULES {
        // Writing into a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} |",
            rule.id,
            rule.severity,
            cell(rule.summary),
            cell(rule.reason),
            cell(rule.source)
        );
    }
    table
}

/// Returns one rule in full, as text.
pub fn rule_page(rule: &LintRule) -> String {
    let LintRule { id, severity, summary, reason, source, fix, .. } = rule;
    format!("{id} ({severity})\n{summary}\n\nWhy: {reason}\nFix: {fix}\nSource: {source}\n")
}
