//! The linter: rules of directories, clients, model vendors and the specification about the lists of a server.
//!
//! A server can follow the protocol and still be refused by a directory, or break a client that sends its schemas to a
//! model. Authors and administrators see it here before their users do. Each rule says its source and its fix.
//!
//! Invariant: a check is a function of the lists alone. It opens no connection and reads no file.
//!
//! ```
//! use loggia_connect::lint::{LintFilter, ServerDocument, lint};
//!
//! let document = ServerDocument::parse(r#"{"tools": [{"name": "get_page", "inputSchema": {}}]}"#)?;
//! let report = lint(&document, &LintFilter::default());
//! assert!(report.findings().iter().any(|finding| finding.rule.id == "schema-root-object"));
//! let fixed = report.fixed(&document);
//! let report = lint(&fixed, &LintFilter::default());
//! assert!(report.findings().iter().all(|finding| finding.rule.id != "schema-root-object"));
//! # Ok::<(), String>(())
//! ```

mod dialects;
mod document;
mod edit;
mod finding;
mod hints;
mod lists;
mod names;
mod report;
mod rules;
mod sarif;
mod saved;
mod schema_tree;
mod schemas;
mod texts;

pub use document::ServerDocument;
pub use edit::JsonEdit;
pub use finding::{LintFinding, LintRule, LintSeverity};
pub use report::{LintFilter, LintReport, lint, rule_page, rule_table};
pub use rules::{LINT_RULES, rule};
