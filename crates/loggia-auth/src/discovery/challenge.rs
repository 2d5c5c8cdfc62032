//! The challenge of a refusal: the `WWW-Authenticate` header (RFC 9110, section 11.6.1) with the parameters of RFC
//! 6750, RFC 9449 and RFC 9728.
//!
//! Servers write it in many ways, so the parser is lenient. Invariant: a parameter that occurs twice is ignored.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use crate::scope::Scopes;

/// The longest header that is read.
const MAX_BYTES: usize = 16 << 10;

/// The parameters of a `WWW-Authenticate` challenge (RFC 6750, section 3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BearerChallenge {
    /// True if the server requires tokens that are bound to a key (RFC 9449).
    pub dpop: bool,
    /// The URL of the resource metadata (RFC 9728).
    pub resource_metadata: Option<String>,
    /// The scopes that the request needs.
    pub scope: Option<Scopes>,
    /// The error code.
    pub error: Option<String>,
    /// The `error_description`.
    pub description: Option<String>,
}

impl BearerChallenge {
    /// Reads the challenges of a response. Merges those for bearer and DPoP tokens.
    pub fn read(headers: &HeaderMap) -> BearerChallenge {
        let mut merged = BearerChallenge::default();
        for value in headers.get_all(WWW_AUTHENTICATE).iter().filter(|value| value.len() <= MAX_BYTES) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for challenge in challenges(&text) {
                merged.merge(challenge);
            }
        }
        merged
    }

    /// Returns whether the token lacks scopes.
    pub fn lacks_scope(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }

    /// Returns whether the DPoP proof lacks the server's nonce.
    pub fn lacks_nonce(&self) -> bool {
        self.error.as_deref() == Some("use_dpop_nonce")
    }

    /// Returns whether the DPoP proof is not valid.
    pub fn refuses_proof(&self) -> bool {
        self.error.as_deref() == Some("invalid_dpop_proof")
    }

    fn merge(&mut self, challenge: SchemeChallenge<'_>) {
        let dpop = challenge.scheme.eq_ignore_ascii_case("dpop");
        if !dpop && !challenge.scheme.eq_ignore_ascii_case("bearer") {
            return;
        }
        self.dpop |= dpop;
        let keep = |slot: &mut Option<String>, name: &str| {
            if slot.is_none() {
                *slot = challenge.parameter(name);
            }
        };
        keep(&mut self.resource_metadata, "resource_metadata");
        keep(&mut self.error, "error");
        keep(&mut self.description, "error_description");
        if self.scope.is_none() {
            let scopes = challenge.parameter("scope").map(|text| Scopes::parse(&text));
            self.scope = scopes.filter(|scopes| !scopes.is_empty());
        }
    }
}

/// The parameters of one authentication scheme.
struct SchemeChallenge<'t> {
    scheme: &'t str,
    parameters: Vec<(&'t str, String)>,
}

impl SchemeChallenge<'_> {
    /// Returns a parameter that occurs once and is not empty.
    fn parameter(&self, name: &str) -> Option<String> {
        let mut found = self.parameters.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) if !value.is_empty() => Some(value.clone()),
            _ => None,
        }
    }
}

/// Splits a header into challenges. Text that is not one ends the list.
fn challenges(text: &str) -> Vec<SchemeChallenge<'_>> {
    let mut found: Vec<SchemeChallenge<'_>> = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let Some((word, after)) = token(rest) else { break };
        let spaced = after.trim_start_matches([' ', '\t']);
        match (spaced.strip_prefix('='), found.last_mut()) {
            (Some(value), Some(challenge)) => {
                let Some((value, after)) = parameter_value(value.trim_start_matches([' ', '\t'])) else {
                    break;
                };
                challenge.parameters.push((word, value));
                rest = after;
            }
            (Some(_), None) => break,
            (None, _) => {
                found.push(SchemeChallenge { scheme: word, parameters: Vec::new() });
                rest = after_token68(spaced);
            }
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    found
}

fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Skips credentials in the `token68` form, which some schemes have in place of parameters.
fn after_token68(text: &str) -> &str {
    let is_token68 = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let end = text.find(|c| !is_token68(c)).unwrap_or(text.len());
    let after = text[end..].trim_start_matches('=');
    let ends = after.trim_start_matches([' ', '\t']);
    match end > 0 && (ends.is_empty() || ends.starts_with(',')) {
        true => after,
        false => text,
    }
}

fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Many servers omit the quotes, so the value ends at a comma or space.
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> BearerChallenge {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        BearerChallenge::read(&headers)
    }

    #[test]
    fn challenges_are_read() {
        let metadata = "https://a.example/m";
        // The headers, and the values that are read: DPoP, metadata, scope, error.
        type Row<'t> = (&'t [&'t str], bool, Option<&'t str>, Option<&'t str>, Option<&'t str>);
        let table: &[Row<'_>] = &[
            (&[], false, None, None, None),
            (&["Bearer"], false, None, None, None),
            (&["bearer scope=\"a b\""], false, None, Some("a b"), None),
            (
                &["Bearer resource_metadata=\"https://a.example/m\", scope=\"a\""],
                false,
                Some(metadata),
                Some("a"),
                None,
            ),
            (
                &["Bearer error=insufficient_scope,scope=a"],
                false,
                None,
                Some("a"),
                Some("insufficient_scope"),
            ),
            (&["Bearer realm=\"x, y=\\\"z\\\"\" , scope = \"a\""], false, None, Some("a"), None),
            (&["Basic realm=\"x\", Bearer scope=\"a\""], false, None, Some("a"), None),
            (&["Negotiate abc==, Bearer scope=\"a\""], false, None, Some("a"), None),
            (
                &["Negotiate", "Bearer resource_metadata=https://a.example/m"],
                false,
                Some(metadata),
                None,
                None,
            ),
            (&["DPoP error=\"use_dpop_nonce\", algs=\"ES256\""], true, None, None, Some("use_dpop_nonce")),
            (&["Bearer scope=\"a\", DPoP algs=\"ES256\""], true, None, Some("a"), None),
            (&["Bearer scope=\"a\", scope=\"b\""], false, None, None, None),
            (&["Basic scope=\"a\", resource_metadata=\"https://evil.example/\""], false, None, None, None),
            (&["Bearer scope=\"unfinished"], false, None, None, None),
            (&["=\"a\""], false, None, None, None),
            (&["Bearer scope=\"\""], false, None, None, None),
        ];
        for (values, dpop, resource, scope, error) in table {
            let read = read(values);
            assert_eq!(read.dpop, *dpop, "{values:?}");
            assert_eq!(read.resource_metadata.as_deref(), *resource, "{values:?}");
            assert_eq!(read.scope, scope.map(Scopes::parse), "{values:?}");
            assert_eq!(read.error.as_deref(), *error, "{values:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(text in "[ -~\u{80}-\u{ff}]{0,200}") {
            challenges(&text);
        }
    }
}
