use std::collections::HashSet;
use std::time::Duration;

use loggia_auth::jose::{Algorithm, SigningKey, encode, random, sha256};
use loggia_auth::resource::NonceKey;
use loggia_auth::secret::Secret;
use loggia_auth::server::OAuthClient;
use serde_json::{Value, json};

use super::world::{Answer, Browser, CALLBACK, MCP, VERIFIER, World, encoded, redeem, request, request_with};

fn with<'a>(mut form: Vec<(&'a str, &'a str)>, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    for (name, value) in changes {
        form.retain(|(known, _)| known != name);
        if !value.is_empty() {
            form.push((name, value));
        }
    }
    form
}

fn refresh_token(tokens: &Value) -> String {
    tokens["refresh_token"].as_str().unwrap().to_owned()
}

async fn code(world: &World) -> String {
    world.allowed(&Browser::new(), &request()).await["code"].clone()
}

/// Each line is a wrong request to redeem a code. A client with the right code, but not the verifier, has
/// used the code up: it was stolen, or is lost anyway.
#[tokio::test]
async fn a_code_is_redeemed_in_one_way() {
    let world = World::new();
    let (other, long) = ("x".repeat(43), "x".repeat(129));
    let table: &[(&[(&str, &str)], &str, u16)] = &[
        (&[("grant_type", "")], "invalid_request", 400),
        (&[("grant_type", "password")], "unsupported_grant_type", 400),
        (&[("grant_type", "client_credentials")], "unsupported_grant_type", 400),
        (&[("client_id", "")], "invalid_client", 401),
        (&[("client_id", "nobody")], "invalid_client", 401),
        (&[("client_id", "web"), ("client_secret", "s&cret")], "invalid_grant", 400),
        (&[("code", "")], "invalid_request", 400),
        (&[("code", "wrong")], "invalid_grant", 400),
        (&[("code_verifier", "")], "invalid_request", 400),
        (&[("code_verifier", &other)], "invalid_grant", 400),
        (&[("code_verifier", &long)], "invalid_grant", 400),
        (&[("client_assertion", "x")], "invalid_client", 401),
        (&[("client_id", "https://app.example/client.json")], "invalid_client", 401),
        (&[("code_verifier", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")], "invalid_grant", 400),
        (&[("redirect_uri", "")], "invalid_request", 400),
        (&[("redirect_uri", CALLBACK)], "invalid_grant", 400),
        (&[("resource", "https://hub.example/other")], "invalid_target", 400),
        (&[("resource", "https://evil.example")], "invalid_target", 400),
    ];
    for (changes, error, status) in table {
        let code = code(&world).await;
        let answer = world.post("/oauth/token", &with(redeem(&code), changes)).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (*status, *error),
            "{changes:?}: {}",
            answer.body
        );
        assert_eq!(answer.headers["cache-control"], "no-store", "{changes:?}");
    }
    for (name, value) in redeem("x").into_iter().filter(|(name, _)| *name != "resource") {
        let code = code(&world).await;
        let mut form = redeem(&code);
        form.push((name, value));
        let answer = world.post("/oauth/token", &form).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{name} twice");
    }
    let late = code(&world).await;
    world.time.pass(60);
    assert_eq!(world.post("/oauth/token", &redeem(&late)).await.error(), "invalid_grant");
    let code = code(&world).await;
    // Parameters in the URL are ignored, because URLs are logged.
    let in_url = world.post(&format!("/oauth/token?{}", encoded(&redeem(&code))), &[]).await;
    assert_eq!((in_url.status, in_url.error().as_str()), (401, "invalid_client"));
    let json = http::Request::post("/oauth/token").header("content-type", "application/json");
    assert_eq!(world.send(json, "{}").await.status, 400);
    let long = "x".repeat(70_000);
    assert_eq!(world.post("/oauth/token", &with(redeem(&code), &[("x", &long)])).await.status, 413);
    assert_eq!(world.post("/oauth/token", &redeem(&code)).await.status, 200, "and this is the right way");
}

#[tokio::test]
async fn a_code_that_is_used_twice_ends_what_came_of_it() {
    let world = World::new();
    let code = code(&world).await;
    let tokens = world.post("/oauth/token", &redeem(&code)).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert!(world.is_accepted(access).await);
    // The code suffices: an attacker need not know its client.
    let again = world.post("/oauth/token", &redeem(&code)).await;
    assert_eq!((again.status, again.error().as_str()), (400, "invalid_grant"));
    assert!(!world.is_accepted(access).await);
    assert_eq!(world.refresh(&refresh_token(&tokens)).await.error(), "invalid_grant");
}

/// The steps of a family of refresh tokens: each step is the use of a token (its number in the order of issue) at a
/// time, and whether it is accepted.
#[tokio::test]
async fn refresh_tokens_rotate_and_tell_on_thieves() {
    let table: &[(&str, &[(usize, u64, bool)])] = &[
        ("one after another", &[(0, 0, true), (1, 600, true), (2, 1200, true)]),
        ("an old one later", &[(0, 0, true), (0, 30, false), (1, 31, false)]),
        (
            "an old one at once, for a client that died",
            &[(0, 0, true), (0, 10, true), (2, 20, true), (3, 21, true)],
        ),
        ("either successor", &[(0, 0, true), (0, 10, true), (1, 20, true)]),
        ("both successors", &[(0, 0, true), (0, 10, true), (1, 20, true), (2, 21, false), (3, 22, false)]),
        ("an old one after its successor", &[(0, 0, true), (1, 1, true), (0, 2, false), (2, 3, false)]),
        (
            "again and again",
            &[(0, 0, true), (0, 1, true), (0, 2, true), (3, 3, true), (0, 4, false), (4, 5, false)],
        ),
    ];
    for (what, steps) in table {
        let world = World::new();
        let tokens = world.tokens().await;
        let mut issued = vec![refresh_token(&tokens)];
        let mut now = 0;
        for (n, (used, at, counts)) in steps.iter().enumerate() {
            world.time.pass(at - now);
            now = *at;
            let answer = world.refresh(&issued[*used]).await;
            assert_eq!(answer.status == 200, *counts, "{what}, step {n}: {}", answer.body);
            match counts {
                true => issued.push(refresh_token(&answer.json())),
                false => assert_eq!(answer.error(), "invalid_grant", "{what}, step {n}"),
            }
        }
        let unique: HashSet<_> = issued.iter().collect();
        assert_eq!(unique.len(), issued.len(), "{what}");
    }
}

/// Resource servers see the content of access tokens. It does not suffice to sign a user out.
#[tokio::test]
async fn a_refresh_token_is_not_made_up_from_an_access_token() {
    let world = World::new();
    let tokens = world.tokens().await;
    let access = tokens["access_token"].as_str().unwrap();
    let claims = loggia_auth::jose::decode(access.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let name = claims["jti"].as_str().unwrap().split('.').next().unwrap();
    assert_eq!(name.len(), 22);
    for made_up in [format!("lgr_{name}.{}", random(32)), format!("lgr_{name}.{}", "x".repeat(43))] {
        assert_eq!(world.refresh(&made_up).await.error(), "invalid_grant");
        assert_eq!(
            world.post("/oauth/revoke", &[("token", made_up.as_str()), ("client_id", "cli")]).await.status,
            200
        );
    }
    assert!(world.is_accepted(access).await);
    assert_eq!(world.refresh(&refresh_token(&tokens)).await.status, 200);
}

#[tokio::test]
async fn without_grace_an_old_token_never_counts() {
    let world = World::with(|builder| builder.refresh_grace(Duration::ZERO));
    let tokens = world.tokens().await;
    let first = refresh_token(&tokens);
    let next = world.refresh(&first).await.json();
    assert_eq!(world.refresh(&first).await.error(), "invalid_grant");
    assert_eq!(world.refresh(&refresh_token(&next)).await.error(), "invalid_grant");
    assert!(!world.is_accepted(next["access_token"].as_str().unwrap()).await, "what it gave is taken back");
}

/// Twenty requests use one token at once. None of them gets a token whose use signs the user out at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_does_not_sign_the_person_out() {
    let world = World::new();
    let first = refresh_token(&world.tokens().await);
    let racing: Vec<_> = (0..20)
        .map(|_| {
            let (world, first) = (world.clone(), first.clone());
            tokio::spawn(async move { world.refresh(&first).await })
        })
        .collect();
    let mut last = None;
    for one in racing {
        let answer = one.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        last = Some(refresh_token(&answer.json()));
    }
    assert_eq!(world.refresh(&last.unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_and_grants_no_more() {
    let world = World::new();
    let told = world.allowed(&Browser::new(), &request_with(&[("scope", "mcp mcp:write")])).await;
    let tokens = world.post("/oauth/token", &redeem(&told["code"])).await.json();
    let token = refresh_token(&tokens);
    let form = |changes: &[(&'static str, &'static str)]| {
        let form = vec![("grant_type", "refresh_token"), ("client_id", "cli")];
        with(form, changes).into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect::<Vec<_>>()
    };
    let ask = async |changes: &[(&'static str, &'static str)], token: &str| {
        let mut form = form(changes);
        form.push(("refresh_token".to_owned(), token.to_owned()));
        let form: Vec<(&str, &str)> = form.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        world.post("/oauth/token", &form).await
    };
    assert_eq!(
        ask(&[("client_id", "web"), ("client_secret", "s&cret")], &token).await.error(),
        "invalid_grant"
    );
    assert_eq!(ask(&[("scope", "mcp root")], &token).await.error(), "invalid_scope");
    assert_eq!(ask(&[("resource", "https://hub.example/other")], &token).await.error(), "invalid_target");
    for wrong in
        ["", "x", "lgr_", "lgr_a.b", &format!("lgr_{}.{}", random(16), random(32)), &format!("{token}x")]
    {
        let answer = ask(&[], wrong).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
    let narrow = ask(&[("scope", "mcp"), ("resource", MCP)], &token).await.json();
    assert_eq!(narrow["scope"], "mcp");
    let wide = ask(&[], &refresh_token(&narrow)).await.json();
    assert_eq!(wide["scope"], "mcp mcp:write", "narrowing is for one token");
}

#[tokio::test]
async fn what_is_revoked_is_over() {
    let world = World::new();
    let revoke = async |token: &str, client: &str| {
        world.post("/oauth/revoke", &[("token", token), ("client_id", client)]).await
    };
    for which in ["refresh_token", "access_token"] {
        let tokens = world.tokens().await;
        let token = tokens[which].as_str().unwrap();
        let others = world
            .post("/oauth/revoke", &[("token", token), ("client_id", "web"), ("client_secret", "s&cret")])
            .await;
        assert_eq!(others.status, 400, "{which}: another client's");
        assert!(world.is_accepted(tokens["access_token"].as_str().unwrap()).await);
        assert_eq!(revoke(token, "cli").await.status, 200, "{which}");
        assert_eq!(world.refresh(&refresh_token(&tokens)).await.error(), "invalid_grant", "{which}");
        assert!(!world.is_accepted(tokens["access_token"].as_str().unwrap()).await, "{which}");
        assert_eq!(revoke(token, "cli").await.status, 200, "{which}: again");
    }
    for odd in ["x", "a.b.c", "lgr_x.y"] {
        assert_eq!(revoke(odd, "cli").await.status, 200, "{odd}");
    }
    assert_eq!(world.post("/oauth/revoke", &[("client_id", "cli")]).await.status, 400);
    assert_eq!(revoke("x", "nobody").await.status, 401);
}

/// The authentication methods of a client with a secret, accepted and refused.
#[tokio::test]
async fn a_client_shows_who_it_is_in_one_way() {
    let world = World::new();
    let basic = |id: &str, secret: &str| {
        use base64::Engine;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
        format!("Basic {pair}")
    };
    let body = |secret| vec![("client_id", "web"), ("client_secret", secret)];
    let none = Vec::new;
    let table = [
        ("basic", Some(basic("web", "s%26cret")), none(), None),
        ("basic, not encoded", Some(basic("web", "s&cret")), none(), None),
        ("body", None, body("s&cret"), None),
        ("basic, named again", Some(basic("web", "s%26cret")), vec![("client_id", "web")], None),
        ("both", Some(basic("web", "s%26cret")), body("s&cret"), Some("invalid_request")),
        ("two names", Some(basic("web", "s%26cret")), vec![("client_id", "cli")], Some("invalid_request")),
        ("wrong", Some(basic("web", "wrong")), none(), Some("invalid_client")),
        ("wrong in the body", None, body("wrong"), Some("invalid_client")),
        ("empty", Some(basic("web", "")), none(), Some("invalid_client")),
        ("none", None, vec![("client_id", "web")], Some("invalid_client")),
        ("bearer", Some("Bearer x".to_owned()), none(), Some("invalid_request")),
        ("nonsense", Some("Basic !".to_owned()), none(), Some("invalid_request")),
    ];
    for (what, header, form, error) in table {
        let mut form = form.clone();
        form.push(("token", "x"));
        let headers: Vec<(&str, &str)> =
            header.iter().map(|header| ("authorization", header.as_str())).collect();
        let answer = world.post_with("/oauth/revoke", &form, &headers).await;
        match error {
            None => assert_eq!(answer.status, 200, "{what}: {}", answer.body),
            Some(error) => assert_eq!(answer.error(), error, "{what}"),
        }
        if what == "wrong" {
            assert_eq!(
                (answer.status, answer.headers["www-authenticate"].to_str().unwrap()),
                (401, "Basic realm=\"clients\"")
            );
        }
    }
}

fn proof(key: &SigningKey, world: &World, change: Value) -> String {
    let mut claims = json!({"jti": random(12), "htm": "POST", "htu": "https://hub.example/oauth/token", "iat": world.time.seconds()});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    key.sign_with_key("dpop+jwt", &claims).unwrap()
}

#[tokio::test]
async fn tokens_are_bound_to_the_key_of_the_proof() {
    let world = World::new();
    let (key, other) =
        (SigningKey::generate(Algorithm::Es256).unwrap(), SigningKey::generate(Algorithm::EdDsa).unwrap());
    let post = async |form: &[(&str, &str)], proof: &str| {
        world.post_with("/oauth/token", form, &[("dpop", proof)]).await
    };
    let thumbprint: &'static str = key.public().thumbprint().leak();
    let told = world.allowed(&Browser::new(), &request_with(&[("dpop_jkt", thumbprint)])).await;
    let answer: Answer = post(&redeem(&told["code"]), &proof(&key, &world, json!({}))).await;
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "DPoP", "{tokens}");
    let access = tokens["access_token"].as_str().unwrap();
    assert!(!world.is_accepted(access).await, "not for its bearer");
    let ath = json!({"htu": MCP, "ath": sha256(access)});
    let request = http::Request::post("/mcp")
        .header("authorization", format!("DPoP {access}"))
        .header("dpop", proof(&key, &world, ath));
    assert_eq!(world.send(request, "{}").await.status, 200);

    let refresh = refresh_token(&tokens);
    let form = [("grant_type", "refresh_token"), ("client_id", "cli"), ("refresh_token", refresh.as_str())];
    assert_eq!(world.post("/oauth/token", &form).await.error(), "invalid_grant", "without a proof");
    assert_eq!(post(&form, &proof(&other, &world, json!({}))).await.error(), "invalid_grant", "another key");
    for change in [json!({"htm": "GET"}), json!({"htu": "https://hub.example/mcp"}), json!({"iat": 1})] {
        assert_eq!(
            post(&form, &proof(&key, &world, change.clone())).await.error(),
            "invalid_dpop_proof",
            "{change}"
        );
    }
    assert_eq!(post(&form, &proof(&key, &world, json!({}))).await.status, 200);

    // Only the key of the authorization request is accepted.
    let told = world.allowed(&Browser::new(), &request_with(&[("dpop_jkt", thumbprint)])).await;
    let stolen = post(&redeem(&told["code"]), &proof(&other, &world, json!({}))).await;
    assert_eq!(stolen.error(), "invalid_dpop_proof");
}

#[tokio::test]
async fn the_token_endpoint_can_demand_nonces() {
    let world = World::with(|builder| builder.nonces(NonceKey::random()));
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let code = code(&world).await;
    let form = redeem(&code);
    let first = world.post_with("/oauth/token", &form, &[("dpop", &proof(&key, &world, json!({})))]).await;
    assert_eq!((first.status, first.error().as_str()), (400, "use_dpop_nonce"));
    let nonce = first.headers["dpop-nonce"].to_str().unwrap();
    let second = world
        .post_with("/oauth/token", &form, &[("dpop", &proof(&key, &world, json!({"nonce": nonce})))])
        .await;
    assert_eq!(second.status, 200, "{}", second.body);
    assert!(second.headers.contains_key("dpop-nonce"));
}

#[tokio::test]
async fn signing_keys_change() {
    let world = World::new();
    let jwks = async || world.send(http::Request::get("/oauth/jwks"), "").await.json();
    let token = world.tokens().await["access_token"].as_str().unwrap().to_owned();
    let first = jwks().await;
    assert_eq!(first["keys"].as_array().unwrap().len(), 1);
    assert!(!first.to_string().contains("\"d\""));
    world.time.pass(60 * 24 * 60 * 60);
    let both = jwks().await;
    assert_eq!(both["keys"].as_array().unwrap().len(), 2, "the old one stays published");
    assert_eq!(both["keys"][1], first["keys"][0]);
    world.time.pass(3 * 24 * 60 * 60);
    assert_eq!(jwks().await["keys"].as_array().unwrap().len(), 1, "until nothing it signed is valid");
    assert!(!world.is_accepted(&token).await);
    let token = world.tokens().await["access_token"].as_str().unwrap().to_owned();
    assert!(world.is_accepted(&token).await);
    world.server.replace_keys().await.unwrap();
    assert!(!world.is_accepted(&token).await, "a key that an attacker knows");
    let again = world.tokens().await["access_token"].as_str().unwrap().to_owned();
    assert!(world.is_accepted(&again).await);
}

/// A token that another key signed in the name of this server.
#[tokio::test]
async fn forged_tokens_are_not_ours() {
    let world = World::new();
    let good = world.tokens().await["access_token"].as_str().unwrap().to_owned();
    let parts: Vec<&str> = good.split('.').collect();
    let header: Value = serde_json::from_slice(&loggia_auth::jose::decode(parts[0]).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&loggia_auth::jose::decode(parts[1]).unwrap()).unwrap();
    let forger = SigningKey::generate(Algorithm::Es256).unwrap().named(header["kid"].as_str().unwrap());
    let mut more = claims.clone();
    more["scope"] = json!("mcp admin");
    let table = [
        ("none", format!("{}.{}.", encode(json!({"alg": "none", "typ": "at+jwt"}).to_string()), parts[1])),
        ("more", format!("{}.{}.{}", parts[0], encode(more.to_string()), parts[2])),
        ("another key", forger.sign("at+jwt", &claims).unwrap()),
        ("a refresh token", refresh_token(&world.tokens().await)),
    ];
    for (what, token) in table {
        assert!(!world.is_accepted(&token).await, "{what}");
    }
    assert!(world.is_accepted(&good).await);
}

#[tokio::test]
async fn a_secret_is_not_shown() {
    let client = OAuthClient::new("id", "name", [CALLBACK]).secret(&Secret::new("sesame"));
    let world = World::with(|builder| builder.client(client.clone()));
    let shown = format!("{client:?} {:?}", world.server);
    assert!(!shown.contains("sesame") && !shown.contains(VERIFIER), "{shown}");
}
