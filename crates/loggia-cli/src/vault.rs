//! What `loggia up` remembers of people, sealed: who is signed in, API keys, credentials. It is one file beside the
//! person's own credentials, or the database that several replicas share.

use std::sync::Arc;
use std::time::Duration;

use loggia_auth::keys::ApiKeys;
use loggia_connect::manifest::VaultKey;
use loggia_store::{Database, KeyTool, MasterKeys, StoreError, Vault};

use crate::credentials::Credentials;
use crate::exit::{Failure, Outcome};

/// Names the database that replicas share.
const DATABASE: &str = "DATABASE_URL";
/// Holds the keys, newest first.
const MASTER_KEY: &str = "LOGGIA_MASTER_KEY";
/// How often what has ended is forgotten.
const TIDY: Duration = Duration::from_secs(10 * 60);
/// The account of the operating system's keyring.
const ACCOUNT: &str = "vault";

/// Opens the vault, which is made where there is none.
pub(crate) async fn open(credentials: &Credentials, key: &VaultKey) -> Outcome<Vault> {
    let keys = keys(credentials, key).await?;
    let url = match std::env::var(DATABASE) {
        Ok(url) if !url.is_empty() => url,
        _ => format!("sqlite:{}", credentials.folder().map_err(Failure::usage)?.join("vault.db").display()),
    };
    let opened = match Database::open(&url).await {
        Ok(database) => Vault::open(database, keys).await,
        Err(error) => Err(error),
    };
    opened.map_err(failed)
}

/// Forgets what has ended, as long as it runs.
pub(crate) async fn tidy(vault: Vault) {
    loop {
        tokio::time::sleep(TIDY).await;
        if let Err(error) = vault.purge().await {
            tracing::warn!(%error, "what has ended stays in the vault for now");
        }
    }
}

async fn keys(credentials: &Credentials, key: &VaultKey) -> Outcome<MasterKeys> {
    if std::env::var_os(MASTER_KEY).is_some_and(|text| !text.is_empty()) {
        return MasterKeys::from_env(MASTER_KEY).map_err(failed);
    }
    let keys = match key {
        VaultKey::File => {
            MasterKeys::from_file(credentials.folder().map_err(Failure::usage)?.join("vault.key"))
        }
        VaultKey::Command(command) => KeyTool::command(command).load().await,
        VaultKey::Keyring => match KeyTool::keyring(ACCOUNT) {
            Some(keyring) => keyring.load_or_create().await,
            None => Err(StoreError::Key("this system has no tool for its keyring".to_owned())),
        },
    };
    keys.map_err(failed)
}

fn failed(error: StoreError) -> Failure {
    let failure = Failure::usage(format!("the vault cannot be opened: {error}"));
    match error {
        StoreError::Key(_) => failure.hint(format!(
            "the key is a file beside the vault, unless {MASTER_KEY} holds it, or [server.vault] names the keyring or a \
             key_command"
        )),
        _ if std::env::var_os(DATABASE).is_some() => failure.hint(format!("{DATABASE} names the database")),
        _ => failure,
    }
}

/// The API keys in it.
pub(crate) fn api_keys(vault: &Vault) -> ApiKeys {
    ApiKeys::new(Arc::new(vault.internal("api-keys")))
}
