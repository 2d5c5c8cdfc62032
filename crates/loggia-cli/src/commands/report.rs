//! The report on a credential: the state of its server, and the time until it expires.

use std::time::SystemTime;

use loggia_auth::client::Credential;
use loggia_connect::redact::Redactor;
use serde::Serialize;

use crate::args::OutputArg;
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, BAD, DIM, GOOD, NAME, WARN};
use crate::text::one_line;

/// The state of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SignInState {
    SignedIn,
    NotNeeded,
    SignedOut,
    SignInAgain,
    Unknown,
}

impl SignInState {
    pub(super) fn is_well(self) -> bool {
        matches!(self, SignInState::SignedIn | SignInState::NotNeeded)
    }

    /// Returns the outcome of `status` for one server.
    pub(super) fn outcome(self, target: &str) -> Outcome {
        if self.is_well() {
            return Ok(());
        }
        out::note(format!("{DIM}`loggia auth login {target}` signs in{DIM:#}"));
        Err(Failure::silent(Code::Connect))
    }
}

/// A report on a credential.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    server: String,
    pub(super) state: SignInState,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    /// In seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    renewable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip)]
    remaining: Option<u64>,
}

impl Report {
    pub(super) fn new(url: &str, state: SignInState) -> Report {
        Report {
            server: url.to_owned(),
            state,
            issuer: None,
            scopes: None,
            expires_at: None,
            renewable: false,
            note: None,
            remaining: None,
        }
    }

    /// `has_source` where a token source gives another token without a sign-in.
    pub(super) fn of(url: &str, credential: &Credential, has_source: bool) -> Report {
        Report {
            issuer: Some(credential.issuer.clone()),
            scopes: Some(credential.granted.iter().map(str::to_owned).collect()),
            expires_at: credential.expires_at,
            renewable: has_source || credential.refresh_token.is_some(),
            remaining: credential.remaining(SystemTime::now()).map(|left| left.as_secs()),
            ..Report::new(url, SignInState::SignedIn)
        }
    }

    pub(super) fn state(self, state: SignInState) -> Report {
        Report { state, ..self }
    }

    pub(super) fn note(mut self, note: &str) -> Report {
        self.note = Some(note.to_owned());
        self
    }

    /// The same without the values that `${NAME}` stands for in the configuration.
    pub(super) fn redacted(mut self, redactor: &Redactor) -> Report {
        self.server = redactor.redact(&self.server).into_owned();
        self.note = self.note.map(|note| redactor.redact(&note).into_owned());
        self
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let (mark, what) = match self.state {
            SignInState::SignedIn => (format!("{GOOD}✓{GOOD:#}"), "signed in"),
            SignInState::NotNeeded => (format!("{GOOD}✓{GOOD:#}"), "needs no sign-in"),
            SignInState::SignedOut => (format!("{WARN}-{WARN:#}"), "not signed in"),
            SignInState::SignInAgain => (format!("{BAD}✗{BAD:#}"), "sign in again"),
            SignInState::Unknown => (format!("{BAD}✗{BAD:#}"), "the state is unknown"),
        };
        let note =
            self.note.as_ref().map(|note| format!("{DIM} ({}){DIM:#}", one_line(note))).unwrap_or_default();
        let mut text = format!("{mark} {NAME}{}{NAME:#}: {what}{note}\n", one_line(&self.server));
        let mut line = |name: &str, value: &str| {
            text.push_str(&format!("  {DIM}{name:<8}{DIM:#} {}\n", one_line(value)));
        };
        if let Some(issuer) = &self.issuer {
            line("issuer", issuer);
        }
        if let Some(scopes) = self.scopes.as_ref().filter(|scopes| !scopes.is_empty()) {
            line("scopes", &scopes.join(" "));
        }
        if self.state == SignInState::SignedIn {
            line("expires", &self.expiry());
        }
        text
    }

    fn expiry(&self) -> String {
        let when = match self.remaining {
            None => return "at a time that the server does not state".to_owned(),
            Some(0) => "now".to_owned(),
            Some(left) => format!("in {}", length(left)),
        };
        let then = if self.renewable { ", renewed before that" } else { ", and cannot be renewed" };
        when + then
    }
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

pub(super) fn show(report: &Report, output: OutputArg) -> Outcome {
    match output {
        OutputArg::Json => json(&report),
        OutputArg::Human => Ok(out::print(report.text())?),
    }
}

pub(super) fn json(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string(value).expect("reports have no maps and no failing fields");
    Ok(out::print_json(&text)?)
}
