//! The authorization endpoint (RFC 6749, section 3.1): the user signs in, decides, and is sent back to the client
//! with a code or an error.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use loggia::transport::http::Body;
use url::Url;

use super::authorization_requests::{ClientChange, ErrorTarget, MAX_STATE, RequestRefusal, RequestValidator};
use super::client_registry::ClientRegistry;
use super::clients::OAuthClient;
use super::codes::AuthorizationCodes;
use super::consents::Consents;
use super::http::{OAuthError, RequestParams, is_same_origin, redirect};
use super::pages::{self, ConsentPage};
use super::pending_authorizations::{PendingAuthorization, PendingAuthorizations};
use super::records::RecordSnapshot;
use super::redirect_uri;
use super::return_pages::ReturnPages;
use super::sessions::{ActiveSession, Sessions};
use super::sign_in::SignInPages;
use super::urls::ServerUrls;
use crate::error::AuthError;
use crate::jose::{random, sha256};

/// Answers the requests of a user's browser between the authorization request and its response.
pub(super) struct AuthorizationEndpoint {
    pub(super) urls: Arc<ServerUrls>,
    pub(super) clients: Arc<ClientRegistry>,
    pub(super) validator: RequestValidator,
    pub(super) pending: PendingAuthorizations,
    pub(super) return_pages: ReturnPages,
    pub(super) sessions: Sessions,
    pub(super) sign_in: Arc<SignInPages>,
    pub(super) consents: Consents,
    pub(super) codes: AuthorizationCodes,
}

impl AuthorizationEndpoint {
    /// Answers `GET` or `POST authorize`: checks the request, and keeps it while the user signs in. `source` is the
    /// address that it comes from.
    pub(super) async fn authorize(
        &self,
        query: &str,
        parts: &Parts,
        source: Option<IpAddr>,
    ) -> Response<Body> {
        match self.begin(query, source).await {
            Ok(id) => self.resume(&id, parts).await,
            Err(RequestRefusal::Failed(error)) => pages::internal_error(&error),
            Err(RequestRefusal::Page(why)) => pages::refusal(StatusCode::BAD_REQUEST, &why),
            Err(RequestRefusal::Response(target, error)) => self.send_error(&target, &error),
        }
    }

    async fn begin(&self, query: &str, source: Option<IpAddr>) -> Result<String, RequestRefusal> {
        let (request, target) = self.validator.check(query).await?;
        let id = self.pending.add(&request, source).await?;
        let full = || OAuthError::new("temporarily_unavailable", "Too many users are signing in at once");
        id.ok_or_else(|| RequestRefusal::Response(target, full()))
    }

    /// Answers `GET continue`: the next step of a sign-in.
    pub(super) async fn resume(&self, id: &str, parts: &Parts) -> Response<Body> {
        self.try_resume(id, parts).await.unwrap_or_else(|error| pages::internal_error(&error))
    }

    async fn try_resume(&self, id: &str, parts: &Parts) -> Result<Response<Body>, AuthError> {
        let Some(RecordSnapshot { value: request, revision }) = self.pending.find(id).await? else {
            return self.resume_to_page(id, parts).await;
        };
        let session = self.sessions.find(&parts.headers).await?;
        if session.is_none() && !request.prompt_none {
            return Ok(self.sign_in.page(id, parts).await);
        }
        let client = match self.validator.client_of(&request).await? {
            Ok(client) => client,
            Err(ClientChange::RedirectUri) => return Ok(pages::client_changed()),
            Err(ClientChange::Rejected(why)) => return Ok(pages::refusal(StatusCode::BAD_REQUEST, &why)),
        };
        let Some(session) = session else {
            return self.refuse_without_asking(id, client, request, "login_required").await;
        };
        if !request.prompt_consent && self.consents.covers(&session.user.subject, &client, &request).await? {
            return self.allow(id, &client, &session.user.subject).await;
        }
        if request.prompt_none {
            return self.refuse_without_asking(id, client, request, "consent_required").await;
        }
        self.ask(id, &client, request, revision, &session).await
    }

    /// Sends a signed-in user back to the page that asked for the sign-in.
    async fn resume_to_page(&self, id: &str, parts: &Parts) -> Result<Response<Body>, AuthError> {
        let Some(path) = self.return_pages.find(id).await? else { return Ok(pages::expired()) };
        if self.sessions.find(&parts.headers).await?.is_none() {
            return Ok(self.sign_in.page(id, parts).await);
        }
        self.return_pages.remove(id).await?;
        Ok(redirect(&path))
    }

