//! Resource URIs in a normal form (RFC 3986, section 6), so that an access rule applies to the same resource that the
//! server opens, in every spelling of the URI.
//!
//! The form is coarser than the one of the RFC: repeated slashes count as one, the user name, the default port and the
//! fragment are dropped, and `scheme://a/b` and `scheme:a/b` are the same. It is for comparing, not for sending. A
//! spelling that servers read in different ways has no normal form and is refused.

use std::borrow::Cow;
use std::fmt;

pub use crate::percent::percent_decode;
use crate::percent::{AllowedCharacters, is_unreserved, percent_encode, push_encoded};

/// Schemes whose authority names a host (WHATWG URL, "special scheme"), with their default ports.
const HOST_SCHEMES: &[(&str, &str)] =
    &[("http", "80"), ("https", "443"), ("ws", "80"), ("wss", "443"), ("ftp", "21"), ("file", "")];

/// The normal form of a resource URI.
///
/// ```
/// use loggia_wire::uri::NormalUri;
///
/// let spelled = NormalUri::parse("FILE://localhost/srv//public/../%73ecret dir/")?;
/// assert_eq!(spelled, NormalUri::parse("file:///srv/secret%20dir/")?);
/// assert!(NormalUri::parse("file:///srv%2Fsecret").is_err());
/// # Ok::<(), loggia_wire::uri::AmbiguousUri>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalUri {
    scheme: String,
    host: Option<String>,
    segments: Vec<String>,
    ends_with_slash: bool,
    query: Option<String>,
}

/// The reason why a URI has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmbiguousUri {
    /// A control character, or a space at the beginning or the end: some parsers remove them.
    Blank,
    /// A backslash, which some parsers read as a slash.
    Backslash,
    /// `%2F` or `%5C` in a path, or `%` in a host.
    EncodedSeparator,
    /// A `%` that does not begin two hexadecimal digits, or encodes a control character or bytes that are not UTF-8.
    BadEncoding,
    /// A `..` that leaves the path, or follows an empty segment.
    ParentSegment,
}

impl AmbiguousUri {
    /// Returns the reason as text.
    pub const fn reason(self) -> &'static str {
        match self {
            AmbiguousUri::Blank => "it has a control character, or a space at its beginning or end",
            AmbiguousUri::Backslash => "it has a backslash",
            AmbiguousUri::EncodedSeparator => "it has an encoded separator (%2F, %5C, or % in the host)",
            AmbiguousUri::BadEncoding => "it has a % that does not encode a character",
            AmbiguousUri::ParentSegment => "it has a '..' that leaves the path or follows an empty segment",
        }
    }
}

impl fmt::Display for AmbiguousUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for AmbiguousUri {}

impl NormalUri {
    /// Parses a URI, or the beginning of one.
    pub fn parse(uri: &str) -> Result<NormalUri, AmbiguousUri> {
        if uri.contains(char::is_control) || uri.trim() != uri {
            return Err(AmbiguousUri::Blank);
        }
        let uri = uri.split('#').next().unwrap_or_default();
        let (before_query, query) = uri.split_once('?').map_or((uri, ""), |(path, query)| (path, query));
        if before_query.contains('\\') {
            return Err(AmbiguousUri::Backslash);
        }
        let (scheme, rest) = split_scheme(before_query);
        let query = if query.is_empty() { None } else { Some(normal_query(query)?) };
        let normal = NormalUri { scheme, host: None, segments: Vec::new(), ends_with_slash: false, query };
        normal.with_hierarchy(rest)
    }

    fn with_hierarchy(mut self, rest: &str) -> Result<NormalUri, AmbiguousUri> {
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        let without_user = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        match HOST_SCHEMES.iter().find(|(scheme, _)| *scheme == self.scheme) {
            Some((_, port)) => {
                self.host = Some(normal_host(&self.scheme, without_user, port)?);
                self.add_path(path)?;
            }
            // A server with a scheme of its own may read the authority as the first segment.
            None => {
                self.add_path(without_user)?;
                self.add_path(path)?;
            }
        }
        if let (None, Some(first)) = (&self.host, self.segments.first_mut()) {
            *first = first.to_lowercase();
        }
        Ok(self)
    }

