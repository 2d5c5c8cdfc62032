//! Against a real authorization server: npm's oidc-provider, with whatever of it a test turns on. Left out
//! where there is none; `LOGGIA_OIDC_PROVIDER` is the path of `interop/servers/oidc-provider.mjs` beside its
//! packages, `LOGGIA_NODE` the Node to run it with.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use loggia_auth::client::{DpopUse, OAuth, OAuthBuilder};
use loggia_auth::extensions::{
    AssertionSource, ClientCredentialsGrant, GrantType, IdentityProvider, SingleSignOn,
};
use loggia_auth::jose::Jwt;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::registration::{ClientIdentity, RegisteredClient};
use loggia_auth::restricted_http::{FetchRequest, RestrictedHttpClient};
use loggia_auth::scope::Scopes;
use loggia_auth::secret::Secret;
use loggia_auth::store::MemoryStore;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::Url;

use crate::world::{self, policy};

/// The time for a browser without a user.
const PATIENCE: Duration = Duration::from_secs(20);

/// The running server. It ends with the test.
struct Real {
    server: Url,
    issuer: String,
    _process: Child,
}

#[derive(Deserialize)]
struct Ready {
    server: String,
    issuer: String,
}

/// The numbers of sign-in pages, and of refresh tokens that were used twice.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Counts {
    authorizations: usize,
    reused: usize,
}

impl Real {
    async fn start(options: Value) -> Option<Real> {
        let Ok(script) = std::env::var("LOGGIA_OIDC_PROVIDER") else {
            eprintln!("left out: LOGGIA_OIDC_PROVIDER is not set");
            return None;
        };
        let node = std::env::var("LOGGIA_NODE").unwrap_or_else(|_| "node".to_owned());
        let mut command = Command::new(node);
        command.arg(script).arg(options.to_string()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("Node starts");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let line = lines.next_line().await.unwrap().expect("it says where it is");
        let Ready { server, issuer } = serde_json::from_str(&line).unwrap();
        Some(Real { server: Url::parse(&server).unwrap(), issuer, _process: process })
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let mut url = self.server.join(path).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        let reply = RestrictedHttpClient::new(policy()).unwrap().send(FetchRequest::get(url)).await.unwrap();
        serde_json::from_slice(&reply.body).unwrap()
    }

    async fn set(&self, query: &[(&str, &str)]) -> Counts {
        serde_json::from_value(self.ask("/control", query).await).unwrap()
    }

    /// A person whose browser keeps cookies.
    fn user_agent(&self) -> LoopbackUserAgent {
        let browse = self.server.join("/browse").unwrap();
        let person = LoopbackUserAgent::new(move |page| {
            let mut url = browse.clone();
            url.query_pairs_mut().append_pair("page", page.as_str());
            tokio::spawn(async move { RestrictedHttpClient::new(policy()).unwrap().get(&url).await });
            Ok(())
        });
        person.timeout(PATIENCE)
    }

    fn client(&self) -> OAuthBuilder {
        OAuth::builder(self.server.clone(), ClientIdentity::new("test"))
            .policy(policy())
            .user_agent(self.user_agent())
    }

    async fn call(&self, oauth: &OAuth) -> Result<u16, String> {
        world::call(&self.server, oauth).await
    }
}

#[tokio::test]
async fn sign_in_step_up_and_rotation() {
    for options in [
        json!({}),
        json!({ "par": true }),
        json!({ "dpop": true }),
        json!({ "dpop": true, "nonce": true, "par": true }),
    ] {
        let Some(real) = Real::start(options.clone()).await else { return };
        let store = Arc::new(MemoryStore::new());
        let oauth = real.client().store(store.clone(), "me").build().unwrap();
        assert_eq!(real.call(&oauth).await, Ok(200), "{options}");
        let first = oauth.credential().await.unwrap().unwrap();
        assert_eq!(first.dpop, options["dpop"] == true, "{options}");
        assert_eq!(first.issuer, real.issuer);
        assert!(first.refresh_token.is_some(), "offline_access was asked for: {}", first.granted);

        real.set(&[("needs", "write")]).await;
        assert_eq!(real.call(&oauth).await, Ok(200), "{options}");
        let second = oauth.credential().await.unwrap().unwrap();
        assert!(Scopes::parse("read write").is_within(&second.granted), "{}", second.granted);

        // Two processes, five renewals, each when the token is over.
        let other = real.client().store(store, "me").build().unwrap();
        for _ in 0..5 {
            let (one, two) = tokio::join!(oauth.refresh(), other.refresh());
            assert!(one.is_ok() && two.is_ok(), "{options}: {one:?} {two:?}");
            assert_eq!((real.call(&oauth).await, real.call(&other).await), (Ok(200), Ok(200)), "{options}");
        }
        assert_eq!(real.set(&[]).await.reused, 0, "{options}");

        // A token that was revoked is not the end.
        let old = oauth.credential().await.unwrap().unwrap();
        real.client().build().unwrap();
        oauth.sign_out().await.unwrap();
        assert_eq!(real.call(&oauth).await, Ok(200), "{options}");
        let new = oauth.credential().await.unwrap().unwrap();
        assert!(new.session != old.session);
        let counts = real.set(&[]).await;
        assert!(counts.authorizations >= 3 && counts.reused == 0, "{counts:?}");
    }
}

#[tokio::test]
async fn a_program_of_its_own() {
    let Some(real) = Real::start(json!({})).await else { return };
    let client = RegisteredClient::with_secret("robot", Secret::new("a secret")).at(&real.issuer);
    let grant = GrantType::ClientCredentials(ClientCredentialsGrant { client });
    let oauth = real.client().grant(grant).dpop(DpopUse::Never).build().unwrap();
    assert_eq!(real.call(&oauth).await, Ok(200));
    assert_eq!(real.set(&[]).await, Counts { authorizations: 0, reused: 0 });
}

#[tokio::test]
async fn single_sign_on() {
    let Some(real) = Real::start(json!({})).await else { return };
    let client = RegisteredClient::with_secret("desk", Secret::new("a secret"));
    let provider = IdentityProvider { issuer: real.issuer.clone(), token_endpoint: None, client };
    let store = Arc::new(MemoryStore::new());
    let http = RestrictedHttpClient::new(policy()).unwrap();
    let alone = || SingleSignOn::new(provider.clone(), store.clone(), http.clone()).unwrap();
    let mut shown = alone().user_agent(real.user_agent()).assertion("anybody").await.unwrap();
    for _ in 0..3 {
        // A refused token is renewed without the user.
        alone().refused(&shown).await;
        shown = alone().assertion("anybody").await.unwrap();
        let claims: Value = Jwt::parse(shown.expose()).unwrap().unverified().unwrap();
        assert_eq!((claims["sub"].as_str(), claims["aud"].as_str()), (Some("me"), Some("desk")));
    }
    assert_eq!(real.set(&[]).await, Counts { authorizations: 1, reused: 0 });
}
