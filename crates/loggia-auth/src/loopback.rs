//! The user agent of programs on the user's own machine (RFC 8252): a browser shows the page, and the response comes
//! to a loopback port that is open only for this sign-in.
//!
//! A user without a browser on this machine opens the page elsewhere, and pastes the address at which the browser
//! ended. Invariant: only a response with the `state` of the sign-in ends the wait.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use loggia::service::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use url::Url;

use crate::error::AuthError;
use crate::registration::RegisteredClient;
use crate::secret::Secret;
use crate::user_agent::{
    AuthorizationRequest, AuthorizationResponse, DeliveredResponse, PendingRedirect, UserAgent,
};

const PATH: &str = "/callback";
/// The maximum number of connections.
const CONNECTIONS: usize = 16;
/// The time that the browser waits for the outcome of the sign-in.
const OUTCOME_WAIT: Duration = Duration::from_secs(60);
/// The maximum number of addresses that may be pasted.
const PASTES: usize = 10;
/// The time that a request may take to arrive.
const REQUEST: Duration = Duration::from_secs(10);

/// A function that shows a page to the user, for example in a browser.
pub type ShowPageFn = dyn Fn(&Url) -> Result<(), String> + Send + Sync;
/// A function that waits for an address that the user pastes, and returns `None` if the user will paste none. The
/// argument is the reason why the last address was not accepted.
pub type PasteFn = dyn Fn(Option<String>) -> BoxFuture<'static, Option<String>> + Send + Sync;
/// A function that asks the user for a client that is registered with an issuer.
pub type AskClientFn = dyn Fn(&str) -> BoxFuture<'static, Option<RegisteredClient>> + Send + Sync;

/// A user agent that shows a URL to the user and receives the response on the loopback.
pub struct LoopbackUserAgent {
    show: Arc<ShowPageFn>,
    paste: Option<Arc<PasteFn>>,
    ask_client: Option<Arc<AskClientFn>>,
    host: String,
    port: u16,
    timeout: Duration,
}

impl fmt::Debug for LoopbackUserAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopbackUserAgent")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl LoopbackUserAgent {
    /// Creates a user agent that shows pages with the function `show`.
    pub fn new(show: impl Fn(&Url) -> Result<(), String> + Send + Sync + 'static) -> LoopbackUserAgent {
        LoopbackUserAgent {
            show: Arc::new(show),
            paste: None,
            ask_client: None,
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: 0,
            timeout: Duration::from_secs(600),
        }
    }

    /// Accepts pasted addresses, too. If a text is not the response to this sign-in, the function is called with the
    /// reason, and the user may paste again.
    #[must_use]
    pub fn paste<F, Fut>(mut self, paste: F) -> LoopbackUserAgent
    where
        F: Fn(Option<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        self.paste = Some(Arc::new(move |wrong| Box::pin(paste(wrong))));
        self
    }

    /// Sets a function that asks the user for a client if there is no other.
    #[must_use]
    pub fn ask_client<F, Fut>(mut self, ask: F) -> LoopbackUserAgent
    where
        F: Fn(&str) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<RegisteredClient>> + Send + 'static,
    {
        self.ask_client = Some(Arc::new(move |issuer: &str| Box::pin(ask(issuer))));
        self
    }

    /// Sets the host of the redirect URI: `127.0.0.1` by default; some registrations require `localhost`.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> LoopbackUserAgent {
        self.host = host.into();
        self
    }

    /// Sets the port, if a registration requires one. By default it is any free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> LoopbackUserAgent {
        self.port = port;
        self
    }

    /// Sets the time for the user to sign in: ten minutes by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> LoopbackUserAgent {
        self.timeout = timeout;
        self
    }

    async fn bind(&self, last_redirect_uri: Option<&str>) -> Result<TcpListener, AuthError> {
        let last = last_redirect_uri.and_then(|text| Url::parse(text).ok());
        let last = last.filter(|url| url.host_str() == Some(&self.host));
        let preferred = last.and_then(|url| url.port()).filter(|_| self.port == 0);
        if let Some(port) = preferred
            && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
        {
            return Ok(listener);
        }
        TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.map_err(|error| {
            AuthError::Configuration(format!("no port of this machine can receive the answer: {error}"))
        })
    }
}