    fn add_path(&mut self, path: &str) -> Result<(), AmbiguousUri> {
        let (mut after_empty, authority) = (false, self.segments.len());
        for (at, raw) in path.split('/').enumerate() {
            let segment = decode(raw)?;
            self.ends_with_slash = at > 0 && matches!(&*segment, "" | "." | "..");
            match &*segment {
                ".." if after_empty || self.segments.len() == authority => {
                    return Err(AmbiguousUri::ParentSegment);
                }
                ".." => drop(self.segments.pop()),
                "" | "." => {}
                name => self.segments.push(name.to_owned()),
            }
            after_empty = at > 0 && segment.is_empty();
        }
        Ok(())
    }

    /// Returns the URI with the letters of its path and query in one case, as file systems that ignore case compare
    /// names. Variants of one letter (`ς` and `σ`, `ſ` and `s`) become equal too; the Unicode normalization forms of
    /// a text do not.
    ///
    /// ```
    /// use loggia_wire::uri::NormalUri;
    ///
    /// let folded = NormalUri::parse("file:///Secret/X")?.fold_case();
    /// assert_eq!(folded, NormalUri::parse("file:///secret/x")?);
    /// # Ok::<(), loggia_wire::uri::AmbiguousUri>(())
    /// ```
    #[must_use]
    pub fn fold_case(mut self) -> NormalUri {
        self.segments.iter_mut().for_each(|segment| *segment = folded(segment));
        self.query = self.query.map(|query| folded_query(&query));
        self
    }

    /// Returns the scheme in small letters; empty for a text without one.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the host and port of a URL whose authority names a host (`http`, `https`, `file`, …).
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Returns the segments of the path, percent-decoded. None is empty, `.` or `..`.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Returns whether the path ends with a slash.
    pub fn ends_with_slash(&self) -> bool {
        self.ends_with_slash
    }

    /// Returns the query, if there is one that is not empty.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
}

impl fmt::Display for NormalUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}://", self.scheme)?;
        }
        if let Some(host) = &self.host {
            f.write_str(host)?;
        }
        for (at, segment) in self.segments.iter().enumerate() {
            if at > 0 || self.host.is_some() {
                f.write_str("/")?;
            }
            f.write_str(&encode_segment(segment))?;
        }
        if self.ends_with_slash {
            f.write_str("/")?;
        }
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

/// Percent-encodes a segment of a path: everything but the unreserved characters (RFC 3986, section 2.3).
pub fn encode_segment(segment: &str) -> Cow<'_, str> {
    percent_encode(segment, AllowedCharacters::Unreserved)
}

/// Splits a scheme (RFC 3986, section 3.1) off, in small letters.
fn split_scheme(uri: &str) -> (String, &str) {
    match scheme(uri) {
        Some(scheme) => (scheme.to_ascii_lowercase(), &uri[scheme.len() + 1..]),
        None => (String::new(), uri),
    }
}

/// Returns the scheme of a URI (RFC 3986, section 3.1), as it is written; `None` for a relative reference.
pub fn scheme(uri: &str) -> Option<&str> {
    let (scheme, _) = uri.split_once(':')?;
    let is_valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    is_valid.then_some(scheme)
}

fn normal_host(scheme: &str, authority: &str, default_port: &str) -> Result<String, AmbiguousUri> {
    if authority.contains('%') {
        return Err(AmbiguousUri::EncodedSeparator);
    }
    let lower = authority.to_lowercase();
    let host = match lower.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && (port.is_empty() || port == default_port) => host,
        _ => &lower,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    Ok(if scheme == "file" && host == "localhost" { String::new() } else { host.to_owned() })
}

