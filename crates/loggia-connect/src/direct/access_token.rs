//! Access tokens of OAuth for a direct backend, which are renewed while the connector is open.
//!
//! The backend knows where a token goes in a request, and the program that embeds it knows how to get one. Invariant: a
//! request is repeated at most once, with another token than the one that was refused.

use loggia::service::BoxFuture;

use crate::secret::Secret;

/// A source of access tokens for one account. Errors are for the user: they name the account and the next step.
pub trait AccessTokenSource: Send + Sync {
    /// Returns a token that is valid now.
    fn token(&self) -> BoxFuture<'_, Result<Secret, String>>;

    /// Returns another token than one that the API refused (401). Calls at the same time cause one renewal.
    fn replace<'a>(&'a self, refused: &'a Secret) -> BoxFuture<'a, Result<Secret, String>>;

    /// Returns the error for an API that refuses a token that was just renewed.
    fn refusal(&self) -> String;
}
