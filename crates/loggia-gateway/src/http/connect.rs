//! The pages at which a user signs in to a connector: `/connect/NAME`, to which a one-time link leads, and
//! `/connect/NAME/callback`, the redirect URI. `/connect/client.json` is the Client ID Metadata Document.
//!
//! Invariant: a link works only in a browser in which its user is signed in to the gateway. Otherwise an attacker
//! could send a link of their own to a user, who would then save an account for the attacker.

use std::sync::Arc;

use axum::body::Body as AxumBody;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use loggia::transport::http::Body;
use loggia_auth::error::AuthError;
use loggia_auth::server::{AuthorizationServer, SignedInUser, escape, page as html_page, problem};
use loggia_auth::user_agent::AuthorizationResponse;
use loggia_connect::config_file::{Personal, Remote};
use loggia_connect::secret::Secret;
use loggia_hub::Hub;
use maud::{Markup, PreEscaped, html};
use tower_service::Service;
use url::Url;

use super::McpService;
use super::sdk_service::SdkService;
use crate::accounts::ConnectorAccounts;
use crate::connector_factory::ConnectorFactory;

/// The pages of all connectors.
#[derive(Clone)]
pub(super) struct ConnectPages(Arc<PageParts>);

struct PageParts {
    server: AuthorizationServer,
    hub: Arc<Hub>,
    /// The accounts at the connectors that are served now.
    factory: Arc<ConnectorFactory>,
    /// Answers for connectors that have no page.
    mcp: SdkService<McpService>,
}

impl ConnectPages {
    pub(super) fn new(
        server: AuthorizationServer,
        hub: Arc<Hub>,
        factory: Arc<ConnectorFactory>,
        mcp: SdkService<McpService>,
    ) -> ConnectPages {
        ConnectPages(Arc::new(PageParts { server, hub, factory, mcp }))
    }
}

