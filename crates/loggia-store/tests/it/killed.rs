use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use loggia_auth::secret::Secret;
use loggia_auth::store::TokenStore;
use loggia_store::{Database, MasterKeys, Vault};

use crate::places;

const URL: &str = "LOGGIA_TEST_WRITES_TO";
const KEYS: &str = "LOGGIA_TEST_KEYS";

/// The other process: it writes one number after another, and says each when it is written.
#[tokio::test]
async fn writer() {
    let Ok(url) = std::env::var(URL) else { return };
    let keys = MasterKeys::from_env(KEYS).unwrap();
    let scope = Vault::open(Database::open(&url).await.unwrap(), keys).await.unwrap().scope("ada", "files");
    for n in 0u64.. {
        let stored = scope.load("token").await.unwrap();
        let expected = stored.map(|stored| stored.revision);
        scope.save("token", n.to_string().into(), expected, None).await.unwrap().unwrap();
        println!("written {n}");
    }
}

/// An acknowledged write is in the database, however the process ended.
#[tokio::test]
async fn what_was_written_survives_the_process() {
    for place in places("killed").await {
        let keys = place.keys.lock().unwrap().clone();
        for round in 0..10 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "killed::writer", "--nocapture"])
                .env(URL, &place.url)
                .env(KEYS, keys.to_text().expose())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let said = |line: String| line.rsplit_once("written ").and_then(|(_, n)| n.parse::<u64>().ok());
            let after = lines.by_ref().map(|line| line.unwrap()).filter_map(said).nth(2 + round * 3);
            child.kill().unwrap();
            // The lines that it printed before it was killed count, too.
            let last = lines.map_while(Result::ok).filter_map(said).last().or(after).unwrap();
            child.wait().unwrap();
            let stored = place.vault().await.scope("ada", "files").load("token").await.unwrap().unwrap();
            let found: u64 = stored.value.expose().parse().unwrap();
            assert!(
                found == last || found == last + 1,
                "{}, round {round}: {found} after {last}",
                place.kind
            );
            assert!(
                place.vault().await.scope("ada", "files").remove("token", stored.revision).await.unwrap()
            );
            assert_ne!(stored.value, Secret::new(""));
        }
    }
}
