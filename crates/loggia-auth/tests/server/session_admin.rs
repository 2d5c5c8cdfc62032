//! Sign-out of a user who leaves: their sessions, codes and tokens stop working.

use loggia_auth::server::SessionAdmin;
use serde_json::Value;

use super::world::{Browser, World, encoded, redeem, request};

fn text(tokens: &Value, name: &str) -> String {
    tokens[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_is_signed_out_everywhere() {
    let world = World::new();
    let admin = SessionAdmin::new(world.store.clone(), world.time.clock());
    assert!(admin.signed_in().await.unwrap().is_empty());
    let (desk, phone) = (Browser::new(), Browser::new());
    let mut tokens = Vec::new();
    for browser in [&desk, &phone] {
        let told = world.allowed(browser, &request()).await;
        tokens.push(world.post("/oauth/token", &redeem(&told["code"])).await.json());
    }
    // A code that was not redeemed yet, and a sign-in that was revoked.
    let waiting = world.allowed(&desk, &request()).await["code"].clone();
    let over = world.tokens().await;
    world.post("/oauth/revoke", &[("token", &text(&over, "refresh_token")), ("client_id", "cli")]).await;
    let known = admin.signed_in().await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [("ada".to_owned(), 2)]);

    assert_eq!(admin.sign_out("bob").await.unwrap(), 0);
    let page = format!("/oauth/authorize?{}", encoded(&request()));
    assert!(desk.get(&world, &page).await.field("ticket").is_some(), "still signed in");
    // Two browsers, that of the third sign-in, and two programs.
    assert_eq!(admin.sign_out("ada").await.unwrap(), 5);
    for browser in [&desk, &phone] {
        assert!(browser.get(&world, &page).await.body.contains("name=\"code\""), "signed out");
    }
    assert_eq!(world.post("/oauth/token", &redeem(&waiting)).await.error(), "invalid_grant");
    // The server reads the revocations from its store.
    world.time.pass(10);
    for tokens in tokens {
        assert!(!world.is_accepted(&text(&tokens, "access_token")).await);
        assert_eq!(world.refresh(&text(&tokens, "refresh_token")).await.error(), "invalid_grant");
    }
    assert!(admin.signed_in().await.unwrap().is_empty());
    assert_eq!(admin.sign_out("ada").await.unwrap(), 0);
}
