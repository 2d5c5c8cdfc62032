//! Sign-in sessions of browsers: a cookie, and the record that it names.
//!
//! Each sign-in starts a new session, so a cookie from before a sign-in is invalid after it.

use std::time::Duration;

use http::{HeaderMap, Response};
use loggia::transport::http::Body;
use serde::{Deserialize, Serialize};

use super::http::ServerCookies;
use super::records::RecordStore;
use crate::error::AuthError;
use crate::jose::random;

/// The signed-in user in the record of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionUser {
    pub(super) subject: String,
    pub(super) name: String,
}

/// A session that a request belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActiveSession {
    /// The name of the session's record.
    pub(super) record: String,
    pub(super) user: SessionUser,
}

/// Starts sessions, and finds that of a request.
#[derive(Clone)]
pub(super) struct Sessions {
    records: RecordStore,
    cookies: ServerCookies,
    lifetime: Duration,
}

impl Sessions {
    pub(super) fn new(records: RecordStore, cookies: ServerCookies, lifetime: Duration) -> Sessions {
        Sessions { records, cookies, lifetime }
    }

    /// Returns the session of a request; `None` if its browser is not signed in.
    pub(super) async fn find(&self, headers: &HeaderMap) -> Result<Option<ActiveSession>, AuthError> {
        let Some(cookie) = self.cookies.get(headers, "session") else { return Ok(None) };
        let record = RecordStore::hashed_name("session", cookie);
        let found = self.records.get::<SessionUser>(&record).await?;
        Ok(found.map(|found| ActiveSession { record, user: found.value }))
    }

    /// Starts a session, and sets its cookie in the response.
    pub(super) async fn start(
        &self,
        user: &SessionUser,
        response: &mut Response<Body>,
    ) -> Result<(), AuthError> {
        let cookie = random(32);
        let expires = self.records.now() + self.lifetime;
        let record = RecordStore::hashed_name("session", &cookie);
        self.records.add(&record, user, Some(expires)).await?;
        self.cookies.set(response, "session", &cookie, self.lifetime);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::{COOKIE, SET_COOKIE};

    use super::*;
    use crate::server::testing::TestClock;

    #[tokio::test]
    async fn a_session_is_found_by_its_cookie_until_it_expires() {
        let clock = TestClock::new();
        let cookies = ServerCookies { secure: true, port: None };
        let sessions = Sessions::new(clock.records(), cookies, Duration::from_secs(60));
        let user = SessionUser { subject: "ada".to_owned(), name: "Ada".to_owned() };
        let mut response = Response::new(Body::empty());
        sessions.start(&user, &mut response).await.unwrap();
        let set = response.headers()[SET_COOKIE].to_str().unwrap();
        let (cookie, attributes) = set.split_once(';').unwrap();
        assert!(cookie.starts_with("__Host-loggia-session=") && attributes.contains("Max-Age=60"), "{set}");

        let find = async |cookie: &str| {
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())]);
            sessions.find(&headers).await.unwrap().map(|session| session.user)
        };
        assert_eq!(find(cookie).await, Some(user));
        assert_eq!(find("__Host-loggia-session=other").await, None);
        assert_eq!(find("a=b").await, None);
        clock.advance(60);
        assert_eq!(find(cookie).await, None);
    }
}
