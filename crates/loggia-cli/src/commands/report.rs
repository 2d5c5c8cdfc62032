//! The report on a credential, for people: the state of its server, and the time until it expires.

use loggia_gateway::{CredentialReport, SignInState};
use serde::Serialize;

use crate::args::OutputArg;
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, BAD, DIM, GOOD, NAME, WARN};
use crate::text::one_line;

/// Returns the outcome of `status` for one server.
pub(super) fn outcome(state: SignInState, target: &str) -> Outcome {
    if state.is_well() {
        return Ok(());
    }
    out::note(format!("{DIM}`loggia auth login {target}` signs in{DIM:#}"));
    Err(Failure::silent(Code::Connect))
}

/// Returns a report for people.
pub(super) fn text(report: &CredentialReport) -> String {
    let (mark, what) = match report.state {
        SignInState::SignedIn => (format!("{GOOD}✓{GOOD:#}"), "signed in"),
        SignInState::NotNeeded => (format!("{GOOD}✓{GOOD:#}"), "needs no sign-in"),
        SignInState::SignedOut => (format!("{WARN}-{WARN:#}"), "not signed in"),
        SignInState::SignInAgain => (format!("{BAD}✗{BAD:#}"), "sign in again"),
        SignInState::Unknown => (format!("{BAD}✗{BAD:#}"), "the state is unknown"),
    };
    let note =
        report.note.as_ref().map(|note| format!("{DIM} ({}){DIM:#}", one_line(note))).unwrap_or_default();
    let mut text = format!("{mark} {NAME}{}{NAME:#}: {what}{note}\n", one_line(&report.server));
    let mut line = |name: &str, value: &str| {
        text.push_str(&format!("  {DIM}{name:<8}{DIM:#} {}\n", one_line(value)));
    };
    if let Some(issuer) = &report.issuer {
        line("issuer", issuer);
    }
    if let Some(scopes) = report.scopes.as_ref().filter(|scopes| !scopes.is_empty()) {
        line("scopes", &scopes.join(" "));
    }
    if report.state == SignInState::SignedIn {
        line("expires", &expiry(report));
    }
    text
}

fn expiry(report: &CredentialReport) -> String {
    let when = match report.remaining {
        None => return "at a time that the server does not state".to_owned(),
        Some(0) => "now".to_owned(),
        Some(left) => format!("in {}", length(left)),
    };
    let then = if report.renewable { ", renewed before that" } else { ", and cannot be renewed" };
    when + then
}

/// A length of time as people say it.
pub(super) fn length(seconds: u64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

pub(super) fn show(report: &CredentialReport, output: OutputArg) -> Outcome {
    match output {
        OutputArg::Json => json(&report),
        OutputArg::Human => Ok(out::print(text(report))?),
    }
}

pub(super) fn json(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string(value).expect("reports have no maps and no failing fields");
    Ok(out::print_json(&text)?)
}
