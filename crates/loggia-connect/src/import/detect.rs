//! Detection of secrets in the values of a client's configuration, by their names and by their looks.
//!
//! Clients write one credential in many places: in a header, in JSON, in a URL, behind an option, in the line of a shell.
//! A value that is taken for a secret by mistake costs its user one variable; one that is missed is copied into a file
//! that is shared. So in doubt a value is a secret.

use serde_json::Value;

/// Parts of names whose values are secrets.
const SECRET_NAMES: [&str; 15] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTHORIZATION",
    "COOKIE",
    "BEARER",
    "SIGNATURE",
    "CONNECTION_STRING",
    "_JWT",
    "_PAT",
    "_DSN",
];
/// Ends of names whose values are secrets.
const SECRET_ENDS: [&str; 5] = ["_AUTH", "_PASS", "_PWD", "_SIG", "_WEBHOOK"];
/// Ends of names whose values are not, whatever is before.
const PLAIN_ENDS: [&str; 6] = ["_FILE", "_PATH", "_DIR", "_TYPE", "_MODE", "_ID"];
/// Beginnings of words that vendors give to secrets.
const SECRET_WORDS: [&str; 38] = [
    "sk-",
    "sk_",
    "rk_",
    "pk_live",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "eyJ",
    "ntn_",
    "secret_",
    "hf_",
    "gsk_",
    "tvly-",
    "pplx-",
    "figd_",
    "lin_api_",
    "apify_api_",
    "sntryu_",
    "sntrys_",
    "dop_v1_",
    "dckr_pat_",
    "shpat_",
    "whsec_",
    "pypi-",
    "lgk_",
];
/// Authentication schemes: a credential stands after them.
const SCHEMES: [&str; 3] = ["Bearer ", "Basic ", "Token "];
/// Schemes that may stand anywhere in a text: `Token` is also an English word.
const SCHEMES_ANYWHERE: [&str; 2] = ["bearer ", "basic "];
/// Shortest word of capitals, small letters and digits that is taken for random.
const RANDOM: usize = 24;
/// Shortest hexadecimal number in a URL that is taken for random; UUIDs are longer.
const HEXADECIMAL: usize = 32;
/// Levels of JSON that are searched.
const DEPTH: usize = 16;

/// Returns whether the value of a setting is, or contains, a secret. A reference to a variable is none, and nor is
/// punctuation beside it.
pub fn has_secret(name: &str, value: &str) -> bool {
    let rest = without_variables(value);
    let is_filled = match rest == value {
        true => !value.is_empty(),
        false => rest[scheme_length(&rest)..].contains(char::is_alphanumeric),
    };
    (is_secret_name(name) && is_filled) || text_has_secret(&rest, DEPTH)
}

/// Returns whether a setting of this name holds a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = format!("_{}", variable(name));
    let is_plain = name == "_PWD" || PLAIN_ENDS.iter().any(|end| name.ends_with(end));
    let is_secret = SECRET_NAMES.iter().any(|part| name.contains(part))
        || SECRET_ENDS.iter().any(|end| name.ends_with(end));
    is_secret && !is_plain
}

/// Returns the length of the authentication scheme at the beginning of `value`, with its space.
pub(super) fn scheme_length(value: &str) -> usize {
    let begins = |scheme: &&&str| value.get(..scheme.len()).is_some_and(|v| v.eq_ignore_ascii_case(scheme));
    SCHEMES.iter().find(begins).map_or(0, |scheme| scheme.len())
}

/// Returns whether a value has more than the name of an authentication scheme.
fn is_filled(value: &str) -> bool {
    !value[scheme_length(value)..].trim().is_empty()
}

/// Splits `NAME=value` and `--name=value`.
pub(super) fn assignment(text: &str) -> Option<(&str, &str)> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(is_name_char);
    text.split_once('=').filter(|(name, _)| is_name(name))
}

