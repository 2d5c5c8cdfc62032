use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use http::Request;
use loggia::transport::http::http;
use loggia_auth::jose::{Algorithm, JwkSet, SigningKey, sha256};
use loggia_auth::restricted_http::{FetchPolicy, FetchRequest, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use loggia_auth::server::{AuthorizationServer, OAuthClient, OpenIdProvider, SignInMethod};
use loggia_auth::store::MemoryStore;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use url::Url;

use super::sdk_client::{Links, Person};
use super::world::{Answer, Browser, World, encoded, request, request_with};
use crate::testing::{TestServer, answer, serve};

/// An identity provider that says what the test tells it to say.
struct Provider {
    server: TestServer,
    key: SigningKey,
    claims: Arc<Mutex<Value>>,
    asked: Arc<Mutex<Vec<BTreeMap<String, String>>>>,
}

impl Provider {
    async fn new() -> Arc<Provider> {
        let base = Arc::new(Mutex::new(String::new()));
        let claims = Arc::new(Mutex::new(Value::Null));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let signing = SigningKey::from_pkcs8(key.to_pkcs8(), None).unwrap();
        let (issuer, said, noted) = (base.clone(), claims.clone(), asked.clone());
        let server = serve(move |request| {
            let issuer = issuer.lock().unwrap().clone();
            match request.uri().path() {
                "/.well-known/openid-configuration" => {
                    let at = |path: &str| format!("{issuer}/{path}");
                    let metadata = json!({"issuer": issuer, "authorization_endpoint": at("auth"), "token_endpoint": at("token"), "jwks_uri": at("jwks")});
                    answer(200, &metadata.to_string())
                }
                "/jwks" => answer(200, &serde_json::to_string(&JwkSet { keys: vec![signing.public().clone()] }).unwrap()),
                "/token" => {
                    assert_eq!(request.headers()["authorization"], "Basic aHViOnMlMjZjcmV0");
                    noted.lock().unwrap().push(url::form_urlencoded::parse(request.body()).into_owned().collect());
                    let token = signing.sign("JWT", &*said.lock().unwrap()).unwrap();
                    answer(200, &json!({"id_token": token, "access_token": "x", "token_type": "Bearer"}).to_string())
                }
                _ => answer(404, ""),
            }
        })
        .await;
        *base.lock().unwrap() = server.url("/").as_str().trim_end_matches('/').to_owned();
        Arc::new(Provider { server, key, claims, asked })
    }

    fn issuer(&self) -> String {
        self.server.url("/").as_str().trim_end_matches('/').to_owned()
    }

    fn world(&self) -> World {
        let http_client = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let openid =
            OpenIdProvider::new(&self.issuer(), "hub", Some(Secret::new("s&cret")), http_client).unwrap();
        let openid = openid.admit(Arc::new(|claims| {
            let email = claims["email"].as_str()?;
            email.ends_with("@ours.example").then(|| email.to_owned())
        }));
        World::with(|builder| builder.sign_in(SignInMethod::OpenId(Arc::new(openid))))
    }

    fn good(&self, world: &World, nonce: &str) -> Value {
        json!({
            "iss": self.issuer(), "sub": "17", "aud": "hub", "nonce": nonce, "name": "Ada L.", "email": "ada@ours.example",
            "iat": world.time.seconds(), "exp": world.time.seconds() + 300,
        })
    }
}

/// Goes to the provider; what the provider is asked.
async fn away(world: &World, browser: &Browser) -> BTreeMap<String, String> {
    let answer = browser.get(world, &format!("/oauth/authorize?{}", encoded(&request()))).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    Url::parse(answer.location()).unwrap().query_pairs().into_owned().collect()
}

async fn back(world: &World, browser: &Browser, pairs: &[(&str, &str)]) -> Answer {
    browser.get(world, &format!("/oauth/callback?{}", encoded(pairs))).await
}

#[tokio::test]
async fn people_sign_in_at_their_own_provider() {
    let provider = Provider::new().await;
    let world = provider.world();
    let browser = Browser::new();
    let asked = away(&world, &browser).await;
    assert_eq!(asked["redirect_uri"], "https://hub.example/oauth/callback");
    assert_eq!((asked["client_id"].as_str(), asked["scope"].as_str()), ("hub", "openid profile email"));
    *provider.claims.lock().unwrap() = provider.good(&world, &asked["nonce"]);
    let state = asked["state"].as_str();
    let answer =
        back(&world, &browser, &[("code", "c"), ("state", state), ("iss", &provider.issuer())]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let form = provider.asked.lock().unwrap()[0].clone();
    assert_eq!(sha256(&form["code_verifier"]), asked["code_challenge"]);
    let consent = browser.get(&world, answer.location()).await;
    assert!(consent.body.contains("You are signed in as Ada L."), "{}", consent.body);
    let replayed = back(&world, &browser, &[("code", "c"), ("state", state)]).await;
    assert_eq!(replayed.status, 400, "a state counts once");
    assert_eq!(provider.asked.lock().unwrap().len(), 1);
    assert!(world.server.sign_in_link().await.is_err());
    let told = world.allowed(&browser, &request()).await;
    assert!(told.contains_key("code"));
    assert_eq!(provider.key.algorithm(), Algorithm::Es256);
}

#[tokio::test]
async fn people_sign_in_there_on_the_way_to_a_page_too() {
    let provider = Provider::new().await;
    let (world, browser) = (provider.world(), Browser::new());
    let sent = world.server.start_sign_in("/connect/a", &Request::new(()).into_parts().0).await;
    let sent = browser.keep(Answer::of(sent).await);
    let asked = sent.told();
    *provider.claims.lock().unwrap() = provider.good(&world, &asked["nonce"]);
    let answer = back(&world, &browser, &[("code", "c"), ("state", &asked["state"])]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let page = browser.get(&world, answer.location()).await;
    assert_eq!((page.status, page.location()), (303, "/connect/a"), "{}", page.body);
}

/// Each line is a response that does not sign the user in.
#[tokio::test]
async fn answers_that_are_not_the_providers_are_refused() {
    let provider = Provider::new().await;
    let world = provider.world();
    let issuer = provider.issuer();
    let claims: &[Value] = &[
        json!({"nonce": "x"}),
        json!({"nonce": null}),
        json!({"iss": "https://evil.example"}),
        json!({"aud": "other"}),
        json!({"aud": ["hub", "other"]}),
        json!({"azp": "other"}),
        json!({"exp": world.time.seconds() - 60}),
        json!({"exp": null}),
        json!({"email": "ada@theirs.example"}),
        json!({"email": null}),
    ];
    for change in claims {
        let browser = Browser::new();
        let asked = away(&world, &browser).await;
        let mut said = provider.good(&world, &asked["nonce"]);
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => said.as_object_mut().unwrap().remove(name),
                value => said.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        *provider.claims.lock().unwrap() = said;
        let answer = back(&world, &browser, &[("code", "c"), ("state", &asked["state"])]).await;
        assert_eq!((answer.status, browser.cookie().contains("session")), (403, false), "{change}");
    }
    let answers: &[(&[(&str, &str)], u16)] = &[
        (&[("code", "c")], 403),
        (&[("code", "c"), ("iss", "https://evil.example")], 403),
        (&[("error", "access_denied"), ("iss", &issuer)], 403),
        (&[], 403),
    ];
    for (pairs, status) in answers {
        let browser = Browser::new();
        let asked = away(&world, &browser).await;
        *provider.claims.lock().unwrap() = provider.good(&world, &asked["nonce"]);
        let mut pairs = pairs.to_vec();
        let stranger = pairs.len() == 1;
        pairs.push(("state", &asked["state"]));
        // A plain code is right, but not in another browser.
        let browser = if stranger { Browser::new() } else { browser };
        let answer = back(&world, &browser, &pairs).await;
        assert_eq!((answer.status, browser.cookie().contains("session")), (*status, false), "{pairs:?}");
    }
    let unknown = back(&world, &Browser::new(), &[("code", "c"), ("state", "unknown")]).await;
    assert_eq!(unknown.status, 400);
    let twice = Browser::new().get(&world, "/oauth/callback?code=a&code=b&state=c").await;
    assert_eq!(twice.status, 400);
}

/// A real identity provider, npm's oidc-provider; left out where there is none (see `client/real.rs`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_provider_signs_people_in() {
    let Ok(script) = std::env::var("LOGGIA_OIDC_PROVIDER") else {
        println!("left out: LOGGIA_OIDC_PROVIDER is not set");
        return;
    };
    let node = std::env::var("LOGGIA_NODE").unwrap_or_else(|_| "node".to_owned());
    let mut command = Command::new(node);
    command.arg(script).arg("{}").stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut process = command.spawn().expect("Node starts");
    let line = BufReader::new(process.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let issuer = line["issuer"].as_str().unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = format!("http://{}", listener.local_addr().unwrap());
    let http_client = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
    let body = json!({
        "client_name": "hub", "redirect_uris": [format!("{ours}/oauth/callback")], "application_type": "native",
        "grant_types": ["authorization_code"], "response_types": ["code"], "token_endpoint_auth_method": "none",
    });
    let registered = http_client
        .send(FetchRequest::json(format!("{issuer}/reg").parse().unwrap(), body.to_string()))
        .await
        .unwrap();
    let registered: Value = serde_json::from_slice(&registered.body).unwrap();
    let openid =
        OpenIdProvider::new(issuer, registered["client_id"].as_str().unwrap(), None, http_client.clone())
            .unwrap();
    let openid = openid.scopes("openid");
    let server = AuthorizationServer::builder(&ours, Arc::new(MemoryStore::new()), http_client)
        .resource(format!("{ours}/mcp"), ["mcp"])
        .client(OAuthClient::new("cli", "The command line", ["http://127.0.0.1/callback"]))
        .sign_in(SignInMethod::OpenId(Arc::new(openid)))
        .build()
        .unwrap();
    let http = http("127.0.0.1:0").listener(listener).layer(server.layer());
    tokio::spawn(loggia::Server::new("test", "1").build().unwrap().serve(http));

    let asked = request_with(&[("resource", ""), ("scope", "")]);
    let url = format!("{ours}/oauth/authorize?{}", encoded(&asked)).parse().unwrap();
    let page = Person::new(Links::default()).open(&url, None).await;
    assert!(page.contains("You are signed in as me."), "{page}");
}
