//! How people sign in: by a link that is shown where Loggia runs, which is enough for the one person of a
//! machine; or at their own identity provider, by OpenID Connect.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use loggia::transport::http::Body;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::authorize::{Request, Session, failed, too_late};
use super::http::{Params, comes_from, redirect};
use super::records::Records;
use super::{Shared, pages, redirect_uri};
use crate::error::AuthError;
use crate::jose::{random, sha256};
use crate::openid::IdTokenRules;
use crate::remote_issuer::RemoteIssuer;
use crate::restricted_http::{FetchRequest, RestrictedHttpClient};
use crate::secret::Secret;

/// How long a link counts.
const LINK: Duration = Duration::from_secs(10 * 60);
/// The shortest time between two links for the same sign-in.
const PAUSE: Duration = Duration::from_secs(60);
/// How long a person may take at the identity provider.
const AWAY: Duration = Duration::from_secs(15 * 60);

/// Shows a link to the person who runs the program. The link is a secret: it signs in the browser that opens it.
pub type ShowLink = Arc<dyn Fn(&SignInLink) + Send + Sync>;

/// A link by which a person signs in, and the program that asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInLink {
    url: Url,
    program: Option<(String, String)>,
}

impl SignInLink {
    /// Returns the link.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the name that the program gives itself; `None` for a sign-in to a page of this server.
    pub fn program(&self) -> Option<&str> {
        self.program.as_ref().map(|(name, _)| name.as_str())
    }

    /// Returns the host that the person is sent to afterwards, or the kind of links that opens the program.
    pub fn destination(&self) -> Option<&str> {
        self.program.as_ref().map(|(_, destination)| destination.as_str())
    }
}

/// Says who somebody is in Loggia, from the claims of their ID token; `None` for somebody who may not come
/// in.
pub type Admit = Arc<dyn Fn(&Value) -> Option<String> + Send + Sync>;

/// How people sign in.
#[derive(Clone)]
pub enum SignIn {
    /// By a link that works once, for the one person of a machine.
    Link {
        /// Whom the link signs in.
        subject: String,
        /// Shows the link when somebody wants to sign in.
        show: ShowLink,
    },
    /// At an identity provider.
    OpenId(Arc<OpenId>),
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignIn::Link { subject, .. } => {
                f.debug_struct("Link").field("subject", subject).finish_non_exhaustive()
            }
            SignIn::OpenId(openid) => openid.fmt(f),
        }
    }
}

/// An identity provider where people sign in, and ourselves as a client of it. The address to register there
/// is the issuer's, followed by `/oauth/callback`.
pub struct OpenId {
    provider: RemoteIssuer,
    client_id: String,
    client_secret: Option<Secret>,
    scopes: String,
    admit: Admit,
    guard: RestrictedHttpClient,
}

impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenId").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl OpenId {
    /// The provider of this name. Everybody whom it knows may come in, under the name it gives them (`sub`).
    pub fn new(
        issuer: &str,
        client_id: impl Into<String>,
        client_secret: Option<Secret>,
        guard: RestrictedHttpClient,
    ) -> Result<OpenId, url::ParseError> {
        Ok(OpenId {
            provider: RemoteIssuer::new(issuer, guard.clone())?,
            client_id: client_id.into(),
            client_secret,
            scopes: "openid profile email".to_owned(),
            admit: Arc::new(|claims| claims.get("sub")?.as_str().map(str::to_owned)),
            guard,
        })
    }

    /// Decides who may come in, and under which name.
    pub fn admit(mut self, admit: Admit) -> OpenId {
        self.admit = admit;
        self
    }

    /// What is asked of the provider, in place of `openid profile email`.
    pub fn scopes(mut self, scopes: impl Into<String>) -> OpenId {
        self.scopes = scopes.into();
        self
    }
}

#[derive(Serialize, Deserialize)]
struct Link {
    subject: String,
}

/// A person who is at the identity provider. State, nonce, verifier and browser are one record, used once.
#[derive(Serialize, Deserialize)]
struct Away {
    request: String,
    nonce: String,
    verifier: String,
    browser: String,
}

/// Why somebody who came back is not signed in.
enum NotIn {
    Refused(String),
    Failed(AuthError),
}

impl From<AuthError> for NotIn {
    fn from(error: AuthError) -> NotIn {
        NotIn::Failed(error)
    }
}

fn refused(why: impl Into<String>) -> NotIn {
    NotIn::Refused(why.into())
}

