//! Sign-in with a link that works once, for the only user of a machine.
//!
//! The program shows the link where it runs, so only its user can open it. Each link is shown for one sign-in, and the
//! number of shown links is bounded.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Response};
use loggia::transport::http::Body;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::AuthError;
use crate::jose::random;
use crate::server::client_registry::ClientRegistry;
use crate::server::http::{RequestParams, is_same_origin, redirect};
use crate::server::pages;
use crate::server::pending_authorizations::PendingAuthorizations;
use crate::server::rate::RateLimiter;
use crate::server::records::RecordStore;
use crate::server::redirect_uri;
use crate::server::sessions::{SessionUser, Sessions};
use crate::server::urls::ServerUrls;

/// Lifetime of a link.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Shortest time between two links for one sign-in.
const MIN_INTERVAL: Duration = Duration::from_secs(60);

/// Shows a link to the user who runs the program. The link is a secret: it signs in the browser in which it is
/// opened.
pub type ShowLinkFn = Arc<dyn Fn(&SignInLink) + Send + Sync>;

/// A link with which a user signs in, and the client that asks for the sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInLink {
    url: Url,
    program: Option<(String, String)>,
}

impl SignInLink {
    /// Returns the link.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the name that the client gives itself; `None` for a sign-in to a page of this server.
    pub fn program(&self) -> Option<&str> {
        self.program.as_ref().map(|(name, _)| name.as_str())
    }

    /// Returns the host to which the user is sent afterwards, or the scheme of the links that open the client.
    pub fn destination(&self) -> Option<&str> {
        self.program.as_ref().map(|(_, destination)| destination.as_str())
    }
}

/// The record of a link.
#[derive(Serialize, Deserialize)]
struct LinkRecord {
    subject: String,
}

/// Signs in the user of the machine with a link.
pub(in crate::server) struct LinkSignIn {
    pub(in crate::server) subject: String,
    pub(in crate::server) show: ShowLinkFn,
    pub(in crate::server) urls: Arc<ServerUrls>,
    pub(in crate::server) records: RecordStore,
    pub(in crate::server) sessions: Sessions,
    pub(in crate::server) pending: PendingAuthorizations,
    pub(in crate::server) clients: Arc<ClientRegistry>,
    pub(in crate::server) limiter: Arc<RateLimiter>,
}

impl LinkSignIn {
    /// Returns a new link. It works once, for ten minutes.
    pub(in crate::server) async fn new_link(&self, sign_in: Option<&str>) -> Result<Url, AuthError> {
        let (code, record) = (random(24), LinkRecord { subject: self.subject.clone() });
        let expires = Some(self.records.now() + LIFETIME);
        self.records.add(&RecordStore::hashed_name("link", &code), &record, expires).await?;
        let wrong = |_| AuthError::Configuration("the issuer is not a URL".to_owned());
        let mut url = Url::parse(&self.urls.url("signin")).map_err(wrong)?;
        url.query_pairs_mut()
            .extend_pairs(sign_in.map(|sign_in| ("request", sign_in)))
            .append_pair("code", &code);
        Ok(url)
    }

    /// Shows a link, unless one was shown for this sign-in less than a minute ago. Returns the page for its code.
    pub(super) async fn start(&self, sign_in: &str, parts: &Parts) -> Result<Response<Body>, AuthError> {
        let (now, shown) = (self.records.now(), RecordStore::hashed_name("link-shown", sign_in));
        let program = self.program_of(sign_in).await?;
        if self.records.add(&shown, &(), Some(now + MIN_INTERVAL)).await? {
            if let Err(wait) = self.limiter.count_link(parts, now) {
                self.records.take::<()>(&shown).await?;
                return Ok(pages::too_many_requests(wait));
            }
            match self.new_link(Some(sign_in)).await {
                Ok(url) => (self.show)(&SignInLink { url, program }),
                Err(error) => {
                    // After a failure, the next request must not wait for a link that was never shown.
                    self.records.take::<()>(&shown).await?;
                    return Err(error);
                }
            }
        }
        Ok(pages::enter_code(&self.urls.path("signin"), Some(sign_in), false))
    }

