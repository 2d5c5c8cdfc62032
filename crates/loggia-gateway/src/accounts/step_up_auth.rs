//! Step-up authorization, if a credential lacks a scope that a request needs. The user cannot be asked during a
//! request, so the missing scope is stored, and the next sign-in requests it, too.

use http::{HeaderMap, Method, StatusCode};
use loggia::Result;
use loggia::client::{Authorize, Challenge};
use loggia::service::BoxFuture;
use loggia_auth::client::OAuth;
use loggia_auth::discovery::BearerChallenge;
use url::Url;

use super::ConnectorAccounts;

/// The authorization of a user. It stores the scopes that were lacking.
pub(super) struct StepUpAuth {
    pub(super) oauth: OAuth,
    pub(super) accounts: ConnectorAccounts,
    pub(super) owner: String,
}

impl Authorize for StepUpAuth {
    fn headers(&self, method: &Method, url: &Url) -> BoxFuture<'_, Result<HeaderMap>> {
        self.oauth.headers(method, url)
    }

    fn handle_challenge(&self, challenge: Challenge) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let bearer = BearerChallenge::read(&challenge.headers);
            let outcome = self.oauth.handle_challenge(challenge).await;
            if let (Err(_), true, Some(scopes)) = (&outcome, bearer.lacks_scope(), &bearer.scope)
                && let Err(error) = self.accounts.request_scopes(&self.owner, scopes).await
            {
                tracing::warn!(connector = self.accounts.name(), %error, "the next sign-in asks for no more");
            }
            outcome
        })
    }

    fn observe_response(&self, sent: &HeaderMap, status: StatusCode, headers: &HeaderMap) {
        self.oauth.observe_response(sent, status, headers);
    }

    fn context(&self) -> Option<String> {
        self.oauth.context()
    }
}
