//! The resource server against callers who should come in and callers who should not. Most tests put a
//! service behind the layer that writes down what reached it.

#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../src/testing.rs"]
mod testing;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use loggia::service::Principal;
use loggia::transport::http::Body;
use loggia_auth::clock::{self, Clock};
use loggia_auth::jose::{Algorithm, JwkSet, SigningKey, encode, sha256};
use loggia_auth::keys::{ApiKeys, NewApiKey};
use loggia_auth::resource::{
    DpopPolicy, IntrospectionEndpoint, NonceKey, ProtectedService, ResourceServer, ScopePolicy, TrustedIssuer,
};
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use loggia_auth::store::MemoryStore;
use serde_json::{Value, json};
use testing::{answer, serve};
use tower_layer::Layer;
use tower_service::Service;

const NOW: u64 = 1_700_000_000;
const ISSUER: &str = "https://id.example";
const MCP: &str = "https://mcp.example/mcp";
const METADATA: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

/// The requests that reached the service behind the layer.
#[derive(Clone, Default)]
struct Behind(Arc<Mutex<Vec<Seen>>>);

type Seen = (Option<Principal>, HeaderMap);

impl Service<Request<Body>> for Behind {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let principal = request.extensions().get::<Arc<Principal>>().map(|principal| (**principal).clone());
        self.0.lock().unwrap().push((principal, request.headers().clone()));
        ready(Ok(Response::new(Body::full("through"))))
    }
}

struct Door {
    service: ProtectedService<Behind>,
    behind: Behind,
}

/// An answer that was read.
#[derive(Debug)]
struct Answer {
    status: u16,
    challenges: Vec<String>,
    headers: HeaderMap,
    body: String,
}

impl Door {
    fn new(resource: ResourceServer) -> Door {
        Door::at(resource, Arc::new(now))
    }

    fn at(resource: ResourceServer, clock: Clock) -> Door {
        let behind = Behind::default();
        Door { service: resource.clock(clock).layer().layer(behind.clone()), behind }
    }