/// Percent-decodes one segment of a path.
fn decode(segment: &str) -> Result<Cow<'_, str>, AmbiguousUri> {
    if !segment.contains('%') {
        return Ok(Cow::Borrowed(segment));
    }
    let mut decoded = Vec::with_capacity(segment.len());
    for octet in octets(segment) {
        match octet? {
            (b'/' | b'\\', true) => return Err(AmbiguousUri::EncodedSeparator),
            (byte, _) => decoded.push(byte),
        }
    }
    let text = String::from_utf8(decoded).map_err(|_| AmbiguousUri::BadEncoding)?;
    if text.contains(char::is_control) { Err(AmbiguousUri::BadEncoding) } else { Ok(Cow::Owned(text)) }
}

/// Decodes unreserved characters, and encodes the characters that a query must not contain (RFC 3986, section 3.4).
fn normal_query(query: &str) -> Result<String, AmbiguousUri> {
    let mut normal = String::with_capacity(query.len());
    for octet in octets(query) {
        let (byte, was_encoded) = octet?;
        let plain = is_unreserved(byte) || (!was_encoded && b"!$&'()*+,;=:@/?".contains(&byte));
        push_encoded(&mut normal, byte, plain);
    }
    Ok(normal)
}

/// Folds each letter without regard to the ones around it, so that the beginning of a text is folded like the whole.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Folds the ASCII letters of a query in normal form.
fn folded_query(query: &str) -> String {
    let mut folded = String::with_capacity(query.len());
    for (byte, was_encoded) in octets(query).flatten() {
        push_encoded(&mut folded, byte.to_ascii_lowercase(), !was_encoded);
    }
    folded
}