/// Splits `Name: value` into the name, the white space and the value.
pub(super) fn header(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once(':')?;
    let is_name = name.len() > 1 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let value = rest.trim_start();
    (is_name && !rest.starts_with("//")).then(|| (name, &rest[..rest.len() - value.len()], value))
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

/// The parts of a URL, as they are written.
pub(super) struct UrlText<'t> {
    /// The scheme, with `://`.
    pub(super) scheme: &'t str,
    /// The user information before `@`.
    pub(super) user: Option<&'t str>,
    /// The host and the port.
    pub(super) host: &'t str,
    /// The path, with its first slash.
    pub(super) path: &'t str,
    /// The query, without `?`.
    pub(super) query: Option<&'t str>,
    /// The fragment, without `#`.
    pub(super) fragment: Option<&'t str>,
}

impl<'t> UrlText<'t> {
    /// Splits a URL; returns `None` for other texts.
    pub(super) fn split(text: &'t str) -> Option<UrlText<'t>> {
        let at = text.find("://")?;
        let is_scheme = text[..at].chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
        if at == 0 || !is_scheme || text.contains(char::is_whitespace) {
            return None;
        }
        let (scheme, rest) = text.split_at(at + "://".len());
        let (user, rest) = match rest.get(..user_length(rest)).filter(|user| !user.is_empty()) {
            Some(user) => (user.strip_suffix('@'), &rest[user.len()..]),
            None => (None, rest),
        };
        let (rest, fragment) = split_off(rest, '#');
        let (rest, query) = split_off(rest, '?');
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Some(UrlText { scheme, user, host, path, query, fragment })
    }

    /// Returns whether the user information is a secret: a password, or a token. A user of SSH is a name.
    pub(super) fn has_secret_user(&self) -> bool {
        let is_secret = |user: &str| user.contains(':') || self.is_web() || text_has_secret(user, 0);
        self.user.is_some_and(|user| !without_variables(user).is_empty() && is_secret(user))
    }

    /// Returns whether a segment of the path is a secret: some services give each user a URL that cannot be guessed.
    pub(super) fn is_secret_segment(&self, segment: &str) -> bool {
        let segment = &without_variables(segment);
        self.is_web() && (words(segment).any(is_hexadecimal) || text_has_secret(segment, 0))
    }

    /// Returns whether a parameter of the query or of the fragment is a secret.
    pub(super) fn is_secret_parameter(&self, name: &str, value: &str) -> bool {
        has_secret(name, value) || (!is_plain(name) && words(&without_variables(value)).any(is_hexadecimal))
    }

    fn is_web(&self) -> bool {
        ["http://", "https://", "ws://", "wss://"].iter().any(|web| self.scheme.eq_ignore_ascii_case(web))
    }

    fn has_secret(&self) -> bool {
        let parameters = self.query.into_iter().chain(self.fragment).flat_map(|part| part.split('&'));
        let mut parameters = parameters.map(|pair| pair.split_once('=').unwrap_or(("", pair)));
        self.has_secret_user()
            || self.path.split('/').any(|segment| self.is_secret_segment(segment))
            || parameters.any(|(name, value)| self.is_secret_parameter(name, value))
    }
}

/// Returns the length of the user information, with `@`. A password may have a slash that should be escaped: then the
/// text after the colon is no port.
fn user_length(rest: &str) -> usize {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_host = port.chars().all(|c| c.is_ascii_digit()) || authority.ends_with(']');
    let end = match authority.rfind('@') {
        None if !is_host => rest.rfind('@'),
        end => end,
    };
    end.map_or(0, |end| end + 1)
}

fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_plain(name: &str) -> bool {
    let name = format!("_{}", variable(name));
    PLAIN_ENDS.iter().any(|end| name.ends_with(end))
}

/// Returns whether a text without variables contains a secret.
fn text_has_secret(text: &str, depth: usize) -> bool {
    has_credential(text)
        || words(text).any(is_random)
        || has_secret_word(text)
        || (depth > 0 && (json_has_secret(text, depth) || pieces_have_secret(text, depth)))
}

/// Returns whether a credential follows the name of an authentication scheme.
fn has_credential(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    SCHEMES_ANYWHERE.iter().any(|scheme| {
        text.match_indices(scheme).any(|(at, _)| {
            let is_word = text[..at].ends_with(|c: char| c.is_alphanumeric());
            !is_word && text[at + scheme.len()..].trim_start().starts_with(is_word_char)
        })
    })
}

/// Returns whether a word begins as the secrets of a vendor do.
fn has_secret_word(text: &str) -> bool {
    let begins = |at: usize| !text[..at].ends_with(is_word_char);
    SECRET_WORDS.iter().any(|word| text.match_indices(word).any(|(at, _)| begins(at)))
}

/// Returns whether JSON has a secret under a name or in a text.
fn json_has_secret(text: &str, depth: usize) -> bool {
    let is_json = text.trim_start().starts_with(['{', '[']);
    is_json && serde_json::from_str(text).is_ok_and(|value: Value| value_has_secret("", &value, depth))
}

fn value_has_secret(name: &str, value: &Value, depth: usize) -> bool {
    match value {
        _ if depth == 0 => true,
        Value::Null | Value::Bool(_) => false,
        Value::Number(_) => is_secret_name(name),
        Value::String(text) => (is_filled(text) && is_secret_name(name)) || text_has_secret(text, depth - 1),
        Value::Array(items) => items.iter().any(|item| value_has_secret(name, item, depth - 1)),
        Value::Object(members) => {
            members.iter().any(|(name, member)| value_has_secret(name, member, depth - 1))
        }
    }
}

/// Returns whether a piece of a command line is a secret: `--api-key x`, `API_KEY=x`, `X-Api-Key: x` or a URL.
fn pieces_have_secret(text: &str, depth: usize) -> bool {
    let mut before = "";
    text.split_whitespace().map(|piece| piece.trim_matches(['"', '\'', '`', ',', ';'])).any(|piece| {
        let names = std::mem::replace(&mut before, piece);
        let is_named = (names.starts_with('-') || names.ends_with(':')) && is_secret_name(names);
        let by_name = |(name, value): (&str, &str)| {
            (is_filled(value) && is_secret_name(name)) || (value != text && text_has_secret(value, depth - 1))
        };
        (is_named && !piece.is_empty() && !piece.starts_with('-'))
            || UrlText::split(piece).is_some_and(|url| url.has_secret())
            || assignment(piece).is_some_and(by_name)
            || header(piece).is_some_and(|(name, _, value)| by_name((name, value)))
    })
}

/// Returns a text without its references to variables. The default of a reference, `${NAME:-default}`, is kept.
fn without_variables(text: &str) -> String {
    let mut parts = text.split("${");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((inside, after)) = part.split_once('}') else {
            rest.push_str(part);
            continue;
        };
        rest.push_str(inside.split_once(":-").map_or("", |(_, default)| default));
        rest.push_str(after);
    }
    rest
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word_char(c) && c != '=')
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_name_char(c: char) -> bool {
    is_word_char(c) || c == '.'
}

