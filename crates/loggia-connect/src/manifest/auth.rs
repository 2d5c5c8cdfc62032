//! The sections `[server.auth]` and `[server.vault]`: who may use the endpoint, and where the key is that seals
//! what is remembered of them.

use toml::Spanned;

use super::check::{is_url, template};
use super::error::{Problems, nearest};
use super::raw::{RawAuth, RawOpenId, RawVault, Text};
use crate::secret::Template;

const SUBJECTS: [(&str, SubjectClaim); 2] = [("sub", SubjectClaim::Sub), ("email", SubjectClaim::Email)];

/// The section `[server.auth]`.
#[derive(Debug, Clone, Default)]
pub struct AuthSection {
    /// Whether callers must say who they are, where it says so.
    pub enabled: Option<bool>,
    /// Where people sign in; by a link that is shown where Loggia runs, if it is nowhere.
    pub openid: Option<OpenId>,
}

/// An identity provider where people sign in.
#[derive(Debug, Clone)]
pub struct OpenId {
    /// Its name, as it writes it itself.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// How we show that.
    pub client_secret: Option<Template>,
    /// Who of those it knows may come in.
    pub admitted: Admitted,
    /// Under which name.
    pub subject: SubjectClaim,
}

/// Who of the people that an identity provider knows may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// All of them.
    Anyone,
    /// Those with one of these addresses, or with one at these domains. All in small letters.
    Some {
        /// Whole addresses.
        emails: Vec<String>,
        /// What may stand behind the `@`.
        domains: Vec<String>,
    },
}

/// The name that an identity provider gives somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubjectClaim {
    /// What it never gives to anybody else.
    #[default]
    Sub,
    /// The address, which may be given to somebody else one day.
    Email,
}

/// Where the key of the vault is, unless the environment has it.
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
    AuthSection { enabled: raw.enabled, openid: raw.openid.and_then(|openid| self::openid(openid, problems)) }
}

fn openid(raw: Spanned<RawOpenId>, problems: &mut Problems<'_>) -> Option<OpenId> {
    let span = raw.span();
    let raw = raw.into_inner();
    let admitted = admitted(raw.anyone, raw.emails, raw.domains, problems);
    if admitted.is_none() {
        problems.add::<()>(
            span.clone(),
            "say who may come in: emails = [\"ada@example.com\"], domains = [\"example.com\"], or anyone = true for \
             everybody whom the identity provider knows",
        );
    }
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
        Some(secret) => Some(template(secret, problems)?),
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

/// `None` where nobody may come in.
fn admitted(
    anyone: bool,
    emails: Vec<Text>,
    domains: Vec<Text>,
    problems: &mut Problems<'_>,
) -> Option<Admitted> {
    let nobody = !anyone && emails.is_empty() && domains.is_empty();
    let mut small = |texts: Vec<Text>, good: fn(&str) -> bool, message: &str| -> Vec<String> {
        let check = |text: Text| match good(text.as_ref()) {
            true => Some(text.as_ref().to_ascii_lowercase()),
            false => problems.add(text.span(), message),
        };
        texts.into_iter().filter_map(check).collect()
    };
    let emails = small(emails, is_email, "write a whole address, for example \"ada@example.com\"");
    let domains = small(domains, is_domain, "write what stands behind the @, for example \"example.com\"");
    match (nobody, anyone) {
        (true, _) => None,
        (_, true) => Some(Admitted::Anyone),
        (_, false) => Some(Admitted::Some { emails, domains }),
    }
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