    async fn knock(&self, request: http::request::Builder, body: &str) -> Answer {
        let request = request.body(Body::full(body.to_owned())).unwrap();
        let response = self.service.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let challenges = parts.headers.get_all("www-authenticate").iter();
        Answer {
            status: parts.status.as_u16(),
            challenges: challenges.map(|value| value.to_str().unwrap().to_owned()).collect(),
            headers: parts.headers.clone(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn with_token(&self, token: &str) -> Answer {
        self.knock(post().header("authorization", format!("Bearer {token}")), "{}").await
    }

    fn let_in(&self) -> usize {
        self.behind.0.lock().unwrap().len()
    }
}

fn post() -> http::request::Builder {
    Request::post("/mcp").header("host", "mcp.example")
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

fn signing(key: &SigningKey) -> TrustedIssuer {
    TrustedIssuer::signing(ISSUER, Arc::new(JwkSet { keys: vec![key.public().clone()] }))
}

fn resource() -> ResourceServer {
    ResourceServer::new(MCP.parse().unwrap()).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "ada", "aud": MCP, "client_id": "cli", "scope": "mcp files:read",
        "iat": NOW - 10, "exp": NOW + 600, "jti": "t1",
    })
}

fn changed(change: Value) -> Value {
    let mut claims = claims();
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

#[tokio::test]
async fn a_good_token_becomes_a_principal_and_goes_no_further() {
    let key = key();
    let door = Door::new(resource().issuer(signing(&key)));
    let token = key.sign("at+jwt", &claims()).unwrap();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = post().header("authorization", format!("{scheme} {token}")).header("x-kept", "yes");
        assert_eq!(door.knock(request, "{}").await.status, 200, "{scheme}");
    }
    let (principal, headers) = door.behind.0.lock().unwrap()[0].clone();
    let principal = principal.unwrap();
    assert_eq!((principal.subject.as_str(), principal.issuer.as_deref()), ("ada", Some(ISSUER)));
    assert_eq!(principal.scopes, ["mcp", "files:read"]);
    let named: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
    assert!(headers.contains_key("x-kept") && !headers.contains_key("authorization"), "{named:?}");
    assert!(!format!("{headers:?}").contains(&token));
}

/// Every line is a token that must not open the door, and the reason that the caller is told.
#[tokio::test]
async fn wrong_tokens_are_refused() {
    let (key, other) = (key(), key());
    let door = Door::new(resource().issuer(signing(&key)));
    let sign = |claims: Value| key.sign("at+jwt", &claims).unwrap();
    let public = serde_json::to_vec(key.public()).unwrap();
    let confused = {
        let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": key.public().kid});
        let message = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
        let hmac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public);
        format!("{message}.{}", encode(ring::hmac::sign(&hmac, message.as_bytes())))
    };
    let unsigned = format!(
        "{}.{}.",
        encode(json!({"alg": "none", "typ": "at+jwt"}).to_string()),
        encode(claims().to_string())
    );
    let table = [
        ("another audience", sign(changed(json!({"aud": "https://other.example/mcp"}))), "audience"),
        (
            "an audience that begins alike",
            sign(changed(json!({"aud": "https://mcp.example/mcp2"}))),
            "audience",
        ),
        ("no audience", sign(changed(json!({"aud": null}))), "audience"),
        ("the client as audience", sign(changed(json!({"aud": "cli"}))), "audience"),
        ("another issuer", sign(changed(json!({"iss": "https://evil.example"}))), "trusted"),
        ("an issuer that begins alike", sign(changed(json!({"iss": "https://id.example/"}))), "trusted"),
        ("expired", sign(changed(json!({"exp": NOW - 30}))), "expired"),
        ("without an end", sign(changed(json!({"exp": null}))), "exp"),
        ("not yet", sign(changed(json!({"nbf": NOW + 60}))), "not valid yet"),
        ("without a subject", sign(changed(json!({"sub": null}))), "sub"),
        ("bound by certificate", sign(changed(json!({"cnf": {"x5t#S256": "abc"}}))), "bound"),
        ("bound by key", sign(changed(json!({"cnf": {"jkt": "abc"}}))), "bound"),
        ("an ID token", key.sign("JWT", &claims()).unwrap(), "type"),
        ("a proof", key.sign("dpop+jwt", &claims()).unwrap(), "type"),
        ("an unknown key", other.sign("at+jwt", &claims()).unwrap(), "does not publish"),
        ("key confusion", confused, "trusted"),
        ("alg none", unsigned, "trusted"),
        ("nonsense", "nonsense".to_owned(), "trusted"),
    ];
    for (what, token, reason) in table {
        let answer = door.with_token(&token).await;
        let challenge = answer.challenges.join(" | ");
        assert_eq!(answer.status, 401, "{what}");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{what}: {challenge}");
        assert!(challenge.contains(reason), "{what}: {challenge}");
        assert!(challenge.contains(&format!("resource_metadata=\"{METADATA}\"")), "{what}: {challenge}");
        assert!(!challenge.contains(&token), "{what}: the token is not repeated");
    }
    assert_eq!(door.let_in(), 0);
}

#[tokio::test]
async fn issuers_can_be_narrowed_widened_and_take_tokens_back() {
    let key = key();
    let token = |typ: &str| key.sign(typ, &claims()).unwrap();
    let narrow = Door::new(resource().issuer(signing(&key).algorithms([Algorithm::EdDsa])));
    assert_eq!(narrow.with_token(&token("at+jwt")).await.status, 401);
    let wide = Door::new(resource().issuer(signing(&key).any_token_type()));
    for (typ, status) in
        [("JWT", 200), ("application/at+jwt", 200), ("dpop+jwt", 401), ("oauth-id-jag+jwt", 401)]
    {
        assert_eq!(wide.with_token(&token(typ)).await.status, status, "{typ}");
    }
    let withdrawn =
        Door::new(resource().issuer(signing(&key).revocation_check(Arc::new(|jti: &str| jti == "t1"))));
    assert_eq!(withdrawn.with_token(&token("at+jwt")).await.status, 401);
    let root = ResourceServer::new("https://mcp.example".parse().unwrap()).unwrap().audience("api://older");
    assert_eq!(root.identifier(), "https://mcp.example");
    let root = Door::new(root.issuer(signing(&key)));
    for aud in ["https://mcp.example", "https://mcp.example/", "api://older"] {
        let token = key.sign("at+jwt", &changed(json!({"aud": [aud]}))).unwrap();
        assert_eq!(root.with_token(&token).await.status, 200, "{aud}");
    }
}

#[tokio::test]
async fn the_header_has_one_form() {
    let key = key();
    let token = key.sign("at+jwt", &claims()).unwrap();
    let policy = ScopePolicy::new().always("mcp");
    let door = Door::new(resource().issuer(signing(&key)).scopes(policy));
    let bare = format!("Bearer scope=\"mcp\", resource_metadata=\"{METADATA}\"");
    let table = [
        ("nothing", vec![], 401, bare.clone()),
        ("basic", vec!["Basic YTpi".to_owned()], 401, bare.clone()),
        ("no token", vec!["Bearer".to_owned()], 400, "invalid_request".to_owned()),
        ("spaces", vec!["Bearer  ".to_owned()], 400, "invalid_request".to_owned()),
        ("two tokens", vec![format!("Bearer {token} {token}")], 400, "invalid_request".to_owned()),
        (
            "two headers",
            vec![format!("Bearer {token}"), format!("Bearer {token}")],
            400,
            "invalid_request".to_owned(),
        ),
        ("a list", vec![format!("Bearer {token},{token}")], 400, "invalid_request".to_owned()),
        ("not offered", vec![format!("DPoP {token}")], 401, "not accepted here".to_owned()),
    ];
    for (what, headers, status, challenge) in table {
        let request = headers.iter().fold(post(), |request, value| request.header("authorization", value));
        let answer = door.knock(request, "{}").await;
        let challenges = answer.challenges.join(" | ");
        assert_eq!(answer.status, status, "{what}");
        assert!(challenges.contains(&challenge), "{what}: {challenges}");
        assert!(status == 401 && answer.headers["cache-control"] == "no-store" || status == 400, "{what}");
    }
    // The specification forbids tokens in URLs; one there counts as none.
    let in_url = Request::post(format!("/mcp?access_token={token}"));
    assert_eq!(door.knock(in_url, "{}").await.status, 401);
    assert_eq!(door.let_in(), 0);
}

/// Each line: the bound, the body, and the status. Only rules for resources are about URIs.
#[tokio::test]
async fn a_request_names_no_more_resources_than_are_judged() {
    let key = key();
    let token = key.sign("at+jwt", &changed(json!({"scope": "mcp"}))).unwrap();
    let listen = |count: usize| {
        let uris = vec!["a:b"; count];
        let params = json!({"notifications": {"resourceSubscriptions": uris}});
        json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params})
    };
    let read = || json!({"jsonrpc": "2.0", "id": 2, "method": "resources/read", "params": {"uri": "a:b"}});
    let about_resources = || ScopePolicy::new().resource("file:///etc/*", "files:read");
    let about_tools = || ScopePolicy::new().tool("drop", "admin");
    let table = [
        (about_resources(), Some(3), listen(3), 200),
        (about_resources(), Some(3), listen(4), 400),
        (about_resources(), Some(3), json!([read(), read(), read()]), 200),
        (about_resources(), Some(3), json!([read(), read(), read(), read()]), 400),
        (about_resources(), Some(3), json!([listen(2), read(), read()]), 400),
        (about_resources(), None, listen(1024), 200),
        (about_resources(), None, listen(1025), 400),
        (about_tools(), Some(3), listen(4), 200),
    ];
    for (at, (policy, most, body, status)) in table.into_iter().enumerate() {
        let guarded = resource().issuer(signing(&key)).scopes(policy);
        let guarded = most.into_iter().fold(guarded, ResourceServer::resources_per_request);
        let request = post().header("authorization", format!("Bearer {token}"));
        let answer = Door::new(guarded).knock(request, &body.to_string()).await;
        assert_eq!(answer.status, status, "line {at}: {}", answer.body);
        assert_eq!(
            answer.body.contains("resources. Name fewer"),
            status == 400,
            "line {at}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_missing_scope_is_named_before_anything_runs() {
    let key = key();
    let policy = ScopePolicy::new()
        .always("mcp")
        .method("tools/list", "tools:list")
        .method("tasks/*", "tasks")
        .tool("delete_*", "files:write")
        .tool("delete_all", "admin")
        .prompt("secret", "prompts")
        .resource("file:///etc/*", "files:read")
        .implies("root", "admin")
        .implies("admin", "files:write");
    let door = Door::new(resource().issuer(signing(&key)).scopes(policy));
    let request = |method: &str, params: Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
    };
    let call = |name: &str| request("tools/call", json!({"name": name, "arguments": {}}));
    let table = [
        (call("echo"), "mcp", None),
        (call("echo"), "other", Some("mcp")),
        (call("delete_one"), "mcp", Some("files:write mcp")),
        (call("delete_one"), "mcp files:write", None),
        (call("delete_one"), "mcp admin", None),
        (call("delete_all"), "mcp files:write", Some("admin files:write mcp")),
        (call("delete_all"), "mcp root", None),
        (request("tools/list", json!({})), "mcp", Some("mcp tools:list")),
        (request("tasks/get", json!({"taskId": "1"})), "mcp", Some("mcp tasks")),
        (request("prompts/get", json!({"name": "secret"})), "mcp", Some("mcp prompts")),
        (request("prompts/get", json!({"name": "open"})), "mcp", None),
        (request("resources/read", json!({"uri": "file:///etc/passwd"})), "mcp", Some("files:read mcp")),
        (request("resources/subscribe", json!({"uri": "file:///etc/passwd"})), "mcp", Some("files:read mcp")),
        (
            request(
                "subscriptions/listen",
                json!({"notifications": {"resourceSubscriptions": ["a:b", "file:///etc/x"]}}),
            ),
            "mcp",
            Some("files:read mcp"),
        ),
        (request("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}})), "mcp", None),
        (format!("[{},{}]", call("echo"), call("delete_one")), "mcp", Some("files:write mcp")),
        ("not a message".to_owned(), "mcp", None),
    ];
    for (body, granted, missing) in table {
        let before = door.let_in();
        let token = key.sign("at+jwt", &changed(json!({"scope": granted}))).unwrap();
        let answer = door.knock(post().header("authorization", format!("Bearer {token}")), &body).await;
        match missing {
            None => assert_eq!((answer.status, door.let_in()), (200, before + 1), "{body} with {granted}"),
            Some(scopes) => {
                assert_eq!((answer.status, door.let_in()), (403, before), "{body} with {granted}");
                let expected = format!(
                    "Bearer error=\"insufficient_scope\", error_description=\"This needs the scopes: {scopes}\", \
                     scope=\"{scopes}\", resource_metadata=\"{METADATA}\""
                );
                assert_eq!(answer.challenges, [expected], "{body} with {granted}");
            }
        }
    }
    // An ambiguous request is refused, because the server could read it in another way than the rules.
    let token = key.sign("at+jwt", &claims()).unwrap();
    for params in [
        r#"{"name":"echo","name":"delete_all"}"#,
        "{}",
        r#"{"name":1}"#,
        r#"{"name":"echo","n\u0061me":"delete_all"}"#,
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let answer = door.knock(post().header("authorization", format!("Bearer {token}")), &body).await;
        assert_eq!(answer.status, 400, "{params}: {}", answer.body);
    }
    let long =
        door.knock(post().header("authorization", format!("Bearer {token}")), &" ".repeat(5 << 20)).await;
    assert_eq!(long.status, 413);
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_and_remembered_shortly() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = serve(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        assert_eq!(request.headers()["authorization"], "Basic cnMlM0ExOnMlMjZ0");
        let form: Vec<(String, String)> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let good = json!({"active": true, "sub": "ada", "aud": [MCP], "scope": "mcp", "exp": NOW + 60});
        let with = |name: &str, value: Value| {
            let mut reply = good.clone();
            reply[name] = value;
            answer(200, &reply.to_string())
        };
        match form[0].1.as_str() {
            "good" => answer(200, &good.to_string()),
            "inactive" => answer(200, r#"{"active":false}"#),
            "wrong-aud" => with("aud", json!("https://other.example")),
            "no-aud" => with("aud", json!([])),
            "wrong-iss" => with("iss", json!("https://evil.example")),
            "expired" => with("exp", json!(NOW - 60)),
            "bound" => with("cnf", json!({"jkt": "abc"})),
            "odd" => answer(200, r#"{"active":"true"}"#),
            _ => answer(500, "{}"),
        }
    })
    .await;
    let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
    let secret = Secret::new("s&t");
    let introspection = IntrospectionEndpoint::new(server.url("/introspect"), "rs:1", &secret, http);
    let door = Door::new(resource().issuer(TrustedIssuer::introspecting(ISSUER, introspection)));
    let table = [
        ("good", 200),
        ("inactive", 401),
        ("wrong-aud", 401),
        ("no-aud", 401),
        ("wrong-iss", 401),
        ("expired", 401),
        ("bound", 401),
        ("odd", 503),
        ("down", 503),
    ];
    for (token, status) in table {
        let answer = door.with_token(token).await;
        assert_eq!(answer.status, status, "{token}: {}", answer.body);
        assert_eq!(answer.challenges.is_empty(), status != 401, "{token}");
    }
    let before = asked.load(Ordering::SeqCst);
    for _ in 0..10 {
        assert_eq!(door.with_token("good").await.status, 200);
        assert_eq!(door.with_token("inactive").await.status, 401);
    }
    let foreign = key().sign("at+jwt", &changed(json!({"iss": "https://other.example"}))).unwrap();
    assert_eq!(door.with_token(&foreign).await.status, 401);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        before,
        "a result is cached, and no issuer gets the token of another"
    );
    assert_eq!(door.behind.0.lock().unwrap()[0].0.as_ref().unwrap().subject, "ada");
}

struct Holder {
    key: SigningKey,
    token: String,
}

impl Holder {
    fn new(issuer: &SigningKey) -> Holder {
        let key = key();
        let bound = changed(json!({"cnf": {"jkt": key.public().thumbprint()}}));
        Holder { key, token: issuer.sign("at+jwt", &bound).unwrap() }
    }

    fn claims(&self, jti: &str) -> Value {
        json!({"jti": jti, "htm": "POST", "htu": MCP, "iat": NOW, "ath": sha256(&self.token)})
    }

    fn proof(&self, jti: &str, change: Value) -> String {
        let mut claims = self.claims(jti);
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.key.sign_with_key("dpop+jwt", &claims).unwrap()
    }

    fn request(&self, proof: &str) -> http::request::Builder {
        post().header("authorization", format!("DPoP {}", self.token)).header("dpop", proof)
    }
}

#[tokio::test]
async fn a_bound_token_needs_its_proof_every_time() {
    let issuer = key();
    let door = Door::new(resource().issuer(signing(&issuer)).dpop(DpopPolicy::accepted()));
    let (ada, eve) = (Holder::new(&issuer), Holder::new(&issuer));
    let private = json!({"kty": "EC", "crv": "P-256", "x": encode([1; 32]), "y": encode([2; 32]), "d": encode([3; 32])});
    let with_private = {
        let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": private});
        format!("{}.{}.{}", encode(header.to_string()), encode(ada.claims("p").to_string()), encode([0; 64]))
    };
    let unsigned = {
        let header = json!({"alg": "none", "typ": "dpop+jwt", "jwk": ada.key.public()});
        format!("{}.{}.", encode(header.to_string()), encode(ada.claims("n").to_string()))
    };
    let by_eve = eve.key.sign_with_key("dpop+jwt", &ada.claims("e")).unwrap();
    let good = ada.proof("1", json!({}));
    let table = [
        ("good", good.clone(), None),
        ("good, with a query", ada.proof("2", json!({"htu": format!("{MCP}?a=b#c")})), None),
        ("good, written otherwise", ada.proof("3", json!({"htu": "HTTPS://MCP.example:443/mcp/"})), None),
        ("good, a little early", ada.proof("4", json!({"iat": NOW + 30})), None),
        ("replayed", good, Some("used before")),
        ("another method", ada.proof("5", json!({"htm": "GET"})), Some("htm")),
        ("another URL", ada.proof("6", json!({"htu": "https://mcp.example/other"})), Some("htu")),
        ("another host", ada.proof("7", json!({"htu": "https://evil.example/mcp"})), Some("htu")),
        ("old", ada.proof("8", json!({"iat": NOW - 61})), Some("iat")),
        ("future", ada.proof("9", json!({"iat": NOW + 61})), Some("iat")),
        ("another token", ada.proof("10", json!({"ath": sha256("other")})), Some("ath")),
        ("no token", ada.proof("11", json!({"ath": null})), Some("ath")),
        ("no jti", ada.proof("", json!({})), Some("jti")),
        ("endless jti", ada.proof(&"j".repeat(300), json!({})), Some("jti")),
        ("another type", ada.key.sign_with_key("jwt", &ada.claims("12")).unwrap(), Some("type")),
        ("no key in it", ada.key.sign("dpop+jwt", &ada.claims("13")).unwrap(), Some("jwk")),
        ("private key in it", with_private, Some("header cannot be read")),
        ("unsigned", unsigned, Some("none")),
        ("nonsense", "a.b.c".to_owned(), Some("refused")),
        ("another key", by_eve, Some("another key")),
    ];
    for (what, proof, reason) in table {
        let answer = door.knock(ada.request(&proof), "{}").await;
        let challenge = answer.challenges.join(" | ");
        match reason {
            None => assert_eq!(answer.status, 200, "{what}: {challenge}"),
            Some(reason) => {
                assert_eq!(answer.status, 401, "{what}");
                assert!(
                    challenge.contains("DPoP error=") && challenge.contains(reason),
                    "{what}: {challenge}"
                );
                assert!(challenge.contains("algs=\"ES256"), "{what}: {challenge}");
            }
        }
    }
    let through = door.let_in();
    let two = ada.request(&ada.proof("20", json!({}))).header("dpop", ada.proof("21", json!({})));
    let downgraded = post()
        .header("authorization", format!("Bearer {}", ada.token))
        .header("dpop", ada.proof("22", json!({})));
    let unproven = post().header("authorization", format!("DPoP {}", ada.token));
    let plain = issuer.sign("at+jwt", &claims()).unwrap();
    let unbound =
        post().header("authorization", format!("DPoP {plain}")).header("dpop", ada.proof("23", json!({})));
    for (what, request) in
        [("two proofs", two), ("downgraded", downgraded), ("unproven", unproven), ("unbound", unbound)]
    {
        assert_eq!(door.knock(request, "{}").await.status, 401, "{what}");
    }
    assert_eq!(door.let_in(), through);
    assert_eq!(door.with_token(&plain).await.status, 200, "bearer tokens are accepted beside");
    let headers = door.behind.0.lock().unwrap()[0].1.clone();
    assert!(!headers.contains_key("dpop") && !headers.contains_key("authorization"));
    let nothing = door.knock(post(), "{}").await.challenges;
    assert_eq!(nothing.len(), 2, "{nothing:?}");
    assert!(
        nothing[0].starts_with("Bearer resource_metadata=")
            && nothing[1].starts_with("DPoP resource_metadata=")
    );
}

#[tokio::test]
async fn a_proof_counts_once_among_those_who_share_a_store() {
    // A store forgets by the machine's clock.
    let now = clock::seconds(SystemTime::now());
    let (issuer, mut ada) = (key(), Holder::new(&key()));
    let bound = json!({"cnf": {"jkt": ada.key.public().thumbprint()}, "exp": now + 300});
    ada.token = issuer.sign("at+jwt", &changed(bound)).unwrap();
    let store = Arc::new(MemoryStore::new());
    let door = |dpop: DpopPolicy| Door::at(resource().issuer(signing(&issuer)).dpop(dpop), clock::system());
    let shared = || DpopPolicy::accepted().shared(store.clone());
    let table = [
        ("apart", door(DpopPolicy::accepted()), door(DpopPolicy::accepted()), 200),
        ("together", door(shared()), door(shared()), 401),
    ];
    for (what, one, other, expected) in table {
        let proof = ada.proof(what, json!({"iat": now}));
        assert_eq!(one.knock(ada.request(&proof), "{}").await.status, 200, "{what}");
        assert_eq!(one.knock(ada.request(&proof), "{}").await.status, 401, "{what}");
        assert_eq!(other.knock(ada.request(&proof), "{}").await.status, expected, "{what}");
    }
}

#[tokio::test]
async fn nonces_are_handed_out_and_demanded() {
    let issuer = key();
    let nonces = NonceKey::new(&[7; 32]);
    let dpop = DpopPolicy::required().nonces(nonces.clone());
    let door = Door::new(resource().issuer(signing(&issuer)).dpop(dpop));
    let ada = Holder::new(&issuer);
    let first = door.knock(ada.request(&ada.proof("1", json!({}))), "{}").await;
    assert_eq!(first.status, 401);
    assert!(first.challenges[0].starts_with("DPoP error=\"use_dpop_nonce\""), "{:?}", first.challenges);
    let nonce = first.headers["dpop-nonce"].to_str().unwrap().to_owned();
    let old = nonces.nonce(now() - Duration::from_secs(600));
    let recent = nonces.nonce(now() - Duration::from_secs(120));
    let foreign = NonceKey::random().nonce(now());
    let table = [
        ("given", nonce, 200),
        ("recent", recent, 200),
        ("old", old, 401),
        ("foreign", foreign, 401),
        ("odd", "x".to_owned(), 401),
    ];
    for (what, nonce, status) in table {
        let answer = door.knock(ada.request(&ada.proof(what, json!({"nonce": nonce}))), "{}").await;
        assert_eq!(answer.status, status, "{what}");
        assert!(answer.headers.contains_key("dpop-nonce"), "{what}");
    }
    let plain = issuer.sign("at+jwt", &claims()).unwrap();
    assert_eq!(door.with_token(&plain).await.status, 401, "only bound tokens");
    assert_eq!(door.knock(post(), "{}").await.challenges.len(), 1);
}

#[tokio::test]
async fn api_keys_are_scoped_end_and_are_taken_back() {
    let keys = Arc::new(ApiKeys::new(Arc::new(MemoryStore::new())));
    let new = |expires: u64| NewApiKey {
        subject: "ada".to_owned(),
        label: "nightly".to_owned(),
        scopes: vec!["mcp".to_owned()],
        expires: Some(UNIX_EPOCH + Duration::from_secs(expires)),
    };
    let (known, secret) = keys.create(new(NOW + 60), now()).await.unwrap();
    let (_, ended) = keys.create(new(NOW), now()).await.unwrap();
    let policy = ScopePolicy::new().always("mcp").tool("drop", "admin");
    let door = Door::new(resource().api_keys(keys.clone()).scopes(policy));
    let body = |name: &str| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}}).to_string()
    };
    let ask = async |key: &str, tool: &str| {
        door.knock(post().header("authorization", format!("Bearer {key}")), &body(tool)).await.status
    };
    let stored = keys.list().await.unwrap();
    assert!(!format!("{stored:?}").contains(secret.expose()));
    assert_eq!(stored.len(), 2);
    assert_eq!(ask(secret.expose(), "echo").await, 200);
    assert_eq!(ask(secret.expose(), "drop").await, 403);
    assert_eq!(ask(ended.expose(), "echo").await, 401);
    for wrong in
        ["lgk_", "lgk_x", "lgk_x_y", &format!("lgk_{}_x", known.id), &format!("{}x", secret.expose())]
    {
        assert_eq!(ask(wrong, "echo").await, 401, "{wrong}");
    }
    assert!(keys.revoke(&known.id, now()).await.unwrap());
    assert!(!keys.revoke("nobody", now()).await.unwrap());
    assert_eq!(keys.list().await.unwrap().iter().filter(|key| key.revoked.is_some()).count(), 1);
    assert_eq!(ask(secret.expose(), "echo").await, 401);
    let principal = door.behind.0.lock().unwrap()[0].0.clone().unwrap();
    assert_eq!((principal.subject.as_str(), principal.issuer), ("ada", None));
    assert!(keys.forget(&known.id, now()).await.unwrap() && !keys.forget(&known.id, now()).await.unwrap());
    assert_eq!(keys.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_keys_of_a_user_are_revoked_together() {
    let keys = ApiKeys::new(Arc::new(MemoryStore::new()));
    let now = loggia_auth::clock::from_seconds(NOW);
    let mut made = Vec::new();
    for subject in ["ada", "ada", "adam"] {
        let new = NewApiKey { subject: subject.to_owned(), ..NewApiKey::default() };
        made.push(keys.create(new, now).await.unwrap().1);
    }
    assert_eq!(keys.revoke_all("ada", now).await.unwrap(), 2);
    for (key, counts) in made.iter().zip([false, false, true]) {
        assert_eq!(keys.verify(key.expose(), now).await.is_ok(), counts);
    }
    assert_eq!(keys.revoke_all("ada", now).await.unwrap(), 0);
}

#[tokio::test]
async fn the_metadata_leads_to_the_authorization_server() {
    let key = key();
    let policy = ScopePolicy::new().always("mcp").always("offline_access");
    let resource =
        resource().issuer(signing(&key)).scopes(policy).title("Files").dpop(DpopPolicy::accepted());
    let expected = json!({
        "resource": MCP,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["mcp"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Files",
        "dpop_signing_alg_values_supported": ["ES256", "ES384", "EdDSA", "PS256", "RS256"],
        "dpop_bound_access_tokens_required": false,
    });
    assert_eq!(resource.metadata(), expected);
    let door = Door::new(resource);
    for (path, status) in [
        ("/.well-known/oauth-protected-resource/mcp", 200),
        ("/.well-known/oauth-protected-resource", 200),
        ("/.well-known/oauth-protected-resource/other", 401),
    ] {
        let answer = door.knock(Request::get(path), "").await;
        assert_eq!(answer.status, status, "{path}");
        if status == 200 {
            assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), expected);
            assert_eq!(answer.headers["access-control-allow-origin"], "*");
        }
    }
    assert_eq!(door.knock(Request::post("/.well-known/oauth-protected-resource"), "").await.status, 405);
    for wrong in ["https://mcp.example/?a=b", "https://mcp.example/#f", "urn:mcp"] {
        assert!(ResourceServer::new(wrong.parse().unwrap()).is_err(), "{wrong}");
    }
}

/// The whole way: the SDK's endpoint behind the layer, a tool that asks who is calling.
#[tokio::test]
async fn a_handler_knows_who_calls() {
    use loggia::server::{Args, Cx, Tool, ToolError};

    let whoami = Tool::build("whoami").handler(|_: Arc<()>, cx: Cx, _: Args| async move {
        let principal = cx.principal().ok_or_else(|| ToolError::say("nobody"))?;
        Ok::<_, ToolError>(format!(
            "{} of {}",
            principal.subject,
            principal.issuer.as_deref().unwrap_or("nowhere")
        ))
    });
    let server = loggia::Server::new("test", "1").tool(whoami).build().unwrap();
    let endpoint = loggia::transport::http::http("127.0.0.1:0").endpoint(server.into_service());
    let key = key();
    let mut service = resource().issuer(signing(&key)).clock(Arc::new(now)).layer().layer(endpoint);
    let token = key.sign("at+jwt", &claims()).unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "whoami", "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        },
    }});
    let request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "whoami")
        .header("authorization", format!("Bearer {token}"));
    let response = service.call(request.body(Body::full(body.to_string())).unwrap()).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains("ada of https://id.example"), "{text}");
}
