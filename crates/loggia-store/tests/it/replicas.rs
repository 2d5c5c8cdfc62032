//! The authorization server as several processes on one database: whichever a request reaches, answers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;

use http::{Request, Response};
use http_body_util::BodyExt;
use loggia::transport::http::Body;
use loggia_auth::jose::{Algorithm, SigningKey};
use loggia_auth::keys::{ApiKeys, NewApiKey};
use loggia_auth::resource::ResourceServer;
use loggia_auth::restricted_http::{FetchPolicy, RestrictedHttpClient};
use loggia_auth::server::{AuthorizationServer, OAuthClient, SignInLink, SignInMethod};
use serde_json::{Value, json};
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use crate::{Place, places};

const MCP: &str = "https://hub.example/mcp";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

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

/// One process.
struct Replica {
    server: AuthorizationServer,
    keys: Arc<ApiKeys>,
    time: crate::Time,
    link: Arc<Mutex<Option<Url>>>,
}

struct Answer {
    status: u16,
    location: String,
    cookie: String,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> String {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Replica {
    async fn new(place: &Place) -> Replica {
        let vault = place.vault().await;
        let link = Arc::new(Mutex::new(None));
        let shown = link.clone();
        let show = Arc::new(move |link: &SignInLink| *shown.lock().unwrap() = Some(link.url().clone()));
        let store = Arc::new(vault.internal("authorization-server"));
        let guard = RestrictedHttpClient::new(FetchPolicy::default()).unwrap();
        let server = AuthorizationServer::builder("https://hub.example", store, guard)
            .resource(MCP, ["mcp"])
            .client(OAuthClient::new("cli", "The command line", ["http://127.0.0.1/cb"]))
            .sign_in(SignInMethod::Link { subject: "ada".to_owned(), show })
            .clock(place.time.clock())
            .build()
            .unwrap();
        let keys = Arc::new(ApiKeys::new(Arc::new(vault.internal("api-keys"))));
        Replica { server, keys, time: place.time.clone(), link }
    }

    async fn send(&self, request: http::request::Builder, form: &[(&str, &str)]) -> Answer {
        let resource = ResourceServer::new(MCP.parse().unwrap()).unwrap().issuer(self.server.issuer());
        let resource = resource.api_keys(self.keys.clone()).clock(self.time.clock());
        let mut service = self.server.layer().layer(resource.layer().layer(Behind));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = service.call(request.body(Body::full(body)).unwrap()).await.unwrap();
        let header =
            |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let (status, location) = (response.status().as_u16(), header("location"));
        let cookie = header("set-cookie").split(';').next().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, location, cookie, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.send(Request::post("/oauth/token"), &[form, &[("client_id", "cli")]].concat()).await
    }

    /// The access token and the refresh token that a request leads to.
    async fn tokens(&self, form: &[(&str, &str)]) -> (String, String) {
        let tokens = self.token(form).await.json();
        let text =
            |name: &str| tokens[name].as_str().unwrap_or_else(|| panic!("no {name}: {tokens}")).to_owned();
        (text("access_token"), text("refresh_token"))
    }

    async fn signed_in(&self) -> (String, String) {
        let code = sign_in(self, self).await;
        self.tokens(&redemption(&code)).await
    }

    async fn is_accepted(&self, token: &str) -> bool {
        let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        self.send(request, &[]).await.status == 200
    }
}

/// A sign-in that goes from one replica to the other and back; its code.
async fn sign_in(one: &Replica, other: &Replica) -> String {
    let query = [
        ("response_type", "code"),
        ("client_id", "cli"),
        ("redirect_uri", "http://127.0.0.1:5000/cb"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let page = one.send(Request::get(format!("/oauth/authorize?{query}")), &[]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let link = one.link.lock().unwrap().take().unwrap();
    let confirm = other.send(Request::get(&link[url::Position::BeforePath..]), &[]).await;
    let (code, request) = (confirm.field("code"), confirm.field("request"));
    let entered = other.send(Request::post("/oauth/signin"), &[("code", &code), ("request", &request)]).await;
    let asked = one.send(Request::get(&entered.location).header("cookie", &entered.cookie), &[]).await;
    let form = [
        ("request", asked.field("request")),
        ("ticket", asked.field("ticket")),
        ("decision", "allow".to_owned()),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let back = other.send(Request::post("/oauth/consent").header("cookie", &entered.cookie), &form).await;
    let back = Url::parse(&back.location).unwrap();
    back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

fn redemption(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", "http://127.0.0.1:5000/cb"),
    ]
}

#[tokio::test]
async fn a_sign_in_goes_on_at_any_replica() {
    for place in places("replicas").await {
        let kind = place.kind;
        let (one, other) = (Replica::new(&place).await, Replica::new(&place).await);
        let code = sign_in(&one, &other).await;
        let redeem = redemption(&code);
        let (access, refresh) = &one.tokens(&redeem).await;
        assert!(
            one.is_accepted(access).await && other.is_accepted(access).await,
            "{kind}: the key is the same"
        );

        // Both die; another one takes over.
        drop((one, other));
        let next = Replica::new(&place).await;
        assert!(next.is_accepted(access).await, "{kind}");
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        let renewed = next.token(&form).await.json();
        place.time.pass(60);
        let later = Replica::new(&place).await;
        assert_eq!(later.token(&form).await.status, 400, "{kind}: used before, elsewhere");
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", renewed["refresh_token"].as_str().unwrap())];
        assert_eq!(next.token(&form).await.status, 400, "{kind}: so the sign-in is over everywhere");
        assert_eq!(later.token(&redeem).await.status, 400, "{kind}: a code counts once");
    }
}

#[tokio::test]
async fn api_keys_are_known_everywhere() {
    for place in places("apikeys").await {
        let kind = place.kind;
        let (one, other) = (Replica::new(&place).await, Replica::new(&place).await);
        let new = NewApiKey { subject: "ada".to_owned(), label: "script".to_owned(), ..NewApiKey::default() };
        let (key, secret) = one.keys.create(new, place.time.now()).await.unwrap();
        assert!(one.is_accepted(secret.expose()).await && other.is_accepted(secret.expose()).await, "{kind}");
        assert!(one.keys.revoke(&key.id, place.time.now()).await.unwrap(), "{kind}");
        assert!(!one.is_accepted(secret.expose()).await, "{kind}: at once where it was revoked");
        place.time.pass(10);
        assert!(!other.is_accepted(secret.expose()).await, "{kind}: soon everywhere");
        let listed = other.keys.list().await.unwrap();
        assert_eq!((listed.len(), listed[0].label.as_str()), (1, "script"), "{kind}");
    }
}

#[tokio::test]
async fn what_one_revokes_the_others_refuse_soon() {
    for place in places("revoked").await {
        let kind = place.kind;
        let (one, other) = (Replica::new(&place).await, Replica::new(&place).await);
        let (mine, yours) = (one.signed_in().await, other.signed_in().await);
        for (tokens, at) in [(&mine, &one), (&yours, &other)] {
            assert!(one.is_accepted(&tokens.0).await && other.is_accepted(&tokens.0).await, "{kind}");
            let revoked =
                at.send(Request::post("/oauth/revoke"), &[("client_id", "cli"), ("token", &tokens.1)]).await;
            assert_eq!(revoked.status, 200, "{kind}: {}", revoked.body);
            assert!(!at.is_accepted(&tokens.0).await, "{kind}: at once where it was revoked");
            place.time.pass(10);
            assert!(
                !one.is_accepted(&tokens.0).await && !other.is_accepted(&tokens.0).await,
                "{kind}: soon elsewhere"
            );
        }
        let third = one.signed_in().await;
        assert!(other.is_accepted(&third.0).await, "{kind}: another sign-in goes on");
        assert!(
            !Replica::new(&place).await.is_accepted(&mine.0).await,
            "{kind}: nor does one that comes later"
        );
    }
}

#[tokio::test]
async fn a_proof_counts_once_among_all() {
    for place in places("proofs").await {
        let kind = place.kind;
        let (one, other) = (Replica::new(&place).await, Replica::new(&place).await);
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let claims = json!({
            "jti": "1", "htm": "POST", "htu": "https://hub.example/oauth/token",
            "iat": place.time.now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
        });
        let proof = key.sign_with_key("dpop+jwt", &claims).unwrap();
        let refresh = async |replica: &Replica, token: &str| {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "cli")];
            replica.send(Request::post("/oauth/token").header("dpop", &proof), &form).await
        };
        let (mine, yours) = (one.signed_in().await.1, other.signed_in().await.1);
        assert_eq!(refresh(&one, &mine).await.json()["token_type"], "DPoP", "{kind}");
        let again = refresh(&other, &yours).await;
        assert_eq!((again.status, &again.json()["error"]), (400, &json!("invalid_dpop_proof")), "{kind}");
        let form = [("grant_type", "refresh_token"), ("refresh_token", &yours)];
        assert_eq!(other.token(&form).await.status, 200, "{kind}: what came with it is not used up");
    }
}
