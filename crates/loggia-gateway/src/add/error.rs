//! The reasons why a connector is not added. Each says what is wrong and what the user can do.

use std::fmt;

use loggia::wire::text::redact_url;
use loggia_auth::error::AuthError;
use loggia_connect::import::ImportError;
use loggia_connect::manifest::ConfigProblem;

use super::answers::MissingAnswer;
use crate::error::GatewayError;

/// The reason why a connector is not added. Nothing was stored.
#[derive(Debug)]
#[non_exhaustive]
pub enum AddError {
    /// The word names nothing.
    Unknown {
        /// The word.
        word: String,
        /// Names of the directory that may have been meant, the nearest first.
        suggestions: Vec<String>,
    },
    /// The source cannot be read, or cannot be a connector.
    Unusable {
        /// The source, for people.
        source: String,
        /// The reason.
        reason: String,
        /// The next step of the user.
        next_step: Option<String>,
    },
    /// There is a connector of this name.
    Existing {
        /// The name.
        name: String,
        /// The place of the other connector.
        place: String,
        /// A name that is free.
        free: String,
    },
    /// The user has to give more.
    Missing(Vec<MissingAnswer>),
    /// Values of the user do not fit.
    Invalid(Vec<ConfigProblem>),
    /// The server needs a sign-in, and there was no user agent for it.
    SignInNeeded(String),
    /// The user signs in with a browser, and there was no user agent for it. The field is the title of the system.
    BrowserNeeded(String),
    /// The server refuses the sign-in, or cannot be signed in to.
    SignIn {
        /// The URL of the server.
        url: String,
        /// The error.
        error: AuthError,
    },
    /// The connector does not work.
    Unproven {
        /// The reason, as the system says it.
        reason: String,
        /// The next step of the user.
        next_step: Option<String>,
    },
    /// The configuration file cannot be written.
    File(ImportError),
    /// The gateway's own files or database cannot be used.
    Gateway(GatewayError),
}

impl AddError {
    pub(super) fn unusable(source: impl Into<String>, reason: impl fmt::Display) -> AddError {
        AddError::Unusable { source: source.into(), reason: reason.to_string(), next_step: None }
    }

    pub(super) fn next(self, step: impl Into<String>) -> AddError {
        let step = Some(step.into());
        match self {
            AddError::Unusable { source, reason, .. } => {
                AddError::Unusable { source, reason, next_step: step }
            }
            AddError::Unproven { reason, .. } => AddError::Unproven { reason, next_step: step },
            other => other,
        }
    }

    /// Returns the next step of the user, if it is known.
    pub fn next_step(&self) -> Option<String> {
        match self {
            AddError::Unknown { suggestions, .. } if suggestions.is_empty() => Some(
                "`loggia connectors search WORDS` searches the directory; a URL, a description or a package can be added, too"
                    .to_owned(),
            ),
            AddError::Unknown { suggestions, .. } => Some(format!("did you mean {}?", suggestions.join(" or "))),
            AddError::Unusable { next_step, .. } | AddError::Unproven { next_step, .. } => next_step.clone(),
            AddError::Existing { free, .. } => Some(format!("--name {free} gives this one another name")),
            AddError::SignInNeeded(url) => Some(format!(
                "`loggia auth login {url}` signs in; then add it again. --no-check adds it without"
            )),
            AddError::File(ImportError::ConfigFile(_)) | AddError::Gateway(_) => None,
            AddError::File(_) => Some("nothing was changed".to_owned()),
            AddError::BrowserNeeded(_) => {
                Some("run it in a terminal, without --yes; --credential gives an access token instead".to_owned())
            }
            AddError::SignIn { error, .. } => sign_in_step(error),
            AddError::Missing(_) | AddError::Invalid(_) => None,
        }
    }
}

/// Returns the next step of a user whose sign-in failed.
fn sign_in_step(error: &AuthError) -> Option<String> {
    let AuthError::Refused { error, .. } = error else { return None };
    Some(match error.as_str() {
        "invalid_client" | "unauthorized_client" => {
            "compare the client ID and the client secret with those at the vendor, and enter them again"
                .to_owned()
        }
        "invalid_scope" => {
            "allow the client these scopes at the vendor; --read-only asks for fewer".to_owned()
        }
        _ => return None,
    })
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddError::Unknown { word, .. } => write!(f, "there is no connector {word:?} in the directory"),
            AddError::Unusable { source, reason, .. } => write!(f, "{source} cannot be added: {reason}"),
            AddError::Existing { name, place, .. } => {
                write!(f, "there is a connector {name:?} already, in {place}")
            }
            AddError::Missing(missing) => {
                f.write_str("more is needed:")?;
                missing.iter().try_for_each(|missing| write!(f, "\n{missing}"))
            }
            AddError::Invalid(problems) => {
                for (n, problem) in problems.iter().enumerate() {
                    write!(f, "{}{problem}", if n > 0 { "\n" } else { "" })?;
                }
                Ok(())
            }
            AddError::SignInNeeded(url) => write!(f, "{} needs a sign-in", redact_url(url)),
            AddError::BrowserNeeded(title) => write!(f, "{title} needs a sign-in, in a browser"),
            AddError::SignIn { error, .. } => error.fmt(f),
            AddError::Unproven { reason, .. } => write!(f, "it does not work, so it was not added: {reason}"),
            AddError::File(error) => error.fmt(f),
            AddError::Gateway(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AddError {}

impl From<GatewayError> for AddError {
    fn from(error: GatewayError) -> AddError {
        AddError::Gateway(error)
    }
}

impl From<AuthError> for AddError {
    fn from(error: AuthError) -> AddError {
        AddError::Gateway(error.into())
    }
}
