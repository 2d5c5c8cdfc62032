//! Signing in from a program on the person's own machine (RFC 8252): the browser shows the page, and the
//! answer comes to a port of the loopback that is open for this one sign-in. Whoever has no browser here
//! opens the page elsewhere and pastes the address at which the browser ended.

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

use crate::client::{Answer, Answered, AuthError, AuthorizationRequest, Person, Visit};
use crate::registration::RegisteredClient;
use crate::secret::Secret;

const PATH: &str = "/callback";
/// Most connections at once.
const CONNECTIONS: usize = 16;
/// How long the browser waits to hear what came of the answer.
const TELLING: Duration = Duration::from_secs(60);
/// How often something may be pasted.
const PASTES: usize = 10;
/// How long a request may take to arrive.
const REQUEST: Duration = Duration::from_secs(10);

/// Shows a page to the person, for instance by starting a browser.
pub type Show = dyn Fn(&Url) -> Result<(), String> + Send + Sync;
/// Waits for an address that the person pastes. `None`: they will not. It is told why what was pasted before is not
/// the answer.
pub type Paste = dyn Fn(Option<String>) -> BoxFuture<'static, Option<String>> + Send + Sync;
/// Asks for a client that was registered with an issuer.
pub type AskClient = dyn Fn(&str) -> BoxFuture<'static, Option<RegisteredClient>> + Send + Sync;

/// A person at this machine, or one who can be shown a URL.
pub struct Loopback {
    show: Arc<Show>,
    paste: Option<Arc<Paste>>,
    ask_client: Option<Arc<AskClient>>,
    host: String,
    port: u16,
    patience: Duration,
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loopback").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Loopback {
    /// A person who is shown pages in a way.
    pub fn new(show: impl Fn(&Url) -> Result<(), String> + Send + Sync + 'static) -> Loopback {
        Loopback {
            show: Arc::new(show),
            paste: None,
            ask_client: None,
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: 0,
            patience: Duration::from_secs(600),
        }
    }

    /// The person can paste the address at which their browser ended, too. What is no answer to this sign-in does no
    /// harm: they are told what is wrong with it, and may paste again.
    #[must_use]
    pub fn paste<F, Fut>(mut self, paste: F) -> Loopback
    where
        F: Fn(Option<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        self.paste = Some(Arc::new(move |wrong| Box::pin(paste(wrong))));
        self
    }

    /// The person can be asked for a client that they have registered.
    #[must_use]
    pub fn ask_client<F, Fut>(mut self, ask: F) -> Loopback
    where
        F: Fn(&str) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<RegisteredClient>> + Send + 'static,
    {
        self.ask_client = Some(Arc::new(move |issuer: &str| Box::pin(ask(issuer))));
        self
    }

    /// The name of the loopback in the redirect URI: `127.0.0.1` unless a registration wants `localhost`.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Loopback {
        self.host = host.into();
        self
    }

    /// The port, where a registration wants one. Any that is free unless it is said.
    #[must_use]
    pub fn port(mut self, port: u16) -> Loopback {
        self.port = port;
        self
    }

    /// How long the person may take. Ten minutes unless it is said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Loopback {
        self.patience = patience;
        self
    }

    async fn bind(&self, before: Option<&str>) -> Result<TcpListener, AuthError> {
        let before =
            before.and_then(|text| Url::parse(text).ok()).filter(|url| url.host_str() == Some(&self.host));
        let preferred = before.and_then(|url| url.port()).filter(|_| self.port == 0);
        if let Some(port) = preferred
            && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
        {
            return Ok(listener);
        }
        TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.map_err(|error| {
            AuthError::Configuration(format!(
                "no port of this machine can be listened on for the answer: {error}"
            ))
        })
    }
}

impl Person for Loopback {
    fn prepare<'a>(&'a self, before: Option<&'a str>) -> BoxFuture<'a, Result<Box<dyn Visit>, AuthError>> {
        Box::pin(async move {
            let listener = self.bind(before).await?;
            let address =
                listener.local_addr().map_err(|error| AuthError::Configuration(error.to_string()))?;
            let visit = LoopbackVisit {
                redirect_uri: format!("http://{}:{}{PATH}", self.host, address.port()),
                listener,
                show: self.show.clone(),
                paste: self.paste.clone(),
                patience: self.patience,
            };
            Ok(Box::new(visit) as Box<dyn Visit>)
        })
    }

    fn client<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Option<RegisteredClient>> {
        match &self.ask_client {
            Some(ask) => ask(issuer),
            None => Box::pin(std::future::ready(None)),
        }
    }
}