    /// Shows the consent page. Its form contains a secret that no other page has.
    async fn ask(
        &self,
        id: &str,
        client: &OAuthClient,
        mut request: PendingAuthorization,
        revision: u64,
        session: &ActiveSession,
    ) -> Result<Response<Body>, AuthError> {
        let ticket = random(24);
        request.consent_page = Some((session.record.clone(), sha256(&ticket)));
        self.pending.replace(id, &request, revision).await?;
        Ok(pages::consent(&ConsentPage {
            action: &self.urls.path("consent"),
            request: id,
            ticket: &ticket,
            client: &client.name,
            verified_host: client.verified_host().as_deref(),
            destination: &redirect_uri::display(&request.redirect_uri),
            is_local: redirect_uri::opens_program(&request.redirect_uri),
            resource: &request.resource,
            scopes: &request.scopes,
            user: &session.user.name,
            form_target: &redirect_uri::policy_source(&request.redirect_uri),
        }))
    }

    /// Answers `POST consent`: the user's decision.
    pub(super) async fn decide(&self, params: &RequestParams, headers: &HeaderMap) -> Response<Body> {
        self.try_decide(params, headers).await.unwrap_or_else(|error| pages::internal_error(&error))
    }

    async fn try_decide(
        &self,
        params: &RequestParams,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, AuthError> {
        if !is_same_origin(headers, self.urls.origin()) {
            return Ok(pages::foreign_form());
        }
        let (Some(id), Some(ticket)) = (params.get("request"), params.get("ticket")) else {
            return Ok(pages::foreign_form());
        };
        let Some(RecordSnapshot { value: request, .. }) = self.pending.find(id).await? else {
            return Ok(pages::expired());
        };
        let Some(session) = self.sessions.find(headers).await? else { return Ok(pages::foreign_form()) };
        if request.consent_page != Some((session.record, sha256(ticket))) {
            return Ok(pages::foreign_form());
        }
        if params.get("decision") != Some("allow") {
            self.pending.take(id).await?;
            let error = OAuthError::new("access_denied", "The user did not allow it");
            return Ok(redirect(&self.error_url(&request.redirect_uri, request.state.as_deref(), &error)));
        }
        let Ok(client) = self.validator.client_of(&request).await? else {
            return Ok(pages::client_changed());
        };
        self.consents.remember(&session.user.subject, &client, &request).await?;
        self.allow(id, &client, &session.user.subject).await
    }

    /// Sends the user back with a code, and deletes the request.
    async fn allow(
        &self,
        id: &str,
        client: &OAuthClient,
        subject: &str,
    ) -> Result<Response<Body>, AuthError> {
        let Some(request) = self.pending.take(id).await? else { return Ok(pages::expired()) };
        self.clients.extend(client).await?;
        let (uri, state) = (request.redirect_uri.clone(), request.state.clone());
        let code = self.codes.issue(request, subject).await?;
        let mut response = vec![("code", code.as_str())];
        response.extend(state.as_deref().map(|state| ("state", state)));
        response.push(("iss", self.urls.issuer()));
        Ok(redirect(&redirect_uri::with_response(&uri, &response)))
    }

    /// Refuses a request with `prompt=none` that needs an answer of the user.
    async fn refuse_without_asking(
        &self,
        id: &str,
        client: OAuthClient,
        request: PendingAuthorization,
        code: &'static str,
    ) -> Result<Response<Body>, AuthError> {
        self.pending.take(id).await?;
        let PendingAuthorization { redirect_uri, state, .. } = request;
        let error = OAuthError::new(code, "The user has to be asked");
        Ok(self.send_error(&ErrorTarget { client, redirect_uri, state }, &error))
    }

    /// Sends an error to a client before the user has seen any page. An attacker could register an address so that
    /// this server sends users there. So the user sees a page first, unless the address is trusted or local.
    fn send_error(&self, target: &ErrorTarget, error: &OAuthError) -> Response<Body> {
        let ErrorTarget { client, redirect_uri: uri, state } = target;
        let url = self.error_url(uri, state.as_deref(), error);
        let is_local = Url::parse(uri).is_ok_and(|uri| redirect_uri::is_local(&uri));
        match client.is_trusted() || is_local {
            true => redirect(&url),
            false => pages::return_link(&error.description, &redirect_uri::display(uri), &url),
        }
    }

    /// Returns the URL of an error response (RFC 6749, section 4.1.2.1), with the issuer (RFC 9207).
    fn error_url(&self, uri: &str, state: Option<&str>, error: &OAuthError) -> String {
        let mut response = vec![("error", error.code), ("error_description", error.description.as_str())];
        response.extend(state.filter(|state| state.len() <= MAX_STATE).map(|state| ("state", state)));
        response.push(("iss", self.urls.issuer()));
        redirect_uri::with_response(uri, &response)
    }
}

#[cfg(test)]
mod tests {
    use http::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
    use http::{HeaderValue, Request};
    use http_body_util::BodyExt;

