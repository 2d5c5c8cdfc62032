use std::sync::Arc;

use loggia_auth::jose::{Algorithm, JwkSet, SigningKey, random};
use serde_json::{Value, json};

use super::world::{ISSUER, MCP, World};

const IDP: &str = "https://acme.idp.example";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn world(key: &SigningKey) -> World {
    let keys = Arc::new(JwkSet { keys: vec![key.public().clone()] });
    World::with(|builder| {
        builder.assertions(
            IDP,
            keys,
            Arc::new(|claims| {
                let subject = claims["sub"].as_str()?;
                (subject != "fired").then(|| format!("acme:{subject}"))
            }),
        )
    })
}

fn claims(world: &World, change: Value) -> Value {
    let now = world.time.seconds();
    let mut claims = json!({
        "iss": IDP, "sub": "u1", "aud": ISSUER, "resource": MCP, "client_id": "web", "jti": random(12),
        "iat": now, "exp": now + 300, "scope": "mcp",
    });
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn form(assertion: &str) -> Vec<(&str, &str)> {
    vec![("grant_type", GRANT), ("assertion", assertion), ("client_id", "web"), ("client_secret", "s&cret")]
}

#[tokio::test]
async fn an_assertion_of_the_enterprise_becomes_a_token() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let world = world(&key);
    let assertion = key.sign("oauth-id-jag+jwt", &claims(&world, json!({}))).unwrap();
    let tokens = world.post("/oauth/token", &form(&assertion)).await.json();
    assert_eq!((tokens["token_type"].as_str(), tokens["scope"].as_str()), (Some("Bearer"), Some("mcp")));
    assert!(tokens.get("refresh_token").is_none(), "the provider decides anew each time");
    assert!(world.is_accepted(tokens["access_token"].as_str().unwrap()).await);
    let again = world.post("/oauth/token", &form(&assertion)).await;
    assert_eq!(again.error(), "invalid_grant", "it counts once");
    let metadata = world.server.metadata();
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
}

/// Each line is an assertion that is not the enterprise's, not for us, not for this client, or not now.
#[tokio::test]
async fn other_assertions_do_not() {
    let (key, other) =
        (SigningKey::generate(Algorithm::Es256).unwrap(), SigningKey::generate(Algorithm::Es256).unwrap());
    let world = world(&key);
    let now = world.time.seconds();
    let changes = [
        (json!({"iss": "https://evil.example"}), "invalid_grant"),
        (json!({"iss": format!("{IDP}/")}), "invalid_grant"),
        (json!({"aud": MCP}), "invalid_grant"),
        (json!({"aud": format!("{ISSUER}/oauth/token")}), "invalid_grant"),
        (json!({"aud": null}), "invalid_grant"),
        (json!({"aud": [ISSUER, "https://other.example"]}), "invalid_grant"),
        (json!({"aud": []}), "invalid_grant"),
        (json!({"iss": [IDP]}), "invalid_grant"),
        (json!({"iat": now + 600}), "invalid_grant"),
        (json!({"exp": "tomorrow"}), "invalid_grant"),
        (json!({"exp": -1}), "invalid_grant"),
        (json!({"jti": "x".repeat(600)}), "invalid_grant"),
        (json!({"client_id": "cli"}), "invalid_grant"),
        (json!({"client_id": null}), "invalid_grant"),
        (json!({"resource": "https://evil.example/mcp"}), "invalid_grant"),
        (json!({"resource": null}), "invalid_grant"),
        (json!({"exp": now - 60}), "invalid_grant"),
        (json!({"exp": null}), "invalid_grant"),
        (json!({"exp": now + 86_400}), "invalid_grant"),
        (json!({"nbf": now + 600}), "invalid_grant"),
        (json!({"jti": null}), "invalid_grant"),
        (json!({"sub": "fired"}), "invalid_grant"),
        (json!({"sub": null}), "invalid_grant"),
    ];
    for (change, error) in changes {
        let assertion = key.sign("oauth-id-jag+jwt", &claims(&world, change.clone())).unwrap();
        let answer = world.post("/oauth/token", &form(&assertion)).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, error), "{change}: {}", answer.body);
    }
    let good = claims(&world, json!({}));
    for (what, assertion) in [
        ("another type", key.sign("JWT", &good).unwrap()),
        ("an access token", key.sign("at+jwt", &good).unwrap()),
        ("another key", other.sign("oauth-id-jag+jwt", &good).unwrap()),
        ("its own key", other.sign_with_key("oauth-id-jag+jwt", &good).unwrap()),
        ("nonsense", "x".to_owned()),
    ] {
        assert_eq!(world.post("/oauth/token", &form(&assertion)).await.error(), "invalid_grant", "{what}");
    }
    let assertion = key.sign("oauth-id-jag+jwt", &good).unwrap();
    let public = [("grant_type", GRANT), ("assertion", assertion.as_str()), ("client_id", "cli")];
    assert_eq!(world.post("/oauth/token", &public).await.error(), "unauthorized_client");
    let nobody = World::new();
    assert_eq!(nobody.post("/oauth/token", &form(&assertion)).await.error(), "invalid_grant");
}

#[tokio::test]
async fn scopes_are_what_both_allow() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let world = world(&key);
    let table = [
        (json!({"scope": "mcp root"}), None, "mcp"),
        (json!({"scope": "mcp mcp:write"}), Some("mcp"), "mcp"),
        (json!({"scope": "mcp"}), Some("mcp mcp:write"), "mcp"),
        (json!({"scope": null}), None, "mcp mcp:write"),
    ];
    for (change, asked, granted) in table {
        let assertion = key.sign("oauth-id-jag+jwt", &claims(&world, change.clone())).unwrap();
        let mut form = form(&assertion);
        form.extend(asked.map(|asked| ("scope", asked)));
        let answer = world.post("/oauth/token", &form).await.json();
        assert_eq!(answer["scope"], granted, "{change} {asked:?}");
    }
}
