//! The names of tools and prompts in the merged lists.
//!
//! The exposed name depends only on the connector and on the connector's own name of the tool, not on which other
//! connectors are up, or in which order they answered. So the names that a model has learned never change: `read` of
//! the connector `files` is always `files_read`.
//!
//! * The separator is `_`, which connector names cannot contain, so two connectors never share a prefix.
//! * One connector may have no prefix. Its names are unchanged, except those that begin with the prefix of another
//!   connector, whether that one is up or not: they get the connector's name as their prefix.
//! * Strict clients refuse some names (with a character outside `A-Z a-z 0-9 _ - .`, or more than 64 characters).
//!   Such a name is changed, and ends in a short digest of the original, so that two of them stay different.

use std::fmt;

use ring::digest;

/// The maximum length of an exposed name. The APIs of models refuse longer function names.
pub const MAX_NAME: usize = 64;
/// The maximum length of a connector's name.
pub(crate) const MAX_CONNECTOR: usize = 32;
/// The separator between the prefix and the name of the tool.
pub(crate) const SEPARATOR: char = '_';

const DIGEST_BYTES: usize = 4;

/// The error for a text that cannot name a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName(pub String);

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} cannot name a connector: use 1 to {MAX_CONNECTOR} of a-z, 0-9 and '-', beginning with a letter",
            self.0
        )
    }
}

impl std::error::Error for InvalidName {}

/// Checks a connector's name. Few characters are allowed, because the name becomes the prefix of tool names and the
/// scheme of qualified URIs.
pub fn check_connector(name: &str) -> Result<(), InvalidName> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits =
        (1..=MAX_CONNECTOR).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_lowercase());
    if fits && name.chars().all(allowed) { Ok(()) } else { Err(InvalidName(name.to_owned())) }
}

/// Returns the name under which `name` of an unprefixed `connector` is listed: `name` itself, if strict clients
/// accept it and it does not begin with the prefix of another connector.
pub(crate) fn unprefixed(connector: &str, name: &str, is_others: impl Fn(&str) -> bool) -> String {
    let free = !name.split_once(SEPARATOR).is_some_and(|(first, _)| is_others(first));
    let fits = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_safe);
    if free && fits { name.to_owned() } else { exposed(connector, name) }
}

/// Returns the name under which `name` of `connector` is listed.
pub fn exposed(connector: &str, name: &str) -> String {
    let joined = format!("{connector}{SEPARATOR}{name}");
    if !name.is_empty() && joined.len() <= MAX_NAME && joined.chars().all(is_safe) {
        return joined;
    }
    let mut safe: String = joined.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    safe.truncate(MAX_NAME - 1 - 2 * DIGEST_BYTES);
    safe.push('_');
    safe.push_str(&short_digest(joined.as_bytes()));
    safe
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn short_digest(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_are_fine_stay_readable() {
        for (connector, name, expected) in [
            ("files", "read", "files_read"),
            ("git-hub", "create_issue", "git-hub_create_issue"),
            ("a", "dotted.name-1", "a_dotted.name-1"),
        ] {
            assert_eq!(exposed(connector, name), expected);
        }
    }

    #[test]
    fn names_that_clients_refuse_are_made_safe_and_stay_apart() {
        let long = "x".repeat(80);
        for pair in [["a/b", "a b"], [long.as_str(), &long[..79]], ["", "\u{e9}"]] {
            let [first, second] = pair.map(|name| exposed("files", name));
            assert_ne!(first, second);
            assert!(first.starts_with("files_"), "{first}");
        }
    }

    #[test]
    fn names_without_a_prefix_leave_those_of_others_alone() {
        let is_others = |prefix: &str| ["files", "git-hub"].contains(&prefix);
        for (name, expected) in [
            ("search", "search"),
            ("web_search", "web_search"),
            ("main_search", "main_search"),
            ("files", "files"),
            ("filesystem_read", "filesystem_read"),
            ("files_read", "main_files_read"),
            ("git-hub_", "main_git-hub_"),
            ("a.b-c", "a.b-c"),
        ] {
            assert_eq!(unprefixed("main", name, is_others), expected);
        }
        for name in ["", "a b", "ä", &"x".repeat(MAX_NAME + 1)] {
            assert_eq!(unprefixed("main", name, is_others), exposed("main", name));
        }
    }

    #[test]
    fn connector_names_are_narrow() {
        for good in ["a", "files", "git-hub2", &"x".repeat(MAX_CONNECTOR)] {
            assert_eq!(check_connector(good), Ok(()), "{good}");
        }
        for bad in ["", "Files", "a_b", "2x", "-x", "a.b", "a+b", "caf\u{e9}", &"x".repeat(MAX_CONNECTOR + 1)]
        {
            assert!(check_connector(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_exposed_name_suits_strict_clients(connector in "[a-z][a-z0-9-]{0,31}", name in ".{0,90}") {
            let exposed = exposed(&connector, &name);
            prop_assert!((1..=MAX_NAME).contains(&exposed.len()));
            prop_assert!(exposed.chars().all(is_safe));
            let prefix = format!("{connector}_");
            prop_assert!(exposed.starts_with(&prefix));
        }
    }
}
