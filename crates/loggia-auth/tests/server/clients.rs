use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::Request;
use loggia_auth::jose::{Algorithm, JwkSet, SigningKey, random};
use serde_json::{Value, json};
use url::Url;

use super::world::{Browser, VERIFIER, World, encoded, request, request_with};
use crate::testing::{TestServer, answer, serve};

#[tokio::test]
async fn older_clients_register_themselves() {
    let world = World::new();
    let good = json!({
        "client_name": "Older", "redirect_uris": ["http://localhost:3000/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
        "application_type": "native", "unknown": {"x": 1},
    });
    let table = [
        (json!({}), 201, ""),
        (json!({"client_name": null}), 201, ""),
        (json!({"token_endpoint_auth_method": null}), 201, ""),
        (json!({"token_endpoint_auth_method": "client_secret_post"}), 201, ""),
        (json!({"redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback"]}), 201, ""),
        (json!({"redirect_uris": null}), 400, "invalid_redirect_uri"),
        (json!({"redirect_uris": []}), 400, "invalid_redirect_uri"),
        (json!({"redirect_uris": ["http://app.example/cb"]}), 400, "invalid_redirect_uri"),
        (
            json!({"redirect_uris": ["https://app.example/cb", "javascript:alert(1)"]}),
            400,
            "invalid_redirect_uri",
        ),
        (json!({"redirect_uris": ["https://app.example/#x"]}), 400, "invalid_redirect_uri"),
        (json!({"redirect_uris": vec!["https://app.example/"; 21]}), 400, "invalid_redirect_uri"),
        (json!({"redirect_uris": "https://app.example/"}), 400, "invalid_client_metadata"),
        (json!({"redirect_uris": ["https://app.example/\u{2028}"]}), 400, "invalid_redirect_uri"),
        (json!({"redirect_uris": ["https://b\u{fc}cher.example/"]}), 400, "invalid_redirect_uri"),
        (json!({"redirect_uris": ["https://a:b@app.example/"]}), 400, "invalid_redirect_uri"),
        (json!({"redirect_uris": ["intent://x#Intent;end"]}), 400, "invalid_redirect_uri"),
        (json!({"redirect_uris": ["https:///cb"]}), 201, ""),
        (
            json!({"redirect_uris": [format!("https://app.example/{}", "x".repeat(3000))]}),
            400,
            "invalid_redirect_uri",
        ),
        (json!({"client_name": "\u{202e}\u{200b}\n"}), 201, ""),
        (json!({"jwks_uri": "not a URL"}), 400, "invalid_client_metadata"),
        (json!({"response_types": ["token"]}), 400, "invalid_client_metadata"),
        (json!({"token_endpoint_auth_method": "tls_client_auth"}), 400, "invalid_client_metadata"),
        (json!({"token_endpoint_auth_method": "private_key_jwt"}), 400, "invalid_client_metadata"),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}}),
            400,
            "invalid_client_metadata",
        ),
    ];
    for (change, status, error) in table {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = world.send(Request::post("/oauth/register"), &body.to_string()).await;
        assert_eq!(answer.status, status, "{change}: {}", answer.body);
        assert_eq!(answer.error(), error, "{change}");
    }
    for wrong in ["", "[]", "null", r#"{"redirect_uris":["https://a/"],"redirect_uris":["https://b/"]}"#] {
        assert_eq!(world.send(Request::post("/oauth/register"), wrong).await.status, 400, "{wrong}");
    }
    let off = World::with(|builder| builder.registration(false));
    assert_eq!(
        off.send(Request::post("/oauth/register"), &good.to_string()).await.status,
        401,
        "what is behind answers"
    );
    assert!(off.server.metadata().get("registration_endpoint").is_none());
}

#[tokio::test]
async fn a_registered_client_gets_tokens() {
    let world = World::new();
    let body = json!({"client_name": "Older", "redirect_uris": ["https://older.example/cb"]});
    let made = world.send(Request::post("/oauth/register"), &body.to_string()).await.json();
    assert_eq!(made["token_endpoint_auth_method"], "client_secret_basic", "the default of RFC 7591");
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let mut ask = request_with(&[("client_id", ""), ("redirect_uri", "https://older.example/cb")]);
    ask.push(("client_id", id));
    let browser = Browser::new();
    let page = browser.get(&world, &format!("/oauth/authorize?{}", encoded(&ask))).await;
    let asked = browser.sign_in(&world, &page).await;
    assert!(
        asked.body.contains("this name is not verified") && asked.body.contains("older.example"),
        "{}",
        asked.body
    );
    let told = world.allowed(&browser, &ask).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &told["code"]),
        ("redirect_uri", "https://older.example/cb"),
        ("code_verifier", VERIFIER),
        ("client_id", id),
        ("client_secret", secret),
    ];
    let tokens = world.post("/oauth/token", &form).await.json();
    assert!(world.is_accepted(tokens["access_token"].as_str().unwrap()).await);
    assert!(tokens.get("refresh_token").is_none(), "it did not ask for any");
}