/// Yields each octet of a text after percent-decoding, and whether it was percent-encoded.
fn octets(text: &str) -> impl Iterator<Item = Result<(u8, bool), AmbiguousUri>> + '_ {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        if first != b'%' {
            rest = after;
            return Some(Ok((first, false)));
        }
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            rest = &[];
            return Some(Err(AmbiguousUri::BadEncoding));
        };
        rest = &after[2..];
        Some(Ok(((high * 16 + low) as u8, true)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_resource_have_one_normal_form() {
        let table: &[(&str, &[&str])] = &[
            (
                "file:///srv/secret%20dir/x",
                &[
                    "file:///srv/secret dir/x",
                    "file:///srv/./secret%20dir/x",
                    "file:///srv//secret%20dir///x",
                    "file:////srv/secret%20dir/x",
                    "file:///srv/public/../secret%20dir/x",
                    "file:///srv/public/%2e%2E/secret%20dir/x",
                    "file:///srv/%2e/secret%20dir/x",
                    "file:///srv/%73ecret%20dir/x",
                    "file:///srv/secret%20dir/y/../x",
                    "FILE:///srv/secret%20dir/x",
                    "file://localhost/srv/secret%20dir/x",
                    "file://LOCALHOST./srv/secret%20dir/x",
                    "file:/srv/secret%20dir/x",
                    "file:srv/secret%20dir/x",
                    "file:///srv/secret%20dir/x#part",
                    "file:///srv/secret%20dir/x?",
                    "file://user@/srv/secret%20dir/x",
                ],
            ),
            ("file:///a/", &["file:///a/.", "file:///a/b/..", "file:///a//"]),
            ("file:///a%28b%29%3F", &["file:///a(b)%3f"]),
            ("file:///%C3%A9", &["file:///é", "file:///%c3%a9"]),
            ("file:///a%25", &["file:///%61%25"]),
            (
                "http://host/a?q=%20x",
                &["HTTP://HOST:80/a?q= x", "http://u:p@host./a?%71=%20x", "http://host:/a?q=%20x#f"],
            ),
            ("http://host:8080/a", &["http://Host:8080//a"]),
            ("notes://pub/x", &["notes:pub/x", "notes:///pub/x", "notes://PUB/./x", "notes://me@pub/x"]),
            ("urn://isbn%3A1", &["urn:isbn:1", "URN:isbn:1"]),
            ("notes/x", &["/notes//x", "./notes/x"]),
        ];
        for (normal, spellings) in table {
            for spelled in spellings.iter().chain([normal]) {
                let found = NormalUri::parse(spelled).map(|uri| uri.to_string());
                assert_eq!(found.as_deref(), Ok(*normal), "{spelled}");
            }
        }
    }

    #[test]
    fn ambiguous_spellings_are_refused() {
        use AmbiguousUri::*;
        for (uri, why) in [
            ("file:///a%2Fb", EncodedSeparator),
            ("file:///a%2fb", EncodedSeparator),
            ("file:///a/%2e%2e%5cb", EncodedSeparator),
            ("http://ho%73t/", EncodedSeparator),
            ("file:///a\\b", Backslash),
            ("file:///a\nb", Blank),
            ("file:///a\tb", Blank),
            (" file:///a", Blank),
            ("file:///a ", Blank),
            ("file:///a%00", BadEncoding),
            ("file:///a%0a", BadEncoding),
            ("file:///a%", BadEncoding),
            ("file:///a%2", BadEncoding),
            ("file:///a%zz", BadEncoding),
            ("file:///%c0%ae%c0%ae/a", BadEncoding),
            ("file:///%ff", BadEncoding),
            ("file:///a?%x", BadEncoding),
            ("file:///../a", ParentSegment),
            ("file:///a/../../b", ParentSegment),
            ("file:///a//../b", ParentSegment),
            ("notes://../a", ParentSegment),
            ("notes://pub/../a", ParentSegment),
        ] {
            assert_eq!(NormalUri::parse(uri), Err(why), "{uri}");
        }
    }

    #[test]
    fn the_letters_of_paths_and_queries_are_folded() {
        for (uri, expected) in [
            ("file:///Secret/X", "file:///secret/x"),
            ("file:///\u{c9}t\u{e9}", "file:///%C3%A9t%C3%A9"),
            ("file:///\u{3a3}\u{3c3}\u{3c2}", "file:///%CF%83%CF%83%CF%83"),
            ("file:///\u{17f}\u{212a}", "file:///sk"),
            ("file:///\u{df}", "file:///ss"),
            ("db://Users/Row?Q=A%C3%89", "db://users/row?q=a%C3%89"),
            ("urn:ISBN", "urn://isbn"),
        ] {
            let folded = NormalUri::parse(uri).map(|uri| uri.fold_case().to_string());
            assert_eq!(folded.as_deref(), Ok(expected), "{uri}");
        }
    }

    proptest! {
        #[test]
        fn the_folded_form_of_a_beginning_is_the_beginning_of_the_folded_form(
            start in "[a-zA-Z\u{df}\u{e9}\u{130}\u{17f}\u{3a3}\u{3c2}\u{3c3}]{0,9}",
            rest in "[a-zA-Z\u{df}\u{3a3}]{0,9}",
        ) {
            let fold = |path: String| NormalUri::parse(&format!("file:///{path}")).map(|uri| uri.fold_case().to_string());
            let (start, whole) = (fold(start.clone()), fold(format!("{start}{rest}")));
            prop_assert!(whole.expect("clear").starts_with(&start.expect("clear")));
        }

        #[test]
        fn the_normal_form_of_a_normal_form_is_itself(text in "[a-z]{0,4}:?/{0,3}[a-zA-Z%./@?# é0-9]{0,30}") {
            if let Ok(normal) = NormalUri::parse(&text) {
                prop_assert_eq!(NormalUri::parse(&normal.to_string()).map(|uri| uri.to_string()), Ok(normal.to_string()));
            }
        }

        #[test]
        fn nothing_panics(text in ".{0,60}") {
            let _ = NormalUri::parse(&text);
        }
    }
}
