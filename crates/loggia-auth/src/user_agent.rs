//! The user agent of a sign-in (RFC 6749, section 1.1): shows the authorization page to a user and receives the
//! authorization response.
//!
//! Programs reach their users in different ways (a browser on this machine, a link in a chat), so this is a trait.
//! Invariant: a response is used only for the sign-in with its `state`.

use std::fmt;

use loggia::service::BoxFuture;
use tokio::sync::oneshot;
use url::{Url, form_urlencoded};

use crate::error::{AuthError, printable};
use crate::registration::RegisteredClient;
use crate::secret::Secret;

/// The maximum length of a response, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// A browser, or another program that shows pages to a user.
pub trait UserAgent: Send + Sync + 'static {
    /// Prepares for the response of a sign-in. `last_redirect_uri` is the redirect URI of the last sign-in with the
    /// same registration. It should be used again if possible, because the authorization server may accept no other.
    fn prepare<'a>(
        &'a self,
        last_redirect_uri: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn PendingRedirect>, AuthError>>;

    /// Asks the user for a client that is registered with an issuer. It is called only if there is no other client.
    fn client<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Option<RegisteredClient>> {
        let _ = issuer;
        Box::pin(std::future::ready(None))
    }
}

/// A redirect that one sign-in waits for.
pub trait PendingRedirect: Send {
    /// Returns the redirect URI that receives the response.
    fn redirect_uri(&self) -> &str;

    /// Shows the page and waits for the response. Ignores responses that have another `state`.
    fn show(
        self: Box<Self>,
        request: AuthorizationRequest,
    ) -> BoxFuture<'static, Result<DeliveredResponse, AuthError>>;
}

/// An authorization request (RFC 6749, section 4.1.1) that waits for its response.
#[derive(Clone)]
pub struct AuthorizationRequest {
    /// The page to show.
    pub page: Url,
    /// The `state` of the expected response. A program that receives responses for several users must check that a
    /// response comes from the browser to which the page was shown.
    pub state: Secret,
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest of the URL contains the state.
        f.debug_struct("AuthorizationRequest")
            .field("page", &&self.page[..url::Position::AfterPath])
            .finish_non_exhaustive()
    }
}

/// An authorization response, and the page that waits for the outcome of the sign-in.
pub struct DeliveredResponse {
    /// The response.
    pub response: AuthorizationResponse,
    /// Receives the outcome: `Ok`, or the text of the error.
    pub outcome: Option<oneshot::Sender<Result<(), String>>>,
}

impl DeliveredResponse {
    /// Tells the waiting page how the sign-in ended.
    pub(crate) fn report<T>(self, outcome: &Result<T, AuthError>) {
        if let Some(waiting) = self.outcome {
            // The page may have been closed.
            let _ = waiting.send(outcome.as_ref().map(drop).map_err(ToString::to_string));
        }
    }
}

/// The parameters of an authorization response (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizationResponse {
    pub(crate) state: Option<Secret>,
    pub(crate) code: Option<Secret>,
    pub(crate) issuer: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) description: Option<String>,
}

impl AuthorizationResponse {
    /// Reads the URL to which the browser was sent, or only its query. Fails if a parameter occurs twice (RFC 6749,
    /// section 3.1).
    pub fn parse(text: &str) -> Result<AuthorizationResponse, AuthError> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(AuthError::AuthorizationResponse("the answer is too long".to_owned()));
        }
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let mut response = AuthorizationResponse::default();
        let mut secrets = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            let before = match &*name {
                "state" => secrets.0.replace(Secret::new(value)).map(drop),
                "code" => secrets.1.replace(Secret::new(value)).map(drop),
                "iss" => response.issuer.replace(value).map(drop),
                "error" => response.error.replace(printable(&value)).map(drop),
                "error_description" => response.description.replace(printable(&value)).map(drop),
                _ => None,
            };
            if before.is_some() {
                return Err(AuthError::AuthorizationResponse(format!(
                    "the answer has '{name}' twice; it is not accepted"
                )));
            }
        }
        (response.state, response.code) = secrets;
        Ok(response)
    }

    /// Returns whether the response has a code or an error.
    pub(crate) fn is_complete(&self) -> bool {
        self.code.is_some() || self.error.is_some()
    }

    /// Returns the `state`.
    pub fn state(&self) -> Option<&Secret> {
        self.state.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_read_once() {
        let table = [
            ("http://127.0.0.1:1/callback?code=a&state=b", Some(("a", "b"))),
            ("  code=a&state=b#fragment ", Some(("a", "b"))),
            ("?state=b%26&code=a+c&iss=https%3A%2F%2Fx", Some(("a c", "b&"))),
            ("code=a&code=b&state=c", None),
            ("code=a&state=c&state=c", None),
            ("code=a&state=c&iss=x&iss=y", None),
        ];
        for (text, expected) in table {
            let response = AuthorizationResponse::parse(text);
            let found = response.as_ref().ok().map(|response| {
                (response.code.as_ref().unwrap().expose(), response.state.as_ref().unwrap().expose())
            });
            assert_eq!(found, expected, "{text}");
        }
        assert!(AuthorizationResponse::parse(&"x".repeat(MAX_BYTES + 1)).is_err());
    }
}
