//! The users of a gateway and their credentials as JSON and as text for the administrator: for commands, pages and the admin
//! API. Invariant: no secret is in them, and scripts read the JSON, so its names stay.

use std::collections::BTreeMap;
use std::time::SystemTime;

use loggia_auth::clock::seconds;
use loggia_store::{CredentialKind, VaultEntry};
use serde_json::{Value, json};

use crate::report_text::{ReportText, TextRole, count, rough_duration};

/// Columns of a name.
const NAME: usize = 16;

/// The users of a gateway.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UserList {
    /// The users who are signed in to the gateway, each with the number of programs.
    pub signed_in: BTreeMap<String, usize>,
    /// The credentials of users for connectors.
    pub credentials: Vec<VaultEntry>,
}

/// The access of a user that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedAccess {
    /// The user.
    pub owner: String,
    /// The number of sign-ins.
    pub sign_ins: usize,
    /// The number of API keys.
    pub keys: usize,
}

/// Credentials of a user that were deleted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ForgottenCredentials {
    /// The credentials.
    pub credentials: Vec<VaultEntry>,
    /// Those of them that could not be revoked.
    pub failures: Vec<RevocationFailure>,
}

/// The access and the credentials of a user that were removed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RemovedUser {
    /// The access that was ended.
    pub access: EndedAccess,
    /// The credentials that were deleted.
    pub forgotten: ForgottenCredentials,
}

/// A credential that was deleted here, but could not be revoked at the server that issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationFailure {
    /// The connector.
    pub connector: String,
    /// The reason.
    pub reason: String,
}

impl UserList {
    /// Returns whether no user has signed in to the gateway or to a connector.
    pub fn is_empty(&self) -> bool {
        self.signed_in.is_empty() && self.credentials.is_empty()
    }

    /// Returns the list as JSON.
    pub fn to_json(&self) -> Value {
        let sign_in = |(owner, programs)| json!({ "owner": owner, "programs": programs });
        let signed_in: Vec<Value> = self.signed_in.iter().map(sign_in).collect();
        json!({ "hub": signed_in, "people": credentials_json(&self.credentials) })
    }

    /// Returns the list for people, one sign-in or credential on each line.
    pub fn to_text(&self) -> ReportText {
        let signed_in = self.signed_in.iter().map(|(owner, programs)| {
            ReportText::default()
                .column(TextRole::Name, owner, NAME)
                .plain(" this gateway     signed in  ")
                .with(TextRole::Detail, &format!("with {}", count(*programs, "program")))
                .end_line()
        });
        signed_in.chain(self.credentials.iter().map(credential_text)).collect()
    }
}

impl EndedAccess {
    /// Returns whether the user had no access.
    pub fn is_empty(&self) -> bool {
        self.sign_ins + self.keys == 0
    }

    /// Returns the ended access as JSON.
    pub fn to_json(&self) -> Value {
        json!({ "owner": self.owner, "signedOut": self.sign_ins, "keysRevoked": self.keys })
    }

    /// Returns one line for people.
    pub fn to_text(&self) -> ReportText {
        let (sign_ins, keys) = (count(self.sign_ins, "sign-in"), count(self.keys, "API key"));
        ReportText::default()
            .with(TextRole::Name, &self.owner)
            .plain(&format!(" is signed out: {sign_ins} and {keys} ended"))
            .end_line()
    }
}

impl ForgottenCredentials {
    /// Returns the credentials as JSON.
    pub fn to_json(&self) -> Value {
        json!({ "forgotten": credentials_json(&self.credentials) })
    }

    /// Returns the credentials for people, one on each line.
    pub fn to_text(&self) -> ReportText {
        self.credentials.iter().map(credential_text).collect()
    }
}

impl RemovedUser {
    /// Returns the ended access and the deleted credentials as JSON.
    pub fn to_json(&self) -> Value {
        let mut all = self.access.to_json();
        all["forgotten"] = credentials_json(&self.forgotten.credentials);
        all
    }

    /// Returns the ended access and the deleted credentials for people, one on each line.
    pub fn to_text(&self) -> ReportText {
        [self.access.to_text(), self.forgotten.to_text()].into_iter().collect()
    }
}

/// Returns credentials of users for connectors as JSON. Times are in seconds since 1970.
fn credentials_json(entries: &[VaultEntry]) -> Value {
    let credential = |entry: &VaultEntry| {
        json!({
            "owner": entry.owner,
            "connector": entry.connector,
            "kind": entry.kind.to_string(),
            "since": seconds(entry.created),
            "renewedAt": seconds(entry.updated),
        })
    };
    entries.iter().map(credential).collect()
}

/// Returns the credential of a user for a connector as one line.
fn credential_text(entry: &VaultEntry) -> ReportText {
    let kind = match entry.kind {
        CredentialKind::OAuth => "signed in",
        _ => "API key",
    };
    let since = |time: SystemTime| {
        rough_duration(SystemTime::now().duration_since(time).unwrap_or_default().as_secs())
    };
    ReportText::default()
        .column(TextRole::Name, &entry.owner, NAME)
        .plain(" ")
        .column(TextRole::Plain, &entry.connector, NAME)
        .plain(&format!(" {kind}  "))
        .with(
            TextRole::Detail,
            &format!("{} ago, renewed {} ago", since(entry.created), since(entry.updated)),
        )
        .end_line()
}
