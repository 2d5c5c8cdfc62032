//! The variables that take the place of secrets of a client's configuration.

use std::collections::BTreeMap;

use super::detect::{has_secret, scheme_length, variable};
use crate::secret::Secret;

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
    pub(super) fn name(&self) -> &str {
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
        if !has_secret(setting.name(), value) {
            return (value.to_owned(), None);
        }
        let (text, variable) = self.replace(server, setting, value);
        (text, Some(variable))
    }

    /// Returns `value` of the setting, which is a secret, with a variable in its place, and the variable. The name of an
    /// authentication scheme stays.
    pub(super) fn replace(&mut self, server: &str, setting: &Setting<'_>, value: &str) -> (String, String) {
        let (scheme, secret) = value.split_at(scheme_length(value));
        let variable = self.name_for(server, setting, secret);
        (format!("{scheme}${{{variable}}}"), variable)
    }
}

/// Returns whether a variable configures Loggia itself.
fn is_ours(name: &str) -> bool {
    name == "DATABASE_URL" || name.starts_with("LOGGIA_")
}

#[cfg(test)]
mod tests {
    use super::*;

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
