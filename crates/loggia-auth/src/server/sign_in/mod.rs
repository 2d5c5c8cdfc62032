//! The sign-in of users: with a link that is shown where the program runs, which is enough for the only user of a
//! machine, or at an identity provider with OpenID Connect.
//!
//! A sign-in has an identifier: that of a pending authorization request, or of a page that the user returns to.

mod link;
mod openid;
mod provider;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Response};
use loggia::transport::http::Body;
use url::Url;

use super::http::RequestParams;
use super::pages;
use super::urls::ServerUrls;
use crate::error::AuthError;
pub(super) use link::LinkSignIn;
pub use link::{ShowLinkFn, SignInLink};
pub(super) use openid::ProviderSignIn;
pub use provider::{AdmitFn, OpenIdProvider};

/// A method with which users sign in.
#[derive(Clone)]
pub enum SignInMethod {
    /// With a link that works once, for the only user of a machine.
    Link {
        /// The subject of the user.
        subject: String,
        /// Shows a link to the user.
        show: ShowLinkFn,
    },
    /// At an identity provider.
    OpenId(Arc<OpenIdProvider>),
}

impl fmt::Debug for SignInMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignInMethod::Link { subject, .. } => {
                f.debug_struct("Link").field("subject", subject).finish_non_exhaustive()
            }
            SignInMethod::OpenId(provider) => provider.fmt(f),
        }
    }
}

/// The pages of the sign-in method in use.
pub(super) struct SignInPages {
    pub(super) urls: Arc<ServerUrls>,
    pub(super) flow: SignInFlow,
}

/// The sign-in method in use.
pub(super) enum SignInFlow {
    Link(LinkSignIn),
    OpenId(ProviderSignIn),
}

impl SignInPages {
    /// Returns the page that starts a sign-in: the form for a link's code, or a redirect to the identity provider.
    pub(super) async fn page(&self, sign_in: &str, parts: &Parts) -> Response<Body> {
        let page = match &self.flow {
            SignInFlow::Link(link) => link.start(sign_in, parts).await,
            SignInFlow::OpenId(provider) => provider.start(sign_in, &parts.headers).await,
        };
        page.unwrap_or_else(|error| pages::internal_error(&error))
    }

    /// Answers `GET signin`: the user opened a link. The link stays valid, because some programs open links before
    /// users do.
    pub(super) fn open(&self, params: &RequestParams) -> Response<Body> {
        let (action, sign_in) = (self.urls.path("signin"), params.get("request"));
        match params.get("code") {
            Some(code) => pages::confirm_link(&action, sign_in, code),
            None => pages::enter_code(&action, sign_in, false),
        }
    }

    /// Answers `POST signin`: the user confirmed a link, or entered its code.
    pub(super) async fn confirm(&self, params: &RequestParams, headers: &HeaderMap) -> Response<Body> {
        let page = match &self.flow {
            SignInFlow::Link(link) => link.confirm(params, headers).await,
            SignInFlow::OpenId(_) => Ok(None),
        };
        let wrong = || pages::enter_code(&self.urls.path("signin"), params.get("request"), true);
        page.map_or_else(|error| pages::internal_error(&error), |page| page.unwrap_or_else(wrong))
    }

    /// Answers `GET callback`: the identity provider's authorization response.
    pub(super) async fn callback(&self, params: &RequestParams, headers: &HeaderMap) -> Response<Body> {
        match &self.flow {
            SignInFlow::Link(_) => pages::not_signed_in("Users do not sign in at an identity provider here."),
            SignInFlow::OpenId(provider) => provider.callback(params, headers).await,
        }
    }

    /// Returns a new link that belongs to no authorization request.
    pub(super) async fn new_link(&self) -> Result<Url, AuthError> {
        match &self.flow {
            SignInFlow::Link(link) => link.new_link(None).await,
            SignInFlow::OpenId(_) => {
                Err(AuthError::Configuration("users sign in at their identity provider".to_owned()))
            }
        }
    }
}
