//! The credential of a backend: its kind, its place in requests, and the steps to get it.

use std::collections::BTreeMap;

use super::ManifestText;

/// A kind of credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AuthClass {
    /// No credential.
    #[default]
    None,
    /// A key or token that the user creates at the vendor.
    ApiKey,
    /// A user and a password (RFC 7617).
    Basic,
    /// OAuth with a client that registers itself (RFC 7591).
    DynamicRegistration,
    /// OAuth with a client that a document describes.
    ClientIdMetadata,
    /// OAuth with a client that the user registers at the vendor.
    Preregistered,
    /// OAuth for clients that the vendor has on a list.
    Allowlist,
    /// OAuth through the identity provider of an organisation.
    Enterprise,
}

const AUTH_CLASSES: [(&str, AuthClass); 8] = [
    ("none", AuthClass::None),
    ("api_key", AuthClass::ApiKey),
    ("basic", AuthClass::Basic),
    ("dynamic_registration", AuthClass::DynamicRegistration),
    ("client_id_metadata", AuthClass::ClientIdMetadata),
    ("preregistered", AuthClass::Preregistered),
    ("allowlist", AuthClass::Allowlist),
    ("enterprise", AuthClass::Enterprise),
];

impl AuthClass {
    pub(super) fn from_name(name: &str) -> Option<AuthClass> {
        AUTH_CLASSES.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
    }

    /// Returns the name in a manifest.
    pub fn as_str(self) -> &'static str {
        AUTH_CLASSES.iter().find(|(_, class)| *class == self).map_or("none", |(name, _)| name)
    }

    /// Returns whether the user enters the credential.
    pub fn is_entered(self) -> bool {
        matches!(self, AuthClass::ApiKey | AuthClass::Basic)
    }

    /// Returns whether the user signs in (OAuth).
    pub fn is_oauth(self) -> bool {
        !self.is_entered() && self != AuthClass::None
    }
}

/// The credential that a backend needs.
#[derive(Debug, Clone, Default)]
pub struct BackendAuth {
    /// Its kind.
    pub class: AuthClass,
    /// Other kinds that the server takes too.
    pub alternatives: Vec<AuthClass>,
    /// OAuth scopes to read.
    pub read_scopes: Vec<String>,
    /// OAuth scopes to write.
    pub write_scopes: Vec<String>,
    /// The authorization server, where discovery does not find it.
    pub issuer: Option<String>,
    /// The resource indicator (RFC 8707), where it is not the URL of the server.
    pub resource: Option<String>,
    /// The registration endpoint, where the vendor states it.
    pub register_at: Option<String>,
    /// The page at which the user signs in, where no metadata gives it.
    pub authorization_endpoint: Option<String>,
    /// The endpoint that issues and renews tokens, where no metadata gives it.
    pub token_endpoint: Option<String>,
    /// Further parameters of the sign-in page, such as `access_type`.
    pub authorize_params: BTreeMap<String, String>,
    /// The part of a request that the credential goes to.
    pub place: RequestPlace,
    /// The name of the header, parameter or cookie, if it is not `Authorization`.
    pub name: Option<String>,
    /// The value, if it is not the default of the class.
    pub value: Option<ManifestText>,
    /// The field that asks for the credential.
    pub credential: Option<CredentialPrompt>,
    /// The steps at the vendor, in order.
    pub steps: Vec<AuthStep>,
}

/// A part of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestPlace {
    /// A header.
    #[default]
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}

/// A field that asks for a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialPrompt {
    /// The label.
    pub title: String,
    /// The help.
    pub description: Option<String>,
    /// The regular expression that the credential matches.
    pub pattern: Option<String>,
}

/// A step that a person takes at the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthStep {
    /// One sentence.
    pub text: String,
    /// The page to open.
    pub link: Option<String>,
}

impl BackendAuth {
    /// Returns the name of the header, parameter or cookie that takes the credential.
    pub fn place_name(&self) -> &str {
        self.name.as_deref().unwrap_or("Authorization")
    }

    /// Returns whether the server takes a credential of this kind.
    pub fn takes(&self, class: AuthClass) -> bool {
        self.class == class || self.alternatives.contains(&class)
    }
}
