//! Verified access tokens, and the errors of tokens that are not accepted.

use std::fmt;
use std::time::SystemTime;

use loggia::service::Principal;
use serde::Deserialize;

use crate::jose::{Audience, JoseError, NumericDate};

/// An access token or API key that was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The subject: a user, or the client itself.
    pub subject: String,
    /// The issuer; `None` for an API key.
    pub issuer: Option<String>,
    /// The client that it was issued to.
    pub client: Option<String>,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// The time at which it expires.
    pub expires: Option<SystemTime>,
    /// The thumbprint of the key that it is bound to (DPoP).
    pub key: Option<String>,
}

impl VerifiedToken {
    /// Returns the principal for handlers.
    pub(super) fn principal(&self) -> Principal {
        Principal { subject: self.subject.clone(), issuer: self.issuer.clone(), scopes: self.scopes.clone() }
    }
}

/// An error of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The token is not valid, for this reason. The client needs a new one.
    Invalid(String),
    /// The token cannot be checked now. A retry can help.
    Unavailable(String),
    /// The token cannot be checked until the administrator repairs this server.
    Failed(String),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::Invalid(why) => f.write_str(why),
            TokenError::Unavailable(why) => write!(f, "the token cannot be checked now: {why}"),
            TokenError::Failed(why) => write!(f, "the token cannot be checked: {why}"),
        }
    }
}

impl std::error::Error for TokenError {}

impl From<JoseError> for TokenError {
    fn from(error: JoseError) -> TokenError {
        match error.is_unavailable() {
            true => TokenError::Unavailable(error.to_string()),
            false => TokenError::Invalid(error.to_string()),
        }
    }
}

/// The claims of an access token in addition to the registered ones (RFC 9068, section 2.2).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuthorizationClaims {
    client_id: Option<String>,
    azp: Option<String>,
    scope: Option<String>,
    /// The scopes, as some providers write them.
    scp: Audience,
    cnf: Option<ConfirmationClaim>,
}

/// The key that a token is bound to (RFC 7800).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfirmationClaim {
    jkt: Option<String>,
}

impl AuthorizationClaims {
    /// Returns the client that the token was issued to.
    pub(super) fn client(&self) -> Option<&str> {
        self.client_id.as_deref().or(self.azp.as_deref())
    }

    /// Returns the verified token with these claims.
    pub(super) fn into_token(
        self,
        issuer: String,
        subject: String,
        expires: Option<NumericDate>,
    ) -> Result<VerifiedToken, TokenError> {
        let bound = |confirmation: ConfirmationClaim| {
            let why = "the token is bound by an unsupported method";
            confirmation.jkt.ok_or_else(|| TokenError::Invalid(why.to_owned()))
        };
        let scopes = match self.scope {
            Some(scope) => scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
            None => self.scp.0.iter().flat_map(|scopes| scopes.split(' ')).map(str::to_owned).collect(),
        };
        Ok(VerifiedToken {
            subject,
            issuer: Some(issuer),
            client: self.client_id.or(self.azp),
            scopes,
            expires: expires.map(NumericDate::time),
            key: self.cnf.map(bound).transpose()?,
        })
    }
}