struct LoopbackVisit {
    redirect_uri: String,
    listener: TcpListener,
    show: Arc<Show>,
    paste: Option<Arc<Paste>>,
    patience: Duration,
}

impl Visit for LoopbackVisit {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn show(self: Box<Self>, begun: AuthorizationRequest) -> BoxFuture<'static, Result<Answered, AuthError>> {
        Box::pin(async move {
            let patience = self.patience;
            let answered = tokio::time::timeout(patience, self.answered(begun)).await;
            answered.unwrap_or_else(|_| {
                let minutes = patience.as_secs().div_ceil(60);
                Err(AuthError::Declined(format!("nobody signed in within {minutes} minutes")))
            })
        })
    }
}

impl LoopbackVisit {
    async fn answered(self, begun: AuthorizationRequest) -> Result<Answered, AuthError> {
        let AuthorizationRequest { page, state } = begun;
        let (sender, mut answers) = mpsc::channel(1);
        let listening = Listening { state: state.clone(), port: port(&self.listener), answers: sender };
        tokio::spawn(serve(self.listener, Arc::new(listening)));
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
                Some(answered) = answers.recv() => return Ok(answered),
                text = wait(&mut pasted) => text,
            };
            left -= 1;
            // Whoever pastes nothing may still end in the browser here.
            pasted = match text.map(|text| pasted_answer(&text, &state)) {
                Some(Ok(answer)) => return Ok(Answered { answer, told: None }),
                Some(Err(wrong)) if left > 0 => paste(Some(wrong)),
                Some(Err(_)) | None => None,
            };
        }
    }
}

/// What somebody pasted, if it is the answer to the sign-in with this state; else what is wrong with it.
fn pasted_answer(text: &str, state: &Secret) -> Result<Answer, String> {
    let answer = Answer::parse(text).map_err(|error| error.to_string())?;
    let wrong = match answer.state() {
        Some(own) if own == state && answer.is_whole() => return Ok(answer),
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

/// What the listener knows of the sign-in it listens for.
struct Listening {
    state: Secret,
    port: u16,
    answers: mpsc::Sender<Answered>,
}

/// Listens until nobody waits for an answer any more. Browsers that wait to hear what came of theirs are
/// still told.
async fn serve(listener: TcpListener, listening: Arc<Listening>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
            () = listening.answers.closed() => return,
        };
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let listening = listening.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let listening = listening.clone();
                async move { Ok::<_, Infallible>(listening.respond(request).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(REQUEST)
                .keep_alive(false)
                .max_buf_size(32 << 10);
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection to the sign-in's port broke");
            }
            drop(place);
        });
    }
}

impl Listening {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !self.is_for_us(&request) {
            return page(StatusCode::BAD_REQUEST, "This is not a page", "Nothing is shown under this name.");
        }
        if request.uri().path() != PATH || request.method() != Method::GET {
            return page(
                StatusCode::NOT_FOUND,
                "There is no such page",
                "This port hears the answer of one sign-in.",
            );
        }
        let answer = match Answer::parse(request.uri().query().unwrap_or_default()) {
            Ok(answer) => answer,
            Err(error) => return page(StatusCode::BAD_REQUEST, "Not signed in", &error.to_string()),
        };
        // Any page in the browser can send requests here: only what has the state ends the waiting.
        if answer.state() != Some(&self.state) {
            let text = "This answer belongs to no sign-in that is under way. Begin again where you began.";
            return page(StatusCode::BAD_REQUEST, "Not signed in", text);
        }
        let (told, outcome) = oneshot::channel();
        if self.answers.try_send(Answered { answer, told: Some(told) }).is_err() {
            return page(StatusCode::CONFLICT, "Answered already", "This sign-in has its answer already.");
        }
        match tokio::time::timeout(TELLING, outcome).await {
            Ok(Ok(Ok(()))) => page(StatusCode::OK, "Signed in", "You can close this window and go back."),
            Ok(Ok(Err(why))) => page(StatusCode::OK, "Not signed in", &why),
            _ => page(StatusCode::OK, "Answer received", "Look where you began what came of it."),
        }
    }

    /// Whether the request was made to the loopback by its name, and not to a name of somebody else's that
    /// leads here.
    fn is_for_us(&self, request: &Request<Incoming>) -> bool {
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
    fn only_the_answer_to_this_sign_in_is_taken() {
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
            let answer = pasted_answer(text, &state);
            match (answer, wrong) {
                (Ok(_), None) => {}
                (Err(said), Some(wrong)) => assert!(said.contains(wrong), "{text}: {said}"),
                (answer, _) => panic!("{text}: {answer:?}"),
            }
        }
    }
}
