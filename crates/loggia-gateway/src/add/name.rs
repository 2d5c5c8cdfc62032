//! Names for connectors that have none: from a URL, a title or a package.

use loggia_connect::config_file::connector_name;
use url::{Host, Url};

/// The most characters of a name.
const LONGEST: usize = 32;
/// The name where nothing else gives one.
const FALLBACK: &str = "server";
/// Parts of hosts and packages that name no system.
const GENERIC: [&str; 8] = ["mcp", "www", "api", "server", "mcp-server", "app", "com", "co"];

/// Returns the name for the server or API at a URL: the part of the host that people know.
pub(super) fn of_url(url: &Url) -> String {
    let Some(Host::Domain(host)) = url.host() else { return FALLBACK.to_owned() };
    let labels: Vec<&str> = host.split('.').collect();
    let (domain, _) = labels.split_at(labels.len().saturating_sub(1).max(1));
    let known = domain.iter().rev().find(|label| !GENERIC.contains(label)).or(domain.last());
    of_words(known.unwrap_or(&FALLBACK))
}

/// Returns the name for a package: `@acme/mcp-server` is `acme`, `acme-mcp` is `acme-mcp`.
pub(super) fn of_package(package: &str) -> String {
    let parts = package.split(['/', '@', ':']).filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.collect();
    let known = parts.iter().rev().find(|part| !GENERIC.contains(part));
    of_words(known.or(parts.last()).unwrap_or(&FALLBACK))
}

/// Returns the name for words of people, cut to the longest that a name may be.
pub(super) fn of_words(words: &str) -> String {
    let mut words = words;
    loop {
        match connector_name(words) {
            Ok(name) => return name,
            Err(_) if words.chars().count() > 1 => {
                let at = words.char_indices().nth(LONGEST.min(words.chars().count() - 1));
                words = at.map_or("", |(at, _)| &words[..at]);
            }
            Err(_) => return FALLBACK.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_people_know() {
        for (url, expected) in [
            ("https://mcp.linear.app/mcp", "linear"),
            ("https://acme.example/mcp", "acme"),
            ("https://api.shop.example.com/v1", "example"),
            ("https://localhost/mcp", "localhost"),
            ("http://127.0.0.1:4000/mcp", "server"),
        ] {
            assert_eq!(of_url(&Url::parse(url).expect("a URL")), expected, "{url}");
        }
        for (package, expected) in [
            ("@acme/mcp-server", "acme"),
            ("@modelcontextprotocol/server-everything", "server-everything"),
            ("acme-mcp", "acme-mcp"),
            ("ghcr.io/acme/server", "acme"),
        ] {
            assert_eq!(of_package(package), expected, "{package}");
        }
        for (words, expected) in [
            ("Swagger Petstore - OpenAPI 3.0", "swagger-petstore-openapi-3-0"),
            ("A very long title of an interface of a vendor", "a-very-long-title-of-an-interfac"),
            ("日本", "server"),
        ] {
            assert_eq!(of_words(words), expected, "{words}");
        }
    }
}
