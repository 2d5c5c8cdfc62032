//! The layer *credential*: whether the server accepts the credential. One that has expired is renewed.

use loggia_auth::error::AuthError;

use super::configuration::ServerTarget;
use super::http_request::EndpointAnswer;
use super::report::LayerFailure;
use crate::credential_check::{CredentialCheck, CredentialState};
use crate::credentials::Credentials;

/// The credential for a server.
pub(super) enum ServerCredential {
    /// The server needs none.
    NotNeeded,
    /// Each user has an own one.
    PerUser,
    /// The server accepts it.
    Accepted(String),
    /// The server does not accept it, or there is none.
    Failed(LayerFailure),
}

impl ServerCredential {
    /// Returns whether a person has to sign in, so that the authorization server is worth an examination.
    pub(super) fn needs_sign_in(&self) -> bool {
        match self {
            ServerCredential::Failed(failure) => failure.url.is_some(),
            ServerCredential::PerUser => true,
            ServerCredential::NotNeeded | ServerCredential::Accepted(_) => false,
        }
    }

    /// Returns the reason why no sign-in is needed.
    pub(super) fn reason_without_sign_in(&self) -> &'static str {
        match self {
            ServerCredential::NotNeeded => "the server asks for no authorization",
            ServerCredential::Accepted(_) => "the server accepts the credential",
            ServerCredential::PerUser | ServerCredential::Failed(_) => "a sign-in does not help",
        }
    }

    /// Returns the reason why no connection can be made.
    pub(super) fn failure(&self) -> Option<&LayerFailure> {
        const PER_USER: &LayerFailure = &LayerFailure {
            reason: String::new(),
            next_step: None,
            remedy: super::report::Remedy::Unknown,
            url: None,
        };
        match self {
            ServerCredential::Failed(failure) => Some(failure),
            ServerCredential::PerUser => Some(PER_USER),
            ServerCredential::NotNeeded | ServerCredential::Accepted(_) => None,
        }
    }
}

/// Checks the credential for a server that gave this answer without a saved one.
pub(super) async fn check(
    name: &str,
    server: &ServerTarget,
    answer: &EndpointAnswer,
    credentials: &Credentials,
) -> ServerCredential {
    match (&answer.challenge, server.has_own_credential()) {
        (None, true) => {
            return ServerCredential::Accepted("the server accepts that of the configuration".to_owned());
        }
        (Some(challenge), true) => {
            let why = challenge.description.clone().unwrap_or_else(|| "it gives no reason".to_owned());
            return ServerCredential::Failed(LayerFailure::action(
                format!("the server refuses the credential of the configuration: {why}"),
                "put a valid one into the header `Authorization` of the connector",
            ));
        }
        (None, false) => return ServerCredential::NotNeeded,
        (Some(_), false) if server.is_personal => return ServerCredential::PerUser,
        (Some(_), false) => {}
    }
    if credentials.existing_folder().is_none() {
        return ServerCredential::Failed(sign_in(
            name,
            server,
            "the server needs a sign-in, and there is none",
        ));
    }
    match credentials.check(server.url.as_str()).await {
        Ok(checked) => of_check(name, server, checked),
        Err(AuthError::SignInAgain(why)) => {
            ServerCredential::Failed(sign_in(name, server, &format!("sign in again: {why}")))
        }
        Err(error) if error.is_temporary() => {
            ServerCredential::Failed(LayerFailure::retry(&error, "try again later"))
        }
        Err(error) => ServerCredential::Failed(sign_in(name, server, &error.to_string())),
    }
}

fn of_check(name: &str, server: &ServerTarget, checked: CredentialCheck) -> ServerCredential {
    match checked.state {
        CredentialState::Accepted { was_renewed: true } => {
            ServerCredential::Accepted("it had expired and was renewed".to_owned())
        }
        CredentialState::Accepted { was_renewed: false } => {
            ServerCredential::Accepted("the server accepts it".to_owned())
        }
        CredentialState::NotNeeded => ServerCredential::NotNeeded,
        CredentialState::Missing => {
            ServerCredential::Failed(sign_in(name, server, "the server needs a sign-in, and there is none"))
        }
        CredentialState::Refused(why) => {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let reason = format!("the server refuses the credential, and it cannot be renewed{why}");
            ServerCredential::Failed(sign_in(name, server, &reason))
        }
    }
}

fn sign_in(name: &str, server: &ServerTarget, reason: &str) -> LayerFailure {
    LayerFailure::action(reason, format!("`loggia auth login {name}` signs in")).at(&server.url)
}
