//! API keys and credentials as JSON for the administrator: for commands, pages and the admin API. Invariant: no secret is
//! in it, and scripts read it, so names stay.

use loggia_auth::clock::seconds;
use loggia_auth::keys::ApiKey;
use loggia_store::VaultEntry;
use serde_json::{Value, json};

/// Returns an API key as JSON. Times are in seconds since 1970.
pub fn api_key_json(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "owner": key.subject,
        "label": key.label,
        "scopes": key.scopes,
        "createdAt": key.created,
        "expiresAt": key.expires,
        "revokedAt": key.revoked,
    })
}

/// Returns the credential of a user for a connector as JSON. Times are in seconds since 1970.
pub fn user_credential_json(entry: &VaultEntry) -> Value {
    json!({
        "owner": entry.owner,
        "connector": entry.connector,
        "kind": entry.kind.to_string(),
        "since": seconds(entry.created),
        "renewedAt": seconds(entry.updated),
    })
}