impl UserAgent for LoopbackUserAgent {
    fn prepare<'a>(
        &'a self,
        last_redirect_uri: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn PendingRedirect>, AuthError>> {
        Box::pin(async move {
            let listener = self.bind(last_redirect_uri).await?;
            let address =
                listener.local_addr().map_err(|error| AuthError::Configuration(error.to_string()))?;
            let redirect = LoopbackRedirect {
                redirect_uri: format!("http://{}:{}{PATH}", self.host, address.port()),
                listener,
                show: self.show.clone(),
                paste: self.paste.clone(),
                timeout: self.timeout,
            };
            Ok(Box::new(redirect) as Box<dyn PendingRedirect>)
        })
    }

    fn client<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Option<RegisteredClient>> {
        match &self.ask_client {
            Some(ask) => ask(issuer),
            None => Box::pin(std::future::ready(None)),
        }
    }
}

struct LoopbackRedirect {
    redirect_uri: String,
    listener: TcpListener,
    show: Arc<ShowPageFn>,
    paste: Option<Arc<PasteFn>>,
    timeout: Duration,
}

impl PendingRedirect for LoopbackRedirect {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn show(
        self: Box<Self>,
        request: AuthorizationRequest,
    ) -> BoxFuture<'static, Result<DeliveredResponse, AuthError>> {
        Box::pin(async move {
            let timeout = self.timeout;
            let delivered = tokio::time::timeout(timeout, self.response_to(request)).await;
            delivered.unwrap_or_else(|_| {
                let minutes = timeout.as_secs().div_ceil(60);
                Err(AuthError::Declined(format!("the user did not sign in within {minutes} minutes")))
            })
        })
    }
}

impl LoopbackRedirect {
    async fn response_to(self, request: AuthorizationRequest) -> Result<DeliveredResponse, AuthError> {
        let AuthorizationRequest { page, state } = request;
        let (sender, mut responses) = mpsc::channel(1);
        let listener =
            RedirectListener { state: state.clone(), port: port(&self.listener), responses: sender };
        tokio::spawn(serve(self.listener, Arc::new(listener)));
        if let Err(error) = (self.show)(&page)
            && self.paste.is_none()
        {
            return Err(AuthError::Declined(format!("the sign-in page cannot be shown here: {error}")));
        }
        let paste = |wrong| self.paste.as_ref().map(|paste| paste(wrong));
        let mut pasted = paste(None);
        let mut left = PASTES;
        loop {
            let text = tokio::select! {
                Some(delivered) = responses.recv() => return Ok(delivered),
                text = wait(&mut pasted) => text,
            };
            left -= 1;
            // A user who pastes nothing may still sign in with the browser of this machine.
            pasted = match text.map(|text| pasted_response(&text, &state)) {
                Some(Ok(response)) => return Ok(DeliveredResponse { response, outcome: None }),
                Some(Err(wrong)) if left > 0 => paste(Some(wrong)),
                Some(Err(_)) | None => None,
            };
        }
    }
}

/// Reads a pasted text as the response to the sign-in with this `state`. The error says what is wrong with the text.
fn pasted_response(text: &str, state: &Secret) -> Result<AuthorizationResponse, String> {
    let response = AuthorizationResponse::parse(text).map_err(|error| error.to_string())?;
    let wrong = match response.state() {
        Some(own) if own == state && response.is_complete() => return Ok(response),
        Some(own) if own == state => "that is the page to open: sign in there first",
        Some(_) => "that is the answer to another sign-in",
        None => "that is no address at which a sign-in ends",
    };
    Err(format!("{wrong}. Paste the whole address at which the browser ended; it has 'state=' in it"))
}

async fn wait(pasted: &mut Option<BoxFuture<'static, Option<String>>>) -> Option<String> {
    match pasted {
        Some(pasted) => pasted.await,
        None => std::future::pending().await,
    }
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().map_or(0, |address: SocketAddr| address.port())
}

