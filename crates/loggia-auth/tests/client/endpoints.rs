//! Authorization servers of APIs, which publish no metadata: their endpoints are given.

use loggia_auth::client::{AuthorizationEndpoints, OAuth};
use loggia_auth::error::AuthError;
use loggia_auth::registration::{ClientIdentity, RegisteredClient};
use loggia_auth::scope::Scopes;
use loggia_auth::secret::Secret;
use serde_json::json;
use url::Url;

use crate::world::{Odd, Twists, World, person, policy};

fn endpoints(world: &World, param: &str) -> AuthorizationEndpoints {
    let at = |path: &str| Url::parse(&format!("{}{path}", world.issuer)).unwrap();
    AuthorizationEndpoints {
        issuer: world.issuer.clone(),
        authorization_endpoint: at("/authorize"),
        token_endpoint: at("/token"),
        authorize_params: vec![(param.to_owned(), "offline".to_owned())],
    }
}

fn client(world: &World) -> OAuth {
    let secret = Secret::new("client-secret");
    let client = RegisteredClient::with_secret("mine", secret).at(&world.issuer);
    OAuth::builder(world.server.clone(), ClientIdentity::new("test").registered(client))
        .policy(policy())
        .clock(world.clock())
        .endpoints(endpoints(world, "access_type"))
        .scopes(Scopes::parse("files.read"))
        .user_agent(person())
        .build()
        .unwrap()
}

#[tokio::test]
async fn given_endpoints_need_no_metadata() {
    let world = World::new().await;
    let oauth = client(&world);
    assert_eq!(oauth.valid_credential().await.unwrap().map(drop), None);
    let first = oauth.sign_in().await.unwrap();
    let page = &world.heard("/authorize")[0];
    for (name, expected) in [
        ("client_id", Some("mine")),
        ("scope", Some("files.read")),
        ("access_type", Some("offline")),
        ("code_challenge_method", Some("S256")),
        ("resource", None),
    ] {
        assert_eq!(page.param(name), expected, "{name}");
    }
    assert!(page.param("state").is_some_and(|state| state.len() > 20));
    assert!(world.heard("/token")[0].headers.contains_key("authorization"), "HTTP Basic");
    assert!(world.heard("/.well-known").is_empty() && world.heard("/mcp").is_empty(), "nothing is probed");

    world.sleep(3600);
    let second = oauth.valid_credential().await.unwrap().unwrap();
    assert!(first.access_token != second.access_token && first.refresh_token != second.refresh_token);
    assert_eq!(first.session, second.session);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all() {
    let world = World::new().await;
    let oauth = client(&world);
    let refused = oauth.sign_in().await.unwrap().access_token;
    let (one, other) = tokio::join!(oauth.replace_refused(&refused), oauth.replace_refused(&refused));
    assert_eq!(one.unwrap().access_token, other.unwrap().access_token);
    assert_eq!((world.grants("refresh_token"), world.reused()), (1, 0));

    world.revoke();
    let refused = oauth.credential().await.unwrap().unwrap().access_token;
    for _ in 0..2 {
        let error = oauth.replace_refused(&refused).await.map(drop).unwrap_err();
        assert!(matches!(error, AuthError::SignInAgain(_)), "{error}");
    }
    assert_eq!(world.grants("refresh_token"), 2, "a dead refresh token is used no more");
}

#[tokio::test]
async fn a_parameter_of_the_protocol_is_not_replaced() {
    let world = World::new().await;
    let builder = OAuth::builder(world.server.clone(), ClientIdentity::new("test")).policy(policy());
    let error = builder.endpoints(endpoints(&world, "state")).build().unwrap_err();
    assert!(error.to_string().contains("\"state\""), "{error}");
}

/// A server that names no authorization server, and an authorization server that names no registration endpoint.
#[tokio::test]
async fn settings_take_the_place_of_metadata_that_is_missing() {
    let twists = Twists {
        metadata: json!({ "registration_endpoint": null }),
        challenge: Some("Bearer".to_owned()),
        at: Some(("/.well-known/oauth-protected-resource", Odd::Text(404, "text/plain", "no"))),
        ..Twists::default()
    };
    let world = World::twisted(twists).await;
    let register_at = Url::parse(&format!("{}/register", world.issuer)).unwrap();
    for (has_issuer, has_registration, expected) in [
        (false, false, "does not register this program"),
        (true, false, "does not let a program register itself"),
        (true, true, ""),
    ] {
        let mut builder = world.client().resource("https://api.example/v2");
        if has_issuer {
            builder = builder.issuer(&world.issuer);
        }
        if has_registration {
            builder = builder.registration_endpoint(register_at.clone());
        }
        let error = builder.build().unwrap().sign_in().await.map(drop).err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{error}");
    }
    let page = &world.heard("/authorize")[0];
    assert_eq!(page.param("client_id"), Some("registered"));
    assert_eq!(page.param("resource"), Some("https://api.example/v2"));
    assert_eq!(world.heard("/token")[0].form["resource"], "https://api.example/v2");
}
