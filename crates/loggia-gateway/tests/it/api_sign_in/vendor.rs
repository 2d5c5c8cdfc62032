//! A vendor with an API and an authorization server without metadata. It checks what RFC 6749, RFC 7636 and its own
//! settings require, rotates refresh tokens, and ends a session whose refresh token is used twice.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Form, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loggia_auth::jose::{random, sha256};
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use serde_json::{Value, json};

pub(crate) const CLIENT_ID: &str = "client-1";
pub(crate) const CLIENT_SECRET: &str = "secret/1+";
/// The scopes that the vendor knows.
const SCOPES: [&str; 2] = ["pages.read", "pages.write"];

type Params = HashMap<String, String>;

/// A user's session: what a code, an access token or a refresh token stands for.
#[derive(Clone)]
struct Session {
    user: String,
    scope: String,
    challenge: String,
    redirect_uri: String,
}

#[derive(Default)]
struct VendorState {
    user: Option<String>,
    codes: HashMap<String, Session>,
    access: HashMap<String, Session>,
    refresh: HashMap<String, Session>,
    pages: Vec<Params>,
    renewals: usize,
    refuses_all: bool,
    /// The users of the calls of tools, in their order.
    callers: Vec<String>,
}

/// The vendor.
#[derive(Clone)]
pub(crate) struct Vendor {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<VendorState>>,
}

impl Vendor {
    pub(crate) async fn start() -> Vendor {
        Vendor::start_with(Router::new()).await
    }

    /// Starts a vendor whose MCP server takes the same tokens. The server names no authorization server.
    pub(crate) async fn start_with(server: Router) -> Vendor {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let vendor = Vendor { address, state: Arc::default() };
        let check = axum::middleware::from_fn_with_state(vendor.clone(), require_token);
        let routes = Router::new()
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/v1/me", get(me))
            .route("/register", post(register))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .with_state(vendor.clone())
            .merge(server.layer(check));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        vendor
    }

    fn state(&self) -> MutexGuard<'_, VendorState> {
        self.state.lock().expect("no test panics with it")
    }

    /// Returns the browser of a user who allows everything; with `None`, of one who declines.
    pub(crate) fn browser(&self, user: Option<&str>) -> LoopbackUserAgent {
        self.state().user = user.map(str::to_owned);
        LoopbackUserAgent::new(|page| {
            let page = page.clone();
            let browser = RestrictedHttpClient::new(FetchPolicy::development()).expect("a client");
            tokio::spawn(async move { browser.get(&page).await });
            Ok(())
        })
    }

    /// Returns the parameters of the last page at which a user signed in.
    pub(crate) fn last_page(&self) -> Params {
        self.state().pages.last().cloned().unwrap_or_default()
    }

    /// Returns how often a refresh token was exchanged.
    pub(crate) fn renewals(&self) -> usize {
        self.state().renewals
    }

    /// Revokes all access tokens; with `sessions`, the refresh tokens, too.
    pub(crate) fn revoke(&self, sessions: bool) {
        let mut state = self.state();
        state.access.clear();
        if sessions {
            state.refresh.clear();
        }
    }

    /// Revokes the tokens of one user.
    pub(crate) fn revoke_user(&self, user: &str) {
        let mut state = self.state();
        state.access.retain(|_, session| session.user != user);
        state.refresh.retain(|_, session| session.user != user);
    }

    /// Returns the users whose tokens called tools of the MCP server since the last time.
    pub(crate) fn callers(&self) -> Vec<String> {
        std::mem::take(&mut self.state().callers)
    }

    /// Returns the session of a request's access token.
    fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let state = self.state();
        let sent = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let session = state.access.get(sent.strip_prefix("Bearer ")?);
        session.filter(|_| !state.refuses_all).cloned()
    }

    /// Lets the API refuse each token from now on.
    pub(crate) fn refuse_all(&self) {
        self.state().refuses_all = true;
    }
}

fn redirect(target: &str, pairs: &[(&str, &str)]) -> Response {
    let mut url = url::Url::parse(target).expect("a URL");
    url.query_pairs_mut().extend_pairs(pairs);
    (StatusCode::FOUND, [(header::LOCATION, url.to_string())]).into_response()
}

async fn authorize(State(vendor): State<Vendor>, Query(params): Query<Params>) -> Response {
    let param = |name: &str| params.get(name).cloned().unwrap_or_default();
    let mut state = vendor.state();
    state.pages.push(params.clone());
    let (redirect_uri, given) = (param("redirect_uri"), param("state"));
    let has_pkce = param("code_challenge_method") == "S256" && !param("code_challenge").is_empty();
    if param("client_id") != CLIENT_ID || param("response_type") != "code" || !has_pkce || given.is_empty() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let error = |name: &str| redirect(&redirect_uri, &[("error", name), ("state", &given)]);
    if !param("scope").split(' ').all(|scope| SCOPES.contains(&scope)) {
        return error("invalid_scope");
    }
    let Some(user) = state.user.clone() else { return error("access_denied") };
    let code = random(16);
    let (scope, challenge) = (param("scope"), param("code_challenge"));
    let session = Session { user, scope, challenge, redirect_uri: redirect_uri.clone() };
    state.codes.insert(code.clone(), session);
    redirect(&redirect_uri, &[("code", &code), ("state", &given)])
}

async fn token(State(vendor): State<Vendor>, headers: HeaderMap, Form(form): Form<Params>) -> Response {
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let encoded: String = url::form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect();
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{encoded}")));
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if sent != Some(expected.as_str()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let param = |name: &str| form.get(name).map_or("", String::as_str);
    let mut state = vendor.state();
    let session = match param("grant_type") {
        "authorization_code" => state.codes.remove(param("code")).filter(|code| {
            sha256(param("code_verifier")) == code.challenge && param("redirect_uri") == code.redirect_uri
        }),
        "refresh_token" => {
            state.renewals += 1;
            state.refresh.remove(param("refresh_token"))
        }
        _ => return refused("unsupported_grant_type"),
    };
    let Some(session) = session else { return refused("invalid_grant") };
    let (access, refresh) = (random(16), random(16));
    let tokens = json!({
        "access_token": access, "refresh_token": refresh, "token_type": "bearer", "expires_in": 3600,
        "scope": session.scope,
    });
    state.access.insert(access, session.clone());
    state.refresh.insert(refresh, session);
    Json(tokens).into_response()
}

/// Answers requests without a valid token with a challenge.
async fn require_token(State(vendor): State<Vendor>, request: Request, next: Next) -> Response {
    if let Some(session) = vendor.session(request.headers()) {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.expect("a small body");
        if String::from_utf8_lossy(&body).contains("\"tools/call\"") {
            vendor.state().callers.push(session.user);
        }
        return next.run(Request::from_parts(head, body.into())).await;
    }
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
}

/// Returns metadata without a registration endpoint.
async fn metadata(State(vendor): State<Vendor>) -> Json<Value> {
    let issuer = format!("http://{}", vendor.address);
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    }))
}

async fn register() -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({ "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET })))
}

async fn me(State(vendor): State<Vendor>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    match vendor.session(&headers) {
        Some(session) => (StatusCode::OK, Json(json!({ "name": session.user }))),
        None => (StatusCode::UNAUTHORIZED, Json(json!({ "message": "no such token" }))),
    }
}
