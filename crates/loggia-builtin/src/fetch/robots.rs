//! `robots.txt` (RFC 9309): whether the owner of a server lets programs read a URL. Invariant: if it cannot be read
//! because of the server, nothing there is read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use loggia_auth::restricted_http::{FetchRequest, RestrictedHttpClient};
use robotstxt::DefaultMatcher;
use url::Url;

use super::WebError;

/// The name of this program in `robots.txt`.
const AGENT: &str = "loggia";

/// The number of bytes that are read (RFC 9309, section 2.5, wants at least 500 KiB).
const MOST_BYTES: usize = 512 << 10;

/// The time that the rules of a server are kept (RFC 9309, section 2.4, allows a day).
const TIME: Duration = Duration::from_secs(3600);

/// The maximum number of servers whose rules are kept.
const MOST_SERVERS: usize = 256;

/// The rules of servers, by origin.
#[derive(Debug, Default)]
pub(super) struct RobotsRules(Mutex<HashMap<String, (Instant, ServerRules)>>);

/// The rules of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ServerRules {
    /// The text of `robots.txt`; empty if there is none.
    Text(String),
    /// The server cannot say, so nothing is read.
    Unknown,
}

impl RobotsRules {
    /// Fails if the owner of the server does not let this program read a URL.
    pub(super) async fn check(&self, client: &RestrictedHttpClient, url: &Url) -> Result<(), WebError> {
        let Ok(robots) = url.join("/robots.txt") else { return Ok(()) };
        let origin = url.origin().ascii_serialization();
        let now = Instant::now();
        let known = {
            let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            rules.get(&origin).filter(|(end, _)| now < *end).map(|(_, rules)| rules.clone())
        };
        let rules = match known {
            Some(rules) => rules,
            None => {
                let rules = fetch(client, &robots).await?;
                let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                kept.retain(|_, (end, _)| now < *end);
                if kept.len() < MOST_SERVERS {
                    kept.insert(origin, (now + TIME, rules.clone()));
                }
                rules
            }
        };
        if rules.allows(url) { Ok(()) } else { Err(WebError::Robots { robots: robots.to_string() }) }
    }
}

impl ServerRules {
    fn allows(&self, url: &Url) -> bool {
        match self {
            ServerRules::Text(text) => {
                DefaultMatcher::default().one_agent_allowed_by_robots(text, AGENT, url.as_str())
            }
            ServerRules::Unknown => false,
        }
    }
}

async fn fetch(client: &RestrictedHttpClient, robots: &Url) -> Result<ServerRules, WebError> {
    let request = FetchRequest::get(robots.clone()).most_bytes(MOST_BYTES);
    let request =
        request.header(http::header::ACCEPT, http::HeaderValue::from_static("text/plain, */*;q=0.5"));
    let response = client.send(request).await?;
    Ok(match response.status.as_u16() {
        200..=299 => ServerRules::Text(String::from_utf8_lossy(&response.body).into_owned()),
        // A server without rules (section 2.3.1.3).
        400..=499 => ServerRules::Text(String::new()),
        _ => ServerRules::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_those_of_the_rfc() {
        let rules = "User-agent: *\nDisallow: /private\nAllow: /private/open\n\nUser-agent: loggia\nDisallow: /no-loggia$\n";
        for (text, path, expected) in [
            ("", "/a", true),
            ("User-agent: *\nDisallow: /", "/a", false),
            ("User-agent: *\nDisallow:", "/a", true),
            ("User-agent: other\nDisallow: /", "/a", true),
            (rules, "/private/a", true),
            (rules, "/no-loggia", false),
            (rules, "/no-loggia/x", true),
            ("User-agent: *\nDisallow: /private\nAllow: /private/open", "/private/a", false),
            ("User-agent: *\nDisallow: /private\nAllow: /private/open", "/private/open/a", true),
            ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf", false),
            ("<html>not found</html>", "/a", true),
        ] {
            let url = Url::parse(&format!("https://example.com{path}")).expect("a URL");
            assert_eq!(ServerRules::Text(text.to_owned()).allows(&url), expected, "{text:?} {path}");
            assert!(!ServerRules::Unknown.allows(&url));
        }
    }
}
