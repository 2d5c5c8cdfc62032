//! The findings as a SARIF 2.1.0 log, which code scanning services read.
//!
//! Places are logical locations (SARIF, section 3.33): a JSON Pointer has no line.

use serde_json::{Value, json};

use super::finding::LintFinding;
use super::rules::LINT_RULES;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn log(findings: &[LintFinding], target: &str) -> Value {
    let rules = LINT_RULES.iter().map(|rule| {
        json!({
            "id": rule.id,
            "shortDescription": { "text": rule.summary },
            "fullDescription": { "text": format!("{} Source: {}.", rule.reason, rule.source) },
            "help": { "text": rule.fix },
            "defaultConfiguration": { "level": rule.severity.as_str() },
        })
    });
    let results = findings.iter().map(|finding| {
        let index = LINT_RULES.iter().position(|rule| rule.id == finding.rule.id);
        json!({
            "ruleId": finding.rule.id,
            "ruleIndex": index,
            "level": finding.rule.severity.as_str(),
            "message": { "text": format!("{}: {}. {}", finding.subject, finding.message, finding.rule.fix) },
            "locations": [{
                "physicalLocation": { "artifactLocation": { "uri": target } },
                "logicalLocations": [{ "name": finding.subject, "fullyQualifiedName": finding.pointer }],
            }],
        })
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "loggia lint",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": "https://github.com/loggia/loggia",
                "rules": rules.collect::<Vec<_>>(),
            } },
            "results": results.collect::<Vec<_>>(),
        }],
    })
}
