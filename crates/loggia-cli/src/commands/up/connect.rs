//! The pages where somebody signs in to a connector for themselves: `/connect/NAME`, which a link leads to,
//! and `/connect/NAME/callback`, where they come back to. `/connect/client.json` tells vendors what Loggia is.
//!
//! Whoever opens a link must be signed in here, in that browser, as the person it was made for. Otherwise one
//! could send a link of one's own to another, and have their account at the vendor as one's own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use loggia::service::BoxFuture;
use loggia::transport::http::Body;
use loggia_auth::error::AuthError;
use loggia_auth::server::{AuthorizationServer, SignedInUser, escape, page, problem};
use loggia_auth::user_agent::AuthorizationResponse;
use loggia_connect::manifest::{Personal, Remote};
use loggia_connect::secret::Secret;
use loggia_hub::Hub;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use super::people::Account;

/// Adds the pages.
#[derive(Clone)]
pub(crate) struct ConnectLayer {
    pages: Arc<Pages>,
}

struct Pages {
    server: AuthorizationServer,
    hub: Arc<Hub>,
    accounts: BTreeMap<String, Account>,
    /// What describes Loggia to those who ask for it by its URL.
    document: Option<String>,
}

/// Where that is.
const DOCUMENT: &str = "/connect/client.json";

impl ConnectLayer {
    pub(crate) fn new(server: AuthorizationServer, hub: Arc<Hub>, accounts: Vec<Account>) -> ConnectLayer {
        let mut callbacks: Vec<String> = accounts.iter().map(Account::callback).collect();
        // The document must not change with the order of the file.
        callbacks.sort();
        let document = accounts.first().map(|any| any.accounts().document(&callbacks).to_string());
        let accounts = accounts.into_iter().map(|account| (account.name().to_owned(), account)).collect();
        ConnectLayer { pages: Arc::new(Pages { server, hub, accounts, document }) }
    }
}

/// Why a page is not shown.
enum Not {
    /// Something else is.
    But(Box<Response<Body>>),
    /// Something failed, here or at the vendor.
    Failed(AuthError),
}

impl From<AuthError> for Not {
    fn from(error: AuthError) -> Not {
        Not::Failed(error)
    }
}

fn refused(status: StatusCode, title: &str, why: &str) -> Not {
    Not::But(Box::new(problem(status, title, why)))
}

impl Pages {
    /// What a path is about: a connector, and whether somebody comes back from there.
    fn find(&self, path: &str) -> Option<(&Account, bool)> {
        let rest = path.strip_prefix("/connect/")?;
        let (name, back) = match rest.strip_suffix("/callback") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        Some((self.accounts.get(name)?, back))
    }

