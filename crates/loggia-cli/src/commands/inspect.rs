//! `loggia inspect`: examine a server: its identity, its times, and the problems of its lists.

use std::fmt::Write;
use std::time::Duration;

use loggia::client::ServerReport;
use loggia::model::Implementation;
use serde_json::json;

use super::session::Session;
use crate::exit::Outcome;
use crate::out::{self, BOLD, DIM, GOOD, NAME, WARN};
use crate::text::{count, one_line, paragraph, wrap};

/// Columns for the names of the rows.
const NAMES: usize = 13;

/// `loggia inspect`.
pub(crate) async fn run(session: &Session<'_>, _: &[String]) -> Outcome {
    let report = session.client().inspect(|error| session.told(error)).await?;
    let problems: Vec<String> = report.problems().iter().map(|problem| session.told(problem)).collect();
    if session.json() {
        let mut json = report.to_json(session.connected_in());
        json.insert("problems", json!(problems));
        return session.print_json(&json.to_raw());
    }
    Ok(out::print(text(&report, session.connected_in(), &problems, out::width()))?)
}

fn text(report: &ServerReport, connected_in: Duration, problems: &[String], width: usize) -> String {
    let mut out = String::new();
    row(&mut out, "Server", &identity(report.identity.as_ref()));
    for (title, text) in report.facts(connected_in) {
        for (n, line) in wrap(&one_line(&text), width.saturating_sub(NAMES)).iter().enumerate() {
            row(&mut out, if n == 0 { title } else { "" }, line);
        }
    }
    if let Some(instructions) = &report.instructions {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{BOLD}Instructions{BOLD:#}");
        paragraph(&mut out, instructions, 2, width);
    }
    if problems.is_empty() {
        let _ = writeln!(out, "{GOOD}No problems found.{GOOD:#}");
    } else {
        let _ = writeln!(out, "{WARN}{}{WARN:#}", count(problems.len(), "problem"));
        problems.iter().for_each(|problem| paragraph(&mut out, problem, 2, width));
    }
    out
}

fn identity(identity: Option<&Implementation>) -> String {
    let Some(identity) = identity else { return "(not sent by the server)".to_owned() };
    let title = identity.title.as_deref().filter(|title| *title != identity.name);
    let title = title.map(|title| format!(" ({})", one_line(title))).unwrap_or_default();
    let site = identity.website_url.as_deref().map(|url| format!("  {DIM}{}{DIM:#}", one_line(url)));
    let (name, version) = (one_line(&identity.name), one_line(&identity.version));
    format!("{NAME}{name}{NAME:#} {version}{title}{}", site.unwrap_or_default())
}

fn row(out: &mut String, name: &str, value: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{BOLD}{name:<NAMES$}{BOLD:#}{value}");
}
