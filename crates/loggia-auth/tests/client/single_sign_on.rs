//! A sign-in at the organisation's identity provider: asked for once, renewed, believed only when it is right, and
//! worth access to a server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use loggia_auth::error::AuthError;
use loggia_auth::extensions::{
    AssertionSource, EnterpriseGrant, GrantType, IdentityProvider, SingleSignOn, SubjectTokenType,
};
use loggia_auth::jose::{Algorithm, Jwt, SigningKey, sha256};
use loggia_auth::registration::RegisteredClient;
use loggia_auth::restricted_http::RestrictedHttpClient;
use loggia_auth::secret::Secret;
use loggia_auth::store::MemoryStore;
use serde_json::{Value, json};

use crate::testing::{TestServer, answer, serve};
use crate::world::{World, person, policy};

const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const LIFE: u64 = 300;

type Params = BTreeMap<String, String>;
type Change = fn(&mut State);

/// An identity provider, and what it heard.
struct Provider {
    server: TestServer,
    world: World,
    store: Arc<MemoryStore>,
    state: Arc<Mutex<State>>,
}

struct State {
    issuer: String,
    key: SigningKey,
    /// Signs in place of the key that is published.
    signs: Option<SigningKey>,
    world: World,
    asked: Params,
    heard: Vec<(&'static str, Params)>,
    given: usize,
    /// Merged over the claims of ID tokens, and over the answer of the token endpoint.
    claims: Value,
    answer: Value,
    refuses: Option<&'static str>,
}

fn params(text: &[u8]) -> Params {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn merged(mut base: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().into_iter().flatten() {
        base[name] = value.clone();
    }
    base
}

impl State {
    fn respond(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        let at = |path: &str| format!("{}/{path}", self.issuer);
        match request.uri().path() {
            "/.well-known/openid-configuration" => {
                let metadata = json!({
                    "issuer": self.issuer, "authorization_endpoint": at("auth"), "token_endpoint": at("token"),
                    "jwks_uri": at("jwks"), "code_challenge_methods_supported": ["S256"],
                    "scopes_supported": ["openid", "offline_access"], "response_types_supported": ["code"],
                });
                answer(200, &metadata.to_string())
            }
            "/jwks" => answer(200, &json!({ "keys": [self.key.public()] }).to_string()),
            "/auth" => self.sign_in(params(request.uri().query().unwrap_or_default().as_bytes())),
            "/token" => self.token(params(request.body())),
            _ => answer(404, ""),
        }
    }

    fn sign_in(&mut self, asked: Params) -> Response<Bytes> {
        let mut back = url::Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", "a code").append_pair("state", &asked["state"]);
        self.heard.push(("auth", asked.clone()));
        self.asked = asked;
        Response::builder().status(302).header("location", back.as_str()).body(Bytes::new()).unwrap()
    }

    fn token(&mut self, form: Params) -> Response<Bytes> {
        let kind = match form["grant_type"].as_str() {
            "authorization_code" => "code",
            "refresh_token" => "refresh",
            _ => "exchange",
        };
        self.heard.push((kind, form.clone()));
        if self.refuses == Some(kind) {
            return answer(400, r#"{"error":"invalid_grant"}"#);
        }
        if kind == "exchange" {
            let given =
                json!({ "access_token": "an id-jag", "token_type": "N_A", "issued_token_type": ID_JAG });
            return answer(200, &given.to_string());
        }
        self.given += 1;
        let now = self.world.seconds();
        let mut claims = json!({
            "iss": self.issuer, "sub": "17", "aud": "ours", "iat": now, "exp": now + LIFE, "n": self.given,
        });
        if kind == "code" {
            assert_eq!(sha256(&form["code_verifier"]), self.asked["code_challenge"]);
            claims["nonce"] = json!(self.asked["nonce"]);
        }
        let key = self.signs.as_ref().unwrap_or(&self.key);
        let token = key.sign("JWT", &merged(claims, &self.claims)).unwrap();
        let given = json!({
            "access_token": "x", "token_type": "Bearer", "id_token": token,
            "refresh_token": format!("refresh {}", self.given),
        });
        answer(200, &merged(given, &self.answer).to_string())
    }
}

impl Provider {
    async fn new() -> Provider {
        let world = World::new().await;
        let state = Arc::new(Mutex::new(State {
            issuer: String::new(),
            key: SigningKey::generate(Algorithm::Es256).unwrap(),
            signs: None,
            world: world.clone(),
            asked: Params::new(),
            heard: Vec::new(),
            given: 0,
            claims: json!({}),
            answer: json!({}),
            refuses: None,
        }));
        let served = state.clone();
        let server = serve(move |request| served.lock().unwrap().respond(&request)).await;
        state.lock().unwrap().issuer = server.url("/").as_str().trim_end_matches('/').to_owned();
        Provider { server, world, store: Arc::new(MemoryStore::new()), state }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn described(&self) -> IdentityProvider {
        IdentityProvider {
            issuer: self.server.url("/").as_str().trim_end_matches('/').to_owned(),
            token_endpoint: None,
            client: RegisteredClient::with_secret("ours", Secret::new("sesame")),
        }
    }

    /// The sign-in in another process without a user agent.
    fn alone(&self) -> SingleSignOn {
        let http = RestrictedHttpClient::new(policy()).unwrap();
        SingleSignOn::new(self.described(), self.store.clone(), http).unwrap().clock(self.world.clock())
    }

    fn with_person(&self) -> SingleSignOn {
        self.alone().user_agent(person())
    }

    /// Returns the requests since the last call.
    fn heard(&self) -> Vec<&'static str> {
        self.state.lock().unwrap().heard.drain(..).map(|(kind, _)| kind).collect()
    }
}

async fn said(source: &SingleSignOn) -> Result<u64, AuthError> {
    let token = source.assertion("anybody").await?;
    let claims: Value = Jwt::parse(token.expose()).unwrap().unverified().unwrap();
    Ok(claims["n"].as_u64().unwrap())
}

#[tokio::test]
async fn a_person_signs_in_once_and_what_is_said_of_them_is_renewed() {
    let provider = Provider::new().await;
    assert!(matches!(said(&provider.alone()).await, Err(AuthError::SignInAgain(_))), "nobody is there");
    let source = Arc::new(provider.with_person());
    let mut rush = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let source = source.clone();
        rush.spawn(async move { said(&source).await });
    }
    assert!(rush.join_all().await.iter().all(|said| *said == Ok(1)));
    assert_eq!(provider.state.lock().unwrap().asked["scope"], "offline_access openid");
    assert_eq!(provider.heard(), ["auth", "code"], "ten ask, one signs in");
    assert_eq!((said(&provider.alone()).await, provider.heard()), (Ok(1), vec![]));

    provider.world.sleep(LIFE - 20);
    assert_eq!(
        (said(&provider.alone()).await, provider.heard()),
        (Ok(2), vec!["refresh"]),
        "ahead of its end"
    );
    provider.world.sleep(LIFE);
    assert_eq!(said(&provider.alone()).await, Ok(3));
    let shown = provider.state.lock().unwrap().heard.pop().unwrap().1["refresh_token"].clone();
    assert_eq!(shown, "refresh 2", "the one that was given last");

    // A token that was refused is not shown again.
    let token = source.assertion("anybody").await.unwrap();
    source.refused(&token).await;
    source.refused(&token).await;
    assert_eq!(said(&source).await, Ok(4));
    provider.heard();

    // If no renewal is possible, the user has to sign in; without a user agent, the error says so.
    let table: [(&str, Change); 2] = [
        ("refused", |state| state.refuses = Some("refresh")),
        ("no ID token", |state| state.answer = json!({ "id_token": null })),
    ];
    for (what, change) in table {
        provider.world.sleep(LIFE);
        provider.change(|state| (state.refuses, state.answer) = (None, json!({})));
        provider.change(change);
        assert!(matches!(said(&provider.alone()).await, Err(AuthError::SignInAgain(_))), "{what}");
        assert_eq!(provider.heard(), ["refresh"], "{what}");
    }
    provider.change(|state| (state.refuses, state.answer) = (Some("refresh"), json!({})));
    assert!(said(&source).await.is_ok());
    assert_eq!(provider.heard(), ["refresh", "auth", "code"]);
    source.sign_out().await.unwrap();
    assert!(said(&provider.alone()).await.is_err());
}

/// Each line is an answer that says nothing of anybody.
#[tokio::test]
async fn what_is_not_the_providers_word_is_not_believed() {
    let provider = Provider::new().await;
    let now = provider.world.seconds();
    let table = [
        (json!({ "nonce": "another" }), json!({})),
        (json!({ "nonce": null }), json!({})),
        (json!({ "iss": "https://evil.example" }), json!({})),
        (json!({ "aud": "another" }), json!({})),
        (json!({ "aud": ["ours", "another"] }), json!({})),
        (json!({ "exp": now - 120 }), json!({})),
        (json!({ "sub": null }), json!({})),
        (json!({}), json!({ "id_token": null })),
        (json!({}), json!({ "id_token": "a.b.c" })),
    ];
    for (claims, answer) in table {
        provider.change(|state| (state.claims, state.answer) = (claims.clone(), answer.clone()));
        let error = said(&provider.with_person()).await.unwrap_err();
        assert!(matches!(error, AuthError::AuthorizationResponse(_)), "{claims} {answer}: {error}");
        assert!(said(&provider.alone()).await.is_err(), "{claims} {answer}: it is kept");
    }
    provider.change(|state| (state.claims, state.answer) = (json!({}), json!({})));
    assert!(said(&provider.with_person()).await.is_ok());
    // Another key, under the same name.
    provider.world.sleep(LIFE);
    let forged = SigningKey::generate(Algorithm::Es256).unwrap();
    let kid = provider.state.lock().unwrap().key.public().kid.clone().unwrap();
    provider.change(|state| state.signs = Some(forged.named(kid)));
    assert!(matches!(said(&provider.with_person()).await, Err(AuthError::AuthorizationResponse(_))));
    provider.change(|state| state.signs = None);
    provider.change(|state| state.claims = json!({ "sub": "18" }));
    let error = said(&provider.with_person()).await.unwrap_err().to_string();
    assert!(error.contains("with that of another"), "{error}");
}

#[tokio::test]
async fn a_sign_in_is_worth_access_to_a_server() {
    let provider = Provider::new().await;
    let world = provider.world.clone();
    let enterprise = |source: SingleSignOn| {
        GrantType::Enterprise(EnterpriseGrant {
            provider: provider.described(),
            subject: Arc::new(source),
            subject_type: SubjectTokenType::IdToken,
            client: RegisteredClient::with_secret("at-the-server", Secret::new("s")).at(&world.issuer),
        })
    };
    let oauth = world.client().grant(enterprise(provider.with_person())).build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!(provider.heard(), ["auth", "code", "exchange"]);
    assert_eq!(world.heard("/token")[0].form["assertion"], "an id-jag");
    assert_eq!(world.heard("/authorize").len(), 0, "nobody is asked by the server");

    // The provider ends the sign-in: what it said is forgotten, and the person is asked.
    provider.change(|state| state.refuses = Some("exchange"));
    let error = oauth.sign_in().await.unwrap_err().to_string();
    assert!(error.contains("does not accept the sign-in any more"), "{error}");
    provider.change(|state| state.refuses = None);
    provider.heard();
    oauth.sign_in().await.unwrap();
    assert_eq!(provider.heard(), ["refresh", "exchange"]);
}