/// The HTTP service of a sign-in's redirect URI.
struct RedirectListener {
    state: Secret,
    port: u16,
    responses: mpsc::Sender<DeliveredResponse>,
}

/// Accepts connections until the sign-in has its response. Connections that wait for the outcome stay open.
async fn serve(listener: TcpListener, service: Arc<RedirectListener>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
            () = service.responses.closed() => return,
        };
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let redirect = service.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let redirect = redirect.clone();
                async move { Ok::<_, Infallible>(redirect.respond(request).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(REQUEST)
                .keep_alive(false)
                .max_buf_size(32 << 10);
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection to the redirect URI failed");
            }
            drop(permit);
        });
    }
}

impl RedirectListener {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !self.is_for_loopback(&request) {
            return page(StatusCode::BAD_REQUEST, "This is not a page", "Nothing is shown under this name.");
        }
        if request.uri().path() != PATH || request.method() != Method::GET {
            return page(
                StatusCode::NOT_FOUND,
                "There is no such page",
                "This port receives the answer of one sign-in.",
            );
        }
        let response = match AuthorizationResponse::parse(request.uri().query().unwrap_or_default()) {
            Ok(response) => response,
            Err(error) => return page(StatusCode::BAD_REQUEST, "Not signed in", &error.to_string()),
        };
        // Any page in the browser can send requests here, so only a response with the `state` ends the wait.
        if response.state() != Some(&self.state) {
            let text = "This answer belongs to no pending sign-in. Begin again where you began.";
            return page(StatusCode::BAD_REQUEST, "Not signed in", text);
        }
        let (sender, outcome) = oneshot::channel();
        if self.responses.try_send(DeliveredResponse { response, outcome: Some(sender) }).is_err() {
            return page(StatusCode::CONFLICT, "Answered already", "This sign-in has its answer already.");
        }
        match tokio::time::timeout(OUTCOME_WAIT, outcome).await {
            Ok(Ok(Ok(()))) => page(StatusCode::OK, "Signed in", "You can close this window and go back."),
            Ok(Ok(Err(why))) => page(StatusCode::OK, "Not signed in", &why),
            _ => page(StatusCode::OK, "Answer received", "Go back to the program to see the outcome."),
        }
    }

    /// Returns whether the request is for a loopback name, and not for a foreign name that resolves to this machine
    /// (DNS rebinding).
    fn is_for_loopback(&self, request: &Request<Incoming>) -> bool {
        let host = request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some((name, port)) = host.rsplit_once(':') else { return false };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        port.parse() == Ok(self.port) && (loopback || name.eq_ignore_ascii_case("localhost"))
    }
}

fn page(status: StatusCode, title: &str, text: &str) -> Response<Full<Bytes>> {
    let (title, text) = (escaped(title), escaped(text));
    let body = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;\
         padding:0 1rem;color-scheme:light dark}}</style><h1>{title}</h1><p>{text}</p></html>"
    );
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_response_to_this_sign_in_is_accepted() {
        let state = Secret::new("s");
        let table = [
            ("http://127.0.0.1:1/callback?code=c&state=s", None),
            (" ?code=c&state=s\n", None),
            ("http://127.0.0.1:1/callback?error=access_denied&state=s", None),
            ("http://127.0.0.1:1/callback?code=c&state=other", Some("another sign-in")),
            ("http://127.0.0.1:1/callback?code=c", Some("no address")),
            ("https://as.example/authorize?client_id=a&state=s&code_challenge=x", Some("page to open")),
            ("http://127.0.0.1:1/callback?code=c&code=d&state=s", Some("'code' twice")),
            ("hello", Some("no address")),
            ("", Some("no address")),
        ];
        for (text, wrong) in table {
            let response = pasted_response(text, &state);
            match (response, wrong) {
                (Ok(_), None) => {}
                (Err(said), Some(wrong)) => assert!(said.contains(wrong), "{text}: {said}"),
                (response, _) => panic!("{text}: {response:?}"),
            }
        }
    }
}