    async fn serve(&self, account: &Account, back: bool, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let shown = match (&parts.method, back) {
            (&Method::GET, true) => self.come_back(account, &parts).await,
            (&Method::GET, false) => self.show(account, &parts).await,
            (&Method::POST, false) => self.go(account, &parts, body).await,
            _ => Err(refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "This cannot be done",
                "Open the page in a browser.",
            )),
        };
        shown.unwrap_or_else(|not| match not {
            Not::But(response) => *response,
            Not::Failed(error) => failed(account.name(), &error),
        })
    }

    /// `GET /connect/NAME`: asks whether to go on. Opening a link uses nothing up: programs that look at links
    /// before people do open them.
    async fn show(&self, account: &Account, parts: &Parts) -> Result<Response<Body>, Not> {
        let code = query(parts, "invitation");
        let visitor = self.visitor(account, parts, &code).await?;
        if !account.is_invited(&account.owner(&visitor.subject), &code).await? {
            return Err(not_invited(&visitor));
        }
        let remote = described(account)?;
        let url = Url::parse(remote.url.expose()).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let what = match &remote.personal {
            Some(Personal::ApiKey(_)) => format!("<p>Enter your API key for {}.</p>", escape(host)),
            _ => format!("<p>You are sent to where {} has people sign in, and back.</p>", escape(host)),
        };
        let field = match &remote.personal {
            Some(Personal::ApiKey(_)) => {
                "<input type=\"password\" name=\"key\" autocomplete=\"off\" required autofocus aria-label=\"API key\"> \
                 <button class=\"go\">Keep it</button>"
            }
            _ => "<button class=\"go\">Go on</button>",
        };
        let name = escape(account.name());
        let content = format!(
            "<p>Loggia wants to use <b>{name}</b> in your name, for the programs that you signed in from. You are signed \
             in here as <b>{}</b>.</p>{what}<form method=\"post\" action=\"/connect/{name}\"><input type=\"hidden\" \
             name=\"invitation\" value=\"{}\">{field}</form><p class=\"box\">Go on only if a program of yours just asked \
             you to.</p>",
            escape(&visitor.name),
            escape(&code),
        );
        // Where the vendor has people sign in is known only once it was asked.
        let local = url.is_some_and(|url| url.scheme() == "http");
        Ok(page(StatusCode::OK, "Sign in", &content, Some(if local { "https: http:" } else { "https:" })))
    }

    /// `POST /connect/NAME`: the person wants to.
    async fn go(&self, account: &Account, parts: &Parts, body: Body) -> Result<Response<Body>, Not> {
        let form = self.server.read_form(&parts.headers, body).await.map_err(Not::But)?;
        let code = form.get("invitation").unwrap_or_default();
        let visitor = self.visitor(account, parts, code).await?;
        let owner = account.owner(&visitor.subject);
        let remote = described(account)?;
        if let Some(Personal::ApiKey(header)) = &remote.personal {
            let key = form.get("key").unwrap_or_default().trim();
            header.value(key).map_err(|why| refused(StatusCode::BAD_REQUEST, "This is no API key", why))?;
            if !account.accept(&owner, code).await? {
                return Err(not_invited(&visitor));
            }
            account.keep_key(&owner, key).await?;
            return Ok(self.done(account, &owner).await);
        }
        if !account.accept(&owner, code).await? {
            return Err(not_invited(&visitor));
        }
        let begun = account.begin(&remote, &owner).await?;
        if !matches!(begun.page.scheme(), "https" | "http") {
            return Err(Not::Failed(AuthError::Discovery(
                "its sign-in page is at no web address".to_owned(),
            )));
        }
        account.away(&owner, &begun.state).await?;
        Ok(redirect(&begun.page))
    }

    /// `GET /connect/NAME/callback`: somebody comes back from signing in there.
    async fn come_back(&self, account: &Account, parts: &Parts) -> Result<Response<Body>, Not> {
        let answer = AuthorizationResponse::parse(parts.uri.query().unwrap_or_default())?;
        let visitor = self.server.signed_in_user(&parts.headers).await?;
        let owner = visitor.map(|visitor| account.owner(&visitor.subject));
        let is_back = match (&owner, answer.state()) {
            (Some(owner), Some(state)) => account.is_back(owner, state).await?,
            _ => false,
        };
        let Some(owner) = owner.filter(|_| is_back) else {
            return Err(refused(
                StatusCode::FORBIDDEN,
                "This sign-in is not yours",
                "It was begun by somebody else or in another browser, was finished already, or took too long. Begin again \
                 in the program you came from.",
            ));
        };
        let remote = described(account)?;
        account.oauth(&remote, &owner)?.finish(answer).await?;
        Ok(self.done(account, &owner).await)
    }

    /// Whoever has not signed in here does so first.
    async fn visitor(&self, account: &Account, parts: &Parts, code: &str) -> Result<SignedInUser, Not> {
        if let Some(visitor) = self.server.signed_in_user(&parts.headers).await? {
            return Ok(visitor);
        }
        let code: String = url::form_urlencoded::byte_serialize(code.as_bytes()).collect();
        let back = format!("/connect/{}?invitation={code}", account.name());
        Err(Not::But(Box::new(self.server.start_sign_in(&back, parts).await)))
    }

    async fn done(&self, account: &Account, owner: &str) -> Response<Body> {
        self.hub.signed_in(account.name(), owner).await;
        let content = format!(
            "<p>Loggia can use <b>{}</b> in your name now. Go back to the program you came from.</p>",
            escape(account.name())
        );
        page(StatusCode::OK, "You are signed in", &content, None)
    }
}

/// How the connector is reached.
fn described(account: &Account) -> Result<Remote<Secret>, AuthError> {
    account.remote().map_err(|error| AuthError::Configuration(error.to_string()))
}

fn not_invited(visitor: &SignedInUser) -> Not {
    let why = format!(
        "This link was made for somebody else, was used already, or is too old. You are signed in here as {}. Have the \
         program you came from make another.",
        visitor.name
    );
    refused(StatusCode::FORBIDDEN, "This link does not count", &why)
}

/// What went wrong at the vendor, in the vendor's words; what went wrong here is in the log.
fn failed(name: &str, error: &AuthError) -> Response<Body> {
    tracing::warn!(connector = name, %error, "a sign-in failed");
    let why = match error {
        AuthError::Store(_) | AuthError::StoreUnavailable(_) => {
            return loggia_auth::server::error_page(error);
        }
        AuthError::Configuration(_) => "Something went wrong here. It was not your fault.".to_owned(),
        AuthError::Declined(_) => "You did not allow it, so nothing has changed.".to_owned(),
        other => format!("It did not work: {other}."),
    };
    let why = format!("{why} To try again, have the program you came from make another link.");
    problem(StatusCode::BAD_GATEWAY, "You are not signed in", &why)
}

fn query(parts: &Parts, name: &str) -> String {
    let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    pairs
        .into_iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn redirect(to: &Url) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match HeaderValue::from_str(to.as_str()) {
        Ok(location) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_GATEWAY,
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl<S> Layer<S> for ConnectLayer {
    type Service = WithPages<S>;

    fn layer(&self, inner: S) -> WithPages<S> {
        WithPages { pages: self.pages.clone(), inner }
    }
}

/// A service with the pages.
#[derive(Clone)]
pub(crate) struct WithPages<S> {
    pages: Arc<Pages>,
    inner: S,
}

impl<S> Service<Request<Body>> for WithPages<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if let Some(document) = self.pages.document.as_ref().filter(|_| path == DOCUMENT) {
            let mut response = Response::new(Body::full(document.clone()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            return Box::pin(std::future::ready(Ok(response)));
        }
        if self.pages.find(path).is_none() {
            return Box::pin(self.inner.call(request));
        }
        let pages = self.pages.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            Ok(match pages.find(&path) {
                Some((account, back)) => pages.serve(account, back, request).await,
                None => problem(StatusCode::NOT_FOUND, "There is nothing here", "No such page."),
            })
        })
    }
}
