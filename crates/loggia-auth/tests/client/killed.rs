//! A process that dies between being given a token and using it. The child is this test itself, started
//! again; it dies inside the store, at the moment the parent chose.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use loggia_auth::client::OAuth;
use loggia_auth::clock;
use loggia_auth::extensions::GrantType;
use loggia_auth::registration::ClientIdentity;
use loggia_auth::secret::Secret;
use loggia_auth::store::{FileStore, StoreFuture, StoredRecord, TokenStore};
use url::Url;

use crate::world::{World, policy};

const CHILD: &str = "LOGGIA_TEST_KILLED";

/// Dies where it is told to.
struct Deadly {
    files: FileStore,
    before: bool,
}

impl TokenStore for Deadly {
    fn load<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<StoredRecord>> {
        self.files.load(key)
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        value: Secret,
        expected: Option<u64>,
        until: Option<SystemTime>,
    ) -> StoreFuture<'a, Option<u64>> {
        if self.before {
            std::process::abort();
        }
        Box::pin(async move {
            self.files.save(key, value, expected, until).await?;
            std::process::abort()
        })
    }

    fn remove<'a>(&'a self, key: &'a str, expected: u64) -> StoreFuture<'a, bool> {
        self.files.remove(key, expected)
    }

    fn lease<'a>(&'a self, key: &'a str, holder: &'a str, time: Duration) -> StoreFuture<'a, bool> {
        self.files.lease(key, holder, time)
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        self.files.release(key, holder)
    }

    fn keys<'a>(&'a self, start: &'a str) -> StoreFuture<'a, Vec<String>> {
        self.files.keys(start)
    }
}

#[test]
fn the_child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let [server, folder, now, place] = told.split('|').collect::<Vec<_>>()[..] else { panic!("{told}") };
    let now = clock::from_seconds(now.parse().unwrap());
    let store = Deadly { files: FileStore::open(folder).unwrap(), before: place == "before" };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        let oauth = OAuth::builder(Url::parse(server).unwrap(), ClientIdentity::new("test"));
        let oauth = oauth.policy(policy()).clock(Arc::new(move || now)).grant(GrantType::RefreshOnly);
        oauth.store(Arc::new(store), "me").build().unwrap().refresh().await
    });
    panic!("it lives: {outcome:?}");
}

async fn die(world: &World, folder: &std::path::Path, place: &str) {
    let now = clock::seconds(world.clock()());
    let told = format!("{}|{}|{now}|{place}", world.server, folder.display());
    let child = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "killed::the_child", "--nocapture"]).env(CHILD, told).output().unwrap()
    });
    let ended = child.await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
    assert!(!ended.status.success() && !said.contains("it lives"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_signed_out_by_a_death() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new().await;
    let store = || Arc::new(FileStore::open(folder.path()).unwrap());
    let person = world.client().store(store(), "me").build().unwrap();
    assert_eq!(world.call(&person).await, Ok(200));
    for _ in 0..100 {
        world.sleep(3600);
        die(&world, folder.path(), "after").await;
    }
    // If the server still accepts the old refresh token, the client may be killed before the new one is saved.
    world.twist(|twists| twists.lenient = true);
    for _ in 0..10 {
        world.sleep(3600);
        die(&world, folder.path(), "before").await;
    }
    let survivor = world.client().grant(GrantType::RefreshOnly).store(store(), "me").build().unwrap();
    assert_eq!(world.call(&survivor).await, Ok(200));
    assert_eq!((world.reused(), world.grants("refresh_token")), (0, 111));
    assert_eq!(world.heard("/authorize").len(), 1);
}
