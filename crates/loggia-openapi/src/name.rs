//! Names of tools and arguments. Clients accept `[a-zA-Z0-9_-]{1,64}`, and a model reads snake case best.
//!
//! Invariant: the names of an API are unique, and the name of an operation does not depend on its place among the others.

use std::collections::HashMap;

/// Longest name, in characters: room for the prefix of a connector is left.
const MAX: usize = 52;

/// Returns `text` in snake case: `getUserByID` becomes `get_user_by_id`, `repos/list-for-org` `repos_list_for_org`.
pub(crate) fn snake_case(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (at, &c) in chars.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            if !out.ends_with('_') && !out.is_empty() {
                out.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1);
        let begins_word = c.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if begins_word && !out.ends_with('_') {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out.trim_end_matches('_').to_owned()
}

/// Returns the name of an operation without an id: `GET /users/{id}/posts` becomes `get_users_by_id_posts`.
pub(crate) fn from_path(method: &str, path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty()).map(|part| match part.strip_prefix('{') {
        Some(variable) => format!("by_{}", snake_case(variable)),
        None => snake_case(part),
    });
    let parts: Vec<String> = std::iter::once(method.to_ascii_lowercase()).chain(parts).collect();
    parts.join("_").replace("__", "_")
}

/// Makes names unique and short. `wanted` has a name and a key (method and path) for each operation.
pub(crate) fn unique(wanted: &[(String, String)]) -> Vec<String> {
    let shortened = |name: &String, key: &String| match name.len() {
        0 => format!("operation_{:08x}", hash(key)),
        1..=MAX => name.clone(),
        _ => format!("{}_{:08x}", name[..MAX - 9].trim_end_matches('_'), hash(name)),
    };
    let names: Vec<String> = wanted.iter().map(|(name, key)| shortened(name, key)).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in &names {
        *counts.entry(name).or_default() += 1;
    }
    let with_hash = |name: &str, key: &str| {
        let end = name.len().min(MAX - 9);
        format!("{}_{:08x}", &name[..end], hash(key))
    };
    let chosen = names.iter().zip(wanted).map(|(name, (_, key))| match counts[name.as_str()] {
        1 => name.clone(),
        _ => with_hash(name, key),
    });
    chosen.collect()
}

/// FNV-1a, 32 bits: the same on every machine and in every version, which the standard hasher does not promise.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_snake_case() {
        let table = [
            ("getUserByID", "get_user_by_id"),
            ("repos/list-for-org", "repos_list_for_org"),
            ("GetBalance", "get_balance"),
            ("HTMLPage2PDF", "html_page2_pdf"),
            ("  a  b ", "a_b"),
            ("größe", "gr_e"),
            ("List an Organization's Projects", "list_an_organization_s_projects"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(snake_case(text), expected, "{text}");
        }
        assert_eq!(from_path("GET", "/users/{user-id}/posts"), "get_users_by_user_id_posts");
    }

    #[test]
    fn equal_and_long_names_get_a_hash_that_does_not_depend_on_the_order() {
        let long = "x_".repeat(60);
        let entry = |name: &str, key: &str| (name.to_owned(), key.to_owned());
        let one = [
            entry("a", "GET /a"),
            entry("b", "GET /b"),
            entry("a", "POST /a"),
            entry(&long, "GET /x"),
            entry("", "GET /"),
        ];
        let names = unique(&one);
        let other: Vec<_> = one.iter().rev().cloned().collect();
        let reversed: Vec<String> = unique(&other).into_iter().rev().collect();
        assert_eq!(names, reversed);
        assert_eq!(names[1], "b");
        assert!(
            names[0] != names[2] && names.iter().all(|name| (1..=MAX).contains(&name.len())),
            "{names:?}"
        );
    }
}
