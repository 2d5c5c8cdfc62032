//! Refusals that say what to do next: `WWW-Authenticate` as RFC 6750, section 3, RFC 9728, section 5.1, and
//! RFC 9449, section 7.1, have it.

use std::collections::BTreeSet;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use loggia::transport::http::Body;

use super::{Dpop, PROOF_ALGORITHMS};

/// The header with which a server hands out a nonce for proofs.
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// How a caller tried to show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Dpop,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It shows nothing.
    Nothing,
    /// It shows it in a way that cannot be read.
    Malformed(String),
    /// The token is wrong.
    Token(Scheme, String),
    /// The proof for the token is wrong.
    Proof(String),
    /// The proof must hold this nonce.
    Nonce(String),
    /// The token is good, but not for this.
    Scope(Scheme, BTreeSet<String>),
    /// It cannot be found out now whether the token is good.
    Unavailable,
    /// The request does not say clearly what it asks for.
    Unclear(String),
    /// It cannot be found out until something is mended here.
    Failed,
    /// It is too long, or came too slowly.
    Unreadable(StatusCode),
}

/// What every challenge names.
pub(super) struct Context<'a> {
    pub(super) metadata: &'a str,
    pub(super) base: &'a BTreeSet<String>,
    pub(super) dpop: Option<&'a Dpop>,
}

impl Refusal {
    pub(super) fn response(&self, context: &Context<'_>) -> Response<Body> {
        let mut response = Response::new(Body::full(self.document().to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for challenge in self.challenges(context) {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        if let Refusal::Nonce(nonce) = self
            && let Ok(nonce) = HeaderValue::from_str(nonce)
        {
            headers.insert(DPOP_NONCE, nonce);
        }
        if *self == Refusal::Unavailable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusal::Nothing | Refusal::Token(..) | Refusal::Proof(_) | Refusal::Nonce(_) => {
                StatusCode::UNAUTHORIZED
            }
            Refusal::Malformed(_) | Refusal::Unclear(_) => StatusCode::BAD_REQUEST,
            Refusal::Scope(..) => StatusCode::FORBIDDEN,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Unreadable(status) => *status,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Refusal::Nothing => "unauthorized",
            Refusal::Malformed(_) | Refusal::Unclear(_) | Refusal::Unreadable(_) => "invalid_request",
            Refusal::Token(..) => "invalid_token",
            Refusal::Proof(_) => "invalid_dpop_proof",
            Refusal::Nonce(_) => "use_dpop_nonce",
            Refusal::Scope(..) => "insufficient_scope",
            Refusal::Unavailable => "temporarily_unavailable",
            Refusal::Failed => "server_error",
        }
    }

    fn description(&self) -> String {
        match self {
            Refusal::Nothing => "Sign in: send an access token in the Authorization header".to_owned(),
            Refusal::Malformed(why)
            | Refusal::Token(_, why)
            | Refusal::Proof(why)
            | Refusal::Unclear(why) => why.clone(),
            Refusal::Nonce(_) => "The proof must hold the nonce in the DPoP-Nonce header".to_owned(),
            Refusal::Scope(_, needed) => format!("This needs the scopes: {}", joined(needed)),
            Refusal::Unavailable => "The token cannot be checked at the moment; try again".to_owned(),
            Refusal::Failed => {
                "The token cannot be checked: this server failed, and its log has the reason".to_owned()
            }
            Refusal::Unreadable(_) => "The message is too long, or took too long to arrive".to_owned(),
        }
    }

    fn document(&self) -> serde_json::Value {
        serde_json::json!({ "error": self.code(), "error_description": self.description() })
    }

    /// RFC 9449, section 7.2: the challenge of the scheme that was tried carries the error, the other says
    /// only that it exists.
    fn challenges(&self, context: &Context<'_>) -> Vec<HeaderValue> {
        let tried = match self {
            Refusal::Nothing | Refusal::Malformed(_) => None,
            Refusal::Token(scheme, _) | Refusal::Scope(scheme, _) => Some(*scheme),
            Refusal::Proof(_) | Refusal::Nonce(_) => Some(Scheme::Dpop),
            Refusal::Unavailable | Refusal::Failed | Refusal::Unclear(_) | Refusal::Unreadable(_) => {
                return Vec::new();
            }
        };
        let offered = [
            (Scheme::Bearer, context.dpop.is_none_or(|dpop| !dpop.is_required())),
            (Scheme::Dpop, context.dpop.is_some()),
        ];
        let offered = offered.into_iter().filter(|(scheme, offered)| *offered || tried == Some(*scheme));
        // Whoever has a token for one scheme has no use for the other.
        let offered =
            offered.filter(|(scheme, _)| !matches!(self, Refusal::Scope(tried, _) if tried != scheme));
        offered.filter_map(|(scheme, _)| self.challenge(scheme, tried == Some(scheme), context)).collect()
    }

    fn challenge(&self, scheme: Scheme, tried: bool, context: &Context<'_>) -> Option<HeaderValue> {
        let mut parameters = Vec::new();
        if tried || matches!(self, Refusal::Malformed(_)) {
            parameters.push(("error", self.code().to_owned()));
            parameters.push(("error_description", self.description()));
        }
        let scopes = match self {
            Refusal::Scope(_, needed) => needed,
            _ => context.base,
        };
        if !scopes.is_empty() {
            parameters.push(("scope", joined(scopes)));
        }
        parameters.push(("resource_metadata", context.metadata.to_owned()));
        let name = match scheme {
            Scheme::Bearer => "Bearer",
            Scheme::Dpop => {
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

/// RFC 6750, section 3: neither quotes, backslashes nor anything beyond ASCII.
fn quotable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '\'' }).collect()
}
