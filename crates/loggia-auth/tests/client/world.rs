//! A protected server and its authorization server on the loopback. They are honest, rotate refresh tokens
//! and notice when one is used twice, unless a test twists them.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use loggia::client::{Authorize, Challenge};
use loggia_auth::client::{OAuth, OAuthBuilder};
use loggia_auth::clock::{self, Clock};
use loggia_auth::jose;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::ClientIdentity;
use loggia_auth::restricted_http::{FetchPolicy, FetchRequest, FetchResponse, RestrictedHttpClient};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

impl Heard {
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The parameters of a URL.
pub(crate) type Params = Vec<(String, String)>;

/// The differences between the two servers and correct ones.
#[derive(Clone, Default)]
pub(crate) struct Twists {
    /// Merged over the metadata of the resource.
    pub(crate) resource: Value,
    /// Merged over the metadata of the authorization server.
    pub(crate) metadata: Value,
    /// Changes the parameters of the sign-in's answer.
    pub(crate) answer: Option<fn(&mut Params)>,
    /// The answer to a registration.
    pub(crate) registration: Option<(u16, &'static str)>,
    /// Merged into the response of the token endpoint.
    pub(crate) tokens: Value,
    /// A response in place of whatever there is at a path.
    pub(crate) at: Option<(&'static str, Odd)>,
    /// The challenge of a refusal.
    pub(crate) challenge: Option<String>,
    /// The metadata of the resource is at the root alone.
    pub(crate) at_root: bool,
    /// Every token is refused, with this status.
    pub(crate) refuses_all: Option<u16>,
    /// The scopes that a request needs.
    pub(crate) needs: &'static str,
    /// Seconds that an access token lasts.
    pub(crate) lifetime: Option<u64>,
    /// True if assertions are refused.
    pub(crate) refuses_grants: bool,
    /// True if a refresh token is valid until its successor was used.
    pub(crate) lenient: bool,
}

/// Strange responses.
#[derive(Clone)]
pub(crate) enum Odd {
    Redirect(u16, String),
    Endless,
    Never,
    Text(u16, &'static str, &'static str),
}

#[derive(Default)]
struct State {
    twists: Twists,
    heard: Vec<Heard>,
    codes: HashMap<String, Code>,
    refresh: HashMap<String, Refresh>,
    access: HashMap<String, (String, u64)>,
    reused: usize,
}

struct Code {
    challenge: String,
    redirect_uri: String,
    scope: String,
}

struct Refresh {
    scope: String,
    replaced_by: Option<String>,
    used: bool,
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) server: Url,
    pub(crate) issuer: String,
    state: Arc<Mutex<State>>,
    now: Arc<AtomicU64>,
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

impl World {
    pub(crate) async fn new() -> World {
        World::twisted(Twists::default()).await
    }

    pub(crate) async fn twisted(twists: Twists) -> World {
        let (server, issuer) = (listen().await, listen().await);
        let base =
            |listener: &TcpListener| format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let world = World {
            server: Url::parse(&format!("{}/mcp", base(&server))).unwrap(),
            issuer: base(&issuer),
            state: Arc::new(Mutex::new(State { twists, ..State::default() })),
            now: Arc::new(AtomicU64::new(clock::seconds(SystemTime::now()))),
        };
        world.serve(server, World::resource);
        world.serve(issuer, World::authorization);
        world
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn twist(&self, change: impl FnOnce(&mut Twists)) {
        change(&mut self.state().twists);
    }

    /// Everything that was heard on paths that begin like this.
    pub(crate) fn heard(&self, path: &str) -> Vec<Heard> {
        self.state().heard.iter().filter(|heard| heard.path.starts_with(path)).cloned().collect()
    }

    /// The address at which the browser ended after a sign-in page.
    pub(crate) fn answer_to(&self, heard: &Heard) -> String {
        let state = self.state();
        let code = state
            .codes
            .iter()
            .find(|(_, code)| Some(code.challenge.as_str()) == heard.param("code_challenge"));
        let (code, record) = code.expect("the page was seen");
        let mut target = Url::parse(&record.redirect_uri).unwrap();
        let answer =
            [("code", code.as_str()), ("state", heard.param("state").unwrap()), ("iss", &self.issuer)];
        target.query_pairs_mut().extend_pairs(answer);
        target.into()
    }

    /// Requests at the token endpoint by a grant.
    pub(crate) fn grants(&self, grant: &str) -> usize {
        self.heard("/token")
            .iter()
            .filter(|heard| heard.form.get("grant_type").is_some_and(|own| own == grant))
            .count()
    }

    /// Returns the number of refresh tokens that were used twice.
    pub(crate) fn reused(&self) -> usize {
        self.state().reused
    }

    /// Signs everybody out.
    pub(crate) fn revoke(&self) {
        let mut state = self.state();
        state.access.clear();
        state.refresh.clear();
    }

    pub(crate) fn clock(&self) -> Clock {
        let now = self.now.clone();
        Arc::new(move || clock::from_seconds(now.load(SeqCst)))
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.now.load(SeqCst)
    }

    pub(crate) fn sleep(&self, seconds: u64) {
        self.now.fetch_add(seconds, SeqCst);
    }

    /// A client of this world, whose person signs in at once.
    pub(crate) fn client(&self) -> OAuthBuilder {
        OAuth::builder(self.server.clone(), ClientIdentity::new("test"))
            .policy(policy())
            .clock(self.clock())
            .user_agent(person())
    }

    /// Makes one request as the SDK does.
    pub(crate) async fn call(&self, oauth: &OAuth) -> Result<u16, String> {
        call(&self.server, oauth).await
    }

    fn serve(&self, listener: TcpListener, answer: fn(&World, &Heard) -> Response<Body>) {
        let world = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = world.clone();
                let service = service_fn(move |request| {
                    let world = world.clone();
                    async move { Ok::<_, Infallible>(world.hear(request, answer).await) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
    }

    async fn hear(
        &self,
        request: Request<Incoming>,
        answer: fn(&World, &Heard) -> Response<Body>,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let pairs = |text: &[u8]| -> Vec<(String, String)> {
            url::form_urlencoded::parse(text).map(|(a, b)| (a.into_owned(), b.into_owned())).collect()
        };
        let heard = Heard {
            path: parts.uri.path().to_owned(),
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            headers: parts.headers,
            form: pairs(&body).into_iter().collect(),
            body,
        };
        self.state().heard.push(heard.clone());
        let odd = self.state().twists.at.clone().filter(|(path, _)| heard.path.starts_with(path));
        match odd {
            Some((_, Odd::Never)) => std::future::pending().await,
            Some((_, odd)) => strange(odd),
            None => answer(self, &heard),
        }
    }

    fn resource(&self, heard: &Heard) -> Response<Body> {
        let state = self.state();
        let twists = &state.twists;
        let well_known = self.server.join("/.well-known/oauth-protected-resource/mcp").unwrap();
        let root = "/.well-known/oauth-protected-resource";
        if heard.path == if twists.at_root { root } else { well_known.path() } {
            let honest = json!({ "resource": self.server.as_str(), "authorization_servers": [self.issuer] });
            return reply(200, &merged(honest, &twists.resource));
        }
        if heard.path != "/mcp" {
            return text(404, "text/plain", "no");
        }
        let token =
            heard.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = token.split_once(' ').map_or("", |(_, token)| token);
        let scope =
            state.access.get(token).filter(|(_, end)| *end > self.now.load(SeqCst)).map(|(scope, _)| scope);
        let missing =
            |scope: &str| twists.needs.split(' ').any(|need| !scope.split(' ').any(|own| own == need));
        let status = match (twists.refuses_all, scope) {
            (Some(status), _) if !token.is_empty() => status,
            (_, None) => 401,
            (_, Some(scope)) if !twists.needs.is_empty() && missing(scope) => 403,
            _ => 200,
        };
        let mut challenge = format!("Bearer resource_metadata=\"{well_known}\"");
        if status == 403 {
            challenge.push_str(&format!(", error=\"insufficient_scope\", scope=\"{}\"", twists.needs));
        }
        let challenge = twists.challenge.clone().unwrap_or(challenge);
        let mut response = reply(status, &json!({}));
        if status != 200 {
            response.headers_mut().insert("www-authenticate", HeaderValue::try_from(challenge).unwrap());
        }
        response
    }

    fn authorization(&self, heard: &Heard) -> Response<Body> {
        match heard.path.as_str() {
            "/.well-known/oauth-authorization-server" => {
                let at = |path: &str| format!("{}{path}", self.issuer);
                let honest = json!({
                    "issuer": self.issuer,
                    "authorization_endpoint": at("/authorize"),
                    "token_endpoint": at("/token"),
                    "registration_endpoint": at("/register"),
                    "revocation_endpoint": at("/revoke"),
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "authorization_response_iss_parameter_supported": true,
                });
                reply(200, &merged(honest, &self.state().twists.metadata))
            }
            "/register" => match self.state().twists.registration {
                Some((status, said)) => text(status, "text/plain", said),
                None => reply(201, &json!({ "client_id": "registered" })),
            },
            "/authorize" => self.authorize(heard),
            "/token" => self.token(heard),
            "/revoke" => reply(200, &json!({})),
            _ => text(404, "text/plain", "no"),
        }
    }

    fn authorize(&self, heard: &Heard) -> Response<Body> {
        let param = |name: &str| heard.param(name).unwrap_or_default().to_owned();
        let code = jose::random(8);
        let mut state = self.state();
        let record = Code {
            challenge: param("code_challenge"),
            redirect_uri: param("redirect_uri"),
            scope: param("scope"),
        };
        state.codes.insert(code.clone(), record);
        let mut answer = vec![
            ("code".to_owned(), code),
            ("state".to_owned(), param("state")),
            ("iss".to_owned(), self.issuer.clone()),
        ];
        if let Some(twist) = state.twists.answer {
            twist(&mut answer);
        }
        let mut target = Url::parse(&param("redirect_uri")).unwrap();
        target.query_pairs_mut().extend_pairs(answer);
        strange(Odd::Redirect(302, target.into()))
    }

    fn token(&self, heard: &Heard) -> Response<Body> {
        let param = |name: &str| heard.form.get(name).map_or("", String::as_str);
        let mut state = self.state();
        let refused = |error: &str| reply(400, &json!({ "error": error }));
        let scope = match param("grant_type") {
            "authorization_code" => {
                let Some(code) = state.codes.remove(param("code")) else { return refused("invalid_grant") };
                let proved = jose::sha256(param("code_verifier")) == code.challenge;
                if !proved || code.redirect_uri != param("redirect_uri") {
                    return refused("invalid_grant");
                }
                code.scope
            }
            "refresh_token" => match state.rotate(param("refresh_token")) {
                Some(scope) => scope,
                None => return refused("invalid_grant"),
            },
            "client_credentials" => param("scope").to_owned(),
            "urn:ietf:params:oauth:grant-type:token-exchange"
            | "urn:ietf:params:oauth:grant-type:jwt-bearer"
                if !state.twists.refuses_grants =>
            {
                param("scope").to_owned()
            }
            _ => return refused("unsupported_grant_type"),
        };
        let scope = state.twists.tokens["scope"].as_str().map_or(scope, str::to_owned);
        let (access, refresh) = (jose::random(8), jose::random(8));
        let lifetime = state.twists.lifetime.unwrap_or(3600);
        let end = self.now.load(SeqCst) + lifetime;
        state.access.insert(access.clone(), (scope.clone(), end));
        if let Some(old) = state.refresh.get_mut(param("refresh_token")) {
            old.replaced_by = Some(refresh.clone());
        }
        state
            .refresh
            .insert(refresh.clone(), Refresh { scope: scope.clone(), replaced_by: None, used: false });
        let honest = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": lifetime, "refresh_token": refresh,
            "scope": scope,
        });
        reply(200, &merged(honest, &state.twists.tokens))
    }
}

impl State {
    /// Returns the scope of a refresh token that may be used. After a second use of one, all of them are invalid.
    fn rotate(&mut self, token: &str) -> Option<String> {
        let used = self.refresh.get(token)?;
        let scope = used.scope.clone();
        let successor_used =
            used.replaced_by.as_ref().and_then(|next| self.refresh.get(next)).is_none_or(|next| next.used);
        let forgiven = self.twists.lenient && !successor_used;
        if used.used && !forgiven {
            self.reused += 1;
            self.refresh.clear();
            return None;
        }
        self.refresh.get_mut(token)?.used = true;
        Some(scope)
    }
}

/// Makes one request as the SDK does.
pub(crate) async fn call(server: &Url, oauth: &OAuth) -> Result<u16, String> {
    let browser = RestrictedHttpClient::new(policy()).unwrap();
    for _ in 0..4 {
        let headers = oauth.headers(&Method::POST, server).await.map_err(|error| error.to_string())?;
        let mut fetch = FetchRequest::json(server.clone(), "{}");
        for (name, value) in &headers {
            fetch = fetch.header(name.clone(), value.clone());
        }
        let FetchResponse { status, headers: given, .. } =
            browser.send(fetch).await.map_err(|error| error.to_string())?;
        oauth.observe_response(&headers, status, &given);
        if !matches!(status.as_u16(), 401 | 403) {
            return Ok(status.as_u16());
        }
        let challenge = Challenge { status, headers: given, sent: headers };
        if !oauth.handle_challenge(challenge).await.map_err(|error| error.to_string())? {
            return Err(format!("refused with {status}"));
        }
    }
    Err("refused four times".to_owned())
}

pub(crate) fn policy() -> FetchPolicy {
    FetchPolicy { timeout: Duration::from_secs(5), ..FetchPolicy::development() }
}

/// A person whose browser goes where it is sent.
pub(crate) fn person() -> LoopbackUserAgent {
    LoopbackUserAgent::new(|page| {
        let page = page.clone();
        tokio::spawn(async move { RestrictedHttpClient::new(policy()).unwrap().get(&page).await });
        Ok(())
    })
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn merged(mut honest: Value, twist: &Value) -> Value {
    for (name, value) in twist.as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(honest.as_object_mut().unwrap().remove(name)),
            value => honest[name] = value.clone(),
        }
    }
    honest
}

fn whole(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed_unsync()
}

fn reply(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(whole(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn text(status: u16, kind: &'static str, said: &'static str) -> Response<Body> {
    let mut response = Response::new(whole(said));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    response
}

fn strange(odd: Odd) -> Response<Body> {
    match odd {
        Odd::Redirect(status, target) => {
            let mut response = text(status, "text/plain", "");
            response
                .headers_mut()
                .insert(HeaderName::from_static("location"), HeaderValue::try_from(target).unwrap());
            response
        }
        Odd::Endless => {
            let piece = Bytes::from(vec![b' '; 16 << 10]);
            let pieces = futures_util::stream::repeat_with(move || Ok(Frame::data(piece.clone())));
            let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
            response
        }
        Odd::Text(status, kind, said) => text(status, kind, said),
        Odd::Never => text(500, "text/plain", "it was never to answer"),
    }
}
