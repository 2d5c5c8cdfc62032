//! Pages of other parts of the program that need to know who looks at them: the same people, the same sign-in,
//! the same session as the authorization server's own.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use loggia::transport::http::Body;
use serde::{Deserialize, Serialize};

use super::authorize::{DECIDES, Request, failed};
use super::http::{Params, comes_from, form, redirect};
use super::records::Records;
use super::{AuthorizationServer, Endpoint, Shared, pages};
use crate::error::AuthError;
use crate::jose::random;

/// Somebody who is signed in in a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Who they are: the subject of their tokens.
    pub subject: String,
    /// What they are called.
    pub name: String,
}

/// What somebody entered on a page.
pub struct Form(Params);

impl Form {
    /// The value of a field that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }
}

/// Somebody who signs in on the way to a page.
#[derive(Serialize, Deserialize)]
pub(super) struct Visit {
    back: String,
}

impl AuthorizationServer {
    /// Who is signed in in the browser that sends these headers.
    pub async fn visitor(&self, headers: &HeaderMap) -> Result<Option<Visitor>, AuthError> {
        let session = self.shared.session(headers).await?;
        Ok(session.map(|(_, session)| Visitor { subject: session.subject, name: session.name }))
    }

    /// Has somebody sign in who asks with `asking`, and sends them back to a page of this server: its path and query.
    /// Nobody knows them yet, so what one address may ask for is bounded as it is for the server's own pages.
    pub async fn sign_in_first(&self, back: &str, asking: &Parts) -> Response<Body> {
        let Parts { headers, extensions, .. } = asking;
        let counted = self.shared.rates.count(Endpoint::Continue, (headers, extensions), self.shared.now());
        if let Err(wait) = counted {
            return pages::too_many(wait);
        }
        let begun = self.shared.begin_visit(back, self.shared.rates.address(asking)).await;
        match begun {
            Ok(Some(id)) => self.shared.sign_in_page(&id, asking).await,
            Ok(None) => pages::problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "Try again later",
                "Too many people are signing in at once.",
            ),
            Err(error) => failed(&error),
        }
    }

    /// A form that was sent from a page of this server, and from no other. The error is the answer.
    pub async fn form(&self, headers: &HeaderMap, body: Body) -> Result<Form, Box<Response<Body>>> {
        if !comes_from(headers, &self.shared.origin) {
            return Err(Box::new(pages::problem(
                StatusCode::FORBIDDEN,
                "This cannot be done",
                "The form did not come from the page that was shown to you.",
            )));
        }
        let params = form(headers, body).await;
        params.map(Form).map_err(|error| {
            Box::new(pages::problem(error.status, "This cannot be done", &error.description))
        })
    }
}

impl Shared {
    /// `None` where too many sign in.
    async fn begin_visit(&self, back: &str, source: Option<IpAddr>) -> Result<Option<String>, AuthError> {
        // Nowhere else than to this server.
        let own = back.starts_with('/') && !back.starts_with("//") && !back.contains('\\');
        let visit = Visit { back: if own { back } else { "/" }.to_owned() };
        let (id, now) = (random(24), self.now());
        Ok(self.visits.add(&id, &visit, source, (now, now + DECIDES)).await?.then_some(id))
    }

    /// `GET continue` of somebody who is on the way to a page; `None` where nobody is.
    pub(super) async fn go_on_visiting(
        &self,
        id: &str,
        parts: &Parts,
    ) -> Result<Option<Response<Body>>, AuthError> {
        let name = Records::named("visit", id);
        let Some(visit) = self.records.get::<Visit>(&name).await? else { return Ok(None) };
        if self.session(&parts.headers).await?.is_none() {
            return Ok(Some(self.sign_in_page(id, parts).await));
        }
        self.visits.finish(&name).await?;
        self.records.take::<Visit>(&name).await?;
        Ok(Some(redirect(&visit.value.back)))
    }

    /// Whether somebody who signs in is on the way to anything.
    pub(super) async fn is_expected(&self, id: &str) -> Result<bool, AuthError> {
        let asks = self.records.get::<Request>(&Records::named("request", id)).await?.is_some();
        Ok(asks || self.records.get::<Visit>(&Records::named("visit", id)).await?.is_some())
    }
}