    use super::*;
    use crate::server::sessions::SessionUser;
    use crate::server::sign_in::SignInMethod;
    use crate::server::testing::{TestClock, stores};

    const QUERY: &str = "client_id=cli&redirect_uri=https://app.example/cb&response_type=code&state=s\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    fn endpoint() -> AuthorizationEndpoint {
        let stores = stores(&TestClock::new());
        let method = SignInMethod::Link { subject: "ada".to_owned(), show: Arc::new(|_| {}) };
        stores.authorization_endpoint(Arc::new(stores.sign_in_pages(method)))
    }

    /// Returns the head of a request of a browser, signed in or not.
    async fn browser(endpoint: &AuthorizationEndpoint, is_signed_in: bool) -> Parts {
        let mut parts = Request::new(()).into_parts().0;
        if is_signed_in {
            let user = SessionUser { subject: "ada".to_owned(), name: "Ada".to_owned() };
            let mut response = Response::new(Body::empty());
            endpoint.sessions.start(&user, &mut response).await.unwrap();
            parts.headers.insert(COOKIE, response.headers()[SET_COOKIE].clone());
        }
        parts
    }

    /// Returns the value of a parameter in a redirect.
    fn redirect_param(response: &Response<Body>, name: &str) -> Option<String> {
        let url = Url::parse(response.headers().get(LOCATION)?.to_str().unwrap()).unwrap();
        url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    async fn text(response: Response<Body>) -> String {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Returns the value of a hidden field in a page.
    fn field<'p>(page: &'p str, name: &str) -> &'p str {
        let (_, rest) =
            page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{page}"));
        rest.split('"').next().unwrap()
    }

    #[tokio::test]
    async fn the_user_signs_in_and_is_asked_unless_the_client_forbids_it() {
        let endpoint = endpoint();
        let table = [
            (false, "", None, "name=\"code\""),
            (true, "", None, "name=\"ticket\""),
            (false, "&prompt=none", Some("login_required"), ""),
            (true, "&prompt=none", Some("consent_required"), ""),
            (true, "&response_type=token", None, "is repeated"),
        ];
        for (is_signed_in, change, error, content) in table {
            let parts = browser(&endpoint, is_signed_in).await;
            let response = endpoint.authorize(&format!("{QUERY}{change}"), &parts, None).await;
            assert_eq!(redirect_param(&response, "error").as_deref(), error, "{is_signed_in} {change}");
            let page = text(response).await;
            assert!(page.contains(content), "{is_signed_in} {change}: {page}");
        }
    }

    /// Each line: the origin, the ticket and the decision of a form; the parameter of the redirect that has the
    /// outcome.
    #[tokio::test]
    async fn only_the_form_of_the_consent_page_decides() {
        const OURS: &str = "https://hub.example";
        let table = [
            (OURS, None, "allow", Some("code")),
            (OURS, None, "deny", Some("error")),
            (OURS, Some("other"), "allow", None),
            ("https://evil.example", None, "allow", None),
        ];
        for (origin, ticket, decision, outcome) in table {
            let endpoint = endpoint();
            let mut parts = browser(&endpoint, true).await;
            let page = text(endpoint.authorize(QUERY, &parts, None).await).await;
            let ticket = ticket.unwrap_or_else(|| field(&page, "ticket"));
            let form = format!("request={}&ticket={ticket}&decision={decision}", field(&page, "request"));
            let params = RequestParams::parse(form.as_bytes()).unwrap();
            parts.headers.insert(ORIGIN, HeaderValue::from_static(origin));
            let response = endpoint.decide(&params, &parts.headers).await;
            for name in ["code", "error"] {
                let is_there = redirect_param(&response, name).is_some();
                assert_eq!(is_there, outcome == Some(name), "{origin} {ticket} {decision} {name}");
            }
            let iss = redirect_param(&response, "iss");
            assert_eq!(iss.as_deref(), outcome.map(|_| OURS), "{origin} {ticket} {decision}");
        }
    }
}
