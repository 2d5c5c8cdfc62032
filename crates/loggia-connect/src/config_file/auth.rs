//! The sections `[server.auth]` and `[server.vault]`: who may use the endpoint, and where the key is that seals
//! what is remembered of them.

use std::ops::Range;

use toml::Spanned;

use super::error::{Problems, nearest};
use super::raw::{RawAssertions, RawAuth, RawClient, RawIssuer, RawOpenId, RawScopes, RawVault, Text, Texts};
use super::url::is_url;
use crate::secret::Template;

const SUBJECTS: [(&str, SubjectClaim); 2] = [("sub", SubjectClaim::Sub), ("email", SubjectClaim::Email)];

/// The scope that every request needs by default.
const SCOPE: &str = "mcp";

/// The section `[server.auth]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSection {
    /// True if callers must sign in; `None` if the file does not say.
    pub enabled: Option<bool>,
    /// True if tokens of the authorization server that is built in are taken.
    pub embedded: bool,
    /// The identity provider of the users; without one, a link on this machine's terminal signs them in.
    pub openid: Option<OpenId>,
    /// The other authorization servers whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// The identity providers whose assertions are exchanged for tokens.
    pub assertions: Vec<Assertions>,
    /// Clients that are known beforehand.
    pub clients: Vec<Client>,
    /// The scopes that operations need.
    pub scopes: Scopes,
}

impl Default for AuthSection {
    fn default() -> AuthSection {
        AuthSection {
            enabled: None,
            embedded: true,
            openid: None,
            issuers: Vec::new(),
            assertions: Vec::new(),
            clients: Vec::new(),
            scopes: Scopes::default(),
        }
    }
}

/// An authorization server whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its name, as it writes it itself.
    pub issuer: String,
    /// The audience of its tokens, besides the URL of the endpoint.
    pub audience: Option<String>,
    /// True if tokens are taken that do not say they are access tokens.
    pub any_token_type: bool,
    /// The introspection endpoint for its tokens; without one, its tokens are signed.
    pub introspection: Option<Introspection>,
}

/// The introspection endpoint of an authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection {
    /// The URL.
    pub endpoint: String,
    /// The client id of Loggia.
    pub client_id: String,
    /// The client secret of Loggia.
    pub client_secret: Template,
}

/// An identity provider whose assertions (ID-JAG) are exchanged for tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertions {
    /// Its name, as it writes it itself.
    pub issuer: String,
    /// The users who may sign in.
    pub admitted: Admitted,
    /// Under which name.
    pub subject: SubjectClaim,
}

/// A client that is known beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub client_id: String,
    /// The display name.
    pub name: String,
    /// The client secret; without one it is a public client.
    pub client_secret: Option<Template>,
    /// The permitted redirect URIs.
    pub redirect_uris: Vec<String>,
}

/// The scopes that operations need. A `*` at the end of a name stands for any rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    /// The scopes that every request needs.
    pub required: Vec<String>,
    /// The scope to call a tool, by its listed name.
    pub tools: Vec<(String, String)>,
    /// The scope to get a prompt.
    pub prompts: Vec<(String, String)>,
    /// The scope to read a resource, by its URI.
    pub resources: Vec<(String, String)>,
    /// The further scopes that a scope includes.
    pub implies: Vec<(String, Vec<String>)>,
}

impl Default for Scopes {
    fn default() -> Scopes {
        Scopes {
            required: vec![SCOPE.to_owned()],
            tools: Vec::new(),
            prompts: Vec::new(),
            resources: Vec::new(),
            implies: Vec::new(),
        }
    }
}

impl Scopes {
    /// All scopes there are, those that every request needs first.
    pub fn all(&self) -> Vec<&str> {
        let rules = [&self.tools, &self.prompts, &self.resources];
        let of_rules = rules.into_iter().flatten().map(|(_, scope)| scope);
        let implied = self.implies.iter().flat_map(|(broad, narrow)| std::iter::once(broad).chain(narrow));
        let mut all: Vec<&str> = Vec::new();
        for scope in self.required.iter().chain(of_rules).chain(implied) {
            if !all.contains(&scope.as_str()) {
                all.push(scope);
            }
        }
        all
    }
}

/// An identity provider where people sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenId {
    /// Its name, as it writes it itself.
    pub issuer: String,
    /// The client id of Loggia.
    pub client_id: String,
    /// The client secret of Loggia.
    pub client_secret: Option<Template>,
    /// The users who may sign in.
    pub admitted: Admitted,
    /// Under which name.
    pub subject: SubjectClaim,
}

/// The users of an identity provider who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// All of them.
    Anyone,
    /// Those with one of these addresses, or with one at these domains. All in small letters.
    Some {
        /// Whole addresses.
        emails: Vec<String>,
        /// The permitted domains of addresses, after the `@`.
        domains: Vec<String>,
    },
}

