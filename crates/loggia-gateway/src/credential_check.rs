//! Asks a server whether it accepts the saved credential, renews the credential, and signs out. Commands and pages
//! show the results in their own words. Invariant: if an expired token can be renewed, the user stays signed in.

use loggia_auth::client::{Credential, OAuth, TokenCheck};
use loggia_auth::error::AuthError;

use crate::credentials::Credentials;

/// The saved credential for a server, and the server's answer about it.
#[derive(Debug)]
pub struct CredentialCheck {
    /// The server's answer.
    pub state: CredentialState,
    /// The credential; `None` if none is saved.
    pub credential: Option<Credential>,
    /// True if a token source can get the next token without a sign-in.
    pub has_source: bool,
}

/// A server's answer about a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialState {
    /// The server accepts it.
    Accepted {
        /// True if it had expired and was renewed during the check.
        was_renewed: bool,
    },
    /// The server accepts requests without a credential.
    NotNeeded,
    /// There is no credential, and the server needs one.
    Missing,
    /// The server refuses it, with this reason if it names one.
    Refused(Option<String>),
}

impl Credentials {
    /// Asks the server at `url` whether it accepts the saved credential, and renews an expired one.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the server cannot be asked, or the store cannot be read or written.
    pub async fn check(&self, url: &str) -> Result<CredentialCheck, AuthError> {
        let oauth = self.oauth(url).await?;
        let has_source = self.token_source(url).await?.is_some();
        let mut proof = oauth.check_token().await?;
        let mut was_renewed = false;
        if matches!(proof, TokenCheck::Refused(_)) && (has_source || can_renew(&oauth).await?) {
            match oauth.refresh().await {
                Ok(_) => (proof, was_renewed) = (oauth.check_token().await?, true),
                // A busy authorization server says nothing of the credential.
                Err(error) if error.is_temporary() => return Err(error),
                Err(AuthError::SignInAgain(_) | AuthError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let state = match proof {
            TokenCheck::Accepted => CredentialState::Accepted { was_renewed },
            TokenCheck::NotNeeded => CredentialState::NotNeeded,
            TokenCheck::Missing(_) => CredentialState::Missing,
            TokenCheck::Refused(challenge) => CredentialState::Refused(challenge.description),
        };
        Ok(CredentialCheck { state, credential: oauth.credential().await?, has_source })
    }

    /// Renews the credential for the server at `url`.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if it cannot be renewed.
    pub async fn renew(&self, url: &str) -> Result<Credential, AuthError> {
        self.oauth(url).await?.refresh().await
    }

    /// Revokes the credential for the server at `url`, if the server supports it, and deletes it with its token
    /// source. Returns `false` if there was no credential.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the store cannot be read or written.
    pub async fn sign_out(&self, url: &str) -> Result<bool, AuthError> {
        let oauth = self.oauth(url).await?;
        self.keep_token_source(url, None).await?;
        match oauth.credential().await {
            Ok(None) => Ok(false),
            // An unreadable credential is deleted, too.
            Ok(Some(_)) | Err(AuthError::Unreadable(_)) => oauth.sign_out().await.map(|()| true),
            Err(error) => Err(error),
        }
    }
}

async fn can_renew(oauth: &OAuth) -> Result<bool, AuthError> {
    Ok(oauth.credential().await?.is_some_and(|credential| credential.refresh_token.is_some()))
}
