//! Tokens are renewed before their expiry, once for all tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use loggia_auth::client::{AuthStatus, OAuth};
use loggia_auth::clock;
use loggia_auth::error::AuthError;
use loggia_auth::extensions::GrantType;
use loggia_auth::loopback::LoopbackUserAgent;
use loggia_auth::scope::Scopes;
use loggia_auth::store::{FileStore, MemoryStore, TokenStore};
use tokio::task::JoinSet;

use crate::world::{Odd, Twists, World};

const HOUR: u64 = 3600;

/// Many requests at once, over several clients.
async fn rush(world: &World, clients: &[OAuth], tasks: usize) -> Vec<Result<u16, String>> {
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (world, client) = (world.clone(), clients[task % clients.len()].clone());
        running.spawn(async move { world.call(&client).await });
    }
    running.join_all().await
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let world = World::new().await;
    let oauth = world.client().build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    let first = oauth.credential().await.unwrap().unwrap();
    world.sleep(HOUR - 300);
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!(world.grants("refresh_token"), 0, "there is time");
    world.sleep(200);
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!(world.grants("refresh_token"), 1);
    let second = oauth.credential().await.unwrap().unwrap();
    assert!(first.refresh_token != second.refresh_token && first.session == second.session);
    // One request without a token, to hear what is demanded, and then none was refused.
    assert_eq!(world.heard("/mcp").len(), 1 + 3);
    assert_eq!(world.heard("/authorize").len(), 1);
}

#[tokio::test]
async fn a_rush_renews_once() {
    let folder = tempfile::tempdir().unwrap();
    // Two processes have a store of their own each, over the same files.
    let files = || -> Arc<dyn TokenStore> { Arc::new(FileStore::open(folder.path()).unwrap()) };
    let memory: Arc<dyn TokenStore> = Arc::new(MemoryStore::new());
    for stores in [[memory.clone(), memory], [files(), files()]] {
        let world = World::new().await;
        let client = |store: Arc<dyn TokenStore>| world.client().store(store, "me").build().unwrap();
        let clients: Vec<OAuth> = stores.into_iter().map(client).collect();
        assert!(rush(&world, &clients, 20).await.iter().all(|outcome| *outcome == Ok(200)));
        assert_eq!(world.heard("/authorize").len(), 1, "one window, not twenty");
        for round in 1..=5 {
            // Once it ends soon, once it is over.
            world.sleep(if round % 2 == 0 { HOUR - 60 } else { HOUR + 60 });
            assert!(rush(&world, &clients, 20).await.iter().all(|outcome| *outcome == Ok(200)));
            assert_eq!(world.grants("refresh_token"), round);
        }
        assert_eq!((world.reused(), world.heard("/authorize").len()), (0, 1));
    }
}

#[tokio::test]
async fn a_rush_of_refusals_renews_once() {
    let world = World::new().await;
    let oauth = world.client().build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    world.revoke();
    assert!(rush(&world, std::slice::from_ref(&oauth), 20).await.iter().all(|outcome| *outcome == Ok(200)));
    assert_eq!(world.grants("refresh_token"), 1, "it was tried");
    assert_eq!(world.heard("/authorize").len(), 2, "and then the person was asked, once");
}

#[tokio::test]
async fn a_window_that_is_closed_stays_closed() {
    let world = World::new().await;
    let shown = Arc::new(AtomicUsize::new(0));
    let counted = shown.clone();
    let person = LoopbackUserAgent::new(move |_| {
        counted.fetch_add(1, SeqCst);
        Ok(())
    });
    let oauth = world.client().user_agent(person.timeout(Duration::from_millis(300))).build().unwrap();
    for outcome in rush(&world, &[oauth], 20).await {
        assert!(outcome.unwrap_err().contains("did not sign in"));
    }
    assert_eq!(shown.load(SeqCst), 1);
}

#[tokio::test]
async fn while_nothing_can_be_renewed_the_old_token_serves() {
    let world = World::new().await;
    let oauth = world.client().build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    world.twist(|twists| twists.at = Some(("/token", Odd::Text(503, "text/plain", "busy"))));
    world.sleep(HOUR - 30);
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!(world.grants("refresh_token"), 1, "it is not tried with every request");
    world.sleep(60);
    let error = world.call(&oauth).await.unwrap_err();
    assert!(error.contains("503") && !error.contains("busy"), "an error page may repeat secrets: {error}");
    assert_eq!(world.heard("/authorize").len(), 1, "nobody is bothered for what passes by itself");
    world.twist(|twists| twists.at = None);
    assert_eq!(world.call(&oauth).await, Ok(200));
}