impl Shared {
    /// A new link. It counts once, for ten minutes.
    pub(super) async fn link(&self, subject: &str, request: Option<&str>) -> Result<Url, AuthError> {
        let code = random(24);
        let record = Link { subject: subject.to_owned() };
        self.records.add(&Records::named("link", &code), &record, Some(self.now() + LINK)).await?;
        let wrong = |_| AuthError::Configuration("the issuer is not a URL".to_owned());
        let mut url = Url::parse(&format!("{}{}", self.origin, self.path("signin"))).map_err(wrong)?;
        url.query_pairs_mut()
            .extend_pairs(request.map(|request| ("request", request)))
            .append_pair("code", &code);
        Ok(url)
    }

    /// What somebody sees who is not signed in.
    pub(super) async fn sign_in_page(&self, request: &str, parts: &Parts) -> Response<Body> {
        let page = match &self.sign_in {
            SignIn::Link { subject, show } => self.link_page(subject, show, request, parts).await,
            SignIn::OpenId(openid) => self.send_away(openid, request, &parts.headers).await,
        };
        page.unwrap_or_else(|error| failed(&error))
    }

    async fn link_page(
        &self,
        subject: &str,
        show: &ShowLink,
        request: &str,
        parts: &Parts,
    ) -> Result<Response<Body>, AuthError> {
        let (now, shown) = (self.now(), Records::named("link-shown", request));
        let program = self.program_of(request).await?;
        if self.records.add(&shown, &(), Some(now + PAUSE)).await? {
            if let Err(wait) = self.rates.count_link(parts, now) {
                self.records.take::<()>(&shown).await?;
                return Ok(pages::too_many(wait));
            }
            match self.link(subject, Some(request)).await {
                Ok(url) => show(&SignInLink { url, program }),
                Err(error) => {
                    // The next request must not wait for a link that was never shown.
                    self.records.take::<()>(&shown).await?;
                    return Err(error);
                }
            }
        }
        Ok(pages::enter_code(&self.path("signin"), Some(request), false))
    }

    /// Returns the name of the program that a person signs in for, and where it has them sent.
    async fn program_of(&self, request: &str) -> Result<Option<(String, String)>, AuthError> {
        let found = self.records.get::<Request>(&Records::named("request", request)).await?;
        let Some(request) = found.map(|found| found.value) else { return Ok(None) };
        let client = self.clients.find(&request.client, self.now()).await?.ok();
        let name = client.map_or_else(|| request.client.clone(), |client| client.name);
        Ok(Some((name, redirect_uri::shown(&request.redirect_uri))))
    }

    /// `GET signin`: somebody opened a link.
    pub(super) fn opened(&self, params: &Params) -> Response<Body> {
        match params.get("code") {
            Some(code) => pages::confirm_link(&self.path("signin"), params.get("request"), code),
            None => pages::enter_code(&self.path("signin"), params.get("request"), false),
        }
    }

    /// `POST signin`: somebody confirmed a link, or entered its code.
    pub(super) async fn enter(&self, params: &Params, headers: &HeaderMap) -> Response<Body> {
        self.try_enter(params, headers).await.unwrap_or_else(|error| failed(&error))
    }

    async fn try_enter(&self, params: &Params, headers: &HeaderMap) -> Result<Response<Body>, AuthError> {
        let request = params.get("request");
        let code = params.get("code").unwrap_or_default().trim();
        let is_ours = comes_from(headers, &self.origin) && matches!(self.sign_in, SignIn::Link { .. });
        let link = match is_ours {
            true => self.records.take::<Link>(&Records::named("link", code)).await?,
            false => None,
        };
        let Some(link) = link else { return Ok(pages::enter_code(&self.path("signin"), request, true)) };
        let session = Session { name: link.subject.clone(), subject: link.subject };
        let mut response = match request {
            Some(request) => redirect(&self.continue_at(request)),
            None => pages::page(
                StatusCode::OK,
                "You are signed in",
                "<p>Go back to the program you came from.</p>",
                None,
            ),
        };
        self.signed_in(&session, &mut response).await?;
        Ok(response)
    }

    fn continue_at(&self, request: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        format!("{}?{}", self.path("continue"), query.append_pair("request", request).finish())
    }

