//! The answers of a user to what a plan needs, and what is still missing.

use std::fmt;
use std::str::FromStr;

use loggia_connect::config_file::PinRule;
use loggia_connect::manifest::AuthStep;
use loggia_connect::secret::Secret;
use serde_json::{Map, Value};

/// The fields of the client that the user registers.
pub(super) const CLIENT_ID: &str = "client_id";
pub(super) const CLIENT_SECRET: &str = "client_secret";
/// The start of a text that names an environment variable.
const VARIABLE: &str = "env:";

/// The answers of a user.
#[derive(Debug, Clone)]
pub struct AddAnswers {
    /// The values of the manifest, by their names ([`AddPlan::read_value`](super::AddPlan::read_value)).
    pub config: Map<String, Value>,
    /// The credential.
    pub credential: Option<AddCredential>,
    /// The id of the client that the user registered at the vendor, for a sign-in.
    pub client_id: Option<String>,
    /// The secret of that client.
    pub client_secret: ClientSecret,
    /// True if a sign-in asks for the scopes to read only.
    pub is_read_only: bool,
    /// The name of the account; without one, the name that the system tells, or `default`.
    pub account: Option<String>,
    /// True if the connector is proved before it is stored.
    pub is_checked: bool,
    /// The rule for tools whose definitions change later.
    pub pin: PinRule,
}

impl Default for AddAnswers {
    fn default() -> AddAnswers {
        AddAnswers {
            config: Map::new(),
            credential: None,
            client_id: None,
            client_secret: ClientSecret::Unknown,
            is_read_only: false,
            account: None,
            is_checked: true,
            pin: PinRule::Hold,
        }
    }
}

/// The answer of a user about the secret of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ClientSecret {
    /// The user was not asked.
    #[default]
    Unknown,
    /// The client has no secret.
    None,
    /// The secret, which is saved with the tokens.
    Given(AddCredential),
}

impl ClientSecret {
    /// Reads the secret of a command's options: a client that is named without one has none.
    ///
    /// # Errors
    ///
    /// The reason why the text is no secret.
    pub fn of_option(
        client_id: Option<&str>,
        client_secret: Option<&str>,
    ) -> Result<ClientSecret, &'static str> {
        Ok(match (client_secret, client_id) {
            (Some(secret), _) => ClientSecret::Given(secret.parse()?),
            (None, Some(_)) => ClientSecret::None,
            (None, None) => ClientSecret::Unknown,
        })
    }
}

/// A credential that a user gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddCredential {
    /// It is saved beside the other credentials of the user.
    Saved(Secret),
    /// It is read from this environment variable each time that the connector starts.
    Variable(String),
}

impl FromStr for AddCredential {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<AddCredential, &'static str> {
        match text.strip_prefix(VARIABLE) {
            Some(name) if is_variable(name) => Ok(AddCredential::Variable(name.to_owned())),
            Some(_) => Err("after env: stands the name of an environment variable"),
            None if text.trim().is_empty() => Err("the credential is empty"),
            None => Ok(AddCredential::Saved(Secret::new(text.trim()))),
        }
    }
}

impl AddCredential {
    /// Returns the credential as it is now; `None` where the variable is not set.
    pub(super) fn value(&self) -> Option<Secret> {
        match self {
            AddCredential::Saved(secret) => Some(secret.clone()),
            AddCredential::Variable(name) => {
                std::env::var(name).ok().filter(|value| !value.is_empty()).map(Secret::new)
            }
        }
    }
}

/// Returns the variable that a text of the user names as `env:NAME`.
pub(super) fn variable_of(text: &str) -> Option<&str> {
    text.strip_prefix(VARIABLE).filter(|name| is_variable(name))
}

/// Returns whether a text can be the name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A value that the user has to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingAnswer {
    /// The name of the value; `credential` for the credential.
    pub field: String,
    /// The name for people.
    pub title: String,
    /// The help.
    pub description: Option<String>,
    /// True if it must not be shown.
    pub is_secret: bool,
    /// The values that are allowed, where they are few.
    pub choices: Vec<String>,
    /// The steps at the vendor, in order.
    pub steps: Vec<AuthStep>,
}

impl MissingAnswer {
    /// Returns the option of `loggia add` that gives it.
    pub fn option(&self) -> String {
        match self.field.as_str() {
            "credential" => "--credential VALUE|-|env:NAME".to_owned(),
            CLIENT_ID => "--client-id ID".to_owned(),
            CLIENT_SECRET => "--client-secret env:NAME".to_owned(),
            field => format!("--set {field}=VALUE"),
        }
    }
}

impl fmt::Display for MissingAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option(), self.title)?;
        if let Some(description) = &self.description {
            write!(f, " ({})", description.trim_end_matches('.'))?;
        }
        if !self.choices.is_empty() {
            write!(f, ", one of {}", self.choices.join(", "))?;
        }
        for (n, AuthStep { text, link }) in self.steps.iter().enumerate() {
            write!(f, "\n  {}. {text}", n + 1)?;
            if let Some(link) = link {
                write!(f, " {link}")?;
            }
        }
        Ok(())
    }
}
