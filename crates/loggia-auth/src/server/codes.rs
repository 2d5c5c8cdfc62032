//! Authorization codes (RFC 6749, section 4.1.2).
//!
//! A code is redeemed once. A second attempt revokes the tokens of the first one, because one of the two is not the
//! client's (OAuth 2.1, section 4.1.2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::http::OAuthError;
use super::pending_authorizations::PendingAuthorization;
use super::records::{RecordSnapshot, RecordStore};
use super::refresh_tokens::{RefreshTokens, family_name, new_seed};
use crate::clock;
use crate::error::AuthError;
use crate::jose::random;

/// Lifetime of a code.
const LIFETIME: Duration = Duration::from_secs(60);
/// The lifetime of a code's record, from its creation and from its use, so that a second use is recognized.
const RECORD_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The record of a code.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum CodeRecord {
    #[serde(rename = "Fresh")]
    Unused {
        request: Box<PendingAuthorization>,
        subject: String,
        seed: String,
        until: u64,
    },
    Used {
        family: String,
    },
}

/// The content of a redeemed code.
#[derive(Debug)]
pub(super) struct RedeemedCode {
    pub(super) request: PendingAuthorization,
    pub(super) subject: String,
    /// The seed of the token family that the code may start.
    pub(super) seed: String,
}

/// Issues and redeems authorization codes.
#[derive(Clone)]
pub(super) struct AuthorizationCodes {
    records: RecordStore,
    refresh_tokens: RefreshTokens,
}

impl AuthorizationCodes {
    pub(super) fn new(records: RecordStore, refresh_tokens: RefreshTokens) -> AuthorizationCodes {
        AuthorizationCodes { records, refresh_tokens }
    }

    /// Issues a code for a request that the user allowed.
    pub(super) async fn issue(
        &self,
        request: PendingAuthorization,
        subject: &str,
    ) -> Result<String, AuthError> {
        let (code, now) = (random(32), self.records.now());
        let record = CodeRecord::Unused {
            request: Box::new(request),
            subject: subject.to_owned(),
            seed: new_seed(),
            until: clock::seconds(now + LIFETIME),
        };
        let name = RecordStore::hashed_name("code", &code);
        self.records.add(&name, &record, Some(now + RECORD_LIFETIME)).await?;
        Ok(code)
    }

    /// Redeems a code of a client. The code is invalid afterwards, even if the rest of the token request is wrong.
    pub(super) async fn redeem(&self, code: &str, client: &str) -> Result<RedeemedCode, OAuthError> {
        let invalid = |why: &str| OAuthError::new("invalid_grant", why);
        let unknown = || invalid("The code is not valid");
        let name = RecordStore::hashed_name("code", code);
        let RecordSnapshot { value, revision } =
            self.records.get::<CodeRecord>(&name).await?.ok_or_else(unknown)?;
        let (request, subject, seed, until) = match value {
            CodeRecord::Unused { request, subject, seed, until } => (*request, subject, seed, until),
            CodeRecord::Used { family } => {
                tracing::warn!(client, "an authorization code was used twice: the sign-in ends");
                self.refresh_tokens.revoke(&family).await?;
                return Err(invalid("The code was used before"));
            }
        };
        if request.client != client {
            return Err(unknown());
        }
        let (family, now) = (family_name(&seed), self.records.now());
        let used = CodeRecord::Used { family: family.clone() };
        if !self.records.replace(&name, &used, revision, Some(now + RECORD_LIFETIME)).await? {
            self.refresh_tokens.revoke(&family).await?;
            return Err(invalid("The code was used before"));
        }
        if clock::seconds(now) >= until {
            return Err(invalid("The code has expired"));
        }
        Ok(RedeemedCode { request, subject, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::pending_authorizations::tests::authorization;
    use crate::server::refresh_tokens::TokenLifetimes;
    use crate::server::testing::TestClock;

    fn codes(clock: &TestClock) -> AuthorizationCodes {
        let records = clock.records();
        let refresh_tokens = RefreshTokens::new(records.clone(), TokenLifetimes::default());
        AuthorizationCodes::new(records, refresh_tokens)
    }

    /// The client of an attempt, and the pause before it.
    type Attempt = (&'static str, u64);

    /// Each line: the attempts, and the outcomes.
    #[tokio::test]
    async fn a_code_is_redeemed_once_by_its_client_and_in_time() {
        const OK: &str = "";
        let table: [(&[Attempt], &[&str]); 4] = [
            (&[("cli", 59), ("cli", 0)], &[OK, "The code was used before"]),
            (&[("cli", 60), ("cli", 0)], &["The code has expired", "The code was used before"]),
            (&[("web", 0), ("cli", 0)], &["The code is not valid", OK]),
            (&[("cli", 60 * 60)], &["The code is not valid"]),
        ];
        for (attempts, expected) in table {
            let clock = TestClock::new();
            let codes = codes(&clock);
            let code = codes.issue(authorization("cli"), "ada").await.unwrap();
            let mut outcomes = Vec::new();
            for (client, pause) in attempts {
                clock.advance(*pause);
                let redeemed = codes.redeem(&code, client).await;
                if let Ok(redeemed) = &redeemed {
                    assert_eq!((&*redeemed.subject, &redeemed.request), ("ada", &authorization("cli")));
                }
                outcomes.push(redeemed.err().map(|error| error.description).unwrap_or_default());
            }
            assert_eq!(outcomes, expected, "{attempts:?}");
        }
    }

    #[tokio::test]
    async fn a_second_use_revokes_the_tokens_of_the_first() {
        let clock = TestClock::new();
        let codes = codes(&clock);
        let code = codes.issue(authorization("cli"), "ada").await.unwrap();
        let seed = codes.redeem(&code, "cli").await.unwrap().seed;
        assert!(codes.redeem(&code, "cli").await.is_err());
        assert!(codes.refresh_tokens.revoked().contains(&family_name(&seed)).await.unwrap());
    }
}
