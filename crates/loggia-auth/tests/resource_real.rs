//! The protected server with the tokens of a real authorization server: npm's oidc-provider, started by
//! these tests. Left out where there is none; see `client/real.rs` for the variables that name it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};
use loggia::transport::http::Body;
use loggia_auth::clock::{Clock, seconds, system};
use loggia_auth::jose::{Algorithm, SigningKey, random, sha256};
use loggia_auth::remote_issuer::RemoteIssuer;
use loggia_auth::resource::{DpopPolicy, IntrospectionEndpoint, ResourceServer, ScopePolicy, TrustedIssuer};
use loggia_auth::restricted_http::{FetchPolicy, FetchRequest, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

/// The running authorization server. It ends with the test.
struct Real {
    server: String,
    issuer: String,
    opaque: bool,
    _process: Child,
}

#[derive(Deserialize)]
struct Where {
    server: String,
    issuer: String,
}

#[derive(Clone)]
struct Behind;

impl Service<Request<Body>> for Behind {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Body::empty())))
    }
}

fn http() -> RestrictedHttpClient {
    RestrictedHttpClient::new(FetchPolicy::development()).unwrap()
}

impl Real {
    async fn start(format: &str, dpop: bool) -> Option<Real> {
        let Ok(script) = std::env::var("LOGGIA_OIDC_PROVIDER") else {
            println!("left out: LOGGIA_OIDC_PROVIDER is not set");
            return None;
        };
        let node = std::env::var("LOGGIA_NODE").unwrap_or_else(|_| "node".to_owned());
        let options = json!({ "format": format, "dpop": dpop }).to_string();
        let mut command = Command::new(node);
        command.arg(script).arg(options).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().expect("Node starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("it says where it is");
        let Where { server, issuer } = serde_json::from_str(&line).unwrap();
        Some(Real { server, issuer, opaque: format == "opaque", _process: process })
    }

    fn endpoint(&self, path: &str) -> Url {
        format!("{}{path}", self.issuer).parse().unwrap()
    }

    fn credentials() -> Secret {
        use base64::Engine;
        Secret::new(base64::engine::general_purpose::STANDARD.encode("robot:a+secret"))
    }

    /// A token of a program's own, bound to `key` where there is one.
    async fn token(&self, key: Option<&SigningKey>) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", &self.server)];
        let url = self.endpoint("/token");
        let mut fetch =
            FetchRequest::form(url.clone(), form).authorization("Basic", &Real::credentials()).unwrap();
        if let Some(key) = key {
            let proof = proof(key, &url, json!({}));
            fetch = fetch.header(HeaderName::from_static("dpop"), HeaderValue::from_str(&proof).unwrap());
        }
        let reply = http().send(fetch).await.unwrap();
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn revoke(&self, token: &str) {
        let fetch = FetchRequest::form(self.endpoint("/token/revocation"), [("token", token)]);
        let fetch = fetch.authorization("Basic", &Real::credentials()).unwrap();
        assert_eq!(http().send(fetch).await.unwrap().status, 200);
    }

    fn issuer(&self, name: &str) -> TrustedIssuer {
        match self.opaque {
            true => {
                let endpoint = self.endpoint("/token/introspection");
                TrustedIssuer::introspecting(
                    name,
                    IntrospectionEndpoint::new(endpoint, "robot", &Secret::new("a secret"), http()),
                )
            }
            false => TrustedIssuer::signing(name, Arc::new(RemoteIssuer::new(&self.issuer, http()).unwrap())),
        }
    }

    fn resource(&self) -> ResourceServer {
        let policy = ScopePolicy::new().always("read");
        ResourceServer::new(self.server.parse().unwrap())
            .unwrap()
            .issuer(self.issuer(&self.issuer))
            .scopes(policy)
    }
}

fn proof(key: &SigningKey, url: &Url, change: Value) -> String {
    let mut claims =
        json!({"jti": random(12), "htm": "POST", "htu": url.as_str(), "iat": seconds(SystemTime::now())});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    key.sign_with_key("dpop+jwt", &claims).unwrap()
}

async fn ask(resource: ResourceServer, headers: &[(&str, String)]) -> u16 {
    let request =
        headers.iter().fold(Request::post("/mcp"), |request, (name, value)| request.header(*name, value));
    let mut service = resource.layer().layer(Behind);
    service.call(request.body(Body::full("{}")).unwrap()).await.unwrap().status().as_u16()
}

fn bearer(token: &str) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {token}"))]
}

