//! The person at the other end: shows them the page where they sign in, and hears the answer.

use loggia::service::BoxFuture;
use tokio::sync::oneshot;
use url::form_urlencoded;

use super::AuthError;
use super::flow::AuthorizationRequest;
use super::token::plain;
use crate::registration::RegisteredClient;
use crate::secret::Secret;

/// Longest answer that is read.
const MOST_BYTES: usize = 16 << 10;

/// Reaches a person.
pub trait Person: Send + Sync + 'static {
    /// Gets ready to hear the answer of a sign-in. `before` is where the last one was heard: an
    /// authorization server that knows us expects the next at the same place, if that is possible.
    fn prepare<'a>(&'a self, before: Option<&'a str>) -> BoxFuture<'a, Result<Box<dyn Visit>, AuthError>>;

    /// Asks for a client that the person has registered with an issuer. Nothing else was possible.
    fn client<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Option<RegisteredClient>> {
        let _ = issuer;
        Box::pin(std::future::ready(None))
    }
}

/// One sign-in.
pub trait Visit: Send {
    /// Where the answer will be heard.
    fn redirect_uri(&self) -> &str;

    /// Shows the page and waits for the answer. One with another `state` is not the answer.
    fn show(self: Box<Self>, begun: AuthorizationRequest) -> BoxFuture<'static, Result<Answered, AuthError>>;
}

/// An answer, and somebody who waits to hear what came of it.
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// Told at the end: nothing, or what went wrong.
    pub told: Option<oneshot::Sender<Result<(), String>>>,
}

/// The parameters of an answer (RFC 6749, section 4.1.2; RFC 9207).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub(crate) state: Option<Secret>,
    pub(crate) code: Option<Secret>,
    pub(crate) issuer: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) description: Option<String>,
}

impl Answer {
    /// Reads the URL to which the browser was sent, or only what follows the `?` in it. A parameter that
    /// comes twice makes the whole worthless (RFC 6749, section 3.1).
    pub fn parse(text: &str) -> Result<Answer, AuthError> {
        let text = text.trim();
        if text.len() > MOST_BYTES {
            return Err(AuthError::Answer("the answer is too long".to_owned()));
        }
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let mut answer = Answer::default();
        let mut secrets = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            let before = match &*name {
                "state" => secrets.0.replace(Secret::new(value)).map(drop),
                "code" => secrets.1.replace(Secret::new(value)).map(drop),
                "iss" => answer.issuer.replace(value).map(drop),
                "error" => answer.error.replace(plain(&value)).map(drop),
                "error_description" => answer.description.replace(plain(&value)).map(drop),
                _ => None,
            };
            if before.is_some() {
                return Err(AuthError::Answer(format!("the answer has '{name}' twice; it is not believed")));
            }
        }
        (answer.state, answer.code) = secrets;
        Ok(answer)
    }

    /// Whether it says how the sign-in ended.
    pub(crate) fn is_whole(&self) -> bool {
        self.code.is_some() || self.error.is_some()
    }

    /// What the sign-in page gave back of ours.
    pub fn state(&self) -> Option<&Secret> {
        self.state.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_once() {
        let table = [
            ("http://127.0.0.1:1/callback?code=a&state=b", Some(("a", "b"))),
            ("  code=a&state=b#fragment ", Some(("a", "b"))),
            ("?state=b%26&code=a+c&iss=https%3A%2F%2Fx", Some(("a c", "b&"))),
            ("code=a&code=b&state=c", None),
            ("code=a&state=c&state=c", None),
            ("code=a&state=c&iss=x&iss=y", None),
        ];
        for (text, expected) in table {
            let answer = Answer::parse(text);
            let found = answer.as_ref().ok().map(|answer| {
                (answer.code.as_ref().unwrap().expose(), answer.state.as_ref().unwrap().expose())
            });
            assert_eq!(found, expected, "{text}");
        }
        assert!(Answer::parse(&"x".repeat(MOST_BYTES + 1)).is_err());
    }
}
