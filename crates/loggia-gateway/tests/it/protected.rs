//! A gateway where callers sign in, or send an API key.

use std::sync::mpsc::{Sender, channel};
use std::time::SystemTime;

use loggia::Error;
use loggia::client::Client;
use loggia_auth::keys::NewApiKey;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_gateway::{GatewayObserver, GatewayServer, SignInLink, VaultLocation, api_keys};

use crate::browser::{Browser, send};
use crate::world::{NOTES, World, reads_note};

/// Passes sign-in links to the test.
struct Links(Sender<String>);

impl GatewayObserver for Links {
    fn sign_in_link(&self, link: &SignInLink) {
        // The test may have ended.
        let _ = self.0.send(link.url().to_string());
    }
}

fn base(server: &GatewayServer) -> String {
    format!("http://{}", server.local_addr().expect("an address"))
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_token_are_refused_and_an_api_key_admits_them() {
    let world = World::new();
    let text = format!("[server.auth]\nenabled = true\n{NOTES}");
    let server =
        world.builder(&text).build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    assert!(server.access().expect("HTTP").is_protected());
    let refused = Client::builder().connect(server.url()).await.expect_err("it is refused");
    assert!(matches!(refused, Error::Unauthorized(_)), "{refused}");
    let base = base(&server);
    let statuses = tokio::task::spawn_blocking(move || {
        let paths = [
            ("/healthz", 200),
            ("/.well-known/oauth-protected-resource/mcp", 200),
            ("/.well-known/oauth-authorization-server", 200),
            ("/oauth/jwks", 200),
            ("/oauth/authorize", 400),
            ("/oauth/elsewhere", 401),
            ("/connect/elsewhere", 401),
            ("/connect/%ff", 401),
            ("/connect/elsewhere/callback", 401),
            ("/connect/client.json", 401),
            ("/elsewhere", 401),
            ("/mcp", 401),
        ];
        paths.map(|(path, expected)| (path, expected, send(&format!("{base}{path}"), "", None).status))
    });
    for (path, expected, status) in statuses.await.expect("no panic") {
        assert_eq!(status, expected, "{path}");
    }

    let config = world.config(&text).expect("a configuration");
    let vault = VaultLocation::File.open(&world.credentials("gateway"), &config.server().vault_key).await;
    let vault = vault.expect("a vault");
    let key = NewApiKey {
        subject: "ada".to_owned(),
        label: String::new(),
        scopes: config.server().auth.clone().unwrap_or_default().scopes.required,
        expires: None,
    };
    let (_, secret) = api_keys(&vault).create(key, SystemTime::now()).await.expect("a key");
    let value: http::HeaderValue = format!("Bearer {}", secret.expose()).parse().expect("a header");
    reads_note(server.url(), |client| client.header(http::header::AUTHORIZATION, value.clone())).await;
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_by_the_link_that_the_observer_gets() {
    let world = World::new();
    let (links, shown) = channel();
    let builder = world.builder(NOTES).authorization(true).observer(Links(links));
    let server = builder.build().await.expect("built").serve("127.0.0.1:0").await.expect("served");
    let (pages, opened) = channel();
    let loopback = LoopbackUserAgent::new(move |page: &url::Url| {
        pages.send(page.to_string()).map_err(|e| e.to_string())
    });
    let base = base(&server);
    let browser = std::thread::spawn(move || {
        let page = opened.recv().expect("a page is opened");
        Browser::new(&base).sign_in(&page, || shown.recv().expect("a link is shown"));
    });
    let credentials = world.credentials("ada");
    let oauth = credentials.oauth_builder(server.url(), None, Some(loopback)).and_then(|oauth| oauth.build());
    oauth.expect("an authorization").sign_in().await.expect("signed in");
    browser.join().expect("no panic");
    let oauth = credentials.oauth(server.url()).await.expect("an authorization");
    reads_note(server.url(), |client| client.authorize(oauth.clone())).await;
    server.stop().await.expect("stopped");
}