/// The claim with which an identity provider identifies a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubjectClaim {
    /// The identifier `sub`, which never belongs to another user.
    #[default]
    Sub,
    /// The address, which may belong to another user one day.
    Email,
}

/// The place of the vault's key, unless the environment has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VaultKey {
    /// In a file beside the vault.
    #[default]
    File,
    /// In the keyring of the operating system.
    Keyring,
    /// A command prints it.
    Command(Vec<String>),
}

pub(super) fn section(raw: RawAuth, problems: &mut Problems<'_>) -> AuthSection {
    if let Some(embedded) = raw.embedded.as_ref().filter(|embedded| !*embedded.as_ref())
        && raw.issuers.is_empty()
    {
        problems.add::<()>(
            embedded.span(),
            "without the built-in authorization server no tokens are issued: name an issuer in \
             [[server.auth.issuers]]",
        );
    }
    AuthSection {
        enabled: raw.enabled,
        embedded: raw.embedded.is_none_or(Spanned::into_inner),
        openid: raw.openid.and_then(|openid| self::openid(openid, problems)),
        issuers: raw.issuers.into_iter().filter_map(|raw| issuer(raw, problems)).collect(),
        assertions: raw.assertions.into_iter().filter_map(|raw| assertions(raw, problems)).collect(),
        clients: raw.clients.into_iter().filter_map(|raw| client(raw, problems)).collect(),
        scopes: scopes(raw.scopes, problems),
    }
}

fn issuer(raw: Spanned<RawIssuer>, problems: &mut Problems<'_>) -> Option<Issuer> {
    let span = raw.span();
    let raw = raw.into_inner();
    let issuer = named_issuer(raw.issuer, span, problems)?;
    let introspection = match (raw.introspection, raw.client_id, raw.client_secret) {
        (None, None, None) => None,
        (Some(endpoint), Some(client_id), Some(client_secret)) if is_url(endpoint.as_ref()) => {
            Some(Introspection {
                endpoint: endpoint.into_inner(),
                client_id: client_id.into_inner(),
                client_secret: problems.template(client_secret)?,
            })
        }
        (endpoint, id, secret) => {
            let place = [endpoint, id, secret].into_iter().flatten().next()?;
            return problems.add(
                place.span(),
                "an issuer of opaque tokens is asked with introspection = \"https://…\" (a whole URL), client_id and \
                 client_secret; for one of signed tokens, leave all three out",
            );
        }
    };
    let audience = raw.audience.map(Text::into_inner);
    Some(Issuer { issuer, audience, any_token_type: raw.any_token_type, introspection })
}

fn named_issuer(issuer: Option<Text>, place: Range<usize>, problems: &mut Problems<'_>) -> Option<String> {
    match issuer {
        Some(issuer) => issuer_url(issuer, problems),
        None => {
            problems.add(place, "this needs its issuer, for example issuer = \"https://login.example.com\"")
        }
    }
}

fn assertions(raw: Spanned<RawAssertions>, problems: &mut Problems<'_>) -> Option<Assertions> {
    let span = raw.span();
    let raw = raw.into_inner();
    let admitted = admitted_by(raw.anyone, raw.emails, raw.domains, span.clone(), problems);
    let subject = raw.subject.map_or(Some(SubjectClaim::Sub), |text| subject(&text, problems));
    let issuer = named_issuer(raw.issuer, span, problems)?;
    Some(Assertions { issuer, admitted: admitted?, subject: subject? })
}

fn client(raw: Spanned<RawClient>, problems: &mut Problems<'_>) -> Option<Client> {
    let span = raw.span();
    let raw = raw.into_inner();
    let Some(client_id) = raw.client_id.map(Text::into_inner).filter(|id| !id.is_empty()) else {
        return problems.add(span, "a client needs its client_id");
    };
    let client_secret = match raw.client_secret {
        Some(secret) => Some(problems.template(secret)?),
        None => None,
    };
    Some(Client {
        name: raw.name.map_or_else(|| client_id.clone(), Text::into_inner),
        client_id,
        client_secret,
        redirect_uris: raw.redirect_uris.into_iter().map(Text::into_inner).collect(),
    })
}

fn scopes(raw: RawScopes, problems: &mut Problems<'_>) -> Scopes {
    let mut list = |texts: Vec<Text>| -> Vec<String> {
        texts.into_iter().filter_map(|text| scope(text, problems)).collect()
    };
    let required = raw.required.map(&mut list);
    let implies = raw.implies.into_iter().map(|(broad, narrow)| (broad, list(narrow))).collect::<Vec<_>>();
    let mut rules = |texts: Texts| -> Vec<(String, String)> {
        texts
            .into_iter()
            .filter_map(|(name, text)| {
                let inside = name.as_ref().find('*').filter(|at| at + 1 < name.as_ref().len());
                if inside.is_some() {
                    return problems
                        .add(name.span(), "a * stands for any rest, and only at the end of a name");
                }
                Some((name.into_inner(), scope(text, problems)?))
            })
            .collect()
    };
    let (tools, prompts, resources) = (rules(raw.tools), rules(raw.prompts), rules(raw.resources));
    let implies =
        implies.into_iter().filter_map(|(broad, narrow)| Some((scope(broad, problems)?, narrow))).collect();
    Scopes { required: required.unwrap_or(Scopes::default().required), tools, prompts, resources, implies }
}

