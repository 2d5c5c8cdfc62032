//! Values of a client's configuration that look like secrets, and the variables that take their place.

use std::collections::BTreeMap;

use crate::secret::Secret;

/// Parts of names whose values are secrets.
const SECRET_NAMES: [&str; 10] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTHORIZATION",
    "COOKIE",
    "_PAT",
];
/// Ends of names whose values are not, whatever is before.
const PLAIN_ENDS: [&str; 6] = ["_FILE", "_PATH", "_DIR", "_TYPE", "_MODE", "_ID"];
/// Beginnings of values that vendors give to secrets.
const SECRET_VALUES: [&str; 14] = [
    "sk-",
    "sk_",
    "rk_",
    "pk_live",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "eyJ",
    "ntn_",
    "secret_",
];
/// Words before a credential in a header.
const SCHEMES: [&str; 3] = ["Bearer ", "Basic ", "Token "];

/// A setting that may be a secret.
pub(super) enum Setting<'n> {
    /// An environment variable of the server.
    Variable(&'n str),
    /// A header, an option or a parameter.
    Named(&'n str),
    /// An argument without a name.
    Argument,
}

impl Setting<'_> {
    fn name(&self) -> &str {
        match self {
            Setting::Variable(name) | Setting::Named(name) => name,
            Setting::Argument => "ARGUMENT",
        }
    }
}

/// The variables that take the place of secrets, each with the secret, so that one name stands for one secret.
#[derive(Default)]
pub(super) struct Variables(BTreeMap<String, Secret>);

impl Variables {
    /// Returns the variable for `secret`: `name` if it is a variable of the server's own that stands for nothing else, or
    /// with the server's name before it.
    fn name_for(&mut self, server: &str, setting: &Setting<'_>, secret: &str) -> String {
        let own = match setting {
            Setting::Variable(name) => Some(variable(name)),
            Setting::Named(_) | Setting::Argument => None,
        };
        let is_free =
            |name: &String| !is_ours(name) && self.0.get(name).is_none_or(|other| other.expose() == secret);
        let long = variable(&format!("{server}_{}", setting.name()));
        let numbered = (2..).map(|n| format!("{long}_{n}"));
        let mut names = own.into_iter().chain([long.clone()]).chain(numbered);
        let name = names.find(is_free).unwrap_or(long);
        self.0.entry(name.clone()).or_insert_with(|| Secret::new(secret));
        name
    }

    /// Returns `value` of the setting `name`, with a variable in the place of a secret, and the variable.
    pub(super) fn take(
        &mut self,
        server: &str,
        setting: &Setting<'_>,
        value: &str,
    ) -> (String, Option<String>) {
        if !is_secret(setting.name(), value) {
            return (value.to_owned(), None);
        }
        let scheme = SCHEMES
            .iter()
            .find(|scheme| value.get(..scheme.len()).is_some_and(|v| v.eq_ignore_ascii_case(scheme)));
        let (before, secret) = value.split_at(scheme.map_or(0, |scheme| scheme.len()));
        let variable = self.name_for(server, setting, secret);
        (format!("{before}${{{variable}}}"), Some(variable))
    }
}

/// Whether a variable configures Loggia itself.
fn is_ours(name: &str) -> bool {
    name == "DATABASE_URL" || name.starts_with("LOGGIA_")
}

/// Whether a setting looks like a secret. One that refers to a variable is none.
fn is_secret(name: &str, value: &str) -> bool {
    let name = format!("_{}", variable(name));
    let by_name = SECRET_NAMES.iter().any(|part| name.contains(part))
        && !PLAIN_ENDS.iter().any(|end| name.ends_with(end));
    !value.is_empty() && !value.contains("${") && (by_name || is_secret_value(value))
}

/// Whether a value is a secret by its looks: as vendors write them, or a URL with a password.
fn is_secret_value(value: &str) -> bool {
    let user = value.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next()?.rsplit_once('@'));
    SECRET_VALUES.iter().any(|begin| value.starts_with(begin))
        || user.is_some_and(|(user, _)| user.contains(':'))
}

/// Returns a text as the name of a variable: capitals, digits and `_`.
pub(super) fn variable(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = text.chars().map(plain).collect();
    let name = name.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    match name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        true => format!("VALUE_{name}"),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_their_looks() {
        for (name, value, secret) in [
            ("GITHUB_TOKEN", "x", true),
            ("x-api-key", "x", true),
            ("--password", "x", true),
            ("GITHUB_PAT", "x", true),
            ("Authorization", "Bearer x", true),
            ("MODE", "sk-abc", true),
            ("DATABASE_URL", "postgres://ada:pw@host/db", true),
            ("DATABASE_URL", "postgres://host/db?a=b@c:d", false),
            ("API_KEY", "${API_KEY}", false),
            ("API_KEY", "", false),
            ("KEY_FILE", "/etc/key", false),
            ("PATH", "/bin", false),
            ("MODE", "fast", false),
        ] {
            assert_eq!(is_secret(name, value), secret, "{name} {value}");
        }
    }

    #[test]
    fn one_variable_stands_for_one_secret() {
        let mut variables = Variables::default();
        for (server, setting, value, expected) in [
            ("a", Setting::Variable("API_KEY"), "one", "${API_KEY}"),
            ("b", Setting::Variable("API_KEY"), "one", "${API_KEY}"),
            ("my-server", Setting::Variable("API_KEY"), "two", "${MY_SERVER_API_KEY}"),
            ("c", Setting::Named("Authorization"), "bearer three", "bearer ${C_AUTHORIZATION}"),
            ("d", Setting::Named("--api-key"), "four", "${D_API_KEY}"),
            ("e", Setting::Argument, "sk-five", "${E_ARGUMENT}"),
            ("e", Setting::Argument, "sk-other", "${E_ARGUMENT_2}"),
            ("e", Setting::Argument, "sk-five", "${E_ARGUMENT}"),
            // Loggia would take it for its own.
            ("f", Setting::Variable("DATABASE_URL"), "postgres://a:b@c/d", "${F_DATABASE_URL}"),
            ("g", Setting::Variable("LOGGIA_MASTER_KEY"), "six", "${G_LOGGIA_MASTER_KEY}"),
        ] {
            assert_eq!(variables.take(server, &setting, value).0, expected);
        }
    }
}