    /// Sends somebody to the identity provider.
    async fn send_away(
        &self,
        openid: &OpenId,
        request: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, AuthError> {
        let metadata = openid.provider.metadata().await.map_err(AuthError::Fetch)?;
        let no_endpoint =
            || AuthError::Discovery("the identity provider names no place to sign in".to_owned());
        let mut url = metadata.authorization_endpoint.ok_or_else(no_endpoint)?;
        let known = self.cookies.get(headers, "browser").filter(|browser| browser.len() == 32);
        let browser = known.map_or_else(|| random(24), str::to_owned);
        let (state, nonce, verifier) = (random(24), random(24), random(48));
        let away = Away {
            request: request.to_owned(),
            nonce: nonce.clone(),
            verifier: verifier.clone(),
            browser: sha256(&browser),
        };
        self.records.add(&Records::named("away", &state), &away, Some(self.now() + AWAY)).await?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &openid.client_id)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("scope", &openid.scopes)
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &sha256(&verifier))
            .append_pair("code_challenge_method", "S256");
        let mut response = redirect(url.as_str());
        self.cookies.set(&mut response, "browser", &browser, AWAY);
        Ok(response)
    }

    fn callback(&self) -> String {
        format!("{}{}", self.origin, self.path("callback"))
    }

    /// `GET callback`: somebody came back from the identity provider.
    pub(super) async fn came_back(&self, params: &Params, headers: &HeaderMap) -> Response<Body> {
        let outcome = match &self.sign_in {
            SignIn::OpenId(openid) => self.try_came_back(openid, params, headers).await,
            SignIn::Link { .. } => Err(refused("Nobody is expected from an identity provider.")),
        };
        outcome.unwrap_or_else(|error| match error {
            NotIn::Failed(error) => failed(&error),
            NotIn::Refused(why) => pages::problem(StatusCode::FORBIDDEN, "You are not signed in", &why),
        })
    }

    async fn try_came_back(
        &self,
        openid: &OpenId,
        params: &Params,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, NotIn> {
        let state = params.get("state").ok_or_else(|| refused("The answer is incomplete."))?;
        let Some(away) = self.records.take::<Away>(&Records::named("away", state)).await? else {
            return Ok(too_late());
        };
        // The browser that comes back must be the one that was sent: else somebody could sign another person
        // in under their own name.
        let browser = self.cookies.get(headers, "browser").map(sha256);
        if browser.as_deref() != Some(&away.browser) {
            return Err(refused("The sign-in was begun in another browser."));
        }
        if params.get("iss").is_some_and(|iss| iss != openid.provider.name()) {
            return Err(refused("The answer comes from another identity provider."));
        }
        if params.get("error").is_some() {
            return Err(refused("The identity provider did not sign you in."));
        }
        let code = params.get("code").ok_or_else(|| refused("The answer is incomplete."))?;
        let claims = self.redeem(openid, code, &away).await?;
        let subject =
            (openid.admit)(&claims).ok_or_else(|| refused("You are known, but you may not come in here."))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").or_else(|| text("email")).unwrap_or_else(|| subject.clone());
        if !self.is_expected(&away.request).await? {
            return Ok(too_late());
        }
        let mut response = redirect(&self.continue_at(&away.request));
        self.signed_in(&Session { subject, name }, &mut response).await?;
        Ok(response)
    }

    /// Exchanges the provider's code for an ID token, and checks that (OpenID Connect Core, section 3.1.3).
    async fn redeem(&self, openid: &OpenId, code: &str, away: &Away) -> Result<Value, NotIn> {
        #[derive(Deserialize)]
        struct Answer {
            id_token: Secret,
        }
        let unavailable = |what: &str| {
            tracing::warn!(what, provider = openid.provider.name(), "nobody could be signed in");
            refused("The identity provider does not answer as it should. Try again.")
        };
        let metadata = openid.provider.metadata().await.map_err(|error| unavailable(&error.to_string()))?;
        let endpoint =
            metadata.token_endpoint.clone().ok_or_else(|| unavailable("it names no token endpoint"))?;
        let callback = self.callback();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &callback),
            ("code_verifier", &away.verifier),
        ];
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        // Where the metadata does not say, it is this one (RFC 8414, section 2).
        let basic =
            methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        let mut authorization = None;
        match &openid.client_secret {
            Some(secret) if basic => authorization = Some(super::basic(&openid.client_id, secret)),
            Some(secret) => {
                form.extend([("client_id", openid.client_id.as_str()), ("client_secret", secret.expose())])
            }
            None => form.push(("client_id", &openid.client_id)),
        }
        let mut fetch = FetchRequest::form(endpoint, form);
        if let Some(credentials) = authorization {
            fetch = fetch
                .authorization("Basic", &credentials)
                .map_err(|error| unavailable(&error.to_string()))?;
        }
        let reply = openid.guard.send(fetch).await.map_err(|error| unavailable(&error.to_string()))?;
        if !reply.status.is_success() {
            return Err(unavailable(&format!("its token endpoint answers {}", reply.status)));
        }
        let answer: Answer =
            serde_json::from_slice(&reply.body).map_err(|_| unavailable("it gives no ID token"))?;
        let expected = IdTokenRules {
            provider: &openid.provider,
            client_id: &openid.client_id,
            nonce: Some(&away.nonce),
            now: self.now(),
            skew: self.skew,
        };
        let claims = expected.verify(answer.id_token.expose()).await;
        claims.map_err(|error| unavailable(&error.to_string()))
    }
}
