//! `loggia inspect`: what a server is, how fast it answers, and what is wrong with what it lists.

use std::fmt::Write;
use std::time::Duration;

use loggia::client::{ListReport, ServerReport};
use loggia::model::{Implementation, ServerCapabilities};
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
    row(&mut out, "Era", &format!("{}, revision {}", report.era(), report.version));
    if report.supported_versions.len() > 1 {
        row(&mut out, "Speaks", &report.supported_versions.join(", "));
    }
    let ping = match &report.ping {
        Ok(took) => format!("ping {}", ms(*took)),
        Err(why) => format!("ping failed: {why}"),
    };
    row(&mut out, "Timing", &format!("connected in {}, {ping}", ms(connected_in)));
    long_row(&mut out, "Offers", &offers(&report.capabilities), width);
    let lists = [
        list_text("tool", report.tools.as_ref()),
        list_text("prompt", report.prompts.as_ref()),
        list_text("resource", report.resources.as_ref()),
        list_text("template", report.templates.as_ref()),
    ];
    long_row(&mut out, "Lists", &lists.into_iter().flatten().collect::<Vec<_>>().join(", "), width);
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

/// A row whose value may take several lines. It must be plain text.
fn long_row(out: &mut String, name: &str, value: &str, width: usize) {
    for (n, line) in wrap(value, width.saturating_sub(NAMES)).iter().enumerate() {
        row(out, if n == 0 { name } else { "" }, line);
    }
}

fn list_text<T>(noun: &str, list: Option<&ListReport<T>>) -> Option<String> {
    let ListReport { listing, took, .. } = list?;
    Some(match listing {
        Ok(listing) => format!("{} in {}", count(listing.entries.len(), noun), ms(*took)),
        Err(why) => format!("{noun}s cannot be listed: {}", one_line(why)),
    })
}

fn offers(capabilities: &ServerCapabilities) -> String {
    let with = |name: &str, details: &[(Option<bool>, &str)]| {
        let details: Vec<&str> =
            details.iter().filter(|(on, _)| *on == Some(true)).map(|(_, what)| *what).collect();
        if details.is_empty() { name.to_owned() } else { format!("{name} ({})", details.join(", ")) }
    };
    const CHANGES: &str = "announces changes";
    let mut offers = Vec::new();
    if let Some(tools) = &capabilities.tools {
        offers.push(with("tools", &[(tools.list_changed, CHANGES)]));
    }
    if let Some(prompts) = &capabilities.prompts {
        offers.push(with("prompts", &[(prompts.list_changed, CHANGES)]));
    }
    if let Some(resources) = &capabilities.resources {
        let details = [(resources.list_changed, CHANGES), (resources.subscribe, "subscriptions")];
        offers.push(with("resources", &details));
    }
    offers.extend(capabilities.completions.iter().map(|_| "completions".to_owned()));
    offers.extend(capabilities.logging.iter().map(|_| "logging".to_owned()));
    offers.extend(capabilities.extensions.iter().flat_map(|all| all.keys().map(|name| one_line(name))));
    if offers.is_empty() { "nothing".to_owned() } else { offers.join(", ") }
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