fn later(time: Duration) -> Clock {
    let clock = system();
    Arc::new(move || clock() + time)
}

#[tokio::test]
async fn a_real_servers_tokens_are_accepted_and_no_others() {
    for format in ["jwt", "opaque"] {
        let Some(real) = Real::start(format, false).await else { return };
        let token = real.token(None).await;
        assert_eq!(token.contains('.'), format == "jwt", "{token}");
        let headers = bearer(&token);
        assert_eq!(ask(real.resource(), &headers).await, 200, "{format}");
        let elsewhere = ResourceServer::new("https://mcp.example/mcp".parse().unwrap()).unwrap();
        assert_eq!(
            ask(elsewhere.issuer(real.issuer(&real.issuer)), &headers).await,
            401,
            "{format}: audience"
        );
        let bare = || ResourceServer::new(real.server.parse().unwrap()).unwrap();
        assert_eq!(
            ask(bare().issuer(real.issuer("https://other.example")), &headers).await,
            401,
            "{format}: issuer"
        );
        let two_hours = later(Duration::from_secs(2 * 60 * 60));
        assert_eq!(ask(real.resource().clock(two_hours), &headers).await, 401, "{format}: expiry");
        let write = ScopePolicy::new().always("write");
        assert_eq!(ask(real.resource().scopes(write), &headers).await, 403, "{format}: scope");
        let changed = bearer(&format!("{}x", &token[..token.len() - 1]));
        assert_eq!(ask(real.resource(), &changed).await, 401, "{format}: signature");
        if format == "jwt" {
            let narrow = bare().issuer(real.issuer(&real.issuer).algorithms([Algorithm::Es384]));
            assert_eq!(ask(narrow, &headers).await, 401, "algorithm");
        } else {
            real.revoke(&token).await;
            assert_eq!(ask(real.resource(), &headers).await, 401, "revoked");
        }
    }
}

#[tokio::test]
async fn a_real_servers_bound_tokens_need_their_key() {
    for format in ["jwt", "opaque"] {
        let Some(real) = Real::start(format, true).await else { return };
        let (key, other) = (
            SigningKey::generate(Algorithm::Es256).unwrap(),
            SigningKey::generate(Algorithm::Es256).unwrap(),
        );
        let token = real.token(Some(&key)).await;
        let resource = || real.resource().dpop(DpopPolicy::accepted());
        let url: Url = real.server.parse().unwrap();
        let bound = |key: &SigningKey| {
            let proof = proof(key, &url, json!({"ath": sha256(&token)}));
            vec![("authorization", format!("DPoP {token}")), ("dpop", proof)]
        };
        assert_eq!(ask(resource(), &bound(&key)).await, 200, "{format}");
        assert_eq!(ask(resource(), &bound(&other)).await, 401, "{format}: another key");
        assert_eq!(ask(resource(), &bearer(&token)).await, 401, "{format}: without its key");
        assert_eq!(ask(real.resource(), &bound(&key)).await, 401, "{format}: where none are taken");
        let replayed = bound(&key);
        let layer = resource().layer();
        for status in [200, 401] {
            let request = replayed
                .iter()
                .fold(Request::post("/mcp"), |request, (name, value)| request.header(*name, value));
            let answer = layer.layer(Behind).call(request.body(Body::full("{}")).unwrap()).await.unwrap();
            assert_eq!(answer.status(), status, "{format}: once");
        }
    }
}
