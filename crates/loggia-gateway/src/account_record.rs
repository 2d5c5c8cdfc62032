//! The record of an account: its name in the store, and its content, a key that the user entered or a credential of OAuth.
//!
//! The module is below the sign-ins and the list of accounts, which both read records. Invariant: the forms are on users'
//! disks and do not change.

use loggia_auth::client::Credential;
use loggia_connect::secret::Secret;

use crate::credentials::Credentials;

/// The prefix of the names of credentials: `account/<connector>/<account>`.
pub(crate) const ACCOUNTS: &str = "account/";

/// The record of an account whose credential is the one of the server's URL.
const SERVER_CREDENTIAL: &str = r#"{"credential_of":"server"}"#;

/// Returns the record of an account whose credential is the one of the server's URL.
pub(crate) fn server_credential() -> Secret {
    Secret::new(SERVER_CREDENTIAL)
}

/// Returns whether the credential of an account is the one of the server's URL.
pub(crate) fn is_server_credential(record: &Secret) -> bool {
    record.expose() == SERVER_CREDENTIAL
}

/// Returns the name of the record of an account.
pub(crate) fn account_key(connector: &str, account: &str) -> String {
    format!("{ACCOUNTS}{connector}/{account}")
}

/// Lets the redactor learn the secrets of a credential.
pub(crate) fn learn(credentials: &Credentials, connector: &str, credential: &Credential) {
    let client_secret = credential.client.secret.iter();
    for secret in client_secret.chain(&credential.refresh_token).chain([&credential.access_token]) {
        credentials.redactor().learn_secret(secret, &format!("[the credential of {connector}]"));
    }
}

/// Reads the record of an account as a credential of OAuth; `None` if the user entered a key or a token.
pub(crate) fn oauth_credential(record: &Secret) -> Option<Credential> {
    serde_json::from_str(record.expose()).ok()
}

/// Writes the record of an account.
pub(crate) fn account_record(credential: &Credential) -> Secret {
    Secret::new(serde_json::to_string(credential).expect("texts and numbers can be written"))
}
