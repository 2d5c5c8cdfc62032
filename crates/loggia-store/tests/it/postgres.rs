//! The PostgreSQL that the tests are given: `cargo xtask test` starts one for them and says where it is. Each
//! test has a database of its own in it. Invariant: in continuous integration no test passes because there is none.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio_postgres::NoTls;
use url::Url;

/// Names a server, as a URL, whose user may create databases.
const SERVER: &str = "LOGGIA_TEST_POSTGRES";

/// Returns the URL of a new database; `None` where no server was named.
///
/// # Panics
///
/// Panics if no server was named and `CI` is set: the test would pass without a database.
pub(crate) async fn database(test: &str) -> Option<String> {
    if cfg!(not(feature = "postgres")) {
        return None;
    }
    let server = named(std::env::var(SERVER).ok(), std::env::var_os("CI").is_some())?;
    let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
    tokio::spawn(connection);
    let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let name = format!("{test}_{}_{unique}", std::process::id());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let mut url = Url::parse(&server).unwrap();
    url.set_path(&name);
    Some(url.into())
}

/// Returns the server that was named, if there is one.
fn named(server: Option<String>, is_ci: bool) -> Option<String> {
    if server.is_none() {
        let reason = format!("{SERVER} names no PostgreSQL; `cargo xtask test unit` starts one");
        assert!(!is_ci, "{reason}, and with CI set no test is left out");
        println!("left out: {reason}");
    }
    server
}

#[test]
fn a_missing_server_fails_the_tests_in_continuous_integration_alone() {
    for (server, is_ci, expected) in [
        (None, false, Ok(None)),
        (None, true, Err(())),
        (Some("url"), false, Ok(Some("url"))),
        (Some("url"), true, Ok(Some("url"))),
    ] {
        let found = std::panic::catch_unwind(|| named(server.map(str::to_owned), is_ci));
        assert_eq!(found.as_ref().map(Option::as_deref).map_err(drop), expected, "{server:?}, {is_ci}");
    }
}

/// Executes a statement in the database at `url`.
pub(crate) async fn run(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
}
