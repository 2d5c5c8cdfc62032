//! Checks of authorization requests (RFC 6749, section 4.1.1, with PKCE, resource indicators and `dpop_jkt`).
//!
//! While the client and the redirect URI are not verified, the user is not sent anywhere.

use std::sync::Arc;

use super::client_registry::ClientRegistry;
use super::clients::OAuthClient;
use super::http::{OAuthError, RequestParams};
use super::pending_authorizations::PendingAuthorization;
use super::redirect_uri;
use super::resources::ProtectedResources;
use crate::error::AuthError;

/// The maximum length of `state`, in bytes.
pub(super) const MAX_STATE: usize = 4096;
/// The length of a SHA-256 digest in base64url: of a PKCE challenge, and of a thumbprint.
const DIGEST_LENGTH: usize = 43;

/// A refusal of an authorization request.
#[derive(Debug)]
pub(super) enum RequestRefusal {
    /// The client or the redirect URI is not verified. The user sees the reason.
    Page(String),
    /// The client gets an error response.
    Response(Box<ErrorTarget>, OAuthError),
    Failed(AuthError),
}

/// The client that an error response goes to.
#[derive(Debug)]
pub(super) struct ErrorTarget {
    pub(super) client: OAuthClient,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
}

impl From<AuthError> for RequestRefusal {
    fn from(error: AuthError) -> RequestRefusal {
        RequestRefusal::Failed(error)
    }
}

/// Checks authorization requests.
#[derive(Clone)]
pub(super) struct RequestValidator {
    clients: Arc<ClientRegistry>,
    resources: Arc<ProtectedResources>,
}

impl RequestValidator {
    pub(super) fn new(clients: Arc<ClientRegistry>, resources: Arc<ProtectedResources>) -> RequestValidator {
        RequestValidator { clients, resources }
    }

    /// Checks the query of a request. Returns the request, and the target of a later error response.
    pub(super) async fn check(
        &self,
        query: &str,
    ) -> Result<(PendingAuthorization, Box<ErrorTarget>), RequestRefusal> {
        let params = RequestParams::parse(query.as_bytes())
            .map_err(|error| RequestRefusal::Page(error.to_string()))?;
        let (client, redirect_uri) = self.destination(&params).await?;
        let state = params.get("state").map(str::to_owned);
        let target = Box::new(ErrorTarget { client, redirect_uri, state });
        match self.check_params(&params, &target) {
            Ok(request) => Ok((request, target)),
            Err(error) => Err(RequestRefusal::Response(target, error)),
        }
    }

    /// Returns the client of a pending request, if it still has the redirect URI.
    pub(super) async fn client_of(
        &self,
        request: &PendingAuthorization,
    ) -> Result<Result<OAuthClient, ClientChange>, AuthError> {
        Ok(match self.clients.find(&request.client).await? {
            Ok(client) if redirect_uri::is_registered(&client.redirect_uris, &request.redirect_uri) => {
                Ok(client)
            }
            Ok(_) => Err(ClientChange::RedirectUri),
            Err(rejection) => Err(ClientChange::Rejected(rejection.reason)),
        })
    }

    /// Returns the client, and the redirect URI for its response.
    async fn destination(&self, params: &RequestParams) -> Result<(OAuthClient, String), RequestRefusal> {
        let page = |why: &str| RequestRefusal::Page(why.to_owned());
        let id = params
            .get("client_id")
            .ok_or_else(|| page("The program that sent you here did not say which it is (client_id)."))?;
        let found = self.clients.find(id).await?;
        let client = found.map_err(|rejection| RequestRefusal::Page(rejection.reason))?;
        let uri = params.get("redirect_uri").ok_or_else(|| {
            page("The program that sent you here did not say where to send you afterwards (redirect_uri).")
        })?;
        // A registration can be older than the rules for redirect URIs.
        let is_allowed = client.is_trusted() || redirect_uri::check(uri).is_ok();
        if is_allowed && redirect_uri::is_registered(&client.redirect_uris, uri) {
            return Ok((client, uri.to_owned()));
        }
        Err(page(
            "The program that sent you here wants you sent to an address that it has not registered (redirect_uri).",
        ))
    }

