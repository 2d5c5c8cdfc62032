//! The authorization of a gateway: the check of tokens before the MCP endpoint, and the authorization server that
//! issues them. It turns `[server.auth]` into the parts of `loggia-auth`. Invariant: an issuer that the administrator
//! names may have any address; every other URL is fetched only with the restricted client.

use std::sync::Arc;

use loggia::transport::http::SessionKey;
use loggia_auth::remote_issuer::RemoteIssuer;
use loggia_auth::resource::{
    DpopPolicy, IntrospectionEndpoint, ResourceServer, ResourceServerLayer, ScopePolicy, TrustedIssuer,
};
use loggia_auth::restricted_http::{FetchPolicy, IpNetwork, RestrictedHttpClient};
use loggia_auth::secret::Secret;
use loggia_auth::server::{
    AdmitFn, AuthorizationServer, OAuthClient, OpenIdProvider, RateLimit, SignInLink, SignInMethod,
};
use loggia_connect::builtin::files;
use loggia_connect::config_file::{self, Admitted, AuthSection, PublicUrl, Scopes, SubjectClaim};
use loggia_connect::secret::Template;
use loggia_store::Vault;
use serde_json::Value;
use url::Url;

use crate::accounts::UserAccounts;
use crate::config::GatewayConfig;
use crate::connector::environment;
use crate::error::{GatewayError, Result};
use crate::observer::GatewayObserver;
use crate::options::GatewayOptions;
use crate::user::os_user_name;
use crate::vault;

/// The part of the vault with the records of the authorization server.
pub(crate) const AUTHORIZATION: &str = "authorization-server";

/// The parts of an endpoint with authorization.
pub(crate) struct AuthStack {
    pub(crate) resource: ResourceServerLayer,
    pub(crate) server: AuthorizationServer,
    pub(crate) accounts: UserAccounts,
    pub(crate) vault: Vault,
    pub(crate) sessions: SessionKey,
}

impl AuthStack {
    /// Opens the vault, and creates the parts for the endpoint at `url`; `base` is this URL without the path. The
    /// program's options name the vault, the trusted proxies and the observer.
    pub(crate) async fn open(
        base: &str,
        url: &str,
        config: &GatewayConfig,
        options: &GatewayOptions,
    ) -> Result<AuthStack> {
        let GatewayOptions { context, trusted_proxies, observer, .. } = options;
        let credentials = context.credentials();
        let server = &config.server;
        let vault = options.vault.open(credentials, &server.vault_key).await?;
        // Clients of a server on this machine may have URLs on this machine.
        let local = base.parse::<PublicUrl>().is_ok_and(|url| url.is_local());
        let policy = credentials.policy(local);
        let auth = server.auth.clone().unwrap_or_default();
        let issuer = embedded(base, url, &auth, &vault, &policy, trusted_proxies.clone(), observer.clone())?;
        let mut resource = ResourceServer::new(url.parse().map_err(GatewayError::configuration)?)
            .map_err(GatewayError::configuration)?
            .title("Loggia")
            .api_keys(Arc::new(vault::api_keys(&vault)))
            .scopes(scope_policy(&auth.scopes, &[config]))
            .dpop(DpopPolicy::accepted())
            .message_bytes(server.limits.message_bytes)
            .resources_per_request(server.limits.subscriptions);
        if auth.embedded {
            resource = resource.issuer(issuer.issuer());
        }
        for other in &auth.issuers {
            resource = resource.issuer(other_issuer(other, &policy)?);
            resource = other.audience.iter().fold(resource, |resource, audience| resource.audience(audience));
        }
        let accounts = UserAccounts::new(base, same_subjects(&auth), &vault, credentials);
        let sessions = vault::session_key(&vault).await?;
        Ok(AuthStack { resource: resource.layer(), server: issuer, accounts, vault, sessions })
    }
}

