//! Remote connectors that everybody uses with what they themselves were given there.

use http::{HeaderName, HeaderValue};

use super::error::{Problems, nearest};
use super::raw::{Text, Texts};
use crate::secret::{MissingVariable, Secret, Template};

const HOLDERS: [&str; 2] = ["shared", "person"];
/// The placeholder of the key in `api_key`.
const KEY: &str = "{key}";

/// The kind of credential that a server gives each user.
#[derive(Debug, Clone)]
pub enum Personal<T> {
    /// Tokens, by signing in; as a client that was registered by hand, where there is one.
    SignIn(Option<OwnClient<T>>),
    /// An API key, which goes into a header.
    ApiKey(KeyHeader),
}

/// Loggia as a client that was registered with a server by hand.
#[derive(Debug, Clone)]
pub struct OwnClient<T> {
    /// Its id.
    pub id: String,
    /// The client secret; without one it is a public client.
    pub secret: Option<T>,
}

impl Personal<Template> {
    pub(super) fn expand(
        &self,
        fill: &dyn Fn(&Template) -> Result<Secret, MissingVariable>,
    ) -> Result<Personal<Secret>, MissingVariable> {
        Ok(match self {
            Personal::ApiKey(header) => Personal::ApiKey(header.clone()),
            Personal::SignIn(None) => Personal::SignIn(None),
            Personal::SignIn(Some(OwnClient { id, secret })) => Personal::SignIn(Some(OwnClient {
                id: id.clone(),
                secret: secret.as_ref().map(fill).transpose()?,
            })),
        })
    }
}

/// `client_id` and `client_secret` as they are written.
pub(super) struct RawOwnClient {
    pub(super) id: Option<Text>,
    pub(super) secret: Option<Text>,
}

/// The header that an API key goes into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHeader {
    /// Its name.
    pub name: String,
    before: String,
    after: String,
}

impl KeyHeader {
    /// The value with a key in it. The error says what is wrong with the key.
    pub fn value(&self, key: &str) -> Result<Secret, &'static str> {
        let KeyHeader { before, after, .. } = self;
        let value = Secret::new(format!("{before}{key}{after}"));
        match !key.is_empty() && HeaderValue::from_str(value.expose()).is_ok() {
            true => Ok(value),
            false => Err(
                "no header can carry this key: it is empty, or has a line break or a control character in it",
            ),
        }
    }
}

/// `credentials` and `api_key` of a connector.
pub(super) fn personal(
    credentials: Option<Text>,
    api_key: Option<Text>,
    client: RawOwnClient,
    headers: &Texts,
    problems: &mut Problems<'_>,
) -> Option<Personal<Template>> {
    let person = match &credentials {
        None => false,
        Some(text) if HOLDERS.contains(&text.as_ref().as_str()) => text.as_ref() == HOLDERS[1],
        Some(text) => {
            let nearest = nearest(text.as_ref(), &HOLDERS);
            return problems.add(text.span(), format!("unknown holder of credentials; {nearest}"));
        }
    };
    if !person {
        return match api_key {
            Some(key) => problems.add(
                key.span(),
                "'api_key' is for keys that each person enters: write credentials = \"person\", too, or put a key of \
                 everybody's into headers",
            ),
            None => client.id.or(client.secret).and_then(|text| {
                problems.add(
                    text.span(),
                    "a client is for connectors that each person signs in to: write credentials = \"person\", too",
                )
            }),
        };
    }
    let personal = match (api_key, client.id, client.secret) {
        (None, None, None) => Personal::SignIn(None),
        (None, Some(id), secret) => {
            let secret = match secret {
                Some(secret) => Some(problems.template(secret)?),
                None => None,
            };
            Personal::SignIn(Some(OwnClient { id: id.into_inner(), secret }))
        }
        (None, None, Some(secret)) => {
            return problems.add(secret.span(), "a client_secret needs the client_id that it belongs to");
        }
        (Some(text), None, None) => Personal::ApiKey(key_header(&text, problems)?),
        (Some(text), ..) => {
            return problems.add(
                text.span(),
                "people enter a key or sign in: take out api_key, or client_id and client_secret",
            );
        }
    };
    let own = match &personal {
        Personal::SignIn(_) => "authorization",
        Personal::ApiKey(header) => &header.name,
    };
    let everybody = headers.keys().find(|name| name.as_ref().eq_ignore_ascii_case(own));
    match everybody {
        Some(name) => problems.add(
            name.span(),
            "everybody would be the same person with this header; take it out, or credentials = \"person\"",
        ),
        None => Some(personal),
    }
}

fn key_header(text: &Text, problems: &mut Problems<'_>) -> Option<KeyHeader> {
    let parsed = (|| {
        let (name, value) = text.as_ref().split_once(':')?;
        let (before, after) = value.trim().split_once(KEY)?;
        let plain = |text: &str| HeaderValue::from_str(text).is_ok() && !text.contains(KEY);
        let good = name.parse::<HeaderName>().is_ok() && plain(before) && plain(after);
        good.then(|| KeyHeader { name: name.to_owned(), before: before.to_owned(), after: after.to_owned() })
    })();
    match parsed {
        Some(header) => Some(header),
        None => problems.add(
            text.span(),
            "write the header that the key goes into, for example api_key = \"Authorization: Bearer {key}\"",
        ),
    }
}
