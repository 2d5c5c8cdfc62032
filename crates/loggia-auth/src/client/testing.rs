//! The objects of a client for the tests of single objects: settings, cache and flows over one store, without an
//! [`OAuth`](super::OAuth).

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::cache::CredentialCache;
use super::code_flow::CodeFlow;
use super::credential::Credential;
use super::issuer_cache::IssuerCache;
use super::plan::TokenRequestPlan;
use super::refresher::Refresher;
use super::settings::{ClientSettings, DpopUse};
use crate::clock;
use crate::discovery::BearerChallenge;
use crate::extensions::GrantType;
use crate::registration::{ClientIdentity, RegisteredClient};
use crate::restricted_http::{FetchPolicy, RestrictedHttpClient};
use crate::scope::Scopes;
use crate::store::MemoryStore;
use crate::testing::{TestServer, answer, serve};

/// Creates a credential with an access token and nothing else.
pub(super) fn credential(access_token: &str) -> Credential {
    serde_json::from_value(json!({
        "issuer": "i", "resource": "r", "client": { "client_id": "c", "method": "none" },
        "access_token": access_token, "obtained_at": 1000,
    }))
    .expect("it is a credential")
}

/// Serves a protected server at `/mcp` and its authorization server, whose token endpoint always returns the same
/// response.
pub(super) async fn authorization_server(status: u16, tokens: &'static str) -> TestServer {
    serve(move |request| {
        let base = format!("http://{}", request.headers()["host"].to_str().expect("it is text"));
        match request.uri().path() {
            "/.well-known/oauth-protected-resource/mcp" => {
                let body = json!({ "resource": format!("{base}/mcp"), "authorization_servers": [base] });
                answer(200, &body.to_string())
            }
            "/.well-known/oauth-authorization-server" => {
                let body = json!({
                    "issuer": base, "token_endpoint": format!("{base}/token"),
                    "authorization_endpoint": format!("{base}/authorize"),
                    "code_challenge_methods_supported": ["S256"],
                });
                answer(200, &body.to_string())
            }
            "/token" => answer(status, tokens),
            _ => answer(StatusCode::NOT_FOUND.as_u16(), ""),
        }
    })
    .await
}

/// The parts of a client of one server.
pub(super) struct ClientParts {
    pub(super) issuer: String,
    pub(super) settings: Arc<ClientSettings>,
    pub(super) cache: Arc<CredentialCache>,
    pub(super) issuers: Arc<IssuerCache>,
    store: Arc<MemoryStore>,
}

impl ClientParts {
    /// Creates the parts for a server of [`authorization_server`].
    pub(super) fn new(serving: &TestServer) -> ClientParts {
        let store = Arc::new(MemoryStore::new());
        let http = RestrictedHttpClient::new(FetchPolicy::development()).expect("the policy is valid");
        let settings = ClientSettings {
            server: serving.url("/mcp"),
            key: "credential/a".to_owned(),
            identity: ClientIdentity::new("test").registered(RegisteredClient::public("c")),
            grant: GrantType::RefreshOnly,
            extra_scopes: Scopes::new(),
            issuer: None,
            resource: None,
            registration_endpoint: None,
            endpoints: None,
            dpop: DpopUse::default(),
            http,
            store: store.clone(),
            clock: clock::system(),
        };
        let issuer = String::from(serving.url("/"));
        ClientParts::of(settings, store, issuer.trim_end_matches('/').to_owned())
    }

    fn of(settings: ClientSettings, store: Arc<MemoryStore>, issuer: String) -> ClientParts {
        let cache = CredentialCache::new(store.clone(), settings.key.clone(), settings.clock.clone());
        let issuers = Arc::new(IssuerCache::new(
            settings.http.clone(),
            settings.server.clone(),
            settings.endpoints.clone(),
        ));
        ClientParts { issuer, settings: Arc::new(settings), cache: Arc::new(cache), issuers, store }
    }

    /// Returns parts with changed settings, over the same store.
    fn with(&self, change: impl FnOnce(&mut ClientSettings)) -> ClientParts {
        let old = &*self.settings;
        let mut settings = ClientSettings {
            server: old.server.clone(),
            key: old.key.clone(),
            identity: old.identity.clone(),
            grant: old.grant.clone(),
            extra_scopes: old.extra_scopes.clone(),
            issuer: old.issuer.clone(),
            resource: old.resource.clone(),
            registration_endpoint: old.registration_endpoint.clone(),
            endpoints: old.endpoints.clone(),
            dpop: old.dpop,
            http: old.http.clone(),
            store: self.store.clone(),
            clock: old.clock.clone(),
        };
        change(&mut settings);
        ClientParts::of(settings, self.store.clone(), self.issuer.clone())
    }

    /// Returns parts for another credential in the same store.
    pub(super) fn with_key(&self, key: &str) -> ClientParts {
        self.with(|settings| settings.key = key.to_owned())
    }

    pub(super) fn with_dpop(&self, dpop: DpopUse) -> ClientParts {
        self.with(|settings| settings.dpop = dpop)
    }

    pub(super) fn with_grant(&self, grant: GrantType) -> ClientParts {
        self.with(|settings| settings.grant = grant)
    }

    pub(super) async fn plan(&self) -> TokenRequestPlan {
        let challenge = BearerChallenge::default();
        TokenRequestPlan::new(&self.settings, &challenge, &Scopes::new(), None, true)
            .await
            .expect("it is planned")
    }

    pub(super) fn refresher(&self) -> Refresher {
        let (settings, cache, issuers) = (self.settings.clone(), self.cache.clone(), self.issuers.clone());
        Refresher { settings, cache, issuers }
    }

    pub(super) fn code_flow(&self) -> CodeFlow {
        let (settings, cache, issuers) = (self.settings.clone(), self.cache.clone(), self.issuers.clone());
        CodeFlow { settings, cache, issuers }
    }
}
