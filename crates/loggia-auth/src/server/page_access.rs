//! The access of other pages of the program to the sign-in and the sessions of the authorization server.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Response};
use loggia::transport::http::Body;

use super::http::{RequestParams, is_same_origin, read_form};
use super::pages;
use super::rate::{REQUEST_COST, RateLimiter};
use super::records::RecordStore;
use super::return_pages::ReturnPages;
use super::sessions::Sessions;
use super::sign_in::SignInPages;
use super::urls::ServerUrls;
use crate::error::AuthError;

/// A user who is signed in in a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInUser {
    /// The subject of the user's tokens.
    pub subject: String,
    /// The name to show.
    pub name: String,
}

/// The fields of a form that a user sent.
pub struct FormFields(RequestParams);

impl FormFields {
    /// Returns the value of a field; `None` if it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }
}

/// Identifies the users of pages, and starts their sign-in.
pub(super) struct PageAccess {
    pub(super) urls: Arc<ServerUrls>,
    pub(super) records: RecordStore,
    pub(super) limiter: Arc<RateLimiter>,
    pub(super) sessions: Sessions,
    pub(super) return_pages: ReturnPages,
    pub(super) sign_in: Arc<SignInPages>,
}

impl PageAccess {
    /// Returns the user of a browser's session.
    pub(super) async fn user(&self, headers: &HeaderMap) -> Result<Option<SignedInUser>, AuthError> {
        let session = self.sessions.find(headers).await?;
        Ok(session.map(|session| SignedInUser { subject: session.user.subject, name: session.user.name }))
    }

    /// Returns the page that starts a sign-in, after which the user returns to `path`.
    pub(super) async fn start_sign_in(&self, path: &str, parts: &Parts) -> Response<Body> {
        if let Err(wait) = self.limiter.count(REQUEST_COST, parts, self.records.now()) {
            return pages::too_many_requests(wait);
        }
        match self.return_pages.add(path, self.limiter.address(parts)).await {
            Ok(Some(sign_in)) => self.sign_in.page(&sign_in, parts).await,
            Ok(None) => pages::too_many_sign_ins(),
            Err(error) => pages::internal_error(&error),
        }
    }

    /// Reads a form of a page of this server. The error is the response.
    pub(super) async fn read_form(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<FormFields, Box<Response<Body>>> {
        if !is_same_origin(headers, self.urls.origin()) {
            return Err(Box::new(pages::foreign_form()));
        }
        let params = read_form(headers, body).await;
        params.map(FormFields).map_err(|error| Box::new(pages::refusal(error.status, &error.description)))
    }
}
