//! The configuration file as serde reads it: every key there is, each optional, each with its place. Which keys go
//! together is checked afterwards ([`super::check`]), where a better sentence can be said than "did not
//! match any variant".

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use toml::Spanned;

pub(super) type Text = Spanned<String>;
pub(super) type Texts = BTreeMap<Spanned<String>, Text>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfigFile {
    #[serde(default)]
    pub(super) server: RawServer,
    #[serde(default)]
    pub(super) manifests: Vec<Text>,
    #[serde(default)]
    pub(super) connectors: BTreeMap<Spanned<String>, RawConnector>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    pub(super) listen: Option<Text>,
    pub(super) path: Option<Text>,
    #[serde(default)]
    pub(super) allowed_hosts: Vec<Text>,
    #[serde(default)]
    pub(super) allowed_origins: Vec<Text>,
    #[serde(default)]
    pub(super) limits: BTreeMap<Spanned<String>, Spanned<Amount>>,
    pub(super) public_url: Option<Text>,
    pub(super) auth: Option<RawAuth>,
    #[serde(default)]
    pub(super) vault: RawVault,
    pub(super) sandbox: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAuth {
    pub(super) enabled: Option<bool>,
    pub(super) embedded: Option<Spanned<bool>>,
    pub(super) openid: Option<Spanned<RawOpenId>>,
    #[serde(default)]
    pub(super) issuers: Vec<Spanned<RawIssuer>>,
    #[serde(default)]
    pub(super) assertions: Vec<Spanned<RawAssertions>>,
    #[serde(default)]
    pub(super) clients: Vec<Spanned<RawClient>>,
    #[serde(default)]
    pub(super) scopes: RawScopes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    pub(super) issuer: Option<Text>,
    pub(super) audience: Option<Text>,
    #[serde(default)]
    pub(super) any_token_type: bool,
    pub(super) introspection: Option<Text>,
    pub(super) client_id: Option<Text>,
    pub(super) client_secret: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAssertions {
    pub(super) issuer: Option<Text>,
    #[serde(default)]
    pub(super) emails: Vec<Text>,
    #[serde(default)]
    pub(super) domains: Vec<Text>,
    #[serde(default)]
    pub(super) anyone: bool,
    pub(super) subject: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClient {
    pub(super) client_id: Option<Text>,
    pub(super) name: Option<Text>,
    pub(super) client_secret: Option<Text>,
    #[serde(default)]
    pub(super) redirect_uris: Vec<Text>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScopes {
    pub(super) required: Option<Vec<Text>>,
    #[serde(default)]
    pub(super) tools: Texts,
    #[serde(default)]
    pub(super) prompts: Texts,
    #[serde(default)]
    pub(super) resources: Texts,
    #[serde(default)]
    pub(super) implies: BTreeMap<Spanned<String>, Vec<Text>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOpenId {
    pub(super) issuer: Option<Text>,
    pub(super) client_id: Option<Text>,
    pub(super) client_secret: Option<Text>,
    #[serde(default)]
    pub(super) emails: Vec<Text>,
    #[serde(default)]
    pub(super) domains: Vec<Text>,
    #[serde(default)]
    pub(super) anyone: bool,
    pub(super) subject: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVault {
    pub(super) keyring: Option<Spanned<bool>>,
    pub(super) key_command: Option<Spanned<Vec<Text>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConnector {
    pub(super) kind: Option<Text>,
    pub(super) enabled: Option<bool>,
    pub(super) prefix: Option<Text>,
    pub(super) timeout: Option<Spanned<Amount>>,
    #[serde(default)]
    pub(super) tools: RawTools,
    pub(super) protocol: Option<Text>,
    pub(super) pin: Option<Text>,
    pub(super) command: Option<Text>,
    pub(super) args: Option<Spanned<Vec<Text>>>,
    pub(super) env: Option<Spanned<Texts>>,
    pub(super) cwd: Option<Text>,
    pub(super) start_timeout: Option<Spanned<Amount>>,
    pub(super) sandbox: Option<Spanned<toml::Value>>,
    pub(super) url: Option<Text>,
    pub(super) headers: Option<Spanned<Texts>>,
    pub(super) transport: Option<Text>,
    pub(super) credentials: Option<Text>,
    pub(super) api_key: Option<Text>,
    pub(super) client_id: Option<Text>,
    pub(super) client_secret: Option<Text>,
    pub(super) issuer: Option<Text>,
    pub(super) description: Option<Text>,
    pub(super) base_url: Option<Text>,
    pub(super) credential: Option<Text>,
    pub(super) manifest: Option<Text>,
    pub(super) backend: Option<Text>,
    pub(super) config: Option<Spanned<BTreeMap<Spanned<String>, Spanned<toml::Value>>>>,
    pub(super) name: Option<Text>,
    pub(super) options: Option<Spanned<toml::Table>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTools {
    pub(super) allow: Option<Vec<Text>>,
    #[serde(default)]
    pub(super) deny: Vec<Text>,
}

/// The table `sandbox` of a connector.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSandbox {
    pub(super) mode: Option<String>,
    #[serde(default)]
    pub(super) read: Vec<String>,
    #[serde(default)]
    pub(super) write: Vec<String>,
    #[serde(default)]
    pub(super) hosts: Vec<String>,
    pub(super) memory: Option<String>,
    pub(super) processes: Option<u32>,
}

/// A number, or a text that means one: `30`, `"30s"`, `"4MiB"`.
pub(super) enum Amount {
    Number(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Amount, E> {
        Ok(Amount::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
        Ok(Amount::Text(text.to_owned()))
    }
}