/// Creates the authorization server in this process.
fn embedded(
    base: &str,
    url: &str,
    auth: &AuthSection,
    vault: &Vault,
    policy: &FetchPolicy,
    proxies: Vec<IpNetwork>,
    observer: Arc<dyn GatewayObserver>,
) -> Result<AuthorizationServer> {
    let http = RestrictedHttpClient::new(policy.clone()).map_err(GatewayError::configuration)?;
    let sign_in = match &auth.openid {
        Some(provider) => SignInMethod::OpenId(Arc::new(openid_at(provider, policy)?)),
        None => SignInMethod::Link {
            subject: os_user_name(),
            show: Arc::new(move |link: &SignInLink| observer.sign_in_link(link)),
        },
    };
    let store = Arc::new(vault.internal(AUTHORIZATION));
    let mut builder =
        AuthorizationServer::builder(base, store, http).resource(url, auth.scopes.all()).sign_in(sign_in);
    builder = builder.rate_limit(Some(RateLimit { proxies, ..RateLimit::default() }));
    for client in &auth.clients {
        let known = OAuthClient::new(&client.client_id, &client.name, &client.redirect_uris);
        builder = builder.client(match &client.client_secret {
            Some(secret) => known.secret(&filled(secret)?),
            None => known,
        });
    }
    for provider in &auth.assertions {
        let keys = RemoteIssuer::new(&provider.issuer, trusting(&provider.issuer, policy)?);
        let keys = Arc::new(keys.map_err(GatewayError::configuration)?);
        builder =
            builder.assertions(&provider.issuer, keys, admit(provider.admitted.clone(), provider.subject));
    }
    builder.build().map_err(GatewayError::configuration)
}

/// Creates the trust in another authorization server.
fn other_issuer(other: &config_file::Issuer, policy: &FetchPolicy) -> Result<TrustedIssuer> {
    let http = trusting(&other.issuer, policy)?;
    let issuer = match &other.introspection {
        Some(asked) => {
            let endpoint: Url = asked.endpoint.parse().map_err(GatewayError::configuration)?;
            let http = RestrictedHttpClient::new(policy.clone().trusting(&endpoint))
                .map_err(GatewayError::configuration)?;
            let secret = filled(&asked.client_secret)?;
            let introspection = IntrospectionEndpoint::new(endpoint, &asked.client_id, &secret, http);
            TrustedIssuer::introspecting(&other.issuer, introspection)
        }
        None => {
            let keys = RemoteIssuer::new(&other.issuer, http).map_err(GatewayError::configuration)?;
            TrustedIssuer::signing(&other.issuer, Arc::new(keys))
        }
    };
    Ok(if other.any_token_type { issuer.any_token_type() } else { issuer })
}

/// Returns a client that may also fetch from this issuer, because the administrator named it.
fn trusting(issuer: &str, policy: &FetchPolicy) -> Result<RestrictedHttpClient> {
    let url: Url = issuer.parse().map_err(GatewayError::configuration)?;
    RestrictedHttpClient::new(policy.clone().trusting(&url)).map_err(GatewayError::configuration)
}

/// Makes the rules of `scopes`, for the spellings of resources that the connectors of `configs` have.
pub(crate) fn scope_policy(scopes: &Scopes, configs: &[&GatewayConfig]) -> ScopePolicy {
    let policy = scopes.required.iter().fold(ScopePolicy::new(), ScopePolicy::always);
    let policy = scopes.tools.iter().fold(policy, |policy, (name, scope)| policy.tool(name, scope));
    let policy = scopes.prompts.iter().fold(policy, |policy, (name, scope)| policy.prompt(name, scope));
    let qualifiers = configs.iter().flat_map(|config| config.qualifiers());
    let policy = qualifiers.fold(policy, ScopePolicy::qualifier);
    let folders = configs.iter().flat_map(|config| config.folders());
    let roots = folders.flat_map(|folder| files::root_uris(&folder));
    let policy = roots.fold(policy, |policy, root| policy.alias(&root, "file:///"));
    // This comes after the spellings, so that each rule is compiled once.
    let policy = scopes.resources.iter().fold(policy, |policy, (uri, scope)| policy.resource(uri, scope));
    let pairs = scopes.implies.iter().flat_map(|(broad, all)| all.iter().map(move |narrow| (broad, narrow)));
    pairs.fold(policy, |policy, (broad, narrow)| policy.implies(broad, narrow))
}

