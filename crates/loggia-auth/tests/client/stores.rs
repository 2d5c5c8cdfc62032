//! The promises of every store, and further ones of the store in files.

use std::time::{Duration, SystemTime};

use loggia_auth::error::AuthError;
use loggia_auth::secret::Secret;
use loggia_auth::store::{FileStore, MemoryStore, TokenStore, UNREADABLE};

const LONG: Duration = Duration::from_secs(60);

/// Everything a store has to do, in one story.
async fn promises(store: &dyn TokenStore) {
    let value = |text: &str| Secret::new(text);
    let save = |key: &'static str, text: &str, expected| store.save(key, value(text), expected, None);

    assert_eq!(store.load("a/1").await.unwrap(), None);
    assert_eq!(save("a/1", "one", Some(7)).await.unwrap(), None, "there is nothing to replace");
    let first = save("a/1", "one", None).await.unwrap().expect("nobody was there before");
    assert_eq!(save("a/1", "two", None).await.unwrap(), None, "somebody was there before");
    let second = save("a/1", "two", Some(first)).await.unwrap().expect("it is the revision that was read");
    assert!(second > first);
    assert_eq!(save("a/1", "three", Some(first)).await.unwrap(), None, "somebody wrote in between");
    let stored = store.load("a/1").await.unwrap().unwrap();
    assert_eq!((stored.value.expose(), stored.revision), ("two", second));

    save("a/2", "x", None).await.unwrap();
    save("b/1", "x", None).await.unwrap();
    assert_eq!(store.keys("a/").await.unwrap(), ["a/1", "a/2"]);

    assert!(!store.remove("a/1", first).await.unwrap(), "that revision is gone");
    assert!(store.remove("a/1", second).await.unwrap());
    assert!(!store.remove("a/1", second).await.unwrap(), "one of two gets it");
    assert_eq!(store.load("a/1").await.unwrap(), None);

    let past = SystemTime::now() - LONG;
    store.save("c", value("old"), None, Some(past)).await.unwrap();
    store.save("d", value("new"), None, Some(SystemTime::now() + LONG)).await.unwrap();
    assert!(
        store.save("c", value("anew"), None, None).await.unwrap().is_some(),
        "what is over is as good as gone"
    );

    assert!(store.lease("l", "one", LONG).await.unwrap());
    assert!(store.lease("l", "one", LONG).await.unwrap(), "whoever has it has it for longer");
    assert!(!store.lease("l", "other", LONG).await.unwrap());
    assert!(store.lease("m", "other", LONG).await.unwrap(), "another record is another lease");
    store.release("l", "other").await.unwrap();
    assert!(!store.lease("l", "other", LONG).await.unwrap(), "only the holder gives it back");
    store.release("l", "one").await.unwrap();
    assert!(store.lease("l", "other", Duration::ZERO).await.unwrap());
    assert!(store.lease("l", "one", LONG).await.unwrap(), "a lease ends by itself");
}

#[tokio::test]
async fn stores_keep_their_promises() {
    promises(&MemoryStore::new()).await;
    let folder = tempfile::tempdir().unwrap();
    promises(&FileStore::open(folder.path().join("tokens")).unwrap()).await;
}

#[tokio::test]
async fn files_are_shared_between_processes_and_with_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/tokens");
    let (one, other) = (FileStore::open(&path).unwrap(), FileStore::open(&path).unwrap());
    let revision = one.save("k", Secret::new("sesame"), None, None).await.unwrap().unwrap();
    assert_eq!(other.load("k").await.unwrap().unwrap().revision, revision);

    assert!(one.lease("k", "one", LONG).await.unwrap());
    assert!(!other.lease("k", "other", LONG).await.unwrap());
    drop(one);
    assert!(other.lease("k", "other", LONG).await.unwrap(), "who is gone holds nothing");

    #[cfg(unix)]
    for entry in std::fs::read_dir(&path).unwrap().chain(std::fs::read_dir(path.parent().unwrap()).unwrap()) {
        use std::os::unix::fs::PermissionsExt;
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert!(matches!(mode, 0o600 | 0o700), "{:?} {mode:o}", entry.path());
    }
}

#[tokio::test]
async fn a_damaged_file_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    store.save("k", Secret::new("sesame"), None, None).await.unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    std::fs::write(&file, "{\"value\":\"sesame").unwrap();
    let error = store.load("k").await.unwrap_err();
    assert!(matches!(error, AuthError::Unreadable(_)), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("is damaged") && !error.contains("sesame"), "{error}");
    assert!(!store.remove("k", UNREADABLE + 1).await.unwrap());
    assert!(store.remove("k", UNREADABLE).await.unwrap());
    assert_eq!(store.load("k").await.unwrap(), None);
    assert!(!store.remove("k", UNREADABLE).await.unwrap());
}

/// A read-only folder, as in a container: its records can be read.
#[tokio::test]
async fn what_may_only_be_read_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let revision =
        FileStore::open(folder.path()).unwrap().save("k", Secret::new("sesame"), None, None).await.unwrap();
    // A process that cannot lock the folder cannot write to it, not even root.
    let lock = folder.path().join("lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    assert_eq!(store.load("k").await.unwrap().map(|stored| stored.revision), revision);
    assert_eq!(store.keys("").await.unwrap(), ["k"]);
    assert!(matches!(store.save("k", Secret::new("x"), revision, None).await, Err(AuthError::Store(_))));
}

/// A folder that came from somewhere else is closed.
#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_others_could_look_into_is_closed() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    FileStore::open(folder.path()).unwrap();
    let mode = std::fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn what_is_over_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    let now = SystemTime::now();
    for (key, until) in [("over", Some(now - LONG)), ("later", Some(now + LONG)), ("always", None)] {
        store.save(key, Secret::new("x"), None, until).await.unwrap();
    }
    std::fs::write(folder.path().join(".half.new"), "{").unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files(), 3 + 1 + 1, "three records, one half, the lock");
    let store = FileStore::open(folder.path()).unwrap();
    assert_eq!(files(), 2 + 1);
    assert_eq!(store.keys("").await.unwrap(), ["always", "later"]);
}

#[tokio::test]
async fn of_many_who_write_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    let revision = store.save("k", Secret::new("0"), None, None).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = FileStore::open(folder.path()).unwrap();
        writers
            .spawn(async move { store.save("k", Secret::new(n.to_string()), revision, None).await.unwrap() });
    }
    let wrote = writers.join_all().await;
    assert_eq!(wrote.iter().flatten().count(), 1);
}
