//! Reports on the credentials of the user, for commands and pages: the state of each server, and the time until its
//! credential expires. Invariant: the JSON form is read by scripts and keeps its names.

use std::time::SystemTime;

use loggia_auth::client::Credential;
use loggia_auth::error::AuthError;
use loggia_connect::redact::Redactor;
use serde::Serialize;

use crate::credential_check::{CredentialCheck, CredentialState};
use crate::credentials::Credentials;
use crate::report_text::{ReportText, TextRole, rough_duration};

/// The state of the user's sign-in at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignInState {
    /// The server accepts the credential.
    SignedIn,
    /// The server takes requests without a credential.
    NotNeeded,
    /// There is no credential.
    SignedOut,
    /// The credential is refused or unreadable: only a new sign-in helps.
    SignInAgain,
    /// The server could not be asked.
    Unknown,
}

/// A report on the credential for one server.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CredentialReport {
    /// The URL of the server.
    pub server: String,
    /// The state of the sign-in.
    pub state: SignInState,
    /// The authorization server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The scopes of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The expiry, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// True if the next token needs no sign-in.
    pub renewable: bool,
    /// A remark, which may quote the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The seconds until the expiry.
    #[serde(skip)]
    pub remaining: Option<u64>,
}

impl SignInState {
    /// Returns whether requests to the server are accepted.
    pub fn is_well(self) -> bool {
        matches!(self, SignInState::SignedIn | SignInState::NotNeeded)
    }
}

impl CredentialReport {
    /// Reports on a server without a credential.
    pub(crate) fn new(url: &str, state: SignInState) -> CredentialReport {
        CredentialReport {
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

    /// Reports on a credential. `has_source` where a token source gives the next token without a sign-in.
    pub(crate) fn of(url: &str, credential: &Credential, has_source: bool) -> CredentialReport {
        CredentialReport {
            issuer: Some(credential.issuer.clone()),
            scopes: Some(credential.granted.iter().map(str::to_owned).collect()),
            expires_at: credential.expires_at,
            renewable: has_source || credential.refresh_token.is_some(),
            remaining: credential.remaining(SystemTime::now()).map(|left| left.as_secs()),
            ..CredentialReport::new(url, SignInState::SignedIn)
        }
    }

    /// Returns the report for people: the state, and below it the issuer, the scopes and the expiry.
    pub fn to_text(&self) -> ReportText {
        let (role, mark, state) = match self.state {
            SignInState::SignedIn => (TextRole::Good, "✓", "signed in"),
            SignInState::NotNeeded => (TextRole::Good, "✓", "needs no sign-in"),
            SignInState::SignedOut => (TextRole::Warning, "-", "not signed in"),
            SignInState::SignInAgain => (TextRole::Bad, "✗", "sign in again"),
            SignInState::Unknown => (TextRole::Bad, "✗", "the state is unknown"),
        };
        let note = self.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        let head = ReportText::default().with(role, mark).plain(" ").with(TextRole::Name, &self.server);
        let head = head.plain(&format!(": {state}")).with(TextRole::Detail, &note).end_line();
        let scopes = self.scopes.as_ref().filter(|scopes| !scopes.is_empty()).map(|scopes| scopes.join(" "));
        let expiry = (self.state == SignInState::SignedIn).then(|| self.expiry());
        let lines = [("issuer", self.issuer.clone()), ("scopes", scopes), ("expires", expiry)];
        let line = |(name, value): (&str, Option<String>)| {
            let name = ReportText::default().plain("  ").column(TextRole::Detail, name, 8);
            Some(name.plain(&format!(" {}", value?)).end_line())
        };
        std::iter::once(head).chain(lines.into_iter().filter_map(line)).collect()
    }

    fn expiry(&self) -> String {
        let when = match self.remaining {
            None => return "at a time that the server does not state".to_owned(),
            Some(0) => "now".to_owned(),
            Some(left) => format!("in {}", rough_duration(left)),
        };
        when + if self.renewable { ", renewed before that" } else { ", and cannot be renewed" }
    }

    pub(crate) fn note(self, note: impl Into<String>) -> CredentialReport {
        CredentialReport { note: Some(note.into()), ..self }
    }

    /// Returns the same without the values that `${NAME}` stands for in the configuration.
    pub fn redacted(mut self, redactor: &Redactor) -> CredentialReport {
        self.server = redactor.redact(&self.server).into_owned();
        self.note = self.note.map(|note| redactor.redact(&note).into_owned());
        self
    }
}

impl Credentials {
    /// Asks the server at `url` whether it takes the saved credential, renews an expired one, and reports.
    ///
    /// # Errors
    ///
    /// As [`Credentials::check`].
    pub async fn report(&self, url: &str) -> Result<CredentialReport, AuthError> {
        let CredentialCheck { state, credential, has_source } = self.check(url).await?;
        let report = |state| match &credential {
            Some(credential) => {
                CredentialReport { state, ..CredentialReport::of(url, credential, has_source) }
            }
            None => CredentialReport::new(url, state),
        };
        Ok(match state {
            CredentialState::Accepted { was_renewed: true } => {
                report(SignInState::SignedIn).note("the credential had expired and has been renewed")
            }
            CredentialState::Accepted { was_renewed: false } => report(SignInState::SignedIn),
            CredentialState::NotNeeded => report(SignInState::NotNeeded),
            CredentialState::Missing => report(SignInState::SignedOut),
            CredentialState::Refused(why) => report(SignInState::SignInAgain)
                .note(why.unwrap_or_else(|| "the server refuses the credential".to_owned())),
        })
    }

    /// Reports on all servers that the user has signed in to, in the order of their URLs.
    ///
    /// # Errors
    ///
    /// [`AuthError`] where the store cannot be read.
    pub async fn reports(&self) -> Result<Vec<CredentialReport>, AuthError> {
        let mut reports = Vec::new();
        for url in self.servers().await? {
            reports.push(self.report(&url).await.unwrap_or_else(|error| {
                let state = match error {
                    AuthError::Unreadable(_) => SignInState::SignInAgain,
                    _ => SignInState::Unknown,
                };
                CredentialReport::new(&url, state).note(error.to_string())
            }));
        }
        Ok(reports)
    }

    /// Renews the credential for the server at `url` now, and reports.
    ///
    /// # Errors
    ///
    /// As [`Credentials::renew`].
    pub async fn renew_and_report(&self, url: &str) -> Result<CredentialReport, AuthError> {
        let has_source = self.token_source(url).await?.is_some();
        let renewed = self.renew(url).await?;
        Ok(CredentialReport::of(url, &renewed, has_source).note("the credential has been renewed"))
    }

    /// Signs the user out of the server at `url`, and reports.
    ///
    /// # Errors
    ///
    /// As [`Credentials::sign_out`].
    pub async fn sign_out_and_report(&self, url: &str) -> Result<CredentialReport, AuthError> {
        let note = match self.sign_out(url).await? {
            true => "the credential is deleted",
            false => "you were not signed in",
        };
        Ok(CredentialReport::new(url, SignInState::SignedOut).note(note))
    }
}