    fn check_params(
        &self,
        params: &RequestParams,
        target: &ErrorTarget,
    ) -> Result<PendingAuthorization, OAuthError> {
        let invalid = |why: &str| OAuthError::new("invalid_request", why);
        if params.get("request").is_some() || params.get("request_uri").is_some() {
            return Err(OAuthError::new("request_not_supported", "Send the parameters themselves"));
        }
        if params.need("response_type")? != "code" {
            return Err(OAuthError::new("unsupported_response_type", "The only response_type is code"));
        }
        if !target.client.may_use("authorization_code") {
            let why = "The client did not register for this grant type";
            return Err(OAuthError::new("unauthorized_client", why));
        }
        if params.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(invalid("The only response_mode is query"));
        }
        if target.state.as_ref().is_some_and(|state| state.len() > MAX_STATE) {
            return Err(invalid("The state is too long"));
        }
        let code_challenge = params.need("code_challenge")?;
        if params.get("code_challenge_method") != Some("S256") {
            return Err(invalid("PKCE is required, with the code_challenge_method S256"));
        }
        if code_challenge.len() != DIGEST_LENGTH || crate::jose::decode(code_challenge).is_err() {
            return Err(invalid("The code_challenge is not a SHA-256 digest in base64url"));
        }
        let dpop_jkt = params.get("dpop_jkt");
        if dpop_jkt.is_some_and(|key| key.len() != DIGEST_LENGTH) {
            return Err(invalid("The dpop_jkt is not a thumbprint"));
        }
        let resource = self.resources.select(params)?;
        Ok(PendingAuthorization {
            client: target.client.id.clone(),
            redirect_uri: target.redirect_uri.clone(),
            state: target.state.clone(),
            code_challenge: code_challenge.to_owned(),
            resource: resource.identifier.clone(),
            scopes: resource.grantable_scopes(params.get("scope"))?,
            dpop_jkt: dpop_jkt.map(str::to_owned),
            prompt_none: has_prompt(params, "none"),
            prompt_consent: has_prompt(params, "consent"),
            consent_page: None,
        })
    }
}

/// A change of the client since its authorization request.
#[derive(Debug)]
pub(super) enum ClientChange {
    /// It no longer has the redirect URI.
    RedirectUri,
    /// It is unknown, or its metadata is refused.
    Rejected(String),
}

fn has_prompt(params: &RequestParams, value: &str) -> bool {
    params.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|prompt| prompt == value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restricted_http::{FetchPolicy, RestrictedHttpClient};
    use crate::server::resources::ProtectedResource;
    use crate::server::testing::TestClock;

    const GOOD: &str = "client_id=cli&redirect_uri=http://127.0.0.1:50123/cb&response_type=code&state=s\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

    /// Each line: the changed part of a valid request, and the receiver of the error.
    #[tokio::test]
    async fn clients_learn_of_errors_only_at_an_address_that_is_certain() {
        let entered = vec![OAuthClient::new("cli", "The command line", ["http://127.0.0.1/cb"])];
        let http = RestrictedHttpClient::new(FetchPolicy::development()).unwrap();
        let clients = Arc::new(ClientRegistry::new(entered, TestClock::new().records(), http));
        let resource = ProtectedResource { identifier: "https://hub.example".to_owned(), scopes: Vec::new() };
        let resources = Arc::new(ProtectedResources::new(vec![resource]));
        let validator = RequestValidator::new(clients, resources);
        let table = [
            ("", "", ""),
            ("client_id=cli&", "", "page"),
            ("client_id=cli", "client_id=other", "page"),
            ("/cb", "/other", "page"),
            ("state=s", "state=s&state=s", "page"),
            ("=code&", "=token&", "unsupported_response_type"),
            ("=S256", "=plain", "invalid_request"),
            ("=E9M", "=", "invalid_request"),
            ("state=s", "request=x", "request_not_supported"),
            ("state=s", "resource=https://other.example", "invalid_target"),
            ("state=s", "dpop_jkt=x", "invalid_request"),
        ];
        for (from, to, expected) in table {
            let query = GOOD.replacen(from, to, usize::from(!from.is_empty()));
            let outcome = match validator.check(&query).await {
                Ok(_) => "",
                Err(RequestRefusal::Page(_)) => "page",
                Err(RequestRefusal::Response(_, error)) => error.code,
                Err(RequestRefusal::Failed(error)) => panic!("{error}"),
            };
            assert_eq!(outcome, expected, "{from} {to}");
        }
    }
}