/// Answers `/connect/client.json`.
pub(super) async fn document(
    State(pages): State<ConnectPages>,
    request: Request<AxumBody>,
) -> Response<AxumBody> {
    let Some(document) = pages.0.document() else { return pages.0.pass_on(request).await };
    let mut response = Response::new(AxumBody::from(document));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The name in a path; an error if it is not UTF-8 text.
type ConnectorName = Result<Path<String>, PathRejection>;

/// Returns the name. An unreadable one becomes empty, and no connector has an empty name.
fn name(connector: ConnectorName) -> String {
    connector.map(|Path(name)| name).unwrap_or_default()
}

/// Answers `/connect/NAME`.
pub(super) async fn page(
    State(pages): State<ConnectPages>,
    connector: ConnectorName,
    request: Request<AxumBody>,
) -> Response<AxumBody> {
    pages.0.serve(&name(connector), false, request).await
}

/// Answers `/connect/NAME/callback`.
pub(super) async fn callback(
    State(pages): State<ConnectPages>,
    connector: ConnectorName,
    request: Request<AxumBody>,
) -> Response<AxumBody> {
    pages.0.serve(&name(connector), true, request).await
}

/// The reason why a page is not shown.
enum PageError {
    /// Another response is sent instead.
    Response(Box<Response<Body>>),
    /// The gateway or the vendor failed.
    Failed(AuthError),
}

impl From<AuthError> for PageError {
    fn from(error: AuthError) -> PageError {
        PageError::Failed(error)
    }
}

fn refused(status: StatusCode, title: &str, why: &str) -> PageError {
    PageError::Response(Box::new(problem(status, title, why)))
}

impl PageParts {
    /// Returns the Client ID Metadata Document; `None` where no connector needs it.
    fn document(&self) -> Option<String> {
        let accounts = self.factory.accounts();
        // The names are sorted: the document must not change with the order of the file.
        let callbacks: Vec<String> = accounts.iter().map(ConnectorAccounts::callback).collect();
        accounts.iter().next().map(|any| any.accounts().document(&callbacks).to_string())
    }

    /// Answers as if there were no such path.
    async fn pass_on(&self, request: Request<AxumBody>) -> Response<AxumBody> {
        match self.mcp.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn serve(
        &self,
        connector: &str,
        is_callback: bool,
        request: Request<AxumBody>,
    ) -> Response<AxumBody> {
        let Some(account) = self.factory.accounts().get(connector) else {
            return self.pass_on(request).await;
        };
        let (parts, body) = request.into_parts();
        self.answer(&account, is_callback, &parts, Body::new(body)).await.map(AxumBody::new)
    }

    async fn answer(
        &self,
        account: &ConnectorAccounts,
        is_callback: bool,
        parts: &Parts,
        body: Body,
    ) -> Response<Body> {
        let shown = match (&parts.method, is_callback) {
            (&Method::GET, true) => self.finish(account, parts).await,
            (&Method::GET, false) => self.confirm(account, parts).await,
            (&Method::POST, false) => self.begin(account, parts, body).await,
            _ => Err(refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "This cannot be done",
                "Open the page in a browser.",
            )),
        };
        shown.unwrap_or_else(|error| match error {
            PageError::Response(response) => *response,
            PageError::Failed(error) => failed(account.name(), &error),
        })
    }

    /// Answers `GET /connect/NAME`: asks for confirmation. The link stays valid, because mail and chat programs open
    /// links before users do.
    async fn confirm(&self, account: &ConnectorAccounts, parts: &Parts) -> Result<Response<Body>, PageError> {
        let code = query(parts, "invitation");
        let visitor = self.visitor(account, parts, &code).await?;
        if !account.is_link_valid(&account.owner(&visitor.subject), &code).await? {
            return Err(not_invited(&visitor));
        }
        let remote = described(account)?;
        let url = Url::parse(remote.url.expose()).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let content = confirmation(account.name(), host, &visitor.name, &code, is_api_key(&remote));
        // The sign-in page of the vendor is unknown before the metadata is fetched.
        let local = url.is_some_and(|url| url.scheme() == "http");
        Ok(html_page(
            StatusCode::OK,
            "Sign in",
            &content.into_string(),
            Some(if local { "https: http:" } else { "https:" }),
        ))
    }

    /// Answers `POST /connect/NAME`: saves the API key, or redirects to the sign-in page of the vendor.
    async fn begin(
        &self,
        account: &ConnectorAccounts,
        parts: &Parts,
        body: Body,
    ) -> Result<Response<Body>, PageError> {
        let form = self.server.read_form(&parts.headers, body).await.map_err(PageError::Response)?;
        let code = form.get("invitation").unwrap_or_default();
        let visitor = self.visitor(account, parts, code).await?;
        let owner = account.owner(&visitor.subject);
        let remote = described(account)?;
        if let Some(Personal::ApiKey(header)) = &remote.personal {
            let key = form.get("key").unwrap_or_default().trim();
            header.value(key).map_err(|why| refused(StatusCode::BAD_REQUEST, "This is no API key", why))?;
            if !account.use_link(&owner, code).await? {
                return Err(not_invited(&visitor));
            }
            account.keep_key(&owner, key).await?;
            return Ok(self.done(account, &owner).await);
        }
        if !account.use_link(&owner, code).await? {
            return Err(not_invited(&visitor));
        }
        let begun = account.begin(&remote, &owner).await?;
        if !matches!(begun.page.scheme(), "https" | "http") {
            return Err(PageError::Failed(AuthError::Discovery(
                "its sign-in page is at no web address".to_owned(),
            )));
        }
        account.save_redirect(&owner, &begun.state).await?;
        Ok(redirect(&begun.page))
    }

    /// Answers `GET /connect/NAME/callback`: finishes a sign-in at the vendor.
    async fn finish(&self, account: &ConnectorAccounts, parts: &Parts) -> Result<Response<Body>, PageError> {
        let answer = AuthorizationResponse::parse(parts.uri.query().unwrap_or_default())?;
        let visitor = self.server.signed_in_user(&parts.headers).await?;
        let owner = visitor.map(|visitor| account.owner(&visitor.subject));
        let is_theirs = match (&owner, answer.state()) {
            (Some(owner), Some(state)) => account.take_redirect(owner, state).await?,
            _ => false,
        };
        let Some(owner) = owner.filter(|_| is_theirs) else {
            return Err(refused(
                StatusCode::FORBIDDEN,
                "This sign-in is not yours",
                "It was begun by another user or in another browser, was finished already, or took too long. Begin again \
                 in the program you came from.",
            ));
        };
        let remote = described(account)?;
        account.oauth(&remote, &owner)?.finish(answer).await?;
        Ok(self.done(account, &owner).await)
    }

    /// Returns the user who is signed in with this browser. If there is none, the error is the page that starts the
    /// sign-in.
    async fn visitor(
        &self,
        account: &ConnectorAccounts,
        parts: &Parts,
        code: &str,
    ) -> Result<SignedInUser, PageError> {
        if let Some(visitor) = self.server.signed_in_user(&parts.headers).await? {
            return Ok(visitor);
        }
        let code: String = url::form_urlencoded::byte_serialize(code.as_bytes()).collect();
        let back = format!("/connect/{}?invitation={code}", account.name());
        Err(PageError::Response(Box::new(self.server.start_sign_in(&back, parts).await)))
    }

    async fn done(&self, account: &ConnectorAccounts, owner: &str) -> Response<Body> {
        self.hub.signed_in(account.name(), owner).await;
        let content = html! {
            p { "Loggia can use " b { (text(account.name())) } " in your name now. Go back to the program you came from." }
        };
        html_page(StatusCode::OK, "You are signed in", &content.into_string(), None)
    }
}

/// Returns the content of the page that asks for confirmation.
fn confirmation(connector: &str, host: &str, user: &str, code: &str, is_api_key: bool) -> Markup {
    html! {
        p {
            "Loggia wants to use " b { (text(connector)) } " in your name, for the programs that you signed in from. You \
             are signed in here as " b { (text(user)) } "."
        }
        @if is_api_key {
            p { "Enter your API key for " (text(host)) "." }
        } @else {
            p { "You are sent to where " (text(host)) " has people sign in, and back." }
        }
        form method="post" action={ "/connect/" (text(connector)) } {
            input type="hidden" name="invitation" value=(text(code));
            @if is_api_key {
                input type="password" name="key" autocomplete="off" required autofocus aria-label="API key";
                " "
                button class="go" { "Keep it" }
            } @else {
                button class="go" { "Go on" }
            }
        }
        p class="box" { "Go on only if a program of yours just asked you to." }
    }
}

/// Escapes a text, and removes characters that could change how a user reads the page.
fn text(text: &str) -> PreEscaped<String> {
    PreEscaped(escape(text))
}

fn is_api_key(remote: &Remote<Secret>) -> bool {
    matches!(remote.personal, Some(Personal::ApiKey(_)))
}

/// Returns the address and the headers of the connector.
fn described(account: &ConnectorAccounts) -> Result<Remote<Secret>, AuthError> {
    account.remote().map_err(|error| AuthError::Configuration(error.to_string()))
}

fn not_invited(visitor: &SignedInUser) -> PageError {
    let why = format!(
        "This link was made for another user, was used already, or is too old. You are signed in here as {}. Have the \
         program you came from make another.",
        visitor.name
    );
    refused(StatusCode::FORBIDDEN, "This link does not count", &why)
}

/// Shows a failed sign-in: errors of the vendor in its own words; errors of the gateway are only logged.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_confirmation_shows_names_as_text() {
        for (is_api_key, expected) in [(false, ">Go on</button>"), (true, "type=\"password\"")] {
            let page =
                confirmation("wiki", "<i>.example", "ada & \u{202e}co", "\"><b", is_api_key).into_string();
            assert!(page.contains(expected), "{page}");
            assert!(page.contains("action=\"/connect/wiki\""), "{page}");
            assert!(page.contains("value=\"&quot;&gt;&lt;b\"") && !page.contains("<i>"), "{page}");
            assert!(page.contains("<b>ada &amp; co</b>"), "{page}");
        }
    }
}
