use std::sync::Arc;

use loggia_auth::secret::Secret;
use loggia_auth::store::TokenStore;
use loggia_store::{CredentialKind, Database, MasterKeys, SavedLogin, StoreError, Vault};

use crate::places;

fn basic() -> SavedLogin {
    SavedLogin::Basic { user: "ada".to_owned(), password: Secret::new("sesame-password") }
}

#[tokio::test]
async fn credentials_are_kept_listed_and_forgotten() {
    for place in places("kept").await {
        let kind = place.kind;
        let vault = place.vault().await;
        vault.put("ada", "tracker", "default", &SavedLogin::ApiKey("sesame-key".into())).await.unwrap();
        vault.put("ada", "files", "work", &basic()).await.unwrap();
        vault.put("bob", "tracker", "default", &SavedLogin::ApiKey("bobs-key".into())).await.unwrap();
        vault
            .scope("ada", "tracker")
            .save("issuer", "sesame-token".into(), None, None)
            .await
            .unwrap()
            .unwrap();
        vault.internal("keys").save("a", "ours".into(), None, None).await.unwrap().unwrap();

        // Another process sees the same.
        let other = place.vault().await;
        let found = other.get("ada", "tracker", "default").await.unwrap();
        assert_eq!(found, Some(SavedLogin::ApiKey("sesame-key".into())), "{kind}");
        assert_eq!(other.get("ada", "files", "work").await.unwrap(), Some(basic()), "{kind}");
        assert_eq!(other.get("eve", "files", "work").await.unwrap(), None, "{kind}");
        assert!(other.get("ada", "tracker", "issuer").await.is_err(), "{kind}: tokens are no login");

        let listed = other.list(Some("ada")).await.unwrap();
        let names: Vec<_> =
            listed.iter().map(|entry| (&*entry.connector, &*entry.name, entry.kind)).collect();
        let expected = [
            ("files", "work", CredentialKind::Basic),
            ("tracker", "default", CredentialKind::ApiKey),
            ("tracker", "issuer", CredentialKind::OAuth),
        ];
        assert_eq!(names, expected, "{kind}");
        assert!(!format!("{listed:?}").contains("sesame"), "{kind}");
        assert_eq!(other.list(None).await.unwrap().len(), 4, "{kind}: what is Loggia's own is not listed");

        vault.put("ada", "tracker", "default", &basic()).await.unwrap();
        assert_eq!(other.get("ada", "tracker", "default").await.unwrap(), Some(basic()), "{kind}: replaced");
        assert!(vault.forget("ada", "tracker", "default").await.unwrap(), "{kind}");
        assert!(!vault.forget("ada", "tracker", "default").await.unwrap(), "{kind}");
        assert_eq!(vault.forget_connector("ada", "tracker").await.unwrap(), 1, "{kind}");
        assert_eq!(vault.forget_owner("ada").await.unwrap(), 1, "{kind}");
        assert_eq!(other.list(None).await.unwrap().len(), 1, "{kind}");
    }
}

/// The content of the disk reveals no secret.
#[tokio::test]
async fn secrets_are_not_in_the_file() {
    let place = places("disk").await.remove(0);
    let vault = place.vault().await;
    vault.put("ada", "files", "work", &basic()).await.unwrap();
    vault.scope("ada", "files").save("issuer", "sesame-token".into(), None, None).await.unwrap();
    drop(vault);
    for file in std::fs::read_dir(place.folder().path()).unwrap() {
        let file = file.unwrap();
        let content = std::fs::read(file.path()).unwrap();
        let found = content.windows(6).any(|window| window == b"sesame");
        assert!(!found, "{:?}", file.file_name());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
        }
    }
}

#[tokio::test]
async fn the_master_key_changes_under_everybody() {
    for place in places("rotated").await {
        let kind = place.kind;
        let vault = place.vault().await;
        for n in 0..450 {
            vault
                .internal("many")
                .save(&n.to_string(), format!("value {n}").into(), None, None)
                .await
                .unwrap();
        }
        vault.put("ada", "files", "work", &basic()).await.unwrap();
        let old = place.keys.lock().unwrap().clone();
        let both = old.rotated();
        let revision = vault.internal("many").load("7").await.unwrap().unwrap().revision;
        assert_eq!(vault.rotate(both.clone()).await.unwrap(), 451, "{kind}");
        assert_eq!(vault.rotate(both.clone()).await.unwrap(), 0, "{kind}: again");
        assert_eq!(vault.masters().await.unwrap(), [both.current()], "{kind}");
        let moved = vault.internal("many").load("7").await.unwrap().unwrap();
        assert_eq!(
            (moved.value, moved.revision),
            ("value 7".into(), revision),
            "{kind}: the record is the same"
        );

        let open =
            async |keys: MasterKeys| Vault::open(Database::open(&place.url).await.unwrap(), keys).await;
        let newest = open(both.newest()).await.unwrap();
        assert_eq!(newest.get("ada", "files", "work").await.unwrap(), Some(basic()), "{kind}");
        let refused = open(old).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Key(what) if what.contains(both.current())),
            "{kind}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_record_that_was_moved_or_changed_does_not_open() {
    let place = places("moved").await.remove(0);
    let vault = place.vault().await;
    vault.put("ada", "files", "work", &basic()).await.unwrap();
    vault.put("eve", "files", "work", &SavedLogin::ApiKey("hers".into())).await.unwrap();
    let file = place.url.strip_prefix("sqlite:").unwrap();
    let raw = rusqlite::Connection::open(file).unwrap();
    let copy = "UPDATE secrets SET kind = 'basic', (wrapped, sealed) = (SELECT wrapped, sealed FROM secrets WHERE owner = 'ada') WHERE owner = 'eve'";
    raw.execute(copy, []).unwrap();
    let error = vault.get("eve", "files", "work").await.unwrap_err();
    assert_eq!(error, StoreError::Sealed("eve/files/work".to_owned()));
    assert_eq!(vault.get("ada", "files", "work").await.unwrap(), Some(basic()));
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_explained() {
    for (url, reason) in [
        ("mysql://user:sesame@host/db", "sqlite:PATH"),
        ("sqlite:/no/such/folder/loggia.db", "cannot be opened"),
        #[cfg(feature = "postgres")]
        ("postgres://user:sesame@host:port/db", "cannot be read"),
        #[cfg(feature = "postgres")]
        ("postgres://user:sesame@127.0.0.1:1/db", "cannot be used at the moment"),
    ] {
        let error = Database::open(url).await.unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains("sesame"), "{url}: {error}");
    }
}

/// Replicas that start at the same time all bring the tables up to date; one does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_start_at_once() {
    for place in places("started").await {
        let place = Arc::new(place);
        let starting: Vec<_> = (0..8)
            .map(|_| {
                let place = place.clone();
                tokio::spawn(async move { place.vault().await.list(None).await.unwrap().len() })
            })
            .collect();
        for started in starting {
            assert_eq!(started.await.unwrap(), 0, "{}", place.kind);
        }
    }
}
