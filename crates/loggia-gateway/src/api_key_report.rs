//! API keys as JSON and as text for the administrator: for commands, pages and the admin API. Invariant: no secret is
//! in them, and scripts read the JSON, so its names stay.

use std::time::SystemTime;

use loggia_auth::clock;
use loggia_auth::keys::ApiKey;
use serde_json::{Value, json};

use crate::report_text::{ReportText, TextRole, rough_duration};

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

/// Returns an API key as one line for people, as it is at the time `now`.
pub fn api_key_text(key: &ApiKey, now: SystemTime) -> ReportText {
    let now = clock::seconds(now);
    let (is_valid, until) = match (key.revoked, key.expires) {
        (Some(_), _) => (false, "revoked".to_owned()),
        (None, Some(end)) if end <= now => (false, "expired".to_owned()),
        (None, Some(end)) => (true, format!("expires in {}", rough_duration(end - now))),
        (None, None) => (true, "does not expire".to_owned()),
    };
    let (role, mark) = if is_valid { (TextRole::Good, "✓") } else { (TextRole::Warning, "-") };
    let label = if key.label.is_empty() { String::new() } else { format!("  {}", key.label) };
    ReportText::default()
        .with(role, mark)
        .plain(" ")
        .column(TextRole::Name, &key.id, 12)
        .plain(&format!(" {}  ", key.subject))
        .with(TextRole::Detail, &format!("{}  {until}", key.scopes.join(" ")))
        .plain(&label)
        .end_line()
}