fn is_random(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    word.len() >= RANDOM
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

fn is_hexadecimal(word: &str) -> bool {
    word.len() >= HEXADECIMAL && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
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
            ("DB_PASS", "x", true),
            ("--auth", "ada:x", true),
            ("GITHUB_PAT", "x", true),
            ("Authorization", "Bearer x", true),
            ("MODE", "sk-abc", true),
            ("MODE", "a lgk_abc b", true),
            ("MODE", "a risk-taker's task-list", false),
            ("DATABASE_URL", "postgres://ada:pw@host/db", true),
            ("DATABASE_URL", "postgres://ada:p/w@host/db", true),
            ("DATABASE_URL", "jdbc:postgresql://host/db?user=ada&password=x", true),
            ("DATABASE_URL", "postgres://host/db?a=b@c:d", false),
            ("REPOSITORY", "ssh://git@host/x", false),
            ("REPOSITORY", "https://token@host/x", true),
            ("REPOSITORY", "git+https://host/x@0123456789abcdef0123456789abcdef01234567", false),
            ("HEADERS", r#"{"Authorization":"Bearer x"}"#, true),
            ("HEADERS", r#"{"a":[{"apiKey":"x"}]}"#, true),
            ("HEADERS", r#"{"accept":"text/plain"}"#, false),
            ("HEADERS", r#"{"Authorization":"Bearer ${X}"}"#, false),
            ("HEADERS", r#"{"Authorization":"Bearer ${X}","B":"ntn_abc"}"#, true),
            ("HEADERS", "Accept: a, X-Api-Key: x", true),
            ("MODE", "say: basic x", true),
            ("MODE", "basic", false),
            ("MODE", "bearer", false),
            ("WEB", "https://h.example/s/0123456789abcdef0123456789abcdef/mcp", true),
            ("WEB", "https://h.example/s/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f/mcp", true),
            ("WEB", "https://h.example/mcp?auth=x", true),
            ("WEB", "https://h.example/mcp#access_token=x", true),
            ("WEB", "https://h.example/mcp?x=1&page=2#top", false),
            ("LINE", "API_KEY=x npx server", true),
            ("LINE", "npx server --api-key x", true),
            ("LINE", "npx server --api-key ${X}", false),
            ("LINE", "curl -H 'X-Api-Key: x'", true),
            ("LINE", "npx mcp-remote 'https://h.example/sse?api_key=x'", true),
            ("LINE", "npx server --port 80 --name A=b", false),
            ("OTHER", "aB3dEfGh1jKlMn0pQrStUvWxYz", true),
            ("OTHER", "/Users/ada/Library/Application Support/Claude2/x", false),
            ("API_KEY", "${API_KEY}", false),
            ("API_KEY", "${P}hunter2", true),
            ("API_KEY", "${P}:${Q}", false),
            ("API_KEY", "${P:-hunter2}", true),
            ("API_KEY", "${P:-}", false),
            ("API_KEY", "${P", true),
            ("API_KEY", "***", true),
            ("API_KEY", "Bearer ${X}", false),
            ("API_KEY", "Bearer ${X}hunter2", true),
            ("HEADERS", r#"{"Authorization":"Bearer ${X}hunter2"}"#, true),
            ("LINE", "npx server --api-key ${X}hunter2", true),
            ("WEB", "https://h.example/mcp?api_key=${X}", false),
            ("WEB", "https://h.example/mcp?api_key=${X}hunter2", true),
            ("WEB", "https://h.example/mcp?api_key=${X:-hunter2}", true),
            ("HOST", "${HOST:-localhost}", false),
            ("API_KEY", "", false),
            ("KEY_FILE", "/etc/key", false),
            ("PATH", "/bin", false),
            ("PWD", "/srv", false),
            ("MODE", "fast", false),
        ] {
            assert_eq!(has_secret(name, value), secret, "{name} {value}");
        }
    }

    #[test]
    fn a_reference_in_a_parameter_hides_no_secret_beside_it() {
        let url = UrlText::split("https://h.example/mcp").expect("a URL");
        for (name, value, secret) in [
            ("api_key", "${X}", false),
            ("api_key", "${X}hunter2", true),
            ("api_key", "${X:-hunter2}", true),
            ("page", "${X}2", false),
        ] {
            assert_eq!(url.is_secret_parameter(name, value), secret, "{name}={value}");
        }
    }

    #[test]
    fn the_parts_of_a_url_are_what_it_is_made_of() {
        for (text, parts) in [
            ("https://u:p@h:1/a/b?q=1#f", Some((Some("u:p"), "h:1", "/a/b", Some("q=1"), Some("f")))),
            ("https://h", Some((None, "h", "", None, None))),
            ("https://[::1]:80/@x", Some((None, "[::1]:80", "/@x", None, None))),
            ("https://[::1]/@x", Some((None, "[::1]", "/@x", None, None))),
            ("pg://u:p/w?x@h/db", Some((Some("u:p/w?x"), "h", "/db", None, None))),
            ("https://h/a?b=c@d", Some((None, "h", "/a", Some("b=c@d"), None))),
            ("https://h?a", Some((None, "h", "", Some("a"), None))),
            ("://h", None),
            ("see https://h", None),
            ("/a/b", None),
        ] {
            let split = UrlText::split(text);
            assert_eq!(split.map(|u| (u.user, u.host, u.path, u.query, u.fragment)), parts, "{text}");
        }
    }
}
