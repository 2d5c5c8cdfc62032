//! Security schemes: the place in a request where a credential goes.
//!
//! Invariant: a credential enters a request here alone, and the header that holds it is marked as sensitive.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, HeaderValue, Request, Uri};
use loggia_wire::RawJson;
use loggia_wire::text::redact_url;

use crate::document::{Document, Format, items, member, members, string};
use crate::error::ArgumentError;
use crate::parameter::percent_encode;

/// The part of a request that holds an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialPlace {
    /// A header of this name.
    Header(String),
    /// A query parameter of this name.
    Query(String),
    /// A cookie of this name.
    Cookie(String),
}

/// An authentication scheme of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityScheme {
    /// An API key.
    ApiKey(CredentialPlace),
    /// HTTP Basic (RFC 7617): the credential is `user:password`.
    Basic,
    /// A bearer token (RFC 6750).
    Bearer,
    /// An OAuth 2.0 access token, sent as a bearer token.
    OAuth2 {
        /// The authorization endpoint, if the scheme has one.
        authorization_url: Option<String>,
        /// The token endpoint.
        token_url: Option<String>,
        /// The scopes that the description names, each with its description.
        scopes: Vec<(String, String)>,
    },
    /// An access token of an OpenID provider, whose discovery document is at this URL.
    OpenIdConnect(String),
    /// A scheme that this crate does not know.
    Unknown(String),
}

/// A scheme that a request may use, and the scopes that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityRequirement {
    /// The name of the scheme in the description.
    pub scheme: String,
    /// The scopes that the operation needs.
    pub scopes: Vec<String>,
}

impl SecurityScheme {
    fn read(scheme: &RawJson) -> SecurityScheme {
        let text = |name: &str| string(scheme, name);
        match text("type").as_deref() {
            Some("apiKey") => {
                let name = text("name").unwrap_or_default();
                match text("in").as_deref() {
                    Some("query") => SecurityScheme::ApiKey(CredentialPlace::Query(name)),
                    Some("cookie") => SecurityScheme::ApiKey(CredentialPlace::Cookie(name)),
                    _ => SecurityScheme::ApiKey(CredentialPlace::Header(name)),
                }
            }
            Some("basic") => SecurityScheme::Basic,
            Some("http") => match text("scheme").unwrap_or_default().to_ascii_lowercase().as_str() {
                "basic" => SecurityScheme::Basic,
                "bearer" => SecurityScheme::Bearer,
                other => SecurityScheme::Unknown(format!("http {other}")),
            },
            Some("oauth2") => oauth(scheme),
            Some("openIdConnect") => {
                SecurityScheme::OpenIdConnect(text("openIdConnectUrl").unwrap_or_default())
            }
            other => SecurityScheme::Unknown(other.unwrap_or("no type").to_owned()),
        }
    }

    /// Adds a credential to a request: an API key, a token, or `user:password`.
    pub fn authorize(&self, request: &mut Request<Bytes>, credential: &str) -> Result<(), ArgumentError> {
        match self {
            SecurityScheme::ApiKey(CredentialPlace::Header(name)) => {
                let name = HeaderName::try_from(name.as_str()).map_err(|_| {
                    ArgumentError::new(format!("the API key's header {name:?} is not a valid name"))
                })?;
                request.headers_mut().insert(name, secret(credential)?);
            }
            SecurityScheme::ApiKey(CredentialPlace::Query(name)) => add_query(request, name, credential)?,
            SecurityScheme::ApiKey(CredentialPlace::Cookie(name)) => {
                let own = format!("{}={}", percent_encode(name), percent_encode(credential));
                let cookies = match request.headers().get(COOKIE).and_then(|value| value.to_str().ok()) {
                    Some(others) => format!("{others}; {own}"),
                    None => own,
                };
                request.headers_mut().insert(COOKIE, secret(&cookies)?);
            }
            SecurityScheme::Basic => {
                let value = secret(&format!("Basic {}", STANDARD.encode(credential)))?;
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            SecurityScheme::Bearer | SecurityScheme::OAuth2 { .. } | SecurityScheme::OpenIdConnect(_) => {
                request.headers_mut().insert(AUTHORIZATION, secret(&format!("Bearer {credential}"))?);
            }
            SecurityScheme::Unknown(kind) => {
                return Err(ArgumentError::new(format!(
                    "the API's security scheme ({kind}) is not supported"
                )));
            }
        }
        Ok(())
    }
}

impl fmt::Display for SecurityScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecurityScheme::ApiKey(CredentialPlace::Header(name)) => {
                write!(f, "an API key in the header {name}")
            }
            SecurityScheme::ApiKey(CredentialPlace::Query(name)) => {
                write!(f, "an API key in the query parameter {name}")
            }
            SecurityScheme::ApiKey(CredentialPlace::Cookie(name)) => {
                write!(f, "an API key in the cookie {name}")
            }
            SecurityScheme::Basic => f.write_str("user and password (HTTP Basic)"),
            SecurityScheme::Bearer => f.write_str("a bearer token"),
            SecurityScheme::OAuth2 { .. } => f.write_str("an OAuth 2.0 access token"),
            SecurityScheme::OpenIdConnect(url) => {
                write!(f, "an access token of the OpenID provider {}", redact_url(url))
            }
            SecurityScheme::Unknown(kind) => write!(f, "an unsupported security scheme ({kind})"),
        }
    }
}

