//! The PostgreSQL that the tests are given: `cargo xtask test` starts one for them and says where it is. Each
//! test has a database of its own in it.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio_postgres::NoTls;
use url::Url;

/// Names a server, as a URL, whose user may create databases.
const SERVER: &str = "LOGGIA_TEST_POSTGRES";

/// The URL of a new database; `None` where no server was named.
pub(crate) async fn database(test: &str) -> Option<String> {
    if cfg!(not(feature = "postgres")) {
        return None;
    }
    let Ok(server) = std::env::var(SERVER) else {
        println!("left out: {SERVER} names no PostgreSQL; `cargo xtask test unit` starts one");
        return None;
    };
    let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
    tokio::spawn(connection);
    let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let name = format!("{test}_{}_{unique}", std::process::id());
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let mut url = Url::parse(&server).unwrap();
    url.set_path(&name);
    Some(url.into())
}
