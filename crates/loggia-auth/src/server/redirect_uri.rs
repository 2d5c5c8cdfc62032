//! Redirect URIs: decides which ones clients may register, and compares them with those of requests.
//!
//! A user is sent only to a URI that the client registered, compared exactly (OAuth 2.1, section 2.3.1). Only the
//! port of a URI on the user's machine may differ, because a program there listens on any free port (RFC 8252,
//! section 7.3).

use url::{Host, Url};

/// The maximum length of a redirect URI, in bytes.
const MAX_BYTES: usize = 2048;
/// Programs whose scheme is not a domain name in reverse order, and the hosts of their redirect URIs. Other links of
/// the same scheme have other effects: they open files, install MCP servers, or run commands.
const KNOWN_PROGRAMS: &[(&str, ProgramHost)] = &[
    ("antigravity", ProgramHost::Extension),
    ("claude", ProgramHost::Named("claude.ai")),
    ("cursor", ProgramHost::Extension),
    ("kiro", ProgramHost::Extension),
    ("trae", ProgramHost::Extension),
    ("vscode", ProgramHost::Extension),
    ("vscode-insiders", ProgramHost::Extension),
    ("vscodium", ProgramHost::Extension),
    ("warp", ProgramHost::Named("mcp")),
    ("windsurf", ProgramHost::Extension),
    ("windsurf-next", ProgramHost::Extension),
];
/// The extension of Cursor that handles links to install MCP servers and to fill in prompts.
const DEEP_LINKS: &str = "anysphere.cursor-deeplink";

/// The host of a known program's redirect URI.
#[derive(Debug, Clone, Copy)]
enum ProgramHost {
    /// This host.
    Named(&'static str),
    /// The identifier of an editor's extension: `publisher.name`.
    Extension,
}

impl ProgramHost {
    fn allows(self, host: &str) -> bool {
        match self {
            ProgramHost::Named(name) => host == name,
            // Editors decode percent-encoding in the host, so only hosts that decode to themselves are compared.
            ProgramHost::Extension => {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
                host.contains('.') && host.bytes().all(is_plain) && !host.eq_ignore_ascii_case(DEEP_LINKS)
            }
        }
    }
}

/// Checks a URI that a client wants to register. The error is the reason for a refusal.
pub(super) fn check(uri: &str) -> Result<(), &'static str> {
    if uri.len() > MAX_BYTES || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it is too long or holds characters that belong in no URL");
    }
    let url = Url::parse(uri).map_err(|_| "it is not an absolute URL")?;
    if uri.contains('#') {
        return Err("it has a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or password");
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_local(&url) => Ok(()),
        "http" | "https" => Err("it must be an https URL, or an http URL of the user's own machine"),
        _ if opens_known_program(&url) || is_reverse_domain(url.scheme()) => Ok(()),
        _ => Err(
            "its scheme is neither https nor the domain name of a program in reverse order (com.example.app); an \
             administrator can enter the client",
        ),
    }
}

fn opens_known_program(url: &Url) -> bool {
    let known = KNOWN_PROGRAMS.iter().find(|(scheme, _)| *scheme == url.scheme());
    known.zip(url.host_str()).is_some_and(|((_, known), host)| known.allows(host))
}

/// Returns whether a scheme is a domain name in reverse order (RFC 8252, section 7.1). Those of operating systems
/// (`x-apple.systempreferences`) begin with no top-level domain.
fn is_reverse_domain(scheme: &str) -> bool {
    let mut labels = scheme.split('.');
    let top = labels.next().unwrap_or_default();
    let is_label = |label: &str| !label.is_empty() && !label.contains('+');
    let mut rest = labels.peekable();
    top.len() > 1
        && top.bytes().all(|byte| byte.is_ascii_lowercase())
        && rest.peek().is_some()
        && rest.all(is_label)
}

/// Returns whether the redirect URI of a request is registered.
pub(super) fn is_registered(registered: &[String], presented: &str) -> bool {
    registered.iter().any(|known| known == presented || differs_in_port(known, presented))
}

fn differs_in_port(known: &str, presented: &str) -> bool {
    let (Ok(mut known), Ok(mut presented)) = (parse_exact(known), parse_exact(presented)) else {
        return false;
    };
    if known.scheme() != "http" || !is_local(&known) || !is_local(&presented) {
        return false;
    }
    known.set_port(None).is_ok() && presented.set_port(None).is_ok() && known == presented
}

/// Parses a URL that is in normal form. A URL that the parser would change is not the same one.
fn parse_exact(uri: &str) -> Result<Url, ()> {
    let url = Url::parse(uri).map_err(drop)?;
    let written = url.as_str();
    (written == uri || written.strip_suffix('/') == Some(uri)).then_some(url).ok_or(())
}

/// Returns whether a URL is on the user's machine.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Returns whether a redirect URI opens a program on the user's machine: by a port, or by a scheme that any program can
/// claim (RFC 8252, section 8.6).
pub(super) fn opens_program(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|uri| uri.scheme() != "https" && (uri.scheme() != "http" || is_local(&uri)))
}

/// Returns the text for a redirect URI on pages: its host, or the scheme of the program that opens it.
pub(super) fn display(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            let host = url.host_str().unwrap_or_default();
            url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
        }
        Ok(url) => format!("the program for {}: links", url.scheme()),
        Err(_) => String::new(),
    }
}

/// Returns the source for `form-action` in a page's policy, so that a browser follows the redirect after a form. A
/// policy cannot name a host in brackets (Content Security Policy Level 3, section 2.3.1), so an IPv6 address gives a
/// scheme.
pub(super) fn policy_source(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) if matches!(url.host(), Some(Host::Ipv6(_))) => format!("{}:", url.scheme()),
        Ok(url) if matches!(url.scheme(), "http" | "https") => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => "'none'".to_owned(),
    }
}

