//! Refusals of the resource server, with challenges that tell clients how to get access (RFC 6750, section 3; RFC 9728,
//! section 5.1; RFC 9449, section 7.1).

use std::collections::BTreeSet;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use loggia::transport::http::Body;

use super::dpop::{DpopPolicy, PROOF_ALGORITHMS};

/// The response header with the nonce for the next proof (RFC 9449, section 8).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The authentication scheme of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenScheme {
    Bearer,
    Dpop,
}

/// A refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AccessRefusal {
    /// The request has no access token.
    NoToken,
    /// The `Authorization` header cannot be read.
    MalformedHeader(String),
    /// The token is not valid.
    InvalidToken(TokenScheme, String),
    /// The DPoP proof is not valid.
    InvalidProof(String),
    /// The proof must hold this nonce.
    NonceRequired(String),
    /// The token lacks some of these scopes.
    InsufficientScope(TokenScheme, BTreeSet<String>),
    /// The token cannot be checked now. A retry can help.
    Unavailable,
    /// The operation of the request is ambiguous.
    AmbiguousRequest(String),
    /// The token cannot be checked until the administrator repairs this server.
    InternalError,
    /// The body is too long, or took too long to arrive.
    UnreadableBody(StatusCode),
}

/// The common parts of all challenges of a resource server.
pub(super) struct ChallengeContext<'a> {
    /// The URL of the resource metadata.
    pub(super) metadata: &'a str,
    /// The scopes that every request needs.
    pub(super) base: &'a BTreeSet<String>,
    pub(super) dpop: Option<&'a DpopPolicy>,
}

impl AccessRefusal {
    /// Returns the response to the refused request.
    pub(super) fn response(&self, context: &ChallengeContext<'_>) -> Response<Body> {
        let mut response = Response::new(Body::full(self.document().to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for challenge in self.challenges(context) {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        if let AccessRefusal::NonceRequired(nonce) = self
            && let Ok(nonce) = HeaderValue::from_str(nonce)
        {
            headers.insert(DPOP_NONCE, nonce);
        }
        if *self == AccessRefusal::Unavailable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            AccessRefusal::NoToken
            | AccessRefusal::InvalidToken(..)
            | AccessRefusal::InvalidProof(_)
            | AccessRefusal::NonceRequired(_) => StatusCode::UNAUTHORIZED,
            AccessRefusal::MalformedHeader(_) | AccessRefusal::AmbiguousRequest(_) => StatusCode::BAD_REQUEST,
            AccessRefusal::InsufficientScope(..) => StatusCode::FORBIDDEN,
            AccessRefusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            AccessRefusal::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            AccessRefusal::UnreadableBody(status) => *status,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            AccessRefusal::NoToken => "unauthorized",
            AccessRefusal::MalformedHeader(_)
            | AccessRefusal::AmbiguousRequest(_)
            | AccessRefusal::UnreadableBody(_) => "invalid_request",
            AccessRefusal::InvalidToken(..) => "invalid_token",
            AccessRefusal::InvalidProof(_) => "invalid_dpop_proof",
            AccessRefusal::NonceRequired(_) => "use_dpop_nonce",
            AccessRefusal::InsufficientScope(..) => "insufficient_scope",
            AccessRefusal::Unavailable => "temporarily_unavailable",
            AccessRefusal::InternalError => "server_error",
        }
    }

    fn description(&self) -> String {
        match self {
            AccessRefusal::NoToken => "Sign in: send an access token in the Authorization header".to_owned(),
            AccessRefusal::MalformedHeader(why)
            | AccessRefusal::InvalidToken(_, why)
            | AccessRefusal::InvalidProof(why)
            | AccessRefusal::AmbiguousRequest(why) => why.clone(),
            AccessRefusal::NonceRequired(_) => {
                "The proof must hold the nonce in the DPoP-Nonce header".to_owned()
            }
            AccessRefusal::InsufficientScope(_, needed) => {
                format!("This needs the scopes: {}", joined(needed))
            }
            AccessRefusal::Unavailable => "The token cannot be checked at the moment; try again".to_owned(),
            AccessRefusal::InternalError => {
                "The token cannot be checked: this server failed, and its log has the reason".to_owned()
            }
            AccessRefusal::UnreadableBody(_) => {
                "The message is too long, or took too long to arrive".to_owned()
            }
        }
    }

    fn document(&self) -> serde_json::Value {
        serde_json::json!({ "error": self.code(), "error_description": self.description() })
    }

    /// Returns the challenges. The challenge of the client's scheme contains the error; the other one only offers its
    /// scheme (RFC 9449, section 7.2).
    fn challenges(&self, context: &ChallengeContext<'_>) -> Vec<HeaderValue> {
        let used = match self {
            AccessRefusal::NoToken | AccessRefusal::MalformedHeader(_) => None,
            AccessRefusal::InvalidToken(scheme, _) | AccessRefusal::InsufficientScope(scheme, _) => {
                Some(*scheme)
            }
            AccessRefusal::InvalidProof(_) | AccessRefusal::NonceRequired(_) => Some(TokenScheme::Dpop),
            AccessRefusal::Unavailable
            | AccessRefusal::InternalError
            | AccessRefusal::AmbiguousRequest(_)
            | AccessRefusal::UnreadableBody(_) => {
                return Vec::new();
            }
        };
        let offered = [
            (TokenScheme::Bearer, context.dpop.is_none_or(|dpop| !dpop.is_required())),
            (TokenScheme::Dpop, context.dpop.is_some()),
        ];
        let offered = offered.into_iter().filter(|(scheme, offered)| *offered || used == Some(*scheme));
        // A client with a token of one scheme cannot use the other scheme.
        let offered = offered.filter(
            |(scheme, _)| !matches!(self, AccessRefusal::InsufficientScope(used, _) if used != scheme),
        );
        offered.filter_map(|(scheme, _)| self.challenge(scheme, used == Some(scheme), context)).collect()
    }

    fn challenge(
        &self,
        scheme: TokenScheme,
        is_used: bool,
        context: &ChallengeContext<'_>,
    ) -> Option<HeaderValue> {
        let mut parameters = Vec::new();
        if is_used || matches!(self, AccessRefusal::MalformedHeader(_)) {
            parameters.push(("error", self.code().to_owned()));
            parameters.push(("error_description", self.description()));
        }
        let scopes = match self {
            AccessRefusal::InsufficientScope(_, needed) => needed,
            _ => context.base,
        };
        if !scopes.is_empty() {
            parameters.push(("scope", joined(scopes)));
        }
        parameters.push(("resource_metadata", context.metadata.to_owned()));
        let name = match scheme {
            TokenScheme::Bearer => "Bearer",
            TokenScheme::Dpop => {
                let names: Vec<&str> = PROOF_ALGORITHMS.iter().map(|algorithm| algorithm.as_str()).collect();
                parameters.push(("algs", names.join(" ")));
                "DPoP"
            }
        };
        let parameters: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", quotable(value))).collect();
        HeaderValue::from_str(&format!("{name} {}", parameters.join(", "))).ok()
    }
}

fn joined(scopes: &BTreeSet<String>) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Replaces characters that RFC 6750, section 3, does not allow in a parameter: quotes, backslashes, non-ASCII.
fn quotable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '\'' }).collect()
}
