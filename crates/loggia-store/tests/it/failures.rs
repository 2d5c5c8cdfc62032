//! Databases and keys that cannot be used: the error names the place and the next step.

use std::path::Path;

use loggia_auth::error::AuthError;
use loggia_store::{Database, MasterKeys, StoreError, Vault};

use crate::Folder;

async fn open(url: &str) -> Result<Vault, StoreError> {
    let vault = Vault::open(Database::open(url).await?, MasterKeys::generate()).await?;
    // Damage inside shows when the records are read.
    vault.list(None).await.map(|_| vault)
}

/// A sound database, all of whose pages but the first are overwritten.
async fn damaged_inside(path: &Path) {
    drop(open(&format!("sqlite:{}", path.display())).await.unwrap());
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    let mut bytes = std::fs::read(path).unwrap();
    assert!(bytes.len() > 8192, "{} bytes", bytes.len());
    bytes[4096..].fill(0xff);
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named_with_the_next_step() {
    let folder = Folder::new("failures");
    std::fs::write(folder.file("text.db"), "this is no database at all, and long enough to be read as one")
        .unwrap();
    std::fs::create_dir(folder.file("folder.db")).unwrap();
    std::fs::write(folder.file("file"), "").unwrap();
    damaged_inside(&folder.file("inside.db")).await;
    for (place, advice) in [
        ("text.db", "restore it from a backup"),
        ("inside.db", "restore it from a backup"),
        ("folder.db", "move that away"),
        ("file/in.db", "move that away"),
    ] {
        let path = folder.file(place);
        let error = open(&format!("sqlite:{}", path.display())).await.expect_err(place);
        let text = error.to_string();
        assert!(text.contains(&*path.to_string_lossy()) && text.contains(advice), "{place}: {text}");
        assert!(!AuthError::from(error).is_unavailable(), "{place}");
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_database_that_is_away_is_named_without_its_password() {
    // No server listens on port 1.
    let error = open("postgres://ada:s3cret@127.0.0.1:1/team").await.expect_err("it is away");
    let text = error.to_string();
    assert!(text.contains("PostgreSQL at 127.0.0.1:1/team") && !text.contains("s3cret"), "{text}");
    assert!(AuthError::from(error).is_unavailable(), "{text}");
}

/// Each line: the parameters of the address, what the server does, whether the failure passes, and the next step.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_postgres_that_refuses_is_told_from_one_that_is_away() {
    use crate::scripted_postgres::Script::{Ask, Close, Fail, Speak, Tls};
    let table = [
        ("ada@", "", Close, true, ""),
        ("ada@", "", Fail("57P03"), true, ""),
        ("ada@", "", Fail("53300"), true, ""),
        ("ada@", "", Fail("28P01"), false, "check the user and the password"),
        ("ada@", "", Fail("3D000"), false, "create this database"),
        ("ada@", "", Fail("XX000"), false, "the log of PostgreSQL"),
        // A password is asked for in the clear, as a digest, and by SASL; and then in a way that is not known.
        ("ada@", "", Ask(&[0, 0, 0, 3]), false, "check its address (password"),
        ("ada@", "", Ask(&[0, 0, 0, 5, 1, 2, 3, 4]), false, "check its address (password"),
        ("ada@", "", Ask(b"\0\0\0\x0aSCRAM-SHA-256\0\0"), false, "check its address (password"),
        ("ada:s3cret@", "", Ask(b"\0\0\0\x0aOTHER\0\0"), false, "check its address (password"),
        ("ada@", "?sslmode=require", Close, false, "sslmode"),
        ("ada@", "?sslmode=require", Speak(b"HTTP/1.1 400 Bad Request\r\n\r\n"), false, "sslmode"),
        ("ada@", "?sslmode=verify-full", Tls, false, "sslrootcert=FILE"),
    ];
    for (user, parameters, script, is_passing, advice) in table {
        let address = crate::scripted_postgres::scripted(script);
        let url = format!("postgres://{user}{address}/team{parameters}");
        let error = open(&url).await.expect_err(&url);
        let text = error.to_string();
        assert!(text.contains(&format!("PostgreSQL at {address}/team")), "{script:?}: {text}");
        assert!(text.contains(advice) && !text.contains("s3cret"), "{script:?}: {text}");
        assert_eq!(AuthError::from(error).is_unavailable(), is_passing, "{script:?}: {text}");
    }
}

/// A database of another program is refused as it is, and one with tables of both programs is opened.
#[tokio::test]
async fn the_database_of_another_program_is_not_changed() {
    let folder = Folder::new("foreign");
    let path = folder.file("shop.db");
    let url = format!("sqlite:{}", path.display());
    let run = |statement: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(statement).unwrap();
    // The other program may number its own migrations as we do.
    run("CREATE TABLE orders (id INTEGER); CREATE TABLE users (id INTEGER); PRAGMA user_version = 9");
    let before = std::fs::read(&path).unwrap();
    let text = open(&url).await.expect_err("it is of another program").to_string();
    assert!(text.contains("shop.db has tables of another program (orders, users)"), "{text}");
    assert!(text.contains("name an empty database"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(!folder.file("shop.db-wal").exists());
    run("DROP TABLE orders; DROP TABLE users; PRAGMA user_version = 0");
    drop(open(&url).await.unwrap());
    run("CREATE TABLE orders (id INTEGER)");
    drop(open(&url).await.unwrap());
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn the_postgres_of_another_program_is_not_changed() {
    let Some(url) = crate::postgres::database("foreign").await else { return };
    crate::postgres::run(&url, "CREATE TABLE orders (id INTEGER)").await;
    let error = open(&url).await.expect_err("it is of another program");
    assert!(error.to_string().contains("has tables of another program (orders)"), "{error}");
    assert!(!AuthError::from(error).is_unavailable());
    // A schema of its own in the same database is Loggia's.
    crate::postgres::run(&url, "CREATE SCHEMA loggia").await;
    let separator = if url.contains('?') { '&' } else { '?' };
    drop(open(&format!("{url}{separator}options=-csearch_path%3Dloggia")).await.unwrap());
    // Tables of both are ours too.
    crate::postgres::run(&url, "DROP TABLE orders").await;
    drop(open(&url).await.unwrap());
    crate::postgres::run(&url, "CREATE TABLE orders (id INTEGER)").await;
    drop(open(&url).await.unwrap());
}

/// A value that a table cannot hold is refused by the client's library, without a state of the server.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn tables_of_another_program_are_no_passing_failure() {
    let Some(url) = crate::postgres::database("tables").await else { return };
    drop(open(&url).await.unwrap());
    crate::postgres::run(&url, "ALTER TABLE secrets ALTER COLUMN until TYPE INTEGER").await;
    let error = open(&url).await.expect_err("the column is of another type");
    let text = error.to_string();
    assert!(text.contains("name an empty database"), "{text}");
    assert!(!AuthError::from(error).is_unavailable(), "{text}");
}

#[test]
fn a_key_file_that_cannot_be_used_is_named_with_the_next_step() {
    let folder = Folder::new("failing-keys");
    std::fs::create_dir(folder.file("folder.key")).unwrap();
    std::fs::write(folder.file("file"), "").unwrap();
    for (place, advice) in [("folder.key", ""), ("file/in.key", "move that away")] {
        let text = MasterKeys::from_file(folder.file(place)).expect_err(place).to_string();
        assert!(text.contains(&*folder.file(place).to_string_lossy()) && text.contains(advice), "{text}");
    }
}