/// A web server with one document that tests change.
struct Documents {
    server: TestServer,
    document: Arc<Mutex<(u16, Value, &'static str)>>,
    fetched: Arc<AtomicUsize>,
}

impl Documents {
    async fn new() -> Documents {
        let document = Arc::new(Mutex::new((200, Value::Null, "max-age=60")));
        let fetched = Arc::new(AtomicUsize::new(0));
        let (served, count) = (document.clone(), fetched.clone());
        let server = serve(move |request| {
            count.fetch_add(1, Ordering::SeqCst);
            let (status, body, control) = served.lock().unwrap().clone();
            let mut response = answer(status, &body.to_string());
            response.headers_mut().insert("cache-control", control.parse().unwrap());
            if status == 302 {
                response
                    .headers_mut()
                    .insert("location", format!("{}?moved", request.uri().path()).parse().unwrap());
            }
            response
        })
        .await;
        let documents = Documents { server, document, fetched };
        documents.serve(json!({}));
        documents
    }

    fn id(&self) -> String {
        self.server.url("/client.json").into()
    }

    fn serve(&self, change: Value) {
        let mut document = json!({
            "client_id": self.id(), "client_name": "Described", "redirect_uris": ["https://described.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
        });
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => document.as_object_mut().unwrap().remove(name),
                value => document.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        self.document.lock().unwrap().1 = document;
    }
}

fn ask(id: &str) -> Vec<(&'static str, &'static str)> {
    let id: &'static str = id.to_owned().leak();
    let mut ask = request_with(&[("client_id", ""), ("redirect_uri", "https://described.example/cb")]);
    ask.push(("client_id", id));
    ask
}

#[tokio::test]
async fn a_client_describes_itself() {
    let (world, documents) = (World::new(), Documents::new().await);
    let browser = Browser::new();
    let ask = ask(&documents.id());
    let page = browser.get(&world, &format!("/oauth/authorize?{}", encoded(&ask))).await;
    let asked = browser.sign_in(&world, &page).await;
    assert!(asked.body.contains("the program described at <b>127.0.0.1</b>"), "{}", asked.body);
    let told = world.allowed(&browser, &ask).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &told["code"]),
        ("redirect_uri", "https://described.example/cb"),
        ("code_verifier", VERIFIER),
        ("client_id", &documents.id()),
    ];
    let tokens = world.post("/oauth/token", &form).await.json();
    assert!(world.is_accepted(tokens["access_token"].as_str().unwrap()).await);
    assert!(tokens["refresh_token"].is_string());
    assert_eq!(documents.fetched.load(Ordering::SeqCst), 1, "the document is kept");
}