/// Returns the security schemes of a description, by name.
pub(crate) fn schemes(document: &Document) -> Vec<(String, SecurityScheme)> {
    let all = match document.format() {
        Format::Swagger2 => document.section("securityDefinitions").cloned(),
        Format::OpenApi30 | Format::OpenApi31 => document
            .section("components")
            .cloned()
            .and_then(|components| member(&components, "securitySchemes")),
    };
    let named = all.iter().flat_map(members);
    named
        .filter_map(|(name, scheme)| Some((name, SecurityScheme::read(&document.follow(&scheme).ok()?))))
        .collect()
}

/// Returns the alternatives of `security`: each is a list of schemes that a request uses together.
pub(crate) fn requirements(security: &RawJson) -> Vec<Vec<SecurityRequirement>> {
    let scopes = |value: &RawJson| {
        items(value).iter().filter_map(|scope| Some(scope.as_text().as_str()?.into_owned())).collect()
    };
    let together = |alternative: RawJson| {
        members(&alternative)
            .into_iter()
            .map(|(scheme, value)| SecurityRequirement { scheme, scopes: scopes(&value) })
            .collect()
    };
    items(security).into_iter().map(together).collect()
}

fn oauth(scheme: &RawJson) -> SecurityScheme {
    // OpenAPI 3 lists flows; Swagger 2.0 has one, in the scheme itself.
    let flows: Vec<RawJson> = match member(scheme, "flows") {
        Some(flows) => members(&flows).into_iter().map(|(_, flow)| flow).collect(),
        None => vec![scheme.clone()],
    };
    let mut scopes: Vec<(String, String)> = Vec::new();
    for (name, description) in
        flows.iter().filter_map(|flow| member(flow, "scopes")).flat_map(|scopes| members(&scopes))
    {
        if !scopes.iter().any(|(known, _)| *known == name) {
            scopes.push((name, description.as_text().as_str().unwrap_or_default().into_owned()));
        }
    }
    let first = |name: &str| flows.iter().find_map(|flow| string(flow, name));
    SecurityScheme::OAuth2 {
        authorization_url: first("authorizationUrl"),
        token_url: first("tokenUrl"),
        scopes,
    }
}

fn secret(value: &str) -> Result<HeaderValue, ArgumentError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        ArgumentError::new("the credential has characters that no header can hold: enter it again")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn add_query(request: &mut Request<Bytes>, name: &str, credential: &str) -> Result<(), ArgumentError> {
    let separator = if request.uri().query().is_some() { '&' } else { '?' };
    let uri = format!("{}{separator}{}={}", request.uri(), percent_encode(name), percent_encode(credential));
    // The text of the error would hold the credential.
    *request.uri_mut() =
        uri.parse::<Uri>().map_err(|_| ArgumentError::new("the URL is too long with the API key in it"))?;
    Ok(())
}