#[tokio::test]
async fn when_it_is_over_it_says_so() {
    let world = World::new().await;
    let store = Arc::new(MemoryStore::new());
    let person = world.client().store(store.clone(), "me").build().unwrap();
    assert_eq!(world.call(&person).await, Ok(200));
    let program = world.client().grant(GrantType::RefreshOnly).store(store, "me").build().unwrap();
    let standing = program.status();
    assert_eq!(world.call(&program).await, Ok(200));
    assert!(matches!(*standing.borrow(), AuthStatus::SignedIn { until: Some(_) }));
    world.revoke();
    let error = world.call(&program).await.unwrap_err();
    assert!(error.contains("sign in again"), "{error}");
    assert!(matches!(*standing.borrow(), AuthStatus::SignInAgain(_)));
    assert!(matches!(program.refresh().await, Err(AuthError::SignInAgain(_))));
    assert_eq!(world.grants("refresh_token"), 1, "a refresh token that was refused is not shown again");
    // The user signs in with another process, and this process notices it.
    assert!(person.sign_in().await.is_ok());
    assert_eq!(world.call(&program).await, Ok(200));
    assert!(matches!(*standing.borrow(), AuthStatus::SignedIn { .. }));
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_no_token_lost() {
    let world = World::new().await;
    let oauth = world.client().build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    for _ in 0..20 {
        world.sleep(HOUR);
        let before = world.grants("refresh_token");
        let impatient = tokio::spawn({
            let (world, oauth) = (world.clone(), oauth.clone());
            async move { world.call(&oauth).await }
        });
        while world.grants("refresh_token") == before {
            tokio::task::yield_now().await;
        }
        impatient.abort();
        let now = clock::seconds(world.clock()());
        while oauth.credential().await.unwrap().unwrap().obtained_at < now {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!((world.reused(), world.heard("/authorize").len()), (0, 1));
}

#[tokio::test]
async fn scopes_grow_and_are_not_lost() {
    let world = World::twisted(Twists {
        challenge: Some("Bearer scope=\"read\"".to_owned()),
        needs: "read",
        ..Twists::default()
    })
    .await;
    let oauth = world.client().build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    world.twist(|twists| {
        twists.challenge = None;
        twists.needs = "write";
    });
    assert_eq!(world.call(&oauth).await, Ok(200));
    let scopes = |at: usize| world.heard("/authorize")[at].param("scope").map(Scopes::parse);
    assert_eq!((scopes(0), scopes(1)), (Some(Scopes::parse("read")), Some(Scopes::parse("read write"))));
    world.sleep(2 * HOUR);
    world.revoke();
    assert_eq!(world.call(&oauth).await, Ok(200));
    assert_eq!(scopes(2), Some(Scopes::parse("read write")), "nor when it is signed in to anew");
}

#[tokio::test]
async fn signing_out_revokes() {
    let world = World::new().await;
    let store = Arc::new(MemoryStore::new());
    let oauth = world.client().store(store.clone(), "me").build().unwrap();
    assert_eq!(world.call(&oauth).await, Ok(200));
    let credential = oauth.credential().await.unwrap().unwrap();
    oauth.sign_out().await.unwrap();
    let revoked: Vec<_> = world.heard("/revoke").iter().map(|heard| heard.form["token"].clone()).collect();
    let expected = [credential.refresh_token.as_ref().unwrap().expose(), credential.access_token.expose()];
    assert_eq!(revoked, expected);
    assert_eq!(store.keys("credential/").await.unwrap(), [] as [&str; 0]);
    assert!(oauth.credential().await.unwrap().is_none());
    oauth.sign_out().await.unwrap();
}

/// A sign-out or sign-in in another process takes effect here soon, even if the token is still valid.
#[tokio::test]
async fn who_signs_out_elsewhere_is_signed_out_here() {
    let (world, store) = (World::new().await, Arc::new(MemoryStore::new()));
    world.twist(|twists| twists.lifetime = Some(24 * HOUR));
    let person = world.client().store(store.clone(), "me").build().unwrap();
    assert_eq!(world.call(&person).await, Ok(200));
    let program = world.client().grant(GrantType::RefreshOnly).store(store, "me").build().unwrap();
    assert_eq!(world.call(&program).await, Ok(200));
    let session =
        |oauth: OAuth| async move { oauth.credential().await.unwrap().map(|credential| credential.session) };
    let first = session(program.clone()).await;

    // Another user signs in: the token of that user is sent.
    person.sign_in().await.unwrap();
    world.sleep(5);
    assert_eq!(world.call(&program).await, Ok(200));
    assert_eq!(session(program.clone()).await, first, "not with every request");
    world.sleep(6);
    let begun = Instant::now();
    let in_time = || assert!(begun.elapsed() < Duration::from_secs(20), "nobody looks what others did");
    while session(program.clone()).await == first {
        in_time();
        assert_eq!(world.call(&program).await, Ok(200));
    }
    assert_eq!(session(program.clone()).await, session(person.clone()).await);

    // The token is good at the server still. It is not used.
    person.sign_out().await.unwrap();
    world.sleep(11);
    let error = loop {
        in_time();
        if let Err(error) = world.call(&program).await {
            break error;
        }
    };
    assert!(error.contains("wants the user to sign in"), "{error}");
    assert_eq!(
        *program.status().borrow(),
        AuthStatus::SignInAgain(error.split_once("again: ").unwrap().1.to_owned())
    );
}

/// If there is no user who can allow more scopes, the error names the missing ones.
#[tokio::test]
async fn what_nobody_has_allowed_is_named() {
    let (world, store) = (World::new().await, Arc::new(MemoryStore::new()));
    world.twist(|twists| twists.needs = "read");
    let person = world.client().store(store.clone(), "me").build().unwrap();
    assert_eq!(world.call(&person).await, Ok(200));
    let program = world.client().grant(GrantType::RefreshOnly).store(store, "me").build().unwrap();
    world.twist(|twists| twists.needs = "read write admin");
    let error = world.call(&program).await.unwrap_err();
    assert!(error.contains("wants the scopes 'admin write', which the user has not allowed yet"), "{error}");
    assert_eq!(world.heard("/authorize").len(), 2, "for 'read' alone");
}

/// A server that gives no new refresh token means the old one, however it writes that.
#[tokio::test]
async fn a_refresh_token_that_is_not_replaced_stays() {
    for nothing in [serde_json::json!(""), serde_json::Value::Null] {
        let world = World::new().await;
        let oauth = world.client().build().unwrap();
        assert_eq!(world.call(&oauth).await, Ok(200));
        let first = oauth.credential().await.unwrap().unwrap().refresh_token;
        world.twist(|twists| twists.tokens = serde_json::json!({ "refresh_token": nothing }));
        world.sleep(HOUR);
        assert_eq!(world.call(&oauth).await, Ok(200));
        assert_eq!((world.grants("refresh_token"), world.heard("/authorize").len()), (1, 1));
        assert_eq!(oauth.credential().await.unwrap().unwrap().refresh_token, first, "{nothing}");
    }
}

/// An unreadable record is deleted by a sign-in and by a sign-out.
#[tokio::test]
async fn what_cannot_be_read_is_put_away() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new().await;
    let client = || {
        let store = Arc::new(FileStore::open(folder.path()).unwrap());
        world.client().store(store, "me").build().unwrap()
    };
    let record = || {
        let is_record = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "json");
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        files
            .filter(is_record)
            .find(|path| std::fs::read_to_string(path).unwrap().contains("\"key\":\"credential/me\""))
            .expect("it is kept")
    };
    let damages: [fn(&str) -> String; 3] = [
        |_| String::new(),
        |text| text[..text.len() / 2].to_owned(),
        |text| text.replace("access_token", "axess_token"),
    ];
    for damage in damages {
        assert_eq!(world.call(&client()).await, Ok(200));
        let path = record();
        let whole = std::fs::read_to_string(&path).unwrap();
        let spoil = || std::fs::write(&path, damage(&whole)).unwrap();
        spoil();
        let error = client().credential().await.unwrap_err();
        assert!(matches!(error, AuthError::Unreadable(_)), "{error:?}");
        assert!(client().sign_in().await.is_ok());
        spoil();
        assert!(client().ensure().await.unwrap().is_some());
        spoil();
        client().sign_out().await.unwrap();
        assert!(client().credential().await.unwrap().is_none());
    }
}