/// Each line is a document that is no description of the client.
#[tokio::test]
async fn a_bad_description_is_refused_and_not_kept() {
    let (world, documents) = (World::new(), Documents::new().await);
    let path = format!("/oauth/authorize?{}", encoded(&ask(&documents.id())));
    let table = [
        json!({"client_id": "https://other.example/client.json"}),
        json!({"client_id": format!("{}/", documents.id())}),
        json!({"client_id": null}),
        json!({"client_name": null}),
        json!({"redirect_uris": null}),
        json!({"redirect_uris": ["http://evil.example/cb"]}),
        json!({"client_secret": "x"}),
        json!({"client_secret_expires_at": 0}),
        json!({"token_endpoint_auth_method": "client_secret_post"}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
        json!({"filler": "x".repeat(40_000)}),
    ];
    for change in table {
        documents.serve(change.clone());
        let answer = Browser::new().get(&world, &path).await;
        assert_eq!(
            (answer.status, answer.location()),
            (400, ""),
            "{}",
            &change.to_string()[..50.min(change.to_string().len())]
        );
    }
    documents.serve(json!({}));
    for status in [404, 500, 201, 302] {
        documents.document.lock().unwrap().0 = status;
        assert_eq!(Browser::new().get(&world, &path).await.status, 400, "{status}");
    }
    documents.document.lock().unwrap().0 = 200;
    assert_eq!(Browser::new().get(&world, &path).await.status, 200, "an error is not kept");
}

#[tokio::test]
async fn names_that_are_no_address_of_a_document() {
    let world = World::new();
    let table = [
        "https://app.example",
        "https://app.example/",
        "https://app.example/a/../client.json",
        "https://app.example/./client.json",
        "https://app.example/%2e%2e/client.json",
        "https://app.example/client.json#x",
        "https://user@app.example/client.json",
        "https://user:password@app.example/client.json",
        "http://app.example/client.json",
        "https://10.0.0.1/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://",
    ];
    for id in table {
        let answer = Browser::new().get(&world, &format!("/oauth/authorize?{}", encoded(&ask(id)))).await;
        assert_eq!((answer.status, answer.location()), (400, ""), "{id}");
    }
    assert_eq!(
        Browser::new().get(&world, &format!("/oauth/authorize?{}", encoded(&request()))).await.status,
        200
    );
}

/// The document changes while users sign in with it.
#[tokio::test]
async fn a_description_that_changes_counts_as_it_is_now() {
    let (world, documents) = (World::new(), Documents::new().await);
    let browser = Browser::new();
    let ask = ask(&documents.id());
    let path = format!("/oauth/authorize?{}", encoded(&ask));
    world.allowed(&browser, &ask).await;
    assert_eq!(browser.get(&world, &path).await.status, 303, "allowed before");

    // The client has another name: the user is asked again.
    documents.serve(json!({"client_name": "Your bank"}));
    assert_eq!(browser.get(&world, &path).await.status, 303, "as long as the old one is kept");
    world.time.pass(61);
    let asked = browser.get(&world, &path).await;
    assert!(asked.body.contains("Your bank") && asked.field("ticket").is_some(), "{}", asked.body);

    // The client removes the redirect URI while the page is open: the user's consent has no effect.
    let (id, ticket) = (asked.field("request").unwrap(), asked.field("ticket").unwrap());
    documents.serve(json!({"redirect_uris": ["https://elsewhere.example/cb"]}));
    world.time.pass(61);
    let form = [("request", id.as_str()), ("ticket", &ticket), ("decision", "allow")];
    let answer = browser.post(&world, "/oauth/consent", &form).await;
    assert_eq!((answer.status, answer.location()), (400, ""));
    assert_eq!(browser.get(&world, &path).await.status, 400, "and is not registered any more");

    // Between code and token it begins to demand a key: a code without that is worth nothing.
    documents.serve(json!({}));
    world.time.pass(61);
    let told = world.allowed(&browser, &ask).await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let keys = JwkSet { keys: vec![key.public().clone()] };
    documents.serve(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}));
    documents.document.lock().unwrap().2 = "no-store";
    world.time.pass(31);
    let told = {
        world.time.pass(31);
        told
    };
    let id = documents.id();
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", told["code"].as_str()),
        ("code_verifier", VERIFIER),
        ("redirect_uri", "https://described.example/cb"),
        ("client_id", &id),
    ];
    assert_eq!(world.post("/oauth/token", &form).await.error(), "invalid_client");
    let assertion = |change: Value| {
        let mut claims = json!({"iss": id, "sub": id, "aud": "https://hub.example", "jti": random(8), "exp": world.time.seconds() + 60});
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        key.sign("JWT", &claims).unwrap()
    };
    form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    let once = assertion(json!({}));
    let table = [
        ("another audience", assertion(json!({"aud": "https://other.example"})), "invalid_client"),
        (
            "others' too",
            assertion(json!({"aud": ["https://hub.example", "https://other.example"]})),
            "invalid_client",
        ),
        ("another issuer", assertion(json!({"iss": "x"})), "invalid_client"),
        ("another subject", assertion(json!({"sub": "x"})), "invalid_request"),
        ("ended", assertion(json!({"exp": world.time.seconds() - 60})), "invalid_client"),
        ("too long", assertion(json!({"exp": world.time.seconds() + 7200})), "invalid_client"),
        ("without a name", assertion(json!({"jti": null})), "invalid_client"),
        ("good, for an old code", once.clone(), "invalid_grant"),
        ("used before", once, "invalid_client"),
    ];
    for (what, assertion, error) in table {
        let mut form = form.clone();
        form.push(("client_assertion", &assertion));
        assert_eq!(world.post("/oauth/token", &form).await.error(), error, "{what}");
    }
    assert!(Url::parse(&id).is_ok());
}