/// Returns the issuer with the same subjects as the sign-in at the gateway: both take them from the same provider.
fn same_subjects(auth: &AuthSection) -> Option<String> {
    let openid = auth.openid.as_ref().filter(|openid| openid.subject == SubjectClaim::Sub)?;
    Some(openid.issuer.clone())
}

fn openid_at(provider: &config_file::OpenId, policy: &FetchPolicy) -> Result<OpenIdProvider> {
    let http = trusting(&provider.issuer, policy)?;
    let secret = provider.client_secret.as_ref().map(filled).transpose()?;
    let openid = OpenIdProvider::new(&provider.issuer, &provider.client_id, secret, http)
        .map_err(GatewayError::configuration)?;
    Ok(openid.admit(admit(provider.admitted.clone(), provider.subject)))
}

/// Returns a secret of the configuration, with its variables replaced.
fn filled(template: &Template) -> Result<Secret> {
    template.expand(&environment).map_err(GatewayError::configuration)
}

/// Returns the function from the claims of a user to the subject; it returns `None` for users who may not sign in.
fn admit(admitted: Admitted, subject: SubjectClaim) -> AdmitFn {
    Arc::new(move |claims: &Value| {
        let email = verified_email(claims);
        let may = match &admitted {
            Admitted::Anyone => true,
            Admitted::Some { emails, domains } => email.as_deref().is_some_and(|email| {
                let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
                emails.iter().any(|known| known == email) || domains.iter().any(|known| known == domain)
            }),
        };
        match subject {
            _ if !may => None,
            SubjectClaim::Sub => claims.get("sub")?.as_str().map(str::to_owned),
            SubjectClaim::Email => email,
        }
    })
}

/// Returns the email address, if the provider has verified that it is the user's.
fn verified_email(claims: &Value) -> Option<String> {
    let verified = match claims.get("email_verified")? {
        Value::Bool(verified) => *verified,
        // Some providers write it as a string.
        Value::String(text) => text == "true",
        _ => false,
    };
    verified.then(|| claims.get("email")?.as_str().map(str::to_ascii_lowercase)).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_those_who_are_named_come_in() {
        let some =
            || Admitted::Some { emails: vec!["ada@x.example".into()], domains: vec!["y.example".into()] };
        let claims =
            |email: &str, verified: Value| json!({ "sub": "1", "email": email, "email_verified": verified });
        let (sub, email) = (SubjectClaim::Sub, SubjectClaim::Email);
        for (admitted, subject, claims, expected) in [
            (Admitted::Anyone, sub, json!({ "sub": "1" }), Some("1")),
            (Admitted::Anyone, email, json!({ "sub": "1" }), None),
            (Admitted::Anyone, email, claims("ada@x.example", json!(false)), None),
            (some(), sub, claims("Ada@X.example", json!(true)), Some("1")),
            (some(), email, claims("Ada@X.example", json!("true")), Some("ada@x.example")),
            (some(), sub, claims("eve@x.example", json!(true)), None),
            (some(), sub, claims("eve@y.example", json!(true)), Some("1")),
            (some(), sub, claims("eve@y.example", json!(false)), None),
            (some(), sub, claims("eve@y.example", Value::Null), None),
            (some(), sub, claims("eve@not-y.example", json!(true)), None),
            (some(), sub, claims("eve@y.example@z.example", json!(true)), None),
            (some(), sub, json!({ "sub": "1" }), None),
        ] {
            assert_eq!(admit(admitted, subject)(&claims).as_deref(), expected, "{claims}");
        }
    }
}