/// One scope (RFC 6749, section 3.3).
fn scope(text: Text, problems: &mut Problems<'_>) -> Option<String> {
    let good = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    match !text.as_ref().is_empty() && text.as_ref().bytes().all(good) {
        true => Some(text.into_inner()),
        false => problems.add(text.span(), "write one scope, without spaces, for example \"files:write\""),
    }
}

fn openid(raw: Spanned<RawOpenId>, problems: &mut Problems<'_>) -> Option<OpenId> {
    let span = raw.span();
    let raw = raw.into_inner();
    let admitted = admitted_by(raw.anyone, raw.emails, raw.domains, span.clone(), problems);
    let issuer = match raw.issuer {
        Some(issuer) => issuer_url(issuer, problems),
        None => problems.add(
            span.clone(),
            "sign-in at an identity provider needs its issuer, for example issuer = \"https://login.example.com\"",
        ),
    };
    let Some(client_id) = raw.client_id else {
        return problems.add(span, "sign-in at an identity provider needs the client_id that it gave you");
    };
    let subject = raw.subject.map_or(Some(SubjectClaim::Sub), |text| subject(&text, problems));
    let client_secret = match raw.client_secret {
        Some(secret) => Some(problems.template(secret)?),
        None => None,
    };
    Some(OpenId {
        issuer: issuer?,
        client_id: client_id.into_inner(),
        client_secret,
        admitted: admitted?,
        subject: subject?,
    })
}

/// A name of an issuer, which is compared letter by letter.
fn issuer_url(text: Text, problems: &mut Problems<'_>) -> Option<String> {
    match is_url(text.as_ref()) {
        true => Some(text.into_inner()),
        false => problems
            .add(text.span(), "an issuer is named by a whole URL, for example \"https://login.example.com\""),
    }
}

/// Reads the users to admit. The section must name them, because an absent list could mean no user or every user.
fn admitted_by(
    anyone: bool,
    emails: Vec<Text>,
    domains: Vec<Text>,
    place: Range<usize>,
    problems: &mut Problems<'_>,
) -> Option<Admitted> {
    if !anyone && emails.is_empty() && domains.is_empty() {
        return problems.add(
            place,
            "say who may come in: emails = [\"ada@example.com\"], domains = [\"example.com\"], or anyone = true for \
             everybody whom the identity provider knows",
        );
    }
    let mut small = |texts: Vec<Text>, good: fn(&str) -> bool, message: &str| -> Vec<String> {
        let check = |text: Text| match good(text.as_ref()) {
            true => Some(text.as_ref().to_ascii_lowercase()),
            false => problems.add(text.span(), message),
        };
        texts.into_iter().filter_map(check).collect()
    };
    let emails = small(emails, is_email, "write a whole address, for example \"ada@example.com\"");
    let domains = small(domains, is_domain, "write what stands behind the @, for example \"example.com\"");
    Some(if anyone { Admitted::Anyone } else { Admitted::Some { emails, domains } })
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && is_domain(domain))
}

fn is_domain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
}

fn subject(text: &Text, problems: &mut Problems<'_>) -> Option<SubjectClaim> {
    match SUBJECTS.iter().find(|(known, _)| known == text.as_ref()) {
        Some((_, claim)) => Some(*claim),
        None => {
            let nearest = nearest(text.as_ref(), &SUBJECTS.map(|(name, _)| name));
            problems.add(text.span(), format!("people are not named by this; {nearest}"))
        }
    }
}

pub(super) fn vault_key(raw: RawVault, problems: &mut Problems<'_>) -> VaultKey {
    match (raw.keyring, raw.key_command) {
        (Some(keyring), Some(_)) if *keyring.as_ref() => {
            problems.add::<()>(
                keyring.span(),
                "the key is in the keyring or printed by key_command; take one out",
            );
            VaultKey::File
        }
        (_, Some(command)) if command.as_ref().is_empty() => {
            problems.add::<()>(
                command.span(),
                "write the command and its arguments, for example key_command = [\"vault\", \"read\", \"…\"]",
            );
            VaultKey::File
        }
        (_, Some(command)) => {
            VaultKey::Command(command.into_inner().into_iter().map(Spanned::into_inner).collect())
        }
        (Some(keyring), None) if *keyring.as_ref() => VaultKey::Keyring,
        _ => VaultKey::File,
    }
}
