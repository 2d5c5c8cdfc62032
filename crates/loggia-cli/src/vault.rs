//! What `loggia up` remembers of people, sealed: who is signed in, API keys, credentials. It is one file beside the
//! person's own credentials, or the database that several replicas share.

use std::env::VarError;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loggia::transport::http::SessionKey;
use loggia_auth::jose::random;
use loggia_auth::keys::ApiKeys;
use loggia_auth::secret::Secret;
use loggia_auth::store::TokenStore;
use loggia_connect::manifest::VaultKey;
use loggia_store::{Database, KeyTool, MasterKeys, StoreError, Vault};

use crate::credentials::Credentials;
use crate::exit::{Failure, Outcome};

/// Names the database that replicas share.
const DATABASE: &str = "DATABASE_URL";
/// Holds the keys, newest first.
const MASTER_KEY: &str = "LOGGIA_MASTER_KEY";
/// The vault of one machine, and its key beside it.
const FILE: &str = "vault.db";
const KEY_FILE: &str = "vault.key";
/// How often what has ended is forgotten.
const TIDY: Duration = Duration::from_secs(10 * 60);
/// The account of the operating system's keyring.
const ACCOUNT: &str = "vault";

/// Opens the vault, which is made where there is none.
pub(crate) async fn open(credentials: &Credentials, key: &VaultKey) -> Outcome<Vault> {
    let keys = keys(credentials, key).await?;
    let url = match database()? {
        Some(url) => url,
        None => format!("sqlite:{}", credentials.folder().map_err(Failure::usage)?.join(FILE).display()),
    };
    let opened = match Database::open(&url).await {
        Ok(database) => Vault::open(database, keys).await,
        Err(error) => Err(error),
    };
    opened.map_err(failed)
}

/// The key of the sessions of old clients: with the same one they go on after a restart, and at other replicas.
pub(crate) async fn session_key(vault: &Vault) -> Outcome<SessionKey> {
    let scope = vault.internal("sessions");
    let fresh = Secret::new(random(32));
    // Of several who begin at once, one writes it.
    scope.save("key", fresh, None, None).await.map_err(Failure::usage)?;
    let kept = scope.load("key").await.map_err(Failure::usage)?;
    let bytes = kept.and_then(|kept| URL_SAFE_NO_PAD.decode(kept.value.expose()).ok());
    let key: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let lost = || Failure::usage("the vault cannot be used: its session key cannot be read");
    Ok(SessionKey::from_bytes(&key.ok_or_else(lost)?))
}

/// Forgets what has ended, as long as it runs.
pub(crate) async fn tidy(vault: Vault) {
    loop {
        tokio::time::sleep(TIDY).await;
        if let Err(error) = vault.purge().await {
            tracing::warn!(%error, "expired records cannot be deleted from the vault; Loggia tries again later");
        }
    }
}

async fn keys(credentials: &Credentials, key: &VaultKey) -> Outcome<MasterKeys> {
    if std::env::var_os(MASTER_KEY).is_some_and(|text| !text.is_empty()) {
        return MasterKeys::from_env(MASTER_KEY).map_err(failed);
    }
    let keys = match key {
        VaultKey::File => {
            let folder = credentials.folder().map_err(Failure::usage)?;
            key_is_not_lost(folder)?;
            MasterKeys::from_file(folder.join(KEY_FILE))
        }
        VaultKey::Command(command) => KeyTool::command(command).load().await,
        VaultKey::Keyring => match KeyTool::keyring(ACCOUNT) {
            Some(keyring) => keyring.load_or_create().await,
            None => Err(StoreError::Key("this system has no tool for its keyring".to_owned())),
        },
    };
    keys.map_err(failed)
}

/// A new key in the place of a lost one would open nothing, and hide what is missing.
fn key_is_not_lost(folder: &Path) -> Outcome {
    let (vault, key) = (folder.join(FILE), folder.join(KEY_FILE));
    if database()?.is_some() || key.exists() || !vault.exists() {
        return Ok(());
    }
    Err(Failure::usage(format!("the vault {} cannot be opened: its key {} is gone", vault.display(), key.display()))
        .hint(format!(
            "put the key back, or set {MASTER_KEY}. If the key is lost, the vault cannot be read: move the vault away, \
             and all users sign in again"
        )))
}

/// The URL of the shared database, if one is named.
fn database() -> Outcome<Option<String>> {
    match std::env::var(DATABASE) {
        Ok(url) => Ok(Some(url).filter(|url| !url.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage(format!("{DATABASE} is not UTF-8 text")).hint(
            format!("write {DATABASE}=postgres://USER@HOST/NAME, or unset it to use a file on this machine"),
        )),
    }
}

fn failed(error: StoreError) -> Failure {
    let failure = Failure::usage(format!("the vault cannot be opened: {error}"));
    match error {
        StoreError::Key(_) => failure.hint(format!(
            "the key is in a file beside the vault, unless {MASTER_KEY} is set, or [server.vault] names the keyring or a \
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
