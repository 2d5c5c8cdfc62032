use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use loggia_auth::secret::Secret;
use loggia_auth::store::TokenStore;

use crate::places;

#[tokio::test]
async fn a_record_changes_only_where_nobody_changed_it() {
    for place in places("changed").await {
        let kind = place.kind;
        let (one, other) =
            (place.vault().await.scope("ada", "files"), place.vault().await.scope("ada", "files"));
        let elsewhere = place.vault().await.scope("ada", "file");
        assert_eq!(one.load("a").await.unwrap(), None, "{kind}");
        assert_eq!(one.save("a", "0".into(), Some(1), None).await.unwrap(), None, "{kind}: there is none");
        let first = one.save("a", "1".into(), None, None).await.unwrap().unwrap();
        assert_eq!(other.save("a", "x".into(), None, None).await.unwrap(), None, "{kind}: there is one");
        let second = other.save("a", "2".into(), Some(first), None).await.unwrap().unwrap();
        assert!(second > first, "{kind}");
        assert_eq!(one.save("a", "x".into(), Some(first), None).await.unwrap(), None, "{kind}: too late");
        let loaded = one.load("a").await.unwrap().unwrap();
        assert_eq!((loaded.value, loaded.revision), (Secret::new("2"), second), "{kind}");
        assert_eq!(elsewhere.load("a").await.unwrap(), None, "{kind}");
        assert!(!one.remove("a", first).await.unwrap(), "{kind}");
        assert!(one.remove("a", second).await.unwrap(), "{kind}");
        assert!(!other.remove("a", second).await.unwrap(), "{kind}: once");
        let again = one.save("a", "3".into(), None, None).await.unwrap().unwrap();
        assert!(!other.remove("a", second).await.unwrap() && again >= first, "{kind}: it is another record");
        for name in ["b/1", "b/2", "b%", "c", "B/1", "ä/1"] {
            one.save(name, "".into(), None, None).await.unwrap().unwrap();
        }
        assert_eq!(one.keys("b/").await.unwrap(), ["b/1", "b/2"], "{kind}");
        assert_eq!(one.keys("b%").await.unwrap(), ["b%"], "{kind}");
        assert_eq!(one.keys("ä").await.unwrap(), ["ä/1"], "{kind}");
        assert_eq!(one.keys("").await.unwrap().len(), 7, "{kind}");
    }
}

#[tokio::test]
async fn records_end() {
    for place in places("ended").await {
        let kind = place.kind;
        let vault = place.vault().await;
        let scope = vault.scope("ada", "files");
        let until = place.time.now() + Duration::from_secs(10);
        let first = scope.save("a", "1".into(), None, Some(until)).await.unwrap().unwrap();
        place.time.pass(9);
        assert!(scope.load("a").await.unwrap().is_some(), "{kind}");
        place.time.pass(1);
        assert_eq!(scope.load("a").await.unwrap(), None, "{kind}");
        assert_eq!(scope.keys("").await.unwrap(), [""; 0], "{kind}");
        assert!(!scope.remove("a", first).await.unwrap(), "{kind}");
        assert_eq!(scope.save("a", "x".into(), Some(first), None).await.unwrap(), None, "{kind}");
        let second = scope.save("a", "2".into(), None, None).await.unwrap().unwrap();
        assert!(second > first, "{kind}");
        scope.save("b", "1".into(), None, Some(until)).await.unwrap();
        assert_eq!(vault.purge().await.unwrap(), 1, "{kind}");
    }
}

#[tokio::test]
async fn one_holder_at_a_time() {
    for place in places("lent").await {
        let kind = place.kind;
        let (one, other) =
            (place.vault().await.scope("ada", "files"), place.vault().await.scope("ada", "files"));
        let ten = Duration::from_secs(10);
        assert!(one.lease("a", "one", ten).await.unwrap(), "{kind}");
        assert!(!other.lease("a", "other", ten).await.unwrap(), "{kind}");
        assert!(other.lease("b", "other", ten).await.unwrap(), "{kind}: another record");
        place.time.pass(9);
        assert!(one.lease("a", "one", ten).await.unwrap(), "{kind}: for longer");
        place.time.pass(9);
        assert!(!other.lease("a", "other", ten).await.unwrap(), "{kind}");
        other.release("a", "other").await.unwrap();
        assert!(!other.lease("a", "other", ten).await.unwrap(), "{kind}: it was not theirs to give back");
        one.release("a", "one").await.unwrap();
        assert!(other.lease("a", "other", ten).await.unwrap(), "{kind}");
        place.time.pass(10);
        assert!(one.lease("a", "one", ten).await.unwrap(), "{kind}: whoever died gave it back");
        // Owners and connectors do not run into one another.
        let alike = place.vault().await.scope("adaf", "iles");
        assert!(alike.lease("a", "alike", ten).await.unwrap(), "{kind}");
    }
}

/// Twenty at once, on two connections: each round one writes, and nothing that was acknowledged is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_write_one_does() {
    for place in places("raced").await {
        let kind = place.kind;
        let vaults = [place.vault().await, place.vault().await];
        let mut expected = None;
        for round in 0..5 {
            let writing: Vec<_> = (0..20)
                .map(|n| {
                    let scope = vaults[n % 2].scope("ada", "files");
                    tokio::spawn(async move {
                        scope.save("a", format!("{round} {n}").into(), expected, None).await.unwrap()
                    })
                })
                .collect();
            let mut written = BTreeSet::new();
            for one in writing {
                written.extend(one.await.unwrap());
            }
            assert_eq!(written.len(), 1, "{kind}, round {round}");
            expected = written.pop_first();
        }
        let removing: Vec<_> = (0..20)
            .map(|n| {
                let scope = Arc::new(vaults[n % 2].scope("ada", "files"));
                tokio::spawn(async move { scope.remove("a", expected.unwrap()).await.unwrap() })
            })
            .collect();
        let mut removed = 0;
        for one in removing {
            removed += usize::from(one.await.unwrap());
        }
        assert_eq!(removed, 1, "{kind}");
    }
}