    /// Returns the name of the client of a sign-in, and the destination of the user.
    async fn program_of(&self, sign_in: &str) -> Result<Option<(String, String)>, AuthError> {
        let Some(request) = self.pending.find(sign_in).await?.map(|found| found.value) else {
            return Ok(None);
        };
        let client = self.clients.find(&request.client).await?.ok();
        let name = client.map_or_else(|| request.client.clone(), |client| client.name);
        Ok(Some((name, redirect_uri::display(&request.redirect_uri))))
    }

    /// Uses a link's code: starts a session, and continues the sign-in. Returns `None` for a wrong code.
    pub(super) async fn confirm(
        &self,
        params: &RequestParams,
        headers: &HeaderMap,
    ) -> Result<Option<Response<Body>>, AuthError> {
        let (sign_in, code) = (params.get("request"), params.get("code").unwrap_or_default().trim());
        if !is_same_origin(headers, self.urls.origin()) {
            return Ok(None);
        }
        let link = self.records.take::<LinkRecord>(&RecordStore::hashed_name("link", code)).await?;
        let Some(LinkRecord { subject }) = link else { return Ok(None) };
        let mut response = match sign_in {
            Some(sign_in) => redirect(&self.urls.continue_path(sign_in)),
            None => pages::signed_in(),
        };
        let user = SessionUser { name: subject.clone(), subject };
        self.sessions.start(&user, &mut response).await?;
        Ok(Some(response))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::header::ORIGIN;
    use http::{HeaderValue, Request, StatusCode};

    use super::*;
    use crate::restricted_http::{FetchPolicy, RestrictedHttpClient};
    use crate::server::http::ServerCookies;
    use crate::server::testing::TestClock;

    /// Returns a sign-in by links, and the links that it shows.
    fn link_sign_in(clock: &TestClock) -> (LinkSignIn, Arc<Mutex<Vec<SignInLink>>>) {
        let links = Arc::new(Mutex::new(Vec::new()));
        let shown = links.clone();
        let records = clock.records();
        let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let cookies = ServerCookies { secure: true, port: None };
        let sign_in = LinkSignIn {
            subject: "ada".to_owned(),
            show: Arc::new(move |link| shown.lock().unwrap().push(link.clone())),
            urls: Arc::new(ServerUrls::new("https://hub.example".to_owned()).unwrap()),
            sessions: Sessions::new(records.clone(), cookies, Duration::from_secs(60)),
            pending: PendingAuthorizations::new(records.clone()),
            clients: Arc::new(ClientRegistry::new(Vec::new(), records.clone(), http)),
            limiter: Arc::new(RateLimiter::new(None)),
            records,
        };
        (sign_in, links)
    }

    #[tokio::test]
    async fn one_link_is_shown_within_a_minute() {
        let clock = TestClock::new();
        let (sign_in, links) = link_sign_in(&clock);
        let parts = Request::new(()).into_parts().0;
        for (pause, id, shown) in [(0, "a", 1), (59, "a", 1), (0, "b", 2), (1, "a", 3)] {
            clock.advance(pause);
            assert_eq!(sign_in.start(id, &parts).await.unwrap().status(), StatusCode::OK);
            assert_eq!(links.lock().unwrap().len(), shown, "{pause} {id}");
        }
        assert_eq!(links.lock().unwrap()[0].program(), None, "no client asked");
    }

    /// The origin of a form, and the pause before it.
    type SentForm = (&'static str, u64);

    /// Each line: the forms, and whether each signs the user in.
    #[tokio::test]
    async fn a_link_signs_in_once_and_for_ten_minutes() {
        let ours = "https://hub.example";
        let table: [(&[SentForm], &[bool]); 3] = [
            (&[(ours, 599), (ours, 0)], &[true, false]),
            (&[(ours, 600)], &[false]),
            (&[("https://evil.example", 0), (ours, 0)], &[false, true]),
        ];
        for (forms, expected) in table {
            let clock = TestClock::new();
            let (sign_in, _) = link_sign_in(&clock);
            let link = sign_in.new_link(Some("a")).await.unwrap();
            let params = RequestParams::parse(link.query().unwrap().as_bytes()).unwrap();
            let mut outcomes = Vec::new();
            for (origin, pause) in forms {
                clock.advance(*pause);
                let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_str(origin).unwrap())]);
                outcomes.push(sign_in.confirm(&params, &headers).await.unwrap().is_some());
            }
            assert_eq!(outcomes, expected, "{forms:?}");
        }
    }
}