/// Returns a redirect URI with the parameters of a response in its query.
pub(super) fn with_response(uri: &str, params: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(params);
    let separator = if uri.contains('?') { "&" } else { "?" };
    format!("{uri}{separator}{}", text.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_addresses_are_registered() {
        let table = [
            ("https://app.example/cb", true),
            ("https://app.example/cb?a=b", true),
            ("http://127.0.0.1/cb", true),
            ("http://127.0.0.1:3000/cb", true),
            ("http://[::1]:3000/cb", true),
            ("http://localhost:3000/cb", true),
            ("com.example.app:/cb", true),
            ("io.example:/cb", true),
            ("cursor://anysphere.cursor-mcp/oauth/callback", true),
            ("cursor://anysphere.cursor-retrieval/oauth/user-abc/callback", true),
            ("vscode://example.extension/callback", true),
            ("vscode-insiders://example.extension/callback", true),
            ("windsurf://codeium.windsurf/callback", true),
            ("claude://claude.ai/mcp/callback", true),
            ("warp://mcp/oauth2callback", true),
            ("cursor://anysphere.cursor-deeplink/mcp/install?name=x&config=e30", false),
            ("cursor://anysphere.cursor%2Ddeeplink/mcp/install?name=x&config=e30", false),
            ("vscode://publisher%2Ename/callback", false),
            ("cursor://ANYSPHERE.cursor-deeplink/prompt?text=x", false),
            ("cursor://file/etc/passwd", false),
            ("vscode://file/etc/passwd", false),
            ("vscode:mcp/install?%7B%7D", false),
            ("cursor:", false),
            ("claude://evil.example/callback", false),
            ("claude:callback", false),
            ("ms-officecmd:{}", false),
            ("ms-officecmd:%7B%7D", false),
            ("jnlp:http://evil.example/x.jnlp", false),
            ("jnlps://evil.example/x.jnlp", false),
            ("feed:javascript:alert(1)", false),
            ("view-source:https://app.example/", false),
            ("steam://run/1", false),
            ("zoommtg://zoom.us/join", false),
            ("vnc://evil.example", false),
            ("x-apple.systempreferences:com.apple.preference", false),
            ("x-scheme:cb", false),
            ("a.example:/cb", false),
            (".example:/cb", false),
            ("com.:/cb", false),
            ("com..app:/cb", false),
            ("myapp:/cb", false),
            ("http://app.example/cb", false),
            ("http://localhost.evil.example/cb", false),
            ("http://127.0.0.1.evil.example/cb", false),
            ("https://app.example/cb#x", false),
            ("https://app.example/cb#", false),
            ("https://user@app.example/cb", false),
            ("javascript:alert(1)", false),
            ("JavaScript:alert(1)", false),
            ("data:text/html,x", false),
            ("file:///etc/passwd", false),
            ("intent://x#Intent;scheme=https;end", false),
            ("chrome-extension://abc/cb", false),
            ("search-ms:query=x", false),
            ("smb://evil.example/share", false),
            ("/cb", false),
            ("https://app.example/c b", false),
            ("https://app.example/\r\nSet-Cookie:x", false),
            ("", false),
        ];
        for (uri, allowed) in table {
            assert_eq!(check(uri).is_ok(), allowed, "{uri}");
        }
    }

    #[test]
    fn a_policy_names_the_source_of_the_redirect_uri() {
        let table = [
            ("https://app.example/cb?a=b", "https://app.example"),
            ("https://app.example:8443/cb", "https://app.example:8443"),
            ("http://127.0.0.1:50123/cb", "http://127.0.0.1:50123"),
            ("http://localhost/cb", "http://localhost"),
            ("http://[::1]:50123/cb", "http:"),
            ("cursor://app/cb", "cursor:"),
            ("com.example.app:/cb", "com.example.app:"),
        ];
        for (uri, expected) in table {
            assert_eq!(policy_source(uri), expected, "{uri}");
        }
    }

    #[test]
    fn redirect_uris_are_compared_exactly() {
        let table = [
            ("https://app.example/cb", "https://app.example/cb", true),
            ("https://app.example/cb", "https://app.example/cb/", false),
            ("https://app.example/cb", "https://app.example/cb?x=y", false),
            ("https://app.example/cb", "https://app.example/cb/../evil", false),
            ("https://app.example/cb", "https://APP.example/cb", false),
            ("https://app.example/cb", "https://app.example:443/cb", false),
            ("https://app.example/cb", "https://app.example:8443/cb", false),
            ("https://app.example/cb", "http://app.example/cb", false),
            ("https://app.example/cb", "https://app.example.evil.example/cb", false),
            ("https://app.example/cb", "https://app.example@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:50123/cb", true),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1:50123/cb", true),
            ("http://localhost:3000/cb", "http://localhost:4000/cb", true),
            ("http://[::1]/cb", "http://[::1]:4000/cb", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:50123/other", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:50123/x/../cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:50123/cb?a=b", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:50123/cb#a", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://localhost:50123/cb", false),
            ("http://127.0.0.1/cb", "http://2130706433:50123/cb", false),
            ("http://127.0.0.1/cb", "https://127.0.0.1:50123/cb", false),
            ("com.example.app:/cb", "com.example.app:/cb", true),
            ("com.example.app:/cb", "com.example.app:/other", false),
        ];
        for (registered, presented, same) in table {
            assert_eq!(is_registered(&[registered.to_owned()], presented), same, "{registered} {presented}");
        }
        assert_eq!(
            with_response("https://a/?x=y", &[("code", "a&b"), ("iss", "https://i")]),
            "https://a/?x=y&code=a%26b&iss=https%3A%2F%2Fi"
        );
    }
}
