//! Names of connectors. A name becomes the prefix of tools and the scheme of qualified URIs, so it is narrow; people
//! write names as they like.

/// Longest name.
const LONGEST: usize = 32;
/// Stands before a name that begins with a digit.
const BEFORE_DIGIT: &str = "c-";

/// The rule for prefixes.
const PREFIX_RULE: &str = "a prefix is 1 to 32 of a-z, 0-9 and '-', and begins with a letter, or it is empty";

/// Returns the name of the connector that is written `[connectors.WRITTEN]`: letters are small, and all other characters
/// between letters and digits are one `-`. `My_Files` is `my-files`, and `1Password` is `c-1password`.
///
/// # Errors
///
/// Fails if `written` has neither a letter nor a digit of ASCII, or if the name would be longer than 32 characters.
pub fn connector_name(written: &str) -> Result<String, String> {
    let mut name = String::new();
    for part in written.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        if !name.is_empty() {
            name.push('-');
        }
        name.push_str(&part.to_ascii_lowercase());
    }
    // A correct name stays as it is, however many '-' it has.
    if is_name(written) {
        name = written.to_owned();
    } else if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, BEFORE_DIGIT);
    }
    if is_name(&name) {
        return Ok(name);
    }
    let reason = match name.is_empty() {
        true => "a name needs at least one of a-z, A-Z and 0-9".to_owned(),
        false => format!("as '{name}' it has more than {LONGEST} characters"),
    };
    Err(format!("'{}' cannot name a connector: {reason}", written.escape_debug()))
}

/// Checks a prefix; the error states the rule.
pub(super) fn check_prefix(prefix: &str) -> Result<(), String> {
    match prefix.is_empty() || is_name(prefix) {
        true => Ok(()),
        false => Err(format!("this cannot be a prefix: {PREFIX_RULE}")),
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LONGEST).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_write_are_mapped_by_one_rule() {
        for (written, expected) in [
            ("files", Some("files")),
            ("git-hub--2", Some("git-hub--2")),
            ("a-", Some("a-")),
            ("My_Files", Some("my-files")),
            ("GitHub", Some("github")),
            ("my server", Some("my-server")),
            ("@scope/server.name", Some("scope-server-name")),
            ("__x__", Some("x")),
            ("1Password", Some("c-1password")),
            ("café", Some("caf")),
            ("", None),
            ("日本", None),
            ("-", None),
            ("a_very_long_name_of_a_connector_that_goes_on", None),
        ] {
            assert_eq!(connector_name(written).ok().as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn the_reason_for_a_refusal_is_true_of_the_name() {
        let needs = "a name needs at least one of a-z, A-Z and 0-9";
        let (long, longer) = ("x".repeat(32), "9".repeat(31));
        for (written, expected) in [
            ("", Some(format!("'' cannot name a connector: {needs}"))),
            ("\t", Some(format!("'\\t' cannot name a connector: {needs}"))),
            (&*long, None),
            (
                &*format!("{long}Y"),
                Some(format!(
                    "'{long}Y' cannot name a connector: as '{long}y' it has more than 32 characters"
                )),
            ),
            (
                &*longer,
                Some(format!(
                    "'{longer}' cannot name a connector: as 'c-{longer}' it has more than 32 characters"
                )),
            ),
        ] {
            assert_eq!(connector_name(written).err(), expected);
        }
    }
}
